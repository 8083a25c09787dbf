//! Whether it was so before the deployment.

use super::super::frame::{Frame, MIN_BASELINE, Split, tail, values};
use super::excursion::{Excursion, by_line};
use super::line::{BASELINE_SAMPLES, Line, Traits};
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::{median, real};
use crate::domain::time::Time;

/// How many samples before the deployment are held against the time before them; of a short baseline a third.
pub(super) const SHORTLY: usize = 10;
/// As many when the question is since when it has been bad.
const LATELY: [usize; 3] = [SHORTLY, 20, 30];
/// How many of them must be quiet, but for the very last, which may have seen the deployment.
const QUIET: usize = 6;
/// The median excess of the last three samples from which on it was bad already.
const BAD_ALREADY: f64 = 0.7;
/// The excess of the last two samples from which on it was rising already, if it never was so high for two samples.
const RISING: f64 = 0.25;

/// Where damage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It began after the deployment.
    SinceDeployment,
    /// It began at this time, before the deployment.
    Before(Time),
    /// The same was seen at this time, shortly before the deployment, and passed: it may pass again.
    Recurring(Time),
    /// The samples that would tell are missing.
    Unknown,
}

/// Where damage that began with this excursion comes from. Two questions, each of which can acquit the deployment: was
/// it bad up to the onset without a break? And had it become bad, or was it about to, shortly before the deployment, as
/// seen from the time before that?
pub(super) fn origin(
    split: &Split,
    frame: &Frame,
    traits: &Traits,
    line: &Line,
    excursion: &Excursion,
) -> Origin {
    let unbroken = unbroken(split, frame, line, excursion.from);
    if unbroken != Origin::SinceDeployment {
        return unbroken;
    }
    match Lately::before(split, traits, SHORTLY) {
        Some(lately) => lately.origin(frame),
        None => Origin::SinceDeployment,
    }
}

/// Since when it has been bad, when nothing changed with the deployment because it was bad already: it had become bad
/// some time before, and the samples since are typically still beyond the line of the time before that, which is given
/// too.
pub(super) fn bad_already(split: &Split, frame: &Frame, traits: &Traits) -> Option<(Time, Line)> {
    let typical = median(&values(&split.after))?;
    LATELY.iter().find_map(|samples| {
        let lately = Lately::before(split, traits, *samples)?;
        let current = by_line(lately.last, frame, &lately.line).current?;
        (current.beyond >= 2 && lately.line.is_beyond(typical)).then_some((current.from, lately.line))
    })
}

/// Looks back from the onset to the last good sample. One bad sample less than a step before the deployment does not
/// count: some sources give a sample the time at which its span began, so that it may have seen the deployment.
fn unbroken(split: &Split, frame: &Frame, line: &Line, onset: Time) -> Origin {
    let surely_before = frame.deployed_at.minus_secs(frame.step);
    let mut first_bad = onset;
    for sample in split.all().rev().filter(|sample| sample.at < onset) {
        if line.is_beyond(sample.value) {
            first_bad = sample.at;
        } else if first_bad <= surely_before {
            break;
        } else if sample.at > frame.deployed_at || !frame.is_hole(sample.at, first_bad.min(frame.deployed_at))
        {
            return Origin::SinceDeployment;
        } else {
            return Origin::Unknown;
        }
    }
    if first_bad <= surely_before { Origin::Before(first_bad) } else { Origin::Unknown }
}

/// The last samples before the deployment, seen from the time before them.
pub(super) struct Lately<'a> {
    earlier: &'a [Sample],
    last: &'a [Sample],
    line: Line,
}

impl<'a> Lately<'a> {
    /// Nothing where there is too little before them.
    pub(super) fn before(split: &'a Split, traits: &Traits, samples: usize) -> Option<Self> {
        let before = split.before.as_slice();
        let (earlier, last) = before.split_at_checked(before.len() - samples.min(before.len() / 3))?;
        if earlier.len() < MIN_BASELINE {
            return None;
        }
        let line = Line::above(earlier, traits, 0.0).filter(Line::has_scale)?;
        Some(Self { earlier: tail(earlier, BASELINE_SAMPLES), last, line })
    }

    /// Whether more of some other samples of the same times were beyond the line of the time before than is usual for
    /// them. The very last one is not asked.
    pub(super) fn is_troubled(&self, others: &[Sample]) -> bool {
        let (_, but_last) = others.split_last().unzip();
        let but_last = but_last.unwrap_or_default();
        let (earlier, lately) = but_last.split_at(but_last.len().saturating_sub(QUIET));
        let beyond = |samples: &[Sample]| {
            real(samples.iter().filter(|sample| self.line.is_beyond(sample.value)).count())
        };
        let usual = beyond(earlier) / real(earlier.len().max(1));
        beyond(lately) > 1.0 + usual * real(QUIET)
    }

    /// A sample that is missing there may have been a bad one, where one beside it is.
    fn origin(&self, frame: &Frame) -> Origin {
        let excess = |sample: &Sample| self.line.excess(sample.value);
        let three = self.steps(frame, 3);
        let bad = three.iter().filter(|sample| excess(sample) > BAD_ALREADY).count();
        let from = three.first().filter(|_| bad >= 1 && bad + (3 - three.len().min(3)) >= 2);
        if let Some(from) = from.map(|sample| sample.at).or_else(|| self.rising(frame)) {
            return Origin::Before(from);
        }
        let (_, but_last) = tail(self.last, QUIET).split_last().unzip();
        let passed = but_last.unwrap_or_default().iter().find(|sample| excess(sample) > 1.0);
        passed.map_or(Origin::SinceDeployment, |sample| Origin::Recurring(sample.at))
    }

    /// When the samples of the last two steps are all higher than any two in a row were before.
    fn rising(&self, frame: &Frame) -> Option<Time> {
        let lower =
            |samples: &[Sample]| samples.iter().map(|sample| self.line.excess(sample.value)).reduce(f64::min);
        let highest = self.earlier.windows(2).filter_map(lower).fold(f64::MIN, f64::max);
        let two = self.steps(frame, 2);
        let eight = self.last.get(..self.last.len() - two.len())?;
        let just_before = eight.iter().map(|sample| self.line.excess(sample.value)).fold(0.0, f64::max);
        let now = lower(two)?;
        two.first().filter(|_| now > just_before + RISING && now > highest).map(|sample| sample.at)
    }

    /// The samples of the last steps before the deployment.
    fn steps(&self, frame: &Frame, steps: i64) -> &'a [Sample] {
        let from = frame.deployed_at.minus_secs(frame.step.saturating_mul(steps));
        let first = self.last.partition_point(|sample| sample.at <= from);
        self.last.get(first..).unwrap_or_default()
    }
}
