//! How much an excursion after a deployment says against it.

use super::super::frame::Frame;
use super::excursion::{Excursion, Excursions, NOTICED};
use super::line::{Line, Traits};
use super::smooth;
use crate::domain::environment::signal::{LONG_STEP_SECS, Signal};
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::{onset_prior, predictive_rate};

/// How many excursions of size 1 a series of which nothing is known has …
const PRIOR_EXCURSIONS: f64 = 0.4;
/// … in this many samples.
const PRIOR_SAMPLES: f64 = 50.0;
/// Excursions of ten times the size are rarer by this power of ten: the exponent of a Pareto law, which the sizes of
/// incidents follow roughly.
const RARER: f64 = 1.5;
/// The same exponent for excursions like one that was seen: what comes by itself comes much alike, so that half as large
/// again is news, and a little more is not.
const MUCH_RARER: f64 = 8.0;
/// The evidence from which on a deployment is blamed: about one in 100 that are fine may look as bad …
const BLAMED: f64 = 4.6;
/// … and one in 75 where samples are far apart.
const BLAMED_LONG_STEP: f64 = 4.3;
/// Below this share of its highest value an excursion is on its way back, and one more sample is waited for.
const RECOVERING: f64 = 0.4;
/// An excursion of so few samples whose last ones fall may be the start of the new version: one more is waited for.
const WARMING_UP: std::ops::RangeInclusive<usize> = 3..=12;
/// Below which share of its highest value it falls.
const FALLING: f64 = 0.8;
/// With so much more evidence than needed …
const OVERWHELMING: f64 = 2.0;
/// … and so many samples beyond the line, damage that comes and goes is damage.
const COMES_AND_GOES: usize = 4;

/// What is asked of the evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The evidence that is enough.
    blamed: f64,
    /// How many times one looks, as a logarithm: what it takes off the evidence.
    looks: f64,
    /// How many samples must belong to the excursion.
    samples: usize,
    /// How many of them must be beyond the line.
    beyond: usize,
    /// Whether an excursion that recovers is waited for.
    patient: bool,
}

impl Demand {
    /// What is asked of a signal. `segments` is how many parts of it are looked at: each may look bad by chance, so that
    /// for all of them together to be fooled no more often, each must show more (Bonferroni: the evidence is a
    /// logarithm).
    pub(super) fn of(signal: &Signal, frame: &Frame, segments: u32) -> Self {
        let long = frame.step >= i64::from(LONG_STEP_SECS);
        // What happens in one moment is in all rates over a window that holds the moment.
        let echo = i64::from(signal.rate_window_secs) / frame.step + 1;
        let echo = if signal.rate_window_secs > 0 { usize::try_from(echo).unwrap_or(usize::MAX) } else { 1 };
        let wanted = usize::try_from(signal.min_samples).unwrap_or(usize::MAX);
        Self {
            blamed: if long { BLAMED_LONG_STEP } else { BLAMED },
            looks: f64::from(segments.max(1)).ln(),
            samples: wanted.max(echo).max(1),
            beyond: if long { 1 } else { 2 },
            patient: !long,
        }
    }

    /// What is asked of its running median: it is a second look, and each of its samples is made of several.
    pub(super) fn of_running_median(signal: &Signal, frame: &Frame, segments: u32) -> Self {
        let first = Self::of(signal, frame, segments.saturating_mul(2));
        Self { samples: first.samples.saturating_add(smooth::reach(frame)), ..first }
    }

    /// Two samples are enough of a service that is down.
    pub(super) fn of_outage(self) -> Self {
        Self { samples: self.samples.min(2), ..self }
    }
}

/// The evidence for damage that began with an excursion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proof {
    /// The logarithm of how many times likelier the excursion is if the deployment did damage than if it did none.
    pub(super) score: f64,
    /// How many excursions as large were in the baseline.
    pub(super) precedents: usize,
    /// Whether it is enough.
    pub(super) convinces: bool,
}

impl Proof {
    /// Weighs an excursion. Its likelihood if the deployment did damage is how often damage begins so soon; if it did
    /// none, how often excursions as large begin by themselves, as the baseline shows.
    ///
    /// However often one looks, a deployment that does nothing exceeds ln(1/α) with a probability of α at most: for an onset
    /// of prior p that takes an excursion so large that fewer than α·p of them begin at a sample, and over all onsets the
    /// priors add up to 1 (the union bound). That holds as far as the past is like the present and Pareto's law fits; what
    /// comes of it is measured (`docs/judging.md`).
    pub(super) fn of(
        excursion: &Excursion,
        history: &History,
        recent: &[Sample],
        line: &Line,
        demand: &Demand,
        frame: &Frame,
    ) -> Self {
        let precedents = history.at_least(excursion.size);
        let rate = history.rate(excursion.size);
        let lag = (excursion.from.secs_since(frame.settled_at) - 1).max(0) / frame.step;
        let score = onset_prior(u32::try_from(lag).unwrap_or(u32::MAX)).ln() - rate.ln() - demand.looks;
        let excess: Vec<f64> = recent.iter().map(|sample| line.excess(sample.value)).collect();
        let newest = recent.last();
        let last_three = newest.map_or(frame.end, |sample| sample.at.minus_secs(3 * frame.step));
        let lately = recent.iter().zip(&excess).filter(|(sample, _)| sample.at > last_three);
        let lately = lately.filter(|(_, excess)| **excess > NOTICED).count();
        let steps = excursion.to.secs_since(excursion.from) / frame.step;
        let comes_and_goes = score >= demand.blamed + OVERWHELMING
            && excursion.beyond >= COMES_AND_GOES
            && usize::try_from(steps).is_ok_and(|steps| steps >= excursion.samples);
        let enough = excursion.samples >= demand.samples
            && excursion.beyond >= demand.beyond.min(demand.samples)
            && lately >= if comes_and_goes { 1 } else { demand.samples.min(2) };
        let waits = demand.patient && recovers(excursion, &excess) && !comes_and_goes;
        Self { score, precedents, convinces: enough && !waits && score >= demand.blamed }
    }
}

/// Whether an excursion is on its way back, by the excess of the samples since the deployment.
fn recovers(excursion: &Excursion, excess: &[f64]) -> bool {
    let last = excess.last().copied().unwrap_or(0.0);
    let falls = match excess {
        [.., third, second, last] => third > second && second > last,
        _ => false,
    };
    let warms_up = WARMING_UP.contains(&excursion.samples) && falls && last < FALLING * excursion.highest;
    warms_up || last < RECOVERING * excursion.highest
}

/// What the time before the deployment was like.
#[derive(Clone, Debug)]
pub(super) struct History {
    sizes: Vec<f64>,
    samples: usize,
}

impl History {
    /// Walks along the baseline as it would have been judged then.
    pub(super) fn of(before: &[Sample], frame: &Frame, traits: &Traits, line: &Line) -> Self {
        let lines = Line::over_time(before, traits, line);
        let walk = Excursions::along(before, frame, |index, sample| {
            lines.get(index).map_or(0.0, |line| line.excess(sample.value))
        });
        Self { sizes: walk.all().map(|excursion| excursion.peak).collect(), samples: before.len() }
    }

    /// The size of the largest excursion; 0 when there was none.
    pub(super) fn largest(&self) -> f64 {
        self.sizes.iter().copied().fold(0.0, f64::max)
    }

    fn at_least(&self, size: f64) -> usize {
        self.sizes.iter().filter(|other| **other >= size).count()
    }

    /// How often excursions of at least this size begin by themselves, for each sample: by those that were as large, or by
    /// smaller ones and how much rarer larger ones are, whichever says more.
    fn rate(&self, size: f64) -> f64 {
        let prior = |size: f64| PRIOR_EXCURSIONS * size.max(1.0).powf(-RARER);
        let by = |seen: f64| {
            let rate = predictive_rate(self.at_least(seen), self.samples, prior(seen), PRIOR_SAMPLES);
            rate * (size.max(1.0) / seen.max(1.0)).powf(-MUCH_RARER)
        };
        let smaller = self.sizes.iter().copied().filter(|other| *other < size);
        smaller.map(by).fold(by(size), f64::max)
    }
}

/// Whether the service is down in all samples of an excursion.
pub(super) fn is_outage(excursion: &Excursion, after: &[Sample], line: &Line, traits: &Traits) -> bool {
    let down = traits.down(line.base);
    let during = after.iter().filter(|sample| sample.at >= excursion.from);
    down.is_finite() && during.into_iter().all(|sample| sample.value >= down)
}
