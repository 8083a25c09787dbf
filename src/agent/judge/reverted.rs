//! The evidence about a deployment that a person had taken back, up to that moment.

use std::collections::BTreeSet;

use super::controls::add_controls;
use super::gather::gather;
use super::open::{judge_from_onset, unusual};
use crate::agent::look::context::Pass;
use crate::agent::look::search::deployment_of;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::question::Subject;

/// The deployment that a revert took back, where the revert came so soon that the time before the deployment still says what
/// is usual: within twice the time for which the deployment, or a revert of it, is watched. That does not depend on how far
/// back this pass has read the branch.
pub(in crate::agent) async fn deployment_taken_back(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
) -> Option<Deployment> {
    let rules = &pass.environment.services;
    let longest = rules.iter().map(|rule| rule.policy.watch_secs.max(rule.policy.recovery_secs)).max()?;
    let commit = state.snapshot.commits.iter().find(|commit| commit.id == entry.reverts)?;
    let is_soon = |secs: u32, from| entry.at.secs_since(from) <= 2 * i64::from(secs);
    if !is_soon(longest, commit.at) {
        return None;
    }
    let found = deployment_of(pass, &state.detected, (entry.reverts, &entry.service)).await?;
    let policy = &pass.rule(&found)?.policy;
    is_soon(policy.watch_secs.max(policy.recovery_secs), found.at).then_some(found)
}

/// What its signals said of a deployment until it was taken back, as if its watch window had ended then. None where it has
/// no signals.
///
/// It is asked for again also where there is a verdict: that one ends where the agent had made up its mind, and the person
/// acted on what came until the revert.
pub(in crate::agent) async fn evidence_until_revert(
    pass: &Pass<'_>,
    state: &State,
    deployment: &Deployment,
    entry: &RevertEntry,
) -> Option<Evidence> {
    let rule = pass.rule(deployment).filter(|rule| !rule.signals.is_empty())?;
    let mut policy = rule.policy.clone();
    policy.watch_secs = u32::try_from(entry.at.secs_since(deployment.at)).ok()?;
    let others: Vec<&Deployment> =
        state.detected.iter().filter(|other| other.service == deployment.service).collect();
    let unusual = unusual(state, &others, &BTreeSet::new(), deployment, policy.settle_secs);
    let subject = Subject::of(deployment, &policy, &rule.signals).without(unusual);
    // What a source tells late is there by now.
    let mut subjects = [(subject, pass.now)];
    let mut evidence = gather(pass, &subjects, &state.deployed).await;
    judge_from_onset(pass, state, &[(deployment, rule)], &mut subjects, &mut evidence).await;
    add_controls(pass, state, &subjects, &mut evidence).await;
    evidence.pop()
}
