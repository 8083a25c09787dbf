//! The guard `landing`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::{is_open, may_be_of};
use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::ids::CommitId;
use crate::domain::time::Time;

/// What the guard `landing` looks at: whether the deployment landed before the damage began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LandingFacts {
    /// When the damage began and between which times the deployment landed, where it may have landed before or after that and
    /// nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenLanding>,
    /// The deployment of the same service whose damage it may be as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_be_of: Option<CommitId>,
    /// Whether it is blamed only because a record says when it landed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_record_alone: bool,
}

/// Damage that may have begun before a deployment landed, or after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenLanding {
    /// When the damage began.
    pub since: Time,
    /// The deployment landed not before this …
    pub earliest: Time,
    /// … and not after this.
    pub latest: Time,
}

impl Guard for LandingFacts {
    const REASON: &'static str = "Nothing is blamed for damage that may have begun before it landed, without a person. Nor is it on the word of a record \
         alone: who may push notes can write one.";

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let landing = case.deployment.landing;
        let since = case.judgement.since.filter(|_| is_open(case));
        Self {
            open: since.map(|since| OpenLanding {
                since,
                earliest: landing.earliest,
                latest: landing.latest,
            }),
            may_be_of: may_be_of(case, situation.watched).map(|other| other.commit),
            by_record_alone: case.told,
        }
    }

    fn answer(&self) -> Option<Decision> {
        (self.open.is_some() || self.may_be_of.is_some() || self.by_record_alone).then_some(Decision::Propose)
    }
}
