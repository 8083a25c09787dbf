//! Turning a series so that higher is worse.

use super::super::frame::Split;
use super::super::ratio::is_ratio;
use crate::domain::environment::signal::{Direction, Signal};

/// How a series is turned so that higher is worse. Each of the three undoes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orientation {
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
