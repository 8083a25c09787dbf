//! Reading commit objects as they are stored. libgit2's own commits hide the parents of a shallow clone's last
//! commits, which would make each of those look as if it had added every file.

use std::collections::HashSet;

use git2::{ObjectType, Odb, OdbObject, Oid};

use super::fault::Fault;
use crate::domain::history::snapshot::{MAX_MERGED, Person};
use crate::domain::time::Time;

/// What a commit object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitObject {
    pub(super) tree: Oid,
    pub(super) first_parent: Option<Oid>,
    /// The parents besides the first: what a merge brought in.
    pub(super) merged: Vec<Oid>,
    pub(super) author: Person,
    pub(super) authored: Time,
    pub(super) committer: Person,
    pub(super) committed: Time,
    pub(super) message: String,
}

/// What a walk along the history needs of each commit before it comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: Oid,
    pub(super) tree: Oid,
    pub(super) first_parent: Option<Oid>,
    pub(super) committed: Time,
}

/// Reads a commit; `None` when it is not in the repository.
pub(super) fn read(odb: &Odb<'_>, id: Oid) -> Result<Option<CommitObject>, Fault> {
    let Some(object) = object(odb, id)? else { return Ok(None) };
    parsed(id, object.data()).map(Some)
}

/// Reads the beginning of a commit, and hands on its bytes; `None` when it is not in the repository.
pub(super) fn read_header<'a>(odb: &'a Odb<'_>, id: Oid) -> Result<Option<(Header, OdbObject<'a>)>, Fault> {
    let Some(object) = object(odb, id)? else { return Ok(None) };
    Ok(Some((parsed_header(id, object.data())?, object)))
}

/// The time that the committer of a commit gave; `None` where no such commit is in the repository.
pub(super) fn committed(odb: &Odb<'_>, id: Oid) -> Result<Option<Time>, Fault> {
    match odb.read(id) {
        Ok(object) if object.kind() == ObjectType::Commit => {
            Ok(header(id, object.data()).map(|header| header.committed))
        }
        Ok(_) => Ok(None),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The beginning of a commit from its bytes.
pub(super) fn parsed_header(id: Oid, bytes: &[u8]) -> Result<Header, Fault> {
    header(id, bytes).ok_or_else(|| broken(id))
}

/// A commit from its bytes.
pub(super) fn parsed(id: Oid, bytes: &[u8]) -> Result<CommitObject, Fault> {
    parse(bytes).ok_or_else(|| broken(id))
}

fn object<'a>(odb: &'a Odb<'_>, id: Oid) -> Result<Option<OdbObject<'a>>, Fault> {
    match odb.read(id) {
        Ok(object) if object.kind() == ObjectType::Commit => Ok(Some(object)),
        Ok(_) => Err(Fault::not_found(format!("{id} is not a commit, and a commit of that id"))),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn broken(id: Oid) -> Fault {
    Fault::Damaged(format!("the commit {id} is broken"))
}

/// The same as [`parse`] finds, without making texts of what is not needed.
fn header(id: Oid, bytes: &[u8]) -> Option<Header> {
    let (mut tree, mut first_parent, mut committed) = (None, None, None);
    for line in bytes.split(|b| *b == b'\n').take_while(|line| !line.is_empty()) {
        if let Some(id) = line.strip_prefix(b"tree ") {
            tree = tree.or(oid(id));
        } else if let Some(id) = line.strip_prefix(b"parent ") {
            first_parent = first_parent.or(Some(oid(id)?));
        } else if let Some(person) = line.strip_prefix(b"committer ") {
            committed = committed.or(Some(time(person)));
        }
    }
    Some(Header { id, tree: tree?, first_parent, committed: committed? })
}

fn parse(bytes: &[u8]) -> Option<CommitObject> {
    let (mut tree, mut first_parent, mut author, mut committer) = (None, None, None, None);
    let mut merged = Vec::new();
    let mut rest = bytes;
    let message = loop {
        let Some(end) = rest.iter().position(|b| *b == b'\n') else { break &[][..] };
        let line = rest.get(..end)?;
        rest = rest.get(end + 1..)?;
        if line.is_empty() {
            break rest;
        }
        if let Some(id) = line.strip_prefix(b"tree ") {
            tree = tree.or(oid(id));
        } else if let Some(id) = line.strip_prefix(b"parent ") {
            match first_parent {
                None => first_parent = Some(oid(id)?),
                Some(_) => merged.push(oid(id)?),
            }
        } else if let Some(person) = line.strip_prefix(b"author ") {
            author = author.or(Some(signature(person)));
        } else if let Some(person) = line.strip_prefix(b"committer ") {
            committer = committer.or(Some(signature(person)));
        }
    };
    let (author, authored) = author.unwrap_or_default();
    let (committer, committed) = committer?;
    // Some web forms end their lines so. What is found in messages is found by lines and paragraphs.
    let message = String::from_utf8_lossy(message).replace("\r\n", "\n");
    Some(CommitObject { tree: tree?, first_parent, merged, author, authored, committer, committed, message })
}

/// The messages of the commits that a merge brought in: those on the way from its other parents to the mainline. A
/// shallow clone may not have them all; what is not there says nothing.
pub(super) fn merged_messages(
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
        if let Some(commit) = read(odb, id)?.filter(|commit| commit.committed >= since) {
            next.extend(commit.first_parent);
            next.extend(commit.merged);
            messages.push(commit.message);
        }
    }
    Ok(messages)
}

fn oid(hex: &[u8]) -> Option<Oid> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.len() == 40)?;
    Oid::from_str(text).ok()
}

/// `Name <mail> seconds zone`, as tolerant as Git itself: what is missing is empty, and a time that is no number is 0.
fn signature(line: &[u8]) -> (Person, Time) {
    let text = String::from_utf8_lossy(line);
    let (name, rest) = text.split_once('<').unwrap_or((&text, ""));
    let (email, _) = rest.rsplit_once('>').unwrap_or((rest, ""));
    (Person { name: name.trim().to_owned(), email: email.trim().to_owned() }, time(line))
}

/// The time behind the last `>`.
fn time(line: &[u8]) -> Time {
    let after = line.rsplit(|b| *b == b'>').next().filter(|after| after.len() < line.len()).unwrap_or(&[]);
    let seconds = String::from_utf8_lossy(after).split_whitespace().next().and_then(|text| text.parse().ok());
    Time::from_unix(seconds.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_with_odd_people_and_a_signature_is_read() {
        let tree = "1".repeat(40);
        let (one, two) = ("2".repeat(40), "3".repeat(40));
        let text = format!(
            "tree {tree}\nparent {one}\nparent {two}\nauthor A <b> C <a@b> 1700000000 +0100\n\
             committer  <> 1700000009 -0000\ngpgsig -----BEGIN\n author x\n -----END\n\nfirst\n\nauthor no\n"
        );
        let commit = parse(text.as_bytes()).unwrap();
        assert_eq!(commit.first_parent.unwrap().to_string(), one);
        assert_eq!(commit.merged.first().unwrap().to_string(), two);
        assert_eq!(commit.committed, Time::from_unix(1_700_000_009));
        assert_eq!(commit.authored, Time::from_unix(1_700_000_000));
        assert_eq!(commit.author.name, "A");
        assert_eq!(commit.committer.name, "");
        assert_eq!(commit.message, "first\n\nauthor no\n");
        let header = header(Oid::ZERO_SHA1, text.as_bytes()).unwrap();
        assert_eq!(
            (header.tree, header.first_parent, header.committed),
            (commit.tree, commit.first_parent, commit.committed)
        );
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        for bad in ["", "tree 1\n\n", "author A <a> 1 +0000\n\nx", "tree xx\ncommitter A <a> 1 +0000\n\nx"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
            assert_eq!(header(Oid::ZERO_SHA1, bad.as_bytes()), None, "{bad:?}");
        }
    }
}
