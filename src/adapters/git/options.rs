//! What the adapter is told: where the environment repo is, and how to use it.

use std::fmt;
use std::path::PathBuf;

use super::location::Location;
use super::login::{GitAuth, SshOptions};
use super::sign::Signing;
use crate::adapters::http::HttpOptions;
use crate::domain::history::snapshot::Person;
use crate::record::keys::RecordKeys;

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
    /// By what the agent knows its own records in the notes.
    pub record_keys: RecordKeys,
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
