//! Whose pull requests are followed: those that the agent's own account has opened.

use super::{Scene, Setting};
use crate::e2e::stage::{item, text, values, words};
use crate::support::forge::AGENT;

/// A scene in which the agent has put the revert on its branch, and nothing else is left of that: no pull request, no
/// record.
fn with_a_branch_alone() -> Scene {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    scene.forge.state().pulls.clear();
    for notes in scene.stage.remote(&["for-each-ref", "--format=%(refname)", "refs/notes"]).lines() {
        scene.stage.remote(&["update-ref", "-d", notes]);
    }
    scene
}

#[test]
fn what_another_account_has_opened_is_not_merged() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    // The branch holds the revert to the byte, and the notes a verdict that says so: whoever may push both can do that.
    let number = {
        let mut state = scene.forge.state();
        (state.pulls[0].by, state.pulls[0].auto) = ("mallory".to_owned(), None);
        state.pulls[0].number
    };
    let before = scene.pull().body;
    scene.forge.state().check(number, "success");
    for _ in 0..2 {
        let report = scene.stage.run(&["run", "--once", "--format", "json"]).json();
        let told = text(scene.review(&report), "state");
        let is_not_ours = told.contains("that another account opened")
            || told.contains("that the agent's account has opened");
        assert!(is_not_ours, "{report:#}");
    }
    let pull = scene.pull();
    assert!(pull.open && !pull.merged && pull.auto.is_none(), "{pull:?}");
    assert_eq!(pull.body, before, "nothing is written into it");
    assert_eq!(scene.stage.tip(), scene.bad);
}

#[test]
fn a_pull_request_of_another_account_that_is_in_the_way_is_told_and_not_followed() {
    let scene = with_a_branch_alone();
    let number = scene.forge.state().open_by("mallory", &scene.branch(), "main");
    scene.forge.state().check(number, "success");
    let report = scene.stage.pass(4);
    let web = item(&report, "web");
    assert_eq!(words(web), "regressed escalate");
    let why = web.to_string();
    assert!(why.contains("that another account opened is open already"), "{report:#}");
    assert!(why.contains(&scene.branch()) && why.contains(&format!("pull/{number}")), "{report:#}");
    assert_eq!(scene.forge.state().merges, 0);
    assert_eq!(scene.stage.tip(), scene.bad);
    // A person closes it, and asks for the revert.
    scene.forge.state().pulls[0].open = false;
    scene.stage.run(&["revert", "web"]).ended(3);
    let own = scene.forge.state().pulls[1].clone();
    assert_eq!((own.by.as_str(), own.merged), (AGENT, true), "its check has succeeded already");
    assert_eq!(scene.stage.file("main", "web"), values("web", "v1"));
}

#[test]
fn what_another_account_has_closed_or_merged_is_no_answer_of_a_person() {
    for merged in [false, true] {
        let scene = with_a_branch_alone();
        {
            let mut state = scene.forge.state();
            let number = state.open_by("mallory", &scene.branch(), "main");
            let pull = state.pull(number).unwrap();
            (pull.open, pull.merged, pull.closed_by) = (false, merged, Some("mallory".to_owned()));
            pull.merge_commit = merged.then(|| pull.head.clone());
        }
        let report = scene.stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed revert", "merged: {merged}");
        let own = scene.forge.state().pulls[1].clone();
        assert_eq!((own.by.as_str(), own.open), (AGENT, true), "merged: {merged}");
        scene.forge.state().check(own.number, "success");
        let report = scene.stage.pass(3);
        assert_eq!(scene.review(&report)["outcome"], "merged", "merged: {merged}");
        assert_eq!(scene.stage.file("main", "web"), values("web", "v1"), "merged: {merged}");
    }
}

#[test]
fn a_no_counts_although_another_account_has_opened_a_newer_one() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let number = {
        let mut state = scene.forge.state();
        let pull = &mut state.pulls[0];
        (pull.open, pull.auto, pull.closed_by) = (false, None, Some("dana".to_owned()));
        state.open_by("mallory", &scene.branch(), "main")
    };
    scene.forge.state().check(number, "success");
    let report = scene.stage.pass(0);
    assert_eq!(scene.review(&report)["outcome"], "declined");
    assert!(text(scene.review(&report), "state").contains("dana has closed"), "{report:#}");
    assert_eq!(scene.forge.state().merges, 0);
    assert_eq!(scene.stage.tip(), scene.bad);
    scene.is_quiet();
}

#[test]
fn without_knowing_its_account_the_agent_opens_and_follows_nothing_and_says_why() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().tells_account = false;
    let report = scene.stage.run(&["run", "--once", "--format", "json"]).ended(1).json();
    let problems = scene.problems(&report);
    assert!(problems.contains("which account the credentials are of"), "{report:#}");
    assert!(problems.contains("GitHub App"), "{report:#}");
    assert!(scene.forge.state().pulls.is_empty());
    assert_eq!(scene.stage.tip(), scene.bad);
    let checked = scene.stage.run(&["check"]);
    let told = format!("{}{}", checked.stdout, checked.stderr);
    assert!(told.contains("which account the credentials are of"), "{told}");
    scene.forge.state().tells_account = true;
    scene.stage.pass(3);
    assert_eq!(scene.pull().by, AGENT);
}
