//! Git's smart HTTP protocol over the project's HTTP client.
//! See <https://git-scm.com/docs/http-protocol>.

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::transport::Service;
use reqwest::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

use super::super::fault::one_line;
use super::super::login::GitAuth;
use super::link::{FailureKind, Link, Stream, program};

/// The user's name that goes with a token.
const TOKEN_USER: &str = "x-access-token";
/// The most that a server may send in answer to one request, in bytes.
const MAX_RESPONSE_BYTES: u64 = 4 << 30;
/// The most of a list of refs, in bytes: some millions of them.
const MAX_LIST_BYTES: u64 = 256 << 20;
/// Some servers tell Git from a browser by how this begins.
const AGENT: &str = concat!("git/2.0 (backout/", env!("CARGO_PKG_VERSION"), ")");
/// Packs take longer than other answers: a whole one may take this many times the time limit, while each part of it
/// must still come within the limit.
const PACK_TIMEOUTS: u32 = 20;
/// How much of an error page is looked at, in bytes.
const ERROR_BYTES: usize = 2 << 10;
/// How long a connection is kept after the last word of a push, for hooks that still run.
const DRAIN: Duration = Duration::from_secs(5);

/// A repository behind a web server.
pub(super) struct HttpEndpoint {
    url: Url,
    auth: GitAuth,
    client: Client,
    timeout: Duration,
    runtime: Handle,
}

impl fmt::Debug for HttpEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpEndpoint").finish_non_exhaustive()
    }
}

impl HttpEndpoint {
    pub(super) fn new(url: Url, auth: GitAuth, client: Client, timeout: Duration, runtime: Handle) -> Self {
        Self { url, auth, client, timeout, runtime }
    }

    /// Opens the stream of one request. Listing refs asks at once, so that a refusal is known at once; the other
    /// requests are sent when libgit2 has written all of them and begins to read.
    pub(super) fn open(
        &self,
        link: &Arc<Link>,
        base: &Mutex<Option<Url>>,
        service: Service,
    ) -> Result<Stream, git2::Error> {
        let name = program(service);
        let mut base = base.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = self.timeout;
        let state = match service {
            Service::UploadPackLs | Service::ReceivePackLs => {
                let mut url = at(&self.url, "/info/refs");
                url.query_pairs_mut().append_pair("service", name);
                let request = self.client.get(url).timeout(self.timeout.saturating_mul(PACK_TIMEOUTS));
                let response = self.send(link, request, &format!("application/x-{name}-advertisement"))?;
                *base = without_suffix(response.url(), "/info/refs");
                State::Receiving(response)
            }
            Service::UploadPack | Service::ReceivePack => {
                let url = at(base.as_ref().unwrap_or(&self.url), &format!("/{name}"));
                let request = self
                    .authorise(link, self.client.post(url))?
                    .timeout(self.timeout.saturating_mul(PACK_TIMEOUTS))
                    .header(CONTENT_TYPE, format!("application/x-{name}-request"));
                State::Sending { request: Some(request), body: Vec::new(), name }
            }
        };
        Ok(Box::new(HttpStream {
            link: Arc::clone(link),
            runtime: self.runtime.clone(),
            timeout,
            state,
            chunk: Vec::new(),
            taken: 0,
            received: 0,
            limit: match service {
                Service::UploadPackLs | Service::ReceivePackLs => MAX_LIST_BYTES,
                Service::UploadPack | Service::ReceivePack => MAX_RESPONSE_BYTES,
            },
        }))
    }

    fn authorise(&self, link: &Link, request: RequestBuilder) -> Result<RequestBuilder, git2::Error> {
        let with = |request: RequestBuilder, token: &SecretString| {
            request.basic_auth(TOKEN_USER, Some(token.expose_secret()))
        };
        Ok(match &self.auth {
            GitAuth::None => request,
            GitAuth::Token(token) => with(request, token),
            GitAuth::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            GitAuth::Forge(source) => {
                let token = self.runtime.block_on(source.token());
                with(request, &token.map_err(|reason| link.fail(FailureKind::Denied, &reason))?)
            }
        })
    }

    fn send(&self, link: &Link, request: RequestBuilder, expected: &str) -> Result<Response, git2::Error> {
        let again = request.try_clone();
        let first = answer(&self.runtime, self.timeout, self.authorise(link, request)?, expected);
        let answered = match (first, &self.auth, again) {
            // A token may have been taken back before its time.
            (Err((FailureKind::Denied, _)), GitAuth::Forge(source), Some(request)) => {
                source.forget();
                answer(&self.runtime, self.timeout, self.authorise(link, request)?, expected)
            }
            (first, _, _) => first,
        };
        answered.map_err(|(kind, reason)| link.fail(kind, &reason))
    }
}

/// Sends a request and checks that the answer is Git's.
fn answer(
    runtime: &Handle,
    timeout: Duration,
    request: RequestBuilder,
    expected: &str,
) -> Result<Response, (FailureKind, String)> {
    let request = request.header(ACCEPT, expected).header(USER_AGENT, AGENT);
    runtime.block_on(async {
        let late = |_elapsed| (FailureKind::Unreachable, format!("no answer within {} s", timeout.as_secs()));
        let response = tokio::time::timeout(timeout, request.send())
            .await
            .map_err(late)?
            .map_err(|e| (FailureKind::Unreachable, causes(e)))?;
        let status = response.status();
        if !status.is_success() {
            let (kind, hint) = meaning(status);
            let mut reason = format!("the server answers {status}{hint}");
            if let Ok(Some(text)) = tokio::time::timeout(timeout, error_text(response)).await {
                let _infallible = write!(reason, ": {text}");
            }
            return Err((kind, reason));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type != Some(expected) {
            let reason = "the server's answer is not that of a Git repository (smart HTTP): check the URL";
            return Err((FailureKind::Unreachable, reason.to_owned()));
        }
        Ok(response)
    })
}

fn meaning(status: StatusCode) -> (FailureKind, &'static str) {
    match status.as_u16() {
        401 => (FailureKind::Denied, " (no credentials, or wrong ones)"),
        403 => (FailureKind::Denied, " (these credentials may not do this)"),
        404 => (FailureKind::Denied, " (there is no such repository, or these credentials may not see it)"),
        300..=399 => (FailureKind::Unreachable, " (the repository has moved: set the new URL)"),
        _ => (FailureKind::Unreachable, ""),
    }
}

/// The beginning of an error page, when it is plain text.
async fn error_text(mut response: Response) -> Option<String> {
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.to_str().is_ok_and(|v| v.starts_with("text/plain")));
    let mut bytes = Vec::new();
    while plain && bytes.len() < ERROR_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend(chunk.iter().take(ERROR_BYTES)),
            Ok(None) | Err(_) => break,
        }
    }
    let text = one_line(&String::from_utf8_lossy(&bytes), 200);
    (!text.is_empty()).then_some(text)
}

/// The error and what caused it, without the URL.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let _infallible = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// The URL of something below the repository; a query stays.
fn at(base: &Url, suffix: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{suffix}", base.path().trim_end_matches('/')));
    url
}

fn without_suffix(url: &Url, suffix: &str) -> Option<Url> {
    let path = url.path().strip_suffix(suffix)?.to_owned();
    let mut base = url.clone();
    base.set_path(&path);
    base.set_query(None);
    Some(base)
}

enum State {
    Sending { request: Option<RequestBuilder>, body: Vec<u8>, name: &'static str },
    Receiving(Response),
}

/// One request and its answer.
struct HttpStream {
    link: Arc<Link>,
    runtime: Handle,
    timeout: Duration,
    state: State,
    chunk: Vec<u8>,
    taken: usize,
    received: u64,
    /// The most that is received.
    limit: u64,
}

impl HttpStream {
    fn next_chunk(&mut self) -> io::Result<Vec<u8>> {
        if let State::Sending { request, body, name } = &mut self.state {
            let request =
                request.take().ok_or_else(|| io::Error::other("a request that failed is read again"))?;
            let request = request.body(std::mem::take(body));
            let expected = format!("application/x-{name}-result");
            let response = answer(&self.runtime, self.timeout, request, &expected)
                .map_err(|(kind, reason)| self.link.fail_io(kind, &reason))?;
            self.state = State::Receiving(response);
        }
        let State::Receiving(response) = &mut self.state else { return Ok(Vec::new()) };
        let timeout = self.timeout;
        let chunk = self.runtime.block_on(async { tokio::time::timeout(timeout, response.chunk()).await });
        let unreachable = |reason: String| self.link.fail_io(FailureKind::Unreachable, &reason);
        let chunk = chunk
            .map_err(|_elapsed| unreachable(format!("nothing received for {} s", timeout.as_secs())))?
            .map_err(|e| unreachable(causes(e)))?
            .map(Vec::from)
            .unwrap_or_default();
        self.received = self.received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if self.received > self.limit {
            return Err(unreachable(format!("the answer is larger than {} bytes", self.limit)));
        }
        Ok(chunk)
    }
}

impl Read for HttpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken >= self.chunk.len() {
            self.chunk = self.next_chunk()?;
            self.taken = 0;
        }
        let count = self.chunk.get(self.taken..).unwrap_or(&[]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

impl Write for HttpStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Sending { body, .. } => body.extend_from_slice(buffer),
            State::Receiving(_) => return Err(io::Error::other("a request is written after its answer")),
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for HttpStream {
    fn drop(&mut self) {
        // After a push the server may still run hooks, which some servers end when the connection is cut.
        if let State::Receiving(response) = &mut self.state {
            let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
            let ended = self.runtime.block_on(async { tokio::time::timeout(DRAIN, rest).await });
            tracing::trace!(ended = ended.is_ok(), "the end of a Git answer");
        }
    }
}
