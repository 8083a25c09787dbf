//! Services that the rules find twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::Pass;
use super::found::find_services;
use crate::domain::deployment::Deployment;
use crate::domain::environment::found::found_twice;
use crate::domain::ids::{CommitId, ServiceName};
use crate::ports::RepositoryError;

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
