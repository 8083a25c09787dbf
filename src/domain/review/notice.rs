//! What a forge shows of a deployment beside pull requests: an issue, and a status of the commit.

use crate::domain::ids::CommitId;

/// An issue that asks a person to roll back by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualIssue {
    /// Its number in the repository.
    pub number: u64,
    /// Where people find it.
    pub url: String,
    /// Its text, as it is now.
    pub body: String,
}

/// What a verdict says of a deployment's commit, as a forge shows it beside the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub commit: CommitId,
    /// What it is about: `backout/<environment>/<service>`.
    pub context: String,
    /// Whether all is well.
    pub state: StatusState,
    /// One line, at most 140 characters.
    pub description: String,
    /// Where to read more.
    pub url: Option<String>,
}

/// Whether all is well with a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// Healthy, or bad before it.
    Success,
    /// It made things worse, or a person must look at it.
    Failure,
}
