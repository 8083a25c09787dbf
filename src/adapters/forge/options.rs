//! How to reach a forge and how to log in to it, and what its pull requests get.

use std::fmt;

use reqwest::Url;
use secrecy::SecretString;

use crate::adapters::http::HttpOptions;
use crate::ports::BoxFuture;

/// How to reach a forge, and what its pull requests get.
#[derive(Clone, Debug)]
pub struct ForgeOptions {
    /// Which one it is.
    pub kind: ForgeKind,
    /// The address of its API.
    pub api: Url,
    /// The repository: `owner/name`, on GitLab with all of its groups.
    pub repository: String,
    /// How to log in.
    pub auth: ForgeAuth,
    /// The labels of pull requests.
    pub labels: Vec<String>,
    /// Who is asked to review them: names; on GitHub and Gitea also teams (`org/team`).
    pub reviewers: Vec<String>,
    /// Whether the owners of the changed files are asked too.
    pub code_owners: bool,
    /// Who they and the issues are assigned to.
    pub assignees: Vec<String>,
    /// Whether commits are signed before they are pushed, so that the forge need not do it.
    pub signed: bool,
    /// Time limits, certificates and proxy.
    pub http: HttpOptions,
}

/// Which forge it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeKind {
    /// github.com, or GitHub Enterprise.
    GitHub,
    /// gitlab.com, or a GitLab of one's own.
    GitLab,
    /// Gitea.
    Gitea,
    /// Forgejo, such as Codeberg.
    Forgejo,
}

/// How to log in to a forge.
#[derive(Clone)]
pub enum ForgeAuth {
    /// With a token.
    Token(SecretString),
    /// As an installation of a GitHub App, with tokens that are made when they are needed and last an hour.
    App {
        /// The App's id.
        app_id: u64,
        /// The installation; without it the one that has the repository.
        installation_id: Option<u64>,
        /// The App's private key (PEM).
        key: SecretString,
    },
}

impl fmt::Debug for ForgeAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::App { .. } => "App",
        })
    }
}

/// Credentials that are made when they are needed.
pub trait TokenSource: Send + Sync {
    /// A token that is valid for some time yet.
    fn token(&self) -> BoxFuture<'_, Result<SecretString, String>>;

    /// Forgets a token that was refused, so that the next one is new.
    fn forget(&self);
}
