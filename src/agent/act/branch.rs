//! The branch on which a revert waits: the agent makes it once, brings it up to date by moving it forward, and never moves it
//! over the work of others.

use std::collections::{BTreeMap, BTreeSet};

use super::error::DeliveryError;
use super::revert::{PlannedRevert, plan_at};
use crate::agent::look::context::Pass;
use crate::domain::change::Change;
use crate::domain::change::receipt::Receipt;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::Branch;
use crate::ports::{CommitRequest, PushError, Repository, RepositoryError};

/// What stands on the branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tip {
    pub commit: CommitId,
    pub state: Branch,
}

/// Has the revert stand on the branch: makes the branch where it is not there, and brings it up to date where it is stale.
/// What is foreign is left as it is.
pub(super) async fn ensure_branch(
    pass: &Pass<'_>,
    snapshot: &Snapshot,
    planned: &PlannedRevert<'_>,
    branch: &BranchName,
) -> Result<Tip, DeliveryError> {
    match read_tip(pass, snapshot, planned, branch).await? {
        Some(tip) if tip.state == Branch::Stale => renew(pass, &planned.change, branch, tip.commit).await,
        Some(tip) => Ok(tip),
        None => {
            let commit = commit_on(pass, &planned.change, branch, None).await?;
            Ok(Tip { commit, state: Branch::Fresh })
        }
    }
}

/// What becomes of a change whose branch holds the work of others.
pub(super) fn foreign(branch: &BranchName) -> Receipt {
    Receipt::Refused(format!(
        "the branch {branch} holds something else than the revert: merge it by hand, or remove it"
    ))
}

/// What becomes of a change for which no branch can be named.
pub(super) fn no_name() -> Receipt {
    Receipt::Refused("no valid branch name can be made for the proposal".to_owned())
}

/// The branch as it is at the remote, if it is there.
pub(super) async fn read_tip(
    pass: &Pass<'_>,
    snapshot: &Snapshot,
    planned: &PlannedRevert<'_>,
    branch: &BranchName,
) -> Result<Option<Tip>, RepositoryError> {
    let name = branch.clone();
    let Some(commit) = pass.git(move |repository| repository.remote_tip(&name)).await? else {
        return Ok(None);
    };
    let state = state_of(pass, snapshot, planned, branch, commit).await?;
    Ok(Some(Tip { commit, state }))
}

/// Brings the branch up to date: by a commit that is made on the environment's head and follows the branch's tip as well.
pub(super) async fn renew(
    pass: &Pass<'_>,
    change: &Change,
    branch: &BranchName,
    tip: CommitId,
) -> Result<Tip, DeliveryError> {
    let commit = commit_on(pass, change, branch, Some(tip)).await?;
    Ok(Tip { commit, state: Branch::Fresh })
}

/// Makes the commit: by the forge where only it can sign, with Git otherwise.
pub(super) async fn commit_on(
    pass: &Pass<'_>,
    change: &Change,
    branch: &BranchName,
    tip: Option<CommitId>,
) -> Result<CommitId, DeliveryError> {
    if let Some(forge) = &pass.estate.forge {
        let request = request(change, branch, tip);
        if let Some(commit) = forge.commit(&request, &change.branch).await? {
            return Ok(commit);
        }
    }
    let (change, branch) = (change.clone(), branch.clone());
    Ok(pass.git(move |repository| repository.commit_and_push(&request(&change, &branch, tip))).await?)
}

fn request<'a>(change: &'a Change, branch: &'a BranchName, tip: Option<CommitId>) -> CommitRequest<'a> {
    CommitRequest {
        branch,
        expected: tip,
        parent: change.base,
        onto: tip,
        files: &change.files,
        message: &change.message,
        at: change.at,
    }
}

/// How many commits of a proposal's branch are looked at: it has one, and some for each time it was brought up to date.
const MAX_COMMITS: usize = 512;

/// What a commit is, by its content alone: whoever made it, it is the revert where its tree is that of the newest commit of
/// the environment's branch that it has in it, with the revert. Names and messages prove nothing.
async fn state_of(
    pass: &Pass<'_>,
    snapshot: &Snapshot,
    planned: &PlannedRevert<'_>,
    branch: &BranchName,
    tip: CommitId,
) -> Result<Branch, RepositoryError> {
    let mainline: BTreeMap<CommitId, usize> =
        snapshot.commits.iter().enumerate().map(|(place, commit)| (commit.id, place)).collect();
    // An agent was cut off between making the branch and its commit.
    if mainline.contains_key(&tip) {
        return Ok(Branch::Stale);
    }
    let (name, id) = (branch.clone(), planned.change.id.clone());
    let base = pass.git(move |repository| {
        repository.fetch(&[name])?;
        made_on(repository, tip, &mainline, &id)
    });
    let Some(base) = base.await? else { return Ok(Branch::Foreign) };
    let Ok(then) = plan_at(pass, &planned.to_revert, base).await? else { return Ok(Branch::Foreign) };
    let files = then.change.files.clone();
    if !pass.git(move |repository| repository.holds_exactly(tip, base, &files)).await? {
        return Ok(Branch::Foreign);
    }
    let is_same = then.current == planned.current && then.change.files == planned.change.files;
    // It was proposed because of another environment, and goes back for another reason by now, which its message has to say.
    let message =
        pass.git(move |repository| Ok::<_, RepositoryError>(repository.commit(tip)?.message)).await?;
    let was_elsewhere = OwnTrailers::find(&message).is_some_and(|own| own.is_from_elsewhere());
    if was_elsewhere && !planned.to_revert.motive.is_elsewhere() {
        return Ok(Branch::Stale);
    }
    Ok(match base == snapshot.head {
        true => Branch::Fresh,
        false if is_same => Branch::Current,
        false => Branch::Stale,
    })
}

/// The newest commit of the environment's branch that a commit has in it; none where it is far from it, or where a commit
/// between them says that it is another revert, for Git is the agent's memory. `mainline` has the place of each commit of
/// that branch, the newest at 0.
fn made_on(
    repository: &dyn Repository,
    tip: CommitId,
    mainline: &BTreeMap<CommitId, usize>,
    id: &str,
) -> Result<Option<CommitId>, RepositoryError> {
    let (mut next, mut seen, mut newest) = (vec![tip], BTreeSet::new(), None);
    while let Some(commit) = next.pop() {
        if let Some(place) = mainline.get(&commit) {
            newest = newest.min(Some((*place, commit))).or(Some((*place, commit)));
        } else if seen.insert(commit) {
            let made = repository.commit(commit)?;
            let is_other =
                OwnTrailers::find(&made.message).is_some() && !OwnTrailers::has_id(&made.message, id);
            if seen.len() > MAX_COMMITS || is_other {
                return Ok(None);
            }
            next.extend(made.parents);
        }
    }
    Ok(newest.map(|(_, commit)| commit))
}

/// Removes the branch, if it is still where it was seen: nothing is left to do on it.
pub(in crate::agent) async fn remove_branch(pass: &Pass<'_>, branch: &BranchName, tip: CommitId) {
    let name = branch.clone();
    let removed = pass.git(move |repository| repository.remove_branch(&name, tip)).await;
    if let Err(PushError::Rejected { reason, .. }) = &removed {
        tracing::debug!(%branch, reason, "the branch is not removed");
    } else if let Err(error) = removed {
        tracing::warn!(%branch, %error, "the branch cannot be removed");
    }
}
