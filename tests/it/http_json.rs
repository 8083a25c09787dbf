//! The source of plain JSON against a server that is wrong in every way.

use std::collections::BTreeMap;
use std::time::Duration;

use backout::adapters::http::HttpOptions;
use backout::adapters::metrics::exchange::{Auth, Options};
use backout::adapters::metrics::{SourceOptions, connect};
use backout::domain::environment::signal::{RangeQuery, Window};
use backout::domain::time::Time;
use backout::ports::{Answer, SourceError};

use crate::support::fault::{FaultServer, Reply};

const START: i64 = 1_700_000_040;

const GOOD: &str = r#"[{"timestamp": 1700000040, "value": 1, "labels": {"app": "a"}}, {"timestamp": 1700000090.5, "value": "2", "labels": {"app": "a"}}, {"timestamp": 1700000900, "value": 3, "labels": {"app": "a"}}]"#;

fn options(url: String) -> Options {
    Options {
        url,
        auth: Auth::Bearer("hunter2".to_owned().into()),
        headers: BTreeMap::from([("X-Key".to_owned(), "hunter2".to_owned().into())]),
        http: HttpOptions { timeout: Duration::from_secs(120), ..HttpOptions::default() },
        max_body_bytes: 1 << 20,
    }
}

async fn ask(options: Options) -> Result<Answer, SourceError> {
    let query = RangeQuery {
        source: "json".parse().unwrap(),
        query: "errors of a/b".to_owned(),
        window: Window { start: Time::from_unix(START), end: Time::from_unix(START + 600) },
        step_secs: 60,
        only: None,
    };
    let answer = connect(&SourceOptions::HttpJson(options)).unwrap().range(&query).await;
    assert!(!format!("{answer:?}").contains("hunter2"), "no answer shows a secret");
    answer
}

/// What one server says to one question, after these replies.
async fn replies(replies: Vec<Reply>) -> (Result<Answer, SourceError>, Vec<String>) {
    let server = FaultServer::start(replies);
    let answer = ask(options(server.url())).await;
    (answer, server.requests())
}

#[tokio::test]
async fn a_question_is_asked_with_credentials_and_its_answer_put_on_steps() {
    let server = FaultServer::start(vec![Reply::new(200, &[], GOOD)]);
    let url = format!("{}/api/{{query}}?from={{start}}&to={{end}}&every={{step}}", server.url());
    let answer = ask(options(url.replace("http://", "http://me:hunter2@"))).await.unwrap();
    let [series] = answer.series.as_slice() else { panic!("one series: {answer:?}") };
    assert_eq!(series.labels["app"], "a");
    let samples: Vec<(i64, f64)> = series.samples.iter().map(|s| (s.at.unix() - START, s.value)).collect();
    assert_eq!(samples, [(0, 1.0), (60, 2.0)], "at the next step, and nothing beyond the window");
    let request = server.requests().remove(0);
    for expected in [
        "GET /api/errors%20of%20a%2Fb?from=1700000040&to=1700000640&every=60 HTTP/1.1\r\n",
        "authorization: Bearer hunter2\r\n",
        "x-key: hunter2\r\n",
    ] {
        assert!(request.contains(expected), "{request}");
    }
    let (_, requests) = replies(vec![Reply::new(200, &[], GOOD)]).await;
    let expected = "GET /?query=errors+of+a%2Fb&start=1700000040&end=1700000640&step=60 ";
    assert!(requests[0].starts_with(expected), "{requests:?}");
}

#[tokio::test]
async fn passing_faults_are_tried_again() {
    let good = || Reply::new(200, &[], GOOD);
    for fault in [
        Reply::new(500, &[], ""),
        Reply::new(503, &[], "<html>"),
        Reply::new(429, &[("Retry-After", "1")], ""),
        Reply::new(408, &[], ""),
        good().cut(100),
        good().cut(0),
    ] {
        let (answer, requests) = replies(vec![fault.clone(), fault, good()]).await;
        assert_eq!((answer.unwrap().series.len(), requests.len()), (1, 3));
    }
}

#[tokio::test]
async fn lasting_faults_are_given_up_with_a_reason() {
    let elsewhere = [("Location", "http://elsewhere.invalid/")];
    let large = format!("{}{GOOD}", " ".repeat(2 << 20));
    for (reply, rejected, tries, expected) in [
        (Reply::new(502, &[], "<html>"), false, 3, "HTTP 502"),
        (Reply::new(429, &[], ""), false, 3, "too many requests"),
        (Reply::new(206, &[], GOOD), false, 1, "HTTP 206 where the whole answer"),
        (Reply::new(204, &[], ""), false, 1, "HTTP 204"),
        (Reply::new(302, &elsewhere, ""), true, 1, "redirect to another host"),
        (Reply::new(400, &[], "hunter2"), true, 1, "the query is refused"),
        (Reply::new(401, &[], ""), true, 1, "see `auth`"),
        (Reply::new(403, &[], ""), true, 1, "may not query"),
        (Reply::new(404, &[], ""), true, 1, "see `url`"),
        (Reply::new(418, &[], ""), true, 1, "HTTP 418"),
        (Reply::new(200, &[], ""), false, 1, "an empty answer"),
        (Reply::new(200, &[], "<html>"), false, 1, "a web page"),
        (Reply::new(200, &[], "garbage"), false, 1, "not understood at its beginning"),
        (Reply::new(200, &[], &GOOD[..100]), false, 1, "breaks off at /1/"),
        (Reply::new(200, &[], GOOD.replace("\"2\"", "[]")), false, 1, "at /1/value: invalid type"),
        (Reply::new(200, &[], r#"{"data": [], "partial": true}"#), false, 1, "at /partial"),
        (Reply::new(200, &[], large), false, 1, "larger than 1048576 bytes"),
        (Reply::new(200, &[], GOOD).cut(100), false, 3, "broke off"),
    ] {
        let (answer, requests) = replies(vec![reply]).await;
        let (reason, was_rejected) = match answer.unwrap_err() {
            SourceError::Rejected(reason) => (reason, true),
            SourceError::Unavailable(reason) => (reason, false),
        };
        assert!(reason.starts_with("http-json at 127.0.0.1:") && reason.contains(expected), "{reason}");
        assert_eq!((was_rejected, requests.len()), (rejected, tries), "{reason}");
    }
}

#[tokio::test]
async fn a_server_that_is_late_or_not_there_is_unavailable() {
    let server = FaultServer::start(vec![Reply::never()]);
    let mut late = options(server.url());
    late.http.timeout = Duration::from_millis(200);
    let reason = ask(late).await.unwrap_err().to_string();
    assert!(reason.contains("no answer in time: raise `timeout`"), "{reason}");
    let reason = ask(options("http://127.0.0.1:1".to_owned())).await.unwrap_err().to_string();
    assert!(reason.contains("cannot connect"), "{reason}");
}
