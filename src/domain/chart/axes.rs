//! The axes of a chart: which times and values it spans, and what stands along them.

use crate::domain::judge::evidence::Sample;
use crate::domain::time::Time;

/// The most marks along an axis.
const MAX_TICKS: i32 = 8;
/// Distances of marks along the axis of time, in seconds.
const TICK_SECS: [i64; 12] = [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/// What the width and the height of a chart stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// The time at the left edge.
    pub first: Time,
    /// The time at the right edge.
    pub last: Time,
    /// The value at the bottom.
    pub low: f64,
    /// The value at the top.
    pub high: f64,
}

impl Axes {
    /// Axes that span these samples and a moment, with values yet to come; none without samples.
    pub(super) fn around(samples: &[Sample], at: Time) -> Option<Self> {
        let (first, last) = (samples.first()?.at.min(at), samples.last()?.at.max(at));
        Some(Self { first, last, low: 0.0, high: 1.0 })
    }

    /// The same with an axis for these values.
    pub(super) fn for_values(self, values: impl Iterator<Item = f64>, room: Room) -> Self {
        value_range(values, room).map_or(self, |(low, high)| Self { low, high, ..self })
    }

    /// How far from the left edge a time stands, as a share of the width.
    #[must_use]
    pub fn across(&self, at: Time) -> f64 {
        (seconds(at.secs_since(self.first)) / seconds(self.span().max(1))).clamp(0.0, 1.0)
    }

    /// How far from the top a value stands, as a share of the height.
    #[must_use]
    pub fn down(&self, value: f64) -> f64 {
        // Halves, as the distance of two large numbers may not be finite.
        let share = (self.high / 2.0 - value / 2.0) / (self.high / 2.0 - self.low / 2.0);
        share.clamp(0.0, 1.0)
    }

    /// Which of some points, at equal distances from the left edge to the right one, is nearest to a time.
    #[must_use]
    pub fn nearest(&self, at: Time, points: usize) -> usize {
        let (span, last) = (self.span(), i64::try_from(points).unwrap_or(i64::MAX).saturating_sub(1));
        let part = at.secs_since(self.first).clamp(0, span);
        let doubled = part.saturating_mul(last).saturating_mul(2).saturating_add(span);
        usize::try_from(doubled / span.saturating_mul(2).max(1)).unwrap_or(0).min(points.saturating_sub(1))
    }

    /// Whether the chart spans a time.
    #[must_use]
    pub fn spans(&self, at: Time) -> bool {
        (self.first..=self.last).contains(&at)
    }

    /// Whether a sample stands within the chart.
    pub(super) fn holds(&self, sample: &Sample) -> bool {
        self.spans(sample.at) && (self.low..=self.high).contains(&sample.value)
    }

    /// How many seconds the chart spans.
    #[must_use]
    pub fn span(&self) -> i64 {
        self.last.secs_since(self.first)
    }

    /// A time as the chart writes it: the time of day in UTC, `03:14`, with the day, `11-20 03:14`, where the chart
    /// spans more than one.
    #[must_use]
    pub fn moment(&self, at: Time) -> String {
        let minute = at.unix().rem_euclid(86_400) / 60;
        let time_of_day = format!("{:02}:{:02}", minute / 60, minute % 60);
        match at.to_string().get(5..10).filter(|_| self.span() > 86_400) {
            Some(day) => format!("{day} {time_of_day}"),
            None => time_of_day,
        }
    }

    /// Round times, as the chart writes them.
    #[must_use]
    pub fn time_ticks(&self) -> Vec<(Time, String)> {
        let (span, most) = (self.span().max(1), i64::from(MAX_TICKS));
        let step = TICK_SECS.into_iter().find(|step| span / step < most).unwrap_or(span / most + 1);
        let first = self.first.unix().div_euclid(step) + 1;
        let times = (first..=first + most).map(|index| Time::from_unix(index.saturating_mul(step)));
        times.take_while(|at| *at <= self.last).map(|at| (at, self.moment(at))).collect()
    }

    /// Round values, as the chart writes them; `percent` says whether they are shares of 1.
    #[must_use]
    pub fn value_ticks(&self, percent: bool) -> Vec<(f64, String)> {
        let rough = (self.high / 5.0 - self.low / 5.0).abs();
        let size = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * size).into_iter().find(|step| *step >= rough);
        let step = step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(rough);
        let first = (self.low / step).ceil();
        let values = (0..MAX_TICKS).map(|index| (first + f64::from(index)) * step);
        let shown = values.take_while(|value| value.is_finite() && *value <= self.high + step * 1e-6);
        shown.map(|value| (value, round(value, step, percent))).collect()
    }
}

/// A round value with as many digits as it needs.
fn round(value: f64, step: f64, percent: bool) -> String {
    // No share is this large, and times 100 it might not be finite.
    let (value, step, unit) = if percent && value.abs() < 1e6 && step < 1e6 {
        (value * 100.0, step * 100.0, " %")
    } else {
        (value, step, "")
    };
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.1e}{unit}");
    }
    let digits: usize = [1.0, 0.1, 0.01, 0.001, 1e-4].iter().take_while(|size| step < **size * 0.999).count();
    format!("{value:.digits$}{unit}")
}

/// Whether an axis leaves room above the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The highest value stands at the top.
    None,
    /// A tenth is left above the values. Zero is part of the axis from twice as far away.
    Above,
}

/// The lowest and the highest value of an axis for these values. It begins at zero unless they are far from it.
fn value_range(values: impl Iterator<Item = f64>, room: Room) -> Option<(f64, f64)> {
    let (low, high) = extremes(values);
    // Halves, as above.
    let half = high / 2.0 - low / 2.0;
    if !half.is_finite() {
        return None;
    }
    let (near, stretch) = if room == Room::Above { (half * 2.0, 1.1) } else { (half, 1.0) };
    if low >= 0.0 && low <= near {
        return Some((0.0, if high > 0.0 { (high * stretch).min(f64::MAX) } else { 1.0 }));
    }
    let around = if half <= 0.0 { low.abs() / 10.0 } else { half / 5.0 };
    Some(((low - around).max(f64::MIN), (high + around).min(f64::MAX)))
}

/// The lowest and the highest of some values.
pub(super) fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// A number of seconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "as exact as a chart can show")]
#[must_use]
pub fn seconds(secs: i64) -> f64 {
    secs as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_begins_at_zero_unless_that_is_far() {
        let value_range = |values: &[f64]| value_range(values.iter().copied(), Room::None);
        assert_eq!(value_range(&[1.0, 9.0]), Some((0.0, 9.0)));
        assert_eq!(value_range(&[0.0, 0.0]), Some((0.0, 1.0)));
        let (low, high) = value_range(&[100.0, 110.0]).unwrap();
        assert!((98.0..100.0).contains(&low) && (110.0..112.0).contains(&high));
        assert!(value_range(&[-5.0, -5.0]).is_some_and(|(low, high)| low < -5.0 && high > -5.0));
        assert!(value_range(&[f64::MIN, f64::MAX]).is_some());
        assert_eq!(value_range(&[]), None);
    }

    #[test]
    fn times_have_the_day_where_there_are_several() {
        let (day, later) = (Time::from_unix(1_795_144_440), Time::from_unix(1_795_144_440 + 90_000));
        let until = |last: Time| Axes { first: day, last, low: 0.0, high: 1.0 };
        assert_eq!(until(later).moment(day), "11-20 03:14");
        assert_eq!(until(day).moment(day), "03:14");
    }

    #[test]
    fn round_values_have_the_digits_that_they_need() {
        for (value, step, percent, expected) in [
            (0.0, 1.0, false, "0"),
            (0.1 + 0.2, 0.1, false, "0.3"),
            (0.02, 0.02, true, "2 %"),
            (0.005, 0.005, true, "0.5 %"),
            (250.0, 50.0, false, "250"),
            (2e9, 1e9, false, "2.0e9"),
            (-1e-18, 0.5, false, "0.0"),
        ] {
            assert_eq!(round(value, step, percent), expected);
        }
    }
}
