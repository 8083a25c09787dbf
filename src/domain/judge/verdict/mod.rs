//! Judging: from evidence to a verdict with its reasons.
//!
//! Each signal is judged alone, by its rule (`streak` for the rules with a line that stands still, `robust` for
//! the one that draws its own); one that regressed is held against services that were not deployed (`controls`);
//! `overall` makes one verdict of all, and `rivals` asks whose doing it is where several were deployed. `counted` says
//! which samples count, and `frame` for what. `lasting` leaves out what has come back since a revert.

mod assessment;
mod controls;
mod counted;
mod frame;
mod judgement;
mod lasting;
mod overall;
mod ratio;
mod rivals;
mod robust;
mod streak;
mod words;

#[cfg(test)]
mod tests;

use self::assessment::{Assessment, State};
use self::controls::Nature;
use self::frame::{Frame, MIN_BASELINE, Split};
use self::overall::{Sight, Weighted};
use self::ratio::is_ratio;
use self::robust::Context;
use self::words::Style;
use crate::domain::environment::signal::{Role, Rule, Signal, SignalKind};
use crate::domain::judge::evidence::{Evidence, Found, Seasonal, SignalEvidence};

pub use self::judgement::{Finding, Judgement, Verdict};
pub use self::lasting::lasting;

/// Judges a deployment by its evidence alone.
///
/// Looks only at samples up to `judged_at` and up to the end of the watch window; the same evidence gives the same
/// judgement to the bit. Never panics, whatever the samples are. While the watch window is open the verdict is
/// `Regressed`, `Pending`, or `Healthy` where two thirds of it have shown so.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    let open = Frame::of_window(evidence).open;
    let judgement = overall::combine(weigh(evidence), evidence.quorum, open);
    let excuse = judgement.since.filter(|_| judgement.verdict == Verdict::Regressed);
    match excuse.and_then(|since| rivals::excuse(evidence, since)) {
        Some(excuse) => overall::left_open(judgement, excuse.why, open && !excuse.is_tie),
        None => judgement,
    }
}

/// Whether the verdict is `Regressed` and rests on signals with the robust rule whose seasonal windows were not asked
/// for yet. Then ask for the same window a day (86,400 s) and a week (604,800 s) ago, and judge again before acting.
///
/// A signal counts as asked when `seasonal` is not empty: enter a window also when the source had no samples for it. For a
/// signal with segments that of its first segment counts.
#[must_use]
pub fn needs_history(evidence: &Evidence) -> bool {
    let weighted = weigh(evidence);
    let settled = weighted.iter().zip(&evidence.signals).filter_map(|(weighted, signal)| {
        let seasonal = signal.segments.first().map_or(&signal.seasonal, |segment| &segment.seasonal);
        let unasked = signal.signal.rule == Rule::Robust && seasonal.is_empty();
        (!unasked).then_some(weighted)
    });
    overall::is_regression(weighted.iter(), evidence.quorum)
        && !overall::is_regression(settled, evidence.quorum)
}

/// Whether too little is known of the time before the deployment to judge it: a signal is bad and nobody can say since when, or
/// has samples since the deployment and too few before it. Where no signal has samples since the deployment, the evidence is
/// blind at the end of the watch window.
#[must_use]
pub fn is_blind(evidence: &Evidence) -> bool {
    let weighted = weigh(evidence);
    let mut asked = weighted.iter().filter(|signal| signal.role != Role::Advisory);
    asked.clone().any(|signal| signal.sight == Sight::Blind)
        || !Frame::of_window(evidence).open && asked.all(|signal| signal.sight == Sight::Unseen)
}

/// The places of the signals that regressed as long as services without a deployment do not excuse them.
#[must_use]
pub fn needs_controls(evidence: &Evidence) -> Vec<usize> {
    let is_bad = |signal: &SignalEvidence| find(evidence, signal).finding.verdict == Verdict::Regressed;
    let signals = evidence.signals.iter().enumerate();
    signals.filter(|(_, signal)| is_bad(signal)).map(|(place, _)| place).collect()
}

fn weigh(evidence: &Evidence) -> Vec<Weighted> {
    let mut weighted: Vec<Weighted> = evidence.signals.iter().map(|signal| find(evidence, signal)).collect();
    overall::excuse_spreading(&mut weighted, Frame::of_window(evidence).open);
    weighted
}

/// Judges one signal: each of its segments alone, and by the worst of them.
fn find(evidence: &Evidence, asked: &SignalEvidence) -> Weighted {
    let name = asked.signal.name.as_str();
    if asked.segments.is_empty() {
        let measured = Measured { found: &asked.found, seasonal: &asked.seasonal, segments: 1 };
        return finding(evidence, asked, measured, name);
    }
    let count = u32::try_from(asked.segments.len()).unwrap_or(u32::MAX);
    let judged = asked.segments.iter().map(|segment| {
        let found = Found::Samples(segment.samples.clone());
        let measured = Measured { found: &found, seasonal: &segment.seasonal, segments: count };
        finding(evidence, asked, measured, &format!("{name} of {}", segment.name))
    });
    // `min_by_key` takes the first of equals, in the order of the segments.
    judged.min_by_key(|weighted| overall::concern(&weighted.finding.verdict)).unwrap_or_else(|| {
        let measured = Measured { found: &asked.found, seasonal: &asked.seasonal, segments: 1 };
        finding(evidence, asked, measured, name)
    })
}

/// What was measured of a signal: of the whole, or of one segment.
#[derive(Clone, Copy)]
struct Measured<'a> {
    found: &'a Found,
    seasonal: &'a [Seasonal],
    /// How many segments the signal has; 1 where it has none.
    segments: u32,
}

fn finding(evidence: &Evidence, asked: &SignalEvidence, measured: Measured<'_>, name: &str) -> Weighted {
    let signal = &asked.signal;
    let frame = Frame::new(evidence, signal);
    let mut sight = Sight::Unseen;
    let (found, style) = match counted::samples(signal, measured.found, asked.traffic.as_ref(), &frame) {
        Err(state) => (Assessment::bare(state), Style { percent: false }),
        Ok(samples) => {
            let split = frame.split_before(&samples, &evidence.unusual);
            let style = Style { percent: is_ratio(signal, &split) };
            let found = held_against_controls(evidence, asked, measured, &frame, &split);
            let needs_before = !matches!(signal.rule, Rule::Limit { .. });
            let is_unknown = needs_before && split.before.len() < MIN_BASELINE;
            if !split.after.is_empty() {
                sight = if is_unknown || found.state == State::Blind { Sight::Blind } else { Sight::Clear };
            }
            (found, style)
        }
    };
    let coincidence = found.coincidence();
    let blamed = matches!(found.state, State::Regressed | State::Preexisting);
    Weighted {
        judged_by_robust: signal.rule == Rule::Robust,
        role: signal.role,
        weight: signal.weight,
        excused: matches!(found.state, State::Excused(_)),
        sight,
        bad_before: found.since.filter(|_| found.surely_before),
        finding: Finding {
            signal: signal.name.clone(),
            percent: style.percent,
            reason: words::sentence(name, &found, &frame, style),
            before: found.before,
            after: found.after,
            since: found.since.filter(|_| blamed),
            line: found.line,
            coincidence,
            verdict: verdict(found.state, &frame),
        },
    }
}

/// Runs the signal's test, and if it says regressed, the same test without what services had that were not deployed.
fn held_against_controls(
    evidence: &Evidence,
    asked: &SignalEvidence,
    measured: Measured<'_>,
    frame: &Frame,
    split: &Split,
) -> Assessment {
    let signal = &asked.signal;
    let found = test(evidence, signal, measured, frame, split);
    if found.state != State::Regressed {
        return found;
    }
    let is_share = is_ratio(signal, split);
    let nature = Nature {
        direction: signal.direction,
        multiplies: !is_share && signal.kind != SignalKind::Saturation,
        is_share,
    };
    // The controls' seasons were not asked for, so theirs is the line without a season: the lower one, by which a
    // control is hit more easily. The signal's own may count: it can only excuse.
    let unseasonal = Measured { seasonal: &[], ..measured };
    let excuse = controls::excuse(&asked.controls, split, frame, nature, |other| {
        test(evidence, signal, unseasonal, frame, other)
    });
    match excuse {
        Some(why) => Assessment { state: State::Excused(why), ..found },
        None => found,
    }
}

fn test(
    evidence: &Evidence,
    signal: &Signal,
    measured: Measured<'_>,
    frame: &Frame,
    split: &Split,
) -> Assessment {
    match signal.rule {
        Rule::Limit { limit, for_secs } => streak::limit(split, frame, signal, limit, for_secs),
        Rule::Change { share, for_secs } => streak::change(split, frame, signal, share, for_secs),
        Rule::Robust => {
            let Measured { seasonal, segments, .. } = measured;
            let context = Context { signal, seasonal, watch_secs: evidence.watch_secs, segments };
            robust::assess(split, frame, &context)
        }
    }
}

/// What a state means as a verdict, given whether the watch window is still open.
fn verdict(state: State, frame: &Frame) -> Verdict {
    match state {
        State::Regressed => Verdict::Regressed,
        State::Never(why) | State::Excused(why) => Verdict::Inconclusive(why),
        State::Fine if frame.is_late() => Verdict::Healthy,
        State::Preexisting | State::Fine | State::Unclear(_) | State::Blind if frame.open => Verdict::Pending,
        State::Preexisting => Verdict::Preexisting,
        State::Fine => Verdict::Healthy,
        State::Unclear(why) => Verdict::Inconclusive(why),
        State::Blind => Verdict::Inconclusive(words::MISSING_AROUND.to_owned()),
    }
}
