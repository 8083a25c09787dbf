//! How servers are reached and logged in to, as it is written; see [`super::types`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::Duration;

/// How a server is reached over HTTP: keys that stand beside those of whoever speaks to it.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Http {
    /// The longest that one request may take. Default: `60s` for a repository, `30s` for a forge and a metric source, `10s` for a
    /// registry and the source of applications.
    pub(super) timeout: Option<Duration>,
    /// A file with certificates (PEM) to trust besides the system's.
    pub(super) ca_file: Option<PathBuf>,
    /// The URL of a proxy. Default: as `HTTPS_PROXY` and `NO_PROXY` say.
    pub(super) proxy: Option<String>,
}

/// A secret, in one of two places; it never stands in the configuration itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(extend(
    "writeOnly" = true,
    "errorMessage" = "a secret never stands in the configuration: write {env: NAME} for an environment variable, or {file: PATH} for a file"
))]
pub(super) enum Secret {
    /// The name of the environment variable that holds it.
    Env(String),
    /// The file that holds it. Line breaks at its end do not count.
    File(PathBuf),
}

/// How to log in to a Git repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum GitAuth {
    /// Over HTTP with a token, as GitHub, GitLab and Gitea take it.
    Token {
        /// The token.
        token: Secret,
    },
    /// Over HTTP with a name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// Over HTTP with the credentials of the repository's forge: those of a GitHub App are new each hour.
    Forge,
    /// Over SSH.
    Ssh {
        /// The private key, and no other. Default: the agent and the user's own keys.
        key: Option<PathBuf>,
        /// The known host keys. A host that is not in it is refused. Default: the user's own file.
        known_hosts: Option<PathBuf>,
    },
}
