//! The guard `elsewhere`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::deployment::precedent::Precedent;

/// What the guard `elsewhere` looks at: whether a revert is asked for only because of another environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElsewhereFacts {
    /// What is known from there, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Box<Precedent>>,
}

impl Guard for ElsewhereFacts {
    const REASON: &'static str = "What did harm in another environment may do none here. Nothing here has shown that the version is bad: so a person says \
         whether it goes back.";

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        Self { known: case.known_only_elsewhere().cloned().map(Box::new) }
    }

    fn answer(&self) -> Option<Decision> {
        self.known.as_ref().map(|_| Decision::Propose)
    }
}
