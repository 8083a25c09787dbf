//! Judging what is open: each deployment alone, and then those that regressed once more, beside each other.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::blame;
use super::controls::add_controls;
use super::gather::gather;
use super::judged::Judged;
use super::told::find_told;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::environment::signal::Window;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::question::Subject;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::{Time, human_secs};
use crate::record::VerdictRecord;

/// Judges every deployment that has no verdict yet.
pub(in crate::agent) async fn judge_open(pass: &Pass<'_>, state: &State) -> Vec<Judged> {
    let open = state.watched.iter().filter(|deployment| !state.is_settled(pass, deployment));
    let with_rule: Vec<_> =
        open.filter_map(|deployment| Some((deployment, pass.rule(deployment)?))).collect();
    let mut of_service: BTreeMap<&ServiceName, Vec<&Deployment>> = BTreeMap::new();
    for deployment in &state.detected {
        of_service.entry(&deployment.service).or_default().push(deployment);
    }
    let subject_of = |(deployment, rule): &(&Deployment, &ServiceRule), bad: &BTreeSet<CommitId>| {
        let until = state.revert_of(deployment).map_or(pass.now, |entry| entry.at.min(pass.now));
        let subject = Subject::of(deployment, &rule.policy, &rule.signals);
        let others = of_service.get(&deployment.service).map_or(&[][..], Vec::as_slice);
        (subject.without(unusual(state, others, bad, deployment, rule.policy.settle_secs)), until)
    };
    let mut subjects: Vec<(Subject, Time)> =
        with_rule.iter().map(|one| subject_of(one, &BTreeSet::new())).collect();
    let mut evidence = gather(pass, &subjects, &state.deployed).await;
    for _ in 0..MAX_ROUNDS {
        // What turned out bad in this pass is not usual either: else the next pass would judge otherwise than this one.
        let is_bad = |found: &&Evidence| judge(found).verdict == Verdict::Regressed;
        let red = with_rule.iter().zip(&evidence).filter(|(_, found)| is_bad(found));
        let bad: BTreeSet<CommitId> = red.map(|((deployment, _), _)| deployment.commit).collect();
        let now: Vec<(Subject, Time)> = with_rule.iter().map(|one| subject_of(one, &bad)).collect();
        let changed: Vec<usize> =
            (0..now.len()).filter(|index| now.get(*index) != subjects.get(*index)).collect();
        let again: Vec<(Subject, Time)> =
            changed.iter().filter_map(|index| now.get(*index)).cloned().collect();
        if again.is_empty() {
            break;
        }
        for (index, found) in changed.into_iter().zip(gather(pass, &again, &state.deployed).await) {
            if let Some(slot) = evidence.get_mut(index) {
                *slot = found;
            }
        }
        subjects = now;
    }
    judge_from_onset(pass, state, &with_rule, &mut subjects, &mut evidence).await;
    add_controls(pass, state, &subjects, &mut evidence).await;
    let judged = with_rule
        .into_iter()
        .zip(evidence)
        .map(|((deployment, rule), evidence)| Judged::new(deployment.clone(), rule.policy.clone(), evidence));
    let mut judged: Vec<Judged> = judged.collect();
    blame(pass, state, &mut judged);
    find_told(pass, state, &subjects, &mut judged).await;
    judged.extend(state.missed.iter().filter_map(|deployment| missed(pass, deployment)));
    judged
}

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

/// A deployment that nobody has watched: nothing was asked about it.
fn missed(pass: &Pass<'_>, deployment: &Deployment) -> Option<Judged> {
    let policy = pass.rule(deployment)?.policy.clone();
    let ago = human_secs(pass.now.secs_since(deployment.at));
    let reason = format!(
        "not watched: it was deployed {ago} ago, and its watch window of {} passed while no agent was looking",
        human_secs(policy.watch_secs.into())
    );
    let verdict = Verdict::Inconclusive(reason.clone());
    let evidence = Evidence::new(deployment.at, pass.now, &policy, Vec::new());
    Some(Judged {
        judgement: Judgement { verdict, since: None, reason, findings: Vec::new() },
        missed: true,
        ..Judged::new(deployment.clone(), policy, evidence)
    })
}

/// How often deployments are judged again because of what others of their services turned out to be.
const MAX_ROUNDS: usize = 3;

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
    let reverted = state
        .reverts
        .iter()
        .filter(|entry| entry.service == own.service && entry.reverts != own.commit && entry.at <= own.at);
    let reverted = reverted.map(|entry| window(time_of(entry.reverts).unwrap_or(oldest), entry.at));
    // A person may have replaced a bad one. Where this deployment is what replaced it, the times just before it are bad,
    // and have to be seen: it did not bring what was there already.
    let replaced = others().filter_map(|one| {
        let by = one.superseded_by.filter(|by| *by != own.commit)?;
        // What was found after a revert had led back to it says nothing about the time before.
        let of_itself = |verdict: &&VerdictRecord| verdict.evidence.after_revert.is_none();
        let mut verdicts = state.verdicts(one).filter(of_itself);
        let was_bad = verdicts.any(|verdict| verdict.judgement.verdict == Verdict::Regressed);
        let is_bad = was_bad || bad.contains(&one.commit);
        let at = time_of(by).filter(|at| is_bad && *at <= own.at)?;
        Some(window(one.at, at))
    });
    settling.chain(reverted).chain(replaced).collect()
}
