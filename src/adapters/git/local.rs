//! A repository on this machine, opened where it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Once;

use git2::{ErrorCode, Oid, Repository};

use super::fault::Fault;
use crate::domain::ids::BranchName;
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

/// The repository at `path`, or around it.
pub(super) fn open(path: &Path) -> Result<Repository, Fault> {
    Ok(Repository::open(path).or_else(|_elsewhere| Repository::discover(path))?)
}

/// The branch that is checked out in the repository at `path`.
///
/// # Errors
/// When there is no repository, or no branch is checked out.
pub fn current_branch(path: &Path) -> Result<BranchName, RepositoryError> {
    let repository =
        Repository::open(discover(path)?).map_err(|e| RepositoryError::Broken(e.message().to_owned()))?;
    let head =
        repository.find_reference("HEAD").map_err(|e| RepositoryError::Broken(e.message().to_owned()))?;
    let target = head.symbolic_target().ok().flatten().and_then(|name| name.strip_prefix("refs/heads/"));
    let name = target.and_then(|name| BranchName::new(name).ok());
    name.ok_or_else(|| {
        RepositoryError::NotFound("a checked-out branch (HEAD is detached: check one out)".to_owned())
    })
}

/// The person that Git commits as in the directory `path`: `Ann Lee <ann@example.com>`. None where Git has no name.
#[must_use]
pub fn person_of(path: &Path) -> Option<String> {
    let own = discover(path).ok().and_then(|found| Repository::open(found).ok()?.config().ok());
    let config = own.or_else(|| git2::Config::open_default().ok())?;
    let said = |key: &str| config.get_string(key).ok().filter(|text| !text.trim().is_empty());
    let name = said("user.name")?;
    Some(said("user.email").map_or_else(|| name.clone(), |email| format!("{name} <{email}>")))
}

/// The URL of `origin` in the repository at `path`, without credentials; `None` when it has none.
#[must_use]
pub fn origin_url(path: &Path) -> Option<String> {
    let repository = Repository::open(discover(path).ok()?).ok()?;
    let url = repository.find_remote("origin").ok()?.url().ok()?.to_owned();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(host_end);
            let host = authority.rsplit('@').next().unwrap_or(authority);
            let user = if scheme == "ssh" { authority.rsplit_once('@').map(|(user, _)| user) } else { None };
            let user =
                user.map_or_else(String::new, |user| format!("{}@", user.split(':').next().unwrap_or("")));
            Some(format!("{scheme}://{user}{host}{path}"))
        }
        None => Some(url),
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

/// Every ref whose full name begins with `begin`, and where it is.
pub(super) fn refs(repository: &Repository, begin: &str) -> Result<BTreeMap<String, Oid>, Fault> {
    let mut found = BTreeMap::new();
    // Only the directory of these is read: a repository may have thousands of branches.
    for reference in repository.references_glob(&format!("{begin}*"))? {
        let reference = reference?;
        if let (Ok(name), Some(id)) = (reference.name(), reference.target())
            && name.starts_with(begin)
        {
            found.insert(name.to_owned(), id);
        }
    }
    Ok(found)
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

/// Objects are checked against their ids when they are fetched, and by zlib's sum whenever they are read. Hashing them
/// again at each read makes reading a long history six times slower. And libgit2 would keep every small object that it has
/// read, up to 256 MiB, where each is read once.
pub(super) fn read_plainly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        git2::opts::strict_hash_verification(false);
        git2::opts::enable_caching(false);
    });
}
