//! Services as they are written: which files are theirs, what they are called, and what is asked about them.

use std::collections::BTreeMap;

use super::context::Context;
use super::estates::repository_of;
use super::report::{Place, suggestion};
use super::rules::is_label;
use super::tree::Node;
use super::types;
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::overlap::{example_paths, finds};
use crate::domain::environment::pattern::{PathGlobs, PathPattern};
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::Signal;
use crate::domain::environment::{ServiceFiles, ServiceRule};
use crate::domain::field::entries::EntryPattern;
use crate::domain::ids::{EnvironmentName, GroupName, ServiceName};

/// What services refer to by name.
pub(super) struct Named {
    pub(super) signals: BTreeMap<String, Signal>,
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) automation: Vec<String>,
}

/// A service, its own mistakes told.
pub(super) struct ResolvedService<'w> {
    pub(super) wire: &'w types::Service,
    pub(super) place: Place,
    /// Where its `signals` stand, or else itself.
    pub(super) signals_place: Place,
    /// Its rule, with the policy that is the default.
    pub(super) rule: ServiceRule,
    /// What it is called in messages: the name or the pattern.
    pub(super) shown: String,
    /// The names of its labels.
    pub(super) labels: Vec<String>,
}

impl ResolvedService<'_> {
    pub(super) fn is_in(&self, environment: &str) -> bool {
        self.wire.environments.as_ref().is_none_or(|names| names.iter().any(|name| name == environment))
    }
}

impl Context<'_> {
    /// Reads one service.
    pub(super) fn service<'w>(
        &mut self,
        wire: &'w types::Service,
        node: &Node,
        config: &types::Config,
        named: &Named,
    ) -> Option<ResolvedService<'w>> {
        let each = self.each(wire, node);
        let files = self.files(wire, node)?;
        let captured = self.captured(&files, each.as_ref(), node);
        let name = self.name_template(wire, &files, &captured, node);
        let group = self.group(wire, &captured, node);
        self.label_names(node);
        let shown = match &files {
            ServiceFiles::Named(name, _) => format!("the service `{name}`"),
            ServiceFiles::Pattern(pattern) => format!("a service of the pattern `{pattern}`"),
            ServiceFiles::Shared(_) => {
                format!("a service of `each: {}`", wire.each.as_deref().unwrap_or_default())
            }
        };
        let mut labels: Vec<&str> = wire.labels.iter().flatten().map(|(name, _)| name.as_str()).collect();
        labels.extend(captured.iter().map(String::as_str));
        let signals = self.signals_of(wire, node, config, named);
        self.variables(&signals, &shown, &labels);
        if !matches!(files, ServiceFiles::Named(..)) {
            self.tells_apart(&signals, &shown, &captured, wire.labels.as_ref());
        }
        let exclude = self.globs_of(wire.exclude.as_deref(), node, "exclude");
        let depends_on = self.depends_on(wire, node);
        let rule = ServiceRule {
            exclude,
            each,
            name,
            group,
            labels: wire.labels.clone().unwrap_or_default(),
            signals,
            depends_on,
            ..ServiceRule::new(files)
        };
        let signals_place = node.place_of("signals");
        let labels = labels.into_iter().map(str::to_owned).collect();
        Some(ResolvedService { wire, place: node.place, signals_place, rule, shown, labels })
    }

    fn label_names(&mut self, node: &Node) {
        for entry in node.get("labels").map_or(&[][..], Node::entries) {
            if !is_label(&entry.key) {
                self.findings.add(entry.key_place, "must be a name for templates: letters, digits and _");
            } else if matches!(entry.key.as_str(), "service" | "environment" | "image_tag") {
                let message = format!("`{}` is given to every query already: choose another name", entry.key);
                self.findings.add(entry.key_place, message);
            }
        }
    }

    fn signals_of(
        &mut self,
        wire: &types::Service,
        node: &Node,
        config: &types::Config,
        named: &Named,
    ) -> Vec<Signal> {
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
        signals
    }

    /// Services that are found by a pattern are not known by name here, so any valid name is taken.
    fn depends_on(&mut self, wire: &types::Service, node: &Node) -> Vec<ServiceName> {
        let list = node.get("depends_on").map_or(&[][..], Node::items);
        let names = wire.depends_on.iter().flatten().zip(list);
        names.filter_map(|(name, item)| self.name(ServiceName::new(name.as_str()), item.place)).collect()
    }

    /// The globs of a key of the service.
    fn globs_of(&mut self, globs: Option<&[String]>, node: &Node, key: &str) -> PathGlobs {
        let list = node.get(key);
        let places: Vec<Place> = list.map_or(&[][..], Node::items).iter().map(|item| item.place).collect();
        self.globs_at(globs.unwrap_or_default(), &places, node.place_of(key))
    }

    fn each(&mut self, wire: &types::Service, node: &Node) -> Option<EntryPattern> {
        let text = wire.each.as_ref()?;
        match EntryPattern::new(text) {
            Ok(pattern) => Some(pattern),
            Err(problem) => {
                self.findings.add(node.place_of("each"), format!("not a valid address: {problem}"));
                None
            }
        }
    }

    fn files(&mut self, wire: &types::Service, node: &Node) -> Option<ServiceFiles> {
        match (&wire.name, &wire.paths, &wire.pattern) {
            (_, Some(globs), None) if globs.is_empty() => {
                self.findings.add(node.place_of("paths"), "no path belongs to this service: name one");
                None
            }
            (_, Some(globs), None) if wire.each.is_some() => {
                Some(ServiceFiles::Shared(self.globs_of(Some(globs), node, "paths")))
            }
            (Some(name), Some(globs), None) => {
                let globs = self.globs_of(Some(globs), node, "paths");
                let name = self.name(ServiceName::new(&**name), node.place_of("name"))?;
                Some(ServiceFiles::Named(name, globs))
            }
            (_, None, Some(pattern)) => self.pattern(pattern, node.place_of("pattern")),
            (Some(_), None, None) => {
                self.findings.add(node.place_of("name"), "a service with a `name` needs its `paths`");
                None
            }
            (None, Some(_), None) => {
                let message = "a service with `paths` needs its `name`, or says with `each` where in the file the services are";
                self.findings.add(node.place_of("paths"), message);
                None
            }
            (None, None, None) => {
                self.findings.add(node.place, "a service needs a `name` and `paths`, or a `pattern`");
                None
            }
            (_, Some(_), Some(_)) => {
                let message = "`pattern` does not go with `paths`: make two services of it";
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
        if text.starts_with('/') || text.starts_with("./") {
            self.findings
                .add(place, "matches nothing: paths begin at the root of the repository, without / or ./");
        }
        Some(ServiceFiles::Pattern(pattern))
    }

    /// The names of what is captured of a service: in its path, and then in the file.
    fn captured(&mut self, files: &ServiceFiles, each: Option<&EntryPattern>, node: &Node) -> Vec<String> {
        let of_path = match files {
            ServiceFiles::Pattern(pattern) => pattern.names().map(str::to_owned).collect(),
            ServiceFiles::Named(..) => return Vec::new(),
            ServiceFiles::Shared(_) => Vec::new(),
        };
        let of_file: Vec<String> =
            each.into_iter().flat_map(EntryPattern::names).map(str::to_owned).collect();
        let place = node.place_of(if of_path.is_empty() { "each" } else { "pattern" });
        let twice = of_path.iter().find(|name| of_file.contains(name));
        if let Some(name) = twice {
            let message =
                format!("`{{{name}}}` stands in `pattern` and in `each`: name one of them otherwise");
            self.findings.add(node.place_of("each"), message);
        }
        let names: Vec<String> = of_path.into_iter().chain(of_file).collect();
        if !names.iter().any(|name| name == "service") {
            let is_near = |name: &&String| suggestion(name, &["service"]).starts_with("did you mean");
            let hint = names.iter().find(is_near);
            let hint = hint.map_or(String::new(), |near| format!(": did you mean it by `{{{near}}}`?"));
            self.findings
                .add(place, format!("must have `{{service}}` where the service's name stands{hint}"));
        }
        if names.iter().any(|name| name == "image_tag") {
            self.findings.add(place, "`image_tag` is given to every query already: choose another name");
        }
        if let Some(bad) = names.iter().find(|name| !is_label(name)) {
            self.findings
                .add(place, format!("`{{{bad}}}` must be letters, digits and _, not beginning with a digit"));
        }
        names
    }

    /// What services are called that a pattern finds.
    fn name_template(
        &mut self,
        wire: &types::Service,
        files: &ServiceFiles,
        captured: &[String],
        node: &Node,
    ) -> Option<NameTemplate> {
        let text = wire.name.as_ref().filter(|_| !matches!(files, ServiceFiles::Named(..)))?;
        let place = node.place_of("name");
        let template = self.template_of(text, captured, place)?;
        if template.captures().next().is_none() {
            let message = "gives every service that is found the same name: write `{{ service }}` in it";
            self.findings.add(place, message);
        }
        Some(template)
    }

    /// The group that its services are in.
    fn group(&mut self, wire: &types::Service, captured: &[String], node: &Node) -> Option<NameTemplate> {
        let (text, place) = (wire.group.as_ref()?, node.place_of("group"));
        let template = self.template_of(text, captured, place)?;
        let example: Vec<(String, String)> =
            template.captures().map(|name| (name.to_owned(), "x".to_owned())).collect();
        let filled = template.fill(&example.iter().collect::<Vec<_>>()).unwrap_or_default();
        self.name(GroupName::new(filled), place)?;
        Some(template)
    }

    /// A template for what was captured.
    fn template_of(&mut self, text: &str, captured: &[String], place: Place) -> Option<NameTemplate> {
        let template = match NameTemplate::new(text) {
            Ok(template) => template,
            Err(error) => {
                self.findings.add(place, format!("not a valid template: {error}"));
                return None;
            }
        };
        let known: Vec<&str> =
            captured.iter().map(String::as_str).filter(|name| *name != "environment").collect();
        if let Some(unknown) = template.captures().find(|name| !known.contains(name)) {
            let message = format!("captures no `{unknown}`: {}", suggestion(unknown, &known));
            self.findings.add(place, message);
        }
        Some(template)
    }

    /// A rule of whose files all, or all of one path, belong to an earlier rule, would never be used.
    pub(super) fn shadowed(
        &mut self,
        service: &ResolvedService<'_>,
        earlier: &[&ResolvedService<'_>],
        environment: &str,
    ) {
        let same_name = |other: &&&ResolvedService<'_>| {
            matches!(
                (&other.rule.files, &service.rule.files),
                (ServiceFiles::Named(a, _), ServiceFiles::Named(b, _)) if a == b
            )
        };
        if let Some(other) = earlier.iter().find(same_name) {
            let message = format!(
                "a service of this name is already in the environment `{environment}`: {} ({}) gives it too. Keep one of \
                 the rules, with the paths of both",
                other.shown,
                other.place.show(self.files)
            );
            self.findings.add(service.place, message);
            return;
        }
        let Ok(environment) = EnvironmentName::new(environment) else { return };
        for (part, examples) in example_paths(&service.rule, &environment) {
            let takes_all = |other: &&&ResolvedService<'_>| {
                !examples.is_empty() && examples.iter().all(|path| finds(&other.rule, path, &environment))
            };
            if let Some(other) = earlier.iter().find(takes_all) {
                let message = format!(
                    "every file of `{part}` belongs to an earlier rule already, {} ({}): a file belongs to the first rule \
                     that finds it. Where the file holds several services, say with `each` where in it they are; else \
                     `exclude` it there",
                    other.shown,
                    other.place.show(self.files)
                );
                self.findings.add(service.place, message);
            }
        }
    }

    /// A service whose files would belong to two environments at once would be reverted in both.
    pub(super) fn overlaps(&mut self, config: &types::Config, services: &[ResolvedService<'_>]) {
        let environments: Vec<(&String, &types::Environment)> = config.environments.iter().collect();
        for (index, (a, first)) in environments.iter().enumerate() {
            for (b, second) in environments.iter().skip(index + 1) {
                let apart = repository_of(config, first) != repository_of(config, second)
                    || first.branch != second.branch
                    || (first.paths.is_some() && second.paths.is_some());
                let in_both = |service: &&ResolvedService<'_>| {
                    let named = |pattern: &PathPattern| pattern.names().any(|name| name == "environment");
                    let told =
                        matches!(&service.rule.files, ServiceFiles::Pattern(pattern) if named(pattern));
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
}
