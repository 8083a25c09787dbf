//! Asking a metric source over HTTP: one way to log in, to bound an answer, to try again, and to say what went wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::adapters::http::{HttpError, HttpOptions, client_for};
use crate::ports::{Answer, SourceError};

/// The most memory that is set aside because a server announces a long answer, in bytes.
const MAX_RESERVED_BYTES: u64 = 64 << 20;
/// How often one request is sent again.
const MAX_RETRIES: usize = 2;
const MIN_RETRY_DELAY: Duration = Duration::from_millis(250);
/// The longest wait before a retry, even if the server asks for more.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address, without credentials.
    pub url: String,
    /// How to log in.
    pub auth: Auth,
    /// Headers to send with each request, e.g. `X-Scope-OrgID`.
    pub headers: BTreeMap<String, SecretString>,
    /// Time limits, certificates and proxy.
    pub http: HttpOptions,
    /// The largest answer that is read, in bytes, after decompression.
    pub max_body_bytes: u64,
}

/// How to log in to a metric source.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// With a name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// With a token in the `Authorization` header.
    Bearer(SecretString),
}

/// A request that failed, and whether it is worth sending again.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SourceError,
    pub(super) retry: bool,
    /// How long the server asks us to wait.
    pub(super) retry_after: Option<Duration>,
}

impl Failure {
    /// One that is not.
    pub(super) fn last(error: SourceError) -> Self {
        Self { error, retry: false, retry_after: None }
    }
}

/// A server that is asked.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What it is, for messages.
    name: &'static str,
    client: reqwest::Client,
    /// Host and port, for messages.
    host: String,
    /// All marked as sensitive, so that nothing prints them.
    headers: HeaderMap,
    max_body_bytes: u64,
}

impl Exchange {
    /// Makes the client for the server at `url`; also gives the URL as it was understood, without credentials.
    pub(super) fn new(name: &'static str, url: &str, options: &Options) -> Result<(Self, Url), HttpError> {
        let mut url =
            Url::parse(url).map_err(|e| HttpError::Client(format!("the URL of the source: {e}")))?;
        // Credentials in a URL end up in messages; the configuration refuses them, and so they are dropped here.
        let stripped = url.set_username("").and_then(|()| url.set_password(None));
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or("")),
            None => url.host_str().unwrap_or("").to_owned(),
        };
        if stripped.is_err() || host.is_empty() {
            return Err(HttpError::Client("the URL of the source has no host".to_owned()));
        }
        let headers = headers(options)?;
        let client = client_for(&url, &options.http)?;
        Ok((Self { name, client, host, headers, max_body_bytes: options.max_body_bytes }, url))
    }

    /// Asks until there is an answer or a failure that lasts, a bounded number of times.
    pub(super) async fn with_retries<F: Future<Output = Result<Answer, Failure>>>(
        &self,
        ask: impl FnMut() -> F,
    ) -> Result<Answer, SourceError> {
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .with_max_times(MAX_RETRIES);
        let wait = |failure: &Failure, delay: Option<Duration>| {
            let asked = failure.retry_after.unwrap_or(Duration::ZERO).min(MAX_RETRY_DELAY);
            delay.map(|delay| delay.max(asked))
        };
        ask.retry(backoff)
            .when(|failure: &Failure| failure.retry)
            .adjust(wait)
            .await
            .map_err(|failure| failure.error)
    }

    /// A request with all headers.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url).headers(self.headers.clone())
    }

    /// Sends a request; gives the answer's head.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().await.map_err(|error| self.failed(&error))
    }

    /// The body, decompressed, unless it is larger than allowed.
    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let announced =
            response.content_length().unwrap_or(0).min(self.max_body_bytes).min(MAX_RESERVED_BYTES);
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if (body.len() + chunk.len()) as u64 > self.max_body_bytes {
                let reason = format!(
                    "the answer is larger than {} bytes: aggregate the query, or raise `max_body`",
                    self.max_body_bytes
                );
                return Err(Failure::last(SourceError::Unavailable(self.named(&reason))));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// A request without an answer, or with half of one.
    fn failed(&self, error: &reqwest::Error) -> Failure {
        let what = if error.is_timeout() {
            "no answer in time: raise `timeout`, or make the query cheaper".to_owned()
        } else if error.is_connect() {
            format!("cannot connect: {}", innermost(error))
        } else if error.is_body() || error.is_decode() {
            format!("the answer broke off: {}", innermost(error))
        } else {
            innermost(error)
        };
        let retry = !error.is_builder() && !error.is_redirect();
        Failure { error: SourceError::Unavailable(self.named(&what)), retry, retry_after: None }
    }

    /// A message with the name of the source.
    pub(super) fn named(&self, reason: &str) -> String {
        format!("{} at {}: {reason}", self.name, self.host)
    }
}

/// Whether what an answer with this status says may pass.
pub(super) fn passes(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error()
}

fn headers(options: &Options) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    let mut insert = |name: &str, value: &str| {
        let invalid = |_| HttpError::Client(format!("the header {name} is not valid"));
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_name| HttpError::Client(format!("the header {name} is not valid")))?;
        let mut value = HeaderValue::from_str(value).map_err(invalid)?;
        value.set_sensitive(true);
        headers.insert(header, value);
        Ok::<(), HttpError>(())
    };
    for (name, value) in &options.headers {
        insert(name, value.expose_secret())?;
    }
    match &options.auth {
        Auth::None => {}
        Auth::Basic { username, password } => {
            use base64::Engine as _;
            let credentials = format!("{username}:{}", password.expose_secret());
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            insert(AUTHORIZATION.as_str(), &format!("Basic {encoded}"))?;
        }
        Auth::Bearer(token) => insert(AUTHORIZATION.as_str(), &format!("Bearer {}", token.expose_secret()))?,
    }
    Ok(headers)
}

/// How long the server asks us to wait, where it says so in seconds.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(text.trim().parse().ok()?))
}

/// The cause at the bottom, which is what tells a person what happened; without the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, std::ptr::from_ref(error)) {
        return "the request failed".to_owned();
    }
    cause.to_string()
}
