//! How requests reach GitHub: through octocrab, with a token or with those of an App's installation.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use reqwest::Url;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::Signer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapters::clock::SystemClock;
use crate::adapters::forge::options::{ForgeAuth, ForgeOptions, TokenSource};
use crate::adapters::forge::reply::MAX_REASON;
use crate::adapters::forge::rest::{Lost, MAX_BODY_BYTES, Wire, innermost, parsed_time};
use crate::adapters::http::{HttpError, client_for};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{BoxFuture, Clock as _};

/// The version of the REST API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// The path of GraphQL, which stands for itself wherever the API is.
pub(super) const GRAPHQL: &str = "/graphql";

/// A way to GitHub, with credentials.
pub(crate) struct GitHubWire {
    rest: Octocrab,
    /// On Enterprise, GraphQL is beside the REST API and not below it.
    graphql: Octocrab,
    login: Login,
    /// `owner/name`, to find the App's installation.
    repository: String,
}

enum Login {
    Token(SecretString),
    App(Box<App>),
}

/// An App, which asks with tokens that it signs itself; that of its installation is kept until shortly before it ends.
struct App {
    id: u64,
    signer: Box<dyn Signer>,
    installation_id: Option<u64>,
    token: Mutex<Option<Made>>,
}

/// A token of an installation.
struct Made {
    token: SecretString,
    expires_at: Time,
}

/// Tokens are made anew so many seconds before they end: a pass takes less.
const SPARE_SECS: i64 = 300;

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

/// What GitHub says when it refuses.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

/// octocrab's own type demands fields of the repositories that servers omit.
#[derive(Deserialize)]
struct InstallationToken {
    token: SecretString,
    expires_at: String,
}

impl GitHubWire {
    /// Reads the credentials; nothing is sent yet.
    pub(super) fn new(options: &ForgeOptions) -> Result<Self, HttpError> {
        let client = client_for(&options.api, &options.http)?;
        let connect = |base: &Url| {
            let failed = |e: octocrab::Error| HttpError::Client(e.to_string());
            let builder = Octocrab::builder().base_uri(base.as_str()).map_err(failed)?;
            builder.build_with_reqwest(client.clone()).map_err(failed)
        };
        let login = match &options.auth {
            ForgeAuth::Token(token) => Login::Token(token.clone()),
            ForgeAuth::App { app_id, installation_id, key } => Login::App(Box::new(App {
                id: *app_id,
                signer: signer(key).ok_or_else(|| {
                    HttpError::Client("the App's private key is not an RSA key in PEM".to_owned())
                })?,
                installation_id: *installation_id,
                token: Mutex::default(),
            })),
        };
        Ok(Self {
            rest: connect(&options.api)?,
            graphql: connect(&graphql_base(&options.api))?,
            login,
            repository: options.repository.clone(),
        })
    }

    /// A token that is valid for some time yet.
    async fn credentials(&self) -> Result<SecretString, Lost> {
        let app = match &self.login {
            Login::Token(token) => return Ok(token.clone()),
            Login::App(app) => app,
        };
        let kept = || app.token.lock().unwrap_or_else(PoisonError::into_inner);
        let soon = SystemClock.now().plus_secs(SPARE_SECS);
        if let Some(made) = kept().as_ref().filter(|made| made.expires_at > soon) {
            return Ok(made.token.clone());
        }
        let id = match app.installation_id {
            Some(id) => id,
            None => {
                let path = format!("/repos/{}/installation", self.repository);
                let what = "the App is not installed in the repository";
                self.ask_as_app::<Installation>(app, Method::GET, &path, None, what).await?.id
            }
        };
        let path = format!("/app/installations/{id}/access_tokens");
        // For this repository alone, whatever else the App is installed in.
        let name = self.repository.split('/').next_back().unwrap_or("");
        let scope = json!({"repositories": [name]});
        let what = "no token for the App's installation";
        let made: InstallationToken = self.ask_as_app(app, Method::POST, &path, Some(&scope), what).await?;
        // Without a time that can be read it is used once.
        let expires_at = parsed_time(&made.expires_at).unwrap_or_default();
        tracing::debug!(%expires_at, "a token for the App's installation");
        *kept() = Some(Made { token: made.token.clone(), expires_at });
        Ok(made.token)
    }

    /// One request as the App itself; `what` begins the error.
    async fn ask_as_app<T: DeserializeOwned>(
        &self,
        app: &App,
        method: Method,
        path: &str,
        body: Option<&Value>,
        what: &str,
    ) -> Result<T, Lost> {
        let jwt =
            app.jwt(SystemClock.now()).ok_or_else(|| lost(format!("{what}: the key signs nothing"), true))?;
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| lost(format!("{what}: {error}"), true))?;
        let answer = self.transmit(request, &jwt).await?;
        let status = answer.status();
        if status.is_success() {
            return serde_json::from_slice(answer.body())
                .map_err(|error| lost(format!("{what}: the answer is not understood: {error}"), false));
        }
        let denied = status.is_client_error() && status != http::StatusCode::TOO_MANY_REQUESTS;
        let told = serde_json::from_slice::<Refusal>(answer.body()).unwrap_or_default();
        let message = one_line(&told.message, MAX_REASON);
        Err(lost(format!("{what}: {} ({message}): check `forge.auth`", status.as_u16()), denied))
    }

    /// Sends one request with a token, and reads the whole answer.
    async fn transmit(
        &self,
        mut request: Request<Vec<u8>>,
        token: &SecretString,
    ) -> Result<Response<Vec<u8>>, Lost> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_e| lost("the token has characters that no token has: check `forge.auth`", true))?;
        bearer.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        let way = if request.uri().path() == GRAPHQL { &self.graphql } else { &self.rest };
        let (parts, body) = request.into_parts();
        let broken = |error: &octocrab::Error| {
            let unsent = is_connect(error);
            Lost { reason: innermost(error), unsent, denied: false, again: true }
        };
        let answer = way.execute(Request::from_parts(parts, body)).await.map_err(|error| broken(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| Lost {
            reason: format!("the answer broke off or is too large: {}", innermost(error.as_ref())),
            unsent: false,
            denied: false,
            again: true,
        })?;
        Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
    }
}

impl App {
    /// A JSON Web Token by which GitHub knows the App: from a minute ago, for clocks that differ, for nine minutes. Source:
    /// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>.
    fn jwt(&self, now: Time) -> Option<SecretString> {
        let claims = json!({"iat": now.unix() - 60, "exp": now.unix() + 540, "iss": self.id.to_string()});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(&claims));
        let signature = self.signer.sign(text.as_bytes()).ok()?;
        Some(SecretString::from(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// What signs with an RSA key in PEM. What is wrong with a key is not told, as that could tell its text.
fn signer(pem: &SecretString) -> Option<Box<dyn Signer>> {
    let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes()).ok()?;
    any_supported_type(&key).ok()?.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
}

/// On Enterprise the REST API is at `/api/v3` and GraphQL at `/api/graphql`.
/// Source: <https://docs.github.com/en/enterprise-server@3.17/graphql/guides/forming-calls-with-graphql>.
fn graphql_base(api: &Url) -> Url {
    let mut base = api.clone();
    if let Some(path) = api.path().trim_end_matches('/').strip_suffix("/v3") {
        base.set_path(path);
    }
    base
}

fn lost(reason: impl Into<String>, denied: bool) -> Lost {
    Lost { reason: reason.into(), unsent: true, denied, again: true }
}

impl Wire for GitHubWire {
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Lost>> {
        Box::pin(async move {
            let token = self.credentials().await?;
            self.transmit(request, &token).await
        })
    }

    fn renew(&self) -> bool {
        match &self.login {
            Login::Token(_) => false,
            Login::App(app) => app.token.lock().unwrap_or_else(PoisonError::into_inner).take().is_some(),
        }
    }
}

/// Whether a request was not sent, because there was no connection.
fn is_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The credentials for Git over HTTP.
impl TokenSource for GitHubWire {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, String>> {
        Box::pin(async { self.credentials().await.map_err(|lost| lost.reason) })
    }

    fn forget(&self) {
        self.renew();
    }
}
