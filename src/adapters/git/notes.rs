//! Notes: text attached to commits, in one tree a month, as `git notes` keeps it. The month is the one in which the commit was
//! committed ([`notes_ref`]). All months are read by `git log --notes='backout*'`.
//!
//! The tree maps a commit's 40 hexadecimal digits to a blob. The digits may be split into directories of two (the
//! fanout), differently in different places; Git reads them all and so does this.
//!
//! Notes are other people's to write. One that is too long, or is no text, is left out; it holds up no other.

use std::collections::hash_map::Entry as Entered;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use git2::{ObjectType, Odb, Oid, Repository};

use super::fault::Fault;
use super::names::{OLD_NOTES_REF, commit_id, is_notes_ref, notes_ref};
use super::options::GitOptions;
use super::tree_diff::{Entry, Kind};
use super::tree_edit::{self, Edits};
use super::{commit, commit_object, local};
use crate::domain::ids::CommitId;
use crate::domain::time::Time;
use crate::record::keys::RecordKeys;
use crate::record::says_the_same;

/// The largest note that is read, in bytes: a thousand times what is written about a deployment, and some times the largest record.
const MAX_NOTE_BYTES: usize = 8 << 20;
const DIGITS: usize = 40;
/// The deepest directories of notes: of each two digits one.
const MAX_DEPTH: usize = DIGITS / 2;

/// A commit, with the month in which it was committed: so is named the ref that holds its notes. Of a commit that is not here
/// nobody knows it.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    pub(super) commit: Oid,
    month: Option<String>,
}

impl Dated {
    /// A commit of which the committer's time is known.
    pub(super) fn at(commit: Oid, committed: Time) -> Self {
        Self { commit, month: notes_ref(committed) }
    }

    /// A commit by its id. A broken commit has no month, as one that is not here.
    fn look_up(odb: &Odb<'_>, commit: CommitId) -> Result<Self, Fault> {
        let commit = Oid::from_bytes(commit.as_bytes())?;
        let header = commit_object::read_header(odb, commit).ok().flatten();
        Ok(Self { commit, month: header.and_then(|(header, _)| notes_ref(header.committed)) })
    }

    /// Which refs may hold the notes on it: that of its month, and the old one for all months. Where its month is not known, none but
    /// those that are here.
    fn refs(&self, repository: &Repository) -> Result<Vec<String>, Fault> {
        Ok(match &self.month {
            Some(month) => vec![OLD_NOTES_REF.to_owned(), month.clone()],
            None => here(repository)?,
        })
    }
}

/// The notes that are in the repository, by the full names of their refs.
pub(super) fn here(repository: &Repository) -> Result<Vec<String>, Fault> {
    Ok(local::refs(repository, "refs/notes/")?.into_keys().filter(|name| is_notes_ref(name)).collect())
}

/// The refs that are needed to read the notes on these commits.
pub(super) fn refs_for(repository: &Repository, commits: &[CommitId]) -> Result<BTreeSet<String>, Fault> {
    let odb = repository.odb()?;
    let mut refs = BTreeSet::from([OLD_NOTES_REF.to_owned()]);
    for commit in commits {
        refs.extend(Dated::look_up(&odb, *commit)?.month);
    }
    Ok(refs)
}

/// The refs that are needed to read the notes on these commits, and that the remote has elsewhere (`listed`: where it has them).
pub(super) fn behind(
    repository: &Repository,
    commits: &[Dated],
    listed: &BTreeMap<String, Oid>,
) -> BTreeSet<String> {
    let months: BTreeSet<&str> = commits.iter().filter_map(|one| one.month.as_deref()).collect();
    let is_behind = |name: &&str| {
        let there = listed.get(*name);
        there.is_some() && repository.refname_to_id(name).ok().as_ref() != there
    };
    months.into_iter().chain([OLD_NOTES_REF]).filter(is_behind).map(str::to_owned).collect()
}

/// The trees of notes, each looked up once.
pub(super) struct Months<'r> {
    repository: &'r Repository,
    pub(super) odb: Odb<'r>,
    roots: HashMap<String, Option<Oid>>,
    trees: Trees,
    keys: &'r RecordKeys,
}

impl<'r> Months<'r> {
    pub(super) fn of(repository: &'r Repository, keys: &'r RecordKeys) -> Result<Self, Fault> {
        Ok(Self { repository, odb: repository.odb()?, roots: HashMap::new(), trees: Trees::new(), keys })
    }

    fn root(&mut self, reference: &str) -> Result<Option<Oid>, Fault> {
        if let Some(known) = self.roots.get(reference) {
            return Ok(*known);
        }
        let root = tree(&self.odb, local::tip(self.repository, reference)?)?;
        self.roots.insert(reference.to_owned(), root);
        Ok(root)
    }

    /// The blobs of the notes on a commit, the oldest ref first.
    pub(super) fn blobs(&mut self, commit: &Dated) -> Result<Vec<Oid>, Fault> {
        let digits = commit.commit.to_string();
        let mut blobs = Vec::new();
        for reference in commit.refs(self.repository)? {
            if let Some(root) = self.root(&reference)?
                && let Some((_, blob)) = locate(&self.odb, &mut self.trees, root, &digits)?
            {
                blobs.push(blob);
            }
        }
        Ok(blobs)
    }

    /// The text of the notes on a commit; none where there is none that can be read.
    fn text(&mut self, commit: &Dated) -> Result<Option<String>, Fault> {
        let mut whole: Option<String> = None;
        for blob in self.blobs(commit)? {
            if let Note::Text(text) = note(&self.odb, blob)? {
                let whole = whole.get_or_insert_default();
                if !whole.is_empty() && !whole.ends_with('\n') {
                    whole.push('\n');
                }
                whole.push_str(&text);
            }
        }
        Ok(whole.map(|whole| self.keys.proven(commit_id(commit.commit), whole)))
    }
}

/// The notes on these commits.
pub(super) fn on(
    repository: &Repository,
    keys: &RecordKeys,
    commits: &[CommitId],
) -> Result<BTreeMap<CommitId, String>, Fault> {
    let mut months = Months::of(repository, keys)?;
    let mut found = BTreeMap::new();
    for commit in commits {
        let dated = Dated::look_up(&months.odb, *commit)?;
        if let Some(text) = months.text(&dated)? {
            found.insert(*commit, text);
        }
    }
    Ok(found)
}

/// Which of the notes on these commits are not read, and what is to be done about it, in words.
pub(super) fn unreadable(repository: &Repository, commits: &[CommitId]) -> Result<Vec<String>, Fault> {
    let no_keys = RecordKeys::default();
    let mut months = Months::of(repository, &no_keys)?;
    let (mut refs, mut found) = (BTreeSet::new(), Vec::new());
    for commit in commits {
        let dated = Dated::look_up(&months.odb, *commit)?;
        for reference in dated.refs(repository)? {
            if refs.insert(reference.clone()) {
                found.extend(no_commit(repository, &months.odb, &reference)?);
            }
        }
        for blob in months.blobs(&dated)? {
            if let Some(why) = why_unreadable(&months.odb, blob)? {
                found.push(format!(
                    "what is recorded about {} is not read: {why}: `git notes --ref=backout-YYYY-MM remove {commit}` takes it away",
                    commit.short()
                ));
            }
        }
    }
    Ok(found)
}

/// Shows each note of a month.
pub(super) fn each(
    repository: &Repository,
    reference: &str,
    visit: &mut dyn FnMut(CommitId, String) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Fault> {
    let odb = repository.odb()?;
    match tree(&odb, local::tip(repository, reference)?)? {
        Some(tree) => collect(&odb, tree, "", visit),
        None => Ok(ControlFlow::Continue(())),
    }
}

/// The lines that belong to each ref. Where nobody knows when a commit was committed, they belong to the month of `at`.
pub(super) fn by_ref(
    repository: &Repository,
    lines: &BTreeMap<CommitId, Vec<String>>,
    at: Time,
) -> Result<BTreeMap<String, BTreeMap<CommitId, Vec<String>>>, Fault> {
    let odb = repository.odb()?;
    let mut sorted: BTreeMap<String, BTreeMap<CommitId, Vec<String>>> = BTreeMap::new();
    for (commit, lines) in lines {
        let reference = Dated::look_up(&odb, *commit)?.month.or_else(|| notes_ref(at));
        let reference =
            reference.ok_or_else(|| Fault::broken(format!("{at} is in no month that notes are kept of")))?;
        sorted.entry(reference).or_default().insert(*commit, lines.clone());
    }
    Ok(sorted)
}

/// A commit on top of `tip` whose notes have these lines too; `None` when all of them are there already, or in the old ref. What
/// cannot be appended to is left as it is, and told.
pub(super) fn build(
    repository: &Repository,
    options: &GitOptions,
    (reference, tip): (&str, Option<Oid>),
    lines: &BTreeMap<CommitId, Vec<String>>,
    at: Time,
) -> Result<Built, Fault> {
    let odb = repository.odb()?;
    if let Some(why) = no_commit(repository, &odb, reference)? {
        return Err(Fault::broken(why));
    }
    let base = tree(&odb, tip)?;
    let old = tree(&odb, local::tip(repository, OLD_NOTES_REF)?)?;
    let (mut paths, mut trees, mut left) = (BTreeMap::new(), Trees::new(), Vec::new());
    for (commit, new) in lines {
        let digits = commit.to_string();
        let mut place = |tree: Option<Oid>| -> Result<Option<(String, Oid)>, Fault> {
            Ok(tree.map(|tree| locate(&odb, &mut trees, tree, &digits)).transpose()?.flatten())
        };
        let (existing, before) = (place(base)?, place(old)?);
        let read = |found: &Option<(String, Oid)>| match found {
            Some((_, blob)) => note(&odb, *blob),
            None => Ok(Note::Text(String::new())),
        };
        let text = match read(&existing)? {
            Note::Text(text) => text,
            Note::Unreadable(why) => {
                left.push(format!("{why}, on {commit}"));
                continue;
            }
        };
        let known = match read(&before)? {
            Note::Text(text) => text,
            Note::Unreadable(_) => String::new(),
        };
        let keys = &options.record_keys;
        let Some(note) = appended(keys, *commit, (&text, &known), new) else { continue };
        let (directory, file) = digits.split_at(2);
        let path = existing.map_or_else(|| format!("{directory}/{file}"), |(path, _)| path);
        paths.insert(path, repository.blob(note.as_bytes())?);
    }
    if paths.is_empty() {
        return Ok(Built { commit: None, left });
    }
    let edits: Edits<'_> = paths.iter().map(|(path, blob)| (path.as_str(), Some(*blob))).collect();
    let base = base.map(|id| repository.find_tree(id)).transpose()?;
    let tree = tree_edit::apply(repository, base.as_ref(), &edits)?;
    let message = "Notes added by backout\n";
    // Not before what it is made on, where another clock was ahead by less than a day: libgit2 goes by these times when it looks for
    // what a server has.
    let after = tip.map(|tip| commit_object::committed(&odb, tip)).transpose()?.flatten();
    let at = after.filter(|after| *after < at.plus_secs(86_400)).map_or(at, |after| after.max(at));
    Ok(Built { commit: Some(commit::write(repository, options, tree, tip.as_slice(), message, at)?), left })
}

/// What was made of lines that are to be appended.
pub(super) struct Built {
    /// The commit; none where there is nothing to append.
    pub(super) commit: Option<Oid>,
    /// The notes that are left as they are, and why.
    pub(super) left: Vec<String>,
}

/// `old` with the lines that neither it nor what is `elsewhere` says yet; `None` when there are none. What somebody else has written
/// says nothing.
fn appended(
    keys: &RecordKeys,
    commit: CommitId,
    (old, elsewhere): (&str, &str),
    lines: &[String],
) -> Option<String> {
    let mut note = old.to_owned();
    let mut known = keys.proven(commit, format!("{elsewhere}\n{old}"));
    for line in lines.iter().flat_map(|line| line.lines()) {
        if line.is_empty() || known.lines().any(|known| says_the_same(known, line)) {
            continue;
        }
        if !note.is_empty() && !note.ends_with('\n') {
            note.push('\n');
        }
        note.push_str(&keys.signed(commit, line));
        note.push('\n');
        known.push_str(line);
        known.push('\n');
    }
    (note != old).then_some(note)
}

/// The tree of the notes. Whoever may push the ref can have it hold something else than a commit: then there are no notes.
fn tree(odb: &Odb<'_>, tip: Option<Oid>) -> Result<Option<Oid>, Fault> {
    let Some(tip) = tip else { return Ok(None) };
    if let Some(what) = other_than_a_commit(odb, tip)? {
        tracing::warn!(%tip, what, "a ref of notes is not read");
        return Ok(None);
    }
    let missing = || Fault::Damaged(format!("the notes commit {tip} is missing"));
    Ok(Some(commit_object::read(odb, tip)?.ok_or_else(missing)?.tree))
}

/// The kind of object that a ref points to that holds notes or pauses, in words; none where it is a commit that can be read.
pub(super) fn other_than_a_commit(odb: &Odb<'_>, tip: Oid) -> Result<Option<&'static str>, Fault> {
    let object = match odb.read(tip) {
        Ok(object) => object,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(match object.kind() {
        ObjectType::Commit => commit_object::parsed(tip, object.data()).is_err().then_some("a broken commit"),
        ObjectType::Tag => Some("a tag"),
        ObjectType::Tree => Some("a tree"),
        ObjectType::Blob | ObjectType::Any => Some("a file"),
    })
}

/// That a ref of notes holds no commit, and what is to be done about it; none where it does, or is not there.
fn no_commit(repository: &Repository, odb: &Odb<'_>, reference: &str) -> Result<Option<String>, Fault> {
    let Some(tip) = local::tip(repository, reference)? else { return Ok(None) };
    Ok(other_than_a_commit(odb, tip)?.map(|what| {
        format!(
            "{reference} is {what}, and no notes: records are neither read from it nor written; \
             `git push origin :{reference}` removes it"
        )
    }))
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
    for _ in 0..=MAX_DEPTH {
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
    Ok(None)
}

fn collect(
    odb: &Odb<'_>,
    tree: Oid,
    above: &str,
    visit: &mut dyn FnMut(CommitId, String) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Fault> {
    for (name, kind, id) in entries(odb, tree)? {
        let digits = format!("{above}{name}");
        let mut flow = ControlFlow::Continue(());
        if kind == Kind::Tree && digits.len() < DIGITS {
            flow = collect(odb, id, &digits, visit)?;
        } else if kind == Kind::File
            && let Ok(commit) = digits.parse::<CommitId>()
            && let Note::Text(text) = note(odb, id)?
        {
            flow = visit(commit, text);
        }
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// A note as it was read.
pub(super) enum Note {
    Text(String),
    /// Why it is not read.
    Unreadable(String),
}

/// Reads a note.
pub(super) fn note(odb: &Odb<'_>, blob: Oid) -> Result<Note, Fault> {
    if let Some(why) = why_unreadable(odb, blob)? {
        tracing::warn!(%blob, why, "a note is not read");
        return Ok(Note::Unreadable(why));
    }
    Ok(Note::Text(String::from_utf8_lossy(odb.read(blob)?.data()).into_owned()))
}

fn why_unreadable(odb: &Odb<'_>, blob: Oid) -> Result<Option<String>, Fault> {
    let (size, kind) = odb.read_header(blob)?;
    Ok(if kind != ObjectType::Blob {
        Some("the note is not a file".to_owned())
    } else if size > MAX_NOTE_BYTES {
        Some(format!("the note has {size} bytes, and none of more than {MAX_NOTE_BYTES} is read"))
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_once_and_on_lines_of_their_own() {
        let lines = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let (keys, commit) = (RecordKeys::default(), CommitId::from_bytes([1; 20]));
        let added = |notes: (&str, &str), new: &[String]| appended(&keys, commit, notes, new);
        assert_eq!(added(("", ""), &lines(&["a", "b", "a"])).unwrap(), "a\nb\n");
        assert_eq!(added(("by hand", ""), &lines(&["a"])).unwrap(), "by hand\na\n");
        assert_eq!(added(("a\nb\n", ""), &lines(&["b", "a"])), None);
        assert_eq!(added(("", "a\nb\n"), &lines(&["b", "c"])).unwrap(), "c\n");
        assert_eq!(added(("a\n", ""), &lines(&["b\nc", ""])).unwrap(), "a\nb\nc\n");
    }
}
