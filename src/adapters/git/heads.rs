//! The heads of open pull requests, and what they would bring to a branch.
//!
//! Anybody may open a pull request from a fork, so that what is fetched of it has bounds. Its commits get no ref in the cache: nothing
//! that reads branches ever meets them, and a cache that is cloned again is without them until they are asked for.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use git2::{Oid, Repository};

use super::blobs::Blobs;
use super::cache::Cache;
use super::changed_files::ChangedFiles;
use super::commit_object::{self, Header};
use super::fault::Fault;
use super::fetch::{self, Brought};
use super::names::commit_id;
use crate::domain::history::scope::Scope;
use crate::domain::history::snapshot::FileDiff;
use crate::domain::ids::CommitId;
use crate::domain::review::OpenPull;
use crate::domain::review::incoming::Incoming;

/// The file in a cache that names the heads that are too large.
const TOO_LARGE: &str = "too-large-heads";
/// How many of them are remembered; then it begins anew.
const MAX_REMEMBERED: usize = 1_000;

/// Fetches the heads that the cache does not have. What is too large is not asked for a second time.
pub(super) fn bring(cache: &Cache, pulls: &[OpenPull]) -> Result<(), Fault> {
    let missing = cache.with(|repository| {
        let (odb, refused) = (repository.odb()?, too_large(repository));
        let is_missing = |pull: &&OpenPull| {
            !refused.contains(&pull.head) && oid(pull.head).is_ok_and(|id| !odb.exists(id))
        };
        Ok(pulls.iter().filter(is_missing).cloned().collect::<Vec<OpenPull>>())
    })?;
    if missing.is_empty() {
        return Ok(());
    }
    cache.alone(|repository, endpoint| {
        let names: Vec<&str> = missing.iter().map(|pull| pull.reference.as_str()).collect();
        if names.len() > 1 && fetch::bring(repository, endpoint, &names)? == Brought::All {
            return Ok(());
        }
        // One that is too large keeps no other out.
        for pull in &missing {
            if fetch::bring(repository, endpoint, &[&pull.reference])? == Brought::TooMuch {
                tracing::warn!(number = pull.number, head = %pull.head, "the pull request is too large to be compared");
                remember(repository, pull.head)?;
            }
        }
        Ok(())
    })
}

/// What these pull requests would bring to a branch that is at `onto`. What is not here, or has nothing in common with it, is left out.
pub(super) fn incoming(
    repository: &Repository,
    pulls: &[OpenPull],
    onto: CommitId,
    scope: &dyn Scope,
) -> Result<Vec<Incoming>, Fault> {
    let odb = repository.odb()?;
    let tree = |id: Oid| Ok::<_, Fault>(commit_object::read_header(&odb, id)?.map(|(header, _)| header));
    let Some(branch) = tree(oid(onto)?)? else {
        return Err(Fault::not_found(format!("the commit {onto}")));
    };
    let mut found = Vec::new();
    for pull in pulls {
        let read = || {
            let head = tree(oid(pull.head)?)?;
            let base = head.and_then(|head| repository.merge_base(head.id, branch.id).ok());
            let base = base.map(tree).transpose()?.flatten();
            let Some((head, base)) = head.zip(base) else { return Ok(None) };
            compared(repository, scope, (&head, &base, &branch)).map(Some)
        };
        match read() {
            Ok(Some((changed, anew, base))) => {
                found.push(Incoming { number: pull.number, head: pull.head, base, changed, anew });
            }
            Ok(None) => tracing::debug!(number = pull.number, "the pull request cannot be compared"),
            // What somebody has put into a pull request is no damage of the cache.
            Err(fault) => tracing::debug!(number = pull.number, ?fault, "the pull request cannot be read"),
        }
    }
    Ok(found)
}

type Compared = (Vec<FileDiff>, Vec<FileDiff>, CommitId);

/// What a head changes since it went its own way, and how the same files differ from those of the branch now.
fn compared(
    repository: &Repository,
    scope: &dyn Scope,
    (head, base, branch): (&Header, &Header, &Header),
) -> Result<Compared, Fault> {
    let odb = repository.odb()?;
    let mut files = ChangedFiles::new(repository, &odb, Blobs::passing(&odb), scope);
    let changed = files.of(head, Some(base.tree))?;
    let mut anew =
        if base.tree == branch.tree { changed.clone() } else { files.of(head, Some(branch.tree))? };
    anew.retain(|file| changed.iter().any(|own| own.path == file.path));
    Ok((changed, anew, commit_id(base.id)))
}

fn oid(id: CommitId) -> Result<Oid, Fault> {
    Ok(Oid::from_bytes(id.as_bytes())?)
}

fn list_in(repository: &Repository) -> PathBuf {
    repository.path().join(TOO_LARGE)
}

fn too_large(repository: &Repository) -> BTreeSet<CommitId> {
    let text = fs::read_to_string(list_in(repository)).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn remember(repository: &Repository, head: CommitId) -> Result<(), Fault> {
    let is_full = too_large(repository).len() >= MAX_REMEMBERED;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(!is_full)
        .write(true)
        .truncate(is_full)
        .open(list_in(repository))?;
    Ok(writeln!(file, "{head}")?)
}
