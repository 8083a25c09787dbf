//! What judging comes to: a verdict, with its reasons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::{MISSING_AROUND, Style};
use crate::domain::ids::SignalName;
use crate::domain::time::Time;

/// What the evidence says about a deployment, or about one signal of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// Nothing got worse: the watch window has ended, or two thirds of it have shown so and it is watched on.
    Healthy,
    /// It got worse, and since the deployment.
    Regressed,
    /// It is bad, and was so before the deployment.
    Preexisting,
    /// The watch window has ended, or can never give an answer, and nothing can be said.
    Inconclusive(String),
    /// The watch window is still open and nothing is wrong so far.
    Pending,
}

impl Verdict {
    /// The verdict in one lower-case word, for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Regressed => "regressed",
            Self::Preexisting => "preexisting",
            Self::Inconclusive(_) => "inconclusive",
            Self::Pending => "pending",
        }
    }
}

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The verdict over all signals.
    pub verdict: Verdict,
    /// When the damage began; present when the verdict is `Regressed` or `Preexisting`.
    pub since: Option<Time>,
    /// Why, in one sentence for a person, with numbers.
    pub reason: String,
    /// What each signal says, in the order of the evidence.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Whether a signal is bad, and nobody can say since when.
    #[must_use]
    pub fn is_bad_since_unknown(&self) -> bool {
        let is_blind = |finding: &Finding| matches!(&finding.verdict, Verdict::Inconclusive(why) if why == MISSING_AROUND);
        matches!(self.verdict, Verdict::Inconclusive(_)) && self.findings.iter().any(is_blind)
    }
}

/// What one signal says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which signal.
    pub signal: SignalName,
    /// Whether its numbers are shares of 1, to be shown as percentages.
    pub percent: bool,
    /// What it says.
    pub verdict: Verdict,
    /// The typical value before the deployment, where there is one.
    pub before: Option<f64>,
    /// The typical value since the damage began, or since the deployment.
    pub after: Option<f64>,
    /// When the damage began.
    pub since: Option<Time>,
    /// The line beyond which a sample is bad, where there is one.
    #[serde(default)]
    pub line: Option<f64>,
    /// About how often a deployment that does no harm would look as bad by coincidence, 0 to 1, as far as the baseline shows
    /// what happens by itself. Only where the robust rule found something to weigh.
    #[serde(default)]
    pub coincidence: Option<f64>,
    /// Why, in one sentence for a person, with numbers.
    pub reason: String,
}

impl Finding {
    /// A value of the signal for people.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        Style { percent: self.percent }.number(value)
    }
}
