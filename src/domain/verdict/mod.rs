//! Judging: from evidence to a verdict with its reasons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::ids::SignalName;
use super::signal::SignalKind;
use super::time::Time;

/// What the evidence says about a deployment, or about one signal of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "why")]
pub enum Verdict {
    /// The watch window has ended and nothing got worse.
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

/// What one signal says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which signal.
    pub signal: SignalName,
    /// What it measures: how its numbers are shown.
    pub kind: SignalKind,
    /// What it says.
    pub verdict: Verdict,
    /// The typical value before the deployment, where there is one.
    pub before: Option<f64>,
    /// The typical value since the damage began, or since the deployment.
    pub after: Option<f64>,
    /// When the damage began.
    pub since: Option<Time>,
    /// Why, in one sentence for a person, with numbers.
    pub reason: String,
}

/// Judges a deployment by its evidence alone.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    Judgement {
        verdict: Verdict::Inconclusive("not built".to_owned()),
        since: None,
        reason: format!("{} signals", evidence.signals.len()),
        findings: Vec::new(),
    }
}

/// Whether the verdict rests on a robust rule whose seasonal windows were not asked for yet.
#[must_use]
pub fn needs_history(evidence: &Evidence) -> bool {
    evidence.signals.is_empty()
}
