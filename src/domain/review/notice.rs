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

/// What is said of a commit, as a forge shows it beside the commit: a verdict on a deployment, or what a pull request would bring back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus {
    /// The commit.
    pub commit: CommitId,
    /// What it is about: `backout/<environment>/<service>`, and of what is known of it without a verdict
    /// `backout/quarantine/<environment>` or `backout/elsewhere/<environment>`.
    pub context: String,
    /// Whether all is well.
    pub state: StatusState,
    /// One line, at most [`MAX_DESCRIPTION`] characters.
    pub description: String,
    /// Where to read more.
    pub url: Option<String>,
}

/// The most characters of what a status says. Source: <https://docs.github.com/en/rest/commits/statuses>.
pub const MAX_DESCRIPTION: usize = 140;

/// Whether all is well with a deployment or a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// Healthy, or bad before it.
    Success,
    /// It made things worse, or a person must look at it.
    Failure,
}
