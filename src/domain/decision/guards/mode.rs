//! The guard `mode`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::environment::policy::Mode;

/// What the guard `mode` looks at: what the agent may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModeFacts {
    /// What it may do.
    pub mode: Mode,
}

impl Guard for ModeFacts {
    const REASON: &'static str = "A person says what the agent may do. It is asked late, so that the other guards tell what they would have said.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        Self { mode: case.policy.mode }
    }

    fn answer(&self) -> Option<Decision> {
        match self.mode {
            Mode::Observe => Some(Decision::Hold("mode observe: it would be reverted".to_owned())),
            Mode::Propose => Some(Decision::Propose),
            // The guard `trust` says whether it is earned.
            Mode::Earn | Mode::Auto => None,
        }
    }
}
