//! An answer of a forge, and what it says: about sending the request again, about the next page, and why it refuses.

use http::header::{LINK, RETRY_AFTER};
use http::{HeaderMap, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::text::one_line;
use crate::ports::ForgeError;

/// The longest request that is told, in characters.
pub(super) const MAX_ASKED: usize = 200;
/// The longest reason of a forge that is passed on, in characters.
pub(super) const MAX_REASON: usize = 300;

/// An answer with its status.
#[derive(Debug)]
pub(super) struct Reply {
    /// The request that this answers: `POST /repos/shop/env/pulls`.
    pub(super) asked: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// What an answer says about sending the request again.
pub(super) enum Advice {
    /// It is the answer.
    Take,
    /// It may be another one next time.
    Again,
    /// Too many requests: it was not looked at, and will be after so many seconds.
    Wait(u64),
}

impl Reply {
    pub(super) fn to(method: &Method, path: &str, response: Response<Vec<u8>>) -> Self {
        let place = path.split('?').next().unwrap_or(path);
        let asked = one_line(&format!("{method} {place}"), MAX_ASKED);
        let (parts, body) = response.into_parts();
        Self { asked, status: parts.status, headers: parts.headers, body }
    }

    pub(super) fn copy(&self) -> Self {
        let (asked, headers) = (self.asked.clone(), self.headers.clone());
        Self { asked, status: self.status, headers, body: self.body.clone() }
    }

    /// What it says, as a type.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ForgeError> {
        // Some answers have no content.
        let body = if self.body.is_empty() { b"null" } else { self.body.as_slice() };
        serde_json::from_slice(body).map_err(|error| {
            let asked = &self.asked;
            let is_page = body.trim_ascii_start().starts_with(b"<");
            ForgeError::Unavailable(match is_page {
                true => format!(
                    "{name}: the answer to `{asked}` is a web page and no JSON: check `forge.url`, and whether a login page or a \
                     proxy stands before the API"
                ),
                false => format!("{name}: the answer to `{asked}` is not understood: {error}"),
            })
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// GitHub limits requests with 403 and 429, the others with 429.
    /// Source: <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>.
    pub(super) fn advice(&self) -> Advice {
        let is_limit = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN);
        let after = self.header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
        let is_used_up = self.header("x-ratelimit-remaining") == Some("0");
        match (after, self.status) {
            (Some(secs), _) if is_limit => Advice::Wait(secs),
            (None, _) if is_limit && is_used_up => Advice::Wait(self.secs_to_reset()),
            // The limit that GitHub calls secondary sometimes says so in words alone, and then asks for a minute.
            (None, StatusCode::FORBIDDEN) if self.reason().contains("rate limit") => Advice::Wait(60),
            (None, StatusCode::TOO_MANY_REQUESTS) => Advice::Wait(60),
            _ if self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT => Advice::Again,
            _ => Advice::Take,
        }
    }

    /// The seconds until requests are taken again, by the server's own clock.
    fn secs_to_reset(&self) -> u64 {
        let date = self.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let reset = self.header("x-ratelimit-reset").and_then(|text| text.parse::<i64>().ok());
        let secs = reset.zip(date).map(|(reset, date)| reset.saturating_sub(date.timestamp().as_second()));
        secs.and_then(|secs| u64::try_from(secs.max(1)).ok()).unwrap_or(60)
    }

    /// What the server says about a refusal, in one line.
    pub(super) fn reason(&self) -> String {
        let said: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut parts = Vec::new();
        for key in ["message", "error", "error_description"] {
            collect(said.get(key), &mut parts);
        }
        for error in said.get("errors").and_then(Value::as_array).into_iter().flatten() {
            collect(Some(error.get("message").unwrap_or(error)), &mut parts);
        }
        parts.dedup();
        let short = one_line(&parts.join("; "), MAX_REASON);
        if short.is_empty() { String::new() } else { format!(" ({short})") }
    }

    /// The query of the next page of a list. Source: <https://datatracker.ietf.org/doc/html/rfc8288>.
    pub(super) fn next_page(&self) -> Option<String> {
        let links = self.header(LINK.as_str())?.split(',');
        let next =
            links.filter_map(|link| link.split_once(';')).find(|(_, rel)| rel.contains("rel=\"next\""));
        let target = next?.0.trim().strip_prefix('<')?.strip_suffix('>')?;
        // Only the question is taken from it: it is asked where everything else is.
        target.split_once('?').map(|(_, query)| query.to_owned())
    }
}

/// The texts in a value, whatever its shape.
fn collect(value: Option<&Value>, texts: &mut Vec<String>) {
    match value {
        Some(Value::String(text)) => texts.push(text.clone()),
        Some(Value::Array(items)) => items.iter().take(5).for_each(|item| collect(Some(item), texts)),
        Some(Value::Object(fields)) => {
            for (key, inner) in fields.iter().take(5) {
                let mut inside = Vec::new();
                collect(Some(inner), &mut inside);
                texts.extend(inside.iter().map(|text| format!("{key}: {text}")));
            }
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {}
    }
}
