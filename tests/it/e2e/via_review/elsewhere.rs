//! What is known of a version from another environment of the repository. The environments are called like the namespaces of their metrics:
//! in `one` the service is bad since eleven minutes, and in `fine` it is well.

use serde_json::Value;

use super::Setting;
use crate::e2e::stage::{BOT, ERRORS, Stage, values, words};
use crate::support::eventually;
use crate::support::forge::{Face, SimForge, Status, TOKEN};
use crate::support::registry::Registry;

const WATCH: &str = "watch: 20m";

pub(super) fn path(environment: &str) -> String {
    format!("apps/{environment}/web/values.yaml")
}

fn configure(stage: &Stage, forge: &SimForge, watch: &str, policy: &str) {
    configure_with(stage, forge, (watch, policy), "");
}

fn configure_with(stage: &Stage, forge: &SimForge, (watch, policy): (&str, &str), more: &str) {
    let mut config = Setting::default().config(Face::GitHub, forge);
    config.environments =
        "  fine: {branch: main, mode: auto}\n  one: {branch: main, mode: auto}\n".to_owned();
    config.signals = ERRORS.replace("{{ namespace }}", "{{ environment }}");
    config.services = "  - {pattern: \"apps/{environment}/{service}/values.yaml\"}\n".to_owned();
    config.policy = format!("settle: 60s, {watch}, baseline: 30m{policy}");
    config.run += more;
    stage.configure(&config);
}

/// Both environments at v1, and v2 deployed in `one`, where it does harm.
fn scene(policy: &str) -> (Stage, SimForge, String) {
    let (stage, forge) = calm(policy);
    let bad = deploy(&stage, "one", "v2", -12);
    (stage, forge, bad)
}

/// Both environments at v1.
fn calm(policy: &str) -> (Stage, SimForge) {
    begun(policy, &values("web", "v1"))
}

/// Both environments with this file.
fn begun(policy: &str, text: &str) -> (Stage, SimForge) {
    let mut stage = Stage::on_path();
    for environment in ["fine", "one"] {
        stage.write(&path(environment), text);
    }
    stage.commit(-180, BOT, "Set the shop up");
    stage.push();
    let forge = SimForge::start(Face::GitHub, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    configure(&stage, &forge, WATCH, policy);
    (stage, forge)
}

fn deploy(stage: &Stage, environment: &str, tag: &str, minutes: i64) -> String {
    deploy_file(stage, environment, &values("web", tag), minutes)
}

fn deploy_file(stage: &Stage, environment: &str, text: &str, minutes: i64) -> String {
    stage.write(&path(environment), text);
    let commit = stage.commit(minutes, BOT, &format!("Deploy web in {environment}"));
    stage.push();
    commit
}

/// Somebody opens a pull request with a version for an environment. Returns its head.
fn offer(stage: &Stage, forge: &SimForge, environment: &str, tag: &str) -> String {
    offer_file(stage, forge, environment, (tag, &values("web", tag)))
}

fn offer_file(stage: &Stage, forge: &SimForge, environment: &str, (name, text): (&str, &str)) -> String {
    stage.git(&["checkout", "-q", "--detach", "main"]);
    stage.write(&path(environment), text);
    let head = stage.commit(-1, BOT, &format!("Promote web {name}"));
    let branch = format!("promote/{environment}-{name}");
    stage.git(&["push", "-q", stage.bare.to_str().unwrap(), &format!("HEAD:refs/heads/{branch}")]);
    stage.git(&["checkout", "-q", "main"]);
    forge.state().open_by("dana", &branch, "main");
    head
}

pub(super) fn said(forge: &SimForge, commit: &str, context: &str) -> Vec<Status> {
    let state = forge.state();
    let all = state.statuses.get(commit).into_iter().flatten();
    all.filter(|status| status.context == context).cloned().collect()
}

/// What a report says of the service in an environment.
pub(super) fn item<'r>(report: &'r Value, environment: &str) -> &'r Value {
    let mut all = report["environments"].as_array().unwrap().iter();
    let of = all.find(|one| one["environment"] == environment).unwrap();
    of["items"].as_array().unwrap().first().unwrap_or_else(|| panic!("nothing of {environment}: {report:#}"))
}

#[test]
fn a_pull_request_that_brings_what_was_bad_elsewhere_is_told_so_and_fails_where_the_policy_says() {
    let (stage, forge, bad) = scene("");
    stage.pass(3);
    stage.pull();
    let revert = stage.tip();
    let promoted = offer(&stage, &forge, "fine", "v2");
    let newer = offer(&stage, &forge, "fine", "v3");
    stage.pass(0);
    let shown = said(&forge, &promoted, "backout/elsewhere/fine");
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].state, "success");
    let text = &shown[0].description;
    assert!(text.starts_with("web: known as bad from one, where errors got worse on 20"), "{text}");
    assert!(text.contains(&bad[..10]) && text.contains(&revert[..10]), "{text}");
    let state = forge.state().statuses.clone();
    assert!(!state.contains_key(&newer), "{state:?}");
    assert!(said(&forge, &promoted, "backout/quarantine/fine").is_empty(), "nothing was reverted there");
    forge.fates(|_, _| crate::support::forge::Fate::Go);
    stage.nothing_more();
    assert_eq!(forge.writes(), [""; 0]);
    configure(&stage, &forge, WATCH, ", elsewhere: block");
    stage.pass(0);
    let states: Vec<String> =
        said(&forge, &promoted, "backout/elsewhere/fine").into_iter().map(|one| one.state).collect();
    assert_eq!(states, ["success", "failure"]);
    // Where it is forgotten, it is taken back.
    configure(&stage, &forge, WATCH, ", elsewhere: block, quarantine: 1s");
    let last = || {
        stage.pass(0);
        said(&forge, &promoted, "backout/elsewhere/fine").pop().unwrap()
    };
    assert!(eventually(|| last().state == "success"), "a second is over");
    let last = last();
    assert_eq!(
        (last.state.as_str(), last.description.as_str()),
        ("success", "nothing comes that is known as bad from another environment")
    );
}

#[test]
fn what_is_deployed_all_the_same_is_watched_and_not_reverted_by_it_alone() {
    for policy in ["", ", elsewhere: block"] {
        let (stage, forge, bad) = scene(policy);
        stage.pass(3);
        stage.pull();
        // It is still watched, and then it is well.
        let young = deploy(&stage, "fine", "v2", -5);
        let report = stage.pass(0);
        let of_fine = item(&report, "fine");
        assert_eq!(words(of_fine), "pending wait", "{of_fine:#}");
        let known = &of_fine["elsewhere"][0];
        assert_eq!(
            (&known["became"], &known["deployment"]),
            (&Value::from("bad"), &Value::from(bad.as_str()))
        );
        assert_eq!(known["artifact"], "registry.example.com/shop/web:v2");
        assert_eq!(known["signals"], serde_json::json!(["errors"]));
        let shown = said(&forge, &young, "backout/elsewhere/fine");
        assert_eq!(shown.len(), 1, "{shown:?}");
        assert_eq!(shown[0].state, if policy.is_empty() { "success" } else { "failure" });
        let text = stage.run(&["plan"]).ended(0).stdout;
        assert!(text.contains("known as bad from one, where errors got worse"), "{text}");
        let older = deploy(&stage, "fine", "v1", -4);
        let back = deploy(&stage, "fine", "v2", -3);
        stage.pass(0);
        assert_eq!(stage.remote(&["rev-parse", "main"]), back, "nothing was pushed after {older}");
    }
}

#[test]
fn what_is_known_is_recorded() {
    let (stage, forge, bad) = scene("");
    stage.pass(3);
    stage.backdate(-10);
    let well = deploy(&stage, "fine", "v2", -9);
    configure(&stage, &forge, "watch: 6m", "");
    assert_eq!(words(item(&stage.pass(0), "fine")), "healthy pass");
    let record = stage.history().into_iter().rfind(|record| record["environment"] == "fine").unwrap();
    assert_eq!(record["elsewhere"][0]["became"], "bad", "{record:#}");
    assert_eq!(record["elsewhere"][0]["deployment"], Value::from(bad));
    assert_eq!(record["artifacts"]["brought"], serde_json::json!(["registry.example.com/shop/web:v2"]));
    assert_eq!(said(&forge, &well, "backout/elsewhere/fine").len(), 1);
}

#[test]
fn what_ran_well_elsewhere_proves_nothing_and_is_shown() {
    let (stage, forge) = calm("");
    deploy(&stage, "fine", "v2", -30);
    assert_eq!(words(item(&stage.pass(0), "fine")), "healthy pass");
    let bad = deploy(&stage, "one", "v2", -12);
    let report = stage.pass(3);
    let of_one = item(&report, "one");
    assert_eq!(words(of_one), "regressed revert", "it is judged like any other: {of_one:#}");
    assert_eq!(of_one["elsewhere"][0]["became"], "healthy", "{of_one:#}");
    assert!(said(&forge, &bad, "backout/elsewhere/one").is_empty(), "no status praises it");
}

#[test]
fn a_tag_that_was_moved_is_not_what_was_bad_elsewhere() {
    let registry = Registry::start();
    let file = |tag: &str| format!("image:\n  repository: {}/shop/web\n  tag: {tag}\n", registry.host());
    for tag in ["v1", "v2"] {
        registry.push(&format!("shop/web:{tag}"), &[]);
    }
    let (stage, forge) = begun("", &file("v1"));
    let listed = format!("registries: [{{host: \"{}\", plain_http: true, timeout: 5s}}]\n", registry.host());
    configure_with(&stage, &forge, (WATCH, ""), &listed);
    deploy_file(&stage, "one", &file("v2"), -12);
    stage.pass(3);
    stage.pull();
    let same = offer_file(&stage, &forge, "fine", ("same", &file("v2")));
    stage.pass(0);
    assert_eq!(said(&forge, &same, "backout/elsewhere/fine").len(), 1);
    registry.push("shop/web:v2", &[("built", "again")]);
    let moved = offer_file(&stage, &forge, "fine", ("moved", &file("v2")));
    stage.pass(0);
    assert!(said(&forge, &moved, "backout/elsewhere/fine").is_empty());
    let corrected = said(&forge, &same, "backout/elsewhere/fine");
    assert_eq!(corrected.len(), 2, "{corrected:?}");
    assert!(corrected[1].description.starts_with("nothing comes that is known as bad"), "{corrected:?}");
}

#[test]
fn it_is_known_on_the_branch_of_another_environment_too() {
    let (stage, forge, _) = scene("");
    stage.remote(&["branch", "live", "main~1"]);
    let file = stage.home.path().join("backout.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    stage.write_config(&text.replace("fine: {branch: main", "fine: {branch: live"));
    stage.pass(3);
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), "live"]);
    stage.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
    stage.write(&path("fine"), &values("web", "v2"));
    let head = stage.commit(-1, BOT, "Promote web");
    stage.git(&["push", "-q", stage.bare.to_str().unwrap(), "HEAD:refs/heads/promote"]);
    forge.state().open_by("dana", "promote", "live");
    stage.pass(0);
    assert_eq!(said(&forge, &head, "backout/elsewhere/fine").len(), 1);
    assert!(said(&forge, &head, "backout/elsewhere/one").is_empty());
}
