//! Judging a case tick by tick, with the samples up to then, until the verdict is settled.

use anyhow::{Context, Result};
use backout::domain::judge::verdict::{Judgement, Verdict, judge, needs_history};

use crate::baselines::{Baseline, Series};
use crate::cases::Case;
use crate::evidence::evidence;

/// The name of the rule that ships.
pub(crate) const SHIPPING: &str = "backout";

/// What a rule made of a case.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The rule.
    pub(crate) rule: &'static str,
    /// The last verdict.
    pub(crate) verdict: Verdict,
    /// The tick of the last verdict.
    pub(crate) at: i64,
    /// How many ticks were judged.
    pub(crate) judgements: u32,
    /// How long that took, in microseconds.
    pub(crate) micros: f64,
    /// The reasons, over all signals first.
    pub(crate) reasons: Vec<String>,
}

impl Outcome {
    /// Whether the rule blames the deployment.
    pub(crate) fn fired(&self) -> bool {
        self.verdict == Verdict::Regressed
    }
}

/// Judges a case as the agent would: the seasonal windows are given where the judge asks for them. The last verdict
/// is `Regressed` as soon as that is said, or that of the end of the watch window: an early `Healthy` is watched on.
pub(crate) fn by_agent(case: &Case) -> Result<Outcome> {
    let (mut judgements, mut micros) = (0, 0.0);
    let mut last = None;
    for now in &case.ticks {
        let bare = evidence(case, *now, false)?;
        let ((mut judgement, unasked), mut spent) = timed(|| (judge(&bare), needs_history(&bare)));
        if unasked {
            let full = evidence(case, *now, true)?;
            let more;
            (judgement, more) = timed(|| judge(&full));
            spent += more;
        }
        judgements += 1;
        micros += spent;
        let settled = judgement.verdict == Verdict::Regressed;
        last = Some((judgement, *now));
        if settled {
            break;
        }
    }
    let (judgement, at) = last.context("a case without ticks")?;
    let reasons = reasons(&judgement);
    Ok(Outcome { rule: SHIPPING, verdict: judgement.verdict, at, judgements, micros, reasons })
}

fn reasons(judgement: &Judgement) -> Vec<String> {
    let of_signals =
        judgement.findings.iter().map(|finding| format!("{}: {}", finding.verdict.word(), finding.reason));
    std::iter::once(judgement.reason.clone()).chain(of_signals).collect()
}

/// Judges a case by one of the rules to compare with: it fires when any metric does, and is healthy when none did up
/// to the end of the watch window.
pub(crate) fn by_baseline(case: &Case, baseline: &Baseline) -> Outcome {
    let series: Vec<Series> = case.metrics.iter().map(|metric| Series::new(case, metric)).collect();
    let (mut judgements, mut micros) = (0, 0.0);
    let outcome = |verdict, at, judgements, micros| Outcome {
        rule: baseline.name,
        verdict,
        at,
        judgements,
        micros,
        reasons: Vec::new(),
    };
    for now in &case.ticks {
        let (fires, spent) = timed(|| {
            series.iter().any(|series| series.at(*now).is_some_and(|window| (baseline.fires)(&window)))
        });
        judgements += 1;
        micros += spent;
        if fires {
            return outcome(Verdict::Regressed, *now, judgements, micros);
        }
    }
    outcome(Verdict::Healthy, case.closes_at(), judgements, micros)
}

/// What `work` gives, and how many microseconds it took.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads a clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * 1e6)
}
