//! Asking: which queries a pass sends, and what an answer means for each service.
//!
//! A signal that keeps a service label (`by`) is asked once for all services with a deployment; the answer is then taken
//! apart. Services without one are asked about where a signal regressed, as controls.

mod others;
mod reply;
mod request;
mod subject;

use std::cmp::Reverse;

use crate::domain::environment::signal::Rule;
use crate::domain::judge::evidence::{Evidence, Found, Gap, Sample, Seasonal, SignalEvidence};
use crate::domain::time::{Time, human_secs};

pub use self::others::{at_one_moment, candidates};
pub use self::reply::{MAX_CONTROLS, Reading, Reply, Sorted};
pub use self::request::{Part, Question, ask, requests};
pub use self::subject::Subject;

/// The most parts of a signal that are kept as evidence.
pub const MAX_SEGMENTS: usize = 32;

/// How long before the window the seasonal windows lie: a day and a week.
pub const SEASONAL_SHIFTS_SECS: [u32; 2] = [86_400, 604_800];

/// Puts the evidence about a subject together from its questions, in the order of [`ask`], and what they found.
#[must_use]
pub fn evidence(subject: &Subject, until: Time, readings: Vec<(Question, Reading)>) -> Evidence {
    let mut signals: Vec<SignalEvidence> = Vec::with_capacity(subject.signals.len());
    for (question, reading) in readings {
        if question.part == Part::Traffic {
            if let Some(signal) = signals.last_mut() {
                signal.traffic = Some(reading.found);
                signal.warnings.extend(reading.warnings);
            }
            continue;
        }
        let asked = question.request.map_or_else(|_| question.signal.query.clone(), |request| request.query);
        let mut signal = SignalEvidence {
            controls: reading.controls,
            warnings: reading.warnings,
            segments: reading.segments,
            ..SignalEvidence::new(question.signal, asked, reading.found)
        };
        bound_segments(&mut signal);
        signals.push(signal);
    }
    let unusual = subject.unusual.clone();
    Evidence { unusual, ..Evidence::new(subject.deployed_at, until, &subject.policy, signals) }
}

/// Leaves the parts with the most samples, and says how many are left out.
fn bound_segments(signal: &mut SignalEvidence) {
    let left_out = signal.segments.len().saturating_sub(MAX_SEGMENTS);
    if left_out == 0 {
        return;
    }
    signal.segments.sort_by_key(|segment| Reverse(segment.samples.len()));
    signal.segments.truncate(MAX_SEGMENTS);
    signal.segments.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(first) = signal.segments.first() {
        signal.found = Found::Samples(first.samples.clone());
    }
    let (label, all) = (signal.signal.segment.as_deref().unwrap_or_default(), left_out + MAX_SEGMENTS);
    signal.warnings.push(format!(
        "{left_out} of {all} parts by {label} are left out: those with the fewest samples; {MAX_SEGMENTS} are judged at most"
    ));
}

/// Adds the same window at another time to the evidence, in the order of [`ask`]. A window without samples says that there
/// is no season; one that could not be asked says nothing, and then the signal says nothing either: without its season an
/// everyday peak looks like damage. Each part of a signal has its own season.
pub fn add_seasonal(evidence: &mut Evidence, shift_secs: u32, readings: Vec<Reading>) {
    for (signal, mut reading) in evidence.signals.iter_mut().zip(readings) {
        for segment in &mut signal.segments {
            let same = reading.segments.iter_mut().find(|found| found.name == segment.name);
            let samples = same.map_or_else(Vec::new, |found| std::mem::take(&mut found.samples));
            segment.seasonal.push(Seasonal { shift_secs, samples });
        }
        let samples: Vec<Sample> = match reading.found {
            // The whole stands for its first part, whose name may be another at another time.
            Found::Samples(_) if signal.signal.segment.is_some() => {
                let first = signal.segments.first().and_then(|first| first.seasonal.last());
                first.map_or_else(Vec::new, |season| season.samples.clone())
            }
            Found::Samples(samples) => samples,
            Found::Gap(Gap::NoData) => Vec::new(),
            Found::Gap(gap @ (Gap::Unavailable(_) | Gap::Rejected(_) | Gap::Ambiguous(_))) => {
                if signal.signal.rule == Rule::Robust {
                    let earlier = human_secs(shift_secs.into());
                    signal.found =
                        Found::Gap(Gap::Unavailable(format!("the window {earlier} before: {gap}")));
                    // What has no season cannot be judged in parts either.
                    signal.segments.clear();
                }
                Vec::new()
            }
        };
        signal.seasonal.push(Seasonal { shift_secs, samples });
    }
}

#[cfg(test)]
mod tests;
