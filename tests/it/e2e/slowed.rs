//! A service that the agent is slower with: its own budget, versions that go back and forth, and fixes that would go back too.

use super::stage::{BOT, Config, PERSON, Stage, item, items, text, words};
use super::table;

/// A service that went back too often turns itself to proposing.
#[test]
fn a_service_that_was_reverted_too_often_is_only_proposed() {
    let stage = Stage::with("again", &["web"]);
    let mut config = Config::of("again");
    config.policy =
        "settle: 60s, watch: 1h, baseline: 15m, cooldown: 0s, service_budget: {max_reverts: 1}".to_owned();
    stage.configure(&config);
    stage.deploy("web", "v2", -41, BOT);
    stage.pass(3);
    stage.backdate(-29);
    let bad = stage.deploy("web", "v3", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{report:#}");
    let plan = text(item(&report, "web"), "plan");
    assert!(
        plan.contains("web was reverted once in the last 1 d: the agent only proposes a revert of it until"),
        "{plan}"
    );
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// A service whose reverts are proposed until a person has accepted one; a person's no begins that anew.
#[test]
fn a_service_earns_that_it_is_reverted_and_loses_that_again() {
    let stage = Stage::with("again", &["web"]);
    let mut config = Config::of("again");
    config.environments = "  production: {branch: main, mode: earn}\n".to_owned();
    config.policy = "settle: 60s, watch: 1h, baseline: 15m, cooldown: 0s, earn_after: 1".to_owned();
    stage.configure(&config);
    let trust = || {
        let status = stage.run(&["status", "--format", "json"]).ended(0).json();
        status[0]["services"][0]["trust"].clone()
    };
    let bad = stage.deploy("web", "v2", -41, BOT);
    assert_eq!(trust()["accepted"], 0);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{report:#}");
    let plan = text(item(&report, "web"), "plan");
    assert!(plan.contains("mode earn: accepted reverts: 0, needed: 1"), "{plan}");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();

    // A person merges what was proposed.
    let branch = format!("backout/production/web/{}", &bad[..10]);
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
    stage.dated(-29, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
    stage.push();
    assert_eq!(trust()["accepted"], 1);
    let shown = stage.run(&["status"]).ended(0).stdout;
    let words_of_status = "mode earn, the agent reverts by itself: accepted reverts: 1, needed: 1";
    assert!(shown.contains(words_of_status), "{shown}");
    let next = stage.deploy("web", "v3", -12, BOT);
    let report = stage.pass(3);
    let newest = items(&report).find(|item| item["deployment"] == next.as_str()).unwrap();
    assert_eq!(words(newest), "regressed revert", "{report:#}");
    assert_eq!(trust()["accepted"], 2);

    // A person who puts back what was reverted says no.
    stage.pull();
    stage.deploy("web", "v3", 0, PERSON);
    let no = trust();
    assert_eq!(no["accepted"], 0, "{no}");
    assert!(text(&no["last_no"], "what").contains(" put back what "), "{no}");
}

/// A table of one service with a version, and who put each of these there at which minute.
fn versions(changes: &[(&str, i64, &str)]) -> Stage {
    let at = |version: &str| format!("image:\n  tag: {version}\n");
    let path = "apps/web/values.yaml";
    let stage = table::stage(&table::Rules::new(r#"[{pattern: "apps/{service}/**"}]"#), &[(path, &at("v1"))]);
    for (version, minute, who) in changes {
        table::commit(&stage, &[(path, &at(version))], *minute, who);
    }
    table::errors(&stage, &[("web", table::LATELY)]);
    stage
}

#[test]
fn versions_that_machines_put_back_and_forth_are_left_alone() {
    let stage = versions(&[("v2", -170, BOT), ("v1", -120, BOT), ("v2", -12, BOT)]);
    let tip = stage.tip();
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate", "{report:#}");
    let why = text(item(&report, "web"), "why");
    let before = stage.git(&["rev-parse", "--short=10", "HEAD^"]);
    assert!(why.contains(&format!("each of {}, {before} brought back what ran before", &tip[..10])), "{why}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
    // A bot that puts out again what a person took back is reverted like any other.
    let stage = versions(&[("v2", -170, BOT), ("v1", -120, PERSON), ("v2", -12, BOT)]);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    stage.nothing_more();
}

#[test]
fn a_fix_that_would_go_back_too_is_proposed_and_named() {
    for (who, subject, expected) in [
        (PERSON, "fix: leak in the cart", "regressed propose"),
        (BOT, "fix(deps): update image web to v1.1", "regressed revert"),
    ] {
        let stage = versions(&[]);
        let at = |version: &str| format!("image:\n  tag: {version}\n");
        // It ran too briefly to be gone back to.
        stage.write("apps/web/values.yaml", &at("v1.1"));
        let fix = stage.commit(-15, who, subject);
        stage.write("apps/web/values.yaml", &at("v2"));
        stage.commit(-12, BOT, "Deploy web v2");
        stage.push();
        let report = stage.pass(3);
        let bad = items(&report).find(|item| item["subject"] == "Deploy web v2").unwrap();
        assert_eq!(words(bad), expected, "{report:#}");
        let named = format!("the revert takes back what may be a fix: {} ({subject})", &fix[..10]);
        assert_eq!(text(bad, "plan").contains(&named), who == PERSON, "{bad:#}");
        stage.nothing_more();
    }
}
