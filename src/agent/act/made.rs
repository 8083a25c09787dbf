//! Whether a revert is prepared already, by what the notes say and by what is there.

use super::branch::read_tip;
use super::deliver::Route;
use super::error::DeliveryError;
use super::revert::PlannedRevert;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::change::Change;
use crate::domain::decision::Decision;
use crate::domain::environment::policy::Delivery;
use crate::domain::review::Branch;

/// How much is done: nothing, telling a person, preparing a revert, making it. Some environments have all reverts prepared.
pub(super) fn rank(pass: &Pass<'_>, decision: &Decision) -> u8 {
    match decision {
        Decision::Wait | Decision::Pass(_) | Decision::Hold(_) => 0,
        Decision::Escalate(_) => 1,
        Decision::Propose => 2,
        Decision::Revert if pass.environment.delivery == Delivery::Branch => 2,
        Decision::Revert => 3,
    }
}

/// Whether a revert is prepared already: it waits in a pull request, which is followed, or a person has had the same proposal.
/// The notes say so. Where others may have written them, what was prepared must be there too.
pub(super) async fn is_made(
    pass: &Pass<'_>,
    state: &State,
    judged: &Judged,
    decision: &Decision,
    (planned, route): (&PlannedRevert<'_>, Route),
) -> Result<bool, DeliveryError> {
    let deployment = &judged.deployment;
    let is_told = match &judged.told_before {
        // Who has had it may have removed its branch, which is a no.
        Some((_, told @ Decision::Propose)) if rank(pass, decision) == rank(pass, told) => return Ok(true),
        Some((_, Decision::Revert | Decision::Propose)) => {
            state.proposals.is_waiting(pass, deployment.commit, &deployment.service)
        }
        Some(_) | None => false,
    };
    if !is_told || pass.world.records_proven {
        return Ok(is_told);
    }
    let Some(branch) = planned.change.proposal_branch() else { return Ok(false) };
    match (&pass.estate.forge, route) {
        (Some(forge), Route::Push | Route::Review(_)) => {
            // However it ended, what becomes of it is found out where it is followed.
            Ok(forge.review(&branch, &pass.environment.branch).await?.is_some())
        }
        (None, _) | (Some(_), Route::Branch) => {
            let tip = read_tip(pass, &state.snapshot, planned, &branch).await?;
            Ok(tip.is_some_and(|tip| tip.state != Branch::Foreign))
        }
    }
}

/// Where a revert waits that takes this deployment back as well, in words: that of another service of its group, which was prepared
/// before this one turned out bad. What is pushed to the environment's branch itself need not wait for that.
pub(super) async fn waits_with(
    pass: &Pass<'_>,
    state: &State,
    judged: &Judged,
    (planned, route): (&PlannedRevert<'_>, Route),
) -> Result<Option<String>, DeliveryError> {
    let is_told =
        |member: &&Judged| matches!(member.told_before, Some((_, Decision::Revert | Decision::Propose)));
    if route == Route::Push {
        return Ok(None);
    }
    for member in judged.members.iter().filter(is_told) {
        let service = &member.deployment.service;
        let name = Change::branch_for(&pass.environment.name, service, member.deployment.commit);
        let Some(branch) = name else { continue };
        let is_there = match (&pass.estate.forge, route) {
            (Some(forge), Route::Push | Route::Review(_)) => {
                forge.review(&branch, &pass.environment.branch).await?.is_some()
            }
            (None, _) | (Some(_), Route::Branch) => {
                let tip = read_tip(pass, &state.snapshot, planned, &branch).await?;
                tip.is_some_and(|tip| tip.state != Branch::Foreign)
            }
        };
        if is_there {
            return Ok(Some(format!(
                "it goes back with {service}, of the same group, which waits on {branch}"
            )));
        }
    }
    Ok(None)
}
