//! What Git calls the things that the domain names: full names of refs, and ids of commits.

use git2::Oid;

use crate::domain::ids::{BranchName, CommitId};

/// The ref that holds the audit log.
pub(super) const NOTES_REF: &str = "refs/notes/backout";

/// The full name of a branch's ref.
pub(super) fn branch_ref(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// The domain's id of a commit.
pub(super) fn commit_id(id: Oid) -> CommitId {
    CommitId::from_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default())
}
