//! Which times before a deployment show what is usual for its service. Deployments of which nobody knows exactly when they landed
//! are judged once more here.

use std::collections::BTreeSet;

use super::gather::gather;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::environment::signal::Window;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::question::Subject;
use crate::domain::judge::verdict::{Verdict, judge};
use crate::domain::time::Time;
use crate::record::VerdictRecord;

/// Judges deployments once more as if they had landed just before the damage began, where nobody knows that they did not:
/// else damage of their own would pass for older than they are. What is found so is not the agent's to act on alone.
pub(super) async fn judge_from_onset(
    pass: &Pass<'_>,
    state: &State,
    with_rule: &[(&Deployment, &ServiceRule)],
    subjects: &mut [(Subject, Time)],
    evidence: &mut [Evidence],
) {
    let mut again = Vec::new();
    for (index, ((deployment, rule), found)) in with_rule.iter().zip(evidence.iter()).enumerate() {
        let judgement = judge(found);
        let onset = judgement.findings.iter().filter_map(|finding| finding.since).min();
        let is_open = |onset: &Time| deployment.landing.leaves_open(*onset);
        let Some(onset) = onset.filter(is_open).filter(|_| judgement.verdict != Verdict::Regressed) else {
            continue;
        };
        let before = i64::from(rule.policy.settle_secs) + i64::from(found.step_secs());
        let Some((subject, until)) = subjects.get(index) else { continue };
        let deployed_at = onset.minus_secs(before).max(deployment.landing.earliest);
        again.push((index, (Subject { deployed_at, ..subject.clone() }, *until)));
    }
    if again.is_empty() {
        return;
    }
    let (places, asked): (Vec<usize>, Vec<(Subject, Time)>) = again.into_iter().unzip();
    let found = gather(pass, &asked, &state.deployed).await;
    for ((index, subject), found) in places.into_iter().zip(asked).zip(found) {
        if judge(&found).verdict != Verdict::Regressed {
            continue;
        }
        if let (Some(place), Some(slot)) = (subjects.get_mut(index), evidence.get_mut(index)) {
            (*place, *slot) = (subject, found);
        }
    }
}

/// The times before a deployment that do not say what is usual for its service, as far as the pass has read: another
/// deployment was settling, or was bad and had not been reverted yet. `of_service` are the deployments of the service, and
/// `bad` those commits that this pass has found to be bad.
pub(super) fn unusual(
    state: &State,
    of_service: &[&Deployment],
    bad: &BTreeSet<CommitId>,
    own: &Deployment,
    settle_secs: u32,
) -> Vec<Window> {
    let commits = &state.snapshot.commits;
    let time_of = |commit: CommitId| commits.iter().find(|one| one.id == commit).map(|one| one.at);
    let window = |start: Time, end: Time| Window { start, end: end.plus_secs(settle_secs.into()) };
    let others = || of_service.iter().filter(|one| one.commit != own.commit);
    let settling = others().map(|one| window(one.at, one.at));
    let oldest = commits.last().map_or(own.at, |commit| commit.at);
    let is_other = |entry: &&RevertEntry| {
        entry.service == own.service && entry.reverts != own.commit && entry.at <= own.at
    };
    let began = |commit: CommitId| time_of(commit).or_else(|| state.time_of_lost(commit)).unwrap_or(oldest);
    let made = state.made().into_iter();
    let reverted = made.filter(is_other).map(|entry| window(began(entry.reverts), entry.at));
    // A person may have replaced a bad one. Where this deployment is what replaced it, the times just before it are bad,
    // and have to be seen: it did not bring what was there already.
    let replaced = others().filter_map(|one| {
        let by = one.superseded_by.filter(|by| *by != own.commit)?;
        // A verdict about the time after a revert to this deployment says nothing about the time before.
        let of_itself = |verdict: &&VerdictRecord| verdict.evidence.after_revert.is_none();
        let mut verdicts = state.verdicts(one).filter(of_itself);
        let was_bad = verdicts.any(|verdict| verdict.judgement.verdict == Verdict::Regressed);
        let is_bad = was_bad || bad.contains(&one.commit);
        let at = time_of(by).filter(|at| is_bad && *at <= own.at)?;
        Some(window(one.at, at))
    });
    settling.chain(reverted).chain(replaced).collect()
}
