//! The guard `paused`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, MAX_TEXT, Situation};
use crate::domain::text::one_line;

/// What the guard `paused` looks at: whether a person has paused the environment or the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PausedFacts {
    /// Until when, by whom and why it is paused, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
}

impl Guard for PausedFacts {
    const REASON: &'static str = "A person has said that the agent makes no revert for a while. It is asked late, so that what is left to people anyway is told \
         to them.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let words = situation.brakes.paused(&case.deployment.service);
        Self { paused: words.map(|words| one_line(&words, MAX_TEXT)) }
    }

    fn answer(&self) -> Option<Decision> {
        self.paused.clone().map(Decision::Hold)
    }
}
