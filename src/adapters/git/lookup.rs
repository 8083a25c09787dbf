//! Finding commits by what people call them, and reading files of a commit.

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository};

use super::commit_object;
use super::fault::Fault;
use super::names::commit_id;
use super::tree_diff::{Entry, Kind};
use crate::domain::history::scope::{Interest, Scope};
use crate::domain::history::snapshot::MAX_FILE_BYTES;
use crate::domain::ids::{BlobId, CommitId, FilePath};
use crate::ports::RepositoryError;

/// Git's own lower bound for short ids.
const MIN_SHORT: usize = 4;
const MAX_DEPTH: usize = 128;

/// The commit that an id, a unique short id, a branch, or `HEAD` (with `~` and `^`) names.
pub(super) fn resolve(repository: &Repository, revision: &str) -> Result<CommitId, Fault> {
    let odb = repository.odb()?;
    if let Ok(id) = revision.parse::<CommitId>() {
        return if commit_object::read(&odb, Oid::from_bytes(id.as_bytes())?)?.is_some() {
            Ok(id)
        } else {
            Err(Fault::not_found(format!("the commit {id}")))
        };
    }
    for prefix in ["refs/heads/", "refs/remotes/", "refs/remotes/origin/"] {
        match repository.refname_to_id(&format!("{prefix}{revision}")) {
            Ok(id) => return Ok(commit_id(id)),
            Err(e) if matches!(e.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {}
            Err(e) => return Err(e.into()),
        }
    }
    if is_short_id(revision)
        && let Some(id) = resolve_short(&odb, &revision.to_ascii_lowercase())?
    {
        return Ok(id);
    }
    // What a person says in a clone of their own: `HEAD`, `HEAD~2`. In a cache no HEAD is checked out.
    if revision.starts_with("HEAD")
        && let Ok(commit) = repository.revparse_single(revision).and_then(|object| object.peel_to_commit())
    {
        return Ok(commit_id(commit.id()));
    }
    Err(Fault::not_found(format!("a single branch or commit {revision:?}")))
}

/// Whether the text can be the beginning of an id.
pub(super) fn is_short_id(text: &str) -> bool {
    (MIN_SHORT..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn resolve_short(odb: &Odb<'_>, digits: &str) -> Result<Option<CommitId>, Fault> {
    let is_commit = |id: Oid| odb.read_header(id).is_ok_and(|(_, kind)| kind == ObjectType::Commit);
    match odb.exists_prefix(Oid::from_str(digits)?, digits.len()) {
        Ok(id) => Ok(is_commit(id).then(|| commit_id(id))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) if error.code() == ErrorCode::Ambiguous => {
            // Other kinds of objects do not count. A commit may be stored twice, hence the set.
            let mut found = std::collections::BTreeSet::new();
            odb.foreach(|id| {
                if id.to_string().starts_with(digits) {
                    found.insert(*id);
                }
                true
            })?;
            found.retain(|id| is_commit(*id));
            Ok(if found.len() == 1 { found.first().copied().map(commit_id) } else { None })
        }
        Err(error) => Err(error.into()),
    }
}

fn tree_of(odb: &Odb<'_>, commit: CommitId) -> Result<Oid, Fault> {
    let found = commit_object::read(odb, Oid::from_bytes(commit.as_bytes())?)?;
    Ok(found.ok_or_else(|| Fault::not_found(format!("the commit {commit}")))?.tree)
}

/// Finds the entry at a path of a commit, or the first entry above it that is no directory.
fn found_at(odb: &Odb<'_>, commit: CommitId, path: &FilePath) -> Result<Option<Found>, Fault> {
    let mut tree = tree_of(odb, commit)?;
    let mut parts = path.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        let object = odb.read(tree)?;
        let mut rest = object.data();
        let mut found = None;
        while let Some((entry, after)) = Entry::first(rest)? {
            if entry.name == part.as_bytes() {
                found = Some((entry.kind(), entry.blob()?));
                break;
            }
            rest = after;
        }
        match (found, parts.peek().is_some()) {
            (Some((Kind::Tree, id)), true) => tree = Oid::from_bytes(id.as_bytes())?,
            (Some((kind, blob)), is_above) => return Ok(Some(Found { kind, blob, is_above })),
            (None, _) => return Ok(None),
        }
    }
    Ok(None)
}

/// An entry of a tree.
struct Found {
    kind: Kind,
    blob: BlobId,
    /// Whether it stands above the path that was asked for.
    is_above: bool,
}

/// Whether a file can stand at a path in a commit.
pub(super) fn has_room(repository: &Repository, commit: CommitId, path: &FilePath) -> Result<bool, Fault> {
    let found = found_at(&repository.odb()?, commit, path)?;
    Ok(found.is_none_or(|found| found.kind == Kind::File && !found.is_above))
}

/// The bytes of a plain file in a commit.
pub(super) fn read_file(
    repository: &Repository,
    commit: CommitId,
    path: &FilePath,
) -> Result<Option<Vec<u8>>, Fault> {
    let odb = repository.odb()?;
    let found = found_at(&odb, commit, path)?;
    let Some(Found { blob, .. }) = found.filter(|found| found.kind == Kind::File && !found.is_above) else {
        return Ok(None);
    };
    let id = Oid::from_bytes(blob.as_bytes())?;
    let (bytes, _) = odb.read_header(id)?;
    if bytes > MAX_FILE_BYTES {
        return Err(Fault::Port(RepositoryError::TooLarge { path: path.clone(), bytes, blob }));
    }
    Ok(Some(odb.read(id)?.data().to_vec()))
}

/// The paths of the plain files in a commit of which the scope wants the bytes, in order, at most `limit`.
pub(super) fn list_files(
    repository: &Repository,
    commit: CommitId,
    scope: &dyn Scope,
    limit: usize,
) -> Result<Vec<FilePath>, Fault> {
    let odb = repository.odb()?;
    let mut found = Vec::new();
    list(&odb, tree_of(&odb, commit)?, ("", 0), scope, limit, &mut found)?;
    Ok(found)
}

fn list(
    odb: &Odb<'_>,
    tree: Oid,
    (above, depth): (&str, usize),
    scope: &dyn Scope,
    limit: usize,
    found: &mut Vec<FilePath>,
) -> Result<(), Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::broken(format!("directories are nested deeper than {MAX_DEPTH} at {above:?}")));
    }
    let object = odb.read(tree)?;
    let mut rest = object.data();
    while let Some((entry, after)) = Entry::first(rest)? {
        if found.len() >= limit {
            return Ok(());
        }
        rest = after;
        let Ok(name) = std::str::from_utf8(entry.name) else { continue };
        match entry.kind() {
            Kind::Tree if !scope.directory(&format!("{above}{name}")) => {}
            Kind::Tree => {
                list(odb, entry.oid()?, (&format!("{above}{name}/"), depth + 1), scope, limit, found)?;
            }
            Kind::File if scope.file(&format!("{above}{name}")) != Interest::Bytes => {}
            Kind::File => found.extend(FilePath::new(format!("{above}{name}"))),
            Kind::Other => {}
        }
    }
    Ok(())
}
