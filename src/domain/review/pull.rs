//! A pull request: as a forge shows it, and as it is opened.

use super::command::Command;
use crate::domain::change::receipt::ReviewPlace;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;

/// A pull request as the forge shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Its number in the repository.
    pub number: u64,
    /// Where people find it.
    pub url: String,
    /// The commit at the tip of its branch.
    pub head: CommitId,
    /// Whether it is open.
    pub state: ReviewState,
    /// The commit by which it came to the environment's branch, where it did and the forge tells.
    pub merged_as: Option<CommitId>,
    /// When it was opened.
    pub opened_at: Time,
    /// Its description, as it is now.
    pub body: String,
    /// Whether the forge was asked to merge it by itself as soon as its rules let it.
    pub scheduled: bool,
    /// What keeps it from being merged.
    pub standing: Standing,
    /// What people have told the agent in comments, oldest first.
    pub commands: Vec<Command>,
    /// Why not all of that is known, where it is not: one of the others may hold it.
    pub unread: Option<String>,
    /// The other one of ours that is open and comes from the same branch, where the server has taken two: two agents have opened them at
    /// the same moment.
    pub second: Option<Second>,
}

/// The second of two pull requests from one branch. The first is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// Its number in the repository.
    pub number: u64,
    /// Its description, as it is now.
    pub body: String,
}

/// Whether a pull request is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewState {
    /// It waits.
    Open,
    /// It was merged.
    Merged,
    /// It was closed without being merged.
    Closed {
        /// Who closed it, where the forge says so.
        by: Option<String>,
    },
}

/// What keeps an open pull request from being merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Ready,
    /// Its changes conflict with the branch.
    Conflict,
    /// The branch has moved, and its rules want the pull request to contain that.
    Behind,
    /// Checks, approvals or rules, each by its name. Never empty.
    Blocked(Vec<String>),
    /// The forge has not worked it out yet.
    Unknown,
}

/// What became of asking a forge to merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// It is merged.
    Merged,
    /// The forge will merge it when its rules let it.
    Scheduled,
    /// The forge does not merge by itself: the agent has to ask again when nothing is in the way.
    Waiting(String),
}

impl Review {
    /// Where it is found.
    #[must_use]
    pub fn place(&self) -> ReviewPlace {
        ReviewPlace { number: self.number, url: self.url.clone() }
    }
}

/// A pull request to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReview {
    /// The branch with the revert.
    pub branch: BranchName,
    /// The environment's branch.
    pub base: BranchName,
    /// The title: one line.
    pub title: String,
    /// The description, in Markdown.
    pub body: String,
    /// Who owns the changed files, by the repository's CODEOWNERS.
    pub owners: Vec<String>,
}

/// An open pull request, whoever has opened it: as much of it as a list of them has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPull {
    /// Its number in the repository.
    pub number: u64,
    /// The commit at the tip of its branch.
    pub head: CommitId,
    /// The ref by which the repository has that commit, also where the branch is of a fork.
    pub reference: String,
}
