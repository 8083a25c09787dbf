//! The services that the files of a branch show.

use std::collections::BTreeSet;

use crate::domain::environment::Environment;
use crate::domain::environment::found::{FoundService, services_in};
use crate::domain::history::scope::{Everything, Scope, Tracked};
use crate::domain::ids::{CommitId, ServiceName};
use crate::ports::{Repository, RepositoryError};

/// The most files of a branch that are looked through for services.
const MAX_FILES: usize = 200_000;

/// The services of an environment in a commit: all of them, or these.
pub(in crate::agent) fn find_services(
    repository: &dyn Repository,
    environment: &Environment,
    head: CommitId,
    only: Option<&BTreeSet<ServiceName>>,
) -> Result<Vec<FoundService>, RepositoryError> {
    let scope: Box<dyn Scope + '_> = match only {
        None => Box::new(Everything),
        Some(names) => Box::new(Tracked::of_services(environment, names)),
    };
    let mut found = Vec::new();
    for path in repository.list_files(head, &*scope, MAX_FILES)? {
        let read = || match repository.read_file(head, &path) {
            // Nothing that is deployed in it is seen either.
            Err(RepositoryError::TooLarge { .. }) => Ok(None),
            read => read,
        };
        found.extend(services_in(environment, path.as_str(), read)?);
    }
    Ok(found)
}
