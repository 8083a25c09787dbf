//! Trouble with the metrics: no fault of the source ever leads to a revert, each is named, and when the source is back
//! the next pass does its work.

use serde_json::Value;

use super::metrics::MANY;
use super::stage::{BOT, Config, PERSON, Stage, item, items, path_of, text, values, words};
use crate::support::fault::Reply;
use crate::support::free_port;
use crate::support::proxy::{Proxy, Turn};

/// A bad deployment of `web`, and an agent that asks through a proxy.
fn behind_a_proxy() -> (Stage, Proxy) {
    let stage = Stage::with("one", &["web"]);
    let proxy = Proxy::start(stage.metrics_url());
    stage.configure(&asking(&proxy.url()));
    stage.deploy("web", "v2", -12, BOT);
    (stage, proxy)
}

fn asking(url: &str) -> Config {
    Config { metrics_url: Some(url.to_owned()), ..Config::of("one") }
}

/// Nothing is done, and the plan says what is wrong with the source.
#[track_caller]
fn nothing_is_done(stage: &Stage, reason: &str) {
    let before = stage.refs();
    let plan = stage.plan(0);
    assert_eq!(words(item(&plan, "web")), "pending wait");
    let finding = &item(&plan, "web")["judgement"]["findings"][0];
    assert!(text(finding, "reason").contains(reason), "{reason} is not in: {finding:#}");
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "pending wait");
    assert_eq!(stage.refs(), before, "not even a note is written: {report:#}");
}

#[track_caller]
fn the_bad_version_goes_back(stage: &Stage) {
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
}

#[track_caller]
fn check(turn: Turn, reason: &str) {
    let (stage, proxy) = behind_a_proxy();
    proxy.turn(turn);
    nothing_is_done(&stage, reason);
    proxy.turn(Turn::Forward);
    the_bad_version_goes_back(&stage);
    stage.nothing_more();
}

fn reply(status: u16, content_type: &str, body: &str) -> Turn {
    Turn::Reply(Reply::new(status, &[("Content-Type", content_type)], body))
}

#[test]
fn a_source_that_is_down() {
    let stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    stage.configure(&asking(&format!("http://127.0.0.1:{}", free_port())));
    nothing_is_done(&stage, "cannot connect");
    stage.configure(&Config::of("one"));
    the_bad_version_goes_back(&stage);
}

#[test]
fn a_source_that_is_too_slow() {
    let (stage, proxy) = behind_a_proxy();
    proxy.turn(Turn::Hang);
    stage.configure(&Config { metrics: ", timeout: 1s".to_owned(), ..asking(&proxy.url()) });
    nothing_is_done(&stage, "no answer in time");
    proxy.turn(Turn::Forward);
    stage.configure(&asking(&proxy.url()));
    the_bad_version_goes_back(&stage);
    stage.nothing_more();
}

#[test]
fn a_source_that_hangs_up() {
    check(Turn::Cut(0), "prometheus at 127.0.0.1");
}

#[test]
fn half_an_answer() {
    check(Turn::Cut(1_500), "the answer broke off");
}

#[test]
fn a_source_that_is_overloaded() {
    check(reply(429, "text/plain", "slow down"), "HTTP 429");
}

#[test]
fn a_source_that_is_broken() {
    check(reply(500, "text/plain", "oops"), "HTTP 500");
    check(
        reply(
            503,
            "application/json",
            r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
        ),
        "query timed out",
    );
}

#[test]
fn a_source_that_answers_garbage() {
    check(reply(200, "application/json", "\u{1}garbage{{{"), "prometheus at 127.0.0.1");
    check(reply(200, "text/html", "<!doctype html><title>Log in</title>"), "a web page instead of an answer");
}

#[test]
fn a_source_that_answers_something_else() {
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"app":"web"},"value":[1,"1"]}]}}"#;
    check(reply(200, "application/json", vector), "prometheus at 127.0.0.1");
    let empty = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    check(reply(200, "application/json", empty), "no data");
}

#[test]
fn a_query_that_the_source_refuses() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let mut config = Config::of("one");
    config.signals = "  errors: {query: 'rate(requests_total{app=\"{{ service }}\"}', above: 1}\n".to_owned();
    stage.configure(&config);
    nothing_is_done(&stage, "the query is refused");
    let checks = stage.run(&["check"]).ended(1).stdout;
    assert!(checks.contains("FAIL signal errors for web") && checks.contains("parse error"), "{checks}");
    assert_eq!(stage.tip(), bad);
}

#[test]
fn a_source_that_is_still_down_when_the_window_is_over_proves_nothing() {
    let stage = Stage::with("one", &["web"]);
    let proxy = Proxy::start(stage.metrics_url());
    let mut config = asking(&proxy.url());
    config.policy = "settle: 60s, watch: 9m, baseline: 30m".to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -14, BOT);
    proxy.turn(reply(500, "text/plain", "oops"));
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "inconclusive pass");
    assert!(text(item(&report, "web"), "why").contains("HTTP 500"), "{report:#}");
    assert_eq!(stage.tip(), bad);
}

/// A thousand services in one commit.
fn many() -> Stage {
    let stage = Stage::on_path();
    let names: Vec<String> = (0..MANY).map(|number| format!("svc-{number}")).collect();
    for (tag, minutes, who) in [("v1", -180, PERSON), ("v2", -12, BOT)] {
        for name in &names {
            stage.write(&path_of(name), &values(name, tag));
        }
        stage.commit(minutes, who, &format!("Everything at {tag}"));
    }
    stage.push();
    stage
}

#[test]
fn a_thousand_services_with_three_signals_are_three_requests() {
    let stage = many();
    let proxy = Proxy::start(stage.metrics_url());
    let mut config = Config::of("many");
    config.metrics_url = Some(proxy.url());
    let signal = |name: &str| {
        format!(
            "  {name}: {{query: '{name} by (app) (load{{namespace=\"{{{{ namespace }}}}\"}})', by: app, above: 5, for: 2m}}\n"
        )
    };
    config.signals = ["avg", "max", "sum"].map(signal).concat();
    stage.configure(&config);
    let report = stage.pass(3);
    assert_eq!(proxy.requests().len(), 3, "{:#?}", proxy.requests());
    assert_eq!(items(&report).count(), MANY);
    let red: Vec<&Value> = items(&report).filter(|item| item["action"] != "wait").collect();
    assert_eq!(red.len(), 1, "{red:#?}");
    assert_eq!(red[0]["service"], "svc-500");
    assert_eq!(stage.remote(&["diff", "--name-only", "main^", "main"]), path_of("svc-500"));
    let report = stage.nothing_more();
    // The same three for the rest. How the revert does is asked when it can show.
    assert_eq!(proxy.requests().len(), 3 + 3);
    assert_eq!(items(&report).count(), MANY - 1);
}
