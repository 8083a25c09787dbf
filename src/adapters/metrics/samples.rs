//! Samples with times of their own, from files and from servers that know no steps, and how they come to stand on the
//! steps of a query.

use std::collections::BTreeMap;

use crate::domain::environment::signal::Window;
use crate::domain::judge::evidence::{Sample, Series};
use crate::domain::text::cut;
use crate::domain::time::Time;

/// More series than this are no answer to a question about services.
pub(super) const MAX_SERIES: usize = 200_000;
/// More samples than this are no answer to a question about services; they take 16 bytes each.
pub(super) const MAX_SAMPLES: usize = 5_000_000;
/// Times beyond this (in the year 9999) are no time.
const MAX_UNIX_SECS: f64 = 253_402_300_799.0;

/// A measured value at its own time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// How much; finite.
    pub value: f64,
}

/// A series as it stands in a file or an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSeries {
    /// The labels that tell it from the others.
    pub labels: BTreeMap<String, String>,
    /// In the order of time, one a moment.
    pub points: Vec<Point>,
}

/// Reads a time: seconds since 1970, perhaps with a fraction, or RFC 3339.
///
/// # Errors
/// Says what to write instead.
pub fn read_time(text: &str) -> Result<i64, String> {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    if let Some(secs) = text.parse::<f64>().ok().filter(|_| numeric) {
        return time_of_secs(secs);
    }
    let timestamp: jiff::Timestamp = text.parse().map_err(|_jiff| {
        format!(
            "{} is no time: write seconds since 1970, or RFC 3339 such as 2026-11-20T03:14:00Z",
            quoted(text)
        )
    })?;
    let at_ms = timestamp.as_millisecond();
    if at_ms < 0 { Err(format!("{} is before 1970", quoted(text))) } else { Ok(at_ms) }
}

/// A time in seconds since 1970 as milliseconds.
///
/// # Errors
/// When it is not between 1970 and 9999.
pub fn time_of_secs(secs: f64) -> Result<i64, String> {
    if secs > MAX_UNIX_SECS {
        return Err(format!("{secs} is after the year 9999: write seconds since 1970, not milliseconds"));
    }
    if !(0.0..=MAX_UNIX_SECS).contains(&secs) {
        return Err(format!("{secs} is before 1970, or no time"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range has been checked")]
    Ok((secs * 1000.0).round() as i64)
}

/// Reads a value: `None` for an empty text, NaN and infinities, which are no samples.
///
/// # Errors
/// Says what to write instead.
pub fn read_value(text: &str) -> Result<Option<f64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number: f64 = text.parse().map_err(|_number| {
        format!("{} is not a number: leave out what was not measured, or write NaN", quoted(text))
    })?;
    Ok(number.is_finite().then_some(number))
}

/// A foreign text for a message: short, and on one line.
pub(super) fn quoted(text: &str) -> String {
    const MAX_SHOWN_CHARS: usize = 60;
    format!("{:?}", cut(text, MAX_SHOWN_CHARS))
}

/// Puts points in the order of time, one a moment, and says how many moments are left out because two points with
/// different values contradict each other there.
pub(super) fn tidy(points: &mut Vec<Point>) -> usize {
    points.sort_by(|a, b| a.at_ms.cmp(&b.at_ms).then(a.value.total_cmp(&b.value)));
    points.dedup();
    let mut contradicted = 0;
    let mut kept: Vec<Point> = Vec::with_capacity(points.len());
    for moment in points.chunk_by(|a, b| a.at_ms == b.at_ms) {
        match moment {
            [one] => kept.push(*one),
            _ => contradicted += 1,
        }
    }
    *points = kept;
    contradicted
}

/// What to say about moments that were left out.
pub(super) fn contradictions(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!("{count} moments have several values in one series and are left out: is a label missing?")
    })
}

/// The samples of a series on the steps of a window, as a range query of Prometheus takes them: at each step the latest
/// point, if it is no older than one step. A point that lies on a step counts there and nowhere else, so that points one
/// step apart are each given once; a point between two steps is given at the later one, never before it was measured.
#[must_use]
pub fn aligned(points: &[Point], window: Window, step_secs: u32) -> Vec<Sample> {
    let step_secs = i64::from(step_secs.max(1));
    let (start, step) = (window.start.unix().saturating_mul(1000), step_secs * 1000);
    let steps = window.end.secs_since(window.start).div_euclid(step_secs);
    let first = points.partition_point(|point| point.at_ms <= start.saturating_sub(step));
    let mut samples: Vec<Sample> = Vec::new();
    for point in points.get(first..).unwrap_or_default() {
        let index = point.at_ms.saturating_sub(start).saturating_add(step - 1).div_euclid(step);
        if index > steps {
            break;
        }
        let at = window.start.plus_secs(index.saturating_mul(step_secs));
        match samples.last_mut() {
            Some(last) if last.at == at => last.value = point.value,
            _ => samples.push(Sample { at, value: point.value }),
        }
    }
    samples
}

/// All points at whole seconds, the later where two fall into one.
#[must_use]
pub fn by_the_second(points: &[Point]) -> Vec<Sample> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let second = |point: &Point| Time::from_unix(point.at_ms.div_euclid(1000));
    aligned(points, Window { start: second(first), end: second(last).plus_secs(1) }, 1)
}

/// The series with samples in a window, on its steps.
pub(super) fn in_window<'r>(
    series: impl Iterator<Item = &'r RawSeries>,
    window: Window,
    step_secs: u32,
) -> Vec<Series> {
    let on_steps = |one: &RawSeries| Series {
        labels: one.labels.clone(),
        samples: aligned(&one.points, window, step_secs),
    };
    series.map(on_steps).filter(|one| !one.samples.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(all: &[(i64, f64)]) -> Vec<Point> {
        all.iter().map(|&(at_ms, value)| Point { at_ms, value }).collect()
    }

    fn window(start: i64, end: i64) -> Window {
        Window { start: Time::from_unix(start), end: Time::from_unix(end) }
    }

    fn pairs(samples: &[Sample]) -> Vec<(i64, f64)> {
        samples.iter().map(|sample| (sample.at.unix(), sample.value)).collect()
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, expected) in [
            ("0", 0),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.1236", 1_700_000_000_124),
            ("1.7e9", 1_700_000_000_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500),
            ("2023-11-14 22:13:20Z", 1_700_000_000_000),
        ] {
            assert_eq!(read_time(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("", "is no time"),
            ("yesterday", "RFC 3339"),
            ("nan", "is no time"),
            ("2023-11-14T22:13:20", "RFC 3339"),
            ("2023-11-14", "RFC 3339"),
            ("1700000000000", "not milliseconds"),
            ("-1", "before 1970"),
            ("1960-01-01T00:00:00Z", "before 1970"),
        ] {
            let reason = read_time(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }

    #[test]
    fn what_is_not_measured_is_no_value() {
        for text in ["", "NaN", "nan", "inf", "-Infinity", "1e999"] {
            assert_eq!(read_value(text), Ok(None), "{text}");
        }
        assert_eq!(read_value("-1.5e-3"), Ok(Some(-0.0015)));
        for text in ["x", "1,5", "5%", "0x10", "null"] {
            read_value(text).unwrap_err();
        }
    }

    #[test]
    fn a_step_takes_the_latest_point_that_is_no_older_than_a_step() {
        let minutely = points(&[(0, 0.0), (60_000, 1.0), (120_000, 2.0)]);
        assert_eq!(pairs(&aligned(&minutely, window(0, 120), 60)), [(0, 0.0), (60, 1.0), (120, 2.0)]);
        assert_eq!(pairs(&aligned(&minutely, window(60, 60), 60)), [(60, 1.0)], "each point once");
        let odd = points(&[(17_000, 0.0), (77_000, 1.0), (119_999, 2.0), (300_000, 5.0)]);
        let found = aligned(&odd, window(0, 360), 60);
        assert_eq!(
            pairs(&found),
            [(60, 0.0), (120, 2.0), (300, 5.0)],
            "later, never earlier; a hole stays one"
        );
        assert_eq!(pairs(&aligned(&odd, window(0, 119), 60)), [(60, 0.0)], "nothing after the window");
        assert_eq!(
            pairs(&by_the_second(&points(&[(0, 1.0), (1, 2.0), (2_500, 3.0)]))),
            [(0, 1.0), (1, 2.0), (3, 3.0)]
        );
    }

    #[test]
    fn contradictions_are_left_out() {
        let mut all = points(&[(2, 1.0), (1, 1.0), (1, 1.0), (2, 3.0), (3, 0.0)]);
        assert_eq!(tidy(&mut all), 1);
        assert_eq!(all, points(&[(1, 1.0), (3, 0.0)]));
    }

    proptest! {
        #[test]
        fn aligned_samples_lie_on_steps_and_are_in_order(
            mut all in prop::collection::vec((0..1_000_000_i64, -1e3..1e3_f64), 0..60),
            (start, length, step) in (0..1_000_i64, 0..1_000_i64, 1..90_u32),
        ) {
            all.sort_by_key(|(at, _)| *at);
            let all = points(&all);
            let found = aligned(&all, window(start, start + length), step);
            for sample in &found {
                let at = sample.at.unix();
                prop_assert!((start..=start + length).contains(&at) && (at - start) % i64::from(step) == 0);
                let lookback = at * 1000 - i64::from(step) * 1000;
                let latest = all.iter().rfind(|point| point.at_ms <= at * 1000).unwrap();
                prop_assert!(latest.at_ms > lookback && (latest.value - sample.value).abs() < 1e-12);
            }
            prop_assert!(found.is_sorted_by(|a, b| a.at < b.at));
            // No step is left out that has a point.
            for index in 0..=length / i64::from(step) {
                let at = (start + index * i64::from(step)) * 1000;
                let fresh = all.iter().any(|p| p.at_ms <= at && p.at_ms > at - i64::from(step) * 1000);
                prop_assert_eq!(fresh, found.iter().any(|sample| sample.at.unix() * 1000 == at));
            }
        }
    }
}
