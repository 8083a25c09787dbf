//! What the server shows: whether the daemon does its work, and what it counts.

use std::collections::BTreeSet;

use reqwest::StatusCode;

use super::Daemon;
use crate::e2e::stage::{BOT, Config, Stage};
use crate::install::monitoring::{documented, documented_words};
use crate::support::prometheus::{Prometheus, program};
use crate::support::{command, eventually};

#[test]
fn it_is_ready_when_a_repository_was_fetched_and_says_when_it_was() {
    let mut stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    assert_eq!(daemon.get("/healthz"), (StatusCode::OK, "ok\n".to_owned()));
    let (status, text) = daemon.get("/readyz");
    assert_eq!(status, StatusCode::OK);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "ready");
    assert!(lines[1].starts_with("repository repository: fetched ") && lines[1].ends_with(" ago"), "{text}");
    assert!(lines[2].starts_with("metric source prom: answered ") && lines[2].ends_with(" ago"), "{text}");
    daemon.end(&stage);
}

#[test]
fn it_is_not_ready_while_no_repository_can_be_fetched() {
    let mut stage = Stage::with("one", &["web"]);
    let moved = stage.bare.with_extension("away");
    std::fs::rename(&stage.bare, &moved).unwrap();
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    let (status, text) = daemon.get("/readyz");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text.contains("repository repository: fetched never; the last try had a problem, see the log"),
        "{text}"
    );
    assert!(text.contains("metric source prom: answered never"), "{text}");
    assert!(!text.contains(stage.bare.to_str().unwrap()), "{text}");
    let failed = daemon.value(r#"backout_passes_total{repository="repository",result="failed"}"#);
    assert_eq!(failed.as_deref(), Some("1"));
    daemon.end(&stage);
}

#[test]
fn the_metrics_tell_a_revert_from_landing_to_commit() {
    let mut stage = Stage::with("one", &["web", "api"]);
    stage.deploy("web", "v2", -12, BOT);
    stage.deploy("api", "v2", 0, BOT);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    let (_, text) = daemon.get("/metrics");
    for series in [
        r#"backout_passes_total{repository="repository",result="good"} 1"#,
        r#"backout_verdicts_total{environment="production",verdict="regressed"} 1"#,
        r#"backout_decisions_total{environment="production",decision="revert"} 1"#,
        r#"backout_reverts_total{environment="production",outcome="pushed"} 1"#,
        r#"backout_watched_deployments{environment="production"} 1"#,
        r#"backout_held{environment="production",by="freeze"} 0"#,
        r#"backout_budget_left{environment="production"} 2"#,
        r#"backout_stage_seconds_count{stage="fetch"} 1"#,
        r#"backout_stage_seconds_count{stage="act"} 1"#,
        r#"backout_wait_seconds_count{step="landed_to_committed"} 1"#,
        r#"backout_wait_seconds_bucket{le="600.0",step="landed_to_detected"} 0"#,
        r#"backout_wait_seconds_bucket{le="1800.0",step="landed_to_detected"} 1"#,
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is missing:\n{text}");
    }
    assert!(daemon.value(r#"backout_source_requests_total{source="prom",result="answered"}"#).is_some());
    assert!(daemon.value(r#"backout_last_success_timestamp_seconds{repository="repository"}"#).is_some());
    assert!(text.ends_with("# EOF\n"), "{text}");
    // Names come from the configuration alone.
    assert!(!text.contains("web") && !text.contains("v2"), "{text}");
    is_documented(&text);
    let file = stage.home.path().join("metrics");
    std::fs::write(&file, &text).unwrap();
    let checked = program("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    // OpenMetrics names a counter without `_total`, and promtool reads the format before it.
    let told = String::from_utf8(checked.stderr).unwrap();
    let is_known = |line: &str| line.is_empty() || line.ends_with("_total no help text");
    assert!(told.lines().all(is_known), "{told}");
    let log = daemon.end(&stage);
    for line in ["event=\"decided\"", "event=\"delivered\"", "event=\"found\""] {
        let found = log.lines().filter(|one| one.contains(line)).count();
        assert_eq!(found, 1, "{line}: {log}");
    }
}

/// The counters in a text, each with its value.
fn counters(text: &str) -> Vec<(&str, &str)> {
    let series =
        text.lines().filter(|line| line.split('{').next().is_some_and(|name| name.ends_with("_total")));
    series.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

/// The counters that the documentation lists for one name each.
fn expected(repository: &str, environment: &str, hooks: &[&str]) -> BTreeSet<String> {
    let words = documented_words();
    let mut all = BTreeSet::from([format!("backout_problems_total{{environment=\"{environment}\"}}")]);
    for (metric, label, last, names) in [
        ("passes", "repository", "result", &[repository][..]),
        ("verdicts", "environment", "verdict", &[environment]),
        ("decisions", "environment", "decision", &[environment]),
        ("reverts", "environment", "outcome", &[environment]),
        ("recoveries", "environment", "outcome", &[environment]),
        ("source_requests", "source", "result", &["prom"]),
        ("hooks", "hook", "result", hooks),
    ] {
        let metric = format!("backout_{metric}_total");
        for (name, word) in names.iter().flat_map(|name| words[&metric].iter().map(move |word| (name, word)))
        {
            all.insert(format!("{metric}{{{label}=\"{name}\",{last}=\"{word}\"}}"));
        }
    }
    all
}

#[test]
fn each_counter_is_there_at_0_before_it_counts_and_no_other_ever_is() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &["github", "generic"]);
    let (_, text) = daemon.get("/metrics");
    let all = expected("repository", "production", &["github", "generic"]);
    let own =
        |text: &str| counters(text).iter().map(|(series, _)| (*series).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(own(&text), all);
    for (series, value) in counters(&text) {
        let is_pass = series.contains(r#"result="good""#);
        assert_eq!(value, if is_pass { "1" } else { "0" }, "{series}");
    }
    for step in &documented_words()["backout_wait_seconds"] {
        let count = format!("backout_wait_seconds_count{{step=\"{step}\"}} 0");
        assert!(text.lines().any(|line| line == count), "{count} is missing:\n{text}");
    }
    stage.deploy("web", "v2", -12, BOT);
    daemon.post("/hooks/nobody", &[], "");
    daemon.post("/hooks/generic", &[("authorization", "Bearer wrong")], "");
    daemon.post("/hooks/generic", &[("authorization", &format!("Bearer {}", super::SECRET))], "");
    assert!(eventually(|| daemon.passes() >= 2));
    let (_, text) = daemon.get("/metrics");
    assert_eq!(own(&text), all);
    let changed = counters(&text).into_iter().filter(|(_, value)| *value != "0").map(|(series, _)| series);
    let changed: BTreeSet<_> =
        changed.filter(|series| !series.starts_with("backout_source_requests")).collect();
    assert_eq!(
        changed,
        BTreeSet::from([
            r#"backout_passes_total{repository="repository",result="good"}"#,
            r#"backout_verdicts_total{environment="production",verdict="regressed"}"#,
            r#"backout_decisions_total{environment="production",decision="revert"}"#,
            r#"backout_reverts_total{environment="production",outcome="pushed"}"#,
            r#"backout_hooks_total{hook="generic",result="unproven"}"#,
            r#"backout_hooks_total{hook="generic",result="woke"}"#,
        ])
    );
    daemon.end(&stage);
}

/// Fails where a series has a name or a label that the documentation does not list for it.
#[track_caller]
fn is_documented(text: &str) {
    let known = documented();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) =
            series.strip_suffix('}').and_then(|one| one.split_once('{')).unwrap_or((series, ""));
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|end| known.get(name.strip_suffix(end)?));
        let listed = known.get(name).or(parts).unwrap_or_else(|| panic!("{name} is not documented"));
        let found = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        let found: BTreeSet<_> = found.filter(|label| label != "le").collect();
        assert_eq!(found, *listed, "{series}");
    }
}

#[test]
fn a_real_prometheus_reads_the_metrics() {
    let mut stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    let prometheus = Prometheus::scraping(daemon.url.strip_prefix("http://").unwrap());
    let ask = |query: &str| {
        let url = format!("{}/api/v1/query?query={query}", prometheus.url());
        daemon.runtime.block_on(async { daemon.client.get(&url).send().await.unwrap().text().await.unwrap() })
    };
    assert!(eventually(|| ask("backout_passes_total").contains(r#""result":"good""#)));
    for (query, value) in [
        ("backout_reverts_total{outcome='pushed'}", "1"),
        ("backout_budget_left", "2"),
        ("backout_config_good", "1"),
        ("backout_wait_seconds_count{step='landed_to_committed'}", "1"),
        ("histogram_quantile(1,backout_wait_seconds_bucket{step='landed_to_detected'})", "1800"),
    ] {
        let answer = ask(query);
        assert!(answer.contains(&format!("\"{value}\"]}}]")), "{query}: {answer}");
    }
    daemon.end(&stage);
}

#[test]
fn who_cannot_listen_says_where() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    let address = daemon.url.strip_prefix("http://").unwrap();
    stage.configure(&Config { run: format!("run: {{listen: \"{address}\"}}\n"), ..Config::of("one") });
    let run = stage.run(&["run"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("cannot listen at {address}")), "{}", run.stderr);
    let ok = eventually(|| command("true").status().unwrap().success());
    assert!(ok && daemon.get("/healthz").0 == StatusCode::OK);
    daemon.end(&stage);
}

/// The passes are an hour apart; but each step of a signal may bring the sample that shows the damage.
#[test]
fn while_a_deployment_is_watched_a_pass_follows_each_step() {
    let mut config = Config::of("one");
    config.signals = config.signals.replace("step: 30s", "step: 2s");
    let mut stage = Stage::with("one", &["web", "api"]);
    stage.deploy("api", "v2", 0, BOT);
    let daemon = Daemon::start(&mut stage, &config, &[]);
    assert!(eventually(|| daemon.passes() >= 3));
    daemon.end(&stage);
    let mut stage = Stage::with("one", &["web", "api"]);
    let daemon = Daemon::start(&mut stage, &config, &[]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(daemon.passes(), 1);
    daemon.end(&stage);
}
