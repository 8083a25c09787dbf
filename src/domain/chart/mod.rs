//! What a chart of one signal around a deployment shows. A terminal, a picture and a forge draw the same chart: each decides
//! how it looks, and none what is in it.

mod axes;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use self::axes::{Room, extremes};
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::{Evidence, Found, Sample, Seasonal, Segment, SignalEvidence};
use crate::domain::judge::verdict::Finding;
use crate::domain::time::{Time, human_secs};

pub use self::axes::{Axes, seconds};

/// A line ends where samples are further apart than this many times their usual distance.
const HOLE: i64 = 3;
/// The most series that are drawn behind the own one.
const MAX_BEHIND: usize = 8;
/// A close-up shows before the deployment so many times what there is after it, …
const TIMES_BEFORE: i64 = 3;
/// … and at least so many samples.
const LEAST_BEFORE: i64 = 20;

/// What is drawn after the last sample, so that a revert stands on the chart, is at most this part of the time that has samples.
const SHARE_FOR_REVERT: i64 = 4;

/// What a chart shows.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// What the judge says about the signal.
    pub finding: &'a Finding,
    /// The name of the part that is shown, of a signal that a label splits.
    pub segment: Option<&'a str>,
    /// In time order, all finite, at least one.
    pub samples: Vec<Sample>,
    /// When the deployment came.
    pub deployed_at: Time,
    /// Since when samples count.
    pub settled_at: Time,
    /// When the revert came, where that is within the chart.
    pub reverted_at: Option<Time>,
    /// The line beyond which samples are bad, where it is within the chart.
    pub line: Option<f64>,
    /// What the width and the height stand for.
    pub axes: Axes,
    /// What the signal is compared with.
    pub behind: Vec<Behind>,
    /// Whether there is more to compare it with than the chart shows.
    pub is_more_behind: bool,
    signal: &'a SignalEvidence,
    seasonal: &'a [Seasonal],
}

/// A series that is drawn faintly behind the own one: another service's, or the own some time before.
#[derive(Clone, Debug)]
pub struct Behind {
    /// What a person calls it.
    pub name: String,
    /// Those that stand within the chart, at least two, in time order, moved to the time of the own.
    pub samples: Vec<Sample>,
}

/// A moment that is pointed out.
#[derive(Clone, Debug)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What happened, in a word.
    pub name: &'static str,
    /// The same with the time.
    pub caption: String,
}

/// What a sample stands for. Of several in one place the last matters most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleKind {
    /// It was there before the deployment.
    Before,
    /// It came after the deployment, and is not bad or does not count.
    After,
    /// It counts, and is beyond the line.
    Bad,
}

impl<'a> Chart<'a> {
    /// All samples of a signal; none where there are none. Of a signal that a label splits, the part that is worst since the
    /// deployment.
    #[must_use]
    pub fn of(evidence: &'a Evidence, signal: &'a SignalEvidence, finding: &'a Finding) -> Option<Self> {
        let deployed_at = evidence.deployed_at;
        let direction = signal.signal.direction;
        let since = |segment: &Segment| {
            let after = segment.samples.iter().filter(|sample| sample.at > deployed_at);
            worst(after, direction).map_or(f64::NEG_INFINITY, |value| badness(value, direction))
        };
        let segments = signal.segments.iter().filter(|segment| !segment.samples.is_empty());
        let segment = segments.max_by(|a, b| since(a).total_cmp(&since(b)));
        let (samples, seasonal) = match (segment, &signal.found) {
            (Some(segment), _) => (&segment.samples, &segment.seasonal),
            (None, Found::Samples(samples)) => (samples, &signal.seasonal),
            (None, Found::Gap(_)) => return None,
        };
        let mut chart = Self {
            finding,
            segment: segment.map(|segment| segment.name.as_str()),
            samples: samples.clone(),
            deployed_at,
            settled_at: deployed_at.plus_secs(evidence.settle_secs.into()),
            reverted_at: None,
            line: finding.line,
            axes: Axes::around(samples, deployed_at)?,
            behind: Vec::new(),
            is_more_behind: false,
            signal,
            seasonal,
        };
        chart.axes = chart.axes.for_values(chart.own(), Room::None);
        Some(chart)
    }

    /// The same with the time at which the deployment was reverted. There is room for it where it came soon after the last sample.
    #[must_use]
    pub fn reverted(mut self, at: Option<Time>) -> Self {
        let room = self.axes.span() / SHARE_FOR_REVERT;
        let is_near = |at: &Time| *at > self.deployed_at && at.secs_since(self.axes.last) <= room;
        self.reverted_at = at.filter(is_near);
        self.axes.last = self.reverted_at.map_or(self.axes.last, |at| at.max(self.axes.last));
        self
    }

    /// The same without what is long before the deployment.
    #[must_use]
    pub fn close_up(mut self) -> Option<Self> {
        let after = self.axes.last.secs_since(self.deployed_at);
        let least = i64::from(self.signal.signal.step_secs) * LEAST_BEFORE;
        let begin = self.deployed_at.minus_secs(after.saturating_mul(TIMES_BEFORE).max(least));
        self.samples.retain(|sample| sample.at >= begin);
        self.axes = Axes::around(&self.samples, self.deployed_at)?.for_values(self.own(), Room::None);
        Some(self)
    }

    /// The same with what the signal is compared with: the same some time before, and other services.
    #[must_use]
    pub fn compared(mut self) -> Self {
        let seasonal = self.seasonal.iter().map(|before| {
            let shift = i64::from(before.shift_secs);
            let moved = |sample: &Sample| Sample { at: sample.at.plus_secs(shift), ..*sample };
            let samples = before.samples.iter().map(moved).collect();
            Behind { name: format!("{} before", human_secs(shift)), samples }
        });
        let controls = self.signal.controls.iter();
        let controls =
            controls.map(|other| Behind { name: other.service.clone(), samples: other.samples.clone() });
        let mut behind: Vec<Behind> = seasonal.chain(controls).collect();
        self.is_more_behind = behind.len() > MAX_BEHIND;
        behind.truncate(MAX_BEHIND);
        let (least, most) = extremes(self.own());
        // What is far from the own is not worth a field in which the own is flat.
        let near = least - (most - least)..=most + (most - least);
        let others = behind.iter().flat_map(|other| &other.samples).map(|sample| sample.value);
        let values = self.own().chain(others.filter(|value| near.contains(value)));
        self.axes = self.axes.for_values(values, Room::None);
        behind.retain_mut(|other| {
            other.samples.retain(|sample| self.axes.holds(sample));
            other.samples.len() > 1
        });
        self.behind = behind;
        self
    }

    /// The same with at most so many samples, at equal distances: each is the worst of its time, and the same as the one
    /// before it where there is none. There is room above them, and the line is left out where it is far from them.
    #[must_use]
    pub fn reduced(mut self, most: usize) -> Self {
        let (axes, span) = (self.axes, self.axes.span());
        // No more than there are samples, so that a gap is one.
        let step = i64::from(self.signal.signal.step_secs.max(1));
        let count = usize::try_from(span / step + 1).unwrap_or(most).min(most).max(2);
        let place = |sample: &Sample| axes.nearest(sample.at, count);
        let parts = self.samples.chunk_by(|a, b| place(a) == place(b));
        let worst = parts.filter_map(|part| Some((place(part.first()?), self.worst(part)?)));
        let worst: BTreeMap<usize, f64> = worst.collect();
        let mut value = worst.values().next().copied().unwrap_or_default();
        let last = i64::try_from(count - 1).unwrap_or(i64::MAX);
        let filled = (0..count).zip(0..=last).map(|(place, index)| {
            value = worst.get(&place).copied().unwrap_or(value);
            Sample { at: axes.first.plus_secs(span.saturating_mul(index) / last), value }
        });
        self.samples = filled.collect();
        let values = self.samples.iter().map(|sample| sample.value);
        let (low, high) = extremes(values.clone());
        let near = |line: &f64| (line - low).abs().min((line - high).abs()) <= 2.0 * (high - low);
        self.axes = self.axes.for_values(values.chain(self.finding.line.filter(near)), Room::Above);
        self.line = self.finding.line.filter(|line| (self.axes.low..=self.axes.high).contains(line));
        self
    }

    /// The moments that the chart points out.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let marks = [
            ("deployed", Some(self.deployed_at)),
            ("onset", self.finding.since),
            ("reverted", self.reverted_at),
        ];
        let shown = marks.into_iter().filter_map(|(name, at)| Some((name, at?)));
        let shown = shown.filter(|(_, at)| self.axes.spans(*at));
        shown
            .map(|(name, at)| Mark { at, name, caption: format!("{name} {}", self.axes.moment(at)) })
            .collect()
    }

    /// What one of the samples stands for.
    #[must_use]
    pub fn kind(&self, sample: &Sample) -> SampleKind {
        let badness = |value| badness(value, self.signal.signal.direction);
        let is_beyond = self.line.is_some_and(|line| badness(sample.value) > badness(line));
        if sample.at <= self.deployed_at {
            SampleKind::Before
        } else if is_beyond && sample.at >= self.settled_at {
            SampleKind::Bad
        } else {
            SampleKind::After
        }
    }

    /// The worst value of some of the samples.
    #[must_use]
    pub fn worst(&self, samples: &[Sample]) -> Option<f64> {
        worst(samples.iter(), self.signal.signal.direction)
    }

    /// The values that the chart must have room for.
    fn own(&self) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().map(|sample| sample.value).chain(self.line).chain(self.finding.before)
    }
}

/// The stretches of samples that a line joins.
pub fn runs(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    let gap = |a: &Sample, b: &Sample| b.at.secs_since(a.at);
    let mut gaps: Vec<i64> = samples.iter().zip(samples.iter().skip(1)).map(|(a, b)| gap(a, b)).collect();
    gaps.sort_unstable();
    let hole = gaps.get(gaps.len() / 2).map_or(i64::MAX, |usual| usual.saturating_mul(HOLE));
    samples.chunk_by(move |a, b| gap(a, b) <= hole)
}

/// The worst of some values.
fn worst<'s>(samples: impl Iterator<Item = &'s Sample>, direction: Direction) -> Option<f64> {
    let values = samples.map(|sample| sample.value);
    values.max_by(|a, b| badness(*a, direction).total_cmp(&badness(*b, direction)))
}

/// A number that is the higher the worse a value is.
fn badness(value: f64, direction: Direction) -> f64 {
    match direction {
        Direction::HigherIsWorse => value,
        Direction::LowerIsWorse => -value,
    }
}
