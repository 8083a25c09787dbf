//! What became of a change.

use std::fmt;

use super::ids::{BranchName, CommitId};

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is on the environment branch.
    Pushed(CommitId),
    /// It waits for a person, on a branch of its own.
    Proposed {
        /// The branch.
        branch: BranchName,
        /// The commit at its tip.
        commit: CommitId,
    },
    /// Nothing was left to do: the bad values are gone, or somebody else was faster.
    Superseded(String),
    /// It could not be delivered.
    Refused(String),
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pushed(commit) => write!(f, "pushed {commit}"),
            Self::Proposed { branch, commit } => write!(f, "proposed {commit} on {branch}"),
            Self::Superseded(why) => write!(f, "superseded: {why}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}
