//! What the labels of series hold: names in the configuration, and words of the program.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::{EnvironmentName, RepositoryName, SourceName};

/// How a pass over a repository ends.
pub(super) const ENDS: [&str; 3] = ["good", "problems", "failed"];

/// What a deployment that is judged for good is found to be.
pub(super) const VERDICTS: [&str; 5] = ["healthy", "regressed", "preexisting", "inconclusive", "pending"];

/// What is decided about one.
pub(super) const DECISIONS: [&str; 5] = ["revert", "propose", "pass", "hold", "escalate"];

/// What becomes of a revert.
pub(super) const REVERTS: [&str; 9] =
    ["pushed", "proposed", "merged", "superseded", "declined", "stuck", "refused", "not-restored", "overdue"];

/// What a revert does.
pub(super) const RECOVERIES: [&str; 5] = ["recovered", "not-recovered", "replaced", "unknown", "gone"];

/// What becomes of a request to a metric source.
pub(super) const ANSWERS: [&str; 3] = ["answered", "unavailable", "refused"];

/// What becomes of a webhook.
pub(super) const HOOKS: [&str; 7] =
    ["woke", "ignored", "unproven", "unreadable", "too-many", "too-large", "too-slow"];

/// What a user waits for.
pub(super) const STEPS: [&str; 4] =
    ["landed_to_detected", "landed_to_committed", "committed_to_merged", "reverted_to_recovered"];

/// The names in a configuration of which something is counted.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The repositories, each with its environments.
    pub repositories: BTreeMap<RepositoryName, Vec<EnvironmentName>>,
    /// The environments.
    pub environments: BTreeSet<EnvironmentName>,
    /// The metric sources.
    pub sources: BTreeSet<SourceName>,
    /// The webhooks.
    pub hooks: BTreeSet<String>,
}

impl Names {
    /// Those that are not among `others`.
    pub(super) fn without(&self, others: &Self) -> Self {
        Self {
            repositories: (self.repositories.iter())
                .filter(|(name, _)| !others.repositories.contains_key(*name))
                .map(|(name, environments)| (name.clone(), environments.clone()))
                .collect(),
            environments: self.environments.difference(&others.environments).cloned().collect(),
            sources: self.sources.difference(&others.sources).cloned().collect(),
            hooks: self.hooks.difference(&others.hooks).cloned().collect(),
        }
    }
}
