//! In which order reverts are made that are due in one pass: who depends on others goes back before them.

use serde_json::Value;

use super::evidence::{Row, good, stage};
use super::stage::{BOT, Config, PERSON, Stage, item, path_of, text, values, words};

const SIGNAL: &str = r#"query: 'errors{service="{{ service }}"}'"#;

/// Fails since 14 minutes.
fn early(minute: i64) -> f64 {
    if minute >= -14 { 0.3 } else { good(minute) }
}

/// Fails since 6 minutes.
fn late(minute: i64) -> f64 {
    if minute >= -6 { 0.3 } else { good(minute) }
}

/// A repository in which `cart` was deployed and turned bad first, and then `web`. Each of these keys is added to the rule of its service.
fn two_bad(web: &str, cart: &str, more: &str) -> Stage {
    let rule = |name: &str, keys: &str| format!("  - {{name: {name}, paths: [\"apps/{name}/*\"]{keys}}}\n");
    let rules = rule("web", web) + &rule("cart", cart) + more;
    let rows: [Row; 2] = [("errors", "web,", late), ("errors", "cart,", early)];
    let stage = stage(&["web", "cart"], SIGNAL, &rules, &rows);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("watch: 20m", "watch: 40m")).unwrap();
    stage.deploy("cart", "v2", -16, BOT);
    stage.deploy("web", "v2", -8, BOT);
    stage
}

/// The services that the agent has reverted since the last deployment, in the order of the commits.
fn reverted(stage: &Stage, since: &str) -> Vec<String> {
    let subjects = stage.remote(&["log", "--reverse", "--format=%s", &format!("{since}..main")]);
    subjects.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn who_depends_on_another_one_goes_back_before_it() {
    let through = "  - {name: pay, paths: [\"apps/pay/*\"], depends_on: [cart]}\n";
    for (web, cart, more, expected) in [
        ("", "", "", ["cart", "web"]),
        (", depends_on: [cart]", "", "", ["web", "cart"]),
        ("", ", depends_on: [web]", "", ["cart", "web"]),
        (", depends_on: [pay]", "", through, ["web", "cart"]),
        (", depends_on: [pay]", "", "", ["cart", "web"]),
        // A circle has no order, and holds nothing.
        (", depends_on: [cart]", ", depends_on: [web]", "", ["cart", "web"]),
    ] {
        let stage = two_bad(web, cart, more);
        let tip = stage.tip();
        let report = stage.pass(3);
        for service in ["web", "cart"] {
            assert_eq!(words(item(&report, service)), "regressed revert", "{report:#}");
            assert_eq!(stage.file("main", service), values(service, "v1"), "{service}");
        }
        assert_eq!(reverted(&stage, &tip), expected, "{web} {cart} {more}");
        let last = path_of(expected[1]);
        assert_eq!(stage.remote(&["diff", "--name-only", "main^", "main"]), last);
        stage.nothing_more();
    }
}

/// What cannot go back keeps nothing from going back.
#[test]
fn who_stays_holds_nothing_on_which_it_depends() {
    let stage = two_bad(", depends_on: [cart], mode: observe", "", "");
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "cart")), "regressed revert", "{report:#}");
    assert_eq!(reverted(&stage, &tip), ["cart"]);
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    stage.nothing_more();
}

/// What one commit deploys of the groups `front` and `back`. The first one of each goes back first. `web` and `api` are bad.
const FOUR: [&str; 4] = ["calm-1", "web", "calm-2", "api"];

/// A repository in which one commit has deployed two groups, each with one bad service that cannot have harmed the other group. After each
/// service of `front` the agent waits so long. The two that go back first are given what they depend on.
fn two_groups(wait: &str, policy: &str, (calm_1, calm_2): (&str, &str)) -> (Stage, String) {
    let mut config = Config::of("trio");
    config.environments = "  production: {branch: main, mode: auto, dependencies: complete}\n".to_owned();
    config.policy = config.policy.replace("watch: 40m", policy);
    let rule = |name: &str, group: &str, calls: &str| {
        format!(
            "  - {{name: {name}, paths: [\"apps/{name}/*\"], labels: {{namespace: trio}}, group: {group}, depends_on: [{calls}]}}\n"
        )
    };
    config.services = rule("calm-1", "front", calm_1)
        + &rule("web", "front", "")
        + &rule("calm-2", "back", calm_2)
        + &rule("api", "back", "");
    config.run = format!(
        "groups:\n  front: {{order: [web, calm-1], wait: {wait}}}\n  back: {{order: [api, calm-2], wait: 0s}}\n"
    );
    let stage = Stage::configured("trio", &FOUR, &config);
    let commit = stage.deploy_all(&FOUR, "v2", -12, BOT);
    (stage, commit)
}

const FRONT_CALLS: (&str, &str) = ("calm-2", "");

/// Which group a service waits for, as its guard was told.
fn behind<'r>(report: &'r Value, service: &str) -> &'r Value {
    let guards = item(report, service)["guards"].as_array().unwrap();
    let group = guards.iter().find(|guard| guard["guard"] == "group").unwrap();
    &group["facts"]["turn"]["behind"]
}

#[test]
fn of_two_groups_that_goes_first_which_depends_on_the_other() {
    for (calls, expected) in [
        (FRONT_CALLS, ["calm-1", "web", "calm-2", "api"]),
        (("", "calm-1"), ["calm-2", "api", "calm-1", "web"]),
        // In the middle of the group.
        (("api", ""), ["calm-1", "web", "calm-2", "api"]),
        (("", "web"), ["calm-2", "api", "calm-1", "web"]),
    ] {
        let (stage, commit) = two_groups("0s", "watch: 40m", calls);
        stage.pass(3);
        assert_eq!(reverted(&stage, &commit), expected, "{calls:?}");
        stage.nothing_more();
    }
    // A circle holds neither.
    let (stage, commit) = two_groups("0s", "watch: 40m", ("calm-2", "calm-1"));
    stage.pass(3);
    assert_eq!(reverted(&stage, &commit).len(), 4);
    stage.nothing_more();
}

#[test]
fn a_group_begins_when_that_which_depends_on_it_is_back() {
    let (stage, commit) = two_groups("2m", "watch: 40m", FRONT_CALLS);
    let told = stage.run(&["plan"]).stdout;
    let waits = "waits: it goes back after the group front, which depends on this one: ";
    assert!(
        told.contains(waits) && told.contains("waits: it goes back after calm-2, which is not"),
        "{told}"
    );
    let report = stage.pass(3);
    assert_eq!(reverted(&stage, &commit), ["calm-1"]);
    assert_eq!(text(item(&report, "calm-2"), "action"), "wait", "{report:#}");
    assert_eq!(behind(&report, "calm-2"), "front", "{report:#}");
    assert_eq!(behind(&report, "api"), &Value::Null, "it waits for calm-2");
    let report = stage.nothing_more();
    assert_eq!(behind(&report, "calm-2"), "front", "{report:#}");

    stage.backdate(-3);
    stage.pass(3);
    assert_eq!(reverted(&stage, &commit), FOUR);
    for service in FOUR {
        assert_eq!(stage.file("main", service), values(service, "v1"), "{service}");
    }
    stage.nothing_more();
}

/// Where nothing depends on it, a group waits for no other one.
#[test]
fn a_group_on_which_no_other_depends_does_not_wait() {
    for calls in [("", ""), ("", "calm-1"), ("calm-2", "calm-1")] {
        let (stage, commit) = two_groups("2m", "watch: 40m", calls);
        stage.pass(3);
        let mut back = reverted(&stage, &commit);
        back.sort_unstable();
        assert_eq!(back, ["api", "calm-1", "calm-2"], "{calls:?}");
        stage.nothing_more();
    }
}

/// A group with which the agent cannot go on holds no other one.
#[test]
fn a_group_that_is_paused_or_deployed_again_ends_the_wait() {
    let (stage, commit) = two_groups("10m", "watch: 40m", FRONT_CALLS);
    stage.pass(3);
    stage
        .run(&["pause", "--environment", "production", "--service", "web", "--for", "2h", "--why", "a sale"])
        .ended(0);
    stage.backdate(-11);
    stage.pass(3);
    assert_eq!(reverted(&stage, &commit), ["calm-1", "calm-2", "api"]);
    stage.nothing_more();
    stage.run(&["resume", "--environment", "production", "--service", "web"]).ended(0);
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));

    let (stage, _) = two_groups("10m", "watch: 40m", FRONT_CALLS);
    stage.pass(3);
    stage.backdate(-3);
    let again = stage.deploy("web", "v3", -2, PERSON);
    stage.pass(4);
    assert_eq!(reverted(&stage, &again), ["calm-2", "api"]);
    stage.nothing_more();
}

/// Later the agent would revert it no more.
#[test]
fn the_end_of_its_watch_window_ends_the_wait() {
    let (stage, commit) = two_groups("1h", "watch: 11m", FRONT_CALLS);
    stage.pass(3);
    assert_eq!(reverted(&stage, &commit), ["calm-1", "calm-2", "api"]);
    stage.nothing_more();
}
