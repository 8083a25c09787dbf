//! Which times before a deployment say what is usual, and which do not.

use crate::domain::environment::signal::Window;
use crate::domain::time::Time;

/// The times to leave out of a baseline, and how long it must be to keep its length without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usual {
    /// What is left out: within the baseline, in time order, without overlaps.
    pub unusual: Vec<Window>,
    /// How long the baseline is, with what is left out.
    pub baseline_secs: u32,
}

/// Leaves windows out of the baseline before a deployment, which reaches back that much further: at most to twice its
/// length.
#[must_use]
pub fn usual(windows: Vec<Window>, deployed_at: Time, baseline_secs: u32) -> Usual {
    let wanted = i64::from(baseline_secs);
    let limit = deployed_at.minus_secs(wanted.saturating_mul(2));
    let (mut start, mut missing) = (deployed_at, wanted);
    let mut unusual = Vec::new();
    for window in merged(windows, deployed_at).into_iter().rev() {
        let between = start.secs_since(window.end);
        if between >= missing {
            break;
        }
        missing -= between;
        start = window.start;
        unusual.push(window);
    }
    let start = start.minus_secs(missing).max(limit);
    unusual.reverse();
    unusual.retain(|window| window.end > start);
    if let Some(first) = unusual.first_mut() {
        first.start = first.start.max(start);
    }
    let length = u32::try_from(deployed_at.secs_since(start)).unwrap_or(baseline_secs);
    Usual { unusual, baseline_secs: length.max(baseline_secs) }
}

/// The windows before a moment, in time order, those that touch each other as one.
fn merged(mut windows: Vec<Window>, before: Time) -> Vec<Window> {
    windows.retain(|window| window.start < before && window.start < window.end);
    windows.sort();
    let mut merged: Vec<Window> = Vec::with_capacity(windows.len());
    for window in windows {
        let end = window.end.min(before);
        match merged.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(end),
            _ => merged.push(Window { start: window.start, end }),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window((start, end): (i64, i64)) -> Window {
        Window { start: Time::from_unix(start), end: Time::from_unix(end) }
    }

    fn of(windows: &[(i64, i64)]) -> (Vec<(i64, i64)>, u32) {
        let windows = windows.iter().copied().map(window).collect();
        let found = usual(windows, Time::from_unix(10_000), 1_000);
        let pair = |window: &Window| (window.start.unix(), window.end.unix());
        (found.unusual.iter().map(pair).collect(), found.baseline_secs)
    }

    #[test]
    fn what_is_left_out_is_made_up_for() {
        assert_eq!(of(&[]), (vec![], 1_000));
        assert_eq!(of(&[(9_500, 9_560)]), (vec![(9_500, 9_560)], 1_060));
        // The longer baseline reaches into another window, which is made up for as well.
        assert_eq!(of(&[(9_500, 9_560), (8_950, 8_980)]), (vec![(8_950, 8_980), (9_500, 9_560)], 1_090));
        assert_eq!(of(&[(9_900, 10_060), (9_800, 9_950)]), (vec![(9_800, 10_000)], 1_200));
        // What lies before the baseline or after the deployment is none of it.
        assert_eq!(of(&[(8_000, 8_900), (10_000, 10_060), (9_700, 9_700)]), (vec![], 1_000));
    }

    #[test]
    fn a_baseline_becomes_twice_as_long_at_most() {
        assert_eq!(of(&[(5_000, 9_900)]), (vec![(8_000, 9_900)], 2_000));
        assert_eq!(of(&[(5_000, 10_000)]), (vec![(8_000, 10_000)], 2_000));
        assert_eq!(of(&[(5_000, 7_900), (8_100, 9_900)]), (vec![(8_100, 9_900)], 2_000));
    }

    proptest::proptest! {
        #[test]
        fn as_much_is_left_as_was_asked_for_or_it_is_twice_as_long(
            windows in proptest::collection::vec((6_000_i64..10_100, 0_i64..900), 0..8),
        ) {
            let windows: Vec<(i64, i64)> = windows.into_iter().map(|(at, long)| (at, at + long)).collect();
            let (unusual, length) = of(&windows);
            let removed: i64 = unusual.iter().map(|(start, end)| end - start).sum();
            proptest::prop_assert!((1_000..=2_000).contains(&length));
            proptest::prop_assert!(i64::from(length) - removed == 1_000 || length == 2_000);
            proptest::prop_assert!(unusual.windows(2).all(|pair| pair[0].1 < pair[1].0));
            let start = 10_000 - i64::from(length);
            proptest::prop_assert!(unusual.iter().all(|(from, to)| start <= *from && from < to && *to <= 10_000));
        }
    }
}
