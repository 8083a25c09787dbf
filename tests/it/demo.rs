//! `backout demo` as a user runs it, looked at with the real `git`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::prometheus::program;

/// Runs the demo in this directory. A proxy that does not exist must not come between the agent and this machine.
fn demo(directory: &Path, arguments: &[&str]) -> Output {
    let directory = directory.to_str().unwrap();
    backout(&[&["demo", "--directory", directory], arguments].concat())
}

#[expect(clippy::disallowed_methods, reason = "the test starts the program as a user does")]
fn backout(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_backout"))
        .args(arguments)
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9")
        .env_remove("HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = program("git")
        .arg("--git-dir")
        .arg(directory.join("environment.git"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines that a commit took away and put in, by file.
fn changed_lines(directory: &Path, commit: &str) -> Vec<String> {
    let diff = git(directory, &["show", "--format=", "--unified=0", "--no-color", commit]);
    let wanted = |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("---");
    diff.lines().filter(wanted).map(str::to_owned).collect()
}

#[test]
fn the_demo_reverts_what_is_bad_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let output = demo(directory.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains('\u{1b}'), "colours without a terminal:\n{text}");
    assert!(text.lines().count() < 100, "too long to read:\n{text}");

    check_reverts(directory.path());
    check_the_rest(directory.path());
    check_commands(directory.path(), &text);
    check_notes(directory.path());
}

/// The agent's commits take back the lines of the bad versions and no others.
fn check_reverts(dir: &Path) {
    let log = git(dir, &["log", "--format=%H %an|%s", "--reverse", "main"]);
    let by_agent: Vec<(&str, &str)> = log.lines().filter_map(|line| line.split_once(" backout|")).collect();
    let subjects: Vec<&str> = by_agent.iter().map(|(_, subject)| *subject).collect();
    assert_eq!(
        subjects,
        [
            "Revert checkout in production: 2.15.0 → 2.14.3",
            "Revert catalog in production: v3.9.0 → v3.8.1",
            "Revert search in production: 0.42.0 → 0.41.2",
        ]
    );
    let expected: [[&str; 3]; 3] = [
        [
            "+++ b/apps/checkout/values.yaml",
            "-  tag: \"2.15.0\"   # quoted on purpose: 2.10 is not 2.1",
            "+  tag: \"2.14.3\"   # quoted on purpose: 2.10 is not 2.1",
        ],
        [
            "+++ b/apps/catalog/kustomization.yaml",
            "-    newTag: v3.9.0 # {\"$imagepolicy\": \"flux-system:catalog:tag\"}",
            "+    newTag: v3.8.1 # {\"$imagepolicy\": \"flux-system:catalog:tag\"}",
        ],
        [
            "+++ b/apps/search/application.yaml",
            "-          tag: 0.42.0         # see CHANGELOG before a bump",
            "+          tag: 0.41.2         # see CHANGELOG before a bump",
        ],
    ];
    for ((commit, _), lines) in by_agent.iter().zip(expected) {
        assert_eq!(changed_lines(dir, commit), lines);
    }
}

/// What people and bots committed stands: the other deployments, and the scaling beside the bad version.
fn check_the_rest(dir: &Path) {
    let lines_of = |path: &str| git(dir, &["show", &format!("main:apps/{path}")]);
    assert!(lines_of("search/application.yaml").contains("replicas: 5"));
    for (path, image) in [
        ("orders", "orders:1.8.1"),
        ("mailer", "mailer:0.9.3"),
        ("profile", "profile:6.2.1"),
        ("reviews", "reviews:2.1.0"),
        ("cart", "cart:5.3.0"),
    ] {
        assert!(lines_of(&format!("{path}/deployment.yaml")).contains(image), "{path}");
    }
    assert!(lines_of("payments/release.yaml").contains("tag: 4.2.0 # {\"$imagepolicy\""));
    git(dir, &["fsck", "--strict"]);
}

/// What the demo tells its user to run afterwards works.
fn check_commands(dir: &Path, text: &str) {
    let config = dir.join("backout.yaml");
    let config = config.to_str().unwrap();
    let after = text.lines().filter_map(|line| line.trim().strip_prefix("backout --config "));
    let after: Vec<Vec<&str>> = after.map(|line| line.split(' ').collect()).collect();
    assert_eq!(after.len(), 2, "{text}");
    for words in after {
        assert_eq!(Path::new(words[0]).canonicalize().unwrap(), Path::new(config).canonicalize().unwrap());
        let output = backout(&[&["--config", config], &words[1..]].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("checkout"), "{words:?}: {said}");
    }
}

/// Each judged deployment has a note; those of reverted ones say how it ended.
fn check_notes(dir: &Path) {
    let noted = git(dir, &["log", "--notes=backout-*", "--format=%N", "main"]);
    let records: Vec<Value> = noted
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let judged: BTreeSet<&str> =
        records.iter().filter_map(|record| record.pointer("/deployment")?.as_str()).collect();
    assert_eq!(judged.len(), 9, "{records:?}");
    let count = |path: &str, value: &str| {
        records.iter().filter(|record| record.pointer(path).is_some_and(|found| found == value)).count()
    };
    assert_eq!(count("/outcome", "recovered"), 3);
    assert_eq!(count("/decision/action", "escalate"), 1);
    assert_eq!(count("/decision/action", "revert"), 3);
    // The record of a revert says what the guards said before it, not that it is done already.
    for record in records.iter().filter(|record| record["decision"]["action"] == "revert") {
        let guards = record["guards"].as_array().unwrap();
        assert!(guards.len() > 10 && guards.iter().all(|guard| guard["decision"].is_null()), "{guards:?}");
    }
}

#[test]
fn the_demo_tells_the_same_story_each_time() {
    let runs: Vec<Vec<Value>> = (0..2)
        .map(|_| {
            let directory = tempfile::tempdir().unwrap();
            let output = demo(directory.path(), &["--format", "json"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            events
                .map(|mut event| {
                    // Only the directory and the port differ.
                    event["directory"].take();
                    event["metrics"].take();
                    event
                })
                .collect()
        })
        .collect();
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0].last().unwrap()["event"], "finished");
    assert_eq!(runs[0].last().unwrap()["counts"]["reverted"], 3);
}

#[test]
fn the_demo_refuses_a_directory_that_is_not_empty() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("precious"), "x").unwrap();
    let output = demo(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not empty"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
