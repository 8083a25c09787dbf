//! The rule that needs no numbers from its user: worse than what the baseline explains.
//!
//! 1. [`orient`]: the series is turned so that higher is worse.
//! 2. [`line`]: a line is drawn above what the baseline and the season explain.
//! 3. [`excursion`]: times at which the series is above it, before the deployment and since.
//! 4. [`evidence`]: an excursion since is held against how often such ones come by themselves.
//! 5. [`before`]: enough evidence is blamed on the deployment only if the damage began after it.

mod before;
mod evidence;
mod excursion;
mod line;
pub(super) mod orient;
mod season;

use self::before::Origin;
use self::evidence::{Demand, History, Proof, is_outage};
use self::excursion::{Walk, by_line};
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
/// How many samples of the baseline, the last ones, say what happens by itself.
const HISTORY_SAMPLES: usize = 80;
/// A state that was last measured longer ago than this may be over: no verdict that acts rests on it. Sources that
/// answer late need some minutes.
const STALE_SECS: i64 = 300;

/// What the robust rule is told besides the samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The signal.
    pub(super) signal: &'a Signal,
    /// The same window at other times.
    pub(super) seasonal: &'a [Seasonal],
    /// The length of the watch window, for the seasonal windows.
    pub(super) watch_secs: u32,
    /// How many segments of the signal are looked at.
    pub(super) looks: u32,
}

/// The robust rule.
pub(super) fn assess(split: &Split, frame: &Frame, context: &Context<'_>) -> Assessment {
    let found = split.before.len();
    if found < MIN_BASELINE {
        return Assessment::bare(State::Never(format!(
            "only {found} samples before the deployment, {MIN_BASELINE} are needed"
        )));
    }
    let signal = context.signal;
    let orientation = Orientation::of(signal, split);
    let traits = Traits::of(signal, split);
    let mut split = split.map(|value| orientation.turn(value));
    split.before = tail(&split.before, HISTORY_SAMPLES).to_vec();
    let shift = season::shift(context.seasonal, frame, context.watch_secs, orientation);
    let case = |shift: f64| match Line::above(&split.before, &traits, shift) {
        Some(line) => {
            let demand = Demand::of(signal, frame, context.looks);
            Case { split: &split, frame, signal, traits: &traits, line, demand, orientation }.assess()
        }
        None => Assessment::bare(State::Never("the values are too large to judge".to_owned())),
    };
    let found = case(0.0);
    // The season can excuse and never accuse: with the higher line alone, a baseline that was bad could seem good.
    if found.state == State::Regressed && shift > 0.0 { case(shift) } else { found }
}

/// One series, turned and with its line.
struct Case<'a> {
    split: &'a Split,
    frame: &'a Frame,
    signal: &'a Signal,
    traits: &'a Traits,
    line: Line,
    demand: Demand,
    orientation: Orientation,
}

impl Case<'_> {
    fn assess(&self) -> Assessment {
        let walk = by_line(&self.split.after, self.frame, &self.line);
        let Some(excursion) = walk.current else { return self.unmoved(&walk) };
        let outage = is_outage(&excursion, &self.split.after, self.signal, &self.line, self.traits);
        let demand = if outage { self.demand.of_outage() } else { self.demand };
        let history = History::of(&self.split.before, self.frame, self.traits, &self.line);
        let proof = Proof::of(&excursion, &history, &self.split.after, &self.line, &demand, self.frame);
        if !proof.convinces {
            return Assessment { proof: Some(proof.score), ..self.unmoved(&walk) };
        }
        let (state, since) = self.blame(excursion.from, || {
            before::origin(self.split, self.frame, self.traits, &self.line, &excursion)
        });
        Assessment {
            proof: Some(proof.score),
            precedents: proof.precedents,
            ..self.with_numbers(state, since)
        }
    }

    /// What enough evidence means: whether it can be believed, and whose doing the damage is.
    fn blame(&self, onset: Time, origin: impl Fn() -> Origin) -> (State, Option<Time>) {
        let unclear = |why: String| (State::Unclear(why), None);
        if !self.line.has_scale() {
            return unclear(
                "the baseline is always 0, so any value is a change: set a smallest difference that matters"
                    .to_owned(),
            );
        }
        if self.is_stale() {
            return unclear("the last samples are missing, so it may be over by now".to_owned());
        }
        match origin() {
            Origin::SinceDeployment => (State::Regressed, Some(onset)),
            Origin::Before(from) => (State::Preexisting, Some(from)),
            Origin::Recurring(at) => {
                let earlier = human_secs(self.frame.deployed_at.secs_since(at));
                unclear(format!("the same was seen {earlier} before the deployment, and passed then"))
            }
            Origin::Unknown => unclear(
                "samples are missing around the deployment, so it may have been bad before".to_owned(),
            ),
        }
    }

    fn is_stale(&self) -> bool {
        let last = self.split.after.last().map_or(self.frame.deployed_at, |sample| sample.at);
        self.frame.end.secs_since(last) > STALE_SECS && self.frame.is_hole(last, self.frame.end)
    }

    /// What a series without convincing evidence says.
    fn unmoved(&self, walk: &Walk) -> Assessment {
        match before::bad_already(self.split, self.frame, self.traits) {
            Some(from) => self.with_numbers(State::Preexisting, Some(from)),
            None => self.with_numbers(self.quiet(walk), None),
        }
    }

    /// Fine only when no evidence is left and the second half is back nearer to the base than to the line.
    fn quiet(&self, walk: &Walk) -> State {
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
        if walk.current.is_some_and(|excursion| excursion.beyond > 0) {
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
            before: Some(original(self.line.median)),
            after: median(&values(&after)).map(original),
            since,
            line: Some(original(self.line.at)),
            beyond: after.iter().filter(|sample| self.line.is_beyond(sample.value)).count(),
            of: after.len(),
            ..Assessment::bare(state)
        }
    }
}
