//! The guard `artifact`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::artifact::PassedOver;
use crate::domain::decision::types::{Case, Decision, Guard, MAX_TEXT, Situation};
use crate::domain::deployment::lineage::Goal;
use crate::domain::text::one_line;

/// What the guard `artifact` looks at: whether what the earlier states ran can be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactFacts {
    /// The states that cannot run again, newest first, with what each misses, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
    /// Whether no good state is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub none_left: bool,
}

/// The most states that are kept.
const MAX_KEPT: usize = 10;

impl Guard for ArtifactFacts {
    const REASON: &'static str = "What an earlier state ran must still be there, and must be the same, or it cannot run again. Where that is not so of \
         a good state, the revert leads to an older one.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let passed_over = case.artifacts.map_or(&[][..], |artifacts| artifacts.passed_over.as_slice());
        let kept = |one: &PassedOver| PassedOver { state: one.state, why: one_line(&one.why, MAX_TEXT) };
        Self {
            passed_over: passed_over.iter().take(MAX_KEPT).map(kept).collect(),
            none_left: matches!(case.goal, Some(Goal::NoneGood(_))),
        }
    }

    fn answer(&self) -> Option<Decision> {
        (self.none_left && !self.passed_over.is_empty()).then(|| {
            let each: Vec<&str> = self.passed_over.iter().map(|one| one.why.as_str()).collect();
            Decision::Escalate(format!("no good state is left that can run again: {}", each.join("; ")))
        })
    }
}
