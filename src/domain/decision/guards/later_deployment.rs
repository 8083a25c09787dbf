//! The guard `later deployment`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::ids::CommitId;
use crate::domain::judge::verdict::Verdict;

/// What the guard `later deployment` looks at: the newest deployment of the service that landed after this one and before the
/// damage began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaterDeploymentFacts {
    /// That deployment, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<LaterOne>,
}

/// A deployment of the same service that landed later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaterOne {
    /// Its commit.
    pub commit: CommitId,
    /// Whether it is not judged yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_pending: bool,
    /// Whether it was found bad, or was reverted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_blamed: bool,
}

impl Guard for LaterDeploymentFacts {
    const REASON: &'static str = "Several deployments of a service are watched at once. The damage is that of the latest before it began, whatever is known \
         of that one so far.";
    const BY_TIME: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        let since = case.judgement.since.unwrap_or(own.at);
        let newer = situation.watched.iter().rev().take_while(|other| other.commit != own.commit);
        let mut before_damage = newer.filter(|other| other.service == own.service && other.at <= since);
        let later = before_damage.next().map(|later| {
            let is_later = |other: &&Case<'_>| {
                other.deployment.commit == later.commit && other.deployment.service == own.service
            };
            let is_pending =
                |other: &Case<'_>| is_later(&other) && other.judgement.verdict == Verdict::Pending;
            LaterOne {
                commit: later.commit,
                is_pending: situation.open.iter().any(is_pending),
                is_blamed: situation.regressed.iter().any(|other| is_later(&other))
                    || situation.reverts.iter().any(|entry| later.was_taken_back_by(entry)),
            }
        });
        Self { later }
    }

    fn answer(&self) -> Option<Decision> {
        let later = self.later.as_ref()?;
        if later.is_pending {
            return Some(Decision::Wait);
        }
        let commit = later.commit.short();
        let why = format!("the damage began after {commit}, a later deployment of the same service");
        Some(if later.is_blamed {
            Decision::Hold(why)
        } else {
            Decision::Escalate(format!("{why}, which was not found bad"))
        })
    }
}
