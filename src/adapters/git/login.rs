//! How to log in to the server of a remote repository.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use crate::adapters::forge::TokenSource;

/// How to log in over HTTP.
#[derive(Clone)]
pub enum GitAuth {
    /// Not at all.
    None,
    /// With a token, sent as the password of the user `x-access-token` (as GitHub, GitLab and Gitea take it).
    Token(SecretString),
    /// With a name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// With a forge's own credentials, which are new each hour.
    Forge(Arc<dyn TokenSource>),
}

impl fmt::Debug for GitAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Token(_) => "Token",
            Self::Basic { .. } => "Basic",
            Self::Forge(_) => "Forge",
        })
    }
}

/// How to log in over SSH. What is not set here is OpenSSH's own configuration.
#[derive(Clone, Debug, Default)]
pub struct SshOptions {
    /// The private key to use, and no other. Without it: the agent and the user's own keys.
    pub key_file: Option<PathBuf>,
    /// The known host keys, instead of the user's own file. A host that is not in it is always refused.
    pub known_hosts_file: Option<PathBuf>,
}
