//! Deciding about every deployment. The guards are [`crate::domain::decision`]'s; this is what they are told.

use std::collections::BTreeSet;

use super::judge::judged::Judged;
use super::look::context::Pass;
use super::look::state::State;
use crate::domain::decision::{Case, Decision, GuardAnswer, Member, Situation, ask_member, decide};
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::ServiceName;
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;

/// A decision, and what the guards said that were asked.
pub(super) type Decided = (Decision, Vec<GuardAnswer>);

/// Decides about every deployment; also returns what each guard said that was asked. `made` are the reverts that this pass
/// has planned or has put under way: they count for all deployments but their own, and for none of what goes back with it.
pub(super) fn decide_all(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    made: Vec<RevertEntry>,
) -> Vec<Decided> {
    let (entries, landed) = counted(pass, state, made);
    let cases: Vec<Case<'_>> = judged.iter().map(Judged::case).collect();
    let regressed: Vec<Case<'_>> =
        cases.iter().copied().filter(|case| case.judgement.verdict == Verdict::Regressed).collect();
    let red_before: Vec<Deployment> = state.recovering(pass).into_iter().cloned().collect();
    let in_vain = state.in_vain(pass);
    let decide_one = |one: &Judged, goes_with: Option<&ServiceName>| {
        let counts = |(index, entry): &(usize, &RevertEntry)| *index < landed || !goes_back_with(one, entry);
        let reverts: Vec<RevertEntry> =
            entries.iter().enumerate().filter(counts).map(|(_, entry)| entry.clone()).collect();
        let situation = Situation {
            now: pass.now,
            budget: pass.environment.budget,
            brakes: &state.brakes,
            reverts: &reverts,
            gone: &state.gone,
            regressed: &regressed,
            red_before: &red_before,
            in_vain: &in_vain,
            open: &cases,
            watched: &state.watched,
        };
        let asked = |member: &Judged| ask_member(&member.case(), &situation, one.policy.mode);
        let members: Vec<Member> = one.members.iter().map(asked).collect();
        decide(&Case { members: &members, goes_with, ..one.case() }, &situation)
    };
    let mut decided: Vec<Decided> = judged.iter().map(|one| decide_one(one, None)).collect();
    for (place, one) in judged.iter().enumerate() {
        if let Some(with) = leading(judged, &decided, place) {
            let again = decide_one(one, Some(with));
            if let Some(slot) = decided.get_mut(place) {
                *slot = again;
            }
        }
    }
    decided
}

/// The reverts that count: those that were made, then `made`, and then those under way. Also returns how many the first are.
pub(super) fn counted(pass: &Pass<'_>, state: &State, made: Vec<RevertEntry>) -> (Vec<RevertEntry>, usize) {
    let mut entries = state.landed.clone();
    entries.extend(state.of_lost().cloned());
    let landed = entries.len();
    entries.extend(made);
    let known: BTreeSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    entries.extend(state.under_way(pass).into_iter().filter(|entry| !known.contains(&entry.id)));
    (entries, landed)
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
