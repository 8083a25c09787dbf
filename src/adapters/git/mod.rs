//! The environment repo through libgit2: a bare local cache of a remote, or a local repository itself.

mod blobs;
mod cache;
mod child;
mod commit;
mod commit_object;
mod fault;
mod fetch;
mod history;
mod init;
mod kept;
mod local;
mod location;
mod lock;
mod lookup;
mod notes;
mod packs;
mod push;
mod repository;
mod sign;
mod transport;
mod tree_diff;
mod tree_edit;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use git2::Oid;
use secrecy::SecretString;

pub use self::init::init_bare;
pub use self::local::{current_branch, origin_url};
use self::location::Location;
pub use self::repository::GitRepository;
use super::forge::TokenSource;
use super::http::HttpOptions;
use crate::domain::history::snapshot::Person;
use crate::domain::ids::{BranchName, CommitId};

/// Where the environment repo is, and how to read and write it.
#[derive(Clone)]
pub struct GitOptions {
    /// A URL (`https://`, `http://`, `ssh://`, `user@host:path`, `file://`) or a local path.
    pub url: String,
    /// The directory for the bare cache of a remote repository; made when it is missing. Not used for local paths.
    pub cache_dir: PathBuf,
    /// How to log in over HTTP.
    pub auth: GitAuth,
    /// How to log in over SSH.
    pub ssh: SshOptions,
    /// Who writes the commits.
    pub author: Person,
    /// Who commits them.
    pub committer: Person,
    /// Whether commits end in a `Signed-off-by` trailer of the committer.
    pub sign_off: bool,
    /// How commits are signed, if at all.
    pub signing: Option<Signing>,
    /// Time limits, certificates and proxy for HTTP; the time limits hold for SSH too.
    pub http: HttpOptions,
}

impl fmt::Debug for GitOptions {
    /// The URL is shown without the user and password that it may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Location::parse(&self.url).map_or_else(|problem| problem, |url| url.to_string());
        f.debug_struct("GitOptions").field("url", &url).finish_non_exhaustive()
    }
}

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

/// How commits are signed.
#[derive(Clone, Debug)]
pub enum Signing {
    /// With an SSH key, as `gpg.format = ssh` does.
    Ssh {
        /// The private key, in OpenSSH's format.
        key_file: PathBuf,
        /// Its passphrase, where it has one.
        passphrase: Option<SecretString>,
    },
    /// With an OpenPGP key, through the program `gpg`.
    OpenPgp {
        /// The key's id or fingerprint.
        key_id: String,
        /// The directory of the key ring, instead of the user's own.
        home: Option<PathBuf>,
    },
}

/// The ref that holds the audit log.
const NOTES_REF: &str = "refs/notes/backout";

fn branch_ref(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

fn commit_id(id: Oid) -> CommitId {
    CommitId::from_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default())
}
