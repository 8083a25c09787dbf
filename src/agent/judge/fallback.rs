//! Going further back: where the agent's revert did not help, the state that it led back to is judged like a bad deployment.

use std::collections::BTreeSet;

use super::judged::Judged;
use super::reverted::{
    deployment_taken_back, evidence_since_revert, evidence_until_revert, hold_against_controls,
};
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::{Past, pasts};
use crate::agent::look::services::services_found_twice;
use crate::agent::look::state::State;
use crate::domain::decision::{Case, is_open, may_be_of};
use crate::domain::deployment::Deployment;
use crate::domain::history::landing::LandedBy;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Verdict, judge, lasting};
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{Record, Recovery, VerdictRecord};

/// The deployments whose state the agent has brought back in vain, where the policy lets it go further back.
///
/// That a revert did not help stands in the notes, which others can write. It only says where to look: the metrics are asked
/// again, before the first bad deployment, after it, and since the last revert.
///
/// Services that the rules find twice are left out, as everywhere. Also returns what is wrong with them, in words.
pub(in crate::agent) async fn judge_fallbacks(
    pass: &Pass<'_>,
    state: &State,
) -> Result<(Vec<Judged>, Vec<String>), RepositoryError> {
    let in_vain: Vec<&RevertEntry> =
        state.reverts.iter().filter(|entry| was_in_vain(pass, state, entry)).collect();
    let services: BTreeSet<_> = in_vain.iter().map(|entry| entry.service.clone()).collect();
    let pasts = pasts(pass, services, Some(state.snapshot.head)).await?;
    let mut judged = Vec::new();
    for entry in in_vain {
        let Some(past) = pasts.get(&entry.service) else { continue };
        let Some(one) = pass.stop.unless_set(judge_fallback(pass, state, entry, past)).await else { break };
        judged.extend(one);
    }
    let deployments = judged.iter().map(|one| &one.deployment);
    let twice = services_found_twice(pass, state.snapshot.head, deployments).await?;
    judged.retain(|one| !twice.contains_key(&one.deployment.service));
    Ok((judged, twice.into_values().collect()))
}

/// Whether a revert of the agent's own did not help, as far as the notes say, and a pass may still do something about it. That is
/// written down until twice `recovery` after the revert, and the next pass comes within `recovery` again.
fn was_in_vain(pass: &Pass<'_>, state: &State, entry: &RevertEntry) -> bool {
    let policies = || pass.environment.services.iter().map(|rule| &rule.policy);
    let recovery_secs = policies().map(|policy| policy.recovery_secs).max().unwrap_or(0);
    let is_of_it = |record: &Record| match record {
        Record::Recovery(recovery) => {
            recovery.id == entry.id
                && recovery.revert == entry.commit
                && recovery.outcome == Recovery::NotRecovered
        }
        Record::Verdict(_) | Record::Review(_) | Record::Seen(_) => false,
    };
    policies().any(|policy| policy.fallback > 0)
        && !entry.requested
        && pass.now.secs_since(entry.at) <= 3 * i64::from(recovery_secs)
        && state.records.get(&entry.reverts).into_iter().flatten().any(is_of_it)
}

async fn judge_fallback(pass: &Pass<'_>, state: &State, entry: &RevertEntry, past: &Past) -> Option<Judged> {
    let (reverts, back_at) = past.lineage.led_back_to()?;
    let policy = pass.rule(back_at)?.policy.clone();
    let is_newest = reverts.first().is_some_and(|newest| newest.commit == entry.commit);
    let is_allowed = reverts.len() <= usize::try_from(policy.fallback).unwrap_or(usize::MAX);
    let is_of_revert = |verdict: &&VerdictRecord| verdict.evidence.after_revert == Some(entry.commit);
    let is_told = past.verdicts(back_at).filter(is_of_revert).any(|verdict| verdict.settles(policy.mode));
    let is_over = pass.now.secs_since(entry.at) >= i64::from(policy.recovery_secs);
    if !is_newest || !is_allowed || is_told || !is_over {
        return None;
    }
    // What was good is what was there before the first of them, and what is bad began with that one.
    let first = reverts.last()?.commit;
    let first = state.reverts.iter().find(|one| one.commit == first && one.service == entry.service)?;
    let bad = deployment_taken_back(pass, state, first).await?;
    let before = evidence_until_revert(pass, state, &bad, first).await.filter(is_regressed)?;
    // That they were bad for some time is in the notes. They must have been bad all the time, and be so now.
    let age = u32::try_from(pass.now.secs_since(entry.at)).ok()?;
    let mut since = evidence_since_revert(pass, state, entry, &before, Some(&bad), age).await;
    // What everybody has since is not the service's own.
    let until_now = RevertEntry { at: pass.now, ..first.clone() };
    let all = evidence_until_revert(pass, state, &bad, &until_now).await?;
    hold_against_controls(&mut since, &all, entry.at);
    let judged = |deployment: &Deployment, evidence: Evidence| Judged {
        deployment: deployment.clone(),
        policy: policy.clone(),
        judgement: judge(&evidence),
        evidence,
        missed: false,
        told: false,
        goal: None,
        by_hand: None,
        doubts: Vec::new(),
    };
    let by_hand = doubt(state, &judged(&bad, before).case());
    let doubts = by_hand.iter().cloned().collect();
    Some(Judged { by_hand, doubts, ..judged(back_at, lasting(&since)?) })
}

/// Why a person should look at going further back, where the first revert was a person's too: the damage may be from before the
/// deployment that it took back.
fn doubt(state: &State, first: &Case<'_>) -> Option<String> {
    let rests_on_record = |since: Time| {
        let mut others = state.watched.iter();
        first.deployment.landing.by == LandedBy::Record || others.any(|one| one.landing.is_let_off(since))
    };
    let is_open = is_open(first) || may_be_of(first, &state.watched).is_some();
    (is_open || first.judgement.since.is_some_and(rests_on_record)).then(|| {
        format!(
            "it is not known for sure whether the damage began before {} landed, which was taken back first",
            first.deployment.commit.short()
        )
    })
}

fn is_regressed(evidence: &Evidence) -> bool {
    judge(evidence).verdict == Verdict::Regressed
}
