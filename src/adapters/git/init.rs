//! Making a new bare repository: what nothing but the demo and tests need.

use std::collections::BTreeMap;

use git2::{Oid, Repository, RepositoryInitOptions};

use super::commit;
use super::fault::Fault;
use super::names::{branch_ref, commit_id};
use super::options::GitOptions;
use super::tree_edit::{self, Edits};
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::time::Time;
use crate::ports::RepositoryError;

/// Makes a bare repository at the path `options.url`, with these files as the first commit of `branch`, which is also
/// the branch that a clone checks out.
///
/// # Errors
/// When there is a repository already, or it cannot be written.
pub fn init_bare(
    options: &GitOptions,
    branch: &BranchName,
    files: &BTreeMap<FilePath, Vec<u8>>,
    message: &str,
    at: Time,
) -> Result<CommitId, RepositoryError> {
    init(options, branch, files, message, at)
        .map(commit_id)
        .map_err(|fault| fault.into_repository_error(&options.url))
}

fn init(
    options: &GitOptions,
    branch: &BranchName,
    files: &BTreeMap<FilePath, Vec<u8>>,
    message: &str,
    at: Time,
) -> Result<Oid, Fault> {
    let mut wanted = RepositoryInitOptions::new();
    // The user's templates may bring hooks, which have no business here.
    wanted.bare(true).no_reinit(true).external_template(false).initial_head(branch.as_str());
    let repository = Repository::init_opts(&options.url, &wanted)?;
    let mut edits = Edits::new();
    for (path, bytes) in files {
        edits.insert(path.as_str(), Some(repository.blob(bytes)?));
    }
    let tree = tree_edit::apply(&repository, None, &edits)?;
    let first = commit::write(&repository, options, tree, &[], message, at)?;
    repository.reference(&branch_ref(branch), first, false, "first commit")?;
    Ok(first)
}
