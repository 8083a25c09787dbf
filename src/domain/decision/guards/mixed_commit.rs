//! The guard `mixed commit`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, MAX_TEXT, Situation};
use crate::domain::environment::policy::Mixed;
use crate::domain::text::one_line;

/// What the guard `mixed commit` looks at: what the commit changed besides release fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MixedCommitFacts {
    /// What goes back where a commit changed other things too.
    pub policy: Mixed,
    /// How many other places in the service's files the commit changed.
    pub others: usize,
    /// The first of these places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

impl Guard for MixedCommitFacts {
    const REASON: &'static str = "What else the commit changed may belong to the release. Who sets `mixed: manual` wants to see such a commit first.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let others = &case.deployment.left_behind;
        let first = others.first().map(|first| one_line(first, MAX_TEXT));
        Self { policy: case.policy.mixed, others: others.len(), first }
    }

    fn answer(&self) -> Option<Decision> {
        let first = self.first.as_ref().filter(|_| self.policy == Mixed::Manual)?;
        let more = if self.others > 1 { format!(" and {} more", self.others - 1) } else { String::new() };
        Some(Decision::Escalate(format!("the commit also changed {first}{more}")))
    }
}
