//! Pauses from a file on the branch.

use backout::domain::time::Time;

use crate::e2e::stage::{BOT, PERSON, Stage, item, text, values, words};
use crate::support::git::git;

#[test]
fn a_file_on_the_branch_pauses_and_a_broken_one_pauses_all() {
    let stage = Stage::with("pair", &["api", "web"]);
    let until = Time::from_unix(stage.now() + 86_400);
    let commit = |minutes: i64, text: &str| {
        stage.write(".backout/pause.yaml", text);
        stage.commit(minutes, PERSON, "Pause");
        stage.push();
    };
    commit(
        -19,
        &format!(
            "- {{service: api, until: {until}, why: a test}}\n- {{environment: other, until: {until}, why: x}}\n"
        ),
    );
    stage.deploy("api", "v2", -18, BOT);
    let report = stage.pass(1);
    let problems = report["environments"][0]["problems"].to_string();
    assert!(problems.contains("names the environment other, which is not on this branch"), "{problems}");
    assert_eq!(words(item(&report, "api")), "regressed hold");
    let why = format!("paused until {until} by .backout/pause.yaml on main: a test");
    assert_eq!(text(item(&report, "api"), "why"), why);
    // Nobody knows what was meant: nothing is done, and the line is told.
    commit(-13, "- service: api\n  until: soon\n  why: a test\n");
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(1);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    let problems = report["environments"][0]["problems"].to_string();
    assert!(problems.contains(".backout/pause.yaml, line 2: `until: soon` is no time"), "{problems}");
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    // It is mended.
    commit(-11, "[]\n");
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert_eq!(stage.file("main", "api"), values("api", "v1"));
    stage.nothing_more();
}

/// What stands in the place of the file.
#[derive(Clone, Copy, Debug)]
enum InPlace {
    Link,
    LinkAbove,
    Directory,
    Submodule,
}

#[test]
fn what_is_no_plain_file_counts_as_a_pause() {
    for kind in [InPlace::Link, InPlace::LinkAbove, InPlace::Directory, InPlace::Submodule] {
        let stage = Stage::with("one", &["web"]);
        let until = Time::from_unix(stage.now() + 86_400);
        let entry = format!("- {{until: {until}, why: a move}}\n");
        let people = stage.clone_of_people();
        std::fs::create_dir_all(people.join("ops")).unwrap();
        match kind {
            InPlace::Link => {
                stage.write("ops/pause.yaml", &entry);
                std::fs::create_dir_all(people.join(".backout")).unwrap();
                std::os::unix::fs::symlink("../ops/pause.yaml", people.join(".backout/pause.yaml")).unwrap();
            }
            InPlace::LinkAbove => {
                stage.write("ops/pause.yaml", &entry);
                std::os::unix::fs::symlink("ops", people.join(".backout")).unwrap();
            }
            InPlace::Directory => stage.write(".backout/pause.yaml/web.yaml", &entry),
            InPlace::Submodule => {
                let module = people.join(".backout/pause.yaml");
                std::fs::create_dir_all(&module).unwrap();
                git(&module, &["init", "-q"]);
                let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
                let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
                git(&module, &[&who[..], &commit].concat());
            }
        }
        stage.commit(-13, PERSON, "Pause");
        stage.push();
        let bad = stage.deploy("web", "v2", -12, BOT);
        let report = stage.pass(1);
        assert_eq!(words(item(&report, "web")), "regressed hold", "{kind:?}");
        assert!(
            text(item(&report, "web"), "why").starts_with("paused until a person has mended it"),
            "{kind:?}"
        );
        let problems = report["environments"][0]["problems"].to_string();
        assert!(problems.contains("make it a plain file, or remove it"), "{kind:?}: {problems}");
        let checked = stage.run(&["check"]).stdout;
        assert!(checked.contains("make it a plain file"), "{kind:?}: {checked}");
        assert_eq!(stage.tip(), bad, "{kind:?}");
    }
}

#[test]
fn an_entry_that_names_what_is_not_there_is_told() {
    let stage = Stage::with("pair", &["api", "web"]);
    let until = Time::from_unix(stage.now() + 86_400);
    let past = Time::from_unix(stage.now() - 60);
    let commit = |text: &str| {
        stage.write(".backout/pause.yaml", text);
        stage.commit(-3, PERSON, "Pause");
        stage.push();
    };
    let none = "";
    for (entry, told) in [
        (
            format!("environment: prod, until: {until}"),
            "names the environment prod, which is not on this branch",
        ),
        (format!("environment: prod, service: web, until: {until}"), "names the environment prod"),
        (
            format!("service: wed, until: {until}"),
            "names the service wed, which is not there in an environment on main",
        ),
        (format!("environment: production, service: wed, until: {until}"), "not there in production now"),
        (format!("environment: production, service: web, until: {until}"), none),
        (format!("service: api, until: {until}"), none),
        (format!("environment: production, until: {until}"), none),
        (format!("environment: prod, service: wed, until: {past}"), none),
    ] {
        commit(&format!("- {{{entry}, why: x}}\n"));
        let is_told = told != none;
        let report = stage.pass(i32::from(is_told));
        let problems = report["environments"][0]["problems"].to_string();
        assert!(
            problems.contains(told) && problems.contains("pauses nothing") == is_told,
            "{entry}: {problems}"
        );
        let checked = stage.run(&["check"]).stdout;
        assert!(
            checked.contains("pauses of production") == is_told && checked.contains(told),
            "{entry}: {checked}"
        );
    }
    commit("- until: soon\n");
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(checked.contains(".backout/pause.yaml, line 1: `why` is missing"), "{checked}");
}
