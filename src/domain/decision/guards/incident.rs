//! The guard `incident`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Budget;
use crate::domain::ids::{CommitId, ServiceName};

/// The most services of an incident that are named in its message.
const MAX_NAMED: usize = 20;

/// What the guard `incident` looks at: what is red at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentFacts {
    /// How many services are red, this one included.
    pub services: usize,
    /// How many releases made them so: one release in several clusters is one cause.
    pub releases: usize,
    /// The first of these services, at most twenty.
    pub named: Vec<ServiceName>,
    /// From how many services on it is an incident.
    pub incident_services: u32,
}

impl IncidentFacts {
    fn of<'d>(red: impl Iterator<Item = &'d Deployment>, budget: Budget) -> Self {
        let red: Vec<&Deployment> = red.collect();
        let services: BTreeSet<&ServiceName> = red.iter().map(|one| &one.service).collect();
        let releases: BTreeSet<_> = red.iter().map(|one| release(one)).collect();
        Self {
            services: services.len(),
            releases: releases.len(),
            named: services.into_iter().take(MAX_NAMED).cloned().collect(),
            incident_services: budget.incident_services,
        }
    }

    fn is_incident(&self) -> bool {
        let limit = usize::try_from(self.incident_services).unwrap_or(usize::MAX).max(2);
        self.services.min(self.releases) >= limit
    }
}

/// Whether there are so many services red at once, by these deployments, that it is an incident.
#[must_use]
pub fn is_incident<'d>(red: impl Iterator<Item = &'d Deployment>, budget: Budget) -> bool {
    IncidentFacts::of(red, budget).is_incident()
}

/// What is one release: the same versions of what is called the same, by one commit, and all that a commit deployed of a group. One
/// service in several clusters is several services, and one bad release of it is one cause.
fn release(deployment: &Deployment) -> (&str, CommitId, BTreeSet<String>) {
    if let Some(group) = &deployment.group {
        return (group.as_str(), deployment.commit, BTreeSet::new());
    }
    let name = deployment.labels.get("service").map_or(deployment.service.as_str(), String::as_str);
    (name, deployment.commit, deployment.trailer_values())
}

impl Guard for IncidentFacts {
    const REASON: &'static str =
        "Many services that are red at once have one cause, and that is hardly each one's last deployment.";

    fn collect(_: &Case<'_>, situation: &Situation<'_>) -> Self {
        let now = situation.regressed.iter().map(|case| case.deployment);
        Self::of(now.chain(situation.red_before), situation.budget)
    }

    fn answer(&self) -> Option<Decision> {
        if !self.is_incident() {
            return None;
        }
        let some: Vec<&str> = self.named.iter().map(ServiceName::as_str).collect();
        let more = self.services.saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(Decision::Escalate(format!(
            "{} services are red at once ({}{more}): one incident",
            self.services,
            some.join(", ")
        )))
    }
}
