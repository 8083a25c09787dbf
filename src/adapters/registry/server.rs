//! One registry: requests to it, with their limits, and logging in.

use std::sync::Mutex;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::docker_config;
use super::options::{Credentials, RegistryAuth, RegistryOptions};
use crate::adapters::http::{HttpError, client_for};
use crate::domain::artifact::image::DOCKER_HUB;
use crate::ports::RegistryError;

/// The host at which Docker Hub is asked. Source: <https://distribution.github.io/distribution/spec/auth/token/>.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";
/// The largest answer about a token, in bytes. Tokens are a few KiB.
const MAX_TOKEN_BYTES: usize = 64 << 10;
/// The most requests under way at once to one registry.
const CONCURRENT_REQUESTS: usize = 4;
/// How often one request is sent again.
const MAX_RETRIES: usize = 2;
const MIN_RETRY_DELAY: Duration = Duration::from_millis(250);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(2);
/// How long a registry that did not answer is not asked again: a revert must not wait for each of its artifacts.
const SILENCE: Duration = Duration::from_secs(60);

/// A registry that is asked.
pub(super) struct Server {
    /// As artifacts name it.
    host: String,
    base: Url,
    client: reqwest::Client,
    auth: RegistryAuth,
    permits: Semaphore,
    /// Until when it is not asked, and why.
    silent: Mutex<Option<(Instant, String)>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("host", &self.host).finish_non_exhaustive()
    }
}

/// What is asked for.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub url: Url,
    /// The forms in which an answer may come.
    pub accept: &'a str,
    /// The repository, for which a token is asked where one is wanted.
    pub repository: Option<&'a str>,
    /// Whether the answer may come from another host, to which no credentials go.
    pub elsewhere: bool,
    /// Whether a refusal (403) is an answer too, and no error.
    pub may_refuse: bool,
}

/// A request that failed.
struct Failure {
    reason: String,
    retry: bool,
    /// Whether the server said nothing at all.
    silent: bool,
}

impl Server {
    pub(super) fn new(options: &RegistryOptions) -> Result<Self, HttpError> {
        let scheme = if options.plain_http { "http" } else { "https" };
        let host = if options.host == DOCKER_HUB { DOCKER_HUB_HOST } else { &options.host };
        let base = Url::parse(&format!("{scheme}://{host}/"));
        let base = base.map_err(|e| HttpError::Client(format!("the registry {}: {e}", options.host)))?;
        Ok(Self {
            host: options.host.clone(),
            client: client_for(&base, &options.http)?,
            base,
            auth: options.auth.clone(),
            permits: Semaphore::new(CONCURRENT_REQUESTS),
            silent: Mutex::new(None),
        })
    }

    pub(super) fn scheme(&self) -> &str {
        self.base.scheme()
    }

    /// The URL at which the registry is asked.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of something of the registry's API. The path is made of checked names.
    pub(super) fn api(&self, path: &str) -> Result<Url, RegistryError> {
        self.base.join(&format!("v2/{path}")).map_err(|e| self.error(&format!("no such address: {e}")))
    }

    /// An error that names the registry.
    pub(super) fn error(&self, reason: &str) -> RegistryError {
        RegistryError(format!("registry {} {reason}", self.host))
    }

    /// Asks, logs in where that is wanted, and tries again where that may help, a bounded number of times.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        if let Some((until, why)) = self.silent.lock().ok().and_then(|silent| silent.clone())
            && Instant::now() < until
        {
            return Err(self.error(&why));
        }
        let _permit = self.permits.acquire().await;
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(MIN_RETRY_DELAY)
            .with_max_delay(MAX_RETRY_DELAY)
            .with_max_times(MAX_RETRIES);
        let asked = (|| self.ask_once(ask)).retry(backoff).when(|failure: &Failure| failure.retry).await;
        asked.map_err(|failure| {
            if failure.silent
                && let Ok(mut silent) = self.silent.lock()
            {
                *silent = Some((Instant::now() + SILENCE, failure.reason.clone()));
            }
            self.error(&failure.reason)
        })
    }

    async fn ask_once(&self, ask: &Ask<'_>) -> Result<Response, Failure> {
        let credentials = self.credentials().await?;
        let own = match &credentials {
            Credentials::Bearer(token) => Some(bearer(token)?),
            Credentials::None | Credentials::Basic { .. } | Credentials::Identity(_) => None,
        };
        let mut response = self.send(ask, own).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let authorization = self.log_in(ask, &credentials, response.headers()).await?;
            response = self.send(ask, Some(authorization)).await?;
        }
        let status = response.status();
        if status.is_redirection() && ask.elsewhere {
            response = self.follow(&response).await?;
        } else if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN && !ask.may_refuse {
            return Err(lasting(format!("refuses access ({status}): see its `auth`")));
        } else if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(Failure { reason: format!("answered {status}"), retry: true, silent: false });
        }
        Ok(response)
    }

    async fn send(&self, ask: &Ask<'_>, authorization: Option<HeaderValue>) -> Result<Response, Failure> {
        let mut request = self.client.request(ask.method.clone(), ask.url.clone());
        if !ask.accept.is_empty() {
            request = request.header(ACCEPT, ask.accept);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        send(request).await
    }

    /// Asks where a redirect leads, without any credentials. What comes is held against its digest by the caller.
    async fn follow(&self, redirect: &Response) -> Result<Response, Failure> {
        let to = redirect.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| redirect.url().join(to).ok()).filter(|to| self.is_trusted(to));
        let to = to.ok_or_else(|| lasting("redirects to where it is not followed".to_owned()))?;
        send(self.client.get(to)).await
    }

    /// Whether something about the registry may be asked there: over TLS, or at its own host where that is spoken to without.
    fn is_trusted(&self, url: &Url) -> bool {
        let is_own = url.scheme() == self.base.scheme() && url.host() == self.base.host();
        url.has_host() && (url.scheme() == "https" || is_own)
    }

    /// What to send in `Authorization`, as the registry wants it.
    async fn log_in(
        &self,
        ask: &Ask<'_>,
        credentials: &Credentials,
        headers: &HeaderMap,
    ) -> Result<HeaderValue, Failure> {
        match (Challenge::of(headers), credentials) {
            (Some(Challenge::Basic), Credentials::Basic { username, password }) => basic(username, password),
            (Some(Challenge::Bearer { realm, service }), _) => {
                self.token(ask, credentials, (&realm, service.as_deref())).await
            }
            (Some(Challenge::Basic) | None, _) => {
                Err(lasting("wants a login (401): see its `auth`".to_owned()))
            }
        }
    }

    /// A token of the registry's server of tokens.
    /// Source: <https://distribution.github.io/distribution/spec/auth/token/>, and `oauth` beside it.
    async fn token(
        &self,
        ask: &Ask<'_>,
        credentials: &Credentials,
        (realm, service): (&str, Option<&str>),
    ) -> Result<HeaderValue, Failure> {
        let realm = Url::parse(realm).ok().filter(|realm| self.is_trusted(realm));
        let realm = realm.ok_or_else(|| lasting("sends for tokens to where no credentials go".to_owned()))?;
        let scope = ask.repository.map(|repository| format!("repository:{repository}:pull"));
        let mut form: Vec<(&str, &str)> = service.map(|service| ("service", service)).into_iter().collect();
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request = match credentials {
            Credentials::Identity(token) => {
                form.extend([("grant_type", "refresh_token"), ("client_id", "backout")]);
                form.push(("refresh_token", token.expose_secret()));
                self.client.post(realm).form(&form)
            }
            Credentials::Basic { username, password } => {
                self.client.get(realm).query(&form).header(AUTHORIZATION, basic(username, password)?)
            }
            Credentials::None => self.client.get(realm).query(&form),
            // It was sent, and refused.
            Credentials::Bearer(_) => return Err(lasting("refuses the token of its `auth`".to_owned())),
        };
        let response = send(request).await?;
        let status = response.status();
        if !status.is_success() {
            let retry = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            let reason = format!("gives no token ({status}): see its `auth`");
            return Err(Failure { reason, retry, silent: false });
        }
        let body = bounded(response, MAX_TOKEN_BYTES).await?;
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_invalid| lasting("gives a token that is not understood".to_owned()))?;
        let token = answer.token.or(answer.access_token);
        bearer(&token.ok_or_else(|| lasting("gives an answer without a token".to_owned()))?)
    }

    async fn credentials(&self) -> Result<Credentials, Failure> {
        Ok(match &self.auth {
            RegistryAuth::None => Credentials::None,
            RegistryAuth::Token(token) => Credentials::Bearer(token.clone()),
            RegistryAuth::Basic { username, password } => {
                Credentials::Basic { username: username.clone(), password: password.clone() }
            }
            RegistryAuth::DockerConfig(path) => {
                let (path, host) = (path.clone(), self.host.clone());
                let reading = tokio::task::spawn_blocking(move || docker_config::credentials(&path, &host));
                reading.await.map_err(|crash| lasting(crash.to_string()))?.map_err(lasting)?
            }
        })
    }

    /// The body of an answer, unless it is larger than so many bytes.
    pub(super) async fn body(&self, response: Response, max_bytes: usize) -> Result<Vec<u8>, RegistryError> {
        bounded(response, max_bytes).await.map_err(|failure| self.error(&failure.reason))
    }

    /// The next piece of a body that is read piece by piece.
    pub(super) async fn piece(&self, response: &mut Response) -> Result<Option<Vec<u8>>, RegistryError> {
        let chunk = response.chunk().await.map_err(|error| self.error(&failed(&error).reason))?;
        Ok(chunk.map(|chunk| chunk.to_vec()))
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
}

fn bearer(token: &SecretString) -> Result<HeaderValue, Failure> {
    sensitive(&format!("Bearer {}", token.expose_secret()))
}

fn basic(username: &str, password: &SecretString) -> Result<HeaderValue, Failure> {
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose_secret()))))
}

fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_invalid| lasting("cannot be sent these credentials: they hold a line end".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    request.send().await.map_err(|error| failed(&error))
}

async fn bounded(mut response: Response, max_bytes: usize) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(lasting(format!("gives an answer of more than {max_bytes} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A failure that trying again does not mend.
fn lasting(reason: String) -> Failure {
    Failure { reason, retry: false, silent: false }
}

/// A request without an answer, or with half of one. What stands in a URL is not told: it may be signed.
fn failed(error: &reqwest::Error) -> Failure {
    let reason = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "did not answer: it cannot be reached"
    } else {
        "did not answer in full"
    };
    // Whoever did not answer in time is not waited for again.
    Failure { reason: reason.to_owned(), retry: !error.is_timeout() && !error.is_builder(), silent: true }
}
