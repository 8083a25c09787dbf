//! Prometheus' query API, as Thanos, Mimir, Cortex and VictoriaMetrics speak it too.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.

mod answer;

use std::collections::BTreeMap;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::adapters::http::{HttpError, HttpOptions, LazyClient};
use crate::domain::signal::{RangeQuery, Window};
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

/// Prometheus refuses ranges with more points than this in a series.
/// Source: `web/api/v1/api.go`, "exceeded maximum resolution of 11,000 points per timeseries".
const MAX_POINTS: i64 = 11_000;
/// A range is split into at most so many requests.
const MAX_REQUESTS: i64 = 20;
/// More samples than this are no answer to a question about services; they take 16 bytes each.
const MAX_SAMPLES: usize = 5_000_000;
/// The most memory that is set aside because a server announces a long answer, in bytes.
const MAX_RESERVED_BYTES: u64 = 64 << 20;
/// How often one request is sent again.
const MAX_RETRIES: usize = 2;
const MIN_RETRY_DELAY: Duration = Duration::from_millis(250);
/// The longest wait before a retry, even if the server asks for more.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// How to reach a Prometheus.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address, e.g. `http://prometheus:9090`; `/api/v1/query_range` is added to its path.
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

/// A client for one Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    client: LazyClient,
    endpoint: Url,
    /// Host and port, for messages.
    host: String,
    /// All marked as sensitive, so that nothing prints them.
    headers: HeaderMap,
    max_body_bytes: u64,
}

/// A request that failed, and whether it is worth sending again.
#[derive(Debug)]
struct Failure {
    error: SourceError,
    retry: bool,
    /// How long the server asks us to wait.
    retry_after: Option<Duration>,
}

impl Failure {
    fn last(error: SourceError) -> Self {
        Self { error, retry: false, retry_after: None }
    }
}

impl Prometheus {
    /// Makes the client.
    ///
    /// # Errors
    /// When the address, a header, the proxy or a certificate is not valid.
    pub fn new(options: &Options) -> Result<Self, HttpError> {
        let invalid = |what: &str| HttpError::Client(what.to_owned());
        let mut endpoint =
            Url::parse(&options.url).map_err(|e| HttpError::Client(format!("the URL of the source: {e}")))?;
        // Credentials in a URL end up in messages; the configuration refuses them, and so they are dropped here.
        let stripped = endpoint.set_username("").and_then(|()| endpoint.set_password(None));
        let host = match endpoint.port() {
            Some(port) => format!("{}:{port}", endpoint.host_str().unwrap_or("")),
            None => endpoint.host_str().unwrap_or("").to_owned(),
        };
        if stripped.is_err() || host.is_empty() {
            return Err(invalid("the URL of the source has no host"));
        }
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        endpoint
            .path_segments_mut()
            .map_err(|()| invalid("the URL of the source has no path"))?
            .pop_if_empty()
            .extend(["api", "v1", "query_range"]);
        let headers = headers(options)?;
        let client = LazyClient::new(&endpoint, &options.http)?;
        Ok(Self { client, endpoint, host, headers, max_body_bytes: options.max_body_bytes })
    }

    /// Asks for a whole range, in as many requests as it takes.
    async fn ask(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        let windows = split(query.window, i64::from(query.step_secs))
            .map_err(|reason| SourceError::Rejected(self.named(&reason)))?;
        let mut answers = Vec::with_capacity(windows.len());
        let mut room = MAX_SAMPLES;
        for window in windows {
            let answer = self.ask_with_retries(query, window).await?;
            let count: usize = answer.series.iter().map(|series| series.samples.len()).sum();
            room = room.checked_sub(count).ok_or_else(|| {
                let reason =
                    format!("more than {MAX_SAMPLES} samples: aggregate the query, or use a longer step");
                SourceError::Rejected(self.named(&reason))
            })?;
            answers.push(answer);
        }
        Ok(answer::join(answers))
    }

    async fn ask_with_retries(&self, query: &RangeQuery, window: Window) -> Result<Answer, SourceError> {
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .with_max_times(MAX_RETRIES);
        let wait = |failure: &Failure, delay: Option<Duration>| {
            let asked = failure.retry_after.unwrap_or(Duration::ZERO).min(MAX_RETRY_DELAY);
            delay.map(|delay| delay.max(asked))
        };
        (|| self.ask_once(query, window))
            .retry(backoff)
            .when(|failure: &Failure| failure.retry)
            .adjust(wait)
            .await
            .map_err(|failure| failure.error)
    }

    async fn ask_once(&self, query: &RangeQuery, window: Window) -> Result<Answer, Failure> {
        let mut response = self.send(Method::POST, query, window).await?;
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // Some proxies let only GET through.
            response = self.send(Method::GET, query, window).await?;
        }
        let status = response.status();
        let retry_after = retry_after(&response);
        let hint = self.redirected(&response);
        let body = self.body(response).await?;
        answer::read(status.as_u16(), &body).map_err(|problem| {
            let retry = status == StatusCode::REQUEST_TIMEOUT
                || status == StatusCode::TOO_MANY_REQUESTS
                || status.is_server_error();
            let error = match problem {
                answer::Problem::Unavailable(reason) => {
                    SourceError::Unavailable(self.named(&(reason + &hint)))
                }
                answer::Problem::Rejected(reason) => SourceError::Rejected(self.named(&(reason + &hint))),
            };
            Failure { error, retry, retry_after }
        })
    }

    async fn send(&self, method: Method, query: &RangeQuery, window: Window) -> Result<Response, Failure> {
        let (start, end) = (window.start.unix().to_string(), window.end.unix().to_string());
        let step = query.step_secs.to_string();
        // Thanos and VictoriaMetrics must fail rather than answer with a part; Prometheus ignores what it does not know.
        let form = [
            ("query", query.query.as_str()),
            ("start", &start),
            ("end", &end),
            ("step", &step),
            ("partial_response", "false"),
            ("deny_partial_response", "1"),
        ];
        let client = self
            .client
            .get()
            .map_err(|error| Failure::last(SourceError::Unavailable(self.named(&error.to_string()))))?;
        let request = client.request(method.clone(), self.endpoint.clone()).headers(self.headers.clone());
        let request = if method == Method::POST { request.form(&form) } else { request.query(&form) };
        request.send().await.map_err(|error| self.failed(&error))
    }

    /// The body, decompressed, unless it is larger than allowed.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
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

    /// A redirected POST arrives as a GET without the question, so a person must know of it.
    fn redirected(&self, response: &Response) -> String {
        let end = |url: &Url| (url.scheme().to_owned(), url.port(), url.path().to_owned());
        let (scheme, port, path) = end(response.url());
        if (scheme.clone(), port, path.clone()) == end(&self.endpoint) {
            return String::new();
        }
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let host = response.url().host_str().unwrap_or("");
        format!(" (it redirects to {scheme}://{host}{port}{path}: name the final address in `url`)")
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

    fn named(&self, reason: &str) -> String {
        format!("prometheus at {}: {reason}", self.host)
    }
}

impl MetricSource for Prometheus {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(self.ask(query))
    }
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

/// Windows that together cover this one, none with more points than Prometheus gives, none overlapping.
fn split(window: Window, step_secs: i64) -> Result<Vec<Window>, String> {
    let length = window.end.secs_since(window.start);
    if step_secs <= 0 || length < 0 {
        return Err("the window ends before it begins, or has no step".to_owned());
    }
    let span = step_secs.saturating_mul(MAX_POINTS - 1);
    let next = span.saturating_add(step_secs);
    if length / next >= MAX_REQUESTS {
        return Err(format!("{length}s with a step of {step_secs}s are too many points: use a longer step"));
    }
    let starts = (0..=length / next).map(|index| window.start.plus_secs(index * next));
    Ok(starts.map(|start| Window { start, end: start.plus_secs(span).min(window.end) }).collect())
}

/// How long the server asks us to wait, where it says so in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Time;

    fn options(url: &str) -> Options {
        Options {
            url: url.to_owned(),
            auth: Auth::Bearer("hunter2".to_owned().into()),
            headers: BTreeMap::from([("X-Key".to_owned(), "hunter2".to_owned().into())]),
            http: HttpOptions::default(),
            max_body_bytes: 1 << 20,
        }
    }

    #[test]
    fn the_endpoint_is_below_the_path_and_no_secret_is_shown() {
        for (url, expected) in [
            ("http://p:9090", "http://p:9090/api/v1/query_range"),
            ("https://me:hunter2@p/prometheus/?x=hunter2#y", "https://p/prometheus/api/v1/query_range"),
        ] {
            let source = Prometheus::new(&options(url)).unwrap();
            assert_eq!(source.endpoint.as_str(), expected);
            assert!(!format!("{source:?}").contains("hunter2"));
        }
        assert!(!format!("{:?}", options("http://p")).contains("hunter2"));
        for bad in ["", "p:9090", "data:x", "http://"] {
            Prometheus::new(&options(bad)).unwrap_err();
        }
    }

    #[test]
    fn a_bad_header_is_refused_without_its_value() {
        let bad = Options { auth: Auth::Bearer("hunter2\n".to_owned().into()), ..options("http://p") };
        let text = Prometheus::new(&bad).unwrap_err().to_string();
        assert!(text.contains("authorization") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn long_ranges_are_split_without_gap_or_overlap() {
        let window = |start, end| Window { start: Time::from_unix(start), end: Time::from_unix(end) };
        assert_eq!(split(window(0, 600), 60), Ok(vec![window(0, 600)]));
        assert_eq!(split(window(60, 60), 60), Ok(vec![window(60, 60)]));
        let parts = split(window(0, 25_000), 1).unwrap();
        assert_eq!(parts, vec![window(0, 10_999), window(11_000, 21_999), window(22_000, 25_000)]);
        assert_eq!(split(window(0, 10_999), 1).unwrap().len(), 1);
        split(window(0, 11_000 * 20), 1).unwrap_err();
        split(window(60, 0), 1).unwrap_err();
        split(window(i64::MIN, i64::MAX), u32::MAX.into()).unwrap_err();
        split(window(0, 0), 0).unwrap_err();
    }
}
