//! How libgit2 reaches a server: one custom transport for every remote repository of the process.
//!
//! libgit2 finds a transport by the URL's scheme, process-wide, and gives it nothing but the URL. So each operation
//! gets a made-up URL (`backout://7/`) under which its [`Endpoint`] is found. The real URL and its secrets never
//! reach libgit2, and its messages cannot give them away.

mod http;
mod ssh;
mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};

use git2::transport::{Service, SmartSubtransport, Transport};

use self::text::{Text, TextStream};
use super::fault::{Fault, one_line};
use super::location::Location;
use super::login::GitAuth;
use super::options::GitOptions;
use crate::ports::RepositoryError;

const SCHEME: &str = "backout";

static LINKS: LazyLock<Mutex<HashMap<String, Arc<Link>>>> = LazyLock::new(Mutex::default);

/// How one remote repository is reached.
#[derive(Debug)]
pub(super) struct Endpoint {
    shown: String,
    protocol: Protocol,
}

#[derive(Debug)]
enum Protocol {
    Http(http::HttpEndpoint),
    Ssh(ssh::SshEndpoint),
}

impl Endpoint {
    /// The way to a location on a server; `None` for one on this machine.
    pub(super) fn new(
        location: &Location,
        options: &GitOptions,
        runtime: tokio::runtime::Handle,
    ) -> Result<Option<Self>, RepositoryError> {
        let protocol = match location {
            Location::Local(_) => return Ok(None),
            Location::Ssh(ssh) => {
                Protocol::Ssh(ssh::SshEndpoint::new(ssh.clone(), options.ssh.clone(), &options.http))
            }
            Location::Http(http) => {
                let auth = match &options.auth {
                    GitAuth::None => http.auth.clone(),
                    configured @ (GitAuth::Token(_) | GitAuth::Basic { .. } | GitAuth::Forge(_)) => {
                        configured.clone()
                    }
                };
                let in_the_clear = http.url.scheme() == "http" && !matches!(auth, GitAuth::None);
                if in_the_clear {
                    tracing::warn!(remote = %location, "credentials are sent without encryption: use https://");
                }
                let client = crate::adapters::http::client_for(&http.url, &options.http)
                    .map_err(|e| RepositoryError::Broken(e.to_string()))?;
                let url = http.url.clone();
                Protocol::Http(http::HttpEndpoint::new(url, auth, client, options.http.timeout, runtime))
            }
        };
        register();
        Ok(Some(Self { shown: location.to_string(), protocol }))
    }

    /// The remote's address without secrets.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// An [`Endpoint`] during one operation, and what went wrong at it.
pub(super) struct Link {
    endpoint: Arc<Endpoint>,
    failure: Mutex<Option<RepositoryError>>,
}

impl Link {
    /// Remembers why the operation is about to fail; the first reason counts, and libgit2 gets a copy of its text.
    fn fail(&self, kind: Kind, reason: &str) -> git2::Error {
        let remote = self.endpoint.shown.clone();
        let reason = one_line(reason, 600);
        let error = git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Net, &reason);
        let failure = match kind {
            Kind::Denied => RepositoryError::Denied { remote, reason },
            Kind::Unreachable => RepositoryError::Unreachable { remote, reason },
        };
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        error
    }

    fn fail_io(&self, kind: Kind, reason: &str) -> std::io::Error {
        std::io::Error::other(self.fail(kind, reason).message().to_owned())
    }
}

/// What kind of failure a transport met.
#[derive(Clone, Copy)]
enum Kind {
    Denied,
    Unreachable,
}

/// The made-up URL of one operation; it leads nowhere after its drop.
pub(super) struct LinkUrl {
    url: String,
    link: Arc<Link>,
}

impl LinkUrl {
    pub(super) fn new(endpoint: &Arc<Endpoint>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let url = format!("{SCHEME}://{}/", NEXT.fetch_add(1, Ordering::Relaxed));
        let link = Arc::new(Link { endpoint: Arc::clone(endpoint), failure: Mutex::new(None) });
        LINKS.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone(), Arc::clone(&link));
        Self { url, link }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    /// The failure that the transport met; otherwise what libgit2 says, as a failure of the network where it is one.
    pub(super) fn explain(&self, error: &git2::Error) -> Fault {
        if let Some(failure) = self.link.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Fault::Port(failure);
        }
        let reason = one_line(error.message(), 600);
        if error.class() == git2::ErrorClass::Net {
            let remote = self.link.endpoint.shown.clone();
            Fault::Port(RepositoryError::Unreachable { remote, reason })
        } else {
            Fault::Damaged(reason)
        }
    }
}

impl Drop for LinkUrl {
    fn drop(&mut self) {
        LINKS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.url);
    }
}

/// Tells libgit2 of the scheme, once in the process's life.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[expect(
            unsafe_code,
            reason = "libgit2's list of transports is not locked: this runs once, and before the first remote of \
                      this process is made, since remotes are only made through an endpoint"
        )]
        let registered = unsafe { git2::transport::register(SCHEME, open_transport) };
        if let Err(error) = registered {
            tracing::error!(%error, "libgit2 does not accept a transport");
        }
    });
}

fn open_transport(remote: &git2::Remote<'_>) -> Result<Transport, git2::Error> {
    let url = remote.url()?;
    let link = LINKS.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
    let link = link.ok_or_else(|| git2::Error::from_str("this remote is not open"))?;
    let stateless = matches!(link.endpoint.protocol, Protocol::Http(_));
    Transport::smart(remote, stateless, Subtransport { link, base: Mutex::new(None) })
}

/// What libgit2's smart protocol talks through.
struct Subtransport {
    link: Arc<Link>,
    /// Where the server sent the first request to, for the requests after it.
    base: Mutex<Option<reqwest::Url>>,
}

type Stream = Box<dyn git2::transport::SmartSubtransportStream>;

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, service: Service) -> Result<Stream, git2::Error> {
        let stream = match &self.link.endpoint.protocol {
            Protocol::Http(endpoint) => endpoint.open(&self.link, &self.base, service),
            Protocol::Ssh(endpoint) => endpoint.open(&self.link, service),
        }?;
        Ok(match service {
            Service::UploadPackLs => Box::new(TextStream::new(stream, Text::UntilWritten)),
            Service::ReceivePackLs | Service::ReceivePack => Box::new(TextStream::new(stream, Text::All)),
            Service::UploadPack => stream,
        })
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// The name of the program on the server.
fn program(service: Service) -> &'static str {
    match service {
        Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
        Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
    }
}
