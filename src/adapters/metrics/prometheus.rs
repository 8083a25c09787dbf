//! Prometheus' query API, as Thanos, Mimir, Cortex and VictoriaMetrics speak it too.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.

mod answer;
mod narrow;

use reqwest::{Method, Response, StatusCode, Url};

use self::narrow::{Known, Share, narrowed, probe, share};
use super::exchange::{Exchange, Failure, passes, retry_after};
use super::samples::MAX_SAMPLES;
use crate::adapters::http::HttpError;
use crate::domain::environment::signal::{Only, RangeQuery, Window};
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

pub use super::exchange::{Auth, Options};

/// Prometheus refuses ranges with more points than this in a series.
/// Source: `web/api/v1/api.go`, "exceeded maximum resolution of 11,000 points per timeseries".
const MAX_POINTS: i64 = 11_000;
/// A range is split into at most so many requests.
const MAX_REQUESTS: i64 = 20;

/// A client for one Prometheus. Below the path of its address, `/api/v1/query_range` is asked.
#[derive(Debug)]
pub struct Prometheus {
    exchange: Exchange,
    endpoint: Url,
    known: Known,
}

impl Prometheus {
    /// Makes the client.
    ///
    /// # Errors
    /// When the address, a header, the proxy or a certificate is not valid.
    pub fn new(options: &Options) -> Result<Self, HttpError> {
        let (exchange, mut endpoint) = Exchange::new("prometheus", &options.url, options)?;
        endpoint.set_query(None);
        endpoint.set_fragment(None);
        endpoint
            .path_segments_mut()
            .map_err(|()| HttpError::Client("the URL of the source has no path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "v1", "query_range"]);
        Ok(Self { exchange, endpoint, known: Known::default() })
    }

    /// Asks for the wanted series alone where the server takes that, else for all.
    async fn ask(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        let only = query.only.as_ref().filter(|_| !self.known.refuses(&query.query));
        let Some((only, queries)) = only.and_then(|only| Some((only, narrowed(&query.query, only)?))) else {
            return self.ask_range(query).await;
        };
        let why = match self.ask_narrowed(query, only, queries).await {
            Ok(answer) => return Ok(answer),
            Err(SourceError::Unavailable(reason)) => return Err(SourceError::Unavailable(reason)),
            Err(SourceError::Rejected(reason)) => reason,
        };
        // Where this is refused too, the query itself is wrong.
        let answer = self.ask_range(query).await?;
        tracing::debug!(query = query.query, %why, "the source does not narrow the query: it is asked about all services from now on");
        self.known.set_refuses(&query.query);
        Ok(answer)
    }

    /// Asks narrowed queries. An answer that is not about the wanted series alone is an error.
    async fn ask_narrowed(
        &self,
        query: &RangeQuery,
        only: &Only,
        queries: Vec<String>,
    ) -> Result<Answer, SourceError> {
        let mut answers = Vec::with_capacity(queries.len());
        for narrowed in queries {
            answers.push(self.ask_range(&RangeQuery { query: narrowed, ..query.clone() }).await?);
        }
        let answer = Answer { is_narrowed: true, ..answer::join(answers) };
        match share(&answer, only) {
            Share::Wanted => self.known.set_narrows(),
            Share::Nothing => self.try_narrowing(query).await?,
            Share::Others => {
                return Err(SourceError::Rejected(
                    "there are other series in the narrowed answer".to_owned(),
                ));
            }
        }
        Ok(answer)
    }

    /// Finds out whether the server narrows queries at all, unless that is known: then there are no such series.
    async fn try_narrowing(&self, query: &RangeQuery) -> Result<(), SourceError> {
        let Some((text, wanted)) = probe().filter(|_| !self.known.narrows()) else { return Ok(()) };
        let moment = Window { end: query.window.start, ..query.window };
        let answer = self.ask_range(&RangeQuery { query: text, window: moment, ..query.clone() }).await?;
        if share(&answer, &wanted) != Share::Wanted {
            let reason = "a narrowed query that must give a series gives none";
            return Err(SourceError::Rejected(reason.to_owned()));
        }
        self.known.set_narrows();
        Ok(())
    }

    /// Asks for a whole range, in as many requests as it takes.
    async fn ask_range(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        let windows = split(query.window, i64::from(query.step_secs))
            .map_err(|reason| SourceError::Rejected(self.exchange.named(&reason)))?;
        let mut answers = Vec::with_capacity(windows.len());
        let mut room = MAX_SAMPLES;
        for window in windows {
            let answer = self.ask_with_retries(query, window).await?;
            let count: usize = answer.series.iter().map(|series| series.samples.len()).sum();
            room = room.checked_sub(count).ok_or_else(|| {
                let reason =
                    format!("more than {MAX_SAMPLES} samples: aggregate the query, or use a longer step");
                SourceError::Rejected(self.exchange.named(&reason))
            })?;
            answers.push(answer);
        }
        Ok(answer::join(answers))
    }

    async fn ask_with_retries(&self, query: &RangeQuery, window: Window) -> Result<Answer, SourceError> {
        self.exchange.with_retries(|| self.ask_once(query, window)).await
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
        let body = self.exchange.body(response).await?;
        answer::read(status.as_u16(), &body).map_err(|problem| {
            let error = match problem {
                answer::Problem::Unavailable(reason) => {
                    SourceError::Unavailable(self.exchange.named(&(reason + &hint)))
                }
                answer::Problem::Rejected(reason) => {
                    SourceError::Rejected(self.exchange.named(&(reason + &hint)))
                }
            };
            Failure { error, retry: passes(status), retry_after }
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
        let request = self.exchange.request(method.clone(), self.endpoint.clone());
        let request = if method == Method::POST { request.form(&form) } else { request.query(&form) };
        self.exchange.send(request).await
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
}

impl MetricSource for Prometheus {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(self.ask(query))
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapters::http::HttpOptions;
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
