//! What one pass knows of the repository: the head of a branch and its first-parent history as far back as needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::domain::history::landing::Landing;
use crate::domain::ids::{BlobId, BranchName, CommitId, FilePath};
use crate::domain::time::Time;

/// Who made a commit, as Git records it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The name; any text.
    pub name: String,
    /// The mail address; any text.
    pub email: String,
}

/// One version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// The id of its bytes in Git.
    pub blob: BlobId,
    /// Its bytes. `None` where they were not read: only the name was asked for, the file is larger than
    /// [`MAX_FILE_BYTES`], or the commit is the first of all, which deploys nothing.
    pub bytes: Option<Arc<[u8]>>,
}

impl FileVersion {
    /// Its bytes as text. `None` where they were not read, or are not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.as_deref()?).ok()
    }
}

/// What is in a file, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Its bytes.
    Bytes(Arc<[u8]>),
    /// The id of its bytes in Git, which were not read: see [`FileVersion::bytes`].
    Unread(BlobId),
}

impl Content {
    /// Its bytes. `None` where they were not read.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Unread(_) => None,
        }
    }
}

impl From<&FileVersion> for Content {
    fn from(version: &FileVersion) -> Self {
        version.bytes.clone().map_or(Self::Unread(version.blob), Self::Bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// The largest file that is read, in bytes. Real environment files are far smaller; larger ones are not deployments.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// The most changed files that are listed of one commit.
pub const MAX_CHANGED_FILES: usize = 20_000;

/// How many messages of merged commits are looked at.
pub const MAX_MERGED: usize = 100;

/// A file that a commit changed against its first parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiff {
    /// Where it is.
    pub path: FilePath,
    /// Where it was before, if a deployment put it in the place of another file. The history itself knows no moves.
    pub was: Option<FilePath>,
    /// Before the commit; `None` when the commit added it.
    pub old: Option<FileVersion>,
    /// After the commit; `None` when the commit removed it.
    pub new: Option<FileVersion>,
    /// What it was and what it is, where that is more than a plain file that came, went or has other bytes. Links and submodules have no
    /// versions. `None` too where only the name was asked for.
    pub turned: Option<(FileKind, FileKind)>,
}

impl FileDiff {
    /// How many bytes were read of it, before and after together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let read = [&self.old, &self.new].into_iter().flatten().filter_map(|version| version.bytes.as_ref());
        read.map(|bytes| bytes.len()).sum()
    }
}

/// What stands at a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Nothing,
    /// A file.
    Plain,
    /// A file that may be executed.
    Executable,
    /// A symbolic link, with the path that it leads to; untrusted text.
    Link(String),
    /// A submodule at a commit.
    Submodule(CommitId),
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Plain => f.write_str("a plain file"),
            Self::Executable => f.write_str("an executable file"),
            Self::Link(to) => write!(f, "a link to {to}"),
            Self::Submodule(commit) => write!(f, "a submodule at {}", commit.short()),
        }
    }
}

/// A commit of the first-parent chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: CommitId,
    /// Its first parent; `None` for a root commit.
    pub parent: Option<CommitId>,
    /// When it came to be on the branch: that of `landing`. Monotone along the chain and never after the pass's `now`.
    pub at: Time,
    /// When it came to be on the branch, and how that is known.
    pub landing: Landing,
    /// Who wrote the change.
    pub author: Person,
    /// Who committed it.
    pub committer: Person,
    /// The whole message.
    pub message: String,
    /// The messages of the commits that a merge brought in, newest first; at most [`MAX_MERGED`].
    pub merged: Vec<String>,
    /// The files it changed against its first parent, in path order, as far as they are in the scope that was asked for.
    /// Empty for commits older than [`Snapshot::diffs_since`], except for those that say that they are reverts of the agent.
    pub files: Vec<FileDiff>,
    /// Of a commit that says that it is a revert of the agent: the deployments that it names, as far as they are on the branch
    /// before it, or may be.
    pub taken_back: Vec<TakenBack>,
}

/// A deployment that a commit says it takes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Its commit.
    pub commit: CommitId,
    /// What it changed, in the scope that was asked for. None where nobody can say whether it is on the branch: the history that
    /// is here does not go back to it.
    pub files: Option<Vec<FileDiff>>,
}

/// Of how many deployments that a commit says it takes back the files are looked up. The agent names at most 51 in a revert, and
/// mostly one.
pub const MAX_TAKEN_BACK: usize = 60;

impl Commit {
    /// The first line of the message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or("").trim()
    }
}

/// The state of one branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The branch.
    pub branch: BranchName,
    /// The commit at its tip.
    pub head: CommitId,
    /// The first-parent chain from the head, newest first, as far back as was asked for.
    pub commits: Vec<Commit>,
    /// Commits before this time carry no [`Commit::files`], except for those that say that they are reverts of the agent.
    pub diffs_since: Time,
    /// What the branch held before its history was rewritten, as far as that is known and as far as it is about reverts; newest first.
    pub dropped: Vec<Dropped>,
    /// The commits of the chain that somebody has reworded or put on another commit, each with the ids that it had before, as far as that
    /// is known.
    pub former: BTreeMap<CommitId, BTreeSet<CommitId>>,
}

impl Snapshot {
    /// Whether a commit is on the branch, under this id or another.
    #[must_use]
    pub fn holds(&self, id: CommitId) -> bool {
        self.commits.iter().any(|commit| commit.id == id) || self.former.values().any(|ids| ids.contains(&id))
    }
}

/// A commit that a branch holds no more: one that says that it is a revert of the agent, or one that such a commit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The commit, dated by its committer.
    pub commit: Commit,
    /// The commit by which the branch has the same change now. Then this one is without files.
    pub renamed: Option<CommitId>,
}

/// Makes committer times trustworthy: monotone along the chain and never after `now`.
///
/// `times` are the raw committer times, newest first. As few clocks as possible are taken to be wrong: the longest chain of
/// times that never fall, and are not after `now`, is believed. A time that is too late for it becomes that of the next
/// newer believed commit (or `now` at the head), one that is too early that of its parent.
pub fn settle_times(times: &mut [Time], now: Time) {
    let believed = longest_rise(times, now);
    let mut newer = now;
    for (time, believed) in times.iter_mut().zip(believed) {
        if believed {
            newer = *time;
        } else if *time > newer {
            *time = newer;
        }
    }
    let mut oldest = None;
    for time in times.iter_mut().rev() {
        let at = oldest.map_or(*time, |parent: Time| parent.max(*time));
        *time = at;
        oldest = Some(at);
    }
}

/// Which of the times (newest first) belong to the longest chain that never falls from the oldest to the newest, leaving
/// out what is after `now`; of several as long, one with late times: clocks that were never set say 1970.
/// Source: patience sorting, <https://en.wikipedia.org/wiki/Longest_increasing_subsequence>.
fn longest_rise(times: &[Time], now: Time) -> Vec<bool> {
    // The oldest time of the best chain of each length, with its index; and for each index the newer one in its chain.
    let mut ends: Vec<(Time, usize)> = Vec::new();
    let mut newer: Vec<Option<usize>> = vec![None; times.len()];
    for (index, time) in times.iter().enumerate().filter(|(_, time)| **time <= now) {
        let length = ends.partition_point(|(end, _)| end >= time);
        if let Some(slot) = newer.get_mut(index) {
            *slot = length.checked_sub(1).and_then(|shorter| ends.get(shorter)).map(|(_, index)| *index);
        }
        match ends.get_mut(length) {
            Some(end) => *end = (*time, index),
            None => ends.push((*time, index)),
        }
    }
    let mut believed = vec![false; times.len()];
    let mut next = ends.last().map(|(_, index)| *index);
    while let Some(index) = next {
        if let Some(slot) = believed.get_mut(index) {
            *slot = true;
        }
        next = newer.get(index).copied().flatten();
    }
    believed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(times: &[i64], now: i64) -> Vec<i64> {
        let mut times: Vec<Time> = times.iter().copied().map(Time::from_unix).collect();
        settle_times(&mut times, Time::from_unix(now));
        times.into_iter().map(Time::unix).collect()
    }

    #[test]
    fn a_clock_that_is_ahead_or_behind_moves_no_other_commit() {
        assert_eq!(settled(&[50, 40, 30], 60), [50, 40, 30]);
        assert_eq!(settled(&[50, 900, 30], 60), [50, 50, 30]);
        assert_eq!(settled(&[900, 40, 30], 60), [60, 40, 30]);
        assert_eq!(settled(&[50, 1, 30], 60), [50, 30, 30]);
        // Ahead, but past by now: it must not lift those that came after it.
        assert_eq!(settled(&[54, 52, 59, 30], 60), [54, 52, 52, 30]);
        assert_eq!(settled(&[5, 50, 40], 60), [50, 50, 40]);
    }

    proptest::proptest! {
        #[test]
        fn times_are_monotone_and_never_after_now(
            times in proptest::collection::vec(-50_i64..2_000, 0..40), now in 0_i64..1_000,
        ) {
            let settled = settled(&times, now);
            proptest::prop_assert!(settled.windows(2).all(|pair| pair[0] >= pair[1]));
            proptest::prop_assert!(settled.iter().all(|time| *time <= now));
        }
    }
}
