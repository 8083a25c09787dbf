//! Proposals on plain Git: the prepared revert waits on a branch of its own, and merging it is the approval.

use std::sync::Arc;

use crate::domain::change::Change;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::receipt::Receipt;
use crate::ports::{BoxFuture, CommitRequest, Forge, PushError, Repository, RepositoryError};

/// Proposes through branches named `backout/<environment>/<service>/<short id>`.
pub struct BranchForge {
    repository: Arc<dyn Repository>,
}

impl BranchForge {
    /// Proposes in this repository.
    #[must_use]
    pub fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository }
    }
}

impl Forge for BranchForge {
    fn propose<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<Receipt, PushError>> {
        let repository = Arc::clone(&self.repository);
        let change = change.clone();
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || propose(repository.as_ref(), &change));
            work.await.unwrap_or_else(|crash| Err(RepositoryError::Broken(crash.to_string()).into()))
        })
    }
}

fn propose(repository: &dyn Repository, change: &Change) -> Result<Receipt, PushError> {
    let Some(branch) = change.proposal_branch() else {
        return Ok(Receipt::Refused("no valid branch name can be made for the proposal".to_owned()));
    };
    if let Some(commit) = repository.remote_tip(&branch)? {
        return Ok(Receipt::Proposed { branch, commit });
    }
    match push(repository, change, &branch) {
        Ok(commit) => Ok(Receipt::Proposed { branch, commit }),
        // Another agent may have made the same branch in the meantime.
        Err(rejected @ PushError::Rejected { .. }) => match repository.remote_tip(&branch)? {
            Some(commit) => Ok(Receipt::Proposed { branch, commit }),
            None => Err(rejected),
        },
        Err(error) => Err(error),
    }
}

fn push(repository: &dyn Repository, change: &Change, branch: &BranchName) -> Result<CommitId, PushError> {
    repository.commit_and_push(&CommitRequest {
        branch,
        expected: None,
        parent: change.base,
        files: &change.files,
        message: &change.message,
        at: change.at,
    })
}
