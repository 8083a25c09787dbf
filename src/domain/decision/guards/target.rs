//! The guard `target`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::deployment::lineage::{Earlier, Goal};
use crate::domain::ids::CommitId;

/// What the guard `target` looks at: where the revert leads. All of it is empty where that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetFacts {
    /// How many states back a revert may go.
    pub targets: u32,
    /// How many deployments go back to reach a good state, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<usize>,
    /// The commit on top of it that went back with something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<CommitId>,
    /// The states within reach, newest first, each in words, where none of them is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_good: Option<Vec<String>>,
}

impl Guard for TargetFacts {
    const REASON: &'static str =
        "A revert leads to a state that the service ran and that was good, or it is not made.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let none = Self { targets: case.policy.targets, takes_back: None, under: None, none_good: None };
        match case.goal {
            None | Some(Goal::TakenBack(_)) => none,
            Some(Goal::Undo(changes, _)) => Self { takes_back: Some(changes.len()), ..none },
            Some(Goal::Under(back)) => Self { under: Some(*back), ..none },
            Some(Goal::NoneGood(reached)) => {
                Self { none_good: Some(reached.iter().map(Earlier::line).collect()), ..none }
            }
        }
    }

    fn answer(&self) -> Option<Decision> {
        if let Some(back) = self.under {
            return Some(Decision::Escalate(format!(
                "{} came after it and took something else back, or a part of it: the state before would put that out again",
                back.short()
            )));
        }
        let each = self.none_good.as_ref()?;
        let each = if each.is_empty() { "none".to_owned() } else { each.join("; ") };
        Some(Decision::Escalate(format!(
            "no earlier state within reach is known to be good (`targets: {}`): each is in quarantine, was found \
             bad or ran too briefly ({each})",
            self.targets
        )))
    }
}
