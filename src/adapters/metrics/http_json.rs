//! Any server that gives values over time as plain JSON (see [`super::json_points`]) at a URL.

use std::fmt::Write as _;

use reqwest::{Method, StatusCode, Url};

use super::exchange::{Exchange, Failure, Options, passes, retry_after};
use super::json_points;
use super::samples::in_window;
use crate::adapters::http::HttpError;
use crate::domain::environment::signal::RangeQuery;
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

/// What may stand in the URL in braces.
const PLACEHOLDERS: [&str; 4] = ["query", "start", "end", "step"];
/// The most steps of a window.
const MAX_STEPS: i64 = 200_000;

/// A client for one server.
#[derive(Debug)]
pub struct HttpJson {
    exchange: Exchange,
    template: Template,
}

/// A URL in parts: text, and between two of them a placeholder.
#[derive(Clone, Debug)]
struct Template {
    first: String,
    rest: Vec<(&'static str, String)>,
}

/// Whether `url` can be filled in.
///
/// # Errors
/// Says what to write instead.
pub fn check_url(url: &str) -> Result<(), String> {
    Template::parse(url).map(|_| ())
}

impl Template {
    fn parse(url: &str) -> Result<Self, String> {
        let known = || PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
        let mut parts = url.split('{');
        let mut template = Self { first: parts.next().unwrap_or("").to_owned(), rest: Vec::new() };
        for part in parts {
            let Some((name, text)) = part.split_once('}') else {
                return Err(format!("a brace is not closed: {} may stand here", known()));
            };
            let Some(name) = PLACEHOLDERS.into_iter().find(|known| *known == name) else {
                return Err(format!("{{{}}} is not known: {} may stand here", name.escape_debug(), known()));
            };
            template.rest.push((name, text.to_owned()));
        }
        if std::iter::once(&template.first)
            .chain(template.rest.iter().map(|(_, text)| text))
            .any(|t| t.contains('}'))
        {
            return Err("a brace is closed that was not opened".to_owned());
        }
        if url.contains('#') {
            return Err("what is behind # is not sent: leave it out".to_owned());
        }
        if template.rest.is_empty() {
            return Ok(template);
        }
        let authority = template.first.split_once("://").map_or("", |(_, rest)| rest);
        if !authority.contains(['/', '?']) {
            return Err("the host must be written out".to_owned());
        }
        if !template.rest.iter().any(|(name, _)| *name == "query") {
            return Err("without {query} every signal would get the same answer".to_owned());
        }
        Ok(template)
    }

    /// The URL for a question. Without placeholders the four values are parameters.
    fn fill(&self, query: &RangeQuery) -> Result<Url, String> {
        let value = |name: &str| match name {
            "query" => query.query.clone(),
            "start" => query.window.start.unix().to_string(),
            "end" => query.window.end.unix().to_string(),
            _ => query.step_secs.to_string(),
        };
        let mut text = self.first.clone();
        for (name, rest) in &self.rest {
            text.push_str(&encoded(&value(name)));
            text.push_str(rest);
        }
        // A query that is a dot or two would lead to another path.
        let path = text.split_once("://").map_or("", |(_, rest)| rest).split('?').next().unwrap_or("");
        if !self.rest.is_empty() && path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err("the query cannot be a part of the path: it would lead to another one".to_owned());
        }
        let mut url = Url::parse(&text).map_err(|error| format!("the URL of the source: {error}"))?;
        if self.rest.is_empty() {
            url.query_pairs_mut().extend_pairs(PLACEHOLDERS.map(|name| (name, value(name))));
        }
        Ok(url)
    }
}

/// Everything but what RFC 3986 calls unreserved, as `%XX`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _always = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

impl HttpJson {
    /// Makes the client.
    ///
    /// # Errors
    /// When the address, a header, the proxy or a certificate is not valid.
    pub fn new(options: &Options) -> Result<Self, HttpError> {
        let invalid = |reason: String| HttpError::Client(format!("the URL of the source: {reason}"));
        let template = Template::parse(&options.url).map_err(invalid)?;
        // Braces are no part of a host, so that they do not matter here.
        let (exchange, url) = Exchange::new("http-json", &options.url, options)?;
        // As it was understood: without credentials.
        let template = if url.has_authority() { template.on(&url).map_err(invalid)? } else { template };
        Ok(Self { exchange, template })
    }

    async fn ask(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        let rejected = |reason: &str| SourceError::Rejected(self.exchange.named(reason));
        let steps = query.window.end.secs_since(query.window.start) / i64::from(query.step_secs.max(1));
        if !(0..=MAX_STEPS).contains(&steps) {
            return Err(rejected(&format!("{steps} steps, more than {MAX_STEPS}: use a longer step")));
        }
        let url = self.template.fill(query).map_err(|reason| rejected(&reason))?;
        self.exchange.with_retries(|| self.ask_once(query, &url)).await
    }

    async fn ask_once(&self, query: &RangeQuery, url: &Url) -> Result<Answer, Failure> {
        let response = self.exchange.send(self.exchange.request(Method::GET, url.clone())).await?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        let body = self.exchange.body(response).await?;
        if let Some(error) = self.refusal(status) {
            return Err(Failure { error, retry: passes(status), retry_after });
        }
        let document = json_points::read(&body)
            .map_err(|reason| Failure::last(SourceError::Unavailable(self.exchange.named(&reason))))?;
        let series = in_window(document.series.iter(), query.window, query.step_secs);
        Ok(Answer { series, warnings: document.warnings, is_narrowed: false })
    }

    /// What an answer's status says against it. What a person must change is rejected, all else may pass.
    fn refusal(&self, status: StatusCode) -> Option<SourceError> {
        let code = status.as_u16();
        let rejected = |why: &str| SourceError::Rejected(self.exchange.named(&format!("HTTP {code}{why}")));
        let unavailable =
            |why: &str| SourceError::Unavailable(self.exchange.named(&format!("HTTP {code}{why}")));
        match code {
            200 => None,
            201..=299 => Some(unavailable(" where the whole answer comes with 200")),
            300..=399 => {
                Some(rejected(", a redirect to another host or too many: name the final address in `url`"))
            }
            401 => Some(rejected(", the credentials are missing or wrong: see `auth`")),
            403 => Some(rejected(", these credentials may not query: see `auth`")),
            404 => {
                Some(rejected(", nothing is there: see `url`, and the query where it is a part of the path"))
            }
            400 | 422 => Some(rejected(", the query is refused")),
            408 => Some(unavailable("")),
            429 => Some(unavailable(", too many requests")),
            402..=499 => Some(rejected("")),
            _ => Some(unavailable("")),
        }
    }
}

impl Template {
    /// The same without the credentials that may have stood before the host.
    fn on(mut self, url: &Url) -> Result<Self, String> {
        let Some((scheme, rest)) = self.first.split_once("://") else { return Ok(self) };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or("it has no host")?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        self.first = format!("{scheme}://{host}{path}");
        let understood = Url::parse(&self.first).map_err(|error| error.to_string())?;
        if understood.host() == url.host() { Ok(self) } else { Err("it can be read in two ways".to_owned()) }
    }
}

impl MetricSource for HttpJson {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(self.ask(query))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::exchange::Auth;
    use super::*;
    use crate::adapters::http::HttpOptions;
    use crate::domain::environment::signal::Window;
    use crate::domain::time::Time;

    fn query(text: &str) -> RangeQuery {
        RangeQuery {
            source: "json".parse().unwrap(),
            query: text.to_owned(),
            window: Window { start: Time::from_unix(60), end: Time::from_unix(600) },
            step_secs: 60,
            only: None,
        }
    }

    fn source(url: &str) -> Result<HttpJson, HttpError> {
        HttpJson::new(&Options {
            url: url.to_owned(),
            auth: Auth::Bearer("hunter2".to_owned().into()),
            headers: BTreeMap::new(),
            http: HttpOptions::default(),
            max_body_bytes: 1 << 20,
        })
    }

    fn filled(url: &str, text: &str) -> Result<String, String> {
        source(url)
            .unwrap_or_else(|error| panic!("{url}: {error}"))
            .template
            .fill(&query(text))
            .map(Into::into)
    }

    #[test]
    fn a_url_is_filled_in_or_gets_parameters() {
        for (url, expected) in [
            ("http://m/x?team=a", "http://m/x?team=a&query=a+b%22%26&start=60&end=600&step=60"),
            ("http://m", "http://m/?query=a+b%22%26&start=60&end=600&step=60"),
            ("https://m:1/{query}/x?from={start}&to={end}", "https://m:1/a%20b%22%26/x?from=60&to=600"),
            ("http://m?q={query}&every={step}s", "http://m/?q=a%20b%22%26&every=60s"),
            ("http://me:hunter2@m/{query}", "http://m/a%20b%22%26"),
        ] {
            assert_eq!(filled(url, "a b\"&").as_deref(), Ok(expected), "{url}");
            assert!(!format!("{:?}", source(url).unwrap()).contains("hunter2"), "{url}");
        }
        for dots in [".", ".."] {
            assert!(filled("http://m/a/{query}/b", dots).unwrap_err().contains("another one"));
            assert!(filled("http://m/a?q={query}", dots).is_ok());
        }
        assert!(filled("http://m/a/.{query}", ".").is_err());
    }

    #[test]
    fn a_url_that_cannot_be_filled_in_is_refused() {
        for (url, expected) in [
            ("http://m/{qeury}", "{qeury} is not known: {query}, {start}"),
            ("http://m/{query", "not closed"),
            ("http://m/query}", "not opened"),
            ("http://m/{start}", "the same answer"),
            ("http://{query}/x", "host must be written out"),
            ("http://m:{query}/x", "host must be written out"),
            ("http://m/x#{query}", "behind #"),
        ] {
            let reason = check_url(url).unwrap_err();
            assert!(reason.contains(expected), "{url}: {reason}");
            source(url).unwrap_err();
        }
        for bad in ["", "m/x", "http://", "data:{query}"] {
            source(bad).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn no_query_leads_elsewhere(text in any::<String>()) {
            let Ok(url) = filled("http://m/a/{query}/b?x=1", &text) else { return Ok(()) };
            let url = Url::parse(&url).unwrap();
            let parts: Vec<&str> = url.path_segments().unwrap().collect();
            prop_assert_eq!((url.host_str(), url.query(), parts.len()), (Some("m"), Some("x=1"), 3));
            prop_assert!(parts[0] == "a" && parts[2] == "b");
        }
    }
}
