//! Whom the notes are believed: records of somebody who may push notes, and nothing else.

use backout::domain::history::ledger::rollback_id;
use backout::domain::ids::{EnvironmentName, ServiceName};

use super::stage::{BOT, Config, PERSON, Stage, item, text, values, words};
use super::table;

/// What an earlier version wrote about a healthy deployment.
const HEALTHY: &str = include_str!("../../../src/record/verdict/version_1.jsonl");

/// A verdict that says that a deployment of `web` is healthy, decided just now.
fn made_up(stage: &Stage, deployment: &str, decision: &str) -> String {
    let environment = EnvironmentName::new("production").unwrap();
    let id = rollback_id(&environment, &ServiceName::new("web").unwrap(), deployment.parse().unwrap());
    let mut record: serde_json::Value = serde_json::from_str(HEALTHY.lines().nth(1).unwrap()).unwrap();
    let at = jiff::Timestamp::from_second(stage.now() - 60).unwrap().to_string();
    for (key, value) in [("id", id.as_str()), ("deployment", deployment), ("service", "web"), ("at", &at)] {
        record[key] = value.into();
    }
    record["decision"] = serde_json::from_str(decision).unwrap();
    record.to_string()
}

fn note(stage: &Stage, deployment: &str, line: &str) {
    let who = ["-c", "user.name=mallory", "-c", "user.email=mallory@example.com"];
    let add = ["notes", "--ref=backout", "append", "-m", line, deployment];
    stage.remote(&[&who[..], &add].concat());
}

const PASS: &str = r#"{"action":"pass","why":"all is well"}"#;
const ESCALATE: &str = r#"{"action":"escalate","why":"a person was told"}"#;
const REVERT: &str = r#"{"action":"revert"}"#;

/// Puts a line in the place of all that is noted on a commit.
fn note_instead(stage: &Stage, deployment: &str, line: &serde_json::Value) {
    let refs = stage.remote(&["for-each-ref", "--format=%(refname)", "refs/notes"]);
    let who = ["-c", "user.name=mallory", "-c", "user.email=mallory@example.com"];
    let (line, month) = (line.to_string(), refs.lines().next().unwrap());
    let add = ["notes", "--ref", month, "add", "-f", "-m", &line, deployment];
    stage.remote(&[&who[..], &add].concat());
}

/// The answer of a guard.
#[track_caller]
fn guard<'a>(guards: &'a mut serde_json::Value, name: &str) -> &'a mut serde_json::Value {
    guards.as_array_mut().unwrap().iter_mut().find(|answer| answer["guard"] == name).unwrap()
}

#[test]
fn explain_asks_the_guards_again_and_says_where_a_record_does_not_follow() {
    let (stage, bad) = with_bad_deployment();
    let mut planned = stage.run(&["plan", "--format", "json"]).ended(0).json();
    let budget = guard(&mut planned["environments"][0]["items"][0]["guards"], "budget");
    assert_eq!(budget["facts"], serde_json::json!({"used": 0, "max_reverts": 3, "window_secs": 3_600}));
    stage.pass(3);
    let told = stage.run(&["explain", &bad]).ended(0).stdout;
    assert!(
        told.contains(
            "\n    budget: passed\n      max_reverts: 3\n      used: 0\n      window_secs: 3600\n    "
        ),
        "{told}"
    );
    assert!(told.contains("the guards, asked again with the recorded inputs: the same answers"), "{told}");
    let shown = stage.run(&["explain", &bad, "--format", "json"]).ended(0).json();
    let again = shown[0]["guards"].as_array().unwrap();
    assert!(again.len() > 10 && again.iter().all(|answer| answer["same"] == true), "{again:#?}");
    let [line] = &stage.note(&bad)[..] else { panic!("not one record") };
    let honest: serde_json::Value = serde_json::from_str(line).unwrap();
    let forged = |name: &str, key: &str, value: serde_json::Value| {
        let mut line = honest.clone();
        guard(&mut line["guards"], name)[key] = value;
        line
    };
    let escalated = serde_json::json!({"action": "escalate", "why": "a person was told"});
    let used_up = serde_json::json!({"used": 3, "max_reverts": 3, "window_secs": 3_600});
    let mut pending = forged("verdict", "decision", serde_json::json!({"action": "wait"}));
    guard(&mut pending["guards"], "verdict")["facts"]["verdict"] = "pending".into();
    for (line, expected) in [
        (forged("budget", "decision", escalated), "asked again with these facts: passed, NOT as recorded"),
        (
            forged("budget", "facts", used_up),
            "escalate: the budget of 3 reverts in 1 h is used up, NOT as recorded",
        ),
        (pending, "the guards were asked about another verdict"),
    ] {
        note_instead(&stage, &bad, &line);
        let told = stage.run(&["explain", &bad]).ended(1).stdout;
        assert!(told.contains(expected), "{told}");
        assert!(told.contains("derived again from the record: the same verdict"), "{told}");
    }
    // As earlier versions wrote it.
    let mut old = honest.clone();
    let names = old["guards"].as_array().unwrap().iter().map(|answer| answer["guard"].clone());
    old["guards"] = names.collect();
    note_instead(&stage, &bad, &old);
    let told = stage.run(&["explain", &bad]).ended(0).stdout;
    assert!(told.contains("the inputs of the guards were not recorded"), "{told}");
}

fn with_bad_deployment() -> (Stage, String) {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    (stage, bad)
}

#[test]
fn a_made_up_verdict_keeps_no_bad_deployment_from_being_reverted() {
    for decision in [PASS, ESCALATE, REVERT] {
        let (stage, bad) = with_bad_deployment();
        note(&stage, &bad, &made_up(&stage, &bad, decision));
        assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert", "{decision}");
        assert_eq!(stage.file("main", "web"), values("web", "v1"));
        stage.nothing_more();
    }
}

#[test]
fn quoted_trailers_neither_hide_a_release_nor_use_up_the_budget() {
    let stage = Stage::with("one", &["web"]);
    stage.configure(&Config {
        environments: "  production: {branch: main, mode: auto, budget: {max_reverts: 1}}\n".to_owned(),
        ..Config::of("one")
    });
    let first = stage.deploy("web", "v0", -200, PERSON);
    let environment = EnvironmentName::new("production").unwrap();
    let id = rollback_id(&environment, &ServiceName::new("web").unwrap(), first.parse().unwrap());
    let trailers = format!(
        "Backout-Id: {id}\nBackout-Service: web\nBackout-Environment: production\nBackout-Reverts: {first}\n\
         Backout-From: v0\nBackout-To: v1"
    );
    for minutes in [-30, -29, -28] {
        let message = format!("Revert web\n\n{trailers}");
        stage.dated(minutes, PERSON, &["commit", "-q", "--allow-empty", "-m", &message]);
    }
    stage.write("apps/web/values.yaml", &values("web", "v2"));
    stage.commit(-12, BOT, &format!("Deploy web v2, after what was reverted:\n\n{trailers}\n"));
    stage.push();
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v0"));
}

#[test]
fn trailers_that_look_true_hide_no_new_version() {
    let (nowhere, with) = ("1".repeat(40), format!("Backout-With: {}\n", "2".repeat(40)));
    let both = "Backout-From: v0\nBackout-To: v2";
    // What it names (the deployment of v0 where that is none), and the rest of the trailers.
    let ways = [
        (None, both.to_owned()),
        (Some(&nowhere), both.to_owned()),
        (None, "Backout-From: v0".to_owned()),
        (None, with + both),
    ];
    for (named, rest) in ways {
        let stage = Stage::with("one", &["web"]);
        let first = stage.deploy("web", "v0", -200, PERSON);
        let named = named.unwrap_or(&first);
        let environment = EnvironmentName::new("production").unwrap();
        let id = rollback_id(&environment, &ServiceName::new("web").unwrap(), named.parse().unwrap());
        stage.write("apps/web/values.yaml", &values("web", "v2"));
        let says = format!(
            "Revert web\n\nBackout-Id: {id}\nBackout-Service: web\nBackout-Environment: production\n\
             Backout-Reverts: {named}\n{rest}\n"
        );
        stage.commit(-12, BOT, &says);
        stage.push();
        assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert", "{says}");
        assert_eq!(stage.file("main", "web"), values("web", "v0"));
        stage.nothing_more();
    }
}

#[test]
fn with_a_key_only_what_it_proves_counts() {
    let (mut stage, bad) = with_bad_deployment();
    let run = |keys: &str| Config { run: format!("record: {{{keys}}}\n"), ..Config::of("one") };
    for (name, key) in [("OLD_KEY", "the key of last year"), ("NEW_KEY", "the key of this year")] {
        stage.variables.push((name.to_owned(), key.to_owned()));
    }
    stage.configure(&run("key: {env: OLD_KEY}"));
    note(&stage, &bad, &made_up(&stage, &bad, ESCALATE));
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    let signed: Vec<String> = stage.note(&bad);
    assert!(signed.iter().any(|line| line.contains(",\"mac\":\"")), "{signed:?}");
    stage.nothing_more();
    let told = stage.run(&["history"]).ended(0).stdout;
    assert!(told.contains(" NOT OURS: no key in `record` proves this record"), "{told}");
    assert!(told.contains("add that key to `record.old_keys`"), "{told}");
    assert!(told.contains("regressed, revert"), "{told}");
    // With the next key the records of before are known by the old one.
    stage.configure(&run("key: {env: NEW_KEY}, old_keys: [{env: OLD_KEY}]"));
    stage.nothing_more();
    let shown = stage.history();
    let kinds: Vec<&str> = shown.iter().map(|one| text(one, "kind")).collect();
    assert_eq!(kinds, ["not-ours", "verdict"]);
    stage.configure(&run("key: {env: NEW_KEY}"));
    let kinds: Vec<String> = stage.history().iter().map(|one| text(one, "kind").to_owned()).collect();
    assert!(!kinds.contains(&"verdict".to_owned()), "{kinds:?}");
    let checked = stage.run(&["check"]).stdout;
    assert!(checked.contains("a key proves which of them are the agent's own"), "{checked}");
    stage.configure(&Config::of("one"));
    let checked = stage.run(&["check"]).stdout;
    assert!(checked.contains("set `record.key`"), "{checked}");
    stage.variables.push(("SHORT".to_owned(), "short".to_owned()));
    stage.configure(&run("key: {env: SHORT}"));
    let refused = stage.run(&["check"]).ended(1).stderr;
    assert!(refused.contains("the key has 5 bytes: take at least 16"), "{refused}");
}

#[test]
fn a_revert_that_was_forced_away_is_told_once_and_the_deployment_is_open_again() {
    let (stage, bad) = with_bad_deployment();
    stage.pass(3);
    let gone = stage.tip();
    stage.remote(&["update-ref", "refs/heads/main", &bad]);
    // On another parent the next revert is another commit, whatever the second.
    stage.write("README.md", "Services\n");
    stage.commit(-1, PERSON, "Say what is here");
    stage.push();
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    let told = &report["environments"][0]["recoveries"][0];
    assert_eq!((text(told, "outcome"), text(told, "revert")), ("gone", gone.as_str()));
    assert!(text(told, "reason").contains("rewrote the history of main"), "{told:#}");
    assert_ne!(stage.tip(), bad);
    stage.nothing_more();
    let (explained, gone) = (stage.run(&["explain", &bad]).ended(0).stdout, &gone[..10]);
    assert!(explained.contains(&format!("the revert {gone} is GONE from the branch")), "{explained}");
}

/// Takes the newest commit off `main`, and puts another one there: the next revert is another commit, whatever the second.
fn force_away(stage: &Stage, until: &str, minutes: i64) {
    stage.remote(&["update-ref", "refs/heads/main", until]);
    stage.git(&["reset", "-q", "--hard", until]);
    stage.write("README.md", &format!("Services, {minutes}\n"));
    stage.commit(minutes, PERSON, "Say what is here");
    stage.push();
}

/// Each time is told and written down once. After the second the agent does not fight on.
#[test]
fn a_revert_that_is_forced_away_twice_is_told_twice_and_not_made_a_third_time() {
    let (stage, bad) = with_bad_deployment();
    stage.pass(3);
    for (minutes, decided) in [(-2, "regressed revert"), (-1, "regressed escalate")] {
        let gone = stage.tip();
        force_away(&stage, &bad, minutes);
        let report = stage.pass(4);
        assert_eq!(words(item(&report, "web")), decided, "{report:#}");
        let told = &report["environments"][0]["recoveries"][0];
        assert_eq!((text(told, "outcome"), text(told, "revert")), ("gone", gone.as_str()));
        stage.nothing_more();
        stage.nothing_more();
    }
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    let history = stage.history();
    let reverts = history.iter().filter(|one| one["revert"].is_string() && text(one, "kind") == "verdict");
    assert!(reverts.count() >= 2, "each revert is in the record: {history:#?}");
    let gone = history.iter().filter(|one| one["outcome"] == "gone").count();
    assert_eq!(gone, 2, "{history:#?}");
}

/// What was taken off the branch was made all the same.
#[test]
fn reverts_that_were_forced_away_count_for_the_budget() {
    let (stage, bad) = with_bad_deployment();
    stage.configure(&Config {
        environments: "  production: {branch: main, mode: auto, budget: {max_reverts: 1}}\n".to_owned(),
        ..Config::of("one")
    });
    stage.pass(3);
    force_away(&stage, &bad, -1);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate", "{report:#}");
    assert!(text(item(&report, "web"), "why").contains("the budget of 1 revert"), "{report:#}");
    let status = stage.run(&["status", "--format", "json"]).ended(0).json();
    assert_eq!(status[0]["budget"]["used"], 1, "{status:#}");
    stage.nothing_more();
}

/// Its watch window then shows mostly the time under the revert: that is no proof that it is healthy.
#[test]
fn a_revert_that_was_forced_away_late_leaves_no_bad_deployment_healthy() {
    for more in ["", "record: {key: {env: RECORD_KEY}}"] {
        let rules = table::Rules {
            policy: "settle: 60s, watch: 30m, baseline: 30m",
            more,
            ..table::Rules::new(r#"[{pattern: "apps/{service}/**"}]"#)
        };
        let (path, tag) = ("apps/web/values.yaml", |tag: &str| format!("image:\n  tag: {tag}\n"));
        let mut stage = table::stage(&rules, &[(path, &tag("v1"))]);
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has, 32 bytes".to_owned()));
        let bad = table::deploy(&stage, &[(path, &tag("v2"))], -32);
        table::errors(&stage, &[("web", &[(-31, 99)])]);
        stage.pass(3);
        // As if the revert had been made in time: the errors have ended with it.
        table::errors(&stage, &[("web", &[(-31, -28)])]);
        force_away(&stage, &bad, -1);
        let report = stage.pass(4);
        assert!(words(item(&report, "web")).ends_with(" escalate"), "{report:#}");
        assert!(text(item(&report, "web"), "why").contains("what was bad runs again"), "{report:#}");
        stage.nothing_more();
        stage.nothing_more();
    }
}

#[test]
fn what_follows_a_revert_that_was_forced_away_is_told_once() {
    for (mode, told) in [("observe", "regressed hold"), ("propose", "regressed propose")] {
        let (stage, bad) = with_bad_deployment();
        stage.pass(3);
        stage.configure(&Config {
            environments: format!("  production: {{branch: main, mode: {mode}}}\n"),
            ..Config::of("one")
        });
        force_away(&stage, &bad, -1);
        let report = stage.pass(4);
        assert_eq!(words(item(&report, "web")), told, "{report:#}");
        stage.nothing_more();
        stage.nothing_more();
    }
}

#[test]
fn a_made_up_revert_is_not_told_to_be_gone() {
    let (stage, bad) = with_bad_deployment();
    let mut record: serde_json::Value = serde_json::from_str(&made_up(&stage, &bad, REVERT)).unwrap();
    record["revert"] = "f".repeat(40).into();
    note(&stage, &bad, &record.to_string());
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    assert_eq!(report["environments"][0]["recoveries"], serde_json::json!([]), "{report:#}");
    stage.nothing_more();
}
