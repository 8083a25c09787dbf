//! Forges: GitHub, GitLab, and Gitea with Forgejo. A new one is a file, a variant and an arm.
//!
//! An adapter turns what the port asks for into requests of one forge, and its answers into what the port speaks of. It
//! has its own minimal types for answers, as servers of other versions omit what full models demand, and no rules of its
//! own: what is to be done about a pull request is `crate::domain::review`'s. It never shows a secret.

mod calls;
pub mod gitea;
#[cfg(feature = "github")]
pub mod github;
pub mod gitlab;
mod options;
mod plain;
mod reply;
mod rest;
mod shared;

use std::sync::Arc;

pub use self::options::{ForgeAuth, ForgeKind, ForgeOptions, TokenSource};
use crate::adapters::http::HttpError;
use crate::ports::Forge;

/// A forge, and the credentials that Git can use with it.
#[derive(Clone)]
pub struct Connected {
    /// The forge.
    pub forge: Arc<dyn Forge>,
    /// Its credentials.
    pub tokens: Arc<dyn TokenSource>,
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
            let forge = github::GitHub::new(options)?;
            Ok(Connected { tokens: forge.tokens(), forge: Arc::new(forge) })
        }
        ForgeKind::GitLab => {
            let forge = gitlab::GitLab::new(options)?;
            Ok(Connected { tokens: forge.tokens(), forge: Arc::new(forge) })
        }
        ForgeKind::Gitea | ForgeKind::Forgejo => {
            let forge = gitea::Gitea::new(options)?;
            Ok(Connected { tokens: forge.tokens(), forge: Arc::new(forge) })
        }
    }
}
