//! The guard `trust`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::deployment::trust::Trust;
use crate::domain::environment::policy::Mode;

/// What the guard `trust` looks at: whether people have accepted enough reverts of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustFacts {
    /// What people did with the reverts before; none where the mode is not `earn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
}

impl Guard for TrustFacts {
    const REASON: &'static str =
        "People see the agent's reverts of a service before it makes them by itself.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        if case.policy.mode != Mode::Earn {
            return Self::default();
        }
        let unknown = || Trust { accepted: 0, needed: case.policy.earn_after, last_no: None };
        Self { trust: Some(case.trust.cloned().unwrap_or_else(unknown)) }
    }

    fn answer(&self) -> Option<Decision> {
        self.trust.as_ref().filter(|trust| !trust.is_earned()).map(|_| Decision::Propose)
    }

    fn doubt(&self) -> Option<String> {
        self.trust.as_ref().map(|trust| format!("mode earn: {}", trust.line()))
    }
}
