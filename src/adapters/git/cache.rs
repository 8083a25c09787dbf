//! The bare cache of a remote repository: a directory that can be deleted at any time and is then fetched again.
//!
//! Everything in it is a copy, so that there is only one remedy for whatever is wrong with it: delete, clone, once.
//! An advisory lock beside the directory keeps processes apart: shared for reading and for building objects,
//! exclusive for fetching and rebuilding. The operating system drops it when its holder dies.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use std::collections::{BTreeMap, BTreeSet};

use git2::{Oid, Repository};
use sha2::{Digest, Sha256};

use super::fault::Fault;
use super::fetch::{self, Depth, Fetched};
use super::names::is_kept_ref;
use super::transport::Endpoint;
use super::{join, lock};
use crate::ports::RepositoryError;

/// How long to wait for another process that uses the same cache.
const LOCK_WAIT: Duration = Duration::from_secs(120);
const LOCK_STEP: Duration = Duration::from_millis(20);
/// Each fetch leaves a pack behind. Where they could not be joined, the cache is cloned anew rather than read ever more slowly.
const MAX_PACKS: usize = 400;

/// The cache of one remote repository.
pub(super) struct Cache {
    directory: PathBuf,
    lock_file: PathBuf,
    endpoint: Arc<Endpoint>,
    /// The branches and notes (full ref names) that this process has asked for: what a rebuilt cache must hold.
    wanted: Mutex<BTreeSet<String>>,
    /// Where the remote had its notes when this process last listed its refs.
    notes: Mutex<Option<BTreeMap<String, Oid>>>,
}

/// The advisory lock, until its drop.
struct Guard {
    _file: File,
}

impl Cache {
    /// The cache in `cache_dir` for this endpoint; the directory is made, the cache itself on its first fetch.
    /// `identity` is what tells the repository from others; it goes into a hash.
    pub(super) fn new(cache_dir: &Path, identity: &str, endpoint: Endpoint) -> Result<Self, RepositoryError> {
        std::fs::create_dir_all(cache_dir).map_err(|e| {
            RepositoryError::Broken(format!("the cache directory {}: {e}", cache_dir.display()))
        })?;
        let name = directory_name(identity, endpoint.shown());
        Ok(Self {
            directory: cache_dir.join(format!("{name}.git")),
            lock_file: cache_dir.join(format!("{name}.lock")),
            endpoint: Arc::new(endpoint),
            wanted: Mutex::default(),
            notes: Mutex::default(),
        })
    }

    /// The remote.
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Adds a branch or notes (its full ref name) to what a rebuilt cache must hold.
    pub(super) fn want(&self, reference: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(reference.to_owned());
    }

    /// Runs an operation on the cache, shared with others; on a damaged cache it runs again after a rebuild, once.
    /// It must be safe to run twice.
    pub(super) fn with<T>(&self, operation: impl Fn(&Repository) -> Result<T, Fault>) -> Result<T, Fault> {
        let reason = {
            let _guard = self.lock(false)?;
            match self.open().and_then(|repository| checked(&repository, &operation)) {
                Err(Fault::Damaged(reason)) => reason,
                result @ (Ok(_) | Err(_)) => return result,
            }
        };
        self.renew(&reason)?;
        let _guard = self.lock(false)?;
        operation(&self.open()?)
    }

    /// Runs an operation that fetches by itself, while nobody else uses the cache.
    pub(super) fn alone<T>(
        &self,
        operation: impl FnOnce(&Repository, &Arc<Endpoint>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _guard = self.lock(true)?;
        self.sweep()?;
        operation(&self.open()?, &self.endpoint)
    }

    /// Clones the cache again.
    pub(super) fn renew(&self, reason: &str) -> Result<(), Fault> {
        let _guard = self.lock(true)?;
        self.rebuild(reason, &[], Depth::New).map(drop)
    }

    /// Brings the given refs to what the remote has now, see [`fetch::update`].
    pub(super) fn fetch(&self, branches: &[String], depth: Depth) -> Result<BTreeMap<String, Oid>, Fault> {
        let _guard = self.lock(true)?;
        self.sweep()?;
        self.fetch_locked(branches, &[], depth)
    }

    /// Brings those of these notes (full ref names) that the remote has moved since they were fetched.
    pub(super) fn bring_notes(&self, wanted: &BTreeSet<String>) -> Result<(), Fault> {
        wanted.iter().for_each(|name| self.want(name));
        if self.listed_notes().is_none() {
            self.fetch(&[], Depth::New)?;
        }
        let listed = self.listed_notes().unwrap_or_default();
        let behind = self.with(|repository| {
            let is_behind = |name: &&String| {
                let there = listed.get(*name);
                there.is_some() && repository.refname_to_id(name).ok().as_ref() != there
            };
            Ok(wanted.iter().filter(is_behind).cloned().collect::<Vec<String>>())
        })?;
        if behind.is_empty() {
            return Ok(());
        }
        let _guard = self.lock(true)?;
        self.sweep()?;
        self.fetch_locked(&[], &behind, Depth::New).map(drop)
    }

    /// The names of the notes at the remote, as last listed.
    pub(super) fn notes_refs(&self) -> Result<BTreeSet<String>, Fault> {
        if self.listed_notes().is_none() {
            self.fetch(&[], Depth::New)?;
        }
        Ok(self.listed_notes().unwrap_or_default().into_keys().collect())
    }

    /// Takes note of where this process has moved notes at the remote.
    pub(super) fn notes_moved(&self, name: &str, to: Oid) {
        if let Some(listed) = self.notes.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            listed.insert(name.to_owned(), to);
        }
    }

    /// The refs of the notes at the remote, as this process listed them last; none where it has not listed any.
    pub(super) fn listed_notes(&self) -> Option<BTreeMap<String, Oid>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of what the remote has, and returns where the branches are.
    fn listed(&self, fetched: Fetched) -> BTreeMap<String, Oid> {
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = Some(fetched.notes);
        fetched.tips
    }

    /// Fetches under the exclusive lock.
    fn fetch_locked(
        &self,
        branches: &[String],
        optional: &[String],
        depth: Depth,
    ) -> Result<BTreeMap<String, Oid>, Fault> {
        let reason = if self.pack_count() > MAX_PACKS {
            format!("it has more than {MAX_PACKS} packs")
        } else {
            let update = |repository: Repository| {
                fetch::update(&repository, &self.endpoint, branches, optional, depth)
            };
            match self.open().and_then(update) {
                Err(Fault::Damaged(reason)) => reason,
                Err(fault) => return Err(fault),
                Ok(fetched) => match self.join_packs() {
                    Some(reason) => reason,
                    None => return Ok(self.listed(fetched)),
                },
            }
        };
        self.rebuild(&reason, branches, depth)
    }

    /// Joins the packs where there are many. Returns what is damaged in them, where something is. Where it fails otherwise there are
    /// more of them, until the cache is cloned again.
    fn join_packs(&self) -> Option<String> {
        if !join::is_due(&self.directory) {
            return None;
        }
        match self.open().and_then(|repository| join::join_packs(&repository)) {
            Ok(()) => None,
            Err(Fault::Damaged(reason)) => Some(reason),
            Err(fault) => {
                let reason = fault.into_repository_error(self.endpoint.shown());
                tracing::warn!(cache = %self.directory.display(), %reason, "the packs of the cache cannot be joined");
                None
            }
        }
    }

    /// Fetches the whole history of every branch that this process has asked for, when the cache is shallow.
    pub(super) fn fetch_all_of_known(&self) -> Result<(), Fault> {
        let shallow = self.directory.join("shallow").exists();
        if shallow {
            let wanted: Vec<String> =
                self.wanted.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
            let branches: Vec<String> = wanted.into_iter().filter(|name| !is_kept_ref(name)).collect();
            self.fetch(&branches, Depth::Full)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<Repository, Fault> {
        if self.directory.exists() {
            Ok(Repository::open_bare(&self.directory)?)
        } else {
            Err(Fault::Damaged("there is no cache yet".to_owned()))
        }
    }

    /// Clones these branches, and the others that this process uses, into a new directory and puts it in the old one's
    /// place. A kill in between leaves the old cache, the new one, or none, and each of these is fine.
    fn rebuild(
        &self,
        reason: &str,
        branches: &[String],
        depth: Depth,
    ) -> Result<BTreeMap<String, Oid>, Fault> {
        if self.directory.exists() {
            let cache = self.directory.display();
            tracing::warn!(%cache, remote = self.endpoint.shown(), reason, "the cache is cloned again");
        }
        let fresh = self.directory.with_extension("new");
        remove_directory(&fresh)?;
        let repository = Repository::init_bare(&fresh)?;
        let wanted: Vec<String> =
            self.wanted.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let fetched = fetch::update(&repository, &self.endpoint, branches, &wanted, depth);
        drop(repository);
        match fetched {
            Ok(fetched) => {
                remove_directory(&self.directory)?;
                std::fs::rename(&fresh, &self.directory)?;
                Ok(self.listed(fetched))
            }
            Err(fault) => {
                remove_directory(&fresh)?;
                Err(fault)
            }
        }
    }

    /// Removes what a killed process has left: lock files and half-written packs. Only under the exclusive lock,
    /// under which nobody else writes.
    fn sweep(&self) -> Result<(), Fault> {
        let mut directories = vec![self.directory.clone()];
        while let Some(directory) = directories.pop() {
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            let top = directory == self.directory;
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if entry.file_type()?.is_dir() {
                    let holds_leftovers = !top || name == "refs" || name == "objects";
                    let is_fanout = name.len() == 2 && directory.ends_with("objects");
                    if holds_leftovers && !is_fanout {
                        directories.push(entry.path());
                    }
                } else if name.ends_with(".lock") || name.starts_with("pack_") || name.starts_with("tmp_") {
                    std::fs::remove_file(entry.path())?;
                    tracing::debug!(file = %entry.path().display(), "removed what a killed process has left");
                }
            }
        }
        Ok(())
    }

    fn pack_count(&self) -> usize {
        let entries = std::fs::read_dir(self.directory.join("objects/pack"));
        entries.map_or(0, |entries| {
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "pack")).count()
        })
    }

    fn lock(&self, exclusive: bool) -> Result<Guard, Fault> {
        let place = self.lock_file.display();
        let unusable = |e: std::io::Error| Fault::broken(format!("the cache's lock file {place}: {e}"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.lock_file)
            .map_err(unusable)?;
        match lock::within(&file, exclusive, (LOCK_WAIT, LOCK_STEP)).map_err(unusable)? {
            true => Ok(Guard { _file: file }),
            false => Err(Fault::broken(format!(
                "another process has been using the cache for {} s: {place}",
                LOCK_WAIT.as_secs()
            ))),
        }
    }
}

/// Runs an operation; what is said not to exist may only have been lost, which makes it damage.
fn checked<T>(
    repository: &Repository,
    operation: impl Fn(&Repository) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let result = operation(repository);
    if let Err(Fault::Port(RepositoryError::NotFound(_))) = &result {
        check_tips(repository)?;
    }
    result
}

/// Whether the commit at each ref is there.
fn check_tips(repository: &Repository) -> Result<(), Fault> {
    let odb = repository.odb()?;
    for reference in repository.references()? {
        let reference = reference?;
        if let Some(tip) = reference.target()
            && !odb.exists(tip)
        {
            return Err(Fault::Damaged(format!("the commit {tip} is missing")));
        }
    }
    Ok(())
}

/// A name for people and a hash for uniqueness.
pub(super) fn directory_name(identity: &str, shown: &str) -> String {
    let readable: String = shown
        .rsplit("://")
        .next()
        .unwrap_or(shown)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    let readable = readable.trim_matches(['-', '.']);
    let tail: String = readable.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{tail}-{}", short_hash(identity))
}

/// Sixteen hexadecimal digits that tell a text from others, for the name of a file.
pub(super) fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn remove_directory(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::broken(format!("cannot delete {}: {error}", path.display())))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_name_is_plain_and_tells_urls_apart() {
        let one = directory_name("https://h/a/b.git", "https://h/a/b.git");
        let two = directory_name("https://h/a-b.git", "https://h/a-b.git");
        assert_ne!(one, two);
        assert!(one.starts_with("h-a-b.git-"), "{one}");
        assert!(!directory_name("x", "../../..").contains('/'));
        assert!(!directory_name("x", "../../..").starts_with('.'));
    }
}
