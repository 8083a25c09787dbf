//! Judging: from evidence to a verdict with its reasons.
//!
//! Each signal is judged alone, by its rule (`streak` for the rules with a line that stands still, `robust` for
//! the one that draws its own); one that regressed is held against services that were not deployed (`controls`);
//! `overall` makes one verdict of all. `frame` says which samples count for what.

mod assessment;
mod controls;
mod frame;
mod overall;
mod robust;
mod streak;
mod words;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::assessment::{Assessment, State};
use self::frame::{Frame, Split};
use self::overall::Weighted;
use self::robust::Context;
use self::robust::orient::is_ratio;
use self::words::Style;
use super::evidence::{Evidence, Found, SignalEvidence};
use super::ids::SignalName;
use super::signal::Rule;
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
    /// Of how many deployments that do no harm one would look as bad by coincidence, at most: 0 to 1. Only where the robust
    /// rule found something to weigh.
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

/// Judges a deployment by its evidence alone.
///
/// Looks only at samples up to `judged_at` and up to the end of the watch window; the same evidence gives the same
/// judgement to the bit. Never panics, whatever the samples are. While the watch window is open the verdict is
/// `Regressed` or `Pending`.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    let open = Frame::new(evidence, 1).open;
    overall::combine(weigh(evidence), evidence.quorum, open)
}

/// Whether the verdict is `Regressed` and rests on signals with the robust rule whose seasonal windows were not asked
/// for yet. Then ask for the same window a day (86,400 s) and a week (604,800 s) ago, and judge again before acting.
///
/// A signal counts as asked when `seasonal` is not empty: enter a window also when the source had no samples for it.
#[must_use]
pub fn needs_history(evidence: &Evidence) -> bool {
    let weighted = weigh(evidence);
    let settled = weighted.iter().zip(&evidence.signals).filter_map(|(weighted, signal)| {
        let unasked = signal.signal.rule == Rule::Robust && signal.seasonal.is_empty();
        (!unasked).then_some(weighted)
    });
    overall::is_regression(weighted.iter(), evidence.quorum)
        && !overall::is_regression(settled, evidence.quorum)
}

fn weigh(evidence: &Evidence) -> Vec<Weighted> {
    let mut weighted: Vec<Weighted> = evidence.signals.iter().map(|signal| find(evidence, signal)).collect();
    overall::excuse_spreading(&mut weighted, Frame::new(evidence, 1).open);
    weighted
}

/// Below which coincidence trouble from before the deployment is sure enough to excuse other signals.
const UNLIKELY: f64 = 0.02;

/// Judges one signal.
fn find(evidence: &Evidence, asked: &SignalEvidence) -> Weighted {
    let signal = &asked.signal;
    let frame = Frame::new(evidence, signal.step_secs);
    let (found, style) = match &asked.found {
        Found::Gap(gap) => (Assessment::bare(State::Unclear(gap.to_string())), Style { percent: false }),
        Found::Samples(samples) => {
            let split = frame.split(samples);
            let style = Style { percent: is_ratio(signal, &split) };
            (held_against_controls(evidence, asked, &frame, &split), style)
        }
    };
    let coincidence = found.coincidence();
    let blamed = matches!(found.state, State::Regressed | State::Preexisting);
    Weighted {
        judged_by_robust: signal.rule == Rule::Robust,
        role: signal.role,
        weight: signal.weight,
        excused: matches!(found.state, State::Excused(_)),
        bad_before: found
            .since
            .filter(|_| found.state == State::Preexisting && coincidence.is_some_and(|c| c < UNLIKELY)),
        finding: Finding {
            signal: signal.name.clone(),
            percent: style.percent,
            reason: words::sentence(signal.name.as_str(), &found, &frame, style),
            before: found.before,
            after: found.after,
            since: found.since.filter(|_| blamed),
            line: found.line,
            coincidence,
            verdict: verdict(found.state, frame.open),
        },
    }
}

/// Runs the signal's test, and if it says regressed, the same test on the services that were not deployed.
fn held_against_controls(
    evidence: &Evidence,
    asked: &SignalEvidence,
    frame: &Frame,
    split: &Split,
) -> Assessment {
    let found = test(evidence, asked, frame, split, true);
    if found.state != State::Regressed {
        return found;
    }
    // The controls' seasons were not asked for, so theirs is the line without a season: the lower one, by which a
    // control is hit more easily.
    let excuse = controls::excuse(&asked.controls, split, frame, |control| {
        test(evidence, asked, frame, control, false)
    });
    match excuse {
        Some(why) => Assessment { state: State::Excused(why), ..found },
        None => found,
    }
}

fn test(
    evidence: &Evidence,
    asked: &SignalEvidence,
    frame: &Frame,
    split: &Split,
    season: bool,
) -> Assessment {
    let signal = &asked.signal;
    match signal.rule {
        Rule::Limit { limit, for_secs } => streak::limit(split, frame, signal, limit, for_secs),
        Rule::Change { share, for_secs } => streak::change(split, frame, signal, share, for_secs),
        Rule::Robust => {
            let seasonal = if season { asked.seasonal.as_slice() } else { &[] };
            let context = Context { signal, seasonal, watch_secs: evidence.watch_secs, segments: 1 };
            robust::assess(split, frame, &context)
        }
    }
}

/// What a state means as a verdict, given whether the watch window is still open.
fn verdict(state: State, open: bool) -> Verdict {
    match state {
        State::Regressed => Verdict::Regressed,
        State::Never(why) | State::Excused(why) => Verdict::Inconclusive(why),
        State::Preexisting | State::Fine | State::Unclear(_) if open => Verdict::Pending,
        State::Preexisting => Verdict::Preexisting,
        State::Fine => Verdict::Healthy,
        State::Unclear(why) => Verdict::Inconclusive(why),
    }
}
