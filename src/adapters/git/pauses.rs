//! The list of pauses: one file in a ref of its own. Who changed it when is in the history of the ref.
//!
//! Records lie in a ref for each month, of which a pass reads the newest. A pause may be older than these, and it ends: so the list
//! is small, and is read whole.

use git2::{Oid, Repository};

use super::fault::Fault;
use super::names::PAUSES_REF;
use super::notes::other_than_a_commit;
use super::options::GitOptions;
use super::tree_edit::{self, Edits};
use super::{commit, commit_object, local};
use crate::domain::ids::CommitId;
use crate::domain::time::Time;
use crate::ports::ListChange;
use crate::record::keys::RecordKeys;

/// The name of the file.
const FILE: &str = "pauses.jsonl";
/// The largest list that is read, in bytes: twice what the most pauses need.
const MAX_BYTES: usize = 1 << 20;
/// The id that goes into the `mac` of a line together with the line. No commit has this id, so nobody can pass a record off as a pause.
const NO_COMMIT: CommitId = CommitId::from_bytes([0; 20]);

/// The list as it is here; none where there is none.
pub(super) fn read(repository: &Repository, keys: &RecordKeys) -> Result<Option<String>, Fault> {
    match local::tip(repository, PAUSES_REF)? {
        Some(tip) => Ok(Some(keys.proven(NO_COMMIT, text(repository, tip)?))),
        None => Ok(None),
    }
}

fn text(repository: &Repository, tip: Oid) -> Result<String, Fault> {
    let remedy = format!("`git push origin :{PAUSES_REF}` removes it, and with it all pauses");
    let odb = repository.odb()?;
    if let Some(what) = other_than_a_commit(&odb, tip)? {
        return Err(Fault::broken(format!("{PAUSES_REF} is {what}, and no list of pauses: {remedy}")));
    }
    let tree = repository.find_tree(commit::tree_of(repository, tip)?)?;
    let Some(blob) = tree.get_name(FILE).map(|entry| entry.id()) else { return Ok(String::new()) };
    let (bytes, kind) = odb.read_header(blob)?;
    if kind != git2::ObjectType::Blob || bytes > MAX_BYTES {
        let most = MAX_BYTES >> 10;
        return Err(Fault::broken(format!(
            "{FILE} in {PAUSES_REF} is no file of at most {most} KiB: {remedy}"
        )));
    }
    let text = String::from_utf8(odb.read(blob)?.data().to_vec());
    text.map_err(|_utf8| Fault::broken(format!("{FILE} in {PAUSES_REF} is not UTF-8 text: {remedy}")))
}

/// A commit on top of `tip` with the changed list; none where nothing is to be changed.
pub(super) fn build(
    repository: &Repository,
    options: &GitOptions,
    tip: Option<Oid>,
    change: &ListChange<'_>,
    (message, at): (&str, Time),
) -> Result<Option<Oid>, Fault> {
    let list = read(repository, &options.record_keys)?.unwrap_or_default();
    let Some(lines) = change(&list).map_err(Fault::broken)? else { return Ok(None) };
    let signed = lines.iter().map(|line| options.record_keys.signed(NO_COMMIT, line) + "\n");
    let blob = repository.blob(signed.collect::<String>().as_bytes())?;
    let tree = tree_edit::apply(repository, None, &Edits::from([(FILE, Some(blob))]))?;
    // As for notes: not before what it is made on, where another clock was ahead by less than a day.
    let after = tip.map(|tip| commit_object::committed(&repository.odb()?, tip)).transpose()?.flatten();
    let at = after.filter(|after| *after < at.plus_secs(86_400)).map_or(at, |after| after.max(at));
    commit::write(repository, options, tree, tip.as_slice(), message, at).map(Some)
}
