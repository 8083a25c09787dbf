//! The guard `already reverted`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::ids::CommitId;

/// What the guard `already reverted` looks at: the revert on the branch that took the deployment back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlreadyRevertedFacts {
    /// The revert, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<CommitId>,
    /// The deployment of the same service that the revert is of, where the revert only takes this one back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_of: Option<CommitId>,
}

impl Guard for AlreadyRevertedFacts {
    const REASON: &'static str =
        "A deployment goes back once. A second revert would find other values, or put the bad ones back.";
    const IN_TURN: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        let entry = situation.reverts.iter().find(|entry| own.was_taken_back_by(entry));
        let revert_of = entry.filter(|entry| entry.id != own.id).map(|entry| entry.reverts);
        Self { revert: entry.map(|entry| entry.commit), revert_of }
    }

    fn answer(&self) -> Option<Decision> {
        let revert = self.revert?;
        // The revert of the other one may still wait on a branch of its own.
        Some(match self.revert_of {
            None => Decision::Pass(format!("already reverted by {}", revert.short())),
            Some(other) => Decision::Hold(format!(
                "it goes back with {}, another deployment of the same service",
                other.short()
            )),
        })
    }
}
