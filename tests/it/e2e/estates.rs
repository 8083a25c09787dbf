//! Several repositories in one process: each is worked on by itself, whatever becomes of the others.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::daemon::{ended, terminate};
use super::stage::{BOT, Config, Stage, item, values, words};
use crate::support::eventually;

/// A server that takes connections and never answers; it counts them.
struct Silent {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Silent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/shop.git", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    // Until the other side hangs up.
                    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
                });
            }
        });
        Self { url, connections }
    }
}

/// The services of one repository that answers, beside one that hangs and one that refuses.
fn configure(stage: &Stage, silent: &Silent, timeout: &str) {
    let refused = "http://127.0.0.1:1/refused.git";
    let config = Config {
        environments:
            "  a: {repository: answers, branch: main, mode: auto}\n  b: {repository: hangs, branch: main}\n  \
                       c: {repository: refuses, branch: main}\n"
                .to_owned(),
        run: "run: {interval: 1s}\n".to_owned(),
        ..Config::of("one")
    };
    let cache = stage.home.path().join("cache");
    let of = |url: &str| format!("{{url: \"{url}\", cache: \"{}\", timeout: {timeout}}}", cache.display());
    let repositories = format!(
        "repositories:\n  answers: {}\n  hangs: {}\n  refuses: {}\n",
        of(stage.bare.to_str().unwrap()),
        of(&silent.url),
        of(refused)
    );
    stage.write_config(&config.text_with(&repositories, stage.metrics_url()));
}

fn environment<'r>(report: &'r Value, name: &str) -> &'r Value {
    let all = report["environments"].as_array().unwrap();
    all.iter().find(|one| one["environment"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"))
}

#[test]
fn one_that_hangs_and_one_that_refuses_hold_up_no_other_in_a_pass() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let silent = Silent::start();
    configure(&stage, &silent, "2s");
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert_eq!(environment(&report, "a")["problems"], serde_json::json!([]));
    for (name, words) in [("b", "cannot reach"), ("c", "cannot reach")] {
        let problems = environment(&report, name)["problems"].to_string();
        assert!(problems.contains(words), "{name}: {problems}");
        assert_eq!(environment(&report, name)["items"], serde_json::json!([]), "{name}");
    }
    assert!(silent.connections.load(Ordering::SeqCst) > 0, "nobody asked the server that hangs");
}

#[test]
fn the_daemon_goes_on_with_one_while_another_hangs() {
    let stage = Stage::with("one", &["web"]);
    let silent = Silent::start();
    // Longer than this test may take.
    configure(&stage, &silent, "10m");
    let daemon: Child =
        stage.program(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = eventually(|| silent.connections.load(Ordering::SeqCst) > 0);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let reverted = eventually(|| stage.remote(&["rev-list", "--count", &format!("{bad}..main")]) == "1");
    terminate(&daemon);
    let output = ended(daemon);
    assert!(waits && reverted, "{output:?}");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("repository=refuses"), "the one that refuses is not named: {log}");
}

#[test]
fn more_that_hang_than_there_are_passes_at_once_keep_no_other_from_its_turn() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let silent = Silent::start();
    let mut environments = "  z: {repository: z-answers, branch: main, mode: auto}\n".to_owned();
    let cache = stage.home.path().join("cache");
    let of = |url: &str| format!("{{url: \"{url}\", cache: \"{}\", timeout: 1s}}", cache.display());
    let mut repositories = format!("repositories:\n  z-answers: {}\n", of(stage.bare.to_str().unwrap()));
    for number in 0..20 {
        environments.push_str(&format!("  a-{number}: {{repository: a-{number}, branch: main}}\n"));
        repositories
            .push_str(&format!("  a-{number}: {}\n", of(&silent.url.replace("shop", &number.to_string()))));
    }
    let config = Config { environments, ..Config::of("one") };
    stage.write_config(&config.text_with(&repositories, stage.metrics_url()));
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
    let hang = (0..20)
        .filter(|number| environment(&report, &format!("a-{number}"))["problems"] != serde_json::json!([]));
    assert_eq!(hang.count(), 20);
}

#[test]
fn a_directory_that_is_no_repository_holds_up_no_other() {
    let stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let config = Config {
        environments:
            "  a: {repository: there, branch: main, mode: auto}\n  b: {repository: gone, branch: main}\n"
                .to_owned(),
        ..Config::of("one")
    };
    let gone = stage.home.path().join("gone");
    let repositories = format!(
        "repositories:\n  there: {{url: {}}}\n  gone: {{url: {}}}\n",
        stage.bare.display(),
        Path::new(&gone).display()
    );
    stage.write_config(&config.text_with(&repositories, stage.metrics_url()));
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert!(environment(&report, "b")["problems"].to_string().contains("no Git repository"));
    // The audit log is read from what is there, and says what is not.
    let history = stage.run(&["history"]);
    assert!(history.stderr.contains("no Git repository"), "{history:?}");
}

#[test]
fn a_revert_without_its_environment_is_refused_while_a_repository_cannot_be_read() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let silent = Silent::start();
    configure(&stage, &silent, "1s");
    let before = stage.refs();
    let refused = stage.run(&["revert", "web"]).ended(1);
    assert!(refused.stderr.contains("--environment"), "{refused:?}");
    assert_eq!(stage.refs(), before);
    stage.run(&["revert", "web", "--environment", "a"]).ended(3);
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
}

/// Two environments on one branch, each with its own folder.
fn two_on_a_branch(stage: &Stage) {
    let config = Config {
        environments: "  development: {branch: main, mode: observe, paths: [\"dev/**\"]}\n  \
                       production: {branch: main, mode: auto, paths: [\"apps/**\"]}\n"
            .to_owned(),
        services: "  - {pattern: \"*/{service}/**\", labels: {namespace: one}}\n".to_owned(),
        ..Config::of("one")
    };
    stage.configure(&config);
}

#[test]
fn a_tree_that_cannot_be_read_in_one_environment_holds_up_no_other_on_the_branch() {
    let stage = Stage::with("one", &["web"]);
    two_on_a_branch(&stage);
    stage.write(&format!("dev/{}deep.yaml", "d/".repeat(140)), "tag: v1\n");
    stage.commit(-20, BOT, "Nest something too deep");
    stage.push();
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
    assert_ne!(environment(&report, "development")["problems"], serde_json::json!([]));
    assert_eq!(environment(&report, "production")["problems"], serde_json::json!([]));
}

#[test]
fn a_person_reverts_in_one_environment_whatever_the_other_on_the_branch_holds() {
    let stage = Stage::with("one", &["web"]);
    two_on_a_branch(&stage);
    stage.write(&format!("dev/{}deep.yaml", "d/".repeat(140)), "tag: v1\n");
    stage.commit(-20, BOT, "Nest something too deep");
    stage.push();
    stage.deploy("web", "v2", -12, BOT);
    stage.run(&["revert", "web", "--environment", "production"]).ended(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
}
