//! The repositories of applications: which migrations lie between two of their revisions.
//!
//! Images name repositories, and whoever may push an image can name any. So only those below the URLs of a list are asked, and what is
//! fetched has bounds. Nothing is fetched but the two commits, one deep. They stay in a directory of their own in the cache, which can be
//! deleted at any time.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use git2::{Oid, Repository};
use reqwest::Url;
use tokio::time::Instant;

use super::blobs::Blobs;
use super::cache::directory_name;
use super::commit_object;
use super::fault::Fault;
use super::fetch::{self, Bounds, Brought};
use super::location::Location;
use super::options::GitOptions;
use super::packs::Packs;
use super::transport::{Endpoint, LinkUrl};
use super::tree_diff::TreeDiff;
use super::{local, lock};
use crate::domain::artifact::source::{Revision, SourceRange};
use crate::domain::environment::pattern::PathGlobs;
use crate::domain::history::snapshot::FileDiff;
use crate::domain::schema::Migration;
use crate::domain::schema::files::OfSource;
use crate::ports::{BoxFuture, RepositoryError, SourceCode, SourceCodeError};

/// What is fetched at most: both states of all files, for libgit2 cannot leave the bytes of files out.
const BOUNDS: Bounds = Bounds { bytes: 256 << 20, objects: 300_000, time: Duration::from_secs(60) };
/// The most migrations that are read.
const MAX_MIGRATIONS: usize = 300;
/// How long to wait for another pass or process that looks into the same repository.
const LOCK_WAIT: Duration = Duration::from_secs(30);
const LOCK_STEP: Duration = Duration::from_millis(50);
/// How long a revert waits for it at most: a server may also be slow to list its refs.
const MAX_WAIT: Duration = Duration::from_secs(90);
/// For how long a host is not asked that did not answer: other reverts are due, too.
const SILENCE: Duration = Duration::from_secs(30);
/// The names under which single commits are asked for.
const PLACES: [&str; 2] = ["refs/backout/old", "refs/backout/new"];

/// The repositories of applications that may be asked.
#[derive(Debug)]
pub struct ListedSourceCode {
    /// The URLs below which they are, each with how to reach them.
    listed: Vec<(Url, GitOptions)>,
    runtime: tokio::runtime::Handle,
    /// The hosts and repositories that did not answer, each with when that was and why.
    silent: Mutex<BTreeMap<String, (Instant, SourceCodeError)>>,
}

/// One repository, ready to be asked.
struct Source {
    host: String,
    /// Whether it has told its refs.
    has_answered: Cell<bool>,
    endpoint: Arc<Endpoint>,
    directory: PathBuf,
}

impl ListedSourceCode {
    /// Prepares to ask repositories below these URLs, or at them. It asks nothing yet.
    ///
    /// # Errors
    /// When a URL is not one of an HTTP or SSH server.
    pub fn new(listed: &[GitOptions], runtime: tokio::runtime::Handle) -> Result<Self, RepositoryError> {
        local::read_plainly();
        let read = |options: &GitOptions| {
            let url = plain_url(&options.url);
            let url = url.ok_or_else(|| RepositoryError::Broken(format!("{options:?} is no such URL")))?;
            Ok((url, options.clone()))
        };
        Ok(Self {
            listed: listed.iter().map(read).collect::<Result<_, RepositoryError>>()?,
            runtime,
            silent: Mutex::default(),
        })
    }

    fn silent(&self) -> MutexGuard<'_, BTreeMap<String, (Instant, SourceCodeError)>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The repository at a URL, if it may be asked.
    fn source(&self, text: &str) -> Result<Source, String> {
        let url = plain_url(text).ok_or("its URL is not one that can be asked")?;
        let listed = self.listed.iter().filter(|(above, _)| is_below(&url, above));
        // The nearest one has the login for it.
        let listed = listed.max_by_key(|(above, _)| above.path().len());
        let (_, options) = listed.ok_or_else(|| format!("{url} is not in `sources`"))?;
        let location = Location::parse(url.as_str())?;
        let endpoint = Endpoint::new(&location, options, self.runtime.clone());
        let endpoint = endpoint.map_err(|error| error.to_string())?.ok_or("it is not on a server")?;
        let name = directory_name(&location.identity(), endpoint.shown());
        let directory = options.cache_dir.join("sources").join(name);
        let host = url.authority().to_owned();
        Ok(Source { host, has_answered: Cell::new(false), endpoint: Arc::new(endpoint), directory })
    }
}

impl SourceCode for ListedSourceCode {
    fn is_listed(&self, url: &str) -> bool {
        plain_url(url).is_some_and(|url| self.listed.iter().any(|(above, _)| is_below(&url, above)))
    }

    fn migrations<'a>(
        &'a self,
        range: &'a SourceRange,
        paths: &'a PathGlobs,
    ) -> BoxFuture<'a, Result<Vec<Migration>, SourceCodeError>> {
        Box::pin(async move {
            if range.old == range.new {
                return Ok(Vec::new());
            }
            let source = self.source(&range.url).map_err(SourceCodeError)?;
            let lately =
                |(at, why): &(Instant, SourceCodeError)| (at.elapsed() < SILENCE).then(|| why.clone());
            let known =
                [&source.host, &range.url].into_iter().find_map(|key| lately(self.silent().get(key)?));
            if let Some(why) = known {
                return Err(why);
            }
            let (host, url) = (source.host.clone(), range.url.clone());
            let (range, paths) = (range.clone(), paths.clone());
            let looking = tokio::task::spawn_blocking(move || {
                let looked = source.migrations(&range, &paths);
                (looked, source.has_answered.get())
            });
            // What goes on after that comes to its own end: no revert waits for it.
            let looking = tokio::time::timeout(MAX_WAIT, looking).await;
            let late =
                |_| SourceCodeError(format!("looking into it takes longer than {} s", MAX_WAIT.as_secs()));
            let (looked, has_answered) =
                looking.map_err(late)?.map_err(|crash| SourceCodeError(crash.to_string()))?;
            looked.map_err(|error| {
                let why = SourceCodeError(error.to_string());
                if matches!(error, RepositoryError::Unreachable { .. }) {
                    // One that refuses a commit says nothing of the other repositories of its host.
                    let key = if has_answered { url } else { host };
                    let mut silent = self.silent();
                    silent.retain(|_, (at, _)| at.elapsed() < SILENCE);
                    silent.insert(key, (Instant::now(), why.clone()));
                }
                why
            })
        })
    }
}

/// Whether a text is the URL of a repository on a server, or of what is above some, and says nothing else.
#[must_use]
pub fn is_repository_url(text: &str) -> bool {
    plain_url(text).is_some()
}

/// A URL that says where a repository is and nothing else. One in which something is escaped is none: servers do not agree on what that
/// means in a path.
fn plain_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok()?;
    let is_plain = match url.scheme() {
        "http" | "https" => url.username().is_empty(),
        "ssh" => true,
        _ => false,
    };
    let is_plain = is_plain
        && url.has_host()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !url.path().contains(['%', '\\']);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    is_plain.then_some(url)
}

/// Whether a URL is another one, or lies below it.
fn is_below(url: &Url, above: &Url) -> bool {
    let place = |url: &Url| {
        (url.scheme().to_owned(), url.username().to_owned(), url.host_str().map(str::to_owned), url.port())
    };
    let (path, above_path) = (url.path(), above.path().trim_end_matches('/'));
    place(url) == place(above)
        && path.strip_prefix(above_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Source {
    fn migrations(&self, range: &SourceRange, paths: &PathGlobs) -> Result<Vec<Migration>, RepositoryError> {
        self.look(range, paths).map_err(|fault| fault.into_repository_error(self.endpoint.shown()))
    }

    fn look(&self, range: &SourceRange, paths: &PathGlobs) -> Result<Vec<Migration>, Fault> {
        fs::create_dir_all(self.directory.parent().unwrap_or(Path::new("")))?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.beside("lock"))?;
        if !lock::within(&file, true, (LOCK_WAIT, LOCK_STEP))? {
            return Err(Fault::broken(format!("another look into {} takes long", self.endpoint.shown())));
        }
        let wanted = [&range.old, &range.new];
        if let [Revision::Commit(old), Revision::Commit(new)] = wanted
            && let Ok(repository) = Repository::open_bare(&self.directory)
            && let ids @ [old, new] = [Oid::from_bytes(old.as_bytes())?, Oid::from_bytes(new.as_bytes())?]
            && let Ok(odb) = repository.odb()
            && odb.exists(old)
            && odb.exists(new)
            && let Ok(found) = compare(&repository, ids, paths)
        {
            return Ok(found);
        }
        let (repository, ids) = self.fetch(wanted)?;
        compare(&repository, ids, paths)
    }

    /// Fetches both revisions into a new repository, in the place of what was there.
    fn fetch(&self, wanted: [&Revision; 2]) -> Result<(Repository, [Oid; 2]), Fault> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        let repository = Repository::init_bare(&self.directory)?;
        let url = LinkUrl::new(&self.endpoint);
        let mut remote = repository.remote_anonymous(url.as_str())?;
        let heads = fetch::connect(&mut remote, &url)?;
        self.has_answered.set(true);
        let mut ids = [Oid::ZERO_SHA1; 2];
        let mut specs = BTreeSet::new();
        for ((revision, place), id) in wanted.into_iter().zip(PLACES).zip(&mut ids) {
            let (found, spec) = find(revision, &heads, place)?;
            *id = found;
            specs.insert(spec);
        }
        let specs: Vec<String> = specs.into_iter().collect();
        // What is too large once is too large in the next pass.
        let (refused, key) = (self.beside("too-large"), format!("{} {}", ids[0], ids[1]));
        let is_refused = fs::read_to_string(&refused).is_ok_and(|text| text == key);
        let brought = match is_refused {
            true => Brought::TooMuch,
            false => fetch::within(&repository, (&mut remote, &url), &specs, (1, &BOUNDS))?,
        };
        drop(remote);
        match brought {
            Brought::All => Ok((repository, ids)),
            Brought::TooMuch => {
                fs::remove_dir_all(&self.directory)?;
                fs::write(refused, key)?;
                let (place, bytes, objects) = (self.endpoint.shown(), BOUNDS.bytes >> 20, BOUNDS.objects);
                Err(Fault::broken(format!("{place} is larger than {bytes} MiB or {objects} objects")))
            }
        }
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.directory.with_added_extension(extension)
    }
}

/// The commit that a revision is at the remote, and the refspec that brings it.
fn find(revision: &Revision, heads: &BTreeMap<String, Oid>, place: &str) -> Result<(Oid, String), Fault> {
    match revision {
        Revision::Commit(commit) => {
            let id = Oid::from_bytes(commit.as_bytes())?;
            // Any server gives out what it lists. Most, but not all, give out other commits.
            let name_of = |(name, at): (&String, &Oid)| {
                let name = name.strip_suffix("^{}").unwrap_or(name);
                let is_plain = name.starts_with("refs/tags/") || name.starts_with("refs/heads/");
                (*at == id && is_plain).then(|| name.to_owned())
            };
            let listed = heads.iter().find_map(name_of);
            let source = listed.unwrap_or_else(|| id.to_string());
            Ok((id, format!("+{source}:{place}")))
        }
        Revision::Tags(names) => {
            let of = |name: &String| {
                let name = format!("refs/tags/{name}");
                let at = *heads.get(&name)?;
                // The commit of an annotated tag counts, not the tag's own object.
                let id = heads.get(&format!("{name}^{{}}")).copied().unwrap_or(at);
                Some((id, format!("+{name}:{place}")))
            };
            let found = names.iter().find_map(of);
            found.ok_or_else(|| Fault::not_found(format!("the tag {}", names.join(" or "))))
        }
    }
}

/// The migrations that came, went or changed from one commit to another.
fn compare(
    repository: &Repository,
    [old, new]: [Oid; 2],
    paths: &PathGlobs,
) -> Result<Vec<Migration>, Fault> {
    let odb = repository.odb()?;
    let tree = |id: Oid| match commit_object::read_header(&odb, id)? {
        Some((header, _)) => Ok(Some(header.tree)),
        None => Err(Fault::not_found(format!("the commit {id}"))),
    };
    let (old, new) = (tree(old)?, tree(new)?);
    let scope = OfSource(paths);
    let mut diff = TreeDiff::new(&odb, Packs::of(repository), &scope, MAX_MIGRATIONS);
    let (changes, is_cut) = diff.compare(old, new)?;
    let mut blobs = Blobs::passing(&odb);
    let mut found = Vec::with_capacity(changes.len());
    for change in changes {
        let (old, new) = (blobs.version(change.old, change.bytes)?, blobs.version(change.new, change.bytes)?);
        found.push(Migration::of(&FileDiff { path: change.path, was: None, old, new, turned: None }));
    }
    if let Some(last) = found.last_mut().filter(|_| is_cut) {
        // What the rest of them mean nobody knows.
        last.worst = None;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::login::{GitAuth, SshOptions};
    use super::*;
    use crate::adapters::http::HttpOptions;
    use crate::domain::history::snapshot::Person;
    use crate::record::keys::RecordKeys;

    #[test]
    fn only_what_is_below_a_listed_url_may_be_asked() {
        for (text, above, expected) in [
            ("https://g.io/acme/web", "https://g.io/acme", true),
            ("https://g.io/acme/web.git/", "https://g.io/acme/", true),
            ("https://G.io:443/acme/web", "https://g.io/acme/", true),
            ("https://g.io/acme", "https://g.io/acme", true),
            ("https://g.io/web", "https://g.io", true),
            ("ssh://git@g.io/acme/web", "ssh://git@g.io/acme", true),
            ("https://g.io/acmeevil/web", "https://g.io/acme", false),
            ("https://g.io/acme/../other/web", "https://g.io/acme", false),
            ("https://g.io/acme/%2e%2e/other/web", "https://g.io/acme", false),
            ("https://g.io/acme/..%2fother/web", "https://g.io/acme", false),
            ("https://g.io/acme\\..\\other", "https://g.io/acme", false),
            ("https://g.io.evil.io/acme/web", "https://g.io/acme", false),
            ("https://g.io@evil.io/acme/web", "https://g.io/acme", false),
            ("https://evil.io#g.io/acme/web", "https://g.io/acme", false),
            ("https://user:pass@g.io/acme/web", "https://g.io/acme", false),
            ("https://g.io:8443/acme/web", "https://g.io/acme", false),
            ("http://g.io/acme/web", "https://g.io/acme", false),
            ("https://g.io/acme/web?x=1", "https://g.io/acme", false),
            ("ssh://root@g.io/acme/web", "ssh://git@g.io/acme", false),
            ("git@g.io:acme/web", "ssh://git@g.io/acme", false),
            ("file:///etc", "https://g.io/acme", false),
            ("/etc", "https://g.io", false),
            ("", "https://g.io", false),
        ] {
            let above = plain_url(above).unwrap();
            let is_listed = plain_url(text).is_some_and(|url| is_below(&url, &above));
            assert_eq!(is_listed, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn the_nearest_listed_url_has_the_login() {
        let options = |url: &str| GitOptions {
            url: url.to_owned(),
            cache_dir: PathBuf::from(url.rsplit('/').next().unwrap_or_default()),
            auth: GitAuth::None,
            ssh: SshOptions::default(),
            author: Person { name: String::new(), email: String::new() },
            committer: Person { name: String::new(), email: String::new() },
            sign_off: false,
            signing: None,
            record_keys: RecordKeys::default(),
            http: HttpOptions::default(),
        };
        let listed = ["https://g.io", "https://g.io/acme/web", "https://g.io/acme"].map(options);
        let code = ListedSourceCode::new(&listed, tokio::runtime::Handle::current()).unwrap();
        for (url, expected) in [
            ("https://g.io/acme/web", Some("web")),
            ("https://g.io/acme/web/x", Some("web")),
            ("https://g.io/acme/webs", Some("acme")),
            ("https://g.io/acmes/web", Some("g.io")),
            ("https://h.io/acme/web", None),
        ] {
            let found = code.source(url).ok().map(|source| source.directory);
            assert_eq!(
                found.as_ref().map(|place| place.starts_with(expected.unwrap_or("-"))),
                expected.map(|_| true),
                "{url}: {found:?}"
            );
        }
    }

    #[test]
    fn a_revision_is_found_among_what_the_remote_lists() {
        let id = |byte: u8| Oid::from_bytes(&[byte; 20]).unwrap();
        let heads = [
            ("HEAD", 1),
            ("refs/heads/main", 1),
            ("refs/tags/v1", 2),
            ("refs/tags/v2", 3),
            ("refs/tags/v2^{}", 4),
            ("refs/heads/v3", 5),
        ];
        let heads: BTreeMap<String, Oid> =
            heads.into_iter().map(|(name, byte)| (name.to_owned(), id(byte))).collect();
        let tags = |names: &[&str]| Revision::Tags(names.iter().map(|name| (*name).to_owned()).collect());
        let commit = |byte: u8| Revision::Commit(format!("{:02x}", byte).repeat(20).parse().unwrap());
        let other = format!("+{}:p", "09".repeat(20));
        for (revision, expected) in [
            (tags(&["v1", "1"]), Some((2, "+refs/tags/v1:p"))),
            (tags(&["2", "v2"]), Some((4, "+refs/tags/v2:p"))),
            (commit(1), Some((1, "+refs/heads/main:p"))),
            (commit(2), Some((2, "+refs/tags/v1:p"))),
            (commit(4), Some((4, "+refs/tags/v2:p"))),
            (commit(9), Some((9, other.as_str()))),
            // A branch goes on.
            (tags(&["v3", "3"]), None),
        ] {
            let found = find(&revision, &heads, "p").ok();
            let expected = expected.map(|(byte, spec)| (id(byte), spec.to_owned()));
            assert_eq!(found, expected, "{revision:?}");
        }
    }
}
