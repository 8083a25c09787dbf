//! The guard `override`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::quarantined_by;
use crate::domain::decision::types::{Case, Decision, Guard, MAX_NAME, Situation};
use crate::domain::history::automation::is_automation;
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;

/// What the guard `override` looks at: whether a person has put back what was reverted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OverrideFacts {
    /// The name of the person who brings back what is in quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The last revert that backed it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revert: Option<CommitId>,
}

impl Guard for OverrideFacts {
    const REASON: &'static str = "A person who puts back what was reverted means it. It is judged like any deployment, and its revert is only proposed.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        let last = quarantined_by(case, situation).first().copied();
        match last.filter(|_| !is_automation(&own.author, &case.policy.automation)) {
            Some(last) => {
                Self { person: Some(one_line(&own.author.name, MAX_NAME)), last_revert: Some(last) }
            }
            None => Self::default(),
        }
    }

    fn answer(&self) -> Option<Decision> {
        self.person.as_ref().map(|_| Decision::Propose)
    }
}
