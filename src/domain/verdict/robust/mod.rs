//! The rule that needs no numbers from its user: worse than what the baseline explains.
//!
//! 1. [`orient`]: the series is turned so that higher is worse.
//! 2. [`line`]: a line is drawn above what the baseline and the season explain.
//! 3. [`excursion`]: samples beyond the line add evidence, samples within it take some away.
//! 4. [`attribution`]: enough evidence is blamed on the deployment only if the damage began after it.

mod attribution;
mod excursion;
mod line;
pub(super) mod orient;
mod season;

use self::attribution::Origin;
use self::excursion::{Demand, Excursion};
use self::line::{Line, Traits};
use self::orient::Orientation;
use super::assessment::{Assessment, State};
use super::frame::{Frame, Split, tail, values};
use crate::domain::evidence::{Sample, Seasonal};
use crate::domain::signal::Signal;
use crate::domain::stats::median;
use crate::domain::time::{Time, human_secs};

/// A baseline with fewer samples than this does not say what is usual.
const MIN_BASELINE: usize = 8;
/// How many samples of the baseline, the last ones, say what is usual.
const BASELINE_SAMPLES: usize = 60;
/// A state that was last measured longer ago than this may be over: no verdict that acts rests on it. Sources that
/// answer late need some minutes.
const STALE_SECS: i64 = 300;

/// The robust rule. `watch_secs` is the length of the watch window, for the seasonal windows.
pub(super) fn assess(
    split: &Split,
    frame: &Frame,
    signal: &Signal,
    seasonal: &[Seasonal],
    watch_secs: u32,
) -> Assessment {
    let found = split.before.len();
    if found < MIN_BASELINE {
        return Assessment::bare(State::Never(format!(
            "only {found} samples before the deployment, {MIN_BASELINE} are needed"
        )));
    }
    let orientation = Orientation::of(signal, split);
    let traits = Traits::of(signal, split);
    let split = split.map(|value| orientation.turn(value));
    let shift = season::shift(seasonal, frame, watch_secs, orientation);
    let case = |shift: f64| {
        let line = Line::draw(&values(tail(&split.before, BASELINE_SAMPLES)), &traits, frame.step, shift);
        let Some(line) = line else {
            return Assessment::bare(State::Never("the values are too large to judge".to_owned()));
        };
        Case { split: &split, frame, traits: &traits, line, demand: Demand::of(frame.step), orientation }
            .assess()
    };
    let found = case(0.0);
    // The season can excuse and never accuse: with the higher line alone, a baseline that was bad could seem good.
    if found.state == State::Regressed && shift > 0.0 { case(shift) } else { found }
}

/// One series, turned and with its line.
struct Case<'a> {
    split: &'a Split,
    frame: &'a Frame,
    traits: &'a Traits,
    line: Line,
    demand: Demand,
    orientation: Orientation,
}

impl Case<'_> {
    fn assess(&self) -> Assessment {
        let excursion = Excursion::walk(&self.split.after, &self.line, self.frame, &self.demand);
        if !excursion.convinces {
            return match attribution::bad_already(self.split, self.frame, self.traits) {
                Some(from) => self.with_numbers(State::Preexisting, Some(from)),
                None => self.with_numbers(self.quiet(&excursion), None),
            };
        }
        let Some(onset) = excursion.onset else {
            return self.with_numbers(State::Unclear("no onset".to_owned()), None);
        };
        if !self.line.has_scale {
            let why =
                "the baseline is always 0, so any value is a change: set a smallest difference that matters";
            return self.with_numbers(State::Unclear(why.to_owned()), None);
        }
        if self.is_stale() {
            let why = "the last samples are missing, so it may be over by now";
            return self.with_numbers(State::Unclear(why.to_owned()), None);
        }
        match attribution::origin(self.split, self.frame, self.traits, &self.line, onset) {
            Origin::SinceDeployment => self.with_numbers(State::Regressed, Some(onset)),
            Origin::Before(from) => self.with_numbers(State::Preexisting, Some(from)),
            Origin::Recurring(from) => {
                let earlier = human_secs(self.frame.deployed_at.secs_since(from));
                let why = format!("the same began {earlier} before the deployment, and passed then");
                self.with_numbers(State::Unclear(why), None)
            }
            Origin::Unknown => {
                let why = "samples are missing around the deployment, so it may have been bad before";
                self.with_numbers(State::Unclear(why.to_owned()), None)
            }
        }
    }

    fn is_stale(&self) -> bool {
        let last = self.split.after.last().map_or(self.frame.deployed_at, |sample| sample.at);
        self.frame.end.secs_since(last) > STALE_SECS && self.frame.is_hole(last, self.frame.end)
    }

    /// What a series without convincing evidence says: fine only when no evidence is left and the second half is
    /// back nearer to the base than to the line.
    fn quiet(&self, excursion: &Excursion) -> State {
        let after = &self.split.after;
        if after.is_empty() {
            return State::Unclear("no samples after the deployment".to_owned());
        }
        if !self.split.covers(self.frame) {
            let expected = self.frame.expected_after();
            return State::Unclear(format!(
                "only {} of {expected} expected samples after the deployment",
                after.len()
            ));
        }
        if excursion.score > 0.0 {
            return State::Unclear("some samples are beyond the line, too few to be sure".to_owned());
        }
        let second_half = values(tail(after, after.len().div_ceil(2)));
        let typical = median(&second_half).unwrap_or(self.line.base);
        if typical > self.line.half_way() {
            return State::Unclear("higher than before, but not by enough to be sure".to_owned());
        }
        // As bad as shortly before the deployment, and far worse than in most of the baseline.
        if typical > self.line.median + (self.line.at - self.line.base) {
            return State::Preexisting;
        }
        State::Fine
    }

    fn with_numbers(&self, state: State, since: Option<Time>) -> Assessment {
        let from = since.unwrap_or(self.frame.deployed_at);
        let after: Vec<Sample> =
            self.split.after.iter().filter(|sample| sample.at >= from).copied().collect();
        let original = |value: f64| self.orientation.turn(value);
        Assessment {
            state,
            before: Some(original(self.line.median)),
            after: median(&values(&after)).map(original),
            since,
            line: Some(original(self.line.at)),
            beyond: after.iter().filter(|sample| self.line.is_beyond(sample.value)).count(),
            of: after.len(),
        }
    }
}
