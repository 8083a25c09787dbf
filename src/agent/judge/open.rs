//! Judging what is open: each deployment alone, and then those that regressed once more, beside each other.

use std::collections::{BTreeMap, BTreeSet};

use super::blame::{blame, is_standing};
use super::controls::add_controls;
use super::gather::gather;
use super::judged::Judged;
use super::returned::{judge_returned, put_back};
use super::told::find_told;
use super::usual::{judge_from_onset, unusual};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::decision::{Decision, GuardAnswer, is_incident};
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::question::Subject;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::{Time, human_secs};
use crate::record::VerdictRecord;

/// Judges every deployment that has no verdict yet, or none that is believed.
pub(in crate::agent) async fn judge_open(pass: &Pass<'_>, state: &State) -> Vec<Judged> {
    let all = state.watched.iter().filter(|deployment| !state.is_settled(pass, deployment));
    let (beyond, open): (Vec<_>, Vec<_>) = all.partition(|deployment| deployment.beyond.is_some());
    let with_rule: Vec<_> =
        open.into_iter().filter_map(|deployment| Some((deployment, pass.rule(deployment)?))).collect();
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
        let red = with_rule.iter().zip(&evidence).filter(|(_, found)| is_regressed(found));
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
    let mut too_blind = judge_returned(pass, state, &with_rule, &mut evidence).await;
    // In an incident nothing is reverted, whatever others had: nobody needs to be asked. What else may be red only adds to it.
    let red = with_rule.iter().zip(&evidence).filter(|(_, found)| is_regressed(found));
    let standing = red.map(|((deployment, _), _)| *deployment).filter(|one| is_standing(pass, state, one));
    let is_incident = is_incident(standing, pass.environment.budget);
    if !is_incident {
        add_controls(pass, state, &subjects, &mut evidence).await;
    }
    let judged = with_rule
        .into_iter()
        .zip(evidence)
        .map(|((deployment, rule), evidence)| Judged::new(deployment.clone(), rule.policy.clone(), evidence));
    let mut judged: Vec<Judged> = judged.collect();
    for (place, one) in judged.iter_mut().enumerate() {
        one.put_back = put_back(state, &one.deployment, &one.policy);
        one.unjudged = too_blind.remove(&place);
    }
    find_brought_back(pass, state, &mut judged);
    blame(pass, state, &mut judged);
    find_told(pass, state, &subjects, &mut judged, is_incident).await;
    judged.extend(state.missed.iter().filter_map(|deployment| missed(pass, deployment)));
    judged.extend(beyond.into_iter().filter_map(|deployment| {
        unjudged(pass, deployment, format!("not judged: {}", deployment.beyond.as_deref()?))
    }));
    for one in &mut judged {
        let told = state.settling(pass, &one.deployment);
        one.told_before = told.map(|told| (told.at, told.decision.clone()));
        one.refused_before = told.is_some_and(was_refused);
    }
    judged
}

/// Whether a person was told because a revert could not be delivered, while no guard was against it.
fn was_refused(told: &VerdictRecord) -> bool {
    let is_against = |guard: &GuardAnswer| guard.decision.is_some();
    let is_red = told.judgement.verdict == Verdict::Regressed && !told.guards.is_empty();
    is_red && matches!(told.decision, Decision::Escalate(_)) && !told.guards.iter().any(is_against)
}

/// Finds the deployments of which the revert is gone from the branch, and which nothing shows to be bad to the end of their watch
/// window: most of what was measured may be from the time under the revert.
fn find_brought_back(pass: &Pass<'_>, state: &State, judged: &mut [Judged]) {
    for gone in state.gone.iter().filter(|_| state.sure_of_gone) {
        let is_it = |one: &&mut Judged| one.deployment.id == gone.id;
        let Some(one) = judged.iter_mut().find(is_it) else { continue };
        let is_over = pass.now.secs_since(one.deployment.at) >= i64::from(one.policy.watch_secs);
        if is_over && one.unjudged.is_none() && one.judgement.verdict != Verdict::Regressed {
            one.unjudged = Some(format!(
                "its revert {} is gone from {}: what was bad runs again. The samples in its watch window are from the time under the \
                 revert too, and do not show that it is good",
                gone.commit.short(),
                pass.environment.branch
            ));
        }
    }
}

fn is_regressed(evidence: &Evidence) -> bool {
    judge(evidence).verdict == Verdict::Regressed
}

/// A deployment that nobody has watched: nothing was asked about it.
fn missed(pass: &Pass<'_>, deployment: &Deployment) -> Option<Judged> {
    let ago = human_secs(pass.now.secs_since(deployment.at));
    let watch_secs = pass.rule(deployment)?.policy.watch_secs;
    let reason = format!(
        "not watched: it was deployed {ago} ago, and its watch window of {} passed while no agent was looking",
        human_secs(watch_secs.into())
    );
    Some(Judged { missed: true, ..unjudged(pass, deployment, reason)? })
}

/// A deployment about which nothing was asked, and why.
fn unjudged(pass: &Pass<'_>, deployment: &Deployment, reason: String) -> Option<Judged> {
    let policy = pass.rule(deployment)?.policy.clone();
    let verdict = Verdict::Inconclusive(reason.clone());
    let evidence = Evidence::new(deployment.at, pass.now, &policy, Vec::new());
    Some(Judged {
        judgement: Judgement { verdict, since: None, reason, findings: Vec::new() },
        ..Judged::new(deployment.clone(), policy, evidence)
    })
}

/// How often deployments are judged again because of what others of their services turned out to be.
const MAX_ROUNDS: usize = 3;
