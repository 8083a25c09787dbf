//! Building commits in the object store: blobs, trees along the touched paths, the commit, its signature.

use std::collections::BTreeMap;

use git2::{ObjectType, Oid, Repository, Signature};

use super::fault::Fault;
use super::options::GitOptions;
use super::tree_edit::{self, Edits};
use super::{commit_object, sign};
use crate::domain::history::snapshot::{Content, Person};
use crate::domain::ids::{CommitId, FilePath};
use crate::domain::time::Time;
use crate::ports::CommitRequest;

/// Builds the commit that was asked for and returns its id. No ref is touched.
pub(super) fn build(
    repository: &Repository,
    options: &GitOptions,
    request: &CommitRequest<'_>,
) -> Result<Oid, Fault> {
    let parent = Oid::from_bytes(request.parent.as_bytes())?;
    let tree = tree_with(repository, parent, request.files)?;
    let message = if options.sign_off {
        signed_off(request.message, &options.committer)
    } else {
        request.message.to_owned()
    };
    let onto = request.onto.map(|id| Oid::from_bytes(id.as_bytes())).transpose()?;
    let parents: Vec<Oid> = std::iter::once(parent).chain(onto).collect();
    write(repository, options, tree, &parents, &message, request.at)
}

/// The tree of a commit.
pub(super) fn tree_of(repository: &Repository, commit: Oid) -> Result<Oid, Fault> {
    let missing = || Fault::not_found(format!("the commit {commit}"));
    Ok(commit_object::read(&repository.odb()?, commit)?.ok_or_else(missing)?.tree)
}

/// The tree of a commit with these files changed.
pub(super) fn tree_with(
    repository: &Repository,
    commit: Oid,
    files: &BTreeMap<FilePath, Option<Content>>,
) -> Result<Oid, Fault> {
    let tree = repository.find_tree(tree_of(repository, commit)?)?;
    let mut edits = Edits::new();
    let blob = |content: &Content| match content {
        Content::Bytes(bytes) => repository.blob(bytes),
        Content::Unread(id) => Oid::from_bytes(id.as_bytes()),
    };
    for (path, content) in files {
        edits.insert(path.as_str(), content.as_ref().map(blob).transpose()?);
    }
    tree_edit::apply(repository, Some(&tree), &edits)
}

/// Whether the tree of a commit is that of another one with these files changed.
pub(super) fn holds_exactly(
    repository: &Repository,
    commit: CommitId,
    base: CommitId,
    files: &BTreeMap<FilePath, Option<Content>>,
) -> Result<bool, Fault> {
    let id = |commit: CommitId| Oid::from_bytes(commit.as_bytes());
    Ok(tree_of(repository, id(commit)?)? == tree_with(repository, id(base)?, files)?)
}

/// Writes a commit object, signed as the options say.
pub(super) fn write(
    repository: &Repository,
    options: &GitOptions,
    tree: Oid,
    parents: &[Oid],
    message: &str,
    at: Time,
) -> Result<Oid, Fault> {
    let author = signature(&options.author, at, "author")?;
    let committer = signature(&options.committer, at, "committer")?;
    let tree = repository.find_tree(tree)?;
    let parents: Vec<git2::Commit<'_>> =
        parents.iter().map(|id| repository.find_commit(*id)).collect::<Result<_, _>>()?;
    let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
    let message = format!("{}\n", message.trim_end_matches('\n'));
    if message.contains('\0') {
        return Err(Fault::broken("the commit message has a NUL character"));
    }
    let buffer = repository.commit_create_buffer(&author, &committer, &message, &tree, &parents)?;
    match &options.signing {
        None => Ok(repository.odb()?.write(ObjectType::Commit, &buffer)?),
        Some(signing) => {
            let content = buffer.as_str().map_err(|_utf8| Fault::broken("the commit is not UTF-8"))?;
            let armored = sign::sign(signing, content.as_bytes())?;
            Ok(repository.commit_signed(content, &armored, None)?)
        }
    }
}

fn signature(person: &Person, at: Time, role: &str) -> Result<Signature<'static>, Fault> {
    Signature::new(&person.name, &person.email, &git2::Time::new(at.unix(), 0)).map_err(|e| {
        Fault::broken(format!(
            "the {role} \"{} <{}>\" cannot be written in a commit: {}",
            person.name,
            person.email,
            e.message()
        ))
    })
}

/// The message with the committer's `Signed-off-by` as its last trailer, once.
fn signed_off(message: &str, committer: &Person) -> String {
    let trailer = format!("Signed-off-by: {} <{}>", committer.name, committer.email);
    let message = message.trim_end();
    if message.lines().any(|line| line == trailer) {
        return format!("{message}\n");
    }
    let mut paragraphs = message.rsplit("\n\n");
    let last = paragraphs.next().unwrap_or("");
    let is_trailer = |line: &str| {
        line.starts_with([' ', '\t'])
            || line.split_once(": ").is_some_and(|(token, _)| {
                !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            })
    };
    // A message of one paragraph is a subject, even when it looks like a trailer.
    let in_trailers = paragraphs.next().is_some() && last.lines().all(is_trailer);
    let gap = if in_trailers { "\n" } else { "\n\n" };
    format!("{message}{gap}{trailer}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_off_joins_the_trailers_or_makes_a_paragraph() {
        let bot = Person { name: "Bot".into(), email: "bot@x".into() };
        let line = "Signed-off-by: Bot <bot@x>";
        assert_eq!(signed_off("Revert: x", &bot), format!("Revert: x\n\n{line}\n"));
        assert_eq!(signed_off("s\n\nbody text\n", &bot), format!("s\n\nbody text\n\n{line}\n"));
        let with = format!("s\n\nBackout-Id: 1\n{line}\n");
        assert_eq!(signed_off("s\n\nBackout-Id: 1\n", &bot), with);
        assert_eq!(signed_off(&with, &bot), with);
    }
}
