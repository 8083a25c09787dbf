//! Whether a signal's numbers are shares of 1.

use super::frame::Split;
use crate::domain::environment::signal::{Direction, Signal, SignalKind};
use crate::domain::judge::evidence::Sample;

/// Whether the signal is an error ratio whose samples are ratios indeed: all within 0 to 1, and not all of them 0 or 1 as
/// small counts are. Counts of errors come under the same kind and are no ratios.
pub(super) fn is_ratio(signal: &Signal, split: &Split) -> bool {
    let share = |sample: &Sample| (0.0..=1.0).contains(&sample.value);
    let fraction = |sample: &Sample| sample.value.fract() > 0.0;
    let none = |sample: &Sample| sample.value <= 0.0;
    signal.kind == SignalKind::ErrorRatio
        && split.all().all(share)
        && (signal.direction == Direction::LowerIsWorse || split.all().any(fraction) || split.all().all(none))
}
