//! The guard `earlier revert`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;

/// What the guard `earlier revert` looks at: the last revert of the agent in the environment that did not help, and that no
/// person has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierRevertFacts {
    /// How long such a revert stops the agent, in seconds: the window of the budget.
    pub window_secs: u32,
    /// That revert, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_vain: Option<RevertInVain>,
    /// Whether this is the fallback after a revert that did not help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fallback: bool,
}

/// A revert that did not help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevertInVain {
    /// Its commit.
    pub revert: CommitId,
    /// The service.
    pub service: ServiceName,
    /// When it landed.
    pub at: Time,
    /// How long ago that was, in seconds.
    pub ago_secs: i64,
}

impl Guard for EarlierRevertFacts {
    const REASON: &'static str = "After a revert that did not help, the cause lies elsewhere: further ones would hit good releases. A fallback is the one \
         further step that the configuration allows.";

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let last = situation.in_vain.iter().max_by_key(|entry| entry.at);
        let in_vain = |entry: &RevertEntry| RevertInVain {
            revert: entry.commit,
            service: entry.service.clone(),
            at: entry.at,
            ago_secs: situation.now.secs_since(entry.at),
        };
        Self {
            window_secs: situation.budget.window_secs,
            in_vain: last.map(in_vain),
            is_fallback: case.is_fallback,
        }
    }

    fn answer(&self) -> Option<Decision> {
        let window = i64::from(self.window_secs);
        let last = self.in_vain.as_ref().filter(|last| last.ago_secs < window)?;
        if self.is_fallback {
            return None;
        }
        let until = last.at.plus_secs(window);
        Some(Decision::Escalate(format!(
            "the revert {} of {} did not help: no other deployment is reverted automatically until {until}, or until a person \
             has deployed or reverted {}",
            last.revert.short(),
            last.service,
            last.service
        )))
    }
}
