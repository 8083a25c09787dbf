//! The evidence of samples beyond the line.

use super::super::frame::Frame;
use super::line::Line;
use crate::domain::evidence::Sample;
use crate::domain::stats::real;
use crate::domain::time::Time;

/// How much evidence is enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The score from which on the evidence is enough.
    score: f64,
    /// How many samples of the current run must be beyond the line.
    exceedances: usize,
}

impl Demand {
    /// The demand for samples this many seconds apart. A sample over two minutes or more stands for more raw data,
    /// and waiting for another costs more.
    pub(super) fn of(step: i64) -> Self {
        if step >= 120 { Self { score: 5.5, exceedances: 2 } } else { Self { score: 7.0, exceedances: 3 } }
    }
}

/// A walk along the samples after a deployment, or after a pretended one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Excursion {
    /// The evidence at the last sample; never below 0.
    pub(super) score: f64,
    /// The first sample beyond the line of the current run, which is the time since the score was last 0.
    pub(super) onset: Option<Time>,
    /// Whether the evidence is enough at the last sample.
    pub(super) convinces: bool,
    /// The onset when the evidence was first enough, at whichever sample.
    pub(super) ever: Option<Time>,
}

impl Excursion {
    /// Adds up the evidence. A sample beyond the line adds, one within it takes away, and so does each one that is
    /// missing: an outage must not look worse than the samples that it swallowed.
    pub(super) fn walk(samples: &[Sample], line: &Line, frame: &Frame, demand: &Demand) -> Self {
        let mut found = Self::default();
        let mut exceedances: usize = 0;
        // Whether the last three samples are beyond the line, the newest first.
        let mut last = [false; 3];
        let mut previous: Option<Time> = None;
        for sample in samples {
            let missing = previous.map_or(0, |earlier| frame.missing_between(earlier, sample.at));
            let beyond = line.is_beyond(sample.value);
            found.score = (found.score + line.increments.within * real(missing)).max(0.0);
            if found.score <= 0.0 {
                (found.onset, exceedances) = (None, 0);
            }
            if beyond {
                found.score += line.increments.beyond;
                found.onset = found.onset.or(Some(sample.at));
                exceedances += 1;
            } else {
                found.score = (found.score + line.increments.within).max(0.0);
                if found.score <= 0.0 {
                    (found.onset, exceedances) = (None, 0);
                }
            }
            for _ in 0..missing.min(last.len()) {
                last = [false, last[0], last[1]];
            }
            last = [beyond, last[0], last[1]];
            let recent = last.iter().filter(|beyond| **beyond).count();
            found.convinces = found.score >= demand.score && exceedances >= demand.exceedances && recent >= 2;
            if found.convinces && found.ever.is_none() {
                found.ever = found.onset;
            }
            previous = Some(sample.at);
        }
        found
    }
}
