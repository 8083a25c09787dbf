//! What is watched: environments, the services in them and the rules that hold for each.

pub mod layout;
pub mod pattern;
pub mod policy;
pub mod signal;

use std::collections::BTreeMap;

use crate::domain::environment::pattern::{PathGlobs, PathPattern};
use crate::domain::environment::policy::{Budget, Delivery, Policy, ReviewRules};
use crate::domain::environment::signal::Signal;
use crate::domain::ids::{BranchName, EnvironmentName, ServiceName};

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
    /// The services, first match wins.
    pub services: Vec<ServiceRule>,
}

/// Which files make a service, and what holds for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceRule {
    /// How its files are found.
    pub files: ServiceFiles,
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
    /// Every service that the pattern finds: `{service}` is its name, `{environment}` (where present) must be the
    /// environment's name, and any other capture becomes a label.
    Pattern(PathPattern),
}

/// A service as it was found through a path.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceMatch<'e> {
    /// Its name.
    pub name: ServiceName,
    /// Labels for signal queries: those of the rule and those captured.
    pub labels: BTreeMap<String, String>,
    /// The rule that found it.
    pub rule: &'e ServiceRule,
    /// That rule's place in [`Environment::services`].
    pub rule_index: usize,
}

impl Environment {
    /// The service that the file at `path` belongs to.
    #[must_use]
    pub fn service_of(&self, path: &str) -> Option<ServiceMatch<'_>> {
        if self.paths.as_ref().is_some_and(|globs| !globs.matches(path)) {
            return None;
        }
        let found = |(index, rule): (usize, &'_ ServiceRule)| {
            let (name, labels) = rule.matches(path, &self.name)?;
            Some((name, labels, index))
        };
        let (name, labels, rule_index) = self.services.iter().enumerate().find_map(found)?;
        Some(ServiceMatch { name, labels, rule: self.services.get(rule_index)?, rule_index })
    }

    /// Whether the file at `path` belongs to any service.
    #[must_use]
    pub fn tracks(&self, path: &str) -> bool {
        self.service_of(path).is_some()
    }
}

impl ServiceRule {
    fn matches(
        &self,
        path: &str,
        environment: &EnvironmentName,
    ) -> Option<(ServiceName, BTreeMap<String, String>)> {
        match &self.files {
            ServiceFiles::Named(name, globs) => {
                globs.matches(path).then(|| (name.clone(), self.labels.clone()))
            }
            ServiceFiles::Pattern(pattern) => {
                let mut captured = pattern.captures(path)?;
                if captured.remove("environment").is_some_and(|text| text != environment.as_str()) {
                    return None;
                }
                let name = ServiceName::new(captured.remove("service")?).ok()?;
                let mut labels = self.labels.clone();
                labels.extend(captured.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())));
                Some((name, labels))
            }
        }
    }
}
