//! After a revert: the next passes say whether it helped, once.

use serde_json::Value;

use super::stage::{BOT, Config, Stage, item, values, words};

/// A revert of `web` some 26 minutes ago.
fn reverted(namespace: &str) -> Stage {
    let stage = Stage::with(namespace, &["web"]);
    let mut config = Config::of(namespace);
    config.policy = "settle: 60s, watch: 1h, baseline: 30m, recovery: 15m".to_owned();
    stage.configure(&config);
    stage.deploy("web", "v2", -41, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    stage.nothing_more();
    stage.backdate(-26);
    stage
}

fn recoveries(report: &Value) -> Vec<Value> {
    report["environments"][0]["recoveries"].as_array().unwrap().clone()
}

#[test]
fn signals_that_came_back_are_recorded_once() {
    let stage = reverted("healed");
    let before = stage.tip();
    let report = stage.pass(0);
    let [recovery] = recoveries(&report).try_into().unwrap_or_else(|_| panic!("{report:#}"));
    assert_eq!(recovery["outcome"], "recovered", "{recovery:#}");
    let shown = stage.run(&["history"]).ended(0).stdout;
    assert!(shown.contains("recovered after") && !shown.contains("NOT"), "{shown}");
    assert_eq!(stage.history().last().unwrap()["outcome"], "recovered");
    assert_eq!(stage.tip(), before);
    assert!(recoveries(&stage.nothing_more()).is_empty());
    stage.run(&["explain", stage.history()[0]["deployment"].as_str().unwrap()]).ended(0);
}

#[test]
fn a_revert_that_did_not_help_is_for_a_person_and_nothing_more_is_reverted() {
    let stage = reverted("stuck");
    let before = stage.tip();
    let report = stage.pass(4);
    let [recovery] = recoveries(&report).try_into().unwrap_or_else(|_| panic!("{report:#}"));
    assert_eq!(recovery["outcome"], "not-recovered", "{recovery:#}");
    let shown = stage.run(&["history"]).ended(0).stdout;
    assert!(shown.contains("NOT recovered after"), "{shown}");
    assert_eq!(stage.tip(), before);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert!(recoveries(&stage.nothing_more()).is_empty());
}
