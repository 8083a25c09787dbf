//! The guard `cooldown`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::quarantined_by;
use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::ids::ServiceName;
use crate::domain::time::{Time, human_secs};

/// What the guard `cooldown` looks at: the last revert of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CooldownFacts {
    /// The service.
    pub service: ServiceName,
    /// How long after a revert the service is left alone, in seconds.
    pub cooldown_secs: u32,
    /// When the last revert of the service landed; none where there is none …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_at: Option<Time>,
    /// … and how long ago that was, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_ago_secs: Option<i64>,
    /// Whether the deployment brings back what a revert had backed out: then the guard `quarantine` has the say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_return: bool,
}

impl Guard for CooldownFacts {
    const REASON: &'static str = "After a revert people are at work on the service. A new version that is bad too is theirs to look at.";
    const OF_MEMBER: bool = true;
    const BY_TIME: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let service = &case.deployment.service;
        let of_service = situation.reverts.iter().filter(|entry| entry.service == *service);
        let last = of_service.map(|entry| entry.at).max();
        Self {
            service: service.clone(),
            cooldown_secs: case.policy.cooldown_secs,
            reverted_at: last,
            reverted_ago_secs: last.map(|at| situation.now.secs_since(at)),
            is_return: last.is_some() && !quarantined_by(case, situation).is_empty(),
        }
    }

    fn answer(&self) -> Option<Decision> {
        let (at, ago) = self.reverted_at.zip(self.reverted_ago_secs)?;
        let cooldown = i64::from(self.cooldown_secs);
        if ago >= cooldown || self.is_return {
            return None;
        }
        let (ago, until) = (human_secs(ago), at.plus_secs(cooldown));
        Some(Decision::Escalate(format!(
            "{} was reverted {ago} ago: until {until} no new version of it is reverted automatically (cooldown)",
            self.service
        )))
    }
}
