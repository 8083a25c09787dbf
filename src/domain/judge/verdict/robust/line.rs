//! The line beyond which a sample is not explained by the baseline.

use super::super::frame::{MIN_BASELINE, Split, tail, values};
use super::super::ratio::is_ratio;
use crate::domain::environment::signal::{Signal, SignalKind};
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::{median, percentile, real, scaled_mad};

/// How many samples of the baseline, the last ones, say what is usual.
pub(super) const BASELINE_SAMPLES: usize = 60;
/// How many standard deviations the line is away from the base.
const SPREADS: f64 = 3.3;
/// How many more they are for a running median, which keeps of the noise what is slow.
const SMOOTH: f64 = 1.5;
/// From which share of failures on a service is down.
const DOWN_RATIO: f64 = 0.5;
/// To which share of what it was traffic has fallen when a service is down.
const DOWN_TRAFFIC: f64 = 0.1;
/// How many samples share one line, when lines are drawn for the past.
const BLOCK: usize = 10;

/// What the line depends on besides the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// The share of the base that is a difference at all.
    share: f64,
    /// The share of the median that the standard deviation is at least.
    least_spread: f64,
    kind: SignalKind,
    /// A ratio between 0 and 1.
    pub(super) is_ratio: bool,
    /// The smallest difference that matters; 0 when there is none.
    min_difference: f64,
    /// How many standard deviations the line is away from the base.
    spreads: f64,
}

impl Traits {
    /// The traits of a signal with these samples, before they are turned. An error ratio that sets no smallest
    /// difference has one of 1 point, and a count of errors one of 1.
    pub(super) fn of(signal: &Signal, split: &Split) -> Self {
        let is_ratio = is_ratio(signal, split);
        let is_error = signal.kind == SignalKind::ErrorRatio;
        let set = if signal.min_difference.is_finite() { signal.min_difference.max(0.0) } else { 0.0 };
        let min_difference = match (is_error, is_ratio) {
            (true, true) if set <= 0.0 => 0.01,
            // What is set for a ratio says nothing about a count.
            (true, false) => set.max(1.0),
            _ => set,
        };
        let (share, least_spread) = match signal.kind {
            SignalKind::ErrorRatio => (0.5, 0.02),
            SignalKind::Quality => (0.02, 0.005),
            SignalKind::Latency | SignalKind::Traffic | SignalKind::Saturation | SignalKind::Custom => {
                (0.1, 0.02)
            }
        };
        Self { kind: signal.kind, share, least_spread, is_ratio, min_difference, spreads: SPREADS }
    }

    /// From which value on the service is down, whatever its noise is: half of the requests fail, or nine tenths of the
    /// traffic are gone. No line is drawn beyond it. Infinite for other signals, and where it is usual.
    pub(super) fn down(&self, base: f64) -> f64 {
        match self.kind {
            SignalKind::ErrorRatio if self.is_ratio && base < DOWN_RATIO => DOWN_RATIO,
            // Turned, traffic is negative.
            SignalKind::Traffic if base < 0.0 => base * DOWN_TRAFFIC,
            SignalKind::ErrorRatio
            | SignalKind::Latency
            | SignalKind::Traffic
            | SignalKind::Saturation
            | SignalKind::Quality
            | SignalKind::Custom => f64::INFINITY,
        }
    }

    /// The traits of the same signal's running median.
    pub(super) fn of_running_median(self) -> Self {
        Self { spreads: SMOOTH * SPREADS, ..self }
    }
}

/// The line, and what it was drawn from. All values are turned so that higher is worse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// The baseline's median.
    pub(super) median: f64,
    /// What is usual: the median of the baseline or of its last quarter, whichever is worse.
    pub(super) base: f64,
    /// The line itself; always finite, and never below the base.
    pub(super) at: f64,
    /// How much of its distance the season explains.
    shift: f64,
}

impl Line {
    /// Draws the line above a baseline; `shift` is what the season adds. `None` when there is no baseline or its
    /// values are too large to calculate with.
    ///
    /// It is away from the base by the largest of: 3.3 standard deviations (5 for a running median), more where they are
    /// estimated from few samples; 10 % of the base, or half of it for
    /// failures and 2 % for quality; the smallest difference that matters. The standard deviation is the largest of: the scaled median
    /// absolute deviation; the distance of the 90th percentile from the median (1.2816 standard deviations of normal
    /// noise; for series that are quiet mostly and noisy at times); 2 % of the median; 0.1 point for ratios.
    pub(super) fn draw(baseline: &[f64], traits: &Traits, shift: f64) -> Option<Self> {
        let middle = median(baseline)?;
        let recent = baseline.get(baseline.len() - (baseline.len() / 4).max(1)..).unwrap_or(baseline);
        let base = middle.max(median(recent)?);
        let spread = scaled_mad(baseline)?
            .max((percentile(baseline, 90)? - middle) / 1.2816)
            .max(traits.least_spread * middle.abs())
            .max(if traits.is_ratio { 0.001 } else { 0.0 });
        let distance = (traits.spreads * widening(baseline.len()) * spread)
            .max(traits.share * base.abs())
            .max(traits.min_difference);
        let at = (base + distance).min(traits.down(base)) + shift;
        at.is_finite().then_some(Self { median: middle, base, at, shift })
    }

    /// The line above the last samples of a baseline.
    pub(super) fn above(baseline: &[Sample], traits: &Traits, shift: f64) -> Option<Self> {
        Self::draw(&values(tail(baseline, BASELINE_SAMPLES)), traits, shift)
    }

    /// The lines that would have been drawn at each of these samples before the deployment, from what was known then;
    /// for the first ones from what came after. All are as far from their base as `now` is.
    pub(super) fn over_time(before: &[Sample], traits: &Traits, now: &Self) -> Vec<Self> {
        let mut lines = Vec::with_capacity(before.len());
        for start in (0..before.len()).step_by(BLOCK) {
            let known = before.get(..start).filter(|known| known.len() >= 2 * MIN_BASELINE);
            let first = before.get(..BASELINE_SAMPLES.min(before.len())).unwrap_or(before);
            let then = Self::above(known.unwrap_or(first), traits, 0.0).unwrap_or(*now);
            let line = Self { at: then.base + (now.at - now.base), ..then };
            lines.resize((start + BLOCK).min(before.len()), line);
        }
        lines
    }

    /// Whether anything says how large a change is: false when the baseline is all 0 and no smallest difference is
    /// set, as then any value at all is beyond the line.
    pub(super) fn has_scale(&self) -> bool {
        self.at > self.base
    }

    /// How far a value is above the base, in units of the line's distance: 1 at the line.
    pub(super) fn excess(&self, value: f64) -> f64 {
        let distance = self.at - self.base;
        if distance > 0.0 {
            // Halved, as the difference of huge values would overflow.
            (value / 2.0 - self.base / 2.0) / (distance / 2.0)
        } else if value > self.base {
            f64::MAX
        } else {
            0.0
        }
    }

    /// Whether a value is beyond the line.
    pub(super) fn is_beyond(&self, value: f64) -> bool {
        value > self.at
    }

    /// Half way to the line from what is usual at this time of day.
    pub(super) fn half_way(&self) -> f64 {
        self.base / 2.0 + self.shift / 2.0 + self.at / 2.0
    }
}

/// How much further away a line must be when the standard deviation is estimated from this many samples, so that noise
/// is as seldom beyond it as with many: 1.05 for 60 samples, 1.2 for 15, 1.4 for 8.
///
/// Source: the first term of the expansion of Student's t in the normal quantile z, t ≈ z + (z³ + z) / 4ν;
/// M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.5.
fn widening(samples: usize) -> f64 {
    let degrees = real(samples.saturating_sub(1).max(1));
    1.0 + (SPREADS * SPREADS + 1.0) / (4.0 * degrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `scipy.stats.t.isf(scipy.stats.norm.sf(3.3), n - 1) / 3.3`: 1.6483 for 8 (where more terms matter),
    /// 1.2599 for 15, 1.0528 for 60.
    #[test]
    fn few_samples_widen_the_line_nearly_as_students_t_says() {
        for (samples, expected, tolerance) in [(8, 1.6483, 0.25), (15, 1.2599, 0.06), (60, 1.0528, 0.003)] {
            let found = widening(samples);
            assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
        }
        assert!(widening(0).is_finite() && widening(1).is_finite());
    }
}
