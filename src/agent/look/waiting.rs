//! Reverts that wait on branches which the agent does not follow: where there is no forge, and with `delivery: branch`.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Pass;
use super::state::State;
use crate::agent::report::WaitingProposal;
use crate::domain::decision::Decision;
use crate::domain::environment::policy::Delivery;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::text::one_line;
use crate::ports::{Made, Repository, RepositoryError};
use crate::record::VerdictRecord;

/// The most branches that are read.
const MAX_BRANCHES: usize = 200;

/// All reverts that wait on branches of the environment at the remote, the oldest first.
pub(in crate::agent) async fn all_waiting(pass: &Pass<'_>) -> Result<Vec<WaitingProposal>, RepositoryError> {
    if !is_unfollowed(pass) {
        return Ok(Vec::new());
    }
    let prefix = format!("backout/{}/", pass.environment.name);
    let listed = pass.branches.proposals().await?;
    let own = listed.iter().filter(|(name, _)| name.as_str().starts_with(&prefix));
    read(pass, own.map(|(name, tip)| (name.clone(), *tip)).take(MAX_BRANCHES).collect()).await
}

/// The reverts that wait of the deployments that are watched, by what the notes say of them. Where the notes say nothing, the remote is not
/// asked.
pub(in crate::agent) async fn waiting_of_watched(
    pass: &Pass<'_>,
    state: &State,
) -> Result<Vec<WaitingProposal>, RepositoryError> {
    let running =
        state.watched.iter().filter(|one| one.superseded_by.is_none() && state.revert_of(one).is_none());
    let verdicts = running.flat_map(|one| {
        let verdicts: Vec<&VerdictRecord> = state.verdicts(one).collect();
        // What a person is to look at by now is not to be merged as it is: a migration may have come since.
        let is_left = verdicts.last().is_some_and(|last| matches!(last.decision, Decision::Escalate(_)));
        if is_left { Vec::new() } else { verdicts }
    });
    let proposed = verdicts.filter_map(|verdict| verdict.proposal.as_ref()).map(|proposal| &proposal.branch);
    let names: BTreeSet<&BranchName> = proposed.collect();
    if names.is_empty() || !is_unfollowed(pass) {
        return Ok(Vec::new());
    }
    let listed = pass.branches.proposals().await?;
    let there = names.into_iter().filter_map(|name| Some((name.clone(), *listed.get(name)?)));
    read(pass, there.collect()).await
}

fn is_unfollowed(pass: &Pass<'_>) -> bool {
    pass.estate.forge.is_none() || pass.environment.delivery == Delivery::Branch
}

/// What the commits at the tips of these branches say that they revert. A branch of somebody else's says nothing.
async fn read(
    pass: &Pass<'_>,
    tips: BTreeMap<BranchName, CommitId>,
) -> Result<Vec<WaitingProposal>, RepositoryError> {
    if tips.is_empty() {
        return Ok(Vec::new());
    }
    let (environment, into) = (pass.environment.name.clone(), pass.environment.branch.clone());
    let reading = pass.git(move |repository| {
        let names: Vec<BranchName> = tips.keys().cloned().collect();
        // All at once; where one of them is not there any more, each for itself.
        let all = repository.fetch(&names).is_ok();
        let mut found = Vec::new();
        for (branch, tip) in tips {
            let Some(made) = commit_at(repository, &branch, (tip, all)) else { continue };
            let Some(own) = OwnTrailers::find(&made.message).filter(|own| own.is_in(&environment)) else {
                continue;
            };
            let service = own.service().and_then(|name| name.parse().ok());
            let (Some(service), Some(deployment)) = (service, own.reverts()) else { continue };
            let subject = one_line(made.message.lines().next().unwrap_or(""), 100);
            let id = own.id().unwrap_or_default().to_owned();
            let (since, into) = (made.committed, into.clone());
            found.push(WaitingProposal { service, deployment, id, subject, since, branch, into });
        }
        Ok::<_, RepositoryError>(found)
    });
    let mut found = reading.await?;
    found.sort_by_key(|one| one.since);
    Ok(found)
}

/// The commit at the tip of a branch; none where it cannot be had any more.
fn commit_at(
    repository: &dyn Repository,
    branch: &BranchName,
    (tip, is_fetched): (CommitId, bool),
) -> Option<Made> {
    if !is_fetched {
        repository.fetch(std::slice::from_ref(branch)).ok()?;
    }
    repository.commit(tip).ok()
}
