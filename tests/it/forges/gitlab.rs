//! What is GitLab's alone.

use backout::domain::environment::policy::Delivery;
use backout::domain::review::command::Right;
use backout::domain::review::{Merging, ReviewState, Standing, StatusState};
use backout::domain::time::Time;
use backout::ports::ForgeError;
use serde_json::json;

use super::{Place, main, message, moves_told};
use crate::support::forge::{AGENT, Face, Fate, Reply};
use crate::support::git::git;

fn place() -> Place {
    Place::new(Face::GitLab)
}

/// The bodies of the requests to merge.
fn merges(place: &Place) -> Vec<serde_json::Value> {
    let all =
        place.sim.all().into_iter().filter(|asked| asked.path.last().is_some_and(|last| last == "merge"));
    all.map(|asked| asked.body.unwrap()).collect()
}

#[tokio::test]
async fn squashes_as_the_project_has_it() {
    for (ways, squashes, commits) in [
        // Squashed, and a merge commit; a merge commit alone; squashed alone; the commit itself.
        (&["squash", "merge"][..], true, 2),
        (&["merge", "squash"], false, 2),
        (&["merge"], false, 2),
        (&["squash"], true, 1),
        (&["rebase"], false, 1),
    ] {
        let mut place = place();
        place.sim.state().rules.required.clear();
        place.sim.state().rules.ways = ways.iter().map(|way| (*way).to_owned()).collect();
        let opened = place.open("backout/a", "v1").await;
        let before = place.tip("main");
        let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
        assert_eq!(merging, Merging::Merged, "{ways:?}");
        assert_eq!(merges(&place)[0]["squash"], squashes, "{ways:?}");
        let range = format!("{before}..main");
        let count = git(&place.repository, &["rev-list", "--count", &range]);
        assert_eq!(count, commits.to_string(), "{ways:?}");
        let tip =
            git(&place.repository, &["log", "-1", "--format=%(trailers:key=Backout-Id,valueonly)", "main"]);
        assert_eq!(tip.trim(), "1", "{ways:?}: the trailers are in the branch's own commit");
    }
}

#[tokio::test]
async fn goes_by_train_and_never_past_it() {
    let mut place = place();
    place.sim.state().rules.required.clear();
    place.sim.state().rules.queue = true;
    let opened = place.open("backout/a", "v1").await;
    assert_eq!(opened.standing, Standing::Ready);
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert_eq!(merging, Merging::Scheduled);
    assert!(place.sim.state().pulls[0].queued);
    assert!(place.look(&opened).await.scheduled);
    assert_eq!(merges(&place), [] as [serde_json::Value; 0]);
    let squash = |asked: &crate::support::forge::Asked| {
        asked.body.as_ref().is_some_and(|body| body["squash"] == false)
    };
    assert!(place.sim.all().iter().any(squash), "the train squashes with a message of its own");
    place.forge.unschedule(&opened).await.unwrap();
    assert!(!place.sim.state().pulls[0].queued);
    let again = place.forge.unschedule(&opened).await;
    assert!(matches!(again, Err(ForgeError::Refused(_))), "{again:?}");
    place.sim.state().rules.required = vec!["ci/test".to_owned()];
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert_eq!(merging, Merging::Scheduled, "when its checks pass");
    assert!(!place.sim.state().pulls[0].queued);
    place.sim.state().check(opened.number, "success");
    assert!(place.sim.state().pulls[0].queued);
    place.main_moves("app.yaml", "tag: v3\n");
    place.sim.state().pulls[0].queued = false;
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert!(matches!(merging, Merging::Waiting(_)), "{merging:?}");
    let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
    assert!(told.contains("merge train"), "{told}");
}

#[tokio::test]
async fn asks_in_the_words_of_old_servers_and_of_new_ones() {
    let mut place = place();
    let opened = place.open("backout/a", "v1").await;
    place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    let body = merges(&place)[0].clone();
    assert_eq!(body["auto_merge"], true);
    assert_eq!(body["merge_when_pipeline_succeeds"], true);
}

#[tokio::test]
async fn a_push_takes_back_that_it_merges_by_itself() {
    let mut place = place();
    let opened = place.open("backout/a", "v1").await;
    assert_eq!(place.forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Scheduled);
    place.people.git(&["checkout", "-q", "work"]);
    place.people.write("app.yaml", "tag: evil\n");
    place.people.commit("Mine");
    place.people.git(&["push", "-q", place.repository.to_str().unwrap(), "HEAD:backout/a"]);
    assert!(!place.look(&opened).await.scheduled);
    place.sim.state().check(opened.number, "success");
    assert_eq!(place.sim.state().merges, 0);
}

#[tokio::test]
async fn says_who_may_not_merge() {
    let mut place = place();
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().people.insert(AGENT.to_owned(), false);
    match place.forge.merge(&opened, &main(), &message("v1")).await {
        Err(ForgeError::Denied(reason)) => assert!(reason.contains("`main`"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn waits_where_gitlab_does_not_merge_by_itself() {
    let mut place = place();
    place.sim.state().rules.auto_merge = false;
    let opened = place.open("backout/a", "v1").await;
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert!(matches!(&merging, Merging::Waiting(why) if why.contains("405")), "{merging:?}");
    place.sim.state().check(opened.number, "success");
    let opened = place.look(&opened).await;
    assert_eq!(place.forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Merged);
}

#[tokio::test]
async fn fast_forward_wants_the_branch_to_be_up_to_date() {
    let mut place = place();
    place.sim.state().rules.ways = vec!["rebase".to_owned()];
    place.sim.state().rules.required.clear();
    let opened = place.open("backout/a", "v1").await;
    place.main_moves("other.yaml", "tag: v9\n");
    assert_eq!(place.look(&opened).await.standing, Standing::Behind);
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert!(matches!(merging, Merging::Waiting(_)), "{merging:?}");
}

#[tokio::test]
async fn names_whoever_wants_changes_and_what_else_is_in_the_way() {
    let mut place = place();
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().check(opened.number, "failure");
    let failed = Standing::Blocked(vec!["the job `ci/test` has failed".to_owned()]);
    assert_eq!(place.look(&opened).await.standing, failed, "what may fail is not named");
    place.sim.state().pulls[0].changes_wanted_by.insert("dana".to_owned());
    assert_eq!(place.look(&opened).await.standing, Standing::Blocked(vec!["dana wants changes".to_owned()]));
    place.sim.state().pulls[0].draft = true;
    assert_eq!(place.look(&opened).await.standing, Standing::Blocked(vec!["it is a draft".to_owned()]));
    // Something that this version of the agent has not heard of.
    place.sim.fates(|_, asked| {
        let is_it =
            asked.method == "GET" && asked.path.iter().rev().nth(1).is_some_and(|at| at == "merge_requests");
        let told = serde_json::json!({
            "iid": 1, "web_url": "http://forge.example.com/1", "state": "opened", "sha": "1".repeat(40),
            "created_at": "2026-01-01T00:00:00.000Z", "detailed_merge_status": "moon_is_full",
        });
        if is_it { Fate::Instead(Reply::json(200, told)) } else { Fate::Go }
    });
    let standing = place.look(&opened).await.standing;
    assert_eq!(standing, Standing::Blocked(vec!["the rule `moon_is_full`".to_owned()]));
}

#[tokio::test]
async fn a_status_that_is_there_already_is_no_error() {
    let place = place();
    let status = backout::domain::review::CommitStatus {
        commit: place.tip("main"),
        context: "backout/production/app".to_owned(),
        state: StatusState::Success,
        description: "healthy".to_owned(),
        url: None,
    };
    let refusing = |message: &'static str| {
        move |_: usize, asked: &crate::support::forge::Asked| match asked.writes() {
            true => Fate::Instead(Reply::no(400, message)),
            false => Fate::Go,
        }
    };
    place.sim.fates(refusing(
        "Cannot transition status via :run from :running (Reason(s): Status cannot transition)",
    ));
    place.forge.status(&status).await.unwrap();
    place.sim.fates(refusing("name is too long"));
    let refused = place.forge.status(&status).await;
    assert!(matches!(refused, Err(ForgeError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_project_may_be_deep_in_groups() {
    let place = Place::with(Face::GitLab, |options| options.repository = "shop/platform/eu/env".to_owned());
    // There is no such project, and that is what it says; what matters is how it asks.
    let nothing = place.forge.check(&main(), Delivery::PullRequest).await;
    assert!(matches!(nothing, Err(ForgeError::Denied(_))), "{nothing:?}");
    assert_eq!(place.sim.log()[0].target, "/api/v4/projects/shop%2Fplatform%2Feu%2Fenv");
}

#[tokio::test]
async fn an_expired_token_is_told_as_such() {
    let place = place();
    place.sim.fates(|_, _| {
        let said = serde_json::json!({"error": "invalid_token", "error_description": "Token is expired."});
        Fate::Instead(Reply::json(401, said))
    });
    match place.forge.issues().await {
        Err(ForgeError::Denied(reason)) => {
            assert!(reason.contains("Token is expired") && reason.contains("`forge.auth`"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn has_gitlab_look_at_what_it_leaves_unchecked() {
    let mut place = place();
    place.sim.state().rules.required.clear();
    let opened = place.open("backout/a", "v1").await;
    assert_eq!(opened.standing, Standing::Ready);
    let looks =
        |place: &Place| place.sim.log().iter().filter(|asked| asked.line().ends_with("/merge_ref")).count();
    assert_eq!(looks(&place), 1);
    place.look(&opened).await;
    assert_eq!(looks(&place), 1, "it has been looked at");
    // Where that does not help, it is not known, and may be merged for all that.
    place.main_moves("other.yaml", "tag: v9\n");
    place.sim.fates(|_, asked| match asked.line().ends_with("/merge_ref") {
        true => Fate::Instead(Reply::no(403, "403 Forbidden")),
        false => Fate::Go,
    });
    let found = place.look(&opened).await;
    assert_eq!(found.standing, Standing::Unknown);
    assert_eq!(place.forge.merge(&found, &main(), &message("v1")).await.unwrap(), Merging::Merged);
}

#[tokio::test]
async fn the_protections_of_a_branch_say_whose_approval_counts() {
    let role = |level: u32| json!({"access_level": level, "user_id": null, "group_id": null});
    let user = |id: u64| json!({"access_level": 40, "user_id": id, "group_id": null});
    let group = json!({"access_level": 40, "user_id": null, "group_id": 5});
    let rule =
        |name: &str, levels: &[serde_json::Value]| json!({"name": name, "merge_access_levels": levels});
    let lee = crate::support::forge::user_id("lee");
    // Which rules there are, and whether a Developer and a Maintainer may merge into `main`.
    for (rules, developer, maintainer) in [
        (json!([rule("main", &[role(0)])]), false, false),
        (json!([rule("main", &[])]), false, false),
        (json!([rule("main", &[role(40)])]), false, true),
        (json!([rule("main", &[role(30)])]), true, true),
        (json!([rule("main", &[role(60)])]), false, false),
        (json!([rule("main", &[group])]), false, false),
        (json!([rule("main", &[role(0), user(lee)])]), true, false),
        (json!([rule("main", &[user(lee + 1)])]), false, false),
        (json!([rule("main", &[role(0)]), rule("m*", &[role(30)])]), true, true),
        (json!([rule("other", &[role(30)])]), false, true),
        (json!([rule("ma?n", &[role(30)])]), false, true),
        (json!([]), false, true),
    ] {
        let mut place = place();
        let opened = place.open("backout/a", "v1").await;
        {
            let mut state = place.sim.state();
            state.admins.insert("dana".to_owned());
            state.rules.mergers = Some(Default::default());
            state.comment(opened.number, "lee", "/backout approve");
            state.comment(opened.number, "dana", "/backout approve");
        }
        let told = rules.clone();
        place.sim.fates(move |_, asked| match asked.path.last().unwrap().as_str() {
            "protected_branches" => Fate::Instead(Reply::json(200, told.clone())),
            _ => Fate::Go,
        });
        let commands = place.look(&opened).await.commands;
        let may: Vec<bool> = commands.iter().map(|one| one.right == Right::Given).collect();
        assert_eq!(may, [developer, maintainer], "{rules}");
    }
}

#[tokio::test]
async fn a_deleted_branch_closes_it() {
    let mut place = place();
    let opened = place.open("backout/a", "v1").await;
    git(&place.repository, &["update-ref", "-d", "refs/heads/backout/a"]);
    assert!(matches!(place.look(&opened).await.state, ReviewState::Closed { .. }));
}

#[tokio::test]
async fn what_is_no_push_to_the_branch_is_no_move() {
    let place = place();
    let sha = place.tip("main").to_string();
    let at = "2026-07-01T10:00:00.419Z";
    let event = |data: serde_json::Value| json!({"created_at": at, "push_data": data});
    let log = json!([
        event(json!({"action": "removed", "ref_type": "branch", "ref": "main", "commit_to": null})),
        event(json!({"action": "pushed", "ref_type": "branch", "ref": "other", "commit_to": sha})),
        event(json!({"action": "pushed", "ref_type": "tag", "ref": "main", "commit_to": sha})),
        event(json!({"action": "pushed", "ref_type": "branch", "ref": null, "commit_to": null, "ref_count": 4})),
        event(json!({"action": "pushed", "ref_type": "branch", "ref": "main", "commit_to": "main"})),
        event(json!(null)),
        {"push_data": {"ref_type": "branch", "ref": "main", "commit_to": sha}},
        event(json!({"action": "created", "ref_type": "branch", "ref": "main", "commit_to": sha})),
    ]);
    assert_eq!(moves_told(&place, log).await, [(sha, "2026-07-01T10:00:00Z".to_owned())]);
}

#[tokio::test]
async fn a_day_begins_later_in_the_server_s_time_zone() {
    let mut place = place();
    place.people.write("other.yaml", "tag: v9\n");
    place.people.commit("Something else");
    // Half past midnight on the fifteenth, which is the fourteenth there.
    place.people.now = 1_700_008_200;
    place.people.push(&place.repository);
    let since = Time::from_unix(place.people.now);
    let told = place.forge.moves(&main(), since).await.unwrap();
    assert_eq!(told.iter().map(|one| one.at).collect::<Vec<_>>(), [since]);
    let asked = place.sim.all().pop().unwrap();
    assert_eq!(asked.query["after"], "2023-11-13");
}
