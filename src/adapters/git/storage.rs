//! Where the objects are that are read: in a repository on this machine, or in the cache of a remote one.

use std::path::PathBuf;

use git2::Repository;

use super::cache::Cache;
use super::fault::Fault;
use super::local;
use super::location::Location;
use super::options::GitOptions;
use super::transport::Endpoint;
use crate::ports::RepositoryError;

/// Where the objects are.
pub(super) enum Storage {
    /// In the repository itself.
    Local(PathBuf),
    /// In a cache.
    Remote(Box<Cache>),
}

impl Storage {
    /// For the repository at this location; a remote one is not contacted yet.
    pub(super) fn new(
        location: &Location,
        options: &GitOptions,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, RepositoryError> {
        match (Endpoint::new(location, options, runtime)?, location) {
            (Some(endpoint), _) => {
                Ok(Self::Remote(Box::new(Cache::new(&options.cache_dir, &location.identity(), endpoint)?)))
            }
            (None, Location::Local(path)) => Ok(Self::Local(path.clone())),
            (None, Location::Http(_) | Location::Ssh(_)) => {
                Err(RepositoryError::Broken("the repository has no transport".to_owned()))
            }
        }
    }

    /// Runs an operation that reads, or only adds objects.
    pub(super) fn with<T>(&self, operation: impl Fn(&Repository) -> Result<T, Fault>) -> Result<T, Fault> {
        match self {
            Self::Local(path) => operation(&local::open(path)?),
            Self::Remote(cache) => cache.with(operation),
        }
    }
}
