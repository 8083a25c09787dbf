//! Refs that Git cannot have beside each other: `refs/heads/a` is a file where `refs/heads/a/b` needs a directory.

use git2::{Oid, Repository};

use super::fault::Fault;
use crate::ports::{RepositoryError, in_the_way};

/// Moves a ref of a cache. What is in its way there is the copy of a ref that the remote has no more: the remote could not have
/// both either.
pub(super) fn follow(repository: &Repository, name: &str, target: Oid, why: &str) -> Result<(), Fault> {
    let Err(error) = repository.reference(name, target, true, why) else { return Ok(()) };
    let mut stale = false;
    for reference in repository.references()? {
        let mut reference = reference?;
        let is_in_the_way = reference.name().is_ok_and(|there| in_the_way([there], name).is_some());
        if is_in_the_way {
            tracing::debug!(name, "a ref that the remote has no more is in the way, and is removed");
            reference.delete()?;
            stale = true;
        }
    }
    if !stale {
        return Err(error.into());
    }
    repository.reference(name, target, true, why)?;
    Ok(())
}

/// That a ref cannot be made because of one of those that are there (full names), where that is so.
pub(super) fn conflict<'n>(names: impl IntoIterator<Item = &'n str>, wanted: &str) -> Option<Fault> {
    let told = |name: &str| match name.strip_prefix("refs/heads/") {
        Some(branch) => format!("the branch {branch}"),
        None => format!("the ref {name}"),
    };
    let there = in_the_way(names, wanted)?;
    Some(Fault::Port(RepositoryError::InTheWay { there: told(there), wanted: told(wanted) }))
}
