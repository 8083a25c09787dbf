//! What a guard said, as it is shown and recorded, and whether it says the same again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guards::Facts;
use super::types::{Decision, Turn};

/// What a guard said, with the facts from which it said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AnswerForm", into = "AnswerForm")]
#[schemars(with = "AnswerForm")]
pub struct GuardAnswer {
    /// Which guard.
    pub guard: String,
    /// The facts that it looked at; none in records of versions that did not keep them.
    pub facts: Option<Facts>,
    /// What it decided; none where it had nothing against a revert.
    pub decision: Option<Decision>,
}

/// What comes out when a guard is asked again with the facts that were recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// What was recorded.
    Same,
    /// Something else: this.
    Other(Option<Decision>),
    /// Nobody can tell: the facts were not recorded, or in a form that this version does not know.
    NoFacts,
}

impl GuardAnswer {
    /// What a guard says to these facts.
    #[must_use]
    pub fn to(facts: Facts) -> Self {
        Self { guard: facts.guard().to_owned(), decision: facts.answer(), facts: Some(facts) }
    }

    /// What was said without facts that were kept.
    #[must_use]
    pub fn without_facts(guard: &str, decision: Option<Decision>) -> Self {
        Self { guard: guard.to_owned(), facts: None, decision }
    }

    /// The place of the service in a group that goes back one service after another; none of another guard than `group`.
    #[must_use]
    pub fn turn(&self) -> Option<&Turn> {
        self.facts.as_ref()?.turn()
    }

    /// Whether it was asked about a revert that is proposed because of another environment, while nothing can be said here yet.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.facts.as_ref().is_some_and(Facts::is_early)
    }

    /// Asks the guard again with the facts that were recorded.
    #[must_use]
    pub fn replayed(&self) -> Replay {
        let Some(facts) = &self.facts else { return Replay::NoFacts };
        let again = facts.answer();
        if again == self.decision { Replay::Same } else { Replay::Other(again) }
    }
}

/// What a guard said.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "GuardAnswer")]
enum AnswerForm {
    /// With the facts that it looked at.
    WithFacts {
        /// The guard and its facts.
        #[serde(flatten)]
        facts: Facts,
        /// What it decided. Left out where it had nothing against a revert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Decision>,
    },
    /// Without.
    Alone {
        /// Which guard.
        guard: String,
        /// What it decided. Left out where it had nothing against a revert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Decision>,
    },
}

impl From<AnswerForm> for GuardAnswer {
    fn from(form: AnswerForm) -> Self {
        match form {
            AnswerForm::WithFacts { facts, decision } => {
                Self { guard: facts.guard().to_owned(), facts: Some(facts), decision }
            }
            AnswerForm::Alone { guard, decision } => Self { guard, facts: None, decision },
        }
    }
}

impl From<GuardAnswer> for AnswerForm {
    fn from(answer: GuardAnswer) -> Self {
        let GuardAnswer { guard, facts, decision } = answer;
        match facts {
            Some(facts) => Self::WithFacts { facts, decision },
            None => Self::Alone { guard, decision },
        }
    }
}
