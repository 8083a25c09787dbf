//! The commits that a process has read lately. Branches share most of their history, and a pass reads it along each of them.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use git2::{Odb, Oid, Repository};

use super::commit_object::{self, Header};
use super::fault::Fault;

/// How many bytes of commits are kept: some thousands. When there are more, it begins anew.
const MAX_BYTES: usize = 2 << 20;

/// Commits by their ids, as they are stored. What an id names never changes.
#[derive(Debug, Default)]
pub(super) struct Commits(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Which directory they were read from.
    place: Option<(u64, Option<SystemTime>)>,
    objects: HashMap<Oid, Arc<[u8]>>,
    bytes: usize,
}

/// The beginning of a commit, and its bytes.
type Beginning = (Header, Arc<[u8]>);

impl Commits {
    /// Of a repository. Where another one has taken its place, such as a cache that was cloned again, it begins anew: that one may hold
    /// less.
    pub(super) fn of(&self, repository: &Repository) -> &Self {
        let directory = fs::metadata(repository.path()).ok();
        let place = directory.map(|directory| (directory.ino(), directory.created().ok()));
        let mut kept = self.kept();
        if kept.place != place {
            *kept = Kept { place, ..Kept::default() };
        }
        drop(kept);
        self
    }

    /// Forgets everything where the repository is damaged: it may be made anew, and hold less.
    pub(super) fn forget_after(&self, fault: &Fault) {
        if matches!(fault, Fault::Damaged(_)) {
            *self.kept() = Kept::default();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The beginning of a commit, and its bytes; `None` when it is not in the repository.
    pub(super) fn header(&self, odb: &Odb<'_>, id: Oid) -> Result<Option<Beginning>, Fault> {
        let known = self.kept().objects.get(&id).cloned();
        if let Some(bytes) = known {
            return Ok(Some((commit_object::parsed_header(id, &bytes)?, bytes)));
        }
        let Some((header, object)) = commit_object::read_header(odb, id)? else { return Ok(None) };
        let bytes: Arc<[u8]> = Arc::from(object.data());
        let mut kept = self.kept();
        if kept.bytes.saturating_add(bytes.len()) > MAX_BYTES {
            *kept = Kept { place: kept.place, ..Kept::default() };
        }
        kept.bytes = kept.bytes.saturating_add(bytes.len());
        kept.objects.insert(id, Arc::clone(&bytes));
        drop(kept);
        Ok(Some((header, bytes)))
    }
}
