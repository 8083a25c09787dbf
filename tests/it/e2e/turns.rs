//! Groups with an order: the services go back one after another, each by a commit of its own.

use serde_json::Value;

use super::stage::{BOT, Config, PERSON, Stage, item, items, path_of, text, values, words};

/// In the order in which they are deployed. `web` is the bad one of the namespace `one`.
const THREE: [&str; 3] = ["calm-1", "web", "calm-2"];

/// An environment with the group `shop`, whose services go back in the reverse of an order, with a wait of so many minutes.
fn ordered(wait: &str, environment: &str) -> Config {
    let mut config = Config::of("one");
    config.environments = format!("  production: {{branch: main, {environment}}}\n");
    config.services =
        "  - {pattern: \"apps/{service}/values.yaml\", labels: {namespace: one}, group: shop}\n".to_owned();
    config.run = format!("groups:\n  shop: {{order: [calm-1, web, calm-2], wait: {wait}}}\n");
    config
}

fn stage_of(wait: &str, environment: &str) -> Stage {
    Stage::configured("one", &THREE, &ordered(wait, environment))
}

/// The versions of the three, as they run.
#[track_caller]
fn run(stage: &Stage, tags: [&str; 3]) {
    for (service, tag) in THREE.iter().zip(tags) {
        assert_eq!(stage.file("main", service), values(service, tag), "{service}");
    }
}

fn message(stage: &Stage) -> String {
    stage.remote(&["log", "-1", "--format=%B", "main"])
}

/// Has another agent take over, which knows nothing but what is in the repository.
fn take_over(stage: &Stage) {
    drop(std::fs::remove_dir_all(stage.home.path().join("cache")));
}

/// What the guard `group` was told of the turn of a service.
fn turn<'r>(report: &'r Value, service: &str) -> &'r Value {
    let guards = item(report, service)["guards"].as_array().unwrap();
    let group = guards.iter().find(|guard| guard["guard"] == "group").unwrap();
    &group["facts"]["turn"]
}

#[track_caller]
fn budget_used(stage: &Stage) -> u64 {
    let status = stage.run(&["status", "--format", "json"]).ended(0).json();
    status[0]["budget"]["used"].as_u64().unwrap()
}

/// Anybody who may push can write the message of a revert. It makes the agent revert nothing.
#[test]
fn without_a_record_of_what_was_bad_nothing_follows() {
    let stage = stage_of("2m", "mode: auto");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    run(&stage, ["v2", "v2", "v1"]);
    // Somebody else says that it was because of a service of which nothing bad is known.
    stage.pull();
    let said = message(&stage).replace("Backout-Together-With: web\n", "Backout-Together-With: calm-1\n");
    stage.dated(-3, PERSON, &["commit", "-q", "--amend", "--reset-author", "-m", &said]);
    stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), "HEAD"]);
    let report = stage.pass(4);
    let why = text(item(&report, "web"), "why");
    assert!(why.contains("no record tells that calm-1 was bad"), "{why}");
    run(&stage, ["v2", "v2", "v1"]);
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
}

#[test]
fn three_services_go_back_one_after_another_whoever_goes_on() {
    let stage = stage_of("2m", "mode: auto, budget: {max_reverts: 1}");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    let report = stage.plan(0);
    assert!(
        text(item(&report, "calm-2"), "plan").contains("goes back one service after another"),
        "{report:#}"
    );
    assert_eq!(words(item(&report, "web")), "regressed wait", "{report:#}");

    let report = stage.pass(3);
    assert_eq!(text(item(&report, "calm-2"), "action"), "revert", "{report:#}");
    assert_eq!(words(item(&report, "web")), "regressed wait", "{report:#}");
    assert_eq!(turn(&report, "web")["after"], "calm-2");
    assert_eq!(text(item(&report, "calm-1"), "action"), "wait");
    assert_eq!(turn(&report, "calm-1")["after"], "web");
    run(&stage, ["v2", "v2", "v1"]);
    assert_eq!(stage.remote(&["rev-parse", "main^"]), bad, "one commit");
    let first = message(&stage);
    assert!(first.starts_with("Revert calm-2 in production: v2 → v1\n"), "{first}");
    assert!(
        first.contains("\nBackout-Together-With: web\nBackout-Then: web\nBackout-Then: calm-1\n"),
        "{first}"
    );
    assert!(!first.contains("Backout-Signal") && !first.contains("made things worse"), "{first}");
    assert_eq!(budget_used(&stage), 1);
    let history = stage.history();
    let of_web: Vec<&Value> = history.iter().filter(|one| one["service"] == "web").collect();
    assert_eq!(of_web.len(), 1, "the evidence is there before the first goes back: {history:#?}");
    assert_eq!(of_web[0]["decision"]["action"], "wait", "{history:#?}");

    // The wait is not over.
    let report = stage.nothing_more();
    assert_eq!(turn(&report, "web")["is_due"], Value::Null, "{report:#}");
    let told = stage.run(&["plan"]).stdout;
    assert!(told.contains("waits: it goes back after calm-2, which is back, and not before 20"), "{told}");
    assert!(told.contains("waits: it goes back after web, which is not back yet"), "{told}");
    let status = stage.run(&["status"]).ended(0).stdout;
    let waits = format!("  web {}: it goes back after calm-2, which is back, and not before 20", &bad[..10]);
    assert!(status.contains(&waits), "{status}");
    take_over(&stage);
    let tip = stage.tip();
    stage.pass(0);
    assert_eq!(stage.tip(), tip);

    stage.backdate(-3);
    take_over(&stage);
    let report = stage.pass(3);
    assert_eq!(text(item(&report, "web"), "action"), "revert", "{report:#}");
    run(&stage, ["v2", "v1", "v1"]);
    let second = message(&stage);
    assert!(second.contains("\nBackout-Then: calm-1\n") && !second.contains("Together-With"), "{second}");
    assert_eq!(budget_used(&stage), 1);
    stage.nothing_more();

    stage.backdate(-2);
    take_over(&stage);
    stage.pass(3);
    run(&stage, ["v1", "v1", "v1"]);
    let third = message(&stage);
    assert!(third.contains("\nBackout-Together-With: web\n") && !third.contains("Backout-Then"), "{third}");
    assert_eq!(budget_used(&stage), 1);
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "3");
    let status = stage.run(&["status", "--format", "json"]).json();
    for service in status[0]["services"].as_array().unwrap() {
        let quarantined = service["quarantine"].as_array().unwrap().len();
        assert_eq!(quarantined, usize::from(service["service"] == "web"), "{status:#}");
    }
    stage.nothing_more();
    let tip = stage.tip();
    take_over(&stage);
    stage.pass(0);
    assert_eq!(stage.tip(), tip);
}

/// The guards are asked about all of them before the first goes back: here one holds the last.
#[test]
fn nothing_is_begun_where_one_of_them_is_held() {
    let stage = stage_of("0s", "mode: auto");
    let own = "  - {name: calm-1, paths: [\"apps/calm-1/*\"], labels: {namespace: one}, group: shop, mode: observe}\n";
    let mut config = ordered("0s", "mode: auto");
    config.services.insert_str(0, own);
    stage.configure(&config);
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate", "{report:#}");
    assert!(text(item(&report, "web"), "why").contains("calm-1: mode observe"), "{report:#}");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// Without a wait all go back in one pass, still in the reverse of the order.
#[test]
fn without_a_wait_each_follows_at_once() {
    let stage = stage_of("0s", "mode: auto, budget: {max_reverts: 1}");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    run(&stage, ["v1", "v1", "v1"]);
    let subjects = stage.remote(&["log", "--reverse", "--format=%s", &format!("{bad}..main")]);
    let services: Vec<&str> = subjects.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(services, ["calm-2", "web", "calm-1"]);
    assert_eq!(budget_used(&stage), 1);
    stage.nothing_more();
}

/// Who has put one of them back by hand has done that part.
#[test]
fn what_a_person_puts_back_in_between_is_passed_over() {
    let stage = stage_of("10m", "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    stage.backdate(-11);
    let by_hand = stage.deploy_all(&["web"], "v1", -2, PERSON);
    stage.pass(3);
    run(&stage, ["v1", "v1", "v1"]);
    assert_eq!(stage.remote(&["rev-parse", "main^"]), by_hand);
    assert_eq!(stage.remote(&["diff", "--name-only", "main^", "main"]), path_of("calm-1"));
    stage.nothing_more();
}

/// What is back and is deployed again, and what still has to go back and is deployed again, is for a person.
#[test]
fn a_deployment_in_between_leaves_the_rest_to_a_person() {
    for (service, why) in [
        ("calm-2", "calm-2 again since it went back"),
        ("calm-1", "deployed it again since"),
        ("web", "deployed it again since"),
    ] {
        let stage = stage_of("10m", "mode: auto");
        stage.deploy_all(&THREE, "v2", -12, BOT);
        stage.pass(3);
        stage.backdate(-11);
        let again = stage.deploy_all(&[service], "v3", -2, PERSON);
        let report = stage.pass(4);
        let told = items(&report).any(|item| item["why"].as_str().is_some_and(|told| told.contains(why)));
        assert!(told, "{service}: {report:#}");
        assert_eq!(stage.tip(), again, "{service}");
        stage.nothing_more();
    }
}

#[test]
fn a_pause_in_between_stops_it_and_it_goes_on_afterwards() {
    let stage = stage_of("2m", "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    stage.backdate(-3);
    stage.run(&["pause", "--environment", "production", "--for", "2h", "--why", "a sale"]).ended(0);
    let tip = stage.tip();
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed hold", "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.run(&["resume", "--environment", "production"]).ended(0);
    stage.pass(3);
    run(&stage, ["v2", "v1", "v1"]);
}

/// A person decides once, about all of it.
#[test]
fn a_proposal_has_all_of_the_group() {
    let stage = stage_of("2m", "mode: propose");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{report:#}");
    let branch = format!("backout/production/web/{}", &bad[..10]);
    for service in THREE {
        assert_eq!(stage.file(&branch, service), values(service, "v1"), "{service}");
    }
    stage.nothing_more();
}

/// A freeze that begins in between: what is left is one proposal.
#[test]
fn what_is_left_when_a_freeze_begins_is_one_proposal() {
    let stage = stage_of("2m", "mode: auto");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    let tip = stage.backdate(-3);
    let freeze = "mode: auto, freeze: [{schedule: \"* * * * *\", duration: 1h, why: a sale}]";
    stage.configure(&ordered("2m", freeze));
    stage.pass(3);
    assert_eq!(stage.tip(), tip);
    let branch = format!("backout/production/web/{}", &bad[..10]);
    for service in THREE {
        assert_eq!(stage.file(&branch, service), values(service, "v1"), "{service}");
    }
    stage.nothing_more();
}

/// What was found healthy for good is not judged any more, and goes back in its turn all the same.
#[test]
fn a_service_that_was_found_healthy_has_its_turn_too() {
    let stage = Stage::with("one", &THREE);
    let with_mode = |mode: &str| {
        let mut config = ordered("2m", &format!("mode: {mode}"));
        config.policy.push_str("}\n  short: {settle: 60s, watch: 10m, baseline: 30m");
        let rule = |service: &str| {
            format!(
                "  - {{name: {service}, paths: [\"apps/{service}/*\"], labels: {{namespace: one}}, group: shop, policy: short}}\n"
            )
        };
        config.services.insert_str(0, &(rule("calm-1") + &rule("calm-2")));
        stage.configure(&config);
    };
    with_mode("observe");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "calm-2")), "healthy pass", "{report:#}");
    with_mode("auto");
    for (tags, minutes) in [(["v2", "v2", "v1"], -8), (["v2", "v1", "v1"], -5), (["v1", "v1", "v1"], -2)] {
        stage.pass(3);
        run(&stage, tags);
        stage.backdate(minutes);
    }
    stage.nothing_more();
}

/// All three are bad by one commit: one cause, and one entry of the budget. Each of them was bad itself.
#[test]
fn three_that_are_bad_go_back_one_after_another() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    let mut config = ordered("2m", "mode: auto, budget: {max_reverts: 1}");
    config.services = config.services.replace("namespace: one", "namespace: trio");
    config.run = "groups:\n  shop: {order: [web, jobs], wait: 2m}\n".to_owned();
    stage.configure(&config);
    let bad = stage.deploy_all(&services, "v2", -12, BOT);
    for (service, minutes) in [("api", -8), ("jobs", -5), ("web", -2)] {
        let report = stage.pass(3);
        assert_eq!(words(item(&report, service)), "regressed revert", "{report:#}");
        let message = message(&stage);
        assert!(message.starts_with(&format!("Revert {service} in production: ")), "{message}");
        assert!(message.contains("\nBackout-Signal: errors\n"), "each was bad: {message}");
        assert_eq!(budget_used(&stage), 1);
        stage.nothing_more();
        stage.backdate(minutes);
    }
    for service in services {
        assert_eq!(stage.file("main", service), values(service, "v1"), "{service}");
    }
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "3");
    stage.nothing_more();
}

/// Half of the group is a state that nobody tried: the rest follows although all signals are well by now. A message alone makes nothing go
/// back: without an order in the configuration nothing follows.
#[test]
fn the_rest_follows_though_all_is_well_and_only_where_the_configuration_has_an_order() {
    let stage = stage_of("2m", "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    let tip = stage.backdate(-3);
    let mut config = ordered("2m", "mode: auto");
    config.services = config.services.replace("namespace: one", "namespace: fine");
    stage.configure(&Config { run: String::new(), ..config.clone() });
    stage.pass(0);
    assert_eq!(stage.tip(), tip);
    assert!(!stage.run(&["status"]).ended(0).stdout.contains("goes back"));
    stage.configure(&config);
    stage.pass(3);
    run(&stage, ["v2", "v1", "v1"]);
    let message = message(&stage);
    assert!(message.contains("made things worse.") && message.contains("\nBackout-From: v2\n"), "{message}");
}
