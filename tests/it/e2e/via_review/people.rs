//! What people do to pull requests.

use super::{Scene, Setting};
use crate::e2e::stage::{BOT, PERSON, item, text, values, words};
use crate::support::forge::Face;
use crate::support::git::remove_notes;

fn proposing() -> Setting {
    Setting::environment("mode: propose")
}

#[test]
fn merging_a_recommendation_is_the_approval() {
    let scene = Scene::new(&proposing());
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    let pull = scene.pull();
    assert!(pull.auto.is_none(), "a person merges it");
    scene.forge.state().check(pull.number, "success");
    scene.is_quiet();
    assert_eq!(scene.stage.tip(), scene.bad);
    scene
        .forge
        .state()
        .merge(pull.number, "merge", "Merge pull request #1 from shop/backout", "Yes")
        .unwrap();
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    scene.is_over();
}

#[test]
fn a_comment_of_somebody_who_may_push_approves_and_of_nobody_else() {
    let scene = Scene::new(&proposing());
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.forge.state().comment(number, "mallory", "/backout approve");
    scene.forge.state().comment(number, "stranger", "/backout approve");
    scene.forge.state().comment(number, "dana", "I would say `/backout approve`, but not yet");
    scene.is_quiet();
    assert_eq!(scene.stage.tip(), scene.bad);
    scene.forge.state().comment(number, "dana", "/backout approve\r\nthanks!");
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    scene.is_over();
}

#[test]
fn the_approval_of_somebody_who_may_push_and_not_merge_does_not_count_and_is_told() {
    let scene = Scene::new(&proposing());
    scene.forge.state().rules.mergers = Some(["dana".to_owned()].into());
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.forge.state().comment(number, "lee", "/backout approve");
    let report = scene.stage.pass(0);
    let told = "the approval of lee does not count";
    assert!(text(scene.review(&report), "state").contains(told), "{report:#}");
    assert!(scene.pull().body.contains(told), "{}", scene.pull().body);
    assert_eq!(scene.stage.tip(), scene.bad);
    scene.is_quiet();
    scene.forge.state().comment(number, "dana", "/backout approve");
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    scene.is_over();
}

/// Who may edit comments, and not merge, makes nobody else approve.
#[test]
fn an_approval_that_was_edited_into_a_comment_does_not_count() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let scene = Scene::on(face, &proposing());
        scene.stage.pass(3);
        let number = scene.pull().number;
        scene.forge.state().check(number, "success");
        scene.forge.state().comment(number, "dana", "/backout approve");
        {
            let mut state = scene.forge.state();
            let now = (state.now)();
            let last = state.comments.last_mut().unwrap();
            (last.at, last.edited_at) = (now - 60, Some(now));
        }
        let report = scene.stage.pass(0);
        let state = text(scene.review(&report), "state");
        assert!(
            state.contains("the approval of dana does not count, as their comment was edited"),
            "{state}"
        );
        assert_eq!(scene.stage.tip(), scene.bad, "{face:?}");
        scene.forge.state().comment(number, "dana", "/backout approve");
        let report = scene.stage.pass(3);
        assert_eq!(scene.review(&report)["outcome"], "merged", "{face:?}");
        scene.is_over();
    }
}

/// Strangers may write as many comments as they like: none hides a hold.
#[test]
fn where_not_all_comments_can_be_read_nothing_merges_itself() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let scene = Scene::on(face, &Setting::default());
        scene.stage.pass(3);
        let number = scene.pull().number;
        {
            let mut state = scene.forge.state();
            // Gitea gives all comments at once, up to a size; the others page by page.
            let (count, size) = if face == Face::Gitea { (6, 3 << 20) } else { (1_100, 1) };
            for _ in 0..count {
                state.comment(number, "stranger", &"x".repeat(size));
            }
            state.comment(number, "dana", "/backout hold 2h");
        }
        let report = scene.stage.pass(0);
        let state = text(scene.review(&report), "state");
        assert!(state.contains("of which one may hold it and not all can be read"), "{face:?}: {state}");
        let pull = scene.pull();
        assert!(pull.auto.is_none(), "{face:?}: it does not merge itself any more");
        scene.forge.state().check(number, "success");
        // Gitea may still be asked to merge it: that is taken back again.
        if face != Face::Gitea {
            scene.is_quiet();
        }
        scene.stage.nothing_more();
        assert_eq!(scene.stage.tip(), scene.bad, "{face:?}");
    }
}

/// An approval from before a no is answered by it.
#[test]
fn what_was_declined_and_is_opened_again_needs_a_new_approval() {
    let scene = Scene::on(Face::Gitea, &proposing());
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.forge.state().comment(number, "dana", "/backout approve");
    scene.forge.state().comments.last_mut().unwrap().at -= 60;
    let close = |is_open: bool| {
        let mut state = scene.forge.state();
        let pull = state.pull(number).unwrap();
        (pull.open, pull.closed_by, pull.auto) = (is_open, Some("root".to_owned()), None);
    };
    close(false);
    scene.stage.pass(0);
    close(true);
    scene.forge.state().check(number, "success");
    scene.stage.run(&["run", "--once"]);
    assert_eq!(scene.stage.tip(), scene.bad);
    scene.forge.state().comment(number, "dana", "/backout approve");
    scene.forge.state().comments.last_mut().unwrap().at += 5;
    scene.stage.run(&["run", "--once"]);
    assert_eq!(scene.stage.file("main", "web"), values("web", "v1"));
}

#[test]
fn what_is_held_does_not_merge_until_the_time_is_over() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.forge.state().comment(number, "dana", "/backout hold 2h");
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.auto.is_none(), "it does not merge itself any more");
    assert!(pull.body.contains("dana holds it"), "{}", pull.body);
    scene.forge.state().check(number, "success");
    scene.is_quiet();
    assert_eq!(scene.stage.tip(), scene.bad);
    for comment in &mut scene.forge.state().comments {
        comment.at -= 2 * 3600 + 1;
    }
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    scene.is_over();
}

#[test]
fn closing_without_merging_means_no() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    {
        let mut state = scene.forge.state();
        let pull = &mut state.pulls[0];
        (pull.open, pull.auto, pull.closed_by) = (false, None, Some("dana".to_owned()));
    }
    let report = scene.stage.pass(0);
    assert_eq!(scene.review(&report)["outcome"], "declined");
    assert!(text(scene.review(&report), "state").contains("dana has closed"), "{report:#}");
    assert_eq!(scene.outcomes(), ["declined"]);
    assert_eq!(scene.stage.tip(), scene.bad);
    scene.is_quiet();
    assert_eq!(scene.pull().number, 1, "no other one is opened");
}

#[test]
fn a_no_is_respected_also_where_nothing_was_written_down() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    {
        let mut state = scene.forge.state();
        let pull = &mut state.pulls[0];
        (pull.open, pull.auto, pull.closed_by) = (false, None, Some("dana".to_owned()));
    }
    remove_notes(&scene.stage.bare);
    let report = scene.stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    assert_eq!(scene.outcomes(), ["declined"]);
    scene.is_quiet();
    assert_eq!(scene.pull().number, 1, "no other one is opened");
}

#[test]
fn what_somebody_else_has_pushed_to_the_branch_is_never_overwritten_or_merged() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let branch = scene.branch();
    scene.push_by_person(&branch, "v0");
    let tip = scene.stage.remote(&["rev-parse", &branch]);
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.auto.is_none(), "it does not merge itself any more");
    assert!(pull.body.contains("somebody has worked on it"), "{}", pull.body);
    scene.forge.state().check(pull.number, "success");
    // The environment moves on as well.
    scene.stage.write("apps/web/values.yaml", &values("web", "v2").replace("# web", "# our web"));
    scene.stage.commit(-1, BOT, "A word about it");
    scene.stage.push();
    scene.stage.pass(0);
    assert_eq!(scene.stage.remote(&["rev-parse", &branch]), tip, "the work of others is left alone");
    assert_eq!(scene.forge.state().merges, 0);
    scene.is_quiet();
}

#[test]
fn what_no_file_shows_is_seen_on_the_branch_too() {
    // A link, and a file that may be run: neither is in a diff of texts.
    let changes: [fn(&Scene); 2] = [
        |scene| scene.stage.git(&["update-index", "--add", "--cacheinfo", &link(scene)]).clear(),
        |scene| scene.stage.git(&["update-index", "--chmod=+x", "apps/web/values.yaml"]).clear(),
    ];
    for change in changes {
        let scene = Scene::new(&Setting::default());
        scene.forge.state().rules.auto_merge = false;
        scene.stage.pass(3);
        let branch = scene.branch();
        let remote = scene.stage.bare.to_str().unwrap();
        scene.stage.git(&["fetch", "-q", remote, &branch]);
        scene.stage.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
        change(&scene);
        scene.stage.dated(-1, PERSON, &["commit", "-q", "-m", "Nothing to see"]);
        scene.stage.git(&["push", "-q", remote, &format!("HEAD:{branch}")]);
        let number = scene.pull().number;
        scene.forge.state().check(number, "success");
        scene.stage.pass(0);
        assert_eq!(scene.forge.state().merges, 0);
        assert!(scene.pull().body.contains("somebody has worked on it"), "{}", scene.pull().body);
    }
}

/// A link in the index, as `git update-index` wants it.
fn link(scene: &Scene) -> String {
    let target = scene.stage.home.path().join("target");
    std::fs::write(&target, "../../etc/passwd").unwrap();
    let blob = scene.stage.git(&["hash-object", "-w", target.to_str().unwrap()]);
    format!("120000,{blob},apps/web/link.yaml")
}

#[test]
fn what_was_merged_with_more_than_the_revert_is_told() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let branch = scene.branch();
    let remote = scene.stage.bare.to_str().unwrap();
    // The forge merges before the agent looks again.
    scene.stage.git(&["fetch", "-q", remote, &branch]);
    scene.stage.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
    scene.stage.write("apps/other/values.yaml", &values("other", "evil"));
    scene.stage.commit(-1, PERSON, "And this");
    scene.stage.git(&["push", "-q", remote, &format!("HEAD:{branch}")]);
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    assert_eq!(scene.forge.state().merges, 1);
    let report = scene.stage.pass(4);
    assert_eq!(scene.review(&report)["outcome"], "not-restored");
    assert!(text(scene.review(&report), "state").contains("more came with it"), "{report:#}");
    scene.is_quiet();
}

#[test]
fn what_a_person_asks_for_goes_by_a_pull_request_also_after_a_no() {
    let scene = Scene::new(&Setting::environment("mode: observe, delivery: pull-request"));
    let asked = scene.stage.run(&["revert", "web"]).ended(3);
    assert!(asked.stdout.contains("/pull/1"), "{}", asked.stdout);
    let pull = scene.pull();
    assert!(pull.body.contains("asked for it") && pull.auto.is_some(), "{}", pull.body);
    {
        let mut state = scene.forge.state();
        let pull = &mut state.pulls[0];
        (pull.open, pull.auto, pull.closed_by) = (false, None, Some("dana".to_owned()));
    }
    scene.stage.run(&["revert", "web"]).ended(3);
    assert_eq!(scene.forge.state().pulls.len(), 2);
    // What a person has asked for is theirs: a pass does not take it back.
    scene.stage.pass(0);
    assert!(scene.forge.state().pulls[1].auto.is_some());
    scene.forge.state().check(2, "success");
    assert_eq!(scene.stage.file("main", "web"), values("web", "v1"));
    scene.stage.pass(0);
    assert!(!scene.stage.refs().contains("refs/heads/backout/"), "{}", scene.stage.refs());
}

#[test]
fn in_mode_observe_nothing_that_waits_is_merged() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    assert!(scene.pull().auto.is_some());
    scene.configure(&Setting::environment("mode: observe, delivery: pull-request"));
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.auto.is_none() && pull.body.contains("in mode observe"), "{}", pull.body);
    scene.forge.state().check(pull.number, "success");
    scene.forge.state().comment(pull.number, "dana", "/backout approve");
    scene.stage.pass(0);
    assert_eq!(scene.forge.state().merges, 0);
    scene.is_quiet();
}

#[test]
fn what_people_write_into_the_description_stays() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    scene.forge.state().pulls[0].title = "Dana: revert web".to_owned();
    scene.forge.state().pulls[0].body.push_str("\n\nDana: I have told the team.\n");
    let number = scene.pull().number;
    scene.forge.state().check(number, "failure");
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.body.contains("Dana: I have told the team."), "{}", pull.body);
    assert!(pull.body.contains("the required check `ci/test` is failure"), "{}", pull.body);
    assert_eq!(pull.title, "Dana: revert web");
    scene.is_quiet();
}

#[test]
fn a_later_deployment_closes_the_pull_request() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    scene.stage.deploy("web", "v3", 0, PERSON);
    let report = scene.stage.run(&["run", "--once", "--format", "json"]).ended(0).json();
    assert_eq!(scene.review(&report)["outcome"], "superseded", "{report:#}");
    let pull = scene.pull();
    assert!(!pull.open && !pull.merged, "{pull:?}");
    assert_eq!(scene.outcomes(), ["superseded"]);
    assert!(!scene.stage.refs().contains("refs/heads/backout/"));
    scene.is_quiet();
}

#[test]
fn people_get_labels_assignees_reviewers_and_a_word_where_it_began() {
    let setting = Setting {
        forge: "  labels: [rollback]\n  reviewers: [dana, ghost, shop/oncall]\n  assignees: [dana]\n"
            .to_owned(),
        ..Setting::default()
    };
    let scene = Scene::new(&setting);
    let brought = {
        let mut state = scene.forge.state();
        let number = state.next_number();
        state.pulls.push(crate::support::forge::Pull {
            number,
            branch: "renovate/web".to_owned(),
            base: "main".to_owned(),
            head: scene.bad.clone(),
            merged: true,
            ..Default::default()
        });
        state.sources.insert(scene.bad.clone(), number);
        number
    };
    scene.stage.pass(3);
    let state = scene.forge.state();
    let pull = state.pulls.last().unwrap();
    assert_eq!(pull.labels.iter().collect::<Vec<_>>(), ["rollback"]);
    assert_eq!(pull.assignees.iter().collect::<Vec<_>>(), ["dana"]);
    assert_eq!(
        pull.reviewers.iter().collect::<Vec<_>>(),
        ["dana", "team oncall"],
        "one that may not is left out"
    );
    let told: Vec<_> = state.comments.iter().filter(|comment| comment.on == brought).collect();
    assert_eq!(told.len(), 1);
    let taking = format!("It is being taken back by {}/shop/environments/pull/{}.", state.url, pull.number);
    assert!(told[0].body.contains(&taking), "{}", told[0].body);
    let statuses = state.last_statuses(&scene.bad);
    assert_eq!(statuses.len(), 1);
    assert_eq!(
        (statuses[0].context.as_str(), statuses[0].state.as_str()),
        ("backout/production/web", "failure")
    );
    assert!(statuses[0].description.starts_with("regressed: "), "{statuses:?}");
    // The same comment says what became of it.
    let number = pull.number;
    let taken = format!("It was taken back by pull request {number}.");
    drop(state);
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    let state = scene.forge.state();
    let told: Vec<_> = state.comments.iter().filter(|comment| comment.on == brought).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].body.contains(&taken), "{}", told[0].body);
}
