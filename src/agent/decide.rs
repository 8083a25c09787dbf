//! Deciding about every deployment. The guards are [`crate::domain::decision`]'s; this is what they are told.

use std::collections::BTreeSet;

use super::judge::behind::behind;
use super::judge::judged::Judged;
use super::judge::turns::turns;
use super::look::context::Pass;
use super::look::state::State;
use crate::domain::decision::{
    Case, Decision, GoneRevert, GuardAnswer, Member, Situation, Turn, ask_member, decide, used_of_budget,
};
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::ServiceName;
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;

/// A decision, and what the guards said that were asked.
pub(super) type Decided = (Decision, Vec<GuardAnswer>);

/// What the guards get to see besides the deployment that they are asked about.
struct Scene<'a> {
    pass: &'a Pass<'a>,
    state: &'a State,
    /// The reverts that count. So many of them, the first, were made.
    entries: Vec<RevertEntry>,
    landed: usize,
    cases: Vec<Case<'a>>,
    regressed: Vec<Case<'a>>,
    red_before: Vec<Deployment>,
    in_vain: Vec<RevertEntry>,
}

impl<'a> Scene<'a> {
    fn new(pass: &'a Pass<'a>, state: &'a State, judged: &'a [Judged], made: Vec<RevertEntry>) -> Self {
        let (entries, landed) = counted(pass, state, made);
        let cases: Vec<Case<'_>> = judged.iter().map(Judged::case).collect();
        let is_bad = |case: &Case<'_>| case.judgement.verdict == Verdict::Regressed;
        let regressed = cases.iter().copied().filter(is_bad).collect();
        let red_before = state.recovering(pass).into_iter().cloned().collect();
        Self { pass, state, entries, landed, cases, regressed, red_before, in_vain: state.in_vain(pass) }
    }

    /// Decides about one of them. `goes_with` is the service whose revert takes it back, `turn` its place in a group that goes back one
    /// service after another.
    fn decide(&self, one: &Judged, goes_with: Option<&ServiceName>, turn: Option<&Turn>) -> Decided {
        let counts = |(index, entry): &(usize, &RevertEntry)| {
            // What only went back with another one says nothing against a service that goes back with another one.
            let is_asked = turn.is_none() || entry.is_of_bad() || entry.id == one.deployment.id;
            is_asked && (*index < self.landed || !goes_back_with(one, entry))
        };
        let reverts: Vec<RevertEntry> =
            self.entries.iter().enumerate().filter(counts).map(|(_, entry)| entry.clone()).collect();
        let situation = Situation {
            now: self.pass.now,
            budget: self.pass.environment.budget,
            brakes: &self.state.brakes,
            reverts: &reverts,
            gone: &self.state.gone,
            pins: &self.state.pins,
            regressed: &self.regressed,
            red_before: &self.red_before,
            in_vain: &self.in_vain,
            open: &self.cases,
            watched: &self.state.watched,
        };
        let asked = |member: &Judged| ask_member(&member.case(), &situation, one.policy.mode);
        let members: Vec<Member> = one.members.iter().map(asked).collect();
        decide(&Case { members: &members, goes_with, turn, ..one.case() }, &situation)
    }
}

/// Decides about every deployment; also returns what each guard said that was asked. `made` are the reverts that this pass
/// has planned or has put under way: they count for all deployments but their own, and for none of what goes back with it.
pub(super) fn decide_all(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    made: Vec<RevertEntry>,
) -> Vec<Decided> {
    let scene = Scene::new(pass, state, judged, made);
    let mut decided: Vec<Decided> = judged.iter().map(|one| scene.decide(one, None, None)).collect();
    for (place, one) in judged.iter().enumerate() {
        if let Some(with) = leading(judged, &decided, place) {
            let again = scene.decide(one, Some(with), None);
            if let Some(slot) = decided.get_mut(place) {
                *slot = again;
            }
        }
    }
    decided
}

/// Decides anew about the services of groups that go back one after another, where that is due or has begun: whose turn it is, and what
/// the others wait for.
pub(super) fn take_turns(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    decided: &mut [Decided],
    made: Vec<RevertEntry>,
) {
    let turns = turns(pass, state, (judged, decided), &made);
    decide_turns(pass, state, judged, (decided, turns), made);
}

/// Has groups wait with which the agent would begin, as long as it goes on with a group of the same commit that depends on them.
pub(super) fn let_callers_go_first(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    decided: &mut [Decided],
    (made, is_stuck): (Vec<RevertEntry>, impl Fn(&Judged) -> bool),
) {
    let turns = behind(pass, state, (judged, decided), is_stuck);
    decide_turns(pass, state, judged, (decided, turns), made);
}

fn decide_turns(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    (decided, turns): (&mut [Decided], Vec<(usize, Turn)>),
    made: Vec<RevertEntry>,
) {
    if turns.is_empty() {
        return;
    }
    let scene = Scene::new(pass, state, judged, made);
    for (place, turn) in turns {
        if let (Some(one), Some(slot)) = (judged.get(place), decided.get_mut(place)) {
            *slot = scene.decide(one, None, Some(&turn));
        }
    }
}

/// The reverts that count: those that were made, then `made`, and then those under way. Also returns how many the first are.
fn counted(pass: &Pass<'_>, state: &State, made: Vec<RevertEntry>) -> (Vec<RevertEntry>, usize) {
    let mut entries = state.landed.clone();
    entries.extend(state.of_lost().cloned());
    let landed = entries.len();
    entries.extend(made);
    let known: BTreeSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    entries.extend(state.under_way(pass).into_iter().filter(|entry| !known.contains(&entry.id)));
    (entries, landed)
}

/// How many reverts of the environment's budget are used, as the guard `budget` counts. `gone` are those that somebody has taken off the
/// branch.
pub(super) fn used(pass: &Pass<'_>, state: &State, gone: &[GoneRevert]) -> usize {
    let (reverts, _) = counted(pass, state, Vec::new());
    used_of_budget(pass.environment.budget, pass.now, &reverts, gone)
}

/// Whether a revert takes back a deployment, or what goes back together with it.
fn goes_back_with(one: &Judged, entry: &RevertEntry) -> bool {
    let is_same = |other: &Judged| other.deployment.id == entry.id;
    is_same(one) || one.members.iter().any(is_same)
}

/// The service with which a deployment goes back that is to go back itself: of several of a group by one commit the first by its name
/// leads, unless the revert of another one was prepared before.
fn leading<'j>(judged: &'j [Judged], decided: &[Decided], place: usize) -> Option<&'j ServiceName> {
    let is_due = |decided: &Decided| matches!(decided.0, Decision::Revert | Decision::Propose);
    let own = judged.get(place).filter(|_| decided.get(place).is_some_and(is_due))?;
    let order = |one: &'j Judged| {
        let was_due = |told: &(Time, Decision)| matches!(told.1, Decision::Revert | Decision::Propose);
        (!one.told_before.as_ref().is_some_and(was_due), &one.deployment.service)
    };
    let due = judged.iter().zip(decided).filter(|(_, decided)| is_due(decided));
    let others = due.filter(|(one, _)| one.deployment.goes_with(&own.deployment));
    let first = others.map(|(one, _)| order(one)).min()?;
    (first < order(own)).then_some(first.1)
}
