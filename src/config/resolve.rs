//! From the configuration as it is written to the domain's types.

use std::collections::BTreeMap;

use super::address::same_repository;
use super::context::Context;
use super::estates::{repository_of, written};
use super::report::{Place, suggestion};
use super::rules::is_label;
use super::settings::{EstateSettings, Settings};
use super::tree::Node;
use super::types;
use crate::domain::environment::pattern::{PathGlobs, PathPattern};
use crate::domain::environment::policy::{Budget, Delivery, Merge, Policy, ReviewRules};
use crate::domain::environment::signal::Signal;
use crate::domain::environment::{Environment, ServiceFiles, ServiceRule};
use crate::domain::ids::{BranchName, EnvironmentName, InvalidName, RepositoryName, ServiceName, SourceName};

const INTERVAL_SECS: u32 = 60;

/// What services refer to by name.
struct Named {
    signals: BTreeMap<String, Signal>,
    policies: BTreeMap<String, Policy>,
}

/// A service, its own mistakes told.
struct ResolvedService<'w> {
    wire: &'w types::Service,
    place: Place,
    /// Where its `signals` stand, or else itself.
    signals_place: Place,
    files: ServiceFiles,
    signals: Vec<Signal>,
    depends_on: Vec<ServiceName>,
}

impl ResolvedService<'_> {
    fn is_in(&self, environment: &str) -> bool {
        self.wire.environments.as_ref().is_none_or(|names| names.iter().any(|name| name == environment))
    }
}

impl Context<'_> {
    /// Resolves all of it; what it returns holds only if there are no findings.
    pub(super) fn settings(&mut self, config: &types::Config, digest: String) -> Settings {
        let mut sources = BTreeMap::new();
        for (name, wire) in config.metrics.iter().flatten() {
            let options = self.source(name, wire);
            if let Some(name) = self.name(SourceName::new(name), self.place(&["metrics", name])) {
                sources.insert(name, options);
            }
        }
        let named = Named { signals: self.signals(config), policies: self.policies(config) };
        let nodes: Vec<&Node> = self.root.get("services").map_or(&[][..], Node::items).iter().collect();
        let services: Vec<ResolvedService<'_>> = config
            .services
            .iter()
            .zip(nodes)
            .filter_map(|(wire, node)| self.service(wire, node, config, &named))
            .collect();
        let mut environments = Vec::new();
        for (name, wire) in &config.environments {
            let environment = self.environment(name, wire, &services, &named);
            environments.extend(repository_of(config, wire).zip(environment));
        }
        let estates = self.estates(config, &environments);
        self.overlaps(config, &services);
        let interval = config.run.as_ref().and_then(|run| run.interval);
        let interval_secs = self.seconds(interval, INTERVAL_SECS, self.place(&["run", "interval"]));
        Settings { estates, sources, interval_secs, digest }
    }

    /// All repositories with what belongs to them. `environments` have the names of their repositories beside them.
    fn estates(
        &mut self,
        config: &types::Config,
        environments: &[(&str, Environment)],
    ) -> Vec<EstateSettings> {
        let mut estates: Vec<EstateSettings> = Vec::new();
        for estate in written(config) {
            let repository = self.repository(estate.repository, &estate.keys);
            let forge = self.forge(&estate, repository.signing.is_some());
            if estate.forge.is_none() {
                self.needs_forge(config, &estate);
            }
            let Some(name) = self.name(RepositoryName::new(estate.name), self.place(&estate.keys)) else {
                continue;
            };
            if let Some(other) =
                estates.iter().find(|one| same_repository(&one.repository.url, &repository.url))
            {
                let message = format!(
                    "`{}` and `{name}` are the same repository: keep one of them, and name it in the environments of both",
                    other.name
                );
                self.findings.add(self.place(&[&estate.keys, &["url"][..]].concat()), message);
            }
            let in_it = environments.iter().filter(|(repository, _)| *repository == estate.name);
            estates.push(EstateSettings {
                name,
                repository,
                git_by_forge: matches!(estate.repository.auth, Some(types::GitAuth::Forge)),
                forge,
                environments: in_it.map(|(_, environment)| environment.clone()).collect(),
            });
        }
        estates
    }

    fn environment(
        &mut self,
        name: &str,
        wire: &types::Environment,
        services: &[ResolvedService<'_>],
        named: &Named,
    ) -> Option<Environment> {
        let place = self.place(&["environments", name]);
        let branch_place = self.place(&["environments", name, "branch"]);
        let branch = self.name(BranchName::new(&*wire.branch), branch_place);
        let paths = wire.paths.as_ref().map(|globs| self.globs(globs, &["environments", name, "paths"]));
        if wire.paths.as_ref().is_some_and(Vec::is_empty) {
            let message =
                "no path belongs to this environment: name one, or leave `paths` out for the whole branch";
            self.findings.add(self.place(&["environments", name, "paths"]), message);
        }
        let mut rules: Vec<ServiceRule> = Vec::new();
        for service in services {
            if !service.is_in(name) {
                continue;
            }
            let twice = rules.iter().any(|rule| same_name(&rule.files, &service.files));
            if twice {
                let message = format!("a service of this name is already in the environment `{name}`");
                self.findings.add(service.place, message);
            }
            rules.push(self.service_rule(service, wire, named));
        }
        if rules.is_empty() {
            self.missing(place, format!("no service is in the environment `{name}`: add one to `services`"));
        }
        Some(Environment {
            name: self.name(EnvironmentName::new(name), place)?,
            branch: branch?,
            paths,
            delivery: wire.delivery.unwrap_or_default(),
            review: self.review_rules(name, wire),
            budget: self.budget(name, wire.budget.as_ref()),
            services: rules,
        })
    }

    /// A service whose files would belong to two environments at once would be reverted in both.
    fn overlaps(&mut self, config: &types::Config, services: &[ResolvedService<'_>]) {
        let environments: Vec<(&String, &types::Environment)> = config.environments.iter().collect();
        for (index, (a, first)) in environments.iter().enumerate() {
            for (b, second) in environments.iter().skip(index + 1) {
                let apart = repository_of(config, first) != repository_of(config, second)
                    || first.branch != second.branch
                    || (first.paths.is_some() && second.paths.is_some());
                let in_both = |service: &&ResolvedService<'_>| {
                    let named = |pattern: &PathPattern| pattern.names().any(|name| name == "environment");
                    let told = matches!(&service.files, ServiceFiles::Pattern(pattern) if named(pattern));
                    !told && service.is_in(a) && service.is_in(b)
                };
                if let Some(service) = services.iter().find(in_both).filter(|_| !apart) {
                    let message = format!(
                        "this service's files are in both environments `{a}` and `{b}`, which share a branch: give \
                         the environments `paths`, or the service `environments`"
                    );
                    self.findings.add(service.place, message);
                }
            }
        }
    }

    fn review_rules(&mut self, environment: &str, wire: &types::Environment) -> ReviewRules {
        let usual = ReviewRules::default();
        if wire.merge == Some(Merge::Manual) && wire.delivery != Some(Delivery::PullRequest) {
            let message =
                "holds for pull requests alone: set `delivery: pull-request`, or use mode `propose`";
            self.findings.add(self.place(&["environments", environment, "merge"]), message);
        }
        let place = self.place(&["environments", environment, "deadline"]);
        ReviewRules {
            merge: wire.merge.unwrap_or(usual.merge),
            deadline_secs: self.seconds(wire.deadline, usual.deadline_secs, place),
        }
    }

    fn budget(&mut self, environment: &str, wire: Option<&types::Budget>) -> Budget {
        let usual = Budget::default();
        let Some(wire) = wire else { return usual };
        let place = self.place(&["environments", environment, "budget", "window"]);
        Budget {
            max_reverts: wire.max_reverts.unwrap_or(usual.max_reverts),
            window_secs: self.seconds(wire.window, usual.window_secs, place),
            incident_services: wire.incident_services.unwrap_or(usual.incident_services),
        }
    }

    /// What holds for a service in an environment: what it says itself, else what the environment says, else the
    /// policy.
    fn service_rule(
        &mut self,
        service: &ResolvedService<'_>,
        environment: &types::Environment,
        named: &Named,
    ) -> ServiceRule {
        let wire = service.wire;
        let policy_name =
            wire.policy.as_ref().or(environment.policy.as_ref()).map_or("default", String::as_str);
        let known = named.policies.get(policy_name);
        if let Some(policy) = known {
            self.judgeable((policy_name, policy), &service.signals, service.signals_place);
        }
        let mut policy = known.cloned().unwrap_or_default();
        policy.mode = wire.mode.or(environment.mode).unwrap_or(policy.mode);
        ServiceRule {
            files: service.files.clone(),
            labels: wire.labels.clone().unwrap_or_default(),
            signals: service.signals.clone(),
            policy,
            depends_on: service.depends_on.clone(),
        }
    }

    fn service<'w>(
        &mut self,
        wire: &'w types::Service,
        node: &Node,
        config: &types::Config,
        named: &Named,
    ) -> Option<ResolvedService<'w>> {
        let files = self.files(wire, node)?;
        let mut labels: Vec<&str> = wire.labels.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let label_nodes = node.get("labels").map_or(&[][..], Node::entries);
        for entry in label_nodes {
            if !is_label(&entry.key) {
                self.findings.add(entry.key_place, "must be a name for templates: letters, digits and _");
            } else if matches!(entry.key.as_str(), "service" | "environment" | "image_tag") {
                let message = format!("`{}` is given to every query already: choose another name", entry.key);
                self.findings.add(entry.key_place, message);
            }
        }
        let shown = match &files {
            ServiceFiles::Named(name, _) => format!("the service `{name}`"),
            ServiceFiles::Pattern(pattern) => {
                labels.extend(pattern.names());
                format!("a service of the pattern `{pattern}`")
            }
        };
        let all = || config.signals.iter().flatten().map(|(name, _)| name.clone()).collect();
        let wanted: Vec<String> = wire.signals.clone().unwrap_or_else(all);
        let mut signals: Vec<Signal> = Vec::new();
        for (index, name) in wanted.iter().enumerate() {
            if wanted.iter().take(index).any(|before| before == name) {
                self.findings.add(node.place_of("signals"), format!("the signal `{name}` stands here twice"));
            } else {
                signals.extend(named.signals.get(name).cloned());
            }
        }
        self.variables(&signals, &shown, &labels);
        if let ServiceFiles::Pattern(pattern) = &files {
            self.tells_apart(&signals, pattern, wire.labels.as_ref());
        }
        let depends_on = self.depends_on(wire, node);
        let signals_place = node.place_of("signals");
        Some(ResolvedService { wire, place: node.place, signals_place, files, signals, depends_on })
    }

    /// Services that are found by a pattern are not known by name here, so any valid name is taken.
    fn depends_on(&mut self, wire: &types::Service, node: &Node) -> Vec<ServiceName> {
        let list = node.get("depends_on").map_or(&[][..], Node::items);
        let names = wire.depends_on.iter().flatten().zip(list);
        names.filter_map(|(name, item)| self.name(ServiceName::new(name.as_str()), item.place)).collect()
    }

    fn files(&mut self, wire: &types::Service, node: &Node) -> Option<ServiceFiles> {
        match (&wire.name, &wire.paths, &wire.pattern) {
            (Some(name), Some(globs), None) => {
                let list = node.get("paths");
                let places: Vec<Place> =
                    list.map_or(&[][..], Node::items).iter().map(|item| item.place).collect();
                if globs.is_empty() {
                    self.findings.add(node.place_of("paths"), "no path belongs to this service: name one");
                }
                let globs: PathGlobs = self.globs_at(globs, &places, node.place_of("paths"));
                let name = self.name(ServiceName::new(&**name), node.place_of("name"))?;
                Some(ServiceFiles::Named(name, globs))
            }
            (None, None, Some(pattern)) => self.pattern(pattern, node.place_of("pattern")),
            (Some(_), None, None) => {
                self.findings.add(node.place_of("name"), "a service with a `name` needs its `paths`");
                None
            }
            (None, Some(_), None) => {
                self.findings.add(node.place_of("paths"), "a service with `paths` needs its `name`");
                None
            }
            (None, None, None) => {
                self.findings.add(node.place, "a service needs a `name` and `paths`, or a `pattern`");
                None
            }
            (_, _, Some(_)) => {
                let message = "`pattern` does not go with `name` and `paths`: make two services of it";
                self.findings.add(node.place_of("pattern"), message);
                None
            }
        }
    }

    fn pattern(&mut self, text: &str, place: Place) -> Option<ServiceFiles> {
        let pattern = match PathPattern::new(text) {
            Ok(pattern) => pattern,
            Err(error) => {
                self.findings.add(place, format!("not a valid pattern: {error}"));
                return None;
            }
        };
        let names: Vec<&str> = pattern.names().collect();
        if !names.contains(&"service") {
            let near = names.iter().find(|name| suggestion(name, &["service"]).starts_with("did you mean"));
            let hint = near.map_or(String::new(), |near| format!(": did you mean it by `{{{near}}}`?"));
            self.findings
                .add(place, format!("must have `{{service}}` where the service's name stands{hint}"));
        }
        if names.contains(&"image_tag") {
            self.findings.add(place, "`image_tag` is given to every query already: choose another name");
        }
        if let Some(bad) = names.iter().find(|name| !is_label(name)) {
            self.findings
                .add(place, format!("`{{{bad}}}` must be letters, digits and _, not beginning with a digit"));
        }
        if text.starts_with('/') || text.starts_with("./") {
            self.findings
                .add(place, "matches nothing: paths begin at the root of the repository, without / or ./");
        }
        Some(ServiceFiles::Pattern(pattern))
    }

    /// A checked name, or a finding.
    pub(super) fn name<T>(&mut self, name: Result<T, InvalidName>, place: Place) -> Option<T> {
        name.map_err(|error| self.findings.add(place, error.to_string())).ok()
    }
}

fn same_name(a: &ServiceFiles, b: &ServiceFiles) -> bool {
    matches!((a, b), (ServiceFiles::Named(a, _), ServiceFiles::Named(b, _)) if a == b)
}
