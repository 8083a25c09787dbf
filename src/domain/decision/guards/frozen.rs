//! The guard `frozen`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::environment::freeze::Frozen;

/// What the guard `frozen` looks at: whether a freeze window is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrozenFacts {
    /// Until when the environment is frozen, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
}

impl Guard for FrozenFacts {
    const REASON: &'static str =
        "In a freeze window nothing is pushed to the environment without a person: the agent proposes.";
    const IN_TURN: bool = true;

    fn collect(_: &Case<'_>, situation: &Situation<'_>) -> Self {
        Self { frozen: situation.brakes.frozen.clone() }
    }

    fn answer(&self) -> Option<Decision> {
        self.frozen.is_some().then_some(Decision::Propose)
    }
}
