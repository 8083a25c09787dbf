//! How libgit2 reaches a server: one custom transport for every remote repository of the process.
//!
//! libgit2 finds a transport by the URL's scheme, process-wide, and gives it nothing but the URL. So each operation
//! gets a made-up URL (`backout://7/`) under which its [`Endpoint`] is found. The real URL and its secrets never
//! reach libgit2, and its messages cannot give them away.

mod advertised;
mod http;
mod link;
mod ssh;
mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};

use git2::transport::{Service, SmartSubtransport, Transport};

use self::advertised::Advertised;
pub(super) use self::advertised::Push;
use self::link::{Link, Stream};
use self::text::{Text, TextStream};
use super::fault::{Fault, one_line};
use super::location::Location;
use super::login::GitAuth;
use super::options::GitOptions;
use crate::ports::RepositoryError;

const SCHEME: &str = "backout";

/// The operations that are under way, by their made-up URLs.
static OPERATIONS: LazyLock<Mutex<HashMap<String, Operation>>> = LazyLock::new(Mutex::default);

/// An operation with a server.
#[derive(Clone)]
struct Operation {
    endpoint: Arc<Endpoint>,
    push: Option<Push>,
    link: Arc<Link>,
}

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

/// The made-up URL of one operation; it leads nowhere after its drop.
pub(super) struct LinkUrl {
    url: String,
    link: Arc<Link>,
}

impl LinkUrl {
    pub(super) fn new(endpoint: &Arc<Endpoint>) -> Self {
        Self::of(endpoint, None)
    }

    /// Of a push, before which libgit2 is told of no other refs than it needs.
    pub(super) fn for_push(endpoint: &Arc<Endpoint>, push: Push) -> Self {
        Self::of(endpoint, Some(push))
    }

    fn of(endpoint: &Arc<Endpoint>, push: Option<Push>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let url = format!("{SCHEME}://{}/", NEXT.fetch_add(1, Ordering::Relaxed));
        let link = Arc::new(Link::new(endpoint.shown.clone()));
        let operation = Operation { endpoint: Arc::clone(endpoint), push, link: Arc::clone(&link) };
        OPERATIONS.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone(), operation);
        Self { url, link }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    /// The remote's address without secrets.
    pub(super) fn remote(&self) -> &str {
        self.link.remote()
    }

    /// The failure that the transport met; otherwise what libgit2 says, as a failure of the network where it is one.
    pub(super) fn explain(&self, error: &git2::Error) -> Fault {
        if let Some(failure) = self.link.take_failure() {
            return Fault::Port(failure);
        }
        let reason = one_line(error.message(), 600);
        if error.class() == git2::ErrorClass::Net {
            let remote = self.link.remote().to_owned();
            Fault::Port(RepositoryError::Unreachable { remote, reason })
        } else {
            Fault::Damaged(reason)
        }
    }
}

impl Drop for LinkUrl {
    fn drop(&mut self) {
        OPERATIONS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.url);
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
    let operation = OPERATIONS.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
    let operation = operation.ok_or_else(|| git2::Error::from_str("this remote is not open"))?;
    let stateless = matches!(operation.endpoint.protocol, Protocol::Http(_));
    Transport::smart(remote, stateless, Subtransport { operation, base: Mutex::new(None) })
}

/// What libgit2's smart protocol talks through.
struct Subtransport {
    operation: Operation,
    /// Where the server sent the first request to, for the requests after it.
    base: Mutex<Option<reqwest::Url>>,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _url: &str, service: Service) -> Result<Stream, git2::Error> {
        let Operation { endpoint, push, link } = &self.operation;
        let stream = match &endpoint.protocol {
            Protocol::Http(endpoint) => endpoint.open(link, &self.base, service),
            Protocol::Ssh(endpoint) => endpoint.open(link, service),
        }?;
        let stream: Stream = match (service, push) {
            (Service::ReceivePackLs, Some(push)) => Box::new(Advertised::new(stream, push.clone())),
            _ => stream,
        };
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
