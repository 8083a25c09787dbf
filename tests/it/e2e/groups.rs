//! Services of a group: what one commit deployed of them goes back together, or not at all.

use serde_json::{Value, json};

use super::stage::{BOT, Config, PERSON, Stage, item, items, text, values, words};
use crate::support::git::notes_refs;

const THREE: [&str; 3] = ["calm-1", "calm-2", "web"];

/// The services of a namespace, all in one group, in an environment with these keys.
fn grouped(namespace: &str, environment: &str) -> Config {
    let mut config = Config::of(namespace);
    config.environments = format!("  production: {{branch: main, {environment}}}\n");
    config.services = format!(
        "  - {{pattern: \"apps/{{service}}/values.yaml\", labels: {{namespace: {namespace}}}, group: shop}}\n"
    );
    config
}

fn stage_of(namespace: &str, services: &[&str], environment: &str) -> Stage {
    Stage::configured(namespace, services, &grouped(namespace, environment))
}

#[track_caller]
fn run_all(stage: &Stage, services: &[&str], tag: &str) {
    for service in services {
        assert_eq!(stage.file("main", service), values(service, tag), "{service}");
    }
}

/// The blocks of the agent's trailers in the message of the newest commit.
fn blocks(stage: &Stage) -> Vec<String> {
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    message.split("\n\n").filter(|part| part.starts_with("Backout-Id: ")).map(str::to_owned).collect()
}

#[track_caller]
fn is_left_to_a_person(stage: &Stage, bad: &str, why: &str) {
    let told = stage.run(&["plan"]).stdout;
    let report = stage.pass(4);
    let web = item(&report, "web");
    assert_eq!(words(web), "regressed escalate", "{web:#}");
    assert!(text(web, "why").contains(why), "{web:#}");
    // Who makes a revert by hand that was planned makes it of all services in it.
    let commands = told.matches("to do that by hand").count();
    let with_all =
        told.matches("to do that by hand, with all that the commit deployed: backout revert").count();
    let plan = web["plan"].as_str();
    assert_eq!(commands, usize::from(plan.is_some()), "{told}");
    assert_eq!(with_all, usize::from(plan.is_some_and(|plan| plan.contains("\nwith "))), "{told}");
    assert_eq!(stage.tip(), bad, "nothing goes back");
    assert!(!stage.refs().contains("refs/heads/backout/"), "{}", stage.refs());
    stage.nothing_more();
}

#[test]
fn a_group_of_three_goes_back_by_one_commit_with_a_block_for_each() {
    let stage = stage_of("one", &THREE, "mode: auto, budget: {max_reverts: 2}");
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    let plan = stage.plan(0);
    let told = text(item(&plan, "web"), "plan").to_owned();
    assert!(told.starts_with(&format!("revert {} of web in production\n", &bad[..10])), "{told}");
    assert!(
        told.contains("\nwith calm-1, of the same group shop\n  apps/calm-1/values.yaml: image.tag: "),
        "{told}"
    );
    assert!(told.contains("\nwith calm-2, of the same group shop\n"), "{told}");
    let guards = item(&plan, "web")["guards"].as_array().unwrap();
    let group = guards.iter().find(|guard| guard["guard"] == "group").unwrap();
    let members = json!([{"service": "calm-1"}, {"service": "calm-2"}]);
    assert_eq!(group, &json!({"guard": "group", "facts": {"group": "shop", "members": members}}));

    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    for calm in ["calm-1", "calm-2"] {
        let calm = item(&report, calm);
        assert_eq!((text(calm, "action"), &calm["revert"]), ("pass", &json!(stage.tip())), "{calm:#}");
    }
    run_all(&stage, &THREE, "v1");
    assert_eq!(stage.remote(&["rev-parse", "main^"]), bad, "one commit");
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("Revert web and 2 more of shop in production: v2 → v1\n"), "{message}");
    assert!(message.contains("\ncalm-1 was not found bad and goes back with it:\n"), "{message}");
    let blocks = blocks(&stage);
    let of = |service: &str| {
        let line = format!("\nBackout-Service: {service}\n");
        blocks.iter().find(|block| block.contains(&line)).unwrap_or_else(|| panic!("{service}: {message}"))
    };
    assert!(blocks[0].contains("\nBackout-Service: web\n"), "the bad one stands first: {message}");
    assert!(blocks[0].contains("\nBackout-Signal: errors\n") && !blocks[0].contains("Together"), "{message}");
    for calm in ["calm-1", "calm-2"] {
        let block = of(calm);
        assert!(block.contains("\nBackout-Together-With: web\n"), "{block}");
        assert!(block.contains(&format!("\nBackout-Reverts: {bad}\n")), "{block}");
        assert!(block.contains("\nBackout-From: v2\nBackout-To: v1\n"), "{block}");
        assert!(!block.contains("Backout-Signal"), "{block}");
    }
    assert_eq!(blocks.len(), 3, "{message}");
    stage.nothing_more();
    let history = stage.history();
    let reverted: Vec<&Value> = history.iter().filter(|one| one["revert"] == json!(stage.tip())).collect();
    assert_eq!(reverted.len(), 3, "{history:#?}");
}

/// A service that only went back with another one is not in quarantine: with a mended partner it may come again.
#[test]
fn what_was_not_bad_itself_may_come_again() {
    let stage = stage_of("one", &THREE, "mode: auto");
    stage.deploy_all(&THREE, "v2", -14, BOT);
    stage.pass(3);
    stage.backdate(-9);
    let status = stage.run(&["status", "--format", "json"]).json();
    for service in status[0]["services"].as_array().unwrap() {
        let quarantined = service["quarantine"].as_array().unwrap().len();
        assert_eq!(quarantined, usize::from(service["service"] == "web"), "{status:#}");
    }
    stage.deploy_all(&["calm-1"], "v2", -6, BOT);
    let plan = stage.plan(0);
    assert_eq!(text(item(&plan, "calm-1"), "action"), "wait", "{plan:#}");
    assert_eq!(item(&plan, "calm-1")["put_back"], Value::Null);
}

/// All three are bad by one commit: one cause, one revert, one entry of the budget. It is no incident either.
#[test]
fn three_that_are_bad_go_back_by_one_revert() {
    let services = ["api", "jobs", "web"];
    let stage = stage_of("trio", &services, "mode: auto, budget: {max_reverts: 1}");
    let bad = stage.deploy_all(&services, "v2", -12, BOT);
    let plan = stage.plan(0);
    assert_eq!(words(item(&plan, "api")), "regressed revert", "{plan:#}");
    for other in ["jobs", "web"] {
        let other = item(&plan, other);
        assert_eq!(words(other), "regressed hold");
        assert_eq!(text(other, "why"), "it goes back with api, of the same group shop");
    }
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "regressed revert", "{report:#}");
    for other in ["jobs", "web"] {
        assert_eq!(item(&report, other)["revert"], json!(stage.tip()));
    }
    run_all(&stage, &services, "v1");
    assert_eq!(stage.remote(&["rev-parse", "main^"]), bad);
    let blocks = blocks(&stage);
    assert_eq!(blocks.len(), 3);
    assert!(
        blocks.iter().all(|block| block.contains("\nBackout-Signal: errors")),
        "each was bad: {blocks:?}"
    );
    stage.nothing_more();
    let status = stage.run(&["status", "--format", "json"]).ended(0).json();
    assert_eq!(status[0]["budget"]["used"], 1, "{status:#}");
}

/// Killed after the push, before the notes: the next agent finds each service taken back, and makes nothing more.
#[test]
fn an_agent_that_is_cut_off_after_the_push_made_the_same_commit() {
    let stage = stage_of("one", &THREE, "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    stage.pass(3);
    let (tip, made) = (stage.tip(), blocks(&stage));
    for notes in notes_refs(&stage.bare) {
        stage.remote(&["update-ref", "-d", &notes]);
    }
    let report = stage.pass(0);
    assert_eq!(stage.tip(), tip);
    for service in THREE {
        let one = item(&report, service);
        assert_eq!((text(one, "action"), &one["revert"]), ("pass", &json!(tip)), "{one:#}");
    }
    // Another one that comes before the push makes the same ids.
    let ids = |blocks: &[String]| -> Vec<String> {
        blocks.iter().map(|block| block.lines().next().unwrap().to_owned()).collect()
    };
    stage.git(&["push", "-q", "--force", stage.bare.to_str().unwrap(), "HEAD:main"]);
    drop(std::fs::remove_dir_all(stage.home.path().join("cache")));
    for notes in notes_refs(&stage.bare) {
        stage.remote(&["update-ref", "-d", &notes]);
    }
    stage.pass(3);
    assert_eq!(ids(&blocks(&stage)), ids(&made));
    run_all(&stage, &THREE, "v1");
}

#[test]
fn one_that_is_held_holds_the_whole_group() {
    let schema = |stage: &Stage| {
        stage.write("apps/calm-1/migrations/7.sql", "alter table carts drop column old;\n");
    };
    let stage = stage_of("one", &THREE, "mode: auto");
    let mut config = grouped("one", "mode: auto");
    config.services =
        "  - {pattern: \"apps/{service}/**\", labels: {namespace: one}, group: shop}\n".to_owned();
    stage.configure(&config);
    schema(&stage);
    let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
    is_left_to_a_person(
        &stage,
        &bad,
        "the commit deployed 3 services of the group shop, which go back together or not at all. calm-1: ",
    );
}

#[test]
fn a_later_deployment_on_one_of_them_needs_a_person() {
    let stage = stage_of("one", &THREE, "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    let later = stage.deploy_all(&["calm-2"], "v3", -5, BOT);
    is_left_to_a_person(&stage, &later, &format!("calm-2: {} deployed it again since", &later[..10]));
}

#[test]
fn the_mode_or_a_pause_of_one_of_them_holds_the_group() {
    for (mode, wanted) in [("observe", "calm-1: mode observe"), ("auto", "calm-1: paused")] {
        let stage = Stage::with("one", &THREE);
        let mut config = grouped("one", "mode: auto");
        let one = format!(
            "  - {{name: calm-1, paths: [\"apps/calm-1/*\"], labels: {{namespace: one}}, group: shop, mode: {mode}}}\n"
        );
        config.services.insert_str(0, &one);
        stage.configure(&config);
        let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
        if mode == "auto" {
            let pause = [
                "pause",
                "--environment",
                "production",
                "--service",
                "calm-1",
                "--for",
                "2h",
                "--why",
                "a sale",
            ];
            stage.run(&pause).ended(0);
        }
        let report = stage.pass(4);
        let web = item(&report, "web");
        assert_eq!(words(web), "regressed escalate", "{web:#}");
        assert!(text(web, "why").contains(wanted), "{web:#}");
        assert_eq!(stage.tip(), bad);
    }
}

/// Who has put one of them back by hand has done that part.
#[test]
fn what_a_person_has_put_back_is_left_as_it_is() {
    let stage = stage_of("one", &THREE, "mode: auto");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    let by_hand = stage.deploy_all(&["calm-1"], "v1", -4, PERSON);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    run_all(&stage, &THREE, "v1");
    assert_eq!(stage.remote(&["rev-parse", "main^"]), by_hand);
    assert_eq!(
        stage.remote(&["diff", "--name-only", "main^", "main"]),
        "apps/calm-2/values.yaml\napps/web/values.yaml"
    );
    assert_eq!(blocks(&stage).len(), 2);
    stage.nothing_more();
}

#[test]
fn a_proposal_has_all_of_the_group_on_one_branch() {
    for (mode, one) in [("propose", ""), ("auto", "propose")] {
        let stage = Stage::with("one", &THREE);
        let mut config = grouped("one", &format!("mode: {mode}"));
        if !one.is_empty() {
            let own = "  - {name: calm-1, paths: [\"apps/calm-1/*\"], labels: {namespace: one}, group: shop, mode: propose}\n";
            config.services.insert_str(0, own);
        }
        stage.configure(&config);
        let bad = stage.deploy_all(&THREE, "v2", -12, BOT);
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed propose", "{mode}: {report:#}");
        assert_eq!(stage.tip(), bad);
        let branch = format!("backout/production/web/{}", &bad[..10]);
        let heads = stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads/backout"]);
        assert_eq!(heads, branch, "one branch for all");
        for service in THREE {
            assert_eq!(stage.file(&branch, service), values(service, "v1"), "{mode}: {service}");
        }
        stage.nothing_more();
        // Merged by a person, it counts for each of them.
        stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
        stage.dated(-1, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
        stage.push();
        run_all(&stage, &THREE, "v1");
        let report = stage.pass(0);
        assert_eq!(item(&report, "calm-1")["revert"], json!(stage.tip()), "{report:#}");
        stage.nothing_more();
    }
}

/// Another commit has deployed one of the group a minute before: without it and with that the shop has not run.
#[test]
fn a_state_that_the_group_has_not_run_is_only_proposed() {
    let stage = stage_of("one", &THREE, "mode: auto");
    let other = stage.deploy_all(&["calm-1"], "v2", -13, BOT);
    let bad = stage.deploy_all(&["web"], "v2", -12, BOT);
    let report = stage.pass(3);
    let web = item(&report, "web");
    assert_eq!(words(web), "regressed propose", "{web:#}");
    let doubt = format!("{} deployed calm-1 of the group shop", &other[..10]);
    assert!(text(web, "plan").contains(&doubt), "{web:#}");
    assert_eq!(stage.tip(), bad);
    let branch = format!("backout/production/web/{}", &bad[..10]);
    assert_eq!(stage.file(&branch, "calm-1"), values("calm-1", "v2"), "only what its own commit deployed");
    stage.nothing_more();
}

/// Services of other groups, and of none, are no concern of a group.
#[test]
fn another_group_in_the_same_commit_stays() {
    let stage = Stage::on_path();
    let path = |system: &str, service: &str| format!("apps/{system}/{service}.yaml");
    let all = [("shop", "web"), ("shop", "calm-1"), ("blog", "calm-2")];
    let set = |tag: &str, minutes: i64| {
        for (system, service) in all {
            stage.write(&path(system, service), &values(service, tag));
        }
        let commit = stage.commit(minutes, BOT, tag);
        stage.push();
        commit
    };
    set("v1", -180);
    let mut config = Config::of("one");
    config.services = "  - {pattern: \"apps/{system}/{service}.yaml\", name: \"{{ service }}\", \
                       labels: {namespace: one}, group: \"{{ system }}\"}\n"
        .to_owned();
    stage.configure(&config);
    set("v2", -12);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    let now = |system: &str, service: &str| {
        stage.remote(&["show", &format!("main:{}", path(system, service))]) + "\n"
    };
    assert_eq!(now("shop", "web"), values("web", "v1"));
    assert_eq!(now("shop", "calm-1"), values("calm-1", "v1"));
    assert_eq!(now("blog", "calm-2"), values("calm-2", "v2"));
    stage.nothing_more();
}

/// Several services of a group in one file, of which somebody has changed another line since.
#[test]
fn services_of_one_file_go_back_together() {
    let stage = Stage::on_path();
    let file = |web: &str, calm: &str, replicas: u8| {
        format!("web:\n  tag: {web}\n  replicas: {replicas}\ncalm-1:\n  tag: {calm}\ncalm-2:\n  tag: v1\n")
    };
    let set = |text: &str, minutes: i64, who: &str| {
        stage.write("versions.yaml", text);
        let commit = stage.commit(minutes, who, "Deploy");
        stage.push();
        commit
    };
    set(&file("v1", "v1", 3), -180, PERSON);
    let mut config = Config::of("one");
    config.services =
        "  - {paths: [versions.yaml], each: \"{service}\", labels: {namespace: one}, group: shop}\n"
            .to_owned();
    stage.configure(&config);
    set(&file("v2", "v2", 3), -12, BOT);
    set(&file("v2", "v2", 5), -3, PERSON);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    assert_eq!(stage.remote(&["show", "main:versions.yaml"]) + "\n", file("v1", "v1", 5));
    assert_eq!(blocks(&stage).len(), 2);
    stage.nothing_more();
}

/// A bot that puts a whole group back is answered as one that puts a single service back.
#[test]
fn a_bot_that_brings_a_group_back_is_reverted_again_but_not_for_ever() {
    let services = ["calm-1", "web"];
    let stage = Stage::with("again", &services);
    let mut config = grouped("again", "mode: auto");
    config.policy = "settle: 60s, watch: 1h, baseline: 15m".to_owned();
    stage.configure(&config);
    stage.deploy_all(&services, "v2", -41, BOT);
    stage.pass(3);
    stage.backdate(-29);
    stage.deploy_all(&services, "v2", -12, BOT);
    let report = stage.pass(3);
    let web = items(&report).find(|item| item["revert"] == json!(stage.tip()) && item["service"] == "web");
    assert_eq!(words(web.unwrap()), "regressed revert", "{report:#}");
    run_all(&stage, &services, "v1");
    stage.backdate(-25);
    let third = stage.deploy_all(&services, "v2", -12, BOT);
    let told = stage.pass(4).to_string();
    assert!(told.contains("the automation renovate[bot] keeps putting back"), "{told}");
    assert_eq!(stage.tip(), third);
}

/// The services of a group in mode propose. What is not among the fast ones is not judged for 35 minutes.
fn judged_soon(services: &[&str], fast: &[&str]) -> Config {
    let mut config = grouped("trio", "mode: propose");
    config.policy.push_str("}\n  slow: {settle: 35m, watch: 40m, baseline: 30m");
    let rule = |service: &&str| {
        let policy = if fast.contains(service) { "default" } else { "slow" };
        format!(
            "  - {{name: {service}, paths: [\"apps/{service}/*\"], labels: {{namespace: trio}}, group: shop, policy: {policy}}}\n"
        )
    };
    config.services = services.iter().map(rule).collect();
    config
}

/// Others of the group turn out bad when the revert waits already: no second one is prepared.
#[test]
fn what_turns_out_bad_later_has_no_revert_of_its_own() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    let pass = |fast: &[&str]| {
        stage.configure(&judged_soon(&services, fast));
        stage.run(&["run", "--once", "--format", "json"]).json()
    };
    let bad = stage.deploy_all(&services, "v2", -12, BOT);
    let report = pass(&["web"]);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{report:#}");
    assert_eq!(words(item(&report, "api")), "pending wait", "{report:#}");
    let branches = || stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads/backout"]);
    let branch = format!("backout/production/web/{}", &bad[..10]);
    assert_eq!(branches(), branch);
    let report = pass(&services);
    for other in ["api", "jobs"] {
        assert_eq!(text(item(&report, other), "why"), "it goes back with web, of the same group shop");
    }
    assert_eq!(branches(), branch);
    stage.nothing_more();
}

/// The same where the service whose revert waits does not look bad any more.
#[test]
fn a_revert_that_waits_is_that_of_all_of_its_services() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    let bad = stage.deploy_all(&services, "v2", -12, BOT);
    stage.configure(&judged_soon(&services, &["web"]));
    stage.pass(3);
    stage.configure(&judged_soon(&services, &["api"]));
    let report = stage.run(&["run", "--once", "--format", "json"]).json();
    let branch = format!("backout/production/web/{}", &bad[..10]);
    let api = item(&report, "api");
    assert_eq!(words(api), "regressed pass", "{api:#}");
    assert_eq!(
        text(api, "why"),
        format!("it goes back with web, of the same group, which waits on {branch}")
    );
    let branches = stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads/backout"]);
    assert_eq!(branches, branch);
}

/// In mode observe nobody is called, and when the mode allows it the group goes back.
#[test]
fn a_group_that_was_left_alone_by_the_mode_goes_back_when_the_mode_allows_it() {
    let stage = stage_of("one", &THREE, "mode: observe");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    assert_eq!(words(item(&stage.pass(0), "web")), "regressed hold");
    stage.nothing_more();
    stage.configure(&grouped("one", "mode: auto"));
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    run_all(&stage, &THREE, "v1");
}

/// What was found healthy for good goes back all the same, and the log says with what.
#[test]
fn a_service_that_was_found_healthy_goes_back_too() {
    let stage = Stage::with("one", &THREE);
    let with_mode = |mode: &str| {
        let mut config = grouped("one", &format!("mode: {mode}"));
        config.policy.push_str("}\n  short: {settle: 60s, watch: 10m, baseline: 30m");
        let rule = "  - {name: calm-1, paths: [\"apps/calm-1/*\"], labels: {namespace: one}, group: shop, policy: short}\n";
        config.services.insert_str(0, rule);
        stage.configure(&config);
    };
    with_mode("observe");
    stage.deploy_all(&THREE, "v2", -12, BOT);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "calm-1")), "healthy pass", "{report:#}");
    with_mode("auto");
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    run_all(&stage, &THREE, "v1");
    stage.nothing_more();
    let log = stage.run(&["history", "--service", "calm-1"]).ended(0).stdout;
    let told = log.lines().filter(|line| line.contains("it went back with web, of the same group")).count();
    assert_eq!((told, log.lines().count()), (1, 2), "{log}");
}

/// A group of a pattern that finds a whole company is nothing for a machine.
#[test]
fn more_than_twenty_services_are_left_to_a_person() {
    let many: Vec<String> = (0..20).map(|number| format!("svc-{number:02}")).collect();
    let services: Vec<&str> = many.iter().map(String::as_str).chain(["web"]).collect();
    let stage = stage_of("one", &services, "mode: auto");
    let bad = stage.deploy_all(&services, "v2", -12, BOT);
    assert_eq!(item(&stage.plan(4), "web")["plan"], Value::Null, "no half of a plan");
    is_left_to_a_person(&stage, &bad, "the commit deployed more than 20 services of the group shop");
}
