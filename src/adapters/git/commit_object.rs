//! Reading commit objects as they are stored. libgit2's own commits hide the parents of a shallow clone's last
//! commits, which would make each of those look as if it had added every file.

use git2::{ObjectType, Odb, Oid};

use super::fault::Fault;
use crate::domain::snapshot::Person;
use crate::domain::time::Time;

/// What a commit object says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitObject {
    pub(super) tree: Oid,
    pub(super) first_parent: Option<Oid>,
    /// The parents besides the first: what a merge brought in.
    pub(super) merged: Vec<Oid>,
    pub(super) author: Person,
    pub(super) committer: Person,
    pub(super) committed: Time,
    pub(super) message: String,
}

/// Reads a commit; `None` when it is not in the repository.
pub(super) fn read(odb: &Odb<'_>, id: Oid) -> Result<Option<CommitObject>, Fault> {
    let object = match odb.read(id) {
        Ok(object) => object,
        Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if object.kind() != ObjectType::Commit {
        return Err(Fault::not_found(format!("{id} is not a commit, and a commit of that id")));
    }
    parse(object.data()).map(Some).ok_or_else(|| Fault::Damaged(format!("the commit {id} is broken")))
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
    let (author, _) = author.unwrap_or_default();
    let (committer, committed) = committer?;
    let message = String::from_utf8_lossy(message).into_owned();
    Some(CommitObject { tree: tree?, first_parent, merged, author, committer, committed, message })
}

fn oid(hex: &[u8]) -> Option<Oid> {
    let text = std::str::from_utf8(hex).ok().filter(|text| text.len() == 40)?;
    Oid::from_str(text).ok()
}

/// `Name <mail> seconds zone`, as tolerant as Git itself: what is missing is empty, and a time that is no number is 0.
fn signature(line: &[u8]) -> (Person, Time) {
    let line = String::from_utf8_lossy(line);
    let (name, rest) = line.split_once('<').unwrap_or((&line, ""));
    let (email, times) = rest.rsplit_once('>').unwrap_or((rest, ""));
    let seconds = times.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    (Person { name: name.trim().to_owned(), email: email.trim().to_owned() }, Time::from_unix(seconds))
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
        assert_eq!(commit.author.name, "A");
        assert_eq!(commit.committer.name, "");
        assert_eq!(commit.message, "first\n\nauthor no\n");
    }

    #[test]
    fn what_is_no_commit_is_refused() {
        for bad in ["", "tree 1\n\n", "author A <a> 1 +0000\n\nx", "tree xx\ncommitter A <a> 1 +0000\n\nx"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
