//! Planning: from a decision to the exact bytes of a commit and its message.

use std::collections::BTreeMap;

use super::ids::{BranchName, CommitId, EnvironmentName, FilePath, ServiceName};
use super::time::Time;

/// A commit to be made: its `Display` is the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The environment it is for.
    pub environment: EnvironmentName,
    /// The service it reverts.
    pub service: ServiceName,
    /// The environment's branch.
    pub branch: BranchName,
    /// The head that it was worked out from; its only parent.
    pub base: CommitId,
    /// The bad deployment.
    pub reverts: CommitId,
    /// The new bytes of each file; `None` removes it.
    pub files: BTreeMap<FilePath, Option<Vec<u8>>>,
    /// The whole commit message.
    pub message: String,
    /// Author and committer time.
    pub at: Time,
}
