//! The services that are on a branch now, and those that the rules find twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::Pass;
use crate::domain::deployment::Deployment;
use crate::domain::environment::Environment;
use crate::domain::environment::found::{FoundService, found_twice, services_in};
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

/// Of the services of these deployments, those that the rules find twice, each with both places in words.
pub(in crate::agent) async fn services_found_twice(
    pass: &Pass<'_>,
    head: CommitId,
    deployments: impl Iterator<Item = &Deployment>,
) -> Result<BTreeMap<ServiceName, String>, RepositoryError> {
    let names: BTreeSet<ServiceName> = deployments.map(|deployment| deployment.service.clone()).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let environment = Arc::clone(pass.environment);
    let found = pass.git(move |repository| {
        let found = find_services(repository, &environment, head, Some(&names))?;
        let of_these = found.iter().filter(|found| names.contains(&found.name));
        Ok::<_, RepositoryError>(found_twice(&environment, of_these))
    });
    found.await
}
