//! Judging one series by one line.

use super::before::{self, Origin};
use super::evidence::{Demand, History, Proof, is_outage};
use super::excursion::{Excursion, Excursions, by_line};
use super::line::{Line, Traits};
use super::orient::Orientation;
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::median;
use crate::domain::judge::verdict::assessment::{Assessment, State};
use crate::domain::judge::verdict::frame::{Frame, Split, tail, values};
use crate::domain::time::{Time, human_secs};

/// A state that was last measured longer ago than this may be over: no verdict that acts rests on it. Sources that
/// answer late need some minutes.
const STALE_SECS: i64 = 300;

/// From how many times the largest excursion of the baseline on one is nothing like them.
const DWARFS: f64 = 4.0;

/// One way to look at a series, which is turned already.
pub(super) struct Look<'a> {
    /// The samples as they are, for people.
    pub(super) samples: &'a Split,
    /// The series that is judged.
    pub(super) split: &'a Split,
    /// What its line depends on.
    pub(super) traits: Traits,
    /// What is asked of the evidence.
    pub(super) demand: Demand,
}

impl<'a> Look<'a> {
    /// The series with its line, `shift` above where the baseline alone puts it.
    pub(super) fn trial(
        &'a self,
        frame: &'a Frame,
        orientation: Orientation,
        shift: f64,
    ) -> Option<Trial<'a>> {
        let line = Line::above(&self.split.before, &self.traits, shift)?;
        Some(Trial { look: self, frame, line, orientation })
    }
}

/// One series with its line.
pub(super) struct Trial<'a> {
    pub(super) look: &'a Look<'a>,
    pub(super) frame: &'a Frame,
    pub(super) line: Line,
    pub(super) orientation: Orientation,
}

impl Trial<'_> {
    /// What the series says.
    pub(super) fn assess(&self) -> Assessment {
        let walk = by_line(&self.look.split.after, self.frame, &self.line);
        let Some(excursion) = walk.current else { return self.unmoved(&walk) };
        let outage = is_outage(&excursion, &self.look.split.after, &self.line, &self.look.traits);
        let demand = if outage { self.look.demand.of_outage() } else { self.look.demand };
        let history = History::of(&self.look.split.before, self.frame, &self.look.traits, &self.line);
        let proof = Proof::of(&excursion, &history, &self.look.split.after, &self.line, &demand, self.frame);
        if !proof.convinces {
            return Assessment { proof: Some(proof.score), ..self.unmoved(&walk) };
        }
        let (state, since) = self.blame(&excursion, &history);
        Assessment {
            surely_before: state == State::Preexisting,
            proof: Some(proof.score),
            precedents: proof.precedents,
            ..self.with_numbers(state, since, &self.line)
        }
    }

    /// What enough evidence means: whether it can be believed, and whose doing the damage is.
    fn blame(&self, excursion: &Excursion, history: &History) -> (State, Option<Time>) {
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
        match before::origin(self.look.split, self.frame, &self.look.traits, &self.line, excursion) {
            Origin::SinceDeployment => (State::Regressed, Some(excursion.from)),
            // What passed was nothing like it.
            Origin::Recurring(_) if excursion.size > DWARFS * history.largest() => {
                (State::Regressed, Some(excursion.from))
            }
            Origin::Before(from) => (State::Preexisting, Some(from)),
            Origin::Recurring(at) => {
                let earlier = human_secs(self.frame.deployed_at.secs_since(at));
                unclear(format!("the same was seen {earlier} before the deployment, and passed then"))
            }
            Origin::Unknown => (State::Blind, None),
        }
    }

    fn is_stale(&self) -> bool {
        let last = self.look.split.after.last().map_or(self.frame.deployed_at, |sample| sample.at);
        self.frame.end.secs_since(last) > STALE_SECS && self.frame.is_hole(last, self.frame.end)
    }

    /// What a series without convincing evidence says.
    fn unmoved(&self, walk: &Excursions) -> Assessment {
        match before::bad_already(self.look.split, self.frame, &self.look.traits) {
            Some((from, line)) => {
                let found = self.with_numbers(State::Preexisting, Some(from), &line);
                Assessment { surely_before: true, ..found }
            }
            None => self.with_numbers(self.quiet(walk), None, &self.line),
        }
    }

    /// Fine only when no evidence is left and the second half is back nearer to the base than to the line.
    fn quiet(&self, walk: &Excursions) -> State {
        let after = &self.look.split.after;
        if let Some(why) = self.look.split.too_thin(self.frame) {
            return State::Unclear(why);
        }
        match walk.current {
            Some(excursion) if excursion.beyond > 0 => {
                return State::Unclear("some samples are beyond the line, too few to be sure".to_owned());
            }
            Some(_) if self.frame.open => {
                return State::Unclear("on the way to the line, and not beyond it so far".to_owned());
            }
            Some(_) | None => {}
        }
        let second_half = values(tail(after, after.len().div_ceil(2)));
        if median(&second_half).is_some_and(|typical| typical > self.line.half_way()) {
            return State::Unclear("worse than before, but not by enough to be sure".to_owned());
        }
        State::Fine
    }

    fn with_numbers(&self, state: State, since: Option<Time>, line: &Line) -> Assessment {
        let from = since.unwrap_or(self.frame.deployed_at);
        let after: Vec<Sample> =
            self.look.samples.after.iter().filter(|sample| sample.at >= from).copied().collect();
        let original = |value: f64| self.orientation.turn(value);
        Assessment {
            before: Some(original(line.median)),
            after: median(&values(&after)).map(original),
            since,
            line: Some(original(line.at)),
            beyond: after.iter().filter(|sample| line.is_beyond(sample.value)).count(),
            of: after.len(),
            ..Assessment::bare(state)
        }
    }
}
