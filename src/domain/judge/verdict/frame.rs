//! Which samples count for what.

use crate::domain::environment::signal::{Signal, Window};
use crate::domain::judge::evidence::{Evidence, Sample};
use crate::domain::time::Time;

/// The longest hole, in steps, across which two samples still tell something about the time between them.
pub(super) const HOLE_STEPS: i64 = 3;

/// How many samples of the time before the deployment it takes to say what is usual.
pub(super) const MIN_BASELINE: usize = 8;

/// The times that divide a series, for one deployment and one signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where the baseline starts.
    pub(super) start: Time,
    /// The deployment.
    pub(super) deployed_at: Time,
    /// Whether it is a revert that is looked at.
    pub(super) is_revert: bool,
    /// From here on samples count as evidence.
    pub(super) settled_at: Time,
    /// The last moment looked at: now, or the end of the watch window.
    pub(super) end: Time,
    /// The end of the watch window.
    pub(super) closes_at: Time,
    /// Whether the watch window is still open.
    pub(super) open: bool,
    /// The distance of samples in seconds; at least 1.
    pub(super) step: i64,
}

impl Frame {
    /// The frame of an evidence for a signal. Samples that are not complete yet do not count.
    pub(super) fn new(evidence: &Evidence, signal: &Signal) -> Self {
        let window = Self::of_window(evidence);
        let complete = evidence.judged_at.minus_secs(i64::from(signal.delay_secs));
        Self { end: complete.min(window.end), step: i64::from(signal.step_secs.max(1)), ..window }
    }

    /// The frame of an evidence, for no signal.
    pub(super) fn of_window(evidence: &Evidence) -> Self {
        let deployed_at = evidence.deployed_at;
        let closes_at = deployed_at.plus_secs(i64::from(evidence.watch_secs));
        Self {
            start: deployed_at.minus_secs(i64::from(evidence.baseline_secs)),
            deployed_at,
            is_revert: evidence.after_revert.is_some(),
            settled_at: deployed_at.plus_secs(i64::from(evidence.settle_secs)),
            end: evidence.judged_at.min(closes_at),
            closes_at,
            open: evidence.judged_at < closes_at,
            step: 1,
        }
    }

    /// Whether two thirds of the time from settling to the end of the watch window have gone by, with samples that count.
    pub(super) fn is_late(&self) -> bool {
        let whole = self.closes_at.secs_since(self.settled_at);
        let gone = self.end.secs_since(self.settled_at);
        gone.saturating_mul(3) >= whole.saturating_mul(2)
    }

    /// The same frame some seconds earlier, with its watch window at its full length: what was seasonal then is
    /// known to its end.
    pub(super) fn earlier(&self, secs: u32, watch_secs: u32) -> Self {
        let shift = i64::from(secs);
        Self {
            start: self.start.minus_secs(shift),
            deployed_at: self.deployed_at.minus_secs(shift),
            settled_at: self.settled_at.minus_secs(shift),
            end: self.deployed_at.plus_secs(i64::from(watch_secs)).minus_secs(shift).min(self.end),
            ..*self
        }
    }

    /// Whether time went by without samples between two neighbours that are this far apart.
    pub(super) fn is_hole(&self, earlier: Time, later: Time) -> bool {
        later.secs_since(earlier) > self.step.saturating_mul(HOLE_STEPS)
    }

    /// Whether at least one sample is missing between two neighbours. Half a step is allowed for jitter.
    pub(super) fn is_missing_between(&self, earlier: Time, later: Time) -> bool {
        later.secs_since(earlier) > self.step.saturating_add(self.step / 2)
    }

    /// How many samples are missing between two neighbours.
    pub(super) fn missing_between(&self, earlier: Time, later: Time) -> usize {
        let steps = later.secs_since(earlier).saturating_add(self.step / 2) / self.step;
        usize::try_from(steps.saturating_sub(1)).unwrap_or(0)
    }

    /// How many samples there should be from the end of settling to the last moment looked at.
    pub(super) fn expected_after(&self) -> usize {
        usize::try_from(self.end.secs_since(self.settled_at) / self.step).unwrap_or(0)
    }

    /// Divides samples by this frame. What is before the baseline or after the end is left out.
    ///
    /// Bad input is defined, not refused: samples in any order are sorted; values that are not finite are dropped;
    /// a time with two different values contradicts itself and is dropped, as if nothing had been measured, while
    /// equal repetitions count once.
    pub(super) fn split(&self, samples: &[Sample]) -> Split {
        self.split_before(samples, &[])
    }

    /// The same, without those before the deployment that lie in a time which does not say what is usual.
    pub(super) fn split_before(&self, samples: &[Sample], unusual: &[Window]) -> Split {
        let mut split = Split::default();
        for sample in tidy(samples) {
            if sample.at < self.start || sample.at > self.end {
                continue;
            }
            let is_in = |window: &Window| (window.start..=window.end).contains(&sample.at);
            if sample.at <= self.deployed_at && unusual.iter().any(is_in) {
                continue;
            }
            if sample.at <= self.deployed_at {
                split.before.push(sample);
            } else if sample.at < self.settled_at {
                split.settling.push(sample);
            } else {
                split.after.push(sample);
            }
        }
        split
    }
}

/// Samples divided by a [`Frame`], each part in time order with one value a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    /// From the start of the baseline up to and with the deployment's second.
    pub(super) before: Vec<Sample>,
    /// After the deployment, before it has settled: no evidence, but good samples here acquit the time before.
    pub(super) settling: Vec<Sample>,
    /// The evidence.
    pub(super) after: Vec<Sample>,
}

impl Split {
    /// The same samples with every value replaced by `change(value)`.
    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let part = |samples: &[Sample]| {
            samples.iter().map(|sample| Sample { value: change(sample.value), ..*sample }).collect()
        };
        Self { before: part(&self.before), settling: part(&self.settling), after: part(&self.after) }
    }

    /// All samples in time order.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Sample> {
        self.before.iter().chain(&self.settling).chain(&self.after)
    }

    /// Why there is too little after the deployment to call a quiet signal healthy, if there is: it takes 3 samples and
    /// half of those that there should be.
    pub(super) fn too_thin(&self, frame: &Frame) -> Option<String> {
        let (found, expected) = (self.after.len(), frame.expected_after());
        if found == 0 {
            Some("no samples after the deployment".to_owned())
        } else if found.saturating_mul(2) < expected {
            Some(format!("only {found} of {expected} expected samples after the deployment"))
        } else if found < 3 {
            Some("too few samples after the deployment so far".to_owned())
        } else {
            None
        }
    }
}

/// Just the values.
pub(super) fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}

/// The last `count` samples.
pub(super) fn tail(samples: &[Sample], count: usize) -> &[Sample] {
    samples.get(samples.len().saturating_sub(count)..).unwrap_or_default()
}

fn tidy(samples: &[Sample]) -> Vec<Sample> {
    let mut sorted: Vec<Sample> = samples.iter().filter(|sample| sample.value.is_finite()).copied().collect();
    // Adding 0 turns −0 into 0, so that the two count as the same value.
    sorted.iter_mut().for_each(|sample| sample.value += 0.0);
    sorted.sort_by(|one, other| one.at.cmp(&other.at).then(one.value.total_cmp(&other.value)));
    sorted
        .chunk_by(|one, other| one.at == other.at)
        .filter(|same_time| same_time.windows(2).all(|pair| matches!(pair, [one, other] if one == other)))
        .filter_map(|same_time| same_time.first().copied())
        .collect()
}
