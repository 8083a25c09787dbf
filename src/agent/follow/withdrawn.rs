//! Branches on which the agent proposed a revert because of another environment, and that no pull request is from: it removes those that
//! are needless by now. Of a pull request its branch goes with it.

use crate::agent::act::branch::remove_branch;
use crate::agent::judge::elsewhere::proposed_early;
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::domain::deployment::Deployment;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::judge::verdict::Verdict;
use crate::ports::RepositoryError;

/// Removes the branches of deployments that are healthy here, that were taken back, or that another one has replaced. A branch on which
/// somebody has worked stays.
pub(in crate::agent) async fn withdraw_branches(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    if pass.intent == Intent::Plan || pass.stop.is_set() {
        return;
    }
    for deployment in state.watched.iter().filter(|one| is_over(state, one)) {
        let early = proposed_early(state, deployment).and_then(|early| early.proposal.as_ref());
        let Some(early) = early.filter(|early| early.review.is_none()) else { continue };
        match own_tip(pass, &early.branch, &deployment.id).await {
            Ok(Some(tip)) => {
                remove_branch(pass, &early.branch, tip).await;
                report.facts.push(format!("the branch {} is needless, and was removed", early.branch));
            }
            Ok(None) => {}
            Err(error) => report.problems.push(format!("the branch {}: {error}", early.branch)),
        }
    }
}

/// Whether nothing is left to take back.
fn is_over(state: &State, deployment: &Deployment) -> bool {
    let newest = state.verdicts(deployment).last();
    let is_healthy = newest.is_some_and(|newest| newest.judgement.verdict == Verdict::Healthy);
    is_healthy
        || deployment.superseded_by.is_some()
        || state.landed.iter().any(|entry| deployment.was_taken_back_by(entry))
}

/// The tip of a branch, where it is there and the agent's own revert with this id is on it.
async fn own_tip(
    pass: &Pass<'_>,
    branch: &BranchName,
    id: &str,
) -> Result<Option<CommitId>, RepositoryError> {
    let listed = pass.branches.proposals().await?;
    let Some((name, tip)) = listed.iter().find(|(name, _)| *name == branch) else { return Ok(None) };
    let (name, tip) = (name.clone(), *tip);
    let message = pass.git(move |repository| {
        repository.fetch(&[name])?;
        Ok::<_, RepositoryError>(repository.commit(tip)?.message)
    });
    let message = message.await?;
    let is_own = OwnTrailers::find(&message).is_some_and(|own| own.id() == Some(id));
    Ok(is_own.then_some(tip))
}
