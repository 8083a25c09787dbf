//! After a revert, the agent's or a person's: the next passes say whether it helped, once.

use serde_json::Value;

use super::stage::{BOT, Config, PERSON, Stage, item, items, text, values, words};

/// A revert of `web` some 26 minutes ago.
fn reverted(namespace: &str) -> Stage {
    reverted_at(namespace, "recovery: 15m", -26)
}

/// A revert of `web` some minutes ago.
fn reverted_at(namespace: &str, policy: &str, minutes: i64) -> Stage {
    let stage = Stage::with(namespace, &["web"]);
    let mut config = Config::of(namespace);
    config.policy = format!("settle: 60s, watch: 1h, baseline: 30m, {policy}");
    stage.configure(&config);
    stage.deploy("web", "v2", -41, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    stage.nothing_more();
    stage.backdate(minutes);
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

/// A later deployment's damage is not held against the revert before it.
#[test]
fn a_revert_is_watched_until_the_next_deployment() {
    let stage = reverted_at("again", "recovery: 20m", -28);
    let third = stage.deploy("web", "v3", -12, PERSON);
    let report = stage.pass(4);
    let [recovery] = recoveries(&report).try_into().unwrap_or_else(|_| panic!("{report:#}"));
    assert_eq!(recovery["outcome"], "recovered", "{recovery:#}");
    let until = format!("It was watched for 16 min, until {} was deployed", &third[..10]);
    assert!(text(&recovery, "reason").contains(&until), "{recovery:#}");
}

#[test]
fn a_revert_that_was_replaced_at_once_neither_helped_nor_failed() {
    let stage = reverted_at("stuck", "recovery: 15m, cooldown: 0s", -26);
    let third = stage.deploy("web", "v3", -24, PERSON);
    let report = stage.run(&["run", "--once", "--format", "json"]).json();
    let [recovery] = recoveries(&report).try_into().unwrap_or_else(|_| panic!("{report:#}"));
    assert_eq!(recovery["outcome"], "replaced", "{recovery:#}");
    assert!(
        text(&recovery, "reason").starts_with(&format!("replaced by {} after 2 min", &third[..10])),
        "{recovery:#}"
    );
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

/// A deployment of `web`, and its revert some minutes ago that a person asked for. No agent watches the deployment as long as
/// that, so that none has a verdict about it, unless it looks in between.
fn reverted_by_hand(
    namespace: &str,
    policy: &str,
    (deployed, reverted): (i64, i64),
    in_between: impl FnOnce(&Stage),
) -> Stage {
    let stage = Stage::with(namespace, &["web"]);
    let mut config = Config::of(namespace);
    config.policy = format!("settle: 60s, baseline: 30m, recovery: 15m, {policy}");
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", deployed, BOT);
    in_between(&stage);
    stage.run(&["revert", &bad]).ended(3);
    stage.backdate(reverted);
    stage
}

/// What the only recovery of a pass says, which must be written down, shown, and said once: also to an agent without a cache.
#[track_caller]
fn told_once(stage: &Stage, code: i32) -> (String, String) {
    let before = stage.tip();
    let plan = stage.plan(code);
    assert_eq!(recoveries(&plan).len(), 1, "{plan:#}");
    let report = stage.pass(code);
    let [recovery] = recoveries(&report).try_into().unwrap_or_else(|_| panic!("{report:#}"));
    assert_eq!(stage.tip(), before, "nothing more is changed on the branch");
    let recorded = stage.history();
    let recorded = recorded.iter().rfind(|one| one["kind"] == "recovery").unwrap();
    assert_eq!(recorded["outcome"], recovery["outcome"]);
    assert_eq!(recorded["reason"], recovery["reason"]);
    let shown = stage.run(&["history"]).ended(0).stdout;
    assert!(shown.contains(text(&recovery, "reason")), "{shown}");
    assert!(recoveries(&stage.nothing_more()).is_empty());
    std::fs::remove_dir_all(stage.home.path().join("cache")).unwrap();
    assert!(recoveries(&stage.nothing_more()).is_empty());
    (text(&recovery, "outcome").to_owned(), text(&recovery, "reason").to_owned())
}

#[test]
fn a_revert_by_hand_is_watched_without_a_verdict() {
    let stage = reverted_by_hand("healed", "watch: 15m", (-41, -26), |_| ());
    let (outcome, reason) = told_once(&stage, 0);
    assert_eq!(outcome, "recovered", "{reason}");
    assert!(stage.history().iter().all(|one| one["kind"] != "verdict"));
}

#[test]
fn a_revert_by_hand_that_did_not_help_is_told() {
    let stage = reverted_by_hand("stuck", "watch: 15m", (-41, -26), |_| ());
    let (outcome, reason) = told_once(&stage, 4);
    assert_eq!(outcome, "not-recovered", "{reason}");
    assert!(reason.starts_with("the revert did not help"), "{reason}");
}

#[test]
fn nothing_has_come_back_where_nothing_was_seen_to_be_bad() {
    let stage = reverted_by_hand("fine", "watch: 15m", (-41, -26), |_| ());
    let (outcome, reason) = told_once(&stage, 0);
    assert_eq!(outcome, "unknown", "{reason}");
    assert!(reason.starts_with("the signals do not show what the revert was to mend"), "{reason}");
}

#[test]
fn what_is_bad_only_since_a_revert_by_hand_is_told() {
    // It fails since 11 minutes.
    let stage = reverted_by_hand("one", "watch: 15m", (-36, -21), |_| ());
    let (outcome, reason) = told_once(&stage, 4);
    assert_eq!(outcome, "not-recovered", "{reason}");
    assert!(reason.starts_with("bad since the revert, and not seen to be bad before it"), "{reason}");
}

#[test]
fn what_was_found_healthy_before_it_turned_bad_counts_as_it_was_at_the_revert() {
    // It fails from half an hour ago on, after the watch window.
    let stage = reverted_by_hand("late", "watch: 45m", (-80, -16), |stage| {
        assert_eq!(words(item(&stage.pass(0), "web")), "healthy pass");
    });
    let (outcome, reason) = told_once(&stage, 0);
    assert_eq!(outcome, "recovered", "{reason}");
}

#[test]
fn a_verdict_that_is_found_with_the_revert_counts_as_any_other() {
    let stage = reverted_by_hand("healed", "watch: 1h", (-41, -26), |_| ());
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed pass");
    assert_eq!(recoveries(&report)[0]["outcome"], "recovered", "{report:#}");
    assert!(recoveries(&stage.nothing_more()).is_empty());
}

#[test]
fn nothing_is_said_of_a_revert_by_hand_of_what_was_deployed_long_before() {
    let stage = reverted_by_hand("stuck", "watch: 15m", (-100, -26), |_| ());
    let report = stage.nothing_more();
    assert!(recoveries(&report).is_empty() && items(&report).next().is_none(), "{report:#}");
}

#[test]
fn it_is_too_early_to_say_soon_after_a_revert_by_hand() {
    let stage = reverted_by_hand("healed", "watch: 15m", (-41, -5), |_| ());
    assert!(recoveries(&stage.nothing_more()).is_empty());
}
