//! What is watched: environments, the services in them and the rules that hold for each.

pub mod brakes;
pub mod found;
pub mod freeze;
pub mod key;
pub mod layout;
pub mod name_template;
pub mod overlap;
pub mod pattern;
pub mod pause;
pub mod pause_file;
pub mod pin_rules;
pub mod policy;
pub mod signal;
mod tools;

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::environment::freeze::Freeze;
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::pattern::{PathGlobs, PathPattern};
use crate::domain::environment::policy::{Budget, Declared, Delivery, Policy, ReviewRules};
use crate::domain::environment::signal::Signal;
use crate::domain::field::entries::EntryPattern;
use crate::domain::ids::{BranchName, EnvironmentName, GroupName, ServiceName};

/// One branch of the repository (and perhaps some paths of it), with all that is deployed there.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The branch that holds it.
    pub branch: BranchName,
    /// The paths that belong to it; `None` means the whole branch.
    pub paths: Option<PathGlobs>,
    /// How reverts reach the branch.
    pub delivery: Delivery,
    /// What holds for pull requests.
    pub review: ReviewRules,
    /// The bounds on reverts.
    pub budget: Budget,
    /// When the agent only proposes.
    pub freezes: Vec<Freeze>,
    /// The services, first match wins.
    pub services: Vec<ServiceRule>,
    /// Whether the rules name every dependency between services.
    pub dependencies: Declared,
    /// The groups whose services go back one after another.
    pub orders: BTreeMap<GroupName, GroupOrder>,
}

/// How the services of a group go back one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOrder {
    /// The services in the order in which they are deployed. One that is not named counts as deployed last.
    pub deployed: Vec<ServiceName>,
    /// How long each waits after the one before it has landed, in seconds.
    pub wait_secs: u32,
}

impl GroupOrder {
    /// These services in the order in which they go back: what was deployed last goes first. Those that are not named go by their names.
    #[must_use]
    pub fn going_back(&self, services: impl Iterator<Item = ServiceName>) -> Vec<ServiceName> {
        let place = |service: &ServiceName| {
            self.deployed.iter().position(|one| one == service).unwrap_or(self.deployed.len())
        };
        let mut services: Vec<ServiceName> = services.collect();
        services.sort_by(|a, b| place(b).cmp(&place(a)).then_with(|| a.cmp(b)));
        services
    }
}

/// Which files make a service, and what holds for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRule {
    /// How its files are found.
    pub files: ServiceFiles,
    /// Files that are found so and do not belong to the rule.
    pub exclude: PathGlobs,
    /// Where in a file the services are, for files that hold several. Without it a file belongs to one service.
    pub each: Option<EntryPattern>,
    /// What a service is called. Without it: by all that was captured, `{environment}` left out, joined with `/`.
    pub name: Option<NameTemplate>,
    /// The group that its services are in, which go back together. None where each goes back alone.
    pub group: Option<NameTemplate>,
    /// Labels for signal queries (`namespace` and any other).
    pub labels: BTreeMap<String, String>,
    /// What is asked about it.
    pub signals: Vec<Signal>,
    /// What the agent may do about it, in this environment.
    pub policy: Policy,
    /// The services that it calls.
    pub depends_on: Vec<ServiceName>,
}

/// How the files of a service are found.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceFiles {
    /// One service, named, with its paths.
    Named(ServiceName, PathGlobs),
    /// Every service that the pattern finds. `{environment}` (where present) must be the environment's name. All other
    /// captures together name the service, and each is a label for its queries.
    Pattern(PathPattern),
    /// Files that hold several services, by their paths. [`ServiceRule::each`] names them.
    Shared(PathGlobs),
}

/// A file that belongs to a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleMatch<'e, 'p> {
    /// The rule.
    pub rule: &'e ServiceRule,
    /// Its place in [`Environment::services`].
    pub rule_index: usize,
    /// The path as far as the pattern captures anything: where the service is. Empty for rules without a pattern.
    pub root: &'p str,
    /// What the path captured, in its order.
    captured: Vec<(String, String)>,
}

/// A service as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceMatch<'e> {
    /// Its name.
    pub name: ServiceName,
    /// The group that it is in.
    pub group: Option<GroupName>,
    /// Labels for signal queries: those of the rule and those captured.
    pub labels: BTreeMap<String, String>,
    /// The rule that found it.
    pub rule: &'e ServiceRule,
    /// That rule's place in [`Environment::services`].
    pub rule_index: usize,
}

impl Environment {
    /// An environment that is a whole branch, with nothing else said of it.
    #[must_use]
    pub fn new(name: EnvironmentName, branch: BranchName, services: Vec<ServiceRule>) -> Self {
        Self {
            name,
            branch,
            paths: None,
            delivery: Delivery::default(),
            review: ReviewRules::default(),
            budget: Budget::default(),
            freezes: Vec::new(),
            services,
            dependencies: Declared::default(),
            orders: BTreeMap::new(),
        }
    }

    /// The rule that the file at `path` belongs to: the first that matches. Of files of CI and tools, and of texts for people, the first
    /// that names them.
    #[must_use]
    pub fn rule_of<'e, 'p>(&'e self, path: &'p str) -> Option<RuleMatch<'e, 'p>> {
        if self.paths.as_ref().is_some_and(|globs| !globs.matches(path)) {
            return None;
        }
        let tool = tools::mark_of(path);
        self.services.iter().enumerate().find_map(|(rule_index, rule)| {
            if tool.is_some_and(|mark| !rule.names(mark)) {
                return None;
            }
            let (captured, root) = rule.captures(path, &self.name)?;
            Some(RuleMatch { rule, rule_index, root, captured })
        })
    }

    /// The service that the whole file at `path` belongs to.
    #[must_use]
    pub fn service_of(&self, path: &str) -> Option<ServiceMatch<'_>> {
        let found = self.rule_of(path)?;
        if found.rule.each.is_some() { None } else { found.service(&[]) }
    }
}

impl<'e> RuleMatch<'e, '_> {
    /// The service with these captures from within the file. None where they do not make a valid name.
    #[must_use]
    pub fn service(&self, within: &[(String, String)]) -> Option<ServiceMatch<'e>> {
        let captured = || self.captured.iter().chain(within);
        let name = match (&self.rule.files, &self.rule.name) {
            (ServiceFiles::Named(name, _), _) => name.clone(),
            (_, Some(template)) => ServiceName::new(template.fill(&captured().collect::<Vec<_>>())?).ok()?,
            (_, None) => {
                let parts: Vec<&str> = captured().map(|(_, text)| text.as_str()).collect();
                ServiceName::new(parts.join("/")).ok()?
            }
        };
        let group = self.group(within);
        let mut labels = self.rule.labels.clone();
        labels.extend(captured().cloned());
        Some(ServiceMatch { name, group, labels, rule: self.rule, rule_index: self.rule_index })
    }

    /// The group of the service with these captures from within the file.
    #[must_use]
    pub fn group(&self, within: &[(String, String)]) -> Option<GroupName> {
        let captured: Vec<&(String, String)> = self.captured.iter().chain(within).collect();
        group_name(self.rule.group.as_ref()?, &captured)
    }
}

/// The name of a group with what was captured. A character that no name may have stands in it as `_`: services that belong together must
/// not go back one by one because of such a character.
fn group_name(group: &NameTemplate, captured: &[&(String, String)]) -> Option<GroupName> {
    let filled = group.fill(captured)?;
    GroupName::new(filled.clone()).ok().or_else(|| {
        let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
        GroupName::new(format!("_{}", filled.chars().map(plain).take(50).collect::<String>())).ok()
    })
}

impl fmt::Display for ServiceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.files {
            ServiceFiles::Named(name, _) => write!(f, "name {name}"),
            ServiceFiles::Pattern(pattern) => write!(f, "pattern {pattern}"),
            ServiceFiles::Shared(globs) => {
                write!(f, "paths {}", globs.texts().collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl ServiceRule {
    /// A rule that finds services so, with nothing else said of them.
    #[must_use]
    pub fn new(files: ServiceFiles) -> Self {
        Self {
            files,
            exclude: PathGlobs::default(),
            each: None,
            name: None,
            group: None,
            labels: BTreeMap::new(),
            signals: Vec::new(),
            policy: Policy::default(),
            depends_on: Vec::new(),
        }
    }

    /// Whether the paths that it gives have a piece of a path in them.
    fn names(&self, piece: &str) -> bool {
        match &self.files {
            ServiceFiles::Pattern(pattern) => pattern.to_string().contains(piece),
            ServiceFiles::Named(_, globs) | ServiceFiles::Shared(globs) => {
                globs.texts().any(|text| text.contains(piece))
            }
        }
    }

    /// Whether the path of a file alone says what its service is called: by the captures, joined.
    #[must_use]
    pub fn is_named_by_its_path(&self) -> bool {
        self.each.is_none() && self.name.is_none()
    }

    /// What a path captures that belongs to the rule, in its order, and the path as far as it does.
    pub(in crate::domain::environment) fn captures<'p>(
        &self,
        path: &'p str,
        environment: &EnvironmentName,
    ) -> Option<(Vec<(String, String)>, &'p str)> {
        let (captured, root) = match &self.files {
            ServiceFiles::Named(_, globs) | ServiceFiles::Shared(globs) => {
                (globs.matches(path).then(Vec::new)?, "")
            }
            ServiceFiles::Pattern(pattern) => pattern.captures(path)?,
        };
        if self.exclude.matches(path) {
            return None;
        }
        let is_here = |(name, text): &(&str, &str)| *name != "environment" || *text == environment.as_str();
        if !captured.iter().all(is_here) {
            return None;
        }
        let others = captured.into_iter().filter(|(name, _)| *name != "environment");
        Some((others.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(), root))
    }
}
