//! What servers do that no description of their API says: each scenario on all of them.

use std::process::Stdio;

use super::{Scene, Setting};
use crate::e2e::stage::{BOT, PERSON, item, text, values, words};
use crate::support::forge::Face;

const FACES: [Face; 3] = [Face::GitHub, Face::GitLab, Face::Gitea];

/// The forge looks once at what it is to merge, and not again.
#[test]
fn what_the_forge_passes_over_is_merged_by_the_agent_when_it_is_ready() {
    for face in FACES {
        let scene = Scene::on(face, &Setting::default());
        scene.forge.state().rules.passes_over = true;
        scene.stage.pass(3);
        let pull = scene.pull();
        assert!(pull.auto.is_some(), "{face:?}: the forge was asked to merge it");
        scene.forge.state().check(pull.number, "success");
        assert_eq!(scene.forge.state().merges, 0, "{face:?}: it was passed over");
        let report = scene.stage.pass(3);
        assert_eq!(scene.review(&report)["outcome"], "merged", "{face:?}");
        scene.is_over();
    }
}

/// An approval is no status: the forge does not look again for it.
#[test]
fn what_is_approved_after_it_was_scheduled_is_merged() {
    for face in FACES {
        let scene = Scene::on(face, &Setting::default());
        {
            let mut state = scene.forge.state();
            (state.rules.passes_over, state.rules.approvals) = (true, 1);
            if face != Face::GitLab {
                state.rules.required.clear();
            }
        }
        scene.stage.pass(3);
        let pull = scene.pull();
        if face == Face::GitLab {
            scene.forge.state().check(pull.number, "success");
        }
        scene.stage.pass(0);
        scene.forge.state().pulls[0].approved_by.insert("dana".to_owned());
        scene.stage.pass(3);
        scene.is_over();
    }
}

/// Who reads a merged pull request a year later reads what happened.
#[test]
fn the_description_of_a_merged_pull_request_says_the_end() {
    for face in FACES {
        let scene = Scene::on(face, &Setting::default());
        scene.stage.pass(3);
        let number = scene.pull().number;
        scene.forge.state().check(number, "success");
        scene.stage.pass(3);
        let (pull, tip) = (scene.pull(), scene.stage.tip());
        let told = format!("**Now:** it was merged as {tip}, and put the good values back on main.");
        assert!(pull.body.contains(&told), "{face:?}: {}", pull.body);
        scene.is_over();
    }
}

/// That is a fact about the repository, and no error.
#[test]
fn where_issues_are_off_a_person_is_told_in_the_report_once() {
    for face in FACES {
        let setting = Setting {
            policy: "settle: 60s, watch: 40m, baseline: 30m, schema: {paths: [\"db/**\"]}".to_owned(),
            ..Setting::default()
        };
        let scene = Scene::on(face, &setting);
        scene.forge.state().rules.issues = false;
        scene.stage.write("db/0042_orders.sql", "alter table orders drop column note;\n");
        scene.stage.write("apps/web/values.yaml", &values("web", "v3"));
        scene.stage.commit(-12, BOT, "Deploy web v3");
        scene.stage.push();
        let report = scene.stage.pass(4);
        let environment = &report["environments"][0];
        assert_eq!(environment["problems"], serde_json::json!([]), "{face:?}: {report:#}");
        let facts = environment["facts"].to_string();
        assert!(facts.contains("issues are off in the repository's settings"), "{face:?}: {report:#}");
        let report = scene.stage.pass(0);
        assert_eq!(report["environments"][0]["facts"], serde_json::json!([]), "{face:?}: {report:#}");
        let checked = scene.stage.run(&["check"]).stdout;
        assert!(checked.contains("issues are off, so none can be opened"), "{face:?}: {checked}");
    }
}

/// What the agent cannot obey it does not offer.
#[test]
fn where_nobody_is_obeyed_commands_are_not_offered() {
    let scene = Scene::on(Face::Gitea, &Setting::environment("mode: propose, delivery: pull-request"));
    scene.forge.state().rules.administers = false;
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose", "{report:#}");
    let body = scene.pull().body;
    assert!(!body.contains("/backout approve"), "{body}");
    assert!(
        body.contains("Commands in comments are not obeyed here: Forgejo tells only administrators"),
        "{body}"
    );
    let checked = scene.stage.run(&["check"]).stdout;
    assert!(checked.contains("commands in comments are not obeyed"), "{checked}");
    assert!(checked.contains("Forgejo merges by itself"), "the server by the name that it has: {checked}");
    scene.is_quiet();
}

/// Somebody closes it, and thinks again.
#[test]
fn a_declined_pull_request_that_is_opened_again_is_followed() {
    for key in ["", "record: {key: {env: RECORD_KEY}}\n"] {
        let setting = Setting { forge: String::new(), ..Setting::default() };
        let mut scene = Scene::on(Face::Gitea, &setting);
        scene
            .stage
            .variables
            .push(("RECORD_KEY".to_owned(), "a key that nobody else has, 32 bytes".to_owned()));
        let mut config = setting.config(scene.face, &scene.forge);
        config.run.push_str(key);
        scene.stage.configure(&config);
        scene.stage.pass(3);
        let number = scene.pull().number;
        let close = |is_open: bool| {
            let mut state = scene.forge.state();
            let pull = state.pull(number).unwrap();
            (pull.open, pull.closed_by) = (is_open, Some("dana".to_owned()));
        };
        assert!(scene.pull().auto.is_some());
        close(false);
        let report = scene.stage.pass(0);
        assert_eq!(scene.review(&report)["outcome"], "declined", "{report:#}");
        let pull = scene.pull();
        assert!(pull.auto.is_none(), "the schedule would outlive the no");
        assert!(pull.body.contains("**Now:** somebody closed it without merging it."), "{}", pull.body);
        scene.is_quiet();
        close(true);
        scene.stage.run(&["run", "--once"]);
        scene.forge.state().check(number, "success");
        scene.stage.run(&["run", "--once"]);
        assert_eq!(scene.stage.file("main", "web"), values("web", "v1"), "{key}");
        assert!(scene.pull().merged);
        assert_eq!(scene.outcomes(), ["declined", "merged"], "{key}");
    }
}

/// The server answers 500 to a fast-forward that is none.
#[test]
fn where_only_fast_forwards_are_allowed_the_branch_is_brought_up_to_date() {
    let scene = Scene::on(Face::Gitea, &Setting::default());
    scene.forge.state().rules.ways = vec!["fast-forward-only".to_owned()];
    scene.stage.pass(3);
    let first = scene.pull().head;
    scene.stage.write("README.md", "Services\n");
    scene.stage.commit(-1, PERSON, "Say what is here");
    scene.stage.push();
    let number = scene.pull().number;
    scene.forge.state().rules.passes_over = true;
    scene.forge.state().check(number, "success");
    let report = scene.stage.pass(0);
    assert!(text(scene.review(&report), "state").contains("`ci/test`"), "{report:#}");
    assert_ne!(scene.pull().head, first, "on the newest commit");
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    scene.is_over();
}

/// For a second after each push the server says that it cannot be merged, as where it conflicts.
#[test]
fn right_after_a_push_no_conflict_is_told() {
    let scene = Scene::on(Face::Gitea, &Setting::default());
    {
        let mut state = scene.forge.state();
        (state.rules.slow_looks, state.rules.passes_over) = (12, true);
    }
    scene.stage.pass(3);
    let body = scene.pull().body;
    assert!(
        !body.contains("conflict") && body.contains("has not said yet whether it can be merged"),
        "{body}"
    );
    // The base moves just before the check turns green, and the server passes over the schedule.
    scene.stage.write("README.md", "Services\n");
    scene.stage.commit(-1, PERSON, "Say what is here");
    scene.stage.push();
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    for _ in 0..4 {
        scene.stage.run(&["run", "--once"]);
        scene.forge.state().check(number, "success");
    }
    scene.stage.run(&["run", "--once"]);
    scene.is_over();
}

/// An agent was killed right after the server had taken its pull request beside that of another one.
#[test]
fn the_second_pull_request_of_a_killed_agent_is_closed() {
    let scene = Scene::on(Face::Gitea, &Setting::default());
    scene.stage.pass(3);
    {
        let mut state = scene.forge.state();
        let mut twin = state.pulls[0].clone();
        (twin.number, twin.auto) = (state.next_number(), None);
        state.pulls.push(twin);
    }
    scene.stage.pass(0);
    {
        let state = scene.forge.state();
        let open: Vec<bool> = state.pulls.iter().map(|pull| pull.open).collect();
        assert_eq!(open, [true, false]);
        assert!(state.pulls[1].body.contains("the same as "), "{}", state.pulls[1].body);
    }
    scene.is_quiet();
}

/// Each time by both at the same moment: what the server takes twice is there once in the end.
#[test]
fn two_agents_at_once_make_one_pull_request() {
    for face in FACES {
        for _ in 0..3 {
            let scene = Scene::on(face, &Setting::default());
            scene.forge.state().rules.takes_two = face == Face::Gitea;
            let children: Vec<_> = (0..2)
                .map(|_| {
                    let mut program = scene.stage.program(&["run", "--once"]);
                    program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
                })
                .collect();
            for child in children {
                drop(child.wait_with_output().unwrap());
            }
            scene.stage.run(&["run", "--once"]);
            let open: Vec<u64> = {
                let state = scene.forge.state();
                state.pulls.iter().filter(|pull| pull.open).map(|pull| pull.number).collect()
            };
            assert_eq!(open.len(), 1, "{face:?}: {open:?}");
            scene.forge.state().check(open[0], "success");
            scene.stage.run(&["run", "--once"]);
            assert_eq!(scene.stage.file("main", "web"), values("web", "v1"), "{face:?}");
            let state = scene.forge.state();
            assert_eq!(state.merges, 1, "{face:?}");
            assert!(state.comments.len() <= 1, "{face:?}: {:?}", state.comments);
        }
    }
}
