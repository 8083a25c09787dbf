//! Deciding about every deployment. The guards are [`crate::domain::decision`]'s; this is what they are told.

use std::collections::BTreeSet;

use super::judge::judged::Judged;
use super::look::context::Pass;
use super::look::state::State;
use crate::domain::decision::{Case, Decision, GuardAnswer, Situation, decide};
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::verdict::Verdict;

/// A decision, and what the guards said that were asked.
pub(super) type Decided = (Decision, Vec<GuardAnswer>);

/// Decides about every deployment; also returns what each guard said that was asked. `made` are the reverts that this pass
/// has planned or has put under way: they count for all deployments but their own.
pub(super) fn decide_all(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    made: Vec<RevertEntry>,
) -> Vec<Decided> {
    let mut entries = state.landed.clone();
    entries.extend(state.of_lost().cloned());
    let landed = entries.len();
    entries.extend(made);
    let known: BTreeSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    entries.extend(state.under_way(pass).into_iter().filter(|entry| !known.contains(&entry.id)));
    let cases: Vec<Case<'_>> = judged.iter().map(Judged::case).collect();
    let regressed: Vec<Case<'_>> =
        cases.iter().copied().filter(|case| case.judgement.verdict == Verdict::Regressed).collect();
    let red_before: Vec<Deployment> = state.recovering(pass).into_iter().cloned().collect();
    let in_vain = state.in_vain(pass);
    let decide_one = |case: &Case<'_>| {
        let own = &case.deployment.id;
        let counts = |(index, entry): &(usize, &RevertEntry)| *index < landed || entry.id != *own;
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
        decide(case, &situation)
    };
    cases.iter().map(decide_one).collect()
}
