//! What is bad since a revert: whether it has been bad from the revert on, and still is.

use super::counted;
use super::frame::Frame;
use super::{Measured, Verdict, finding, judge};
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::{Evidence, Found, Seasonal, SignalEvidence};

/// The evidence with those signals and segments alone that have been bad all the time and still are. None where that is not
/// enough to call it regressed.
///
/// A verdict says that something got worse at some time. It may be over, or it may have begun long after the signals had come
/// back: then it says nothing about what was reverted.
#[must_use]
pub fn lasting(evidence: &Evidence) -> Option<Evidence> {
    let signals = evidence.signals.iter().filter_map(|signal| lasting_of(evidence, signal)).collect();
    let lasting = Evidence { signals, ..evidence.clone() };
    (judge(&lasting).verdict == Verdict::Regressed).then_some(lasting)
}

fn lasting_of(evidence: &Evidence, asked: &SignalEvidence) -> Option<SignalEvidence> {
    if asked.segments.is_empty() {
        return is_lasting(evidence, asked, &asked.found, &asked.seasonal).then(|| asked.clone());
    }
    let mut lasting = asked.clone();
    lasting.segments.retain(|segment| {
        is_lasting(evidence, asked, &Found::Samples(segment.samples.clone()), &segment.seasonal)
    });
    lasting.found = Found::Samples(lasting.segments.first()?.samples.clone());
    Some(lasting)
}

/// Into how many parts the time is divided.
const PARTS: usize = 3;

/// Whether most samples are beyond the line in each part of the time.
fn is_lasting(evidence: &Evidence, asked: &SignalEvidence, found: &Found, seasonal: &[Seasonal]) -> bool {
    let signal = &asked.signal;
    let measured = Measured { found, seasonal, segments: 1 };
    let Some(line) = finding(evidence, asked, measured, signal.name.as_str()).finding.line else {
        return false;
    };
    let frame = Frame::new(evidence, signal);
    let Ok(samples) = counted::samples(signal, found, asked.traffic.as_ref(), &frame) else { return false };
    let after = frame.split(&samples).after;
    let whole = frame.end.secs_since(frame.settled_at).max(1);
    let is_beyond = |value: f64| match signal.direction {
        Direction::HigherIsWorse => value > line,
        Direction::LowerIsWorse => value < line,
    };
    let (mut all, mut beyond) = ([0_usize; PARTS], [0_usize; PARTS]);
    for sample in after {
        let part = usize::try_from(3 * sample.at.secs_since(frame.settled_at) / whole);
        let part = part.unwrap_or(0).min(PARTS - 1);
        if let (Some(all), Some(beyond)) = (all.get_mut(part), beyond.get_mut(part)) {
            *all += 1;
            *beyond += usize::from(is_beyond(sample.value));
        }
    }
    all.into_iter().zip(beyond).all(|(all, beyond)| 2 * beyond > all)
}
