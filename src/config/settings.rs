//! What a configuration comes to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::written::Written;
use crate::adapters::forge::ForgeOptions;
use crate::adapters::git::GitOptions;
use crate::adapters::kubernetes::LeaseOptions;
use crate::adapters::metrics::SourceOptions;
use crate::adapters::registry::RegistryOptions;
use crate::domain::environment::Environment;
use crate::domain::ids::{EnvironmentName, RepositoryName, SourceName};
use crate::serve::{Names, ServerOptions};

/// All that the configuration says, checked and with its secrets read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The repositories with what is watched in them, in the order of the names; at least one.
    pub estates: Vec<EstateSettings>,
    /// Who is asked for metrics.
    pub sources: BTreeMap<SourceName, SourceOptions>,
    /// The registries that may be asked for artifacts.
    pub registries: Vec<RegistryOptions>,
    /// Where the source of applications is that may be looked into.
    pub source_code: Vec<GitOptions>,
    /// How long the daemon waits between two passes, in seconds.
    pub interval_secs: u32,
    /// The daemon's server, if it has one.
    pub server: Option<ServerOptions>,
    /// The leases by which several daemons share the work, if they do.
    pub leases: Option<LeaseOptions>,
    /// The files that the configuration was read from, and those that it names: when one of them changes it is read again.
    pub files: Vec<PathBuf>,
    /// The SHA-256 of the configuration's text, in hexadecimal, for records. It covers no secret.
    pub digest: String,
    /// Where all of it stands.
    pub written: Written,
}

impl Settings {
    /// The names of which the daemon counts something.
    #[must_use]
    pub fn names(&self) -> Names {
        let environments = |estate: &EstateSettings| {
            estate.environments.iter().map(|one| one.name.clone()).collect::<Vec<EnvironmentName>>()
        };
        Names {
            repositories: (self.estates.iter())
                .map(|estate| (estate.name.clone(), environments(estate)))
                .collect(),
            environments: self.estates.iter().flat_map(environments).collect(),
            sources: self.sources.keys().cloned().collect(),
            hooks: self.server.iter().flat_map(|server| server.hooks.keys().cloned()).collect(),
        }
    }
}

/// An environment repo, with its forge and the environments in it.
#[derive(Clone, Debug)]
pub struct EstateSettings {
    /// What the configuration calls it; `repository` where it is the only one and has no name.
    pub name: RepositoryName,
    /// Where it is, and who writes to it.
    pub repository: GitOptions,
    /// Its path on its server, such as `acme/environments`; none where it is a local one.
    pub path_on_server: Option<String>,
    /// Whether Git logs in with the forge's credentials.
    pub git_by_forge: bool,
    /// The forge on which pull requests are opened, if there is one.
    pub forge: Option<ForgeOptions>,
    /// What is watched, in the order of the names.
    pub environments: Vec<Environment>,
}
