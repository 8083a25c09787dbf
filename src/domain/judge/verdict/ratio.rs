//! Whether a signal's numbers are shares of 1.

use super::frame::Split;
use crate::domain::environment::signal::{Direction, Signal, SignalKind};
use crate::domain::judge::evidence::Sample;

/// How many samples of exactly 1 in succession, after a baseline of nothing but 0, are every request that fails. As counts they would be
/// one error a step, five times: of numbers with a mean of one (Poisson) that happens once in 150 times, and hardly ever with no 2 among
/// all the others.
const RUN_OF_ALL: usize = 5;

/// Whether the signal is an error ratio whose samples are ratios indeed: all within 0 to 1, and not all of them 0 or 1 as
/// small counts are. Counts of errors come under the same kind and are no ratios. Where nothing failed before the deployment and
/// everything fails since, all are 0 or 1 too.
pub(super) fn is_ratio(signal: &Signal, split: &Split) -> bool {
    let share = |sample: &Sample| (0.0..=1.0).contains(&sample.value);
    let fraction = |sample: &Sample| sample.value.fract() > 0.0;
    let none = |sample: &Sample| sample.value <= 0.0;
    signal.kind == SignalKind::ErrorRatio
        && split.all().all(share)
        && (signal.direction == Direction::LowerIsWorse
            || split.all().any(fraction)
            || split.all().all(none)
            || split.before.iter().all(none) && is_all_at_once(split))
}

/// Whether everything fails since the deployment, for so many samples in succession.
fn is_all_at_once(split: &Split) -> bool {
    let mut run = 0_usize;
    let mut longest = 0_usize;
    for sample in split.settling.iter().chain(&split.after) {
        run = if sample.value >= 1.0 { run.saturating_add(1) } else { 0 };
        longest = longest.max(run);
    }
    longest >= RUN_OF_ALL
}
