//! The guard `rollback`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::deployment::ChangeKind;
use crate::domain::ids::CommitId;

/// What the guard `rollback` looks at: whether the deployment itself goes back to something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackFacts {
    /// The earlier deployment that had replaced what this one brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<CommitId>,
    /// The commit that it says it takes back, where nobody can tell whether that is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says_it_takes_back: Option<CommitId>,
}

impl Guard for RollbackFacts {
    const REASON: &'static str =
        "Who went back did so for a reason. Taking that back would put out again what was taken away.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        match case.deployment.kind {
            ChangeKind::Release | ChangeKind::OwnRevert => Self::default(),
            ChangeKind::Rollback(of) => Self { takes_back: Some(of), ..Self::default() },
            ChangeKind::Unproven(of) => Self { says_it_takes_back: Some(of), ..Self::default() },
        }
    }

    fn answer(&self) -> Option<Decision> {
        if let Some(of) = self.takes_back {
            return Some(Decision::Escalate(format!(
                "it is itself a rollback: it brought back what {} had replaced, and taking it back would put that out again",
                of.short()
            )));
        }
        let of = self.says_it_takes_back?;
        Some(Decision::Escalate(format!(
            "its trailers say that it is a revert of {0}, and what {0} had changed is not in the history that can be read: taking \
             it back might put a bad version out again",
            of.short()
        )))
    }
}
