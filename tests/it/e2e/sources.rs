//! Metric sources other than Prometheus, through a whole pass that reverts.

use std::fmt::Write as _;

use super::stage::{BOT, Stage, item, samples, text, values, words};
use crate::support::fault::{FaultServer, Reply};

/// Whose metrics there are; the last one is not in the repo.
const SERVICES: [&str; 3] = ["checkout", "catalog", "search"];

/// Two hours, a row a minute and service, up to now; `checkout` fails since 11 minutes.
fn history(stage: &Stage) -> Vec<(i64, &'static str, f64)> {
    let row = |minute: i64, service: &'static str| {
        let bad = service == "checkout" && minute >= -11;
        let uneven = if minute % 3 == 0 { 0.0005 } else { 0.0 };
        (stage.now() + minute * 60, service, if bad { 0.3 } else { 0.002 } + uneven)
    };
    (-120..=0).flat_map(|minute| SERVICES.map(|service| row(minute, service))).collect()
}

/// A stage on which `checkout` was deployed 12 minutes ago, and that commit.
fn stage() -> (Stage, String) {
    let stage = Stage::on_path();
    stage.begin(&SERVICES[..2]);
    let bad = stage.deploy("checkout", "v2", -12, BOT);
    (stage, bad)
}

/// Sets its metric source.
fn configure(stage: &Stage, source: &str, signal: &str) {
    let config = format!(
        "repository: {{url: {}, cache: cache}}
environments: {{production: {{branch: main, mode: auto}}}}
metrics:
  other: {source}
signals:
  errors: {{{signal}, kind: error-ratio}}
policies: {{default: {{settle: 60s, watch: 40m, baseline: 30m}}}}
services: [{{pattern: \"apps/{{service}}/values.yaml\"}}]
",
        stage.bare.display()
    );
    std::fs::write(stage.home.path().join("backout.yaml"), config).unwrap();
}

/// The pass takes the bad deployment back, and its record keeps the evidence.
#[track_caller]
fn reverts(stage: &Stage, bad: &str) {
    stage.run(&["check"]).ended(0);
    let report = stage.pass(3);
    let found = item(&report, "checkout");
    assert_eq!(words(found), "regressed revert", "{found:#}");
    assert_eq!(text(found, "deployment"), bad);
    assert_eq!(stage.file("main", "checkout"), values("checkout", "v1"));
    let record = stage.history().remove(0);
    let evidence = &record["evidence"]["signals"][0];
    assert!(samples(&evidence["found"]["samples"]).len() > 30, "{evidence:#}");
    stage.nothing_more();
}

fn long_table(stage: &Stage) -> String {
    let mut table = "timestamp,metric,service,value\n".to_owned();
    for (at, service, value) in history(stage) {
        writeln!(table, "{at},errors,{service},{value}").unwrap();
    }
    table
}

#[test]
fn a_file_is_enough_to_revert_by() {
    let (stage, bad) = stage();
    configure(&stage, "{kind: csv, path: metrics.csv}", r#"query: 'errors{service="{{ service }}"}'"#);
    std::fs::write(stage.home.path().join("metrics.csv"), long_table(&stage)).unwrap();
    reverts(&stage, &bad);
}

#[test]
fn a_wide_file_answers_for_all_services_at_once() {
    let (stage, bad) = stage();
    configure(
        &stage,
        "{kind: csv, path: metrics.csv, timestamp: when, labels: [app]}",
        r#"query: 'metric="error ratio"', by: app"#,
    );
    let mut table = "app,when,error ratio,other\n".to_owned();
    for (at, service, value) in history(&stage) {
        writeln!(table, "{service},{at}.5,{value},1").unwrap();
    }
    std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
    reverts(&stage, &bad);
}

#[test]
fn a_file_that_is_broken_or_gone_reverts_nothing() {
    let (stage, _) = stage();
    configure(&stage, "{kind: csv, path: metrics.csv}", r#"query: 'errors{service="{{ service }}"}'"#);
    let told = |stage: &Stage, expected: &str| {
        let before = stage.refs();
        let report = stage.run(&["run", "--once", "--format", "json"]).ended(0).json();
        let found = item(&report, "checkout");
        let reason = found["judgement"].to_string();
        assert_eq!(words(found).split(' ').next(), Some("pending"), "{found:#}");
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(stage.refs(), before);
        let checked = stage.run(&["check"]).ended(1);
        assert!(checked.stdout.contains(expected), "{}", checked.stdout);
    };
    told(&stage, "metrics.csv: cannot be read");
    let file = stage.home.path().join("metrics.csv");
    std::fs::write(&file, long_table(&stage) + "noon,errors,checkout,0.3\n").unwrap();
    told(&stage, "line 365, column");
}

#[test]
fn plain_json_over_http_is_enough_to_revert_by() {
    let (stage, bad) = stage();
    let series = SERVICES.map(|service| {
        let own = history(&stage).into_iter().filter(|(_, of, _)| *of == service);
        let pairs: Vec<String> = own.map(|(at, _, value)| format!("[{at}, \"{value}\"]")).collect();
        format!(r#"{{"labels": {{"service": "{service}"}}, "values": [{}]}}"#, pairs.join(","))
    });
    let body = format!(r#"{{"data": [{}]}}"#, series.join(","));
    let server = FaultServer::start(vec![Reply::new(200, &[], body)]);
    let source = format!("{{kind: http-json, url: \"{}/series/{{query}}?from={{start}}\"}}", server.url());
    configure(&stage, &source, "query: error ratio, by: service");
    reverts(&stage, &bad);
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /series/error%20ratio?from=1"), "{requests:?}");
}

#[test]
fn a_server_that_fails_reverts_nothing() {
    let server = FaultServer::start(vec![Reply::new(500, &[], "")]);
    let source = format!("{{kind: http-json, url: \"{}\"}}", server.url());
    let (stage, _) = stage();
    configure(&stage, &source, "query: errors, by: service");
    let before = stage.refs();
    let report = stage.run(&["run", "--once", "--format", "json"]).ended(0).json();
    assert!(words(item(&report, "checkout")).starts_with("pending"), "{report:#}");
    assert!(report.to_string().contains("HTTP 500"), "{report:#}");
    assert_eq!(stage.refs(), before);
}
