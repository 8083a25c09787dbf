//! The first-parent history of a branch, with the files that its commits changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use git2::{ObjectType, Odb, Oid, Repository};

use super::commit_object::{self, CommitObject};
use super::fault::Fault;
use super::tree_diff::{PathChange, TreeDiff};
use super::{branch_ref, commit_id, local};
use crate::domain::ids::BlobId;
use crate::domain::snapshot::{
    Commit, FileDiff, FileVersion, MAX_FILE_BYTES, MAX_MERGED, Snapshot, settle_times,
};
use crate::domain::time::Time;
use crate::ports::HistoryQuery;

/// A wrong clock makes single commits look old, so that the walk ends only after this many old ones in a row.
const OLD_IN_A_ROW: usize = 32;
/// The most commits that are walked.
const MAX_COMMITS: usize = 200_000;
/// The most changed files that are listed of one commit.
const MAX_FILES: usize = 20_000;
/// The most changed files that are listed of all commits together.
const MAX_ALL_FILES: usize = 4_000_000;
/// The most bytes of files that are read for one snapshot. The newest commits come first.
const MAX_ALL_BYTES: usize = 1 << 30;

/// Reads the branch as it is in `repository`.
///
/// [`Fault::Truncated`] says that the history has to be deepened first.
pub(super) fn read(repository: &Repository, query: &HistoryQuery<'_>) -> Result<Snapshot, Fault> {
    let head = local::tip(repository, &branch_ref(query.branch))?
        .ok_or_else(|| Fault::not_found(format!("the branch {}", query.branch)))?;
    let odb = repository.odb()?;
    let headers = walk(&odb, head, query.commits_since.min(query.diffs_since))?;
    let mut times: Vec<Time> = headers.iter().map(|(_, commit)| commit.committed).collect();
    settle_times(&mut times, query.now);
    let listed = |at: &Time| *at >= query.commits_since.min(query.diffs_since);
    // The head is listed whatever its age: a snapshot without it would say nothing of the branch.
    let count = times.iter().take_while(|at| listed(at)).count().max(1);

    let mut files = Files {
        odb: &odb,
        query,
        blobs: HashMap::new(),
        bytes_left: MAX_ALL_BYTES,
        diff: TreeDiff::new(&odb, MAX_FILES),
    };
    let since = query.commits_since.min(query.diffs_since);
    let mainline: HashSet<Oid> = headers.iter().map(|(id, _)| *id).collect();
    let mut commits = Vec::with_capacity(count);
    let mut listed_files = 0;
    for (index, ((id, commit), at)) in headers.iter().zip(&times).take(count).enumerate() {
        let changed = if (query.diffs_since..=query.diffs_until).contains(at) {
            let parent = headers.get(index + 1).map(|(_, parent)| parent.tree);
            files.of(*id, commit, parent, index)?
        } else {
            Vec::new()
        };
        listed_files += changed.len();
        if listed_files > MAX_ALL_FILES {
            return Err(Fault::broken(format!(
                "the commits of {} since {} changed more than {MAX_ALL_FILES} files: look back less far",
                query.branch, query.diffs_since
            )));
        }
        commits.push(Commit {
            id: commit_id(*id),
            parent: commit.first_parent.map(commit_id),
            at: *at,
            author: commit.author.clone(),
            committer: commit.committer.clone(),
            message: commit.message.clone(),
            merged: merged_messages(&odb, commit, &mainline, since)?,
            files: changed,
        });
    }
    let (branch, diffs_since) = (query.branch.clone(), query.diffs_since);
    Ok(Snapshot { branch, head: commit_id(head), commits, diffs_since })
}

/// The chain from `head`, newest first, until enough commits in a row are older than `since`.
fn walk(odb: &Odb<'_>, head: Oid, since: Time) -> Result<Vec<(Oid, CommitObject)>, Fault> {
    let mut chain = Vec::new();
    let mut old = 0;
    let mut next = Some(head);
    while let Some(id) = next {
        if old >= OLD_IN_A_ROW {
            break;
        }
        if chain.len() >= MAX_COMMITS {
            tracing::warn!(commits = MAX_COMMITS, "the history is longer than is read");
            break;
        }
        let commit = match commit_object::read(odb, id)? {
            Some(commit) => commit,
            None if chain.is_empty() => {
                return Err(Fault::Damaged(format!("the commit {id} is missing")));
            }
            None => return Err(Fault::Truncated(chain.len())),
        };
        old = if commit.committed < since { old + 1 } else { 0 };
        next = commit.first_parent;
        chain.push((id, commit));
    }
    Ok(chain)
}

/// The messages of the commits that a merge brought in: those on the way from its other parents to the mainline. A
/// shallow clone may not have them all; what is not there says nothing.
fn merged_messages(
    odb: &Odb<'_>,
    merge: &CommitObject,
    mainline: &HashSet<Oid>,
    since: Time,
) -> Result<Vec<String>, Fault> {
    let mut messages = Vec::new();
    let mut next = merge.merged.clone();
    let mut seen = HashSet::new();
    while let Some(id) = next.pop() {
        if messages.len() >= MAX_MERGED {
            break;
        }
        if mainline.contains(&id) || !seen.insert(id) {
            continue;
        }
        // Older ones may be of a mainline that was not walked as far.
        if let Some(commit) = commit_object::read(odb, id)?.filter(|commit| commit.committed >= since) {
            next.extend(commit.first_parent);
            next.extend(commit.merged);
            messages.push(commit.message);
        }
    }
    Ok(messages)
}

struct Files<'a> {
    odb: &'a Odb<'a>,
    query: &'a HistoryQuery<'a>,
    blobs: HashMap<BlobId, Option<Arc<[u8]>>>,
    bytes_left: usize,
    diff: TreeDiff<'a>,
}

impl Files<'_> {
    /// The files that a commit changed. `parent` is its first parent's tree, where the walk has been there.
    fn of(
        &mut self,
        id: Oid,
        commit: &CommitObject,
        parent: Option<Oid>,
        index: usize,
    ) -> Result<Vec<FileDiff>, Fault> {
        let parent = match (parent, commit.first_parent) {
            (Some(tree), _) => Some(tree),
            (None, None) => None,
            (None, Some(parent)) => {
                Some(commit_object::read(self.odb, parent)?.ok_or(Fault::Truncated(index + 1))?.tree)
            }
        };
        let (changes, truncated) = self.diff.compare(parent, Some(commit.tree))?;
        if truncated {
            tracing::warn!(commit = %id, files = MAX_FILES, "the commit changed more files than are listed");
        }
        changes.into_iter().map(|change| self.versions(change)).collect()
    }

    fn versions(&mut self, change: PathChange) -> Result<FileDiff, Fault> {
        let wanted = (self.query.wanted)(change.path.as_str());
        let mut version = |blob: Option<BlobId>| {
            let Some(blob) = blob else { return Ok(None) };
            let bytes = if wanted { self.bytes(blob)? } else { None };
            Ok::<_, Fault>(Some(FileVersion { blob, bytes }))
        };
        let (old, new) = (version(change.old)?, version(change.new)?);
        Ok(FileDiff { path: change.path, old, new })
    }

    fn bytes(&mut self, id: BlobId) -> Result<Option<Arc<[u8]>>, Fault> {
        if let Some(known) = self.blobs.get(&id) {
            return Ok(known.clone());
        }
        let oid = Oid::from_bytes(id.as_bytes())?;
        let (size, kind) = self.odb.read_header(oid)?;
        let bytes = if kind != ObjectType::Blob || size > MAX_FILE_BYTES {
            None
        } else if let Some(left) = self.bytes_left.checked_sub(size) {
            self.bytes_left = left;
            Some(Arc::from(self.odb.read(oid)?.data()))
        } else {
            tracing::warn!(blob = %id, limit = MAX_ALL_BYTES, "a file is not read: the history has too many bytes");
            None
        };
        self.blobs.insert(id, bytes.clone());
        Ok(bytes)
    }
}
