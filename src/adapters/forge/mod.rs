//! Forges: GitHub, GitLab, and Gitea with Forgejo. A new one is a file, a variant and an arm.
//!
//! An adapter turns what the port asks for into requests of one forge, and its answers into what the port speaks of. It
//! has its own minimal types for answers, as servers of other versions omit what full models demand, and no rules of its
//! own: what is to be done about a pull request is `crate::domain::review`'s. It never shows a secret.

pub mod gitea;
#[cfg(feature = "github")]
pub mod github;
pub mod gitlab;
mod plain;
mod rest;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

use crate::adapters::http::{HttpError, HttpOptions};
use crate::ports::{BoxFuture, Forge, ForgeError};

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
    /// Gitea, or Forgejo.
    Gitea,
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

/// A forge, and the credentials that Git can use with it.
#[derive(Clone)]
pub struct Connected {
    /// The forge.
    pub forge: Arc<dyn Forge>,
    /// Its credentials.
    pub tokens: Arc<dyn TokenSource>,
}

/// The label of issues that ask a person to roll back by hand.
pub const MANUAL_LABEL: &str = "needs-manual-rollback";

/// Of how many people it is asked whether they may push, for one pull request: strangers may comment as often as they like.
const MAX_COMMANDERS: usize = 30;

/// Who may push, of those who have given commands.
#[derive(Default)]
struct Commanders(BTreeMap<String, bool>);

impl Commanders {
    /// Whether somebody may push; `ask` is called once for each, for so many of them.
    async fn may_push<F: Future<Output = Result<bool, ForgeError>>>(
        &mut self,
        login: &str,
        ask: impl FnOnce() -> F,
    ) -> Result<bool, ForgeError> {
        if let Some(known) = self.0.get(login) {
            return Ok(*known);
        }
        let may = self.0.len() < MAX_COMMANDERS && ask().await?;
        self.0.insert(login.to_owned(), may);
        Ok(may)
    }
}

/// Connects to a forge; nothing is sent yet.
///
/// # Errors
/// When the HTTP options or the private key are not valid.
pub fn connect(options: ForgeOptions) -> Result<Connected, HttpError> {
    match options.kind {
        #[cfg(not(feature = "github"))]
        ForgeKind::GitHub => Err(HttpError::Client(
            "this build has no GitHub in it: build it with the feature `github`, which is there by default"
                .to_owned(),
        )),
        #[cfg(feature = "github")]
        ForgeKind::GitHub => {
            let forge = Arc::new(github::GitHub::new(options)?);
            Ok(Connected { tokens: forge.tokens(), forge })
        }
        ForgeKind::GitLab => {
            let forge = Arc::new(gitlab::GitLab::new(options)?);
            Ok(Connected { tokens: forge.tokens(), forge })
        }
        ForgeKind::Gitea => {
            let forge = Arc::new(gitea::Gitea::new(options)?);
            Ok(Connected { tokens: forge.tokens(), forge })
        }
    }
}
