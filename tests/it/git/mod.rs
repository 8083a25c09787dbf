//! The Git adapter against the program `git` and real servers.

mod caches;
mod heads;
mod local;
mod names;
mod notes;
mod properties;
mod pushing;
mod reading;
mod signing;
mod transports;
mod walking;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use backout::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions};
use backout::adapters::http::HttpOptions;
use backout::domain::history::scope::Everything;
use backout::domain::history::snapshot::{Person, Snapshot};
use backout::domain::ids::{BranchName, CommitId, FilePath};
use backout::domain::time::Time;
use backout::ports::{CommitRequest, HistoryQuery, PushError, Repository};

use crate::support::http_remote::{HttpRemote, PASSWORD, USER};
use crate::support::ssh_remote::SshRemote;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

fn options(url: &str, cache: &Path) -> GitOptions {
    let bot = Person { name: "backout".to_owned(), email: "backout@example.com".to_owned() };
    GitOptions {
        url: url.to_owned(),
        cache_dir: cache.to_owned(),
        auth: GitAuth::None,
        ssh: SshOptions::default(),
        author: bot.clone(),
        committer: bot,
        sign_off: false,
        signing: None,
        record_keys: backout::record::keys::RecordKeys::default(),
        http: HttpOptions::default(),
    }
}

fn http_options(remote: &HttpRemote, cache: &Path) -> GitOptions {
    let auth = GitAuth::Basic { username: USER.to_owned(), password: PASSWORD.into() };
    GitOptions { auth, ..options(&remote.url(), cache) }
}

fn ssh_options(remote: &SshRemote, cache: &Path) -> GitOptions {
    let ssh = SshOptions {
        key_file: Some(remote.file("user_key")),
        known_hosts_file: Some(remote.file("known_hosts")),
    };
    GitOptions { ssh, ..options(&remote.url(), cache) }
}

fn open(options: GitOptions) -> GitRepository {
    GitRepository::open(options, RUNTIME.handle().clone()).unwrap()
}

fn main_branch() -> BranchName {
    BranchName::new("main").unwrap()
}

fn id(text: &str) -> CommitId {
    text.parse().unwrap()
}

fn fetch_main(repository: &GitRepository) -> CommitId {
    repository.fetch(&[main_branch()]).unwrap()[&main_branch()]
}

/// The history of `main` since a time, with the diffs and bytes of all files.
fn history_since(repository: &GitRepository, since: i64) -> Snapshot {
    let branch = main_branch();
    let since = Time::from_unix(since);
    let query = HistoryQuery {
        branch: &branch,
        diffs_since: since,
        commits_since: since,
        diffs_until: Time::from_unix(4_000_000_000),
        now: Time::from_unix(4_000_000_000),
        scope: &Everything,
    };
    repository.history(&query).unwrap()
}

/// Pushes one changed file on top of `parent`, expecting `main` to be there.
fn push_file(
    repository: &GitRepository,
    parent: CommitId,
    path: &str,
    text: &str,
) -> Result<CommitId, PushError> {
    let files = BTreeMap::from([(FilePath::new(path).unwrap(), Some(text.as_bytes().to_vec().into()))]);
    repository.commit_and_push(&CommitRequest {
        branch: &main_branch(),
        expected: Some(parent),
        parent,
        onto: None,
        files: &files,
        message: "Revert something\n",
        at: Time::from_unix(1_800_000_000),
    })
}
