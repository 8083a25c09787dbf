//! Reverts that are gone from the branch, whose history was rewritten: what they had taken back runs again.

use super::context::Pass;
use super::state::{State, is_watched};
use crate::domain::decision::{GoneRevert, Left};
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::CommitId;
use crate::domain::time::Time;
use crate::ports::RepositoryError;

/// The reverts of watched deployments that are not on the branch, under whatever id, oldest first: those of which verdicts tell, and
/// those that the branch held before its history was rewritten. Says too whether they are gone for sure: another agent may have made them
/// since the branch was fetched. Then the next pass tells.
pub(in crate::agent) async fn gone_reverts(pass: &Pass<'_>, state: &State) -> (Vec<GoneRevert>, bool) {
    let mut found: Vec<GoneRevert> = Vec::new();
    for deployment in &state.watched {
        let left = deployment.superseded_by.map_or(Left::Runs, Left::Replaced);
        for verdict in state.verdicts(deployment) {
            let Some(commit) = state.gone_revert(deployment, verdict) else { continue };
            if was_there(pass, deployment, commit).await {
                add(&mut found, gone(deployment, left, (commit, verdict.at)));
            }
        }
        if state.revert_of(deployment).is_none() {
            for entry in state.dropped.iter().filter(|entry| deployment.was_taken_back_by(entry)) {
                add(&mut found, gone(deployment, left, (entry.commit, entry.at)));
            }
        }
    }
    for deployment in state.lost.iter().filter(|one| is_watched(pass, one)) {
        for entry in state.dropped.iter().filter(|entry| deployment.was_taken_back_by(entry)) {
            add(&mut found, gone(deployment, Left::Gone, (entry.commit, entry.at)));
        }
    }
    // What such a revert took back may be of long ago: a fallback takes back what ran well once.
    let watch_secs = pass.environment.services.iter().map(|rule| i64::from(rule.policy.watch_secs)).max();
    let is_recent = |entry: &&RevertEntry| {
        watch_secs.is_some_and(|secs| pass.now.secs_since(entry.at) <= 2 * secs)
            && state.snapshot.holds(entry.reverts)
    };
    for entry in state.dropped.iter().filter(is_recent) {
        let (id, service, reverts) = (entry.id.clone(), entry.service.clone(), entry.reverts);
        let (commit, at, left) = (entry.commit, entry.at, Left::Unwatched);
        add(&mut found, GoneRevert { id, service, reverts, commit, at, left });
    }
    found.sort_by_key(|one| one.at);
    let is_sure = found.is_empty() || is_newest(pass, state).await;
    (found, is_sure)
}

/// Whether the branch is still where it was when it was read.
async fn is_newest(pass: &Pass<'_>, state: &State) -> bool {
    let branch = pass.environment.branch.clone();
    let tip = pass.git(move |repository| repository.remote_tip(&branch)).await;
    tip.unwrap_or_else(|error: RepositoryError| {
        tracing::warn!(branch = %pass.environment.branch, %error, "the branch cannot be looked at once more");
        None
    }) == Some(state.snapshot.head)
}

fn gone(deployment: &Deployment, left: Left, (commit, at): (CommitId, Time)) -> GoneRevert {
    let (service, reverts) = (deployment.service.clone(), deployment.commit);
    GoneRevert { id: deployment.id.clone(), service, reverts, commit, at, left }
}

/// Each revert counts once.
fn add(found: &mut Vec<GoneRevert>, new: GoneRevert) {
    if !found.iter().any(|one| (one.commit, &one.service) == (new.commit, &new.service)) {
        found.push(new);
    }
}

/// Whether a revert that the notes tell of was made indeed. Others may have written them: then it must be here, and say so itself.
async fn was_there(pass: &Pass<'_>, deployment: &Deployment, revert: CommitId) -> bool {
    let made = pass.git(move |repository| repository.commit(revert));
    pass.world.records_proven
        || made.await.is_ok_and(|made| OwnTrailers::has_id(&made.message, &deployment.id))
}
