//! The line beyond which a sample is not explained by the baseline.

use super::super::frame::Split;
use super::orient::is_ratio;
use crate::domain::signal::{Signal, SignalKind};
use crate::domain::stats::{Sprt, base_rate, lag1, median, percentile, scaled_mad};

/// The share of samples that exceeds the line when a deployment is bad.
const BAD_SHARE: f64 = 0.8;
/// Samples closer together than this, in seconds, are likely to share raw data: queries take rates over a minute or
/// more.
const OVERLAP_SECS: i64 = 120;

/// What the line depends on besides the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// A signal of failures, as a ratio or as a count.
    is_error: bool,
    /// A ratio between 0 and 1.
    is_ratio: bool,
    /// The smallest difference that matters; 0 when there is none.
    min_difference: f64,
}

impl Traits {
    /// The traits of a signal with these samples, before they are turned. An error ratio that sets no smallest
    /// difference has one of 1 point.
    pub(super) fn of(signal: &Signal, split: &Split) -> Self {
        let is_ratio = is_ratio(signal, split);
        let set = if signal.min_difference.is_finite() { signal.min_difference.max(0.0) } else { 0.0 };
        let min_difference = if is_ratio && set <= 0.0 { 0.01 } else { set };
        Self { is_error: signal.kind == SignalKind::ErrorRatio, is_ratio, min_difference }
    }
}

/// The line, and what it was drawn from. All values are turned so that higher is worse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// The baseline's median.
    pub(super) median: f64,
    /// What is usual: the median of the baseline or of its last quarter, whichever is worse.
    pub(super) base: f64,
    /// The line itself; always finite.
    pub(super) at: f64,
    /// Whether anything says how large a change is: false when the baseline is all 0 and no smallest difference is
    /// set, as then any value at all is beyond the line.
    pub(super) has_scale: bool,
    /// What a sample beyond or within the line adds to the evidence.
    pub(super) increments: Sprt,
}

impl Line {
    /// Draws the line above a baseline; `shift` is what the season adds. `None` when there is no baseline or its
    /// values are too large to calculate with.
    ///
    /// The spread is the largest of: the scaled median absolute deviation; the distance of the 90th percentile from
    /// the median in normal standard deviations (1.2816, for series that are quiet mostly and noisy at times); 2 %
    /// of the median; 0.1 point for ratios.
    pub(super) fn draw(baseline: &[f64], traits: &Traits, step: i64, shift: f64) -> Option<Self> {
        let middle = median(baseline)?;
        let recent = baseline.get(baseline.len() - (baseline.len() / 4).max(1)..).unwrap_or(baseline);
        let base = middle.max(median(recent)?);
        let spread = scaled_mad(baseline)?
            .max((percentile(baseline, 90)? - middle) / 1.2816)
            .max(0.02 * middle.abs())
            .max(if traits.is_ratio { 0.001 } else { 0.0 });
        let share = if traits.is_error { 0.5 } else { 0.1 };
        let distance = (4.0 * spread).max(share * base.abs()).max(traits.min_difference);
        let at = base + distance + shift;
        if !at.is_finite() {
            return None;
        }
        let beyond = baseline.iter().filter(|value| **value > at).count();
        let sprt = Sprt::new(base_rate(beyond, baseline.len()), BAD_SHARE);
        let weight = independence(baseline, at, step);
        let increments = Sprt { beyond: sprt.beyond * weight, within: sprt.within * weight };
        Some(Self { median: middle, base, at, has_scale: distance > 0.0, increments })
    }

    /// Whether a value is beyond the line.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        value > self.at
    }

    /// Half way from the base to the line.
    pub(super) fn half_way(&self) -> f64 {
        self.base / 2.0 + self.at / 2.0
    }
}

/// How many independent samples one sample is worth, 0.05 to 1: (1 − ρ)/(1 + ρ) with the autocorrelation ρ at lag 1.
///
/// Only samples that are close together are weighted: there it is the overlap of rate windows that repeats a value.
/// Further apart it is the daily rise and fall, which the line and the season take care of. Values are cut at the
/// line: how often and how long the baseline was beyond it is in the base rate already, and one earlier incident must
/// not make all samples look alike.
///
/// Source: the effective sample size of an autoregressive process of order 1, as in G. V. Bayley and J. M.
/// Hammersley, "The 'Effective' Number of Independent Observations in an Autocorrelated Time Series", Supplement to
/// the Journal of the Royal Statistical Society 8 (1946), 184–197.
fn independence(baseline: &[f64], line: f64, step: i64) -> f64 {
    if step >= OVERLAP_SECS {
        return 1.0;
    }
    let cut: Vec<f64> = baseline.iter().map(|value| value.min(line)).collect();
    let rho = lag1(&cut).unwrap_or(0.0).clamp(0.0, 0.9);
    (1.0 - rho) / (1.0 + rho)
}
