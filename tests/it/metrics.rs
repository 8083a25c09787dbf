//! The Prometheus source against a server that is wrong in every way, and against a real Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backout::adapters::http::HttpOptions;
use backout::adapters::metrics::prometheus::{Auth, Options};
use backout::adapters::metrics::{SourceOptions, connect};
use backout::domain::environment::signal::{Only, RangeQuery, Window};
use backout::domain::time::Time;
use backout::ports::{Answer, SourceError};

use crate::support::fault::{FaultServer, Reply};
use crate::support::prometheus::{Prometheus, program, run};
use crate::support::victoria_metrics::VictoriaMetrics;

/// The first moment of every test's history.
const START: i64 = 1_700_000_040;

const GOOD: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"a"},"values":[[1700000040,"1"]]}]}}"#;

fn options(url: String) -> Options {
    Options {
        url,
        auth: Auth::None,
        headers: BTreeMap::new(),
        http: HttpOptions { timeout: Duration::from_secs(120), ..HttpOptions::default() },
        max_body_bytes: 1 << 20,
    }
}

fn query(text: &str, secs: i64, step_secs: u32) -> RangeQuery {
    RangeQuery {
        source: "prom".parse().unwrap(),
        query: text.to_owned(),
        window: Window { start: Time::from_unix(START), end: Time::from_unix(START + secs) },
        step_secs,
        only: None,
    }
}

async fn ask(options: Options, query: RangeQuery) -> Result<Answer, SourceError> {
    connect(&SourceOptions::Prometheus(options)).unwrap().range(&query).await
}

/// What one server says to one question, after these replies.
async fn replies(replies: Vec<Reply>) -> (Result<Answer, SourceError>, Vec<String>) {
    let server = FaultServer::start(replies);
    let answer = ask(options(server.url()), query("up", 600, 60)).await;
    (answer, server.requests())
}

fn unavailable(answer: Result<Answer, SourceError>) -> String {
    match answer {
        Err(SourceError::Unavailable(reason)) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}

fn rejected(answer: Result<Answer, SourceError>) -> String {
    match answer {
        Err(SourceError::Rejected(reason)) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

/// Seconds since `START`, and values, of the series whose `app` is this.
fn samples(answer: &Answer, app: &str) -> Vec<(i64, f64)> {
    let series = answer.series.iter().find(|s| s.labels.get("app").is_some_and(|a| a == app)).unwrap();
    series.samples.iter().map(|sample| (sample.at.unix() - START, sample.value)).collect()
}

#[tokio::test]
async fn a_question_is_posted_as_a_form_with_credentials() {
    let server = FaultServer::start(vec![Reply::new(200, &[], GOOD)]);
    let options = Options {
        auth: Auth::Basic { username: "me".to_owned(), password: "pw".to_owned().into() },
        headers: BTreeMap::from([("X-Scope-OrgID".to_owned(), "team".to_owned().into())]),
        ..options(format!("{}/prefix/", server.url()))
    };
    let answer = ask(options, query("a{b=\"c d\"}", 600, 60)).await.unwrap();
    assert_eq!(samples(&answer, "a"), [(0, 1.0)]);
    let request = server.requests().remove(0);
    for expected in [
        "POST /prefix/api/v1/query_range HTTP/1.1\r\n",
        "authorization: Basic bWU6cHc=\r\n",
        "x-scope-orgid: team\r\n",
        "query=a%7Bb%3D%22c+d%22%7D&start=1700000040&end=1700000640&step=60",
    ] {
        assert!(request.contains(expected), "{request}");
    }
}

#[tokio::test]
async fn where_post_is_not_allowed_get_is_used() {
    let (answer, requests) = replies(vec![Reply::new(405, &[], ""), Reply::new(200, &[], GOOD)]).await;
    assert_eq!(answer.unwrap().series.len(), 1);
    assert!(requests[1].starts_with("GET /api/v1/query_range?query=up&start="), "{requests:?}");
}

#[tokio::test]
async fn passing_faults_are_tried_again() {
    let good = || Reply::new(200, &[], GOOD);
    for fault in [
        Reply::new(500, &[], ""),
        Reply::new(503, &[], r#"{"status":"error","errorType":"unavailable","error":"x"}"#),
        Reply::new(429, &[("Retry-After", "1")], ""),
        Reply::new(408, &[], ""),
        Reply::new(200, &[], GOOD).cut(120),
        Reply::new(200, &[], GOOD).cut(0),
    ] {
        let (answer, requests) = replies(vec![fault.clone(), fault, good()]).await;
        assert_eq!(answer.unwrap().series.len(), 1);
        assert_eq!(requests.len(), 3);
    }
}

#[tokio::test]
async fn lasting_faults_are_given_up_with_a_reason() {
    let (answer, requests) = replies(vec![Reply::new(502, &[], "<html>Bad Gateway</html>")]).await;
    let reason = unavailable(answer);
    assert!(reason.starts_with("prometheus at 127.0.0.1:") && reason.ends_with("HTTP 502"), "{reason}");
    assert_eq!(requests.len(), 3);

    let (answer, requests) = replies(vec![Reply::new(400, &[], "")]).await;
    assert!(rejected(answer).contains("HTTP 400"));
    assert_eq!(requests.len(), 1, "a refusal is not tried again");

    let (answer, _) = replies(vec![Reply::new(200, &[], GOOD).cut(120)]).await;
    assert!(unavailable(answer).contains("broke off"));

    let (answer, _) =
        replies(vec![Reply::new(200, &[("Content-Type", "text/html")], "<!doctype html>")]).await;
    assert!(unavailable(answer).contains("a web page instead of an answer"));

    let (answer, _) = replies(vec![Reply::new(302, &[("Location", "http://elsewhere.invalid/")], "")]).await;
    assert!(rejected(answer).contains("redirect to another host"));
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_named() {
    let redirect = Reply::new(302, &[("Location", "/login?token=hunter2")], "");
    let (answer, requests) = replies(vec![redirect, Reply::new(200, &[], "<html>")]).await;
    let reason = unavailable(answer);
    assert!(
        reason.contains("it redirects to http://127.0.0.1:") && reason.contains("/login: name"),
        "{reason}"
    );
    assert!(!reason.contains("hunter2") && requests[1].starts_with("GET /login"), "{requests:?}");
}

#[tokio::test]
async fn a_server_that_is_late_or_not_there_is_unavailable() {
    let server = FaultServer::start(vec![Reply::never()]);
    let mut late = options(server.url());
    late.http.timeout = Duration::from_millis(200);
    let reason = unavailable(ask(late, query("up", 600, 60)).await);
    assert!(reason.contains("no answer in time: raise `timeout`"), "{reason}");

    let reason = unavailable(ask(options("http://127.0.0.1:1".to_owned()), query("up", 600, 60)).await);
    assert!(reason.contains("cannot connect") && reason.contains("127.0.0.1:1"), "{reason}");
}

#[tokio::test]
async fn large_answers_are_cut_off_compressed_or_not() {
    let large = format!("{}{}", " ".repeat(2 << 20), GOOD);
    let zipped = gzip(large.as_bytes());
    assert!(zipped.len() < 10_000);
    let gzip_header = [("Content-Encoding", "gzip")];
    for reply in [Reply::new(200, &[], &large), Reply::new(200, &gzip_header, zipped)] {
        let (answer, requests) = replies(vec![reply]).await;
        let reason = unavailable(answer);
        assert!(reason.contains("larger than 1048576 bytes"), "{reason}");
        assert_eq!(requests.len(), 1, "it will not get smaller");
    }
    let (answer, requests) = replies(vec![Reply::new(200, &gzip_header, gzip(GOOD.as_bytes()))]).await;
    assert_eq!(answer.unwrap().series.len(), 1);
    assert!(requests[0].contains("accept-encoding: gzip"), "{requests:?}");
    let (answer, _) = replies(vec![Reply::new(200, &gzip_header, "no gzip")]).await;
    assert!(unavailable(answer).contains("broke off"));
}

#[tokio::test]
async fn no_answer_shows_a_secret() {
    for reply in [Reply::new(401, &[], "hm"), Reply::new(200, &[], "").cut(0), Reply::new(500, &[], "")] {
        let server = FaultServer::start(vec![reply]);
        let options = Options {
            auth: Auth::Bearer("hunter2".to_owned().into()),
            headers: BTreeMap::from([("X-Key".to_owned(), "hunter2".to_owned().into())]),
            ..options(server.url().replace("http://", "http://me:hunter2@"))
        };
        let text = format!("{:?}", ask(options, query("up", 600, 60)).await.unwrap_err());
        assert!(!text.contains("hunter2"), "{text}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = program("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

/// An hour of samples a quarter of a minute apart: what `value` gives at each second, and nothing where it is none.
fn history(metric: &str, app: &str, value: impl Fn(i64) -> Option<f64>) -> String {
    let mut lines = String::new();
    for second in (0..=3_600).step_by(15) {
        if let Some(value) = value(second) {
            writeln!(lines, "{metric}{{app=\"{app}\"}} {value} {}", START + second).unwrap();
        }
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn openmetrics() -> String {
    // 2 a second, and the counter begins anew after half an hour.
    let counter = |t: i64| Some(2.0 * if t < 1_800 { t as f64 } else { (t - 1_800) as f64 });
    let mut text = "# TYPE requests counter\n".to_owned();
    text += &history("requests_total", "a", counter);
    text += &history("requests_total", "b", |t| Some(5.0 * t as f64));
    text += "# TYPE load gauge\n";
    text += &history("load", "a", |t| (!(600..1_200).contains(&t)).then_some(7.0));
    text += "# TYPE zero gauge\n";
    text += &history("zero", "a", |_| Some(0.0));
    text + "# EOF\n"
}

#[tokio::test]
async fn a_real_prometheus_answers() {
    let prometheus = Prometheus::start(&openmetrics());
    let ask = |text: &str, secs: i64, step: u32| ask(options(prometheus.url()), query(text, secs, step));

    let rates = ask("sum by (app) (rate(requests_total[1m]))", 3_600, 60).await.unwrap();
    assert_eq!(rates.series.len(), 2, "one a label");
    let (a, b) = (samples(&rates, "a"), samples(&rates, "b"));
    assert_eq!(a.len(), 60);
    assert!(a.iter().all(|(_, rate)| *rate > 0.0 && *rate < 2.5), "a reset is no fall: {a:?}");
    assert!(b.iter().all(|(_, rate)| (rate - 5.0).abs() < 0.01), "{b:?}");

    let gap = ask("avg by (app) (avg_over_time(load[1m]))", 3_600, 60).await.unwrap();
    let times: Vec<i64> = samples(&gap, "a").iter().map(|(at, _)| *at).collect();
    assert!(times.contains(&600) && !times.contains(&900) && times.contains(&1_200), "{times:?}");

    for nothing in ["zero / zero", "load / zero", "-load / zero", "no_such_metric", "load > 100"] {
        assert_eq!(ask(nothing, 3_600, 60).await.unwrap().series, [], "{nothing}");
    }
    let reason = rejected(ask("rate(load", 600, 60).await);
    assert!(reason.contains("the query is refused") && reason.contains("parse error"), "{reason}");
    let reason = rejected(ask("load + on() group_left requests_total", 600, 60).await);
    assert!(reason.contains("many"), "{reason}");
    let scalar = ask("vector(1)", 600, 60).await.unwrap();
    assert_eq!(scalar.series[0].samples.len(), 11);

    // Three requests, without a seam.
    let long = ask("vector(time())", 25_000, 1).await.unwrap();
    let [series] = long.series.as_slice() else { panic!("one series") };
    assert_eq!(series.samples.len(), 25_001);
    assert!(series.samples.windows(2).all(|pair| pair[1].at.secs_since(pair[0].at) == 1));

    let options = options(format!("{}/wrong/path", prometheus.url()));
    let reason = rejected(self::ask(options, query("up", 600, 60)).await);
    assert!(reason.contains("see the path in `url`"), "{reason}");
}

#[tokio::test]
async fn a_real_victoria_metrics_answers() {
    // The same history; it wants milliseconds.
    let milliseconds =
        |line: &str| if line.starts_with('#') { String::new() } else { format!("{line}000\n") };
    let history: String = openmetrics().lines().map(milliseconds).collect();
    let server = VictoriaMetrics::start(&history);
    let ask = |text: &str| ask(options(server.url()), query(text, 3_600, 60));

    let rates = ask("sum by (app) (rate(requests_total[1m]))").await.unwrap();
    assert_eq!(rates.series.len(), 2);
    assert!(samples(&rates, "b").iter().all(|(_, rate)| (rate - 5.0).abs() < 0.01), "{rates:?}");
    assert_eq!(ask("zero / zero").await.unwrap().series, []);
    assert_eq!(ask("load / zero").await.unwrap().series, []);
    let reason = rejected(ask("rate(load").await);
    assert!(reason.contains("the query is refused"), "{reason}");
}

/// Names as nobody has them, and that a query must not take for anything else.
const HOSTILE: [&str; 8] = [
    "we$1ird",
    "$$",
    "q\"uo'te`s",
    "back\\slash",
    "line\nbreak",
    "\") or vector(1) or (\"",
    "ünï",
    "a.b/c-d #",
];

/// A gauge of a hundred services and those with hostile names, in the text format of Prometheus.
fn many(unit: &str) -> (Vec<String>, String) {
    let names: Vec<String> = (0..100).map(|n| format!("s{n:03}")).chain(HOSTILE.map(str::to_owned)).collect();
    let mut text = "# TYPE errors gauge\n".to_owned();
    for (nth, name) in names.iter().enumerate() {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        for second in (0..=600).step_by(60).filter(|second| nth % 3 > 0 || *second != 300) {
            writeln!(text, "errors{{app=\"{name}\"}} {nth} {}{unit}", START + second).unwrap();
        }
    }
    (names, text)
}

/// Asks a server for few series in many ways: they must be the same as in the whole answer.
async fn narrows(url: String) {
    let mut options = options(url);
    options.max_body_bytes = 64 << 10;
    let source = connect(&SourceOptions::Prometheus(options)).unwrap();
    let (names, _) = many("");
    for text in [
        "sum by (app) (errors)",
        "sum by (app) (errors) # of all ) services \"",
        " errors offset 1m ",
        "max_over_time(errors[3m:1m]) > 5",
        "errors{app=~\"s.*[)'\\\"]?|.*ü.*\"} or -errors",
        "sum by (app) (errors) / on (app) group_left count by (app) (errors)",
    ] {
        let whole = source.range(&query(text, 600, 60)).await.unwrap();
        assert!(whole.series.len() > 90, "{text}");
        let absent = "nobody".to_owned();
        let few = HOSTILE.iter().map(|name| (*name).to_owned());
        let one = std::iter::once("s007".to_owned());
        for values in
            [few.collect(), one.collect(), names.iter().take(100).cloned().chain([absent]).collect()]
        {
            let wanted = Only { label: "app".to_owned(), values };
            let narrowed =
                source.range(&RangeQuery { only: Some(wanted.clone()), ..query(text, 600, 60) }).await;
            let is_wanted = |labels: &BTreeMap<String, String>| wanted.values.contains(&labels["app"]);
            let expected: Vec<_> =
                whole.series.iter().filter(|one| is_wanted(&one.labels)).cloned().collect();
            assert_eq!(narrowed.unwrap().series, expected, "{text}");
        }
    }
}

#[tokio::test]
async fn a_real_prometheus_gives_the_wanted_series_alone() {
    let prometheus = Prometheus::start(&format!("{}# EOF\n", many("").1));
    narrows(prometheus.url()).await;
    // A query that is wrong stays wrong, and what narrowing makes wrong is asked as it is.
    let of = |text: &str, label: &str| {
        let only = Some(Only { label: label.to_owned(), values: ["s001".to_owned()].into() });
        ask(options(prometheus.url()), RangeQuery { only, ..query(text, 600, 60) })
    };
    assert!(rejected(of("errors) or (errors", "app").await).contains("parse error"));
    assert_eq!(of("5", "app").await.unwrap().series.len(), 1, "a scalar has no labels to narrow by");
    assert_eq!(of("count(errors)", "app").await.unwrap().series, [], "no series of the service");
}

#[tokio::test]
async fn a_real_victoria_metrics_gives_the_wanted_series_alone() {
    let history: String = many("000").1.lines().skip(1).map(|line| format!("{line}\n")).collect();
    narrows(VictoriaMetrics::start(&history).url()).await;
}

/// What one server is asked, and says, for one service of a query that it is asked twice, after these replies.
async fn narrowed_twice(replies: Vec<Reply>) -> (Vec<Result<Answer, SourceError>>, Vec<String>) {
    let server = FaultServer::start(replies);
    let source = connect(&SourceOptions::Prometheus(options(server.url()))).unwrap();
    let only = Some(Only { label: "app".to_owned(), values: ["a".to_owned()].into() });
    let query = RangeQuery { only, ..query("up", 600, 60) };
    let answers = vec![source.range(&query).await, source.range(&query).await];
    let is_narrowed = |request: &String| {
        if request.contains("%22backout%22") {
            "probe"
        } else if request.contains("label_replace") {
            "narrowed"
        } else {
            "whole"
        }
    };
    (answers, server.requests().iter().map(is_narrowed).map(str::to_owned).collect())
}

#[tokio::test]
async fn a_source_that_does_not_narrow_is_asked_for_all() {
    let good = || Reply::new(200, &[], GOOD);
    let empty = || Reply::new(200, &[], r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#);
    let others = || Reply::new(200, &[], GOOD.replace("\"a\"", "\"b\""));
    let refused =
        || Reply::new(400, &[], r#"{"status":"error","errorType":"bad_data","error":"no label_replace"}"#);
    let long = || Reply::new(414, &[], "");
    let probed = || Reply::new(200, &[], GOOD.replace(r#""app":"a""#, r#""backout":"a\"$1\\b""#));
    for (replies, expected) in [
        (vec![good(), good()], "narrowed narrowed"),
        (vec![refused(), good(), good()], "narrowed whole whole"),
        (vec![long(), good(), good()], "narrowed whole whole"),
        (vec![others(), good(), good()], "narrowed whole whole"),
        // Without any series of the service it may be that the server does not narrow as it should.
        (vec![empty(), empty(), good(), good()], "narrowed probe whole whole"),
        (vec![empty(), probed(), good()], "narrowed probe narrowed"),
        (vec![good(), empty()], "narrowed narrowed"),
        // A query that is wrong by itself says nothing about narrowing.
        (vec![refused(), refused(), good()], "narrowed whole narrowed"),
    ] {
        let (answers, asked) = narrowed_twice(replies).await;
        assert_eq!(asked.join(" "), expected, "{answers:?}");
        let last = answers.last().unwrap();
        assert!(last.is_ok(), "{last:?}");
    }
}

/// A certificate authority, and certificates by it for a server at `localhost` and a client.
fn certificates(directory: &Path) {
    let openssl = |arguments: &[&str]| run(program("openssl").args(arguments).current_dir(directory));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let ca = ["req", "-x509", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2"];
    openssl(&[&ca[..], &curve].concat());
    for (name, usage) in [("localhost", "serverAuth"), ("client", "clientAuth")] {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        openssl(&[&["req", "-subj", &subject, "-keyout", &key, "-out", &request][..], &curve].concat());
        let extensions =
            format!("subjectAltName=DNS:{name}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(directory.join("extensions"), extensions).unwrap();
        let sign = ["x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let files = ["-in", &request, "-out", &certificate, "-extfile", "extensions"];
        openssl(&[&sign[..], &files].concat());
    }
}

#[tokio::test]
async fn a_real_prometheus_wants_a_client_certificate() {
    let directory = tempfile::tempdir().unwrap();
    certificates(directory.path());
    let path = |name: &str| directory.path().join(name);
    let web_config = format!(
        "tls_server_config:\n  cert_file: {}\n  key_file: {}\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {}\n",
        path("localhost.pem").display(),
        path("localhost.key").display(),
        path("ca.pem").display(),
    );
    let prometheus = Prometheus::start_with(&openmetrics(), &web_config);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let with = |ca: bool, identity: bool| {
        let mut options = options(prometheus.tls_url());
        options.http.ca_file = ca.then(|| path("ca.pem"));
        options.http.identity =
            identity.then(|| format!("{}{}", read("client.pem"), read("client.key")).into());
        ask(options, query("load", 600, 60))
    };
    assert_eq!(with(true, true).await.unwrap().series.len(), 1);
    // TLS 1.3 lets the server refuse after the handshake: its alert and the closed connection race.
    let reason = unavailable(with(true, false).await).to_lowercase();
    assert!(reason.contains("certificate") || reason.contains("connection closed"), "{reason}");
    let reason = unavailable(with(false, true).await);
    assert!(reason.contains("cannot connect") && reason.to_lowercase().contains("certificate"), "{reason}");
}
