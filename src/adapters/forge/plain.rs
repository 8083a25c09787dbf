//! How requests reach a forge that takes a token in a header: through the project's HTTP client.

use http::{HeaderName, HeaderValue, Request, Response};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use super::options::{ForgeAuth, ForgeOptions, TokenSource};
use super::rest::{Lost, MAX_BODY_BYTES, Wire, innermost};
use crate::adapters::http::{HttpError, client_for};
use crate::ports::BoxFuture;

/// A way to a forge, with a token.
pub(super) struct PlainWire {
    client: reqwest::Client,
    api: Url,
    header: HeaderName,
    /// Marked as sensitive, so that nothing prints it.
    credentials: HeaderValue,
    token: SecretString,
}

impl PlainWire {
    /// Reads the token, which goes into `header` with `scheme` before it; nothing is sent yet.
    pub(super) fn new(options: &ForgeOptions, header: HeaderName, scheme: &str) -> Result<Self, HttpError> {
        let ForgeAuth::Token(token) = &options.auth else {
            return Err(HttpError::Client("only GitHub has Apps: log in with a token".to_owned()));
        };
        let mut credentials = HeaderValue::from_str(&format!("{scheme}{}", token.expose_secret()))
            .map_err(|_e| HttpError::Client("the token has characters that no token has".to_owned()))?;
        credentials.set_sensitive(true);
        let client = client_for(&options.api, &options.http)?;
        Ok(Self { client, api: options.api.clone(), header, credentials, token: token.clone() })
    }
}

impl Wire for PlainWire {
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Lost>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let asked = format!("{} {}", parts.method, parts.uri.path());
            let broken = |why: &str| Lost {
                reason: format!("the answer to `{asked}` {why}"),
                unsent: false,
                denied: false,
                again: false,
            };
            let url = format!("{}{}", self.api.as_str().trim_end_matches('/'), parts.uri);
            let mut headers = parts.headers;
            headers.insert(self.header.clone(), self.credentials.clone());
            let request = self.client.request(parts.method, url).headers(headers).body(body);
            let failed = |error: &reqwest::Error| Lost {
                reason: innermost(error),
                unsent: error.is_connect(),
                denied: false,
                again: true,
            };
            let mut answer = request.send().await.map_err(|error| failed(&error))?;
            let mut response = Response::builder().status(answer.status());
            if let Some(headers) = response.headers_mut() {
                headers.clone_from(answer.headers());
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| failed(&error))? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MAX_BODY_BYTES {
                    return Err(broken(&format!("is larger than {MAX_BODY_BYTES} bytes")));
                }
            }
            response.body(bytes).map_err(|error| broken(&format!("is broken: {error}")))
        })
    }

    fn renew(&self) -> bool {
        false
    }
}

/// The token, for Git over HTTP.
impl TokenSource for PlainWire {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, String>> {
        Box::pin(async { Ok(self.token.clone()) })
    }

    fn forget(&self) {}
}
