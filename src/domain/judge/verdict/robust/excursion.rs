//! Excursions: times at which a series stays above what is usual.

use super::super::frame::Frame;
use super::line::Line;
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::real;
use crate::domain::time::Time;

/// From which excess on a sample belongs to an excursion. The line itself is at 1; damage that begins slowly, or that
/// is seen through a rate over some minutes, is noticed on its way there.
pub(super) const NOTICED: f64 = 0.6;
/// What a sample below [`NOTICED`], or one that is missing, takes away from the size of an excursion.
const LEAK: f64 = 1.0;
/// An excursion is over when less than this share of its greatest size is left.
const REMAINS: f64 = 0.3;
/// An excess counts as no more than this: one wild value is not worth many bad ones.
const MAX_EXCESS: f64 = 20.0;

/// A time at which a series was above what is usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Excursion {
    /// The first sample of it.
    pub(super) from: Time,
    /// The last sample so far that belongs to it.
    pub(super) to: Time,
    /// How large it is: 1 for a sample at the line, more by the logarithm for one beyond it, less for one below.
    pub(super) size: f64,
    /// How large it was at its largest.
    pub(super) peak: f64,
    /// The greatest excess.
    pub(super) highest: f64,
    /// How many samples belong to it.
    pub(super) samples: usize,
    /// How many of them are beyond the line.
    pub(super) beyond: usize,
    /// Whether it was still going on at the last sample.
    pub(super) open: bool,
}

impl Excursion {
    fn at(at: Time) -> Self {
        Self { from: at, to: at, size: 0.0, peak: 0.0, highest: 0.0, samples: 0, beyond: 0, open: true }
    }

    fn grow(&mut self, at: Time, excess: f64) {
        self.to = at;
        self.size += gain(excess);
        self.peak = self.peak.max(self.size);
        self.highest = self.highest.max(excess);
        self.samples += 1;
        self.beyond += usize::from(excess > 1.0);
    }

    fn shrink(&mut self, by: f64) {
        self.size -= by;
        self.open = self.size > 0.0 && self.size >= REMAINS * self.peak;
    }
}

fn gain(excess: f64) -> f64 {
    ((excess - NOTICED) / (1.0 - NOTICED)).min(1.0) + excess.clamp(1.0, MAX_EXCESS).ln()
}

/// What a walk along a series has found.
#[derive(Clone, Debug, Default)]
pub(super) struct Excursions {
    /// The excursions that are over, in time order.
    pub(super) past: Vec<Excursion>,
    /// The one that goes on.
    pub(super) current: Option<Excursion>,
}

impl Excursions {
    /// Walks along samples in time order; `excess` says how far each is above what is usual, in units of the line's
    /// distance. A sample that is missing counts as a good one: an outage must not look worse than what it swallowed.
    pub(super) fn along(samples: &[Sample], frame: &Frame, excess: impl Fn(usize, &Sample) -> f64) -> Self {
        let mut walk = Self::default();
        let mut previous: Option<Time> = None;
        for (index, sample) in samples.iter().enumerate() {
            let missing = previous.map_or(0, |earlier| frame.missing_between(earlier, sample.at));
            if missing > 0 {
                walk.shrink(LEAK * real(missing));
            }
            let excess = excess(index, sample);
            if excess > NOTICED {
                walk.current.get_or_insert(Excursion::at(sample.at)).grow(sample.at, excess);
            } else {
                // A sample far below the usual takes away as much as one at the usual.
                walk.shrink(LEAK * (1.0 - excess.max(0.0) / NOTICED / 2.0));
            }
            previous = Some(sample.at);
        }
        walk
    }

    fn shrink(&mut self, by: f64) {
        let Some(current) = &mut self.current else { return };
        current.shrink(by);
        if !current.open {
            self.past.extend(self.current.take());
        }
    }

    /// All excursions.
    pub(super) fn all(&self) -> impl Iterator<Item = &Excursion> {
        self.past.iter().chain(&self.current)
    }
}

/// The walk along samples by one line.
pub(super) fn by_line(samples: &[Sample], frame: &Frame, line: &Line) -> Excursions {
    Excursions::along(samples, frame, |_, sample| line.excess(sample.value))
}
