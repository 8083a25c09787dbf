//! Turning a series so that higher is worse.

use super::super::frame::Split;
use crate::domain::environment::signal::{Direction, Signal, SignalKind};
use crate::domain::judge::evidence::Sample;

/// How a series is turned so that higher is worse. Each of the three undoes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::judge::verdict) enum Orientation {
    /// Higher is worse already.
    Same,
    /// The value with the other sign.
    Negated,
    /// 1 − value: a share of successes becomes a share of failures, so that differences relative to the base are
    /// those of the failures.
    Complement,
}

impl Orientation {
    /// How this signal's samples are turned.
    pub(super) fn of(signal: &Signal, split: &Split) -> Self {
        match signal.direction {
            Direction::HigherIsWorse => Self::Same,
            Direction::LowerIsWorse if is_ratio(signal, split) => Self::Complement,
            Direction::LowerIsWorse => Self::Negated,
        }
    }

    /// Turns a value, or turns it back.
    pub(super) fn turn(self, value: f64) -> f64 {
        match self {
            Self::Same => value,
            Self::Negated => 0.0 - value,
            Self::Complement => 1.0 - value,
        }
    }
}

/// Whether the signal is an error ratio whose samples are ratios indeed: all within 0 to 1, and not all of them 0 or 1 as
/// small counts are. Counts of errors come under the same kind and are no ratios.
pub(in crate::domain::judge::verdict) fn is_ratio(signal: &Signal, split: &Split) -> bool {
    let share = |sample: &Sample| (0.0..=1.0).contains(&sample.value);
    let fraction = |sample: &Sample| sample.value.fract() > 0.0;
    let none = |sample: &Sample| sample.value <= 0.0;
    signal.kind == SignalKind::ErrorRatio
        && split.all().all(share)
        && (signal.direction == Direction::LowerIsWorse || split.all().any(fraction) || split.all().all(none))
}
