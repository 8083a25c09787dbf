//! From the configuration as it is written to the domain's types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::address::{Address, same_repository};
use super::context::Context;
use super::estates::{repository_of, written};
use super::report::Place;
use super::services::{Named, ResolvedService};
use super::settings::{EstateSettings, Settings};
use super::tree::Node;
use super::types;
use super::written::Written;
use crate::domain::environment::policy::{Budget, Delivery, Merge, ReviewRules};
use crate::domain::environment::{Environment, ServiceRule};
use crate::domain::ids::{BranchName, EnvironmentName, InvalidName, RepositoryName, SourceName};
use crate::record::keys::RecordKeys;

const INTERVAL_SECS: u32 = 60;

/// The shortest key of records, in bytes: what nobody can guess.
const MIN_KEY_BYTES: usize = 16;

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
        let named = Named {
            signals: self.signals(config),
            policies: self.policies(config),
            automation: config.automation.clone().unwrap_or_default(),
        };
        let nodes: Vec<&Node> = self.root.get("services").map_or(&[][..], Node::items).iter().collect();
        let services: Vec<ResolvedService<'_>> = config
            .services
            .iter()
            .zip(nodes)
            .filter_map(|(wire, node)| self.service(wire, node, config, &named))
            .collect();
        let orders = self.orders(config);
        let mut environments = Vec::new();
        for (name, wire) in &config.environments {
            let environment = self.environment(name, wire, &services, &named);
            let environment =
                environment.map(|environment| Environment { orders: orders.clone(), ..environment });
            environments.extend(repository_of(config, wire).zip(environment));
        }
        let estates = self.estates(config, &environments);
        self.overlaps(config, &services);
        let interval = config.run.as_ref().and_then(|run| run.interval);
        let interval_secs = self.seconds(interval, INTERVAL_SECS, self.place(&["run", "interval"]));
        let registries = self.registries(config);
        let cache_dir = estates.first().map(|estate| estate.repository.cache_dir.clone()).unwrap_or_default();
        let source_code = self.source_code(config, &cache_dir);
        let server = self.daemon_server(config.run.as_ref());
        let leases = self.leases(config.run.as_ref());
        let written = Written::new(self.root, self.files);
        let mut files: Vec<PathBuf> = self.files.iter().map(|file| file.path.clone()).collect();
        files.extend(self.named.borrow().iter().cloned());
        Settings {
            estates,
            sources,
            registries,
            source_code,
            interval_secs,
            server,
            leases,
            files,
            digest,
            written,
        }
    }

    /// All repositories with what belongs to them. `environments` have the names of their repositories beside them.
    fn estates(
        &mut self,
        config: &types::Config,
        environments: &[(&str, Environment)],
    ) -> Vec<EstateSettings> {
        let mut estates: Vec<EstateSettings> = Vec::new();
        let record_keys = self.record_keys(config);
        for estate in written(config) {
            let mut repository = self.repository(estate.repository, &estate.keys);
            repository.record_keys = record_keys.clone();
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
                path_on_server: Address::of(&repository.url).map(|address| address.path),
                name,
                repository,
                git_by_forge: matches!(estate.repository.auth, Some(types::GitAuth::Forge)),
                forge,
                environments: in_it.map(|(_, environment)| environment.clone()).collect(),
            });
        }
        estates
    }

    fn record_keys(&mut self, config: &types::Config) -> RecordKeys {
        let Some(wire) = &config.record else { return RecordKeys::default() };
        let indices: Vec<String> = (0..wire.old_keys.len()).map(|index| index.to_string()).collect();
        let old = wire
            .old_keys
            .iter()
            .zip(&indices)
            .map(|(secret, index)| (secret, vec!["record", "old_keys", index]));
        let mut keys = Vec::new();
        for (secret, place) in std::iter::once((&wire.key, vec!["record", "key"])).chain(old) {
            let key = self.secret(secret, &place);
            let length = key.expose_secret().len();
            // An empty one was told.
            if (1..MIN_KEY_BYTES).contains(&length) {
                let message = format!(
                    "the key has {length} bytes: take at least {MIN_KEY_BYTES}, such as of `openssl rand -hex 32`"
                );
                self.findings.add(self.place(&place), message);
            }
            keys.push(key);
        }
        RecordKeys::new(keys)
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
        let mut earlier: Vec<&ResolvedService<'_>> = Vec::new();
        for service in services {
            if !service.is_in(name) {
                continue;
            }
            self.shadowed(service, &earlier, name);
            earlier.push(service);
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
            freezes: self.freezes(name, wire),
            services: rules,
            dependencies: wire.dependencies.unwrap_or_default(),
            orders: BTreeMap::new(),
        })
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
            self.judgeable((policy_name, policy), &service.rule.signals, service.signals_place);
            self.pin_labels((policy_name, policy), &service.shown, &service.labels);
        }
        let mut policy = known.cloned().unwrap_or_default();
        policy.mode = wire.mode.or(environment.mode).unwrap_or(policy.mode);
        policy.automation.clone_from(&named.automation);
        ServiceRule { policy, ..service.rule.clone() }
    }

    /// A checked name, or a finding.
    pub(super) fn name<T>(&mut self, name: Result<T, InvalidName>, place: Place) -> Option<T> {
        name.map_err(|error| self.findings.add(place, error.to_string())).ok()
    }
}
