//! The series without what lasts for one or two samples only.

use super::super::frame::{Frame, Split, tail, values};
use super::before::{Lately, SHORTLY};
use super::line::{BASELINE_SAMPLES, Traits};
use crate::domain::environment::signal::LONG_STEP_SECS;
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::{median, percentile};
use crate::domain::time::Time;

/// How many samples on each side of a sample make its running median.
pub(super) fn reach(frame: &Frame) -> usize {
    if frame.step >= i64::from(LONG_STEP_SECS) { 1 } else { 2 }
}

/// The running median of a series, of the samples before the deployment and since each for itself: nothing of what came
/// later is seen in what was before.
///
/// A sample that is missing since the deployment counts as a usual one: an outage must not look worse than what it
/// swallowed.
pub(super) fn running_median(split: &Split, frame: &Frame) -> Split {
    let usual = median(&values(&split.before));
    Split {
        before: smooth(&split.before, frame, None),
        settling: split.settling.clone(),
        after: smooth(&split.after, frame, usual),
    }
}

/// Whether the samples themselves bear out a regression that their running median shows (`smooth`, with its traits):
/// those since its onset are typically worse than 17 of 20 before the deployment, and they were not troubled shortly
/// before it, which the running median hides.
pub(super) fn is_supported(split: &Split, smooth: &Split, traits: &Traits, onset: Option<Time>) -> bool {
    let Some(onset) = onset else { return false };
    let since: Vec<Sample> = split.after.iter().filter(|sample| sample.at >= onset).copied().collect();
    let worse = median(&values(&since)) > percentile(&values(tail(&split.before, BASELINE_SAMPLES)), 85);
    let lately = Lately::before(smooth, traits, SHORTLY);
    worse && !lately.is_some_and(|lately| lately.is_troubled(&split.before))
}

fn smooth(samples: &[Sample], frame: &Frame, missing: Option<f64>) -> Vec<Sample> {
    let reach = reach(frame);
    // How many steps two times are apart, as far as it matters.
    let steps = |one: Time, other: Time| {
        let steps = (one.secs_since(other).abs() + frame.step / 2) / frame.step;
        usize::try_from(steps).map_or(reach + 1, |steps| steps.min(reach + 1))
    };
    let ends = samples.first().zip(samples.last());
    let around = |(index, sample): (usize, &Sample)| {
        let window = samples.get(index.saturating_sub(reach)..samples.len().min(index + reach + 1));
        let near = window.unwrap_or_default().iter().filter(|other| steps(other.at, sample.at) <= reach);
        let mut near: Vec<f64> = near.map(|sample| sample.value).collect();
        if let (Some(usual), Some((first, last))) = (missing, ends) {
            let slots = 1 + steps(first.at, sample.at).min(reach) + steps(last.at, sample.at).min(reach);
            near.resize(near.len().max(slots), usual);
        }
        Sample { value: median(&near).unwrap_or(sample.value), ..*sample }
    };
    samples.iter().enumerate().map(around).collect()
}
