//! Going further back: where the agent's revert did not help, the state that it led back to is judged like a bad deployment.

use std::collections::BTreeSet;

use super::judged::Judged;
use super::reverted::{
    deployment_taken_back, evidence_since_revert, evidence_until, evidence_with_controls,
    hold_against_controls,
};
use super::told::rests_on_record;
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::{Past, pasts};
use crate::agent::look::services::services_found_twice;
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::domain::decision::is_unsure;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::ServiceName;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Verdict, judge, lasting};
use crate::ports::RepositoryError;
use crate::record::VerdictRecord;

/// Adds the deployments whose state the agent has brought back in vain, where the policy lets it go further back.
///
/// That a revert did not help stands in the notes, which others can write. It only says where to look: the metrics are asked
/// again, before the first bad deployment, after it, and since the last revert.
///
/// Services that the rules find twice are left out, as everywhere, and reported.
pub(in crate::agent) async fn add_fallbacks(
    pass: &Pass<'_>,
    state: &State,
    judged: &mut Vec<Judged>,
    report: &mut EnvironmentReport,
) {
    let in_vain: Vec<&RevertEntry> =
        state.reverts.iter().filter(|entry| was_in_vain(pass, state, entry)).collect();
    let services: BTreeSet<_> = in_vain.iter().map(|entry| entry.service.clone()).collect();
    let pasts = match pasts(pass, services.clone(), Some(state.snapshot.head)).await {
        Ok(pasts) => pasts,
        Err(error) => return leave_out(&services, &error, judged, report),
    };
    let mut fallbacks: Vec<Judged> = Vec::new();
    for entry in in_vain {
        let Some(past) = pasts.get(&entry.service) else { continue };
        let Some(one) = pass.stop.unless_set(judge_fallback(pass, state, entry, past)).await else { break };
        fallbacks.extend(one);
    }
    let deployments = fallbacks.iter().map(|one| &one.deployment);
    let twice = match services_found_twice(pass, state.snapshot.head, deployments).await {
        Ok(twice) => twice,
        Err(error) => return leave_out(&services, &error, judged, report),
    };
    fallbacks.retain(|one| !twice.contains_key(&one.deployment.service));
    for problem in twice.into_values() {
        if !report.problems.contains(&problem) {
            report.problems.push(problem);
        }
    }
    // A state that a revert brought back in vain is judged only as such, and not as the deployment that it once was.
    judged.retain(|one| fallbacks.iter().all(|back| back.deployment.id != one.deployment.id));
    judged.extend(fallbacks);
}

/// Leaves these services for a later pass: what their state is judged as could not be found out.
fn leave_out(
    services: &BTreeSet<ServiceName>,
    error: &RepositoryError,
    judged: &mut Vec<Judged>,
    report: &mut EnvironmentReport,
) {
    report.problems.push(error.to_string());
    judged.retain(|one| !services.contains(&one.deployment.service));
}

/// Whether a revert of the agent's own did not help, as far as is known, and a pass may still do something about it. That is
/// written down until twice `recovery` after the revert, and the next pass comes within `recovery` again.
fn was_in_vain(pass: &Pass<'_>, state: &State, entry: &RevertEntry) -> bool {
    let policies = || pass.environment.services.iter().map(|rule| &rule.policy);
    let recovery_secs = policies().map(|policy| policy.recovery_secs).max().unwrap_or(0);
    policies().any(|policy| policy.fallback > 0)
        && !entry.requested
        && pass.now.secs_since(entry.at) <= 3 * i64::from(recovery_secs)
        && state.is_in_vain(entry)
}

async fn judge_fallback(pass: &Pass<'_>, state: &State, entry: &RevertEntry, past: &Past) -> Option<Judged> {
    let (reverts, back_at) = past.lineage.led_back_to()?;
    let policy = pass.rule(back_at)?.policy.clone();
    let is_newest = reverts.first().is_some_and(|newest| newest.commit == entry.commit);
    let is_allowed = reverts.len() <= usize::try_from(policy.fallback).unwrap_or(usize::MAX);
    let is_of_revert = |verdict: &&VerdictRecord| verdict.evidence.after_revert == Some(entry.commit);
    let mut told = past.verdicts(back_at).filter(is_of_revert);
    let settles =
        |verdict: &VerdictRecord| verdict.settles(policy.mode) && !state.is_released(pass, back_at, verdict);
    let is_told = !state.is_earlier && told.any(settles);
    let is_over = pass.now.secs_since(entry.at) >= i64::from(policy.recovery_secs);
    if !is_newest || !is_allowed || is_told || !is_over {
        return None;
    }
    // What was good is what was there before the first of them, and what is bad began with that one.
    let first = reverts.last()?.commit;
    let first = state.reverts.iter().find(|one| one.commit == first && one.service == entry.service)?;
    let bad = deployment_taken_back(pass, state, first).await?;
    let before = evidence_until(pass, state, &bad, first.at).await.filter(is_regressed)?;
    // That they were bad for some time is in the notes. They must have been bad all the time, and be so now.
    let age = u32::try_from(pass.now.secs_since(entry.at)).ok()?;
    let mut since = evidence_since_revert(pass, state, entry, &before, &bad, age).await;
    // What everybody has since is not the service's own.
    let all = evidence_with_controls(pass, state, &bad, pass.now).await?;
    hold_against_controls(&mut since, &all, entry.at);
    let since = lasting(&since)?;
    let by_hand = doubt(state, &Judged::new(bad, policy.clone(), before));
    let doubts = by_hand.iter().cloned().collect();
    Some(Judged { by_hand, doubts, ..Judged::new(back_at.clone(), policy, since) })
}

/// Why a person should look at going further back, where the first revert was a person's too: the damage may be from before the
/// deployment that it took back.
fn doubt(state: &State, first: &Judged) -> Option<String> {
    let is_unsure = is_unsure(&first.case(), &state.watched)
        || rests_on_record(state, &first.deployment, &first.judgement);
    is_unsure.then(|| {
        format!(
            "it is not known for sure whether the damage began before {} landed, which was taken back first",
            first.deployment.commit.short()
        )
    })
}

fn is_regressed(evidence: &Evidence) -> bool {
    judge(evidence).verdict == Verdict::Regressed
}
