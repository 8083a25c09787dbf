//! The registries and the source of applications as they are written; see [`super::types`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::access_types::{GitAuth, Http, Secret};

/// A registry that may be asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Registry {
    /// Its host, with its port where it has one, as images and URLs name it.
    #[schemars(extend("examples" = ["ghcr.io", "docker.io", "registry.example.com:5000"]))]
    pub(super) host: String,
    /// How to log in. Default: not at all.
    pub(super) auth: Option<RegistryAuth>,
    /// Whether it is spoken to without TLS. Default: `false`.
    pub(super) plain_http: Option<bool>,
    /// How it is reached.
    #[serde(flatten)]
    pub(super) http: Http,
}

/// How to log in to a registry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RegistryAuth {
    /// With a name and a password, also where the registry hands out tokens for them.
    Basic {
        /// The user's name.
        username: String,
        /// The password, or the access token that stands for one.
        password: Secret,
    },
    /// With a token that the registry takes as it is.
    Token {
        /// The token.
        token: Secret,
    },
    /// With what Docker's `config.json` says of the host. Credential helpers are not run.
    DockerConfig {
        /// The file. It is read anew for each look.
        path: PathBuf,
    },
}

/// Where the source of applications is.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct SourcePlace {
    /// The URL of a repository, or of what many are below: `https://`, `http://` or `ssh://`.
    #[schemars(extend("examples" = ["https://github.com/acme", "ssh://git@git.example.com/shop/web"]))]
    pub(super) url: String,
    /// How to log in, as to an environment repo. Not by `kind: forge`.
    pub(super) auth: Option<GitAuth>,
    /// How its server is reached.
    #[serde(flatten)]
    pub(super) http: Http,
}
