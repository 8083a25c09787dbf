//! What became of a change.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{BranchName, CommitId};

/// Where a pull request is found, for records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewPlace {
    /// Its number in the repository.
    pub number: u64,
    /// Where people find it.
    pub url: String,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It was only worked out: the pass touches nothing, or a person must decide.
    Planned,
    /// It was not taken this time; the next pass tries anew.
    Postponed,
    /// It is on the environment branch.
    Pushed(CommitId),
    /// It waits on a branch of its own.
    Proposed {
        /// The branch.
        branch: BranchName,
        /// The commit at its tip.
        commit: CommitId,
        /// The pull request from it, where there is a forge.
        review: Option<ReviewPlace>,
        /// What it waits for, in words.
        waits_for: String,
    },
    /// Its pull request was merged, and the environment branch holds the good values.
    Merged(ReviewPlace),
    /// Nothing was left to do: the bad values are gone, or somebody else was faster.
    Superseded(String),
    /// A person has closed its pull request, which means no.
    Declined {
        /// The pull request.
        review: ReviewPlace,
        /// Who has closed it.
        by: String,
    },
    /// A person has to look after its pull request.
    Stuck {
        /// The pull request.
        review: ReviewPlace,
        /// The commit at the tip of its branch.
        head: CommitId,
        /// Whether it is merged, so that nothing more will come of it.
        merged: bool,
        /// Why.
        why: String,
    },
    /// It could not be delivered.
    Refused(String),
}

impl Receipt {
    /// The pull request that it is about.
    #[must_use]
    pub fn review(&self) -> Option<&ReviewPlace> {
        match self {
            Self::Proposed { review, .. } => review.as_ref(),
            Self::Merged(review) | Self::Declined { review, .. } | Self::Stuck { review, .. } => Some(review),
            Self::Planned | Self::Postponed | Self::Pushed(_) | Self::Superseded(_) | Self::Refused(_) => {
                None
            }
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planned => f.write_str("planned"),
            Self::Postponed => f.write_str("left to the next pass"),
            Self::Pushed(commit) => write!(f, "pushed {commit}"),
            Self::Proposed { branch, review: None, .. } => write!(f, "proposed on {branch}"),
            Self::Proposed { review: Some(review), waits_for, .. } => {
                write!(f, "proposed as {}, which waits for {waits_for}", review.url)
            }
            Self::Merged(review) => write!(f, "merged {}", review.url),
            Self::Superseded(why) => write!(f, "superseded: {why}"),
            Self::Declined { review, by } => write!(f, "{by} has closed {} without merging it", review.url),
            Self::Stuck { review, why, .. } => write!(f, "{}: {why}", review.url),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}
