//! What a service ran before: where a revert leads, what it takes along, and what is itself a way back.

mod fallback;
mod fallback_ways;
mod fallback_worlds;
mod known;
mod long_ago;
mod machines;
mod mixed;
mod returns;
mod reviews;
mod rollbacks;
mod stacked;
mod stacked_people;
mod targets;

use serde_json::Value;

use super::stage::{BOT, PERSON, POLICY, Stage, items, text, words};
use super::table::{Rules, commits_since, configure, errors, file, stage};

const VALUES: &str = "apps/checkout/values.yaml";
const SERVICES: &str = r#"[{pattern: "apps/{service}/**"}]"#;

/// The file of `checkout` at a version.
fn app(version: &str) -> String {
    format!("image:\n  repository: r.example/checkout\n  tag: {version}\nreplicas: 2\nport: 8080\n")
}

/// Minutes at which a bad deployment and the next one come, and the damage between them, so that the watch of the next one is
/// just over: it did not mend the damage.
const SECOND: i64 = -48;
const DAMAGE: i64 = -47;
const THIRD: i64 = -41;

/// A file of `checkout` with two images.
fn two(web: &str, worker: &str) -> String {
    format!("web:\n  image:\n    tag: {web}\nworker:\n  image:\n    tag: {worker}\n")
}

/// The usual rules.
fn rules() -> Rules<'static> {
    Rules::new(SERVICES)
}

/// `checkout` at v1 since three hours.
fn at_v1(rules: &Rules<'_>) -> Stage {
    stage(rules, &[(VALUES, &app("v1"))])
}

/// Somebody commits this text as the file of `checkout`.
fn write_as(stage: &Stage, text: &str, minutes: i64, who: &str, message: &str) -> String {
    stage.write(VALUES, text);
    let commit = stage.commit(minutes, who, message);
    stage.push();
    commit
}

/// Somebody deploys a version of `checkout`.
fn release_by(stage: &Stage, version: &str, minutes: i64, who: &str) -> String {
    write_as(stage, &app(version), minutes, who, &format!("Deploy {version}"))
}

/// A bot deploys a version of `checkout`.
fn release(stage: &Stage, version: &str, minutes: i64) -> String {
    release_by(stage, version, minutes, BOT)
}

/// `checkout` fails since this minute.
fn fails_since(stage: &Stage, minute: i64) {
    errors(stage, &[("checkout", &[(minute, 99)]), ("search", &[])]);
}

/// What the report says of the commit.
#[track_caller]
fn of<'r>(report: &'r Value, commit: &str) -> &'r Value {
    let mut found = items(report).filter(|item| item["deployment"] == commit);
    found.next().unwrap_or_else(|| panic!("nothing about {commit}: {report:#}"))
}

/// What was found out and decided about the commit, in two words, or `nothing` where the report is silent about it.
fn said(report: &Value, commit: &str) -> String {
    items(report).find(|item| item["deployment"] == commit).map_or_else(|| "nothing".to_owned(), words)
}

/// The message of the last commit on `main`.
fn message(stage: &Stage) -> String {
    stage.remote(&["log", "-1", "--format=%B", "main"])
}

/// The first ten characters of a commit's id.
fn short(commit: &str) -> &str {
    &commit[..10]
}

/// A pass makes one commit, after which the file has this text; a further pass does nothing.
#[track_caller]
fn is_reverted_to(stage: &Stage, bad: &str, text: &str) -> Value {
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(said(&report, bad), "regressed revert", "{report:#}");
    assert_eq!(file(stage, VALUES).unwrap(), text);
    assert_eq!(commits_since(stage, &tip), "1");
    stage.nothing_more();
    report
}

/// A pass leaves the deployment to a person, who is told why in these words, once.
#[track_caller]
fn is_left_to_a_person(stage: &Stage, bad: &str, why: &[&str]) -> Value {
    let tip = stage.tip();
    let report = stage.pass(4);
    assert_eq!(said(&report, bad), "regressed escalate", "{report:#}");
    let told = text(of(&report, bad), "why");
    assert!(why.iter().all(|part| told.contains(part)), "{told}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
    report
}

/// A pass prepares the revert for a person, once.
#[track_caller]
fn is_proposed(stage: &Stage, bad: &str) {
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(said(&report, bad), "regressed propose", "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

/// A pass finds that the deployment is bad, and changes nothing, as do further ones.
#[track_caller]
fn is_left_alone(stage: &Stage, bad: &str, words: &str) -> Value {
    let tip = stage.tip();
    let report = stage.pass(0);
    assert_eq!(said(&report, bad), words, "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
    report
}
