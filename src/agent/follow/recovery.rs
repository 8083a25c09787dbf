//! After a revert, the agent's or a person's: whether the signals came back. The same judge decides, with the samples since
//! the revert in the place of those since the deployment.

use std::collections::BTreeSet;

use crate::agent::judge::reverted::{deployment_taken_back, evidence_since_revert, evidence_until};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, Recovered};
use crate::agent::tell::notes::Lines;
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::human_secs;
use crate::record::{Record, Recovery, RecoveryRecord, VERSION};

/// Looks at every revert that is still watched, and records those whose effect is clear.
pub(in crate::agent) async fn watch_recoveries(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let mut lines = Lines::default();
    for entry in state.reverts.iter().filter(|entry| !is_known(state, entry)) {
        let Some(effect) = pass.stop.unless_set(effect(pass, state, entry)).await else { break };
        let Some((outcome, reason)) = effect else { continue };
        let record = RecoveryRecord {
            version: VERSION,
            id: entry.id.clone(),
            environment: entry.environment.clone(),
            service: entry.service.clone(),
            deployment: entry.reverts,
            revert: entry.commit,
            at: pass.now,
            outcome,
            reason: reason.clone(),
        };
        lines.add(entry.reverts, &entry.service, &Record::Recovery(Box::new(record)), report);
        report.recoveries.push(Recovered {
            service: entry.service.clone(),
            deployment: entry.reverts,
            revert: entry.commit,
            outcome,
            reason,
        });
    }
    lines.append(pass, report).await;
}

/// What the notes say about the deployment that a revert took back.
fn records<'r>(state: &'r State, entry: &RevertEntry) -> impl Iterator<Item = &'r Record> {
    let of_service = |record: &&Record| record.subject() == Some((&entry.environment, &entry.service));
    state.records.get(&entry.reverts).into_iter().flatten().filter(of_service)
}

/// Whether it is written down already what a revert did.
fn is_known(state: &State, entry: &RevertEntry) -> bool {
    records(state, entry).any(|record| matches!(record, Record::Recovery(_)))
}

/// What a revert did to the signals; none while that is not clear, or where the revert is not watched.
///
/// A revert is watched by the verdict that led to it. One that a person asked for may have no such verdict: then what the
/// signals said until the revert is in its place.
async fn effect(pass: &Pass<'_>, state: &State, entry: &RevertEntry) -> Option<(Recovery, String)> {
    let is_it = |one: &&Deployment| one.commit == entry.reverts && one.service == entry.service;
    let mut deployment = state.detected.iter().find(is_it).cloned();
    let verdict = records(state, entry)
        .filter_map(Record::as_verdict)
        .filter(|verdict| verdict.judgement.verdict == Verdict::Regressed)
        .last();
    let longest = recovery_secs(pass, deployment.as_ref());
    if pass.now.secs_since(entry.at) > 2 * i64::from(longest) {
        return None;
    }
    if verdict.is_none() {
        let found = if entry.requested { deployment_taken_back(pass, state, entry).await } else { None };
        deployment = Some(found?);
    }
    let longest = recovery_secs(pass, deployment.as_ref());
    if pass.now.secs_since(entry.at) > 2 * i64::from(longest) {
        return None;
    }
    // After the next deployment of the service its signals say nothing about the revert any more.
    let next = next_deployment(state, entry);
    let watched_secs = next.map_or(i64::from(longest), |next| next.at.secs_since(entry.at));
    if let Some(next) = next.filter(|_| 3 * watched_secs < 2 * i64::from(longest)) {
        let (by, after) = (next.commit.short(), human_secs(watched_secs));
        let reason = format!("replaced by {by} after {after}, too early to say whether the revert helped");
        return Some((Recovery::Replaced, reason));
    }
    let recovery_secs = u32::try_from(watched_secs).map_or(longest, |secs| secs.min(longest));
    let age = pass.now.secs_since(entry.at);
    // Signals are found to be well after two thirds of that time, and bad at its end: until then nobody is asked.
    if 3 * age < 2 * i64::from(recovery_secs) {
        return None;
    }
    let (before, unseen) = match (verdict, &deployment) {
        (Some(verdict), _) => (verdict.evidence.clone(), None),
        (None, Some(deployment)) => {
            let evidence = evidence_until(pass, state, deployment, entry.at).await?;
            let judgement = judge(&evidence);
            let unseen = (judgement.verdict != Verdict::Regressed).then_some(judgement);
            (evidence, unseen)
        }
        (None, None) => return None,
    };
    let evidence = evidence_since_revert(pass, state, entry, &before, deployment.as_ref(), recovery_secs);
    let since = judge(&evidence.await);
    let over = age >= i64::from(recovery_secs);
    let (outcome, reason) = match unseen {
        None => outcome(&since, over),
        Some(before) => outcome_of_unseen(&before, &since, over),
    }?;
    let ended = next.filter(|_| recovery_secs < longest).map_or_else(String::new, |next| {
        format!(
            ". It was watched for {}, until {} was deployed",
            human_secs(recovery_secs.into()),
            next.commit.short()
        )
    });
    Some((outcome, reason + &ended))
}

/// The first deployment of the service after the revert, in the order of the branch: a bot may be there in the same second.
fn next_deployment<'s>(state: &'s State, entry: &RevertEntry) -> Option<&'s Deployment> {
    let newer = state.snapshot.commits.iter().take_while(|commit| commit.id != entry.commit);
    let newer: BTreeSet<CommitId> = newer.map(|commit| commit.id).collect();
    let is_later = |one: &&Deployment| one.service == entry.service && newer.contains(&one.commit);
    state.detected.iter().rfind(is_later)
}

/// How long the effect of a revert is watched: by the service's policy, or the longest of all where the deployment is no
/// longer at hand.
fn recovery_secs(pass: &Pass<'_>, deployment: Option<&Deployment>) -> u32 {
    let rules = &pass.environment.services;
    let own = deployment.and_then(|deployment| pass.rule(deployment)).map(|rule| rule.policy.recovery_secs);
    own.unwrap_or_else(|| rules.iter().map(|rule| rule.policy.recovery_secs).max().unwrap_or(0))
}

/// What the judgement means for a revert; none while it is too early to say.
fn outcome(judgement: &Judgement, over: bool) -> Option<(Recovery, String)> {
    match judgement.verdict {
        Verdict::Healthy => {
            Some((Recovery::Recovered, format!("the signals came back: {}", judgement.reason)))
        }
        Verdict::Regressed if over => {
            Some((Recovery::NotRecovered, format!("the revert did not help: {}", judgement.reason)))
        }
        Verdict::Preexisting | Verdict::Inconclusive(_) if over => Some((
            Recovery::Unknown,
            format!("it cannot be told whether the revert helped: {}", judgement.reason),
        )),
        Verdict::Regressed | Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => None,
    }
}

/// The same for a revert that a person asked for, of a deployment that the signals had not shown to be bad until then. What was
/// not seen cannot have come back. What is bad since is told all the same.
fn outcome_of_unseen(before: &Judgement, since: &Judgement, over: bool) -> Option<(Recovery, String)> {
    if !over {
        return None;
    }
    match since.verdict {
        Verdict::Healthy => Some((
            Recovery::Unknown,
            format!("the signals do not show what the revert was to mend: {}", before.reason),
        )),
        Verdict::Regressed => Some((
            Recovery::NotRecovered,
            format!("bad since the revert, and not seen to be bad before it: {}", since.reason),
        )),
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => outcome(since, over),
    }
}
