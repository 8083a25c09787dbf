//! What a pass gathers about a deployment, as its record keeps it.

use std::fmt::Write as _;

use backout::domain::time::Time;
use serde_json::Value;

use super::stage::{BOT, Stage, samples};
use crate::support::fault::{FaultServer, Reply};

/// The labels of the tables' series.
const LABELS: &str = "service,region";

/// A series: its metric, its labels, and its value by the minute.
pub(super) type Row = (&'static str, &'static str, fn(i64) -> f64);

/// Gives a stage a table with a row a minute for two hours up to now, for each of these series.
fn write_table(stage: &Stage, series: &[Row]) {
    let mut table = format!("timestamp,metric,{LABELS},value\n");
    for minute in -120..=0 {
        for (metric, labels, value) in series {
            let at = stage.now() + minute * 60;
            writeln!(table, "{at},{metric},{labels},{}", value(minute)).unwrap();
        }
    }
    std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
}

/// Fails since 24 minutes.
fn bad(minute: i64) -> f64 {
    if minute >= -24 { 0.3 } else { good(minute) }
}

pub(super) fn good(minute: i64) -> f64 {
    if minute % 3 == 0 { 0.0025 } else { 0.002 }
}

fn rate(_: i64) -> f64 {
    20.0
}

/// A stage with these services, with this signal and these lines of services, on a table of samples.
pub(super) fn stage(services: &[&str], signal: &str, rules: &str, series: &[Row]) -> Stage {
    let stage = Stage::on_path();
    stage.begin(services);
    write_table(&stage, series);
    let config = format!(
        "repository: {{url: {}, cache: cache}}
environments: {{production: {{branch: main, mode: auto}}}}
metrics: {{file: {{kind: csv, path: metrics.csv}}}}
signals:
  errors: {{{signal}, kind: error-ratio}}
policies: {{default: {{settle: 60s, watch: 20m, baseline: 30m}}}}
services:
{rules}",
        stage.bare.display()
    );
    std::fs::write(stage.home.path().join("backout.yaml"), config).unwrap();
    stage
}

const EVERY: &str = "  - {pattern: \"apps/{service}/values.yaml\"}\n";

/// The evidence of the record about a service, after a pass however it ended.
#[track_caller]
fn evidence(stage: &Stage, service: &str) -> Value {
    let run = stage.run(&["run", "--once", "--format", "json"]);
    let of_service = |record: &Value| record["service"] == service && record["environment"] == "production";
    let record = stage.history().into_iter().find(of_service);
    record.unwrap_or_else(|| panic!("no record of {service}: {run:?}"))["evidence"].clone()
}

#[test]
fn a_least_traffic_is_asked_and_kept() {
    let signal = r#"query: 'errors{service="{{ service }}"}',
      min_traffic: {query: 'rate{service="{{ service }}"}', at_least: 5}"#;
    let rows: [Row; 3] = [("errors", "web,", bad), ("rate", "web,", rate), ("rate", "api,", rate)];
    let stage = stage(&["web"], signal, EVERY, &rows);
    let checked = stage.run(&["check"]).ended(0).stdout;
    assert!(checked.contains("traffic of signal errors for web"), "{checked}");
    let commit = stage.deploy("web", "v2", -25, BOT);
    let found = evidence(&stage, "web");
    let traffic = &found["signals"][0]["traffic"]["samples"];
    let traffic = samples(traffic);
    assert!(traffic.len() > 40 && traffic[0].1.to_string() == "20", "{found:#}");
    stage.run(&["explain", &commit]).ended(0);
    write_table(&stage, &[("errors", "web,", bad), ("rates", "web,", rate)]);
    let checked = stage.run(&["check"]).ended(1).stdout;
    let line = checked.lines().find(|line| line.contains("traffic of signal errors")).unwrap();
    assert!(line.contains("no data"), "{checked}");
}

#[test]
fn a_split_signal_is_kept_in_its_parts() {
    let signal = "query: errors, by: service, segment: region";
    let rows: [Row; 3] = [("errors", "web,us", good), ("errors", "web,eu", bad), ("errors", "api,eu", good)];
    let stage = stage(&["web", "api"], signal, EVERY, &rows);
    let checked = stage.run(&["check"]).ended(0).stdout;
    assert!(checked.contains("1 parts by region") || checked.contains("2 parts by region"), "{checked}");
    stage.deploy("web", "v2", -25, BOT);
    let found = evidence(&stage, "web");
    let signal = &found["signals"][0];
    let names: Vec<&Value> =
        signal["segments"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
    assert_eq!(names, ["eu", "us"], "{signal:#}");
    assert_eq!(signal["found"]["samples"], signal["segments"][0]["samples"]);
    assert_eq!(signal["controls"], Value::Null);
    write_table(&stage, &[("errors", "api,", good)]);
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(checked.contains("have no label region"), "{checked}");
}

/// Failed for a quarter of an hour, until 26 minutes ago.
fn healed(minute: i64) -> f64 {
    if (-40..-26).contains(&minute) { 0.3 } else { good(minute) }
}

#[test]
fn a_split_signal_with_a_least_traffic_recovers() {
    let signal = "query: errors, by: service, segment: region, above: 5%, for: 1m,
      min_traffic: {query: rate, at_least: 5}";
    let rows: [Row; 3] = [("errors", "web,eu", healed), ("errors", "web,us", good), ("rate", "web,", rate)];
    let stage = stage(&["web"], signal, EVERY, &rows);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("watch: 20m", "watch: 1h, recovery: 15m")).unwrap();
    stage.deploy("web", "v2", -41, BOT);
    stage.pass(3);
    stage.backdate(-26);
    let report = stage.pass(0);
    let recoveries = &report["environments"][0]["recoveries"];
    assert_eq!(recoveries[0]["outcome"], "recovered", "{report:#}");
}

#[test]
fn others_that_could_be_to_blame_are_named() {
    let signal = r#"query: 'errors{service="{{ service }}"}'"#;
    let rules = r#"  - {name: web, paths: ["apps/web/*"], depends_on: [cart]}
  - {name: cart, paths: ["apps/cart/*"], depends_on: [db]}
  - {pattern: "apps/{service}/values.yaml"}
"#;
    let rows: [Row; 4] = [
        ("errors", "web,", bad),
        ("errors", "db,", bad),
        ("errors", "calm,", good),
        ("errors", "late,", bad),
    ];
    let stage = stage(&["web", "cart", "db", "calm", "late"], signal, rules, &rows);
    stage.deploy("db", "v2", -26, BOT);
    stage.deploy("calm", "v2", -26, BOT);
    stage.deploy("web", "v2", -25, BOT);
    stage.deploy("late", "v2", -21, BOT);
    let found = evidence(&stage, "web");
    let rivals = found["rivals"].as_array().unwrap();
    let names: Vec<(&Value, &Value)> = rivals.iter().map(|one| (&one["service"], &one["relation"])).collect();
    assert_eq!(names, [(&Value::from("db"), &Value::from("dependency"))], "{found:#}");
    let mirrored = evidence(&stage, "db");
    assert_eq!(mirrored["rivals"][0]["service"], "web", "{mirrored:#}");
    assert_eq!(mirrored["rivals"][0]["relation"], "dependent");
    assert_eq!(evidence(&stage, "calm")["rivals"], Value::Null);
    stage.nothing_more();
}

#[test]
fn times_in_which_another_deployment_settled_or_was_bad_are_named() {
    let signal = r#"query: 'errors{service="{{ service }}"}'"#;
    let stage = stage(&["web", "api"], signal, EVERY, &[("errors", "web,", bad), ("errors", "api,", good)]);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    let watch = |time: &str| std::fs::write(&path, config.replace("watch: 20m", time)).unwrap();
    // v2 is bad and taken back, v3 is fine, v4 is what is looked at.
    watch("watch: 40m");
    stage.deploy("web", "v2", -25, BOT);
    stage.pass(3);
    stage.backdate(-15);
    stage.deploy("web", "v3", -10, BOT);
    let judged = stage.deploy("web", "v4", -5, BOT);
    watch("watch: 4m");
    stage.run(&["run", "--once"]);
    let record = stage.history().into_iter().find(|record| record["deployment"] == judged.as_str()).unwrap();
    let found = &record["evidence"];
    let minutes = |minute: i64| Time::from_unix(stage.now() + minute * 60).to_string();
    let window = |(from, to)| serde_json::json!({"start": minutes(from), "end": minutes(to)});
    assert_eq!(found["unusual"], Value::from([(-25, -14), (-10, -9)].map(window).to_vec()), "{found:#}");
    assert_eq!(found["baseline_secs"], 30 * 60 + 12 * 60);
    assert_eq!(samples(&found["signals"][0]["found"]["samples"])[0].0, stage.now() - 47 * 60, "{found:#}");
}

/// The names of the controls of a service's only signal.
#[track_caller]
fn controls(stage: &Stage, service: &str) -> Vec<String> {
    let found = evidence(stage, service);
    let controls = found["signals"][0]["controls"].as_array().unwrap();
    assert!(controls.iter().all(|one| samples(&one["samples"]).len() > 40), "{found:#}");
    controls.iter().map(|one| one["service"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn services_that_are_asked_one_by_one_have_controls_too() {
    let signal = r#"query: 'errors{service="{{ service }}",region="{{ environment }}"}'"#;
    let rows: [Row; 6] = [
        ("errors", "web,production", bad),
        ("errors", "api,production", bad),
        ("errors", "named,production", bad),
        ("errors", "moved,production", bad),
        ("errors", "web,staging", bad),
        ("errors", "web,test", bad),
    ];
    let rules = r#"  - {name: named, paths: ["elsewhere/*"]}
  - {pattern: "apps/{service}/values.yaml"}
"#;
    let stage = stage(&["web", "api", "silent", "moved"], signal, rules, &rows);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    let more = "mode: auto}, staging: {branch: staging}, test: {branch: test}}";
    std::fs::write(&path, config.replace("mode: auto}}", more)).unwrap();
    let bare = stage.bare.to_str().unwrap().to_owned();
    stage.git(&["push", "-q", &bare, "HEAD:refs/heads/staging"]);
    stage.deploy("web", "v2", -25, BOT);
    // It was deployed in the environment `test` as well, and `moved` in this one.
    stage.git(&["push", "-q", &bare, "HEAD:refs/heads/test"]);
    stage.deploy("moved", "v2", -20, BOT);
    // They are bad as well, which excuses it; a record keeps no controls that changed nothing.
    assert_eq!(controls(&stage, "web"), ["api", "named", "web (staging)"]);
}

/// Has a stage ask a server that gives the same series whatever it is asked.
fn answering(stage: &Stage, value: fn(i64) -> f64) -> FaultServer {
    let pairs: Vec<String> =
        (-120..=0).map(|minute| format!("[{}, {}]", stage.now() + minute * 60, value(minute))).collect();
    let body = format!(r#"{{"data": [{{"labels": {{}}, "values": [{}]}}]}}"#, pairs.join(","));
    let server = FaultServer::start(vec![Reply::new(200, &[], body)]);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    let source = format!("{{kind: http-json, url: \"{}/{{query}}\"}}", server.url());
    std::fs::write(&path, config.replace("{kind: csv, path: metrics.csv}", &source)).unwrap();
    server
}

#[test]
fn in_an_incident_nobody_else_is_asked() {
    for (deployed, is_asked) in [(&["web", "jobs"][..], true), (&["web", "jobs", "mail"][..], false)] {
        let stage = stage(&["web", "jobs", "mail", "api"], "query: 'errors {{ service }}'", EVERY, &[]);
        let server = answering(&stage, bad);
        for service in deployed {
            stage.deploy(service, "v2", -25, BOT);
        }
        let run = stage.run(&["run", "--once"]);
        let requests = server.requests();
        let own = |service: &&&str| requests.iter().any(|one| one.contains(&format!("errors%20{service}")));
        assert_eq!(deployed.iter().filter(own).count(), deployed.len(), "{requests:#?}");
        assert_eq!(requests.iter().any(|one| one.contains("errors%20api")), is_asked, "{requests:#?}");
        assert_eq!(run.stdout.contains("regressed, a person must look"), !is_asked, "{}", run.stdout);
    }
}

#[test]
fn controls_are_asked_for_only_where_something_regressed() {
    for (value, expected) in [(good as fn(i64) -> f64, 1), (bad, 4)] {
        let stage = stage(&["web", "api"], "query: 'errors {{ service }}'", EVERY, &[]);
        let server = answering(&stage, value);
        stage.deploy("web", "v2", -25, BOT);
        evidence(&stage, "web");
        let requests = server.requests();
        assert_eq!(
            requests.len(),
            expected,
            "the window, a day and a week before, and a control: {requests:#?}"
        );
        assert_eq!(requests.iter().any(|one| one.contains("errors%20api")), expected > 1);
    }
}
