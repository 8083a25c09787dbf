//! Pull requests that wait while people have paused the agent, or while a freeze window is open.

use super::{Scene, Setting};
use crate::e2e::stage::{item, text, values, words};

#[test]
fn what_waits_is_not_merged_by_the_agent_while_it_is_paused() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let number = scene.pull().number;
    assert!(scene.pull().auto.is_some(), "the forge was asked to merge it");
    scene.stage.run(&["pause", "--why", "a move", "--for", "2h"]).ended(0);
    let report = scene.stage.pass(0);
    assert!(text(scene.review(&report), "state").contains("paused until"), "{report:#}");
    let pull = scene.pull();
    assert!(pull.open && pull.auto.is_none(), "{pull:?}");
    assert!(pull.body.contains("paused until") && pull.body.contains("a move"), "{}", pull.body);
    // Its checks succeed meanwhile.
    scene.forge.state().check(number, "success");
    scene.stage.nothing_more();
    assert_eq!(scene.forge.state().merges, 0);
    scene.stage.run(&["resume"]).ended(0);
    scene.stage.pass(3);
    scene.is_over();
}

#[test]
fn no_pull_request_is_opened_while_it_is_paused() {
    let scene = Scene::new(&Setting::default());
    scene.stage.run(&["pause", "--why", "a move"]).ended(0);
    let report = scene.stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    assert!(scene.forge.state().pulls.is_empty());
    assert!(!scene.stage.refs().contains("refs/heads/backout/"), "{}", scene.stage.refs());
    scene.stage.run(&["resume"]).ended(0);
    assert_eq!(words(item(&scene.stage.pass(3), "web")), "regressed revert");
}

#[test]
fn in_a_freeze_a_person_merges() {
    let frozen = "mode: auto, delivery: pull-request, freeze: [{schedule: \"* * * * *\", duration: 1h, why: the sales}]";
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.configure(&Setting::environment(frozen));
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.open && pull.auto.is_none(), "{pull:?}");
    scene.forge.state().check(number, "success");
    scene.stage.nothing_more();
    scene.configure(&Setting::default());
    scene.stage.pass(3);
    assert_eq!(scene.stage.file("main", "web"), values("web", "v1"));
    scene.is_over();
}
