//! The rules with a line that stands still: beyond it without a break, for long enough.

use super::assessment::{Assessment, State};
use super::frame::{Frame, MIN_BASELINE, Split, tail, values};
use crate::domain::environment::signal::{Direction, Signal, SignalKind};
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::median;
use crate::domain::time::{Time, human_secs};

/// How many samples of the baseline make its typical value.
const BASELINE_SAMPLES: usize = 60;

/// The rule with a fixed line.
pub(super) fn limit(split: &Split, frame: &Frame, signal: &Signal, limit: f64, for_secs: u32) -> Assessment {
    if !limit.is_finite() {
        return Assessment::bare(State::Never("the limit is not a number".to_owned()));
    }
    Streak { split, frame, direction: signal.direction, line: limit, for_secs: i64::from(for_secs) }.assess()
}

/// The rule with a line relative to the baseline's median.
///
/// The median is that of the last 60 samples. The line is away from it by `share` of its absolute value, or by the
/// signal's smallest difference that matters where that is more. A share of nothing is nothing: when the median is
/// 0, only the smallest difference makes a line (1 point for an error ratio that sets none), and without one the
/// signal is inconclusive.
pub(super) fn change(split: &Split, frame: &Frame, signal: &Signal, share: f64, for_secs: u32) -> Assessment {
    let baseline = values(tail(&split.before, BASELINE_SAMPLES));
    let Some(usual) = median(&baseline).filter(|_| baseline.len() >= MIN_BASELINE) else {
        return Assessment::bare(State::Never(format!(
            "only {} samples before the deployment, {MIN_BASELINE} are needed",
            baseline.len()
        )));
    };
    let relative = (share * usual.abs()).max(0.0);
    let distance = if usual.abs() > 0.0 { relative.max(signal.min_difference) } else { smallest(signal) };
    let line = match signal.direction {
        Direction::HigherIsWorse => usual + distance,
        Direction::LowerIsWorse => usual - distance,
    };
    if !line.is_finite() {
        return Assessment::bare(State::Never("the values are too large to compare".to_owned()));
    }
    if distance <= 0.0 {
        let why = "the baseline is 0, of which a share says nothing: set a smallest difference that matters";
        return Assessment::bare(State::Never(why.to_owned()));
    }
    Streak { split, frame, direction: signal.direction, line, for_secs: i64::from(for_secs) }.assess()
}

fn smallest(signal: &Signal) -> f64 {
    match signal.kind {
        SignalKind::ErrorRatio if signal.min_difference <= 0.0 => 0.01,
        SignalKind::ErrorRatio
        | SignalKind::Latency
        | SignalKind::Traffic
        | SignalKind::Saturation
        | SignalKind::Quality
        | SignalKind::Custom => signal.min_difference,
    }
}

struct Streak<'a> {
    split: &'a Split,
    frame: &'a Frame,
    direction: Direction,
    line: f64,
    for_secs: i64,
}

/// Samples beyond the line, one after the other.
#[derive(Clone, Copy)]
struct Run {
    from: Time,
    to: Time,
}

impl Run {
    fn secs(&self) -> i64 {
        self.to.secs_since(self.from)
    }
}

/// Where a run that is long enough comes from.
enum RunOrigin {
    SinceDeployment,
    Before(Time),
    Unknown,
}

impl Streak<'_> {
    fn is_beyond(&self, sample: &Sample) -> bool {
        match self.direction {
            Direction::HigherIsWorse => sample.value > self.line,
            Direction::LowerIsWorse => sample.value < self.line,
        }
    }

    /// Any run since the deployment that is long enough regresses, also one that is over by now: so a later look at
    /// the same samples says the same, and no outage can hide a recovery.
    fn assess(&self) -> Assessment {
        let before = self.runs(&self.split.before, false).into_iter().find(|run| self.is_long(*run));
        let strict = self.runs(&self.split.after, true).into_iter().filter(|run| self.is_long(*run));
        let found: Vec<(Run, RunOrigin)> = strict.map(|run| (run, self.origin(run))).collect();
        if let Some(run) = before {
            let still = !found.is_empty();
            let state = if still { State::Preexisting } else { self.quiet() };
            return self.with_numbers(state, still.then_some(run.from));
        }
        if let Some((run, _)) = found.iter().find(|(_, origin)| matches!(origin, RunOrigin::SinceDeployment))
        {
            return self.with_numbers(State::Regressed, Some(run.from));
        }
        match found.first() {
            Some((_, RunOrigin::Before(from))) => self.with_numbers(State::Preexisting, Some(*from)),
            Some(_) => self.with_numbers(State::Blind, None),
            None => self.with_numbers(self.quiet(), None),
        }
    }

    /// What a series without a long enough run says.
    fn quiet(&self) -> State {
        let Split { after, .. } = self.split;
        if let Some(why) = self.split.too_thin(self.frame) {
            return State::Unclear(why);
        }
        if self.frame.open && after.last().is_some_and(|sample| self.is_beyond(sample)) {
            return State::Unclear(format!("beyond the line, not yet for {}", human_secs(self.for_secs)));
        }
        // A missing sample may have been a bad one: then a run with holes is long enough after all.
        if self.runs(after, false).into_iter().any(|run| self.is_long(run)) {
            return State::Unclear(format!(
                "beyond the line with samples missing in between, so not surely for {}",
                human_secs(self.for_secs)
            ));
        }
        State::Fine
    }

    fn is_long(&self, run: Run) -> bool {
        run.secs() >= self.for_secs
    }

    /// The runs beyond the line. When `strict`, a missing sample ends a run, as it may have been a good one; else
    /// only a good sample does, as the missing ones may all have been bad.
    fn runs(&self, samples: &[Sample], strict: bool) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        for sample in samples {
            let beyond = self.is_beyond(sample);
            match runs.last_mut() {
                Some(run)
                    if open && beyond && !(strict && self.frame.is_missing_between(run.to, sample.at)) =>
                {
                    run.to = sample.at;
                }
                _ if beyond => runs.push(Run { from: sample.at, to: sample.at }),
                _ => {}
            }
            open = beyond;
        }
        runs
    }

    /// Looks back from a run to the last good sample. One after the deployment shows that the damage came later;
    /// one just before it, with nothing bad in between, does so as well. A hole in that place leaves it open.
    fn origin(&self, run: Run) -> RunOrigin {
        let deployed_at = self.frame.deployed_at;
        let mut first_bad = run.from;
        for sample in self.split.all().rev().filter(|sample| sample.at < run.from) {
            if self.is_beyond(sample) {
                first_bad = sample.at;
            } else if first_bad <= deployed_at {
                break;
            } else if sample.at > deployed_at || !self.frame.is_hole(sample.at, first_bad.min(deployed_at)) {
                return RunOrigin::SinceDeployment;
            } else {
                return RunOrigin::Unknown;
            }
        }
        if first_bad <= deployed_at { RunOrigin::Before(first_bad) } else { RunOrigin::Unknown }
    }

    fn with_numbers(&self, state: State, since: Option<Time>) -> Assessment {
        let from = since.unwrap_or(self.frame.deployed_at);
        let after: Vec<Sample> =
            self.split.after.iter().filter(|sample| sample.at >= from).copied().collect();
        Assessment {
            before: median(&values(tail(&self.split.before, BASELINE_SAMPLES))),
            after: median(&values(&after)),
            since,
            line: Some(self.line),
            beyond: after.iter().filter(|sample| self.is_beyond(sample)).count(),
            of: after.len(),
            ..Assessment::bare(state)
        }
    }
}
