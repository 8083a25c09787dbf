//! Reverts that are gone from the branch, whose history was rewritten: what they had taken back runs again.

use super::context::Pass;
use super::state::State;
use crate::domain::decision::GoneRevert;
use crate::domain::deployment::Deployment;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::CommitId;

/// The reverts of watched deployments that verdicts tell of and that are not on the branch, under whatever id; oldest first.
pub(in crate::agent) async fn gone_reverts(pass: &Pass<'_>, state: &State) -> Vec<GoneRevert> {
    let mut found: Vec<GoneRevert> = Vec::new();
    for deployment in &state.watched {
        for verdict in state.verdicts(deployment) {
            let Some(commit) = state.gone_revert(deployment, verdict) else { continue };
            if found.iter().any(|one| one.commit == commit) || !was_there(pass, deployment, commit).await {
                continue;
            }
            let (service, reverts) = (deployment.service.clone(), deployment.commit);
            let (id, replaced_by) = (deployment.id.clone(), deployment.superseded_by);
            found.push(GoneRevert { id, service, reverts, commit, at: verdict.at, replaced_by });
        }
    }
    found.sort_by_key(|one| one.at);
    found
}

/// Whether a revert that the notes tell of was made indeed. Others may have written them: then it must be here, and say so itself.
async fn was_there(pass: &Pass<'_>, deployment: &Deployment, revert: CommitId) -> bool {
    let made = pass.git(move |repository| repository.commit(revert));
    pass.world.records_proven
        || made.await.is_ok_and(|made| {
            OwnTrailers::find(&made.message).is_some_and(|own| own.id() == Some(&*deployment.id))
        })
}
