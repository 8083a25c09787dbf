//! Whether the damage began after the deployment.

use super::super::frame::{Frame, Split, tail, values};
use super::excursion::{Demand, Excursion};
use super::line::{Line, Traits};
use super::{BASELINE_SAMPLES, MIN_BASELINE};
use crate::domain::evidence::Sample;
use crate::domain::stats::{median, rise};
use crate::domain::time::Time;

/// How many samples earlier a deployment is pretended.
const PRETENDED: [usize; 3] = [5, 10, 20];

/// Where damage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It began after the deployment.
    SinceDeployment,
    /// It began at this time, before the deployment.
    Before(Time),
    /// The same happened before the deployment, from this time on, and passed: it may pass again.
    Recurring(Time),
    /// The samples that would tell are missing.
    Unknown,
}

/// Where damage with this onset comes from. Three questions, each of which can acquit the deployment: was it bad up
/// to the onset without a break? Would a deployment that never was, a little earlier, have been blamed? Did the
/// level rise before the deployment?
pub(super) fn origin(split: &Split, frame: &Frame, traits: &Traits, line: &Line, onset: Time) -> Origin {
    let unbroken = unbroken(split, frame, line, onset);
    if unbroken != Origin::SinceDeployment {
        return unbroken;
    }
    let pretended: Vec<Origin> = PRETENDED
        .iter()
        .filter_map(|earlier| pretend(&split.before, *earlier, frame, traits))
        .map(|pretended| pretended.origin)
        .chain(rose_before(split, line, onset).map(Origin::Before))
        .collect();
    let before = pretended.iter().filter_map(|origin| match origin {
        Origin::Before(from) => Some(*from),
        Origin::SinceDeployment | Origin::Recurring(_) | Origin::Unknown => None,
    });
    match (before.min(), pretended.first()) {
        (Some(from), _) => Origin::Before(from),
        (None, Some(recurring)) => *recurring,
        (None, None) => Origin::SinceDeployment,
    }
}

/// Since when it has been bad, when nothing changed with the deployment because it was bad already: a pretended
/// deployment would have been blamed, and the samples since the real one are typically still beyond its line.
pub(super) fn bad_already(split: &Split, frame: &Frame, traits: &Traits) -> Option<Time> {
    let typical = median(&values(&split.after))?;
    let blamed = PRETENDED.iter().filter_map(|earlier| pretend(&split.before, *earlier, frame, traits));
    blamed
        .filter_map(|pretended| match pretended.origin {
            Origin::Before(from) if pretended.line.is_beyond(typical) => Some(from),
            Origin::Before(_) | Origin::SinceDeployment | Origin::Recurring(_) | Origin::Unknown => None,
        })
        .min()
}

/// A pretended deployment that would have been blamed.
struct Pretended {
    origin: Origin,
    line: Line,
}

/// Looks back from the onset to the last good sample.
fn unbroken(split: &Split, frame: &Frame, line: &Line, onset: Time) -> Origin {
    let mut first_bad = onset;
    for sample in split.all().rev().filter(|sample| sample.at < onset) {
        if line.is_beyond(sample.value) {
            first_bad = sample.at;
        } else if first_bad <= frame.deployed_at {
            break;
        } else if sample.at > frame.deployed_at || !frame.is_hole(sample.at, first_bad) {
            return Origin::SinceDeployment;
        } else {
            return Origin::Unknown;
        }
    }
    if first_bad <= frame.deployed_at { Origin::Before(first_bad) } else { Origin::Unknown }
}

/// Runs the same test on the time before the deployment, as if there had been a deployment `earlier` samples before
/// it. Says something when that one would have been blamed, at whichever of those samples: damage that lasts up to
/// the deployment was there before it; damage that passed shows that such things happen on their own.
fn pretend(before: &[Sample], earlier: usize, frame: &Frame, traits: &Traits) -> Option<Pretended> {
    let (baseline, after) = before.split_at_checked(before.len().checked_sub(earlier)?)?;
    if baseline.len() < MIN_BASELINE {
        return None;
    }
    let line = Line::draw(&values(tail(baseline, BASELINE_SAMPLES)), traits, frame.step, 0.0)?;
    let excursion = Excursion::walk(after, &line, frame, &Demand::of(frame.step));
    let from = excursion.ever?;
    let origin = if excursion.convinces { Origin::Before(from) } else { Origin::Recurring(from) };
    Some(Pretended { origin, line })
}

/// When the level rose, if it did so before the deployment and the time from there to the deployment was already
/// nearer to the damage than to the time before. Values are cut at the line, so that one outlier does not decide
/// where the change is.
fn rose_before(split: &Split, line: &Line, onset: Time) -> Option<Time> {
    let before = tail(&split.before, BASELINE_SAMPLES);
    let damaged: Vec<Sample> = split.after.iter().filter(|sample| sample.at >= onset).copied().collect();
    let height = line.at - line.base;
    let (lowest, highest) = (line.base - height, line.at);
    if !lowest.is_finite() {
        return None;
    }
    let cut: Vec<f64> =
        before.iter().chain(&damaged).map(|sample| sample.value.clamp(lowest, highest)).collect();
    let (usual, raised) = before.split_at_checked(rise(&cut)?)?;
    let half_way = median(&values(usual))? / 2.0 + median(&values(&damaged))? / 2.0;
    (median(&values(raised))? > half_way).then(|| raised.first().map(|sample| sample.at)).flatten()
}
