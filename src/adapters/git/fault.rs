//! What can go wrong inside the adapter, and how it is told at the port.

use std::collections::BTreeSet;

use crate::domain::text::flat;
use crate::ports::{PushError, RepositoryError};

/// A failure, kept apart as far as the adapter itself does something different.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is on disk cannot be read or written: a cache is rebuilt, a local repository is reported.
    Damaged(String),
    /// The first-parent chain ends at the edge of a shallow clone.
    Truncated {
        /// After so many commits.
        walked: usize,
        /// So many would be enough if people went on committing as often as in those that are there. None where their times
        /// say nothing.
        enough: Option<usize>,
    },
    /// These notes (full ref names) are at the remote, and not here, or not as they are there.
    Behind(BTreeSet<String>),
    /// A ref was not updated.
    Rejected {
        /// The full name of the ref.
        reference: String,
        /// Why.
        reason: String,
    },
    /// Nothing that the adapter can mend.
    Port(RepositoryError),
}

impl Fault {
    /// A failure that a rebuilt cache would not mend.
    pub(super) fn broken(text: impl Into<String>) -> Self {
        Self::Port(RepositoryError::Broken(text.into()))
    }

    /// Something that does not exist.
    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::Port(RepositoryError::NotFound(what.into()))
    }

    /// For the port's readers, with the repository's place in front of what is damaged.
    pub(super) fn into_repository_error(self, place: &str) -> RepositoryError {
        match self {
            Self::Damaged(reason) => RepositoryError::Broken(format!("the repository {place}: {reason}")),
            Self::Truncated { walked, .. } => RepositoryError::Broken(format!(
                "the repository {place} is shallow and ends after {walked} commits: run `git fetch --unshallow` in it"
            )),
            Self::Behind(notes) => RepositoryError::Broken(format!(
                "the repository {place}: {} cannot be fetched",
                notes.into_iter().collect::<Vec<_>>().join(", ")
            )),
            Self::Rejected { reference, reason } => {
                RepositoryError::Broken(format!("{reference} was not updated: {reason}"))
            }
            Self::Port(error) => error,
        }
    }

    /// For the port's writers.
    pub(super) fn into_push_error(self, place: &str) -> PushError {
        match self {
            Self::Rejected { reference, reason } => PushError::Rejected { reference, reason },
            other @ (Self::Damaged(_) | Self::Truncated { .. } | Self::Behind(_) | Self::Port(_)) => {
                PushError::Repository(other.into_repository_error(place))
            }
        }
    }
}

impl From<git2::Error> for Fault {
    fn from(error: git2::Error) -> Self {
        Self::Damaged(error.message().to_owned())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Foreign text (a server's, a program's) made fit for one line of a message: control characters become spaces, and
/// what is longer than `limit` characters is cut.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let flat = flat(text);
    let joined = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= limit {
        joined
    } else {
        joined.chars().take(limit).chain(std::iter::once('…')).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_bounded_line() {
        assert_eq!(one_line("a\n\tb\0c  d\r\n", 80), "a b c d");
        assert_eq!(one_line("abcdef", 3), "abc…");
    }
}
