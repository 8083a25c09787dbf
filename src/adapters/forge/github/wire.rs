//! How requests reach GitHub: through octocrab, which also makes the tokens of Apps.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use octocrab::Octocrab;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::pulls::time;
use crate::adapters::clock::SystemClock;
use crate::adapters::forge::rest::{Lost, MAX_BODY_BYTES, Wire, innermost};
use crate::adapters::forge::{ForgeAuth, ForgeOptions, TokenSource};
use crate::adapters::http::{HttpError, client_for};
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
    octocrab: Octocrab,
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
        let connect = |base: &Url, app: Option<(u64, &SecretString)>| {
            let failed = |e: octocrab::Error| HttpError::Client(e.to_string());
            let builder = Octocrab::builder().base_uri(base.as_str()).map_err(failed)?;
            let builder = match app {
                // What is wrong with a key says nothing about its text.
                Some((id, key)) => {
                    builder.app_from_rsa_pem(id.into(), key.expose_secret()).map_err(|_e| {
                        HttpError::Client("the App's private key is not an RSA key in PEM".to_owned())
                    })?
                }
                None => builder,
            };
            builder.build_with_reqwest(client.clone()).map_err(failed)
        };
        let login = match &options.auth {
            ForgeAuth::Token(token) => Login::Token(token.clone()),
            ForgeAuth::App { app_id, installation_id, key } => Login::App(Box::new(App {
                octocrab: connect(&options.api, Some((*app_id, key)))?,
                installation_id: *installation_id,
                token: Mutex::default(),
            })),
        };
        Ok(Self {
            rest: connect(&options.api, None)?,
            graphql: connect(&graphql_base(&options.api), None)?,
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
                let found: Result<Installation, _> = app.octocrab.get(path, None::<&()>).await;
                found.map_err(|error| failed("the App is not installed in the repository", &error))?.id
            }
        };
        let path = format!("/app/installations/{id}/access_tokens");
        // For this repository alone, whatever else the App is installed in.
        let name = self.repository.split('/').next_back().unwrap_or("");
        let scope = serde_json::json!({"repositories": [name]});
        let made: Result<InstallationToken, _> = app.octocrab.post(path, Some(&scope)).await;
        let made = made.map_err(|error| failed("no token for the App's installation", &error))?;
        // Without a time that can be read it is used once.
        let expires_at = time(&made.expires_at).unwrap_or_default();
        tracing::debug!(%expires_at, "a token for the App's installation");
        *kept() = Some(Made { token: made.token.clone(), expires_at });
        Ok(made.token)
    }
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
    Lost { reason: reason.into(), unsent: true, denied }
}

/// A failure of octocrab's own requests: for an App's installation and its tokens.
fn failed(what: &str, error: &octocrab::Error) -> Lost {
    let octocrab::Error::GitHub { source, .. } = error else {
        return lost(format!("{what}: {}", innermost(error)), false);
    };
    let status = source.status_code;
    let message: String = source.message.chars().filter(|c| !c.is_control()).take(200).collect();
    let denied = status.is_client_error() && status != http::StatusCode::TOO_MANY_REQUESTS;
    lost(format!("{what}: {} ({message}): check `forge.auth`", status.as_u16()), denied)
}

impl Wire for GitHubWire {
    fn send(&self, mut request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Lost>> {
        Box::pin(async move {
            let token = self.credentials().await?;
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
                Lost { reason: innermost(error), unsent, denied: false }
            };
            let answer =
                way.execute(Request::from_parts(parts, body)).await.map_err(|error| broken(&error))?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| Lost {
                reason: format!("the answer broke off or is too large: {}", innermost(error.as_ref())),
                unsent: false,
                denied: false,
            })?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
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
pub(super) struct Tokens(pub(super) Arc<super::GitHub>);

impl TokenSource for Tokens {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, String>> {
        Box::pin(async { self.0.wire().credentials().await.map_err(|lost| lost.reason) })
    }

    fn forget(&self) {
        self.0.wire().renew();
    }
}
