//! A repository on this machine, opened where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid, Repository};

use super::fault::Fault;
use crate::ports::RepositoryError;

/// The Git directory of the repository at `path`, which may be that directory or somewhere in its work tree.
pub(super) fn discover(path: &Path) -> Result<PathBuf, RepositoryError> {
    let place = path.display();
    match Repository::open(path).or_else(|_elsewhere| Repository::discover(path)) {
        Ok(repository) => Ok(repository.path().to_owned()),
        Err(error) if error.code() == ErrorCode::NotFound => {
            Err(RepositoryError::Broken(format!("there is no Git repository at {place}")))
        }
        Err(error) if error.code() == ErrorCode::Owner => Err(RepositoryError::Broken(format!(
            "the repository {place} belongs to another user: run `git config --global --add safe.directory {place}` \
             if it can be trusted"
        ))),
        Err(error) => Err(RepositoryError::Broken(format!("the repository {place}: {}", error.message()))),
    }
}

/// Where a ref is; `None` when there is none.
pub(super) fn tip(repository: &Repository, name: &str) -> Result<Option<Oid>, Fault> {
    match repository.refname_to_id(name) {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where these branches (full ref names) are.
pub(super) fn tips(repository: &Repository, names: &[String]) -> Result<BTreeMap<String, Oid>, Fault> {
    let mut found = BTreeMap::new();
    for name in names {
        let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
        let id = tip(repository, name)?.ok_or_else(|| Fault::not_found(format!("the branch {branch}")))?;
        found.insert(name.clone(), id);
    }
    Ok(found)
}
