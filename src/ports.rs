//! What the rules need from the world, as traits. Adapters implement them; only the agent calls them.
//!
//! One error enum a port, with a variant only where the caller does something different.

mod future;
mod leases;
mod metrics;
mod registries;
mod source_code;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

pub use self::future::BoxFuture;
pub use self::leases::{LeaseError, Leases};
pub use self::metrics::{Answer, MetricSource, SourceError};
pub use self::registries::{Held, Registries, RegistryError};
pub use self::source_code::{SourceCode, SourceCodeError};
use crate::domain::environment::policy::Delivery;
use crate::domain::history::landing::{BranchMove, Sighting};
use crate::domain::history::scope::Scope;
use crate::domain::history::snapshot::{Commit, Content, MAX_FILE_BYTES, Snapshot};
use crate::domain::ids::{BlobId, BranchName, CommitId, FilePath};
use crate::domain::review::incoming::Incoming;
use crate::domain::review::text::ChartStyle;
use crate::domain::review::{CommitStatus, ManualIssue, Merging, NewReview, OpenPull, Review};
use crate::domain::time::Time;

/// The time of day.
pub trait Clock: Send + Sync {
    /// Now, in whole seconds.
    fn now(&self) -> Time;
}

/// How far back, and which files, a pass wants to see.
#[derive(Clone)]
pub struct HistoryQuery<'a> {
    /// The branch.
    pub branch: &'a BranchName,
    /// Commits since then come with the files that they changed …
    pub diffs_since: Time,
    /// … unless they are later than this. Those that say that they are reverts of the agent always do.
    pub diffs_until: Time,
    /// Commits since then are listed at all. Not after `diffs_since`.
    pub commits_since: Time,
    /// Now: no commit's time is taken to be later.
    pub now: Time,
    /// The files that are asked for. Other changed files are not listed.
    pub scope: &'a dyn Scope,
}

/// What can go wrong when reading a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The remote cannot be reached or does not answer in time; trying again later may help.
    #[error("cannot reach the repository {remote}: {reason}")]
    Unreachable {
        /// The remote, without secrets.
        remote: String,
        /// What happened.
        reason: String,
    },
    /// The remote refuses us.
    #[error("the repository {remote} refuses access: {reason}")]
    Denied {
        /// The remote, without secrets.
        remote: String,
        /// What happened.
        reason: String,
    },
    /// There is no such branch, commit or file.
    #[error("{0} is not in the repository")]
    NotFound(String),
    /// A file is larger than [`MAX_FILE_BYTES`]. It is that file's trouble alone.
    #[error("{path} has {bytes} bytes, and at most {MAX_FILE_BYTES} are read")]
    TooLarge {
        /// The file.
        path: FilePath,
        /// Its size.
        bytes: usize,
        /// The id of its bytes.
        blob: BlobId,
    },
    /// A branch cannot be made, because Git cannot have it beside one that is there: see [`in_the_way`].
    #[error("{there} is in the way of {wanted}, and Git cannot have both: rename {there}, or remove it")]
    InTheWay {
        /// What is there: `the branch backout`.
        there: String,
        /// What was to be made: `the branch backout/production/checkout/a1b2c3d4e5`.
        wanted: String,
    },
    /// The local cache or the repository itself is broken, or cannot be written.
    #[error("{0}")]
    Broken(String),
}

/// The one of these names beside which Git cannot have `wanted`: one is the directory in which the other would be.
/// Source: `git help check-ref-format`, and `refs/heads/a` is a file where `refs/heads/a/b` needs a directory.
pub fn in_the_way<'n>(names: impl IntoIterator<Item = &'n str>, wanted: &str) -> Option<&'n str> {
    let is_above =
        |above: &str, below: &str| below.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    names.into_iter().find(|there| is_above(there, wanted) || is_above(wanted, there))
}

/// What can go wrong when pushing.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The ref is not where it was expected, or the remote refused for whatever reason: fetch, work it out again from
    /// the new state, and try again.
    #[error("{reference} was not updated: {reason}")]
    Rejected {
        /// The full name of the ref.
        reference: String,
        /// What the remote said.
        reason: String,
    },
    /// Reading, building objects or reaching the remote failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// A new version of some files, as one commit on top of `parent`.
#[derive(Clone, Debug)]
pub struct CommitRequest<'a> {
    /// The branch to update.
    pub branch: &'a BranchName,
    /// Where that branch must be now at the remote; `None` when it must not exist yet.
    pub expected: Option<CommitId>,
    /// The parent of the new commit, whose files it changes.
    pub parent: CommitId,
    /// A second parent: where the branch was, when the new commit brings it up to date with `parent`.
    pub onto: Option<CommitId>,
    /// The new content of each changed file; `None` removes it. Modes stay as they are; new files are plain files.
    pub files: &'a BTreeMap<FilePath, Option<Content>>,
    /// The whole commit message.
    pub message: &'a str,
    /// Author and committer time.
    pub at: Time,
}

/// What a commit was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its parents, in order.
    pub parents: Vec<CommitId>,
    /// The time that its committer gave.
    pub committed: Time,
    /// Its message.
    pub message: String,
}

/// Makes of a list of pauses, as [`Repository::pauses`] shows it, the lines of another one. None where nothing is to be changed; an
/// error says in words why it cannot be.
pub type ListChange<'a> = dyn Fn(&str) -> Result<Option<Vec<String>>, String> + 'a;

/// A Git repository: the environment repo, and the audit log in its notes.
///
/// The calls block; the agent makes them off the async threads. Implementations never force a ref, and never keep a
/// secret where it could be printed.
pub trait Repository: Send + Sync {
    /// Learns what is new at the remote: the branches in `branches`, and the notes. Returns each branch's tip.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] names the first branch that does not exist.
    fn fetch(&self, branches: &[BranchName]) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError>;

    /// The branch as of the last fetch.
    ///
    /// # Errors
    /// When the history cannot be read as far as asked.
    fn history(&self, query: &HistoryQuery<'_>) -> Result<Snapshot, RepositoryError>;

    /// Fetches what is missing of the branch's history since then, so that who needs it later need not wait for it.
    ///
    /// # Errors
    /// When it cannot be fetched.
    fn deepen(&self, branch: &BranchName, since: Time) -> Result<(), RepositoryError>;

    /// The same commits, shown one by one, newest first, until the visitor has seen enough. What it lets go of is not held
    /// anywhere else, so that memory does not grow with the files of a long history. Returns the branch's head.
    ///
    /// # Errors
    /// When the history cannot be read as far as asked; commits may have been visited by then.
    fn walk(
        &self,
        query: &HistoryQuery<'_>,
        visit: &mut dyn FnMut(Commit) -> ControlFlow<()>,
    ) -> Result<CommitId, RepositoryError>;

    /// What is remembered of when a branch was where, oldest first. The times of its commits ([`Commit::at`]) go by it.
    fn sightings(&self, branch: &BranchName) -> Vec<Sighting>;

    /// Remembers when branches were where. It is a hint: where it cannot be kept, nothing fails.
    fn remember(&self, seen: &BTreeMap<BranchName, Vec<Sighting>>);

    /// What a commit was made of.
    ///
    /// # Errors
    /// When it is not in the repository or is broken.
    fn commit(&self, commit: CommitId) -> Result<Made, RepositoryError>;

    /// Whether a commit holds exactly what another one holds with these files changed: to the last link, mode and name.
    ///
    /// # Errors
    /// When one of them is not in the repository or is broken.
    fn holds_exactly(
        &self,
        commit: CommitId,
        base: CommitId,
        files: &BTreeMap<FilePath, Option<Content>>,
    ) -> Result<bool, RepositoryError>;

    /// The bytes of a file in a commit; `None` where there is no such file.
    ///
    /// # Errors
    /// [`RepositoryError::TooLarge`], or when the commit is not in the repository or is broken.
    fn read_file(&self, commit: CommitId, path: &FilePath) -> Result<Option<Vec<u8>>, RepositoryError>;

    /// Reads the content of a file in a commit: its bytes, or their id where it is large. `None` where there is no such file.
    ///
    /// # Errors
    /// When the commit is not in the repository or is broken.
    fn content(&self, commit: CommitId, path: &FilePath) -> Result<Option<Content>, RepositoryError> {
        match self.read_file(commit, path) {
            Ok(bytes) => Ok(bytes.map(Content::from)),
            Err(RepositoryError::TooLarge { blob, .. }) => Ok(Some(Content::Unread(blob))),
            Err(error) => Err(error),
        }
    }

    /// Whether a file can stand at a path in a commit: there is one, or nothing, and each part above it is a directory or nothing.
    ///
    /// # Errors
    /// When the commit is not in the repository or is broken.
    fn has_room(&self, commit: CommitId, path: &FilePath) -> Result<bool, RepositoryError>;

    /// The paths of all files in a commit of which the scope wants the bytes, in order; at most `limit` of them.
    ///
    /// # Errors
    /// When the commit is not in the repository or is broken.
    fn list_files(
        &self,
        commit: CommitId,
        scope: &dyn Scope,
        limit: usize,
    ) -> Result<Vec<FilePath>, RepositoryError>;

    /// What open pull requests would bring to a branch that is at `onto`, in a scope. Their heads are fetched, each once, and no more of them
    /// than a bound: anybody may open a pull request from a fork. What cannot be had or compared is left out.
    ///
    /// # Errors
    /// When the remote cannot be asked, or `onto` is not in the repository.
    fn incoming(
        &self,
        pulls: &[OpenPull],
        onto: CommitId,
        scope: &dyn Scope,
    ) -> Result<Vec<Incoming>, RepositoryError> {
        let (_, _, _) = (pulls, onto, scope);
        Ok(Vec::new())
    }

    /// The commit that `revision` (an id, a short id, a branch, in a local clone also `HEAD~2`) names.
    ///
    /// # Errors
    /// [`RepositoryError::NotFound`] when none or several are meant.
    fn resolve(&self, revision: &str) -> Result<CommitId, RepositoryError>;

    /// Builds a commit and pushes it, provided that the branch is where it is expected to be. Never forces.
    ///
    /// # Errors
    /// [`PushError::Rejected`] when the branch has moved or the remote refuses.
    fn commit_and_push(&self, request: &CommitRequest<'_>) -> Result<CommitId, PushError>;

    /// The tips of the remote's branches whose names begin with `prefix`, as they are now.
    ///
    /// # Errors
    /// When the remote cannot be asked.
    fn remote_branches(&self, prefix: &str) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError>;

    /// The tip of `branch` at the remote, as it is now.
    ///
    /// # Errors
    /// [`RepositoryError::InTheWay`] where it is not there and cannot be made; else when the remote cannot be asked.
    fn remote_tip(&self, branch: &BranchName) -> Result<Option<CommitId>, RepositoryError> {
        // What can be in the way begins with the same step.
        let first = branch.as_str().split('/').next().unwrap_or_default();
        let mut all = self.remote_branches(first)?;
        if let Some(tip) = all.remove(branch) {
            return Ok(Some(tip));
        }
        match in_the_way(all.keys().map(BranchName::as_str), branch.as_str()) {
            None => Ok(None),
            Some(there) => {
                let (there, wanted) = (format!("the branch {there}"), format!("the branch {branch}"));
                Err(RepositoryError::InTheWay { there, wanted })
            }
        }
    }

    /// Removes a branch at the remote, provided that it is at `expected`.
    ///
    /// # Errors
    /// [`PushError::Rejected`] when it has moved or the remote refuses.
    fn remove_branch(&self, branch: &BranchName, expected: CommitId) -> Result<(), PushError>;

    /// Whether a push to `branch` would be let in, tried without changing anything.
    ///
    /// # Errors
    /// Says why not.
    fn check_push(&self, branch: &BranchName) -> Result<(), RepositoryError>;

    /// The notes on these commits, as of the last fetch or append; text as it was written. Notes that cannot be read are left
    /// out.
    ///
    /// # Errors
    /// When the notes cannot be fetched, or none of them can be read.
    fn notes(&self, commits: &[CommitId]) -> Result<BTreeMap<CommitId, String>, RepositoryError>;

    /// Which of the notes on these commits cannot be read, and what is to be done about it, in words.
    ///
    /// # Errors
    /// As for [`Repository::notes`].
    fn unreadable_notes(&self, commits: &[CommitId]) -> Result<Vec<String>, RepositoryError> {
        let _ = commits;
        Ok(Vec::new())
    }

    /// Shows every note, as of the last fetch or append, those on the commits of the newest month first, until the visitor has
    /// seen enough. A commit is shown twice where notes on it stand in two places.
    ///
    /// # Errors
    /// As for [`Repository::notes`].
    fn each_note(
        &self,
        visit: &mut dyn FnMut(CommitId, String) -> ControlFlow<()>,
    ) -> Result<(), RepositoryError>;

    /// Every note, as of the last fetch or append.
    ///
    /// # Errors
    /// As for [`Repository::notes`].
    fn all_notes(&self) -> Result<BTreeMap<CommitId, String>, RepositoryError> {
        let mut all: BTreeMap<CommitId, String> = BTreeMap::new();
        self.each_note(&mut |commit, text| {
            all.entry(commit).or_default().insert_str(0, &text);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Appends lines to notes, as one commit on the notes of each month in which some of the commits were committed, dated `at`,
    /// and pushes them one by one. A line that is already there, or
    /// a record that says the same ([`crate::record::says_the_same`]), is not written twice. When a ref has moved at the
    /// remote the lines are appended to what is there now.
    ///
    /// # Errors
    /// [`PushError::Rejected`] after a bounded number of tries.
    fn append_notes(&self, lines: &BTreeMap<CommitId, Vec<String>>, at: Time) -> Result<(), PushError>;

    /// The list of pauses as of the last fetch, one in a line; none where there is no list. A line that no key proves is marked
    /// ([`crate::record::keys::RecordKeys::proven`]).
    ///
    /// # Errors
    /// When something else than a list stands in its place, or it cannot be read.
    fn pauses(&self) -> Result<Option<String>, RepositoryError> {
        Ok(None)
    }

    /// Changes the list of pauses, as one commit that is dated `at`, and pushes it. When somebody else was faster, the list as it
    /// is then is changed.
    ///
    /// # Errors
    /// [`PushError::Rejected`] after a bounded number of tries, or what `change` says.
    fn change_pauses(&self, message: &str, at: Time, change: &ListChange<'_>) -> Result<(), PushError> {
        let (_, _, _) = (message, at, change);
        Err(RepositoryError::Broken("this repository keeps no pauses".to_owned()).into())
    }
}

/// What can go wrong when asking a forge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// No answer, not in time, not understood, or too many requests; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// The forge refuses us: wrong credentials, or ones that may not do this. A person must mend it.
    #[error("{0}")]
    Denied(String),
    /// The forge refuses this as things stand: it exists already, conflicts, or breaks a rule. Look at it again.
    #[error("{0}")]
    Refused(String),
    /// A feature that is switched off in the repository's settings. That is a fact about the repository, and no error.
    #[error("{0}")]
    Off(String),
    /// Another account has a pull request open from that branch, and the forge takes no second one. Only a person can close
    /// or merge that one.
    #[error("{0}")]
    Taken(String),
}

/// The most moves of a branch that a forge tells.
pub const MAX_MOVES: usize = 100;

/// The most open pull requests that a forge lists.
pub const MAX_PULLS: usize = 50;

/// What an answer of a forge comes as.
pub type Forged<'a, T> = BoxFuture<'a, Result<T, ForgeError>>;

/// A forge: pull requests, issues, and what is shown beside commits. Git itself is [`Repository`]'s.
///
/// Implementations retry reading on their own, a bounded number of times. They send nothing twice that changes
/// something, unless they know that the forge did not take it.
pub trait Forge: Send + Sync {
    /// What it draws charts from; text where it does not say which version it is.
    fn chart(&self) -> BoxFuture<'_, ChartStyle>;

    /// The newest pull request from `branch` of this very repository into `base` that the account of our credentials has
    /// opened, in whatever state; with its commands and what keeps it from being merged where it is open. Those of other
    /// accounts do not exist for it: anybody who may push a branch can open one. [`ForgeError::Denied`] where the forge
    /// does not say which account the credentials are of.
    fn review<'a>(&'a self, branch: &'a BranchName, base: &'a BranchName) -> Forged<'a, Option<Review>>;

    /// Opens a pull request and asks for reviews. Where one is open already it is [`ForgeError::Refused`], and
    /// [`ForgeError::Taken`] where another account has opened that one.
    fn open<'a>(&'a self, new: &'a NewReview) -> Forged<'a, Review>;

    /// Why commands in comments are not obeyed, and which right is missing, in words; none where they are.
    fn deaf(&self) -> Forged<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    /// Replaces the description of a pull request.
    fn describe<'a>(&'a self, review: &'a Review, body: &'a str) -> Forged<'a, ()>;

    /// Merges a pull request, or has the forge merge it as soon as its rules let it, provided that its branch is still at
    /// `review.head`. `message` is that of the commit where one is made.
    fn merge<'a>(&'a self, review: &'a Review, base: &'a BranchName, message: &'a str)
    -> Forged<'a, Merging>;

    /// Takes back that the forge merges it by itself.
    fn unschedule<'a>(&'a self, review: &'a Review) -> Forged<'a, ()>;

    /// Closes a pull request without merging it.
    fn close<'a>(&'a self, review: &'a Review) -> Forged<'a, ()>;

    /// Makes a commit on a branch, which is made where `request.expected` is none, provided that the forge has to do so
    /// itself: for `base` takes verified commits only and the forge is who signs them. None: push it with Git.
    fn commit<'a>(
        &'a self,
        request: &'a CommitRequest<'a>,
        base: &'a BranchName,
    ) -> Forged<'a, Option<CommitId>> {
        let (_, _) = (request, base);
        Box::pin(async { Ok(None) })
    }

    /// The open issues that ask a person to roll back by hand.
    fn issues(&self) -> Forged<'_, Vec<ManualIssue>>;

    /// Opens such an issue.
    fn open_issue<'a>(&'a self, title: &'a str, body: &'a str) -> Forged<'a, ManualIssue>;

    /// Closes such an issue with a last comment.
    fn close_issue<'a>(&'a self, number: u64, comment: &'a str) -> Forged<'a, ()>;

    /// Shows a verdict beside a commit, unless that is what it shows already.
    fn status<'a>(&'a self, status: &'a CommitStatus) -> Forged<'a, ()>;

    /// The same, but only in the place of another one of the same context: where a commit shows none, nothing is said.
    fn restate<'a>(&'a self, status: &'a CommitStatus) -> Forged<'a, ()>;

    /// The open pull requests into `base` that were changed last, whoever has opened them, and of which a status can be shown; at
    /// most [`MAX_PULLS`].
    fn pulls<'a>(&'a self, base: &'a BranchName) -> Forged<'a, Vec<OpenPull>>;

    /// Has a comment with this text on the pull request that brought `commit`, where there is one. Where our account has
    /// written a comment with the same first line there, that one gets the text; nobody else's is changed.
    fn comment<'a>(&'a self, commit: CommitId, text: &'a str) -> Forged<'a, ()>;

    /// The moves of a branch that the forge has logged since a time, newest first; at most [`MAX_MOVES`]. Empty where the
    /// forge keeps no log or does not show it to us.
    fn moves<'a>(&'a self, branch: &'a BranchName, since: Time) -> Forged<'a, Vec<BranchMove>>;

    /// What a person should know before relying on it for reviews into `base`: what is there, each in a sentence, and what could
    /// not be tried without changing something. `delivery` is how reverts get there.
    fn check<'a>(&'a self, base: &'a BranchName, delivery: Delivery) -> Forged<'a, String>;
}
