//! Notes: text attached to commits, in one tree on `refs/notes/backout`, as `git notes` keeps it.
//!
//! The tree maps a commit's 40 hexadecimal digits to a blob. The digits may be split into directories of two (the
//! fanout), differently in different places; Git reads them all and so does this.

use std::collections::hash_map::Entry as Entered;
use std::collections::{BTreeMap, HashMap};

use git2::{ObjectType, Odb, Oid, Repository};

use super::fault::Fault;
use super::names::NOTES_REF;
use super::options::GitOptions;
use super::tree_diff::{Entry, Kind};
use super::tree_edit::{self, Edits};
use super::{commit, commit_object, local};
use crate::domain::history::landing::Sighting;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;
use crate::record::{MAX_LOOKS, looks, says_the_same};

/// The largest note that is read, in bytes.
const MAX_NOTE_BYTES: usize = 32 << 20;
/// After how many bytes of notes no more are searched for looks at a branch.
const MAX_TOLD_BYTES: usize = 64 << 20;
const DIGITS: usize = 40;

/// Every note.
pub(super) fn all(repository: &Repository) -> Result<BTreeMap<CommitId, String>, Fault> {
    let odb = repository.odb()?;
    let mut found = BTreeMap::new();
    if let Some(tree) = tree(&odb, local::tip(repository, NOTES_REF)?)? {
        collect(&odb, tree, "", &mut found)?;
    }
    Ok(found)
}

/// The notes on these commits.
pub(super) fn on(repository: &Repository, commits: &[CommitId]) -> Result<BTreeMap<CommitId, String>, Fault> {
    let odb = repository.odb()?;
    let mut found = BTreeMap::new();
    let Some(tree) = tree(&odb, local::tip(repository, NOTES_REF)?)? else { return Ok(found) };
    let mut trees = Trees::new();
    for commit in commits {
        if let Some((_, blob)) = locate(&odb, &mut trees, tree, &commit.to_string())?
            && let Some(text) = text(&odb, blob)?
        {
            found.insert(*commit, text);
        }
    }
    Ok(found)
}

/// Where a branch was seen, as the notes on these commits tell. Notes are other people's to write: no more is read than some
/// times what agents write about as many commits.
pub(super) fn looks_in(
    repository: &Repository,
    commits: &[CommitId],
    branch: &BranchName,
    now: Time,
) -> Result<Vec<Sighting>, Fault> {
    let odb = repository.odb()?;
    let mut found = Vec::new();
    let Some(tree) = tree(&odb, local::tip(repository, NOTES_REF)?)? else { return Ok(found) };
    let (mut trees, mut bytes) = (Trees::new(), 0);
    for commit in commits {
        let Some((_, blob)) = locate(&odb, &mut trees, tree, &commit.to_string())? else { continue };
        let Some(note) = text(&odb, blob)? else { continue };
        bytes += note.len();
        found.extend(looks(&note, branch, now));
        if bytes >= MAX_TOLD_BYTES || found.len() >= MAX_LOOKS {
            break;
        }
    }
    Ok(found)
}

/// A commit on top of `tip` whose notes have these lines too; `None` when all of them are there already.
pub(super) fn build(
    repository: &Repository,
    options: &GitOptions,
    tip: Option<Oid>,
    lines: &BTreeMap<CommitId, Vec<String>>,
    at: Time,
) -> Result<Option<Oid>, Fault> {
    let odb = repository.odb()?;
    let base = tree(&odb, tip)?;
    let (mut paths, mut trees) = (BTreeMap::new(), Trees::new());
    for (commit, new) in lines {
        let digits = commit.to_string();
        let existing = base.map(|tree| locate(&odb, &mut trees, tree, &digits)).transpose()?.flatten();
        let old = match &existing {
            None => String::new(),
            Some((_, blob)) => text(&odb, *blob)?.ok_or_else(|| {
                Fault::broken(format!("the note on {commit} is larger than {MAX_NOTE_BYTES} bytes"))
            })?,
        };
        let Some(note) = appended(&old, new) else { continue };
        let (directory, file) = digits.split_at(2);
        let path = existing.map_or_else(|| format!("{directory}/{file}"), |(path, _)| path);
        paths.insert(path, repository.blob(note.as_bytes())?);
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let edits: Edits<'_> = paths.iter().map(|(path, blob)| (path.as_str(), Some(*blob))).collect();
    let base = base.map(|id| repository.find_tree(id)).transpose()?;
    let tree = tree_edit::apply(repository, base.as_ref(), &edits)?;
    let message = "Notes added by backout\n";
    Ok(Some(commit::write(repository, options, tree, tip.as_slice(), message, at)?))
}

/// `old` with the lines that it does not say yet; `None` when it says all of them.
fn appended(old: &str, lines: &[String]) -> Option<String> {
    let mut note = old.to_owned();
    for line in lines.iter().flat_map(|line| line.lines()) {
        if line.is_empty() || note.lines().any(|known| says_the_same(known, line)) {
            continue;
        }
        if !note.is_empty() && !note.ends_with('\n') {
            note.push('\n');
        }
        note.push_str(line);
        note.push('\n');
    }
    (note != old).then_some(note)
}

fn tree(odb: &Odb<'_>, tip: Option<Oid>) -> Result<Option<Oid>, Fault> {
    let Some(tip) = tip else { return Ok(None) };
    let missing = || Fault::Damaged(format!("the notes commit {tip} is missing"));
    Ok(Some(commit_object::read(odb, tip)?.ok_or_else(missing)?.tree))
}

/// The entries of a tree that belong to notes: their digits, whether they are trees, and their ids.
fn entries(odb: &Odb<'_>, tree: Oid) -> Result<Vec<(String, Kind, Oid)>, Fault> {
    let object = odb.read(tree)?;
    if object.kind() != ObjectType::Tree {
        return Err(Fault::Damaged(format!("{tree} is not a tree")));
    }
    let mut found = Vec::new();
    let mut rest = object.data();
    while let Some((entry, after)) = Entry::first(rest)? {
        rest = after;
        let digits = std::str::from_utf8(entry.name).unwrap_or("");
        let is_hex = !digits.is_empty() && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let fits = match entry.kind() {
            Kind::Tree => digits.len() == 2,
            Kind::File => true,
            Kind::Other => false,
        };
        if is_hex && fits {
            found.push((digits.to_owned(), entry.kind(), entry.oid()?));
        }
    }
    Ok(found)
}

/// The trees that were read already: the commits that are asked about share most of them.
type Trees = HashMap<Oid, Vec<(String, Kind, Oid)>>;

/// The path and blob of one note, whatever the fanout.
fn locate(odb: &Odb<'_>, trees: &mut Trees, tree: Oid, digits: &str) -> Result<Option<(String, Oid)>, Fault> {
    let (mut tree, mut digits) = (tree, digits);
    let mut path = String::new();
    loop {
        let (directory, file) = digits.split_at_checked(2).unwrap_or((digits, ""));
        let mut below = None;
        let entries = match trees.entry(tree) {
            Entered::Occupied(known) => known.into_mut(),
            Entered::Vacant(new) => new.insert(entries(odb, tree)?),
        };
        for (name, kind, id) in entries {
            if *kind == Kind::File && name == digits {
                return Ok(Some((format!("{path}{name}"), *id)));
            }
            if *kind == Kind::Tree && name == directory {
                below = Some(*id);
            }
        }
        let Some(id) = below else { return Ok(None) };
        path = format!("{path}{directory}/");
        (tree, digits) = (id, file);
    }
}

fn collect(
    odb: &Odb<'_>,
    tree: Oid,
    above: &str,
    found: &mut BTreeMap<CommitId, String>,
) -> Result<(), Fault> {
    for (name, kind, id) in entries(odb, tree)? {
        let digits = format!("{above}{name}");
        if kind == Kind::Tree && digits.len() < DIGITS {
            collect(odb, id, &digits, found)?;
        } else if kind == Kind::File
            && let Ok(commit) = digits.parse::<CommitId>()
            && let Some(text) = text(odb, id)?
        {
            found.insert(commit, text);
        }
    }
    Ok(())
}

fn text(odb: &Odb<'_>, blob: Oid) -> Result<Option<String>, Fault> {
    let (size, kind) = odb.read_header(blob)?;
    if kind != ObjectType::Blob || size > MAX_NOTE_BYTES {
        tracing::warn!(%blob, size, "a note is not read: it is too large");
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(odb.read(blob)?.data()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_once_and_on_lines_of_their_own() {
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(appended("", &lines(&["a", "b", "a"])).unwrap(), "a\nb\n");
        assert_eq!(appended("by hand", &lines(&["a"])).unwrap(), "by hand\na\n");
        assert_eq!(appended("a\nb\n", &lines(&["b", "a"])), None);
        assert_eq!(appended("a\n", &lines(&["b\nc", ""])).unwrap(), "a\nb\nc\n");
    }
}
