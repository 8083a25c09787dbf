//! Reverts that are gone from the branch, whose history was rewritten: what they had taken back runs again.

use super::context::Pass;
use super::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::CommitId;

/// The reverts that verdicts tell of and that are not on the branch, each with its deployment. Others may have written the
/// verdicts: ask [`was_there`].
pub(in crate::agent) fn gone(state: &State) -> Vec<(&Deployment, CommitId)> {
    let mut found: Vec<(&Deployment, CommitId)> = Vec::new();
    for deployment in &state.watched {
        for revert in state.verdicts(deployment).filter_map(|verdict| state.gone_revert(deployment, verdict))
        {
            if !found.contains(&(deployment, revert)) {
                found.push((deployment, revert));
            }
        }
    }
    found
}

/// Whether a revert that the notes tell of was made indeed. Others may have written them: then it must be here, and say so itself.
pub(in crate::agent) async fn was_there(pass: &Pass<'_>, deployment: &Deployment, revert: CommitId) -> bool {
    let made = pass.git(move |repository| repository.commit(revert));
    pass.world.records_proven
        || made.await.is_ok_and(|made| {
            OwnTrailers::find(&made.message).is_some_and(|own| own.id() == Some(&*deployment.id))
        })
}
