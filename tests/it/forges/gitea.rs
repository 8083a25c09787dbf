//! What is Gitea's and Forgejo's own.

use backout::adapters::forge::gitea::OPERATIONS;
use backout::domain::environment::policy::Delivery;
use backout::domain::review::command::Right;
use backout::domain::review::{Merging, Standing};
use backout::domain::time::Time;
use serde_json::json;

use super::{Place, main, message, moves_told};
use crate::support::forge::{Asked, Face, Fate, Pull, Reply, Status};
use crate::support::openapi::Api;

/// What becomes of requests whose path ends like this, instead of what would.
fn instead(place: &Place, end: &'static str, reply: Reply) {
    place.sim.fates(move |_, asked: &Asked| {
        let path = asked.target.split('?').next().unwrap();
        let is_first_page = asked.query.get("page").is_none_or(|page| page == "1");
        match (path.ends_with(end), is_first_page) {
            (true, true) => Fate::Instead(reply.clone()),
            (true, false) => Fate::Instead(Reply::json(200, json!([]))),
            (false, _) => Fate::Go,
        }
    });
}

fn blockers(standing: Standing) -> String {
    let Standing::Blocked(names) = standing else { panic!("{standing:?}") };
    names.join("; ")
}

#[test]
fn every_operation_is_one_of_forgejos() {
    let known = Api::forgejo().operation_ids();
    let unknown: Vec<_> = OPERATIONS.iter().filter(|id| !known.contains(**id)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(OPERATIONS.is_sorted());
}

#[tokio::test]
async fn a_title_makes_a_draft() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().check(opened.number, "success");
    place.sim.state().pulls[0].title = "WIP: Revert".to_owned();
    let draft = place.look(&opened).await;
    assert_eq!(blockers(draft.standing.clone()), "it is a draft");
    let merging = place.forge.merge(&draft, &main(), &message("v1")).await.unwrap();
    assert!(
        matches!(&merging, Merging::Waiting(why) if why.contains("Work in progress")),
        "what it says is passed on: {merging:?}"
    );
    assert_eq!(place.sim.state().merges, 0);
}

#[tokio::test]
async fn servers_that_do_not_know_drafts_have_them_in_titles() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    for (title, is_draft) in [("WIP: x", true), ("[wip] x", true), ("Wip x", false)] {
        let sha = opened.head.to_string();
        let tip = json!({"label": "backout/a", "ref": "backout/a", "sha": sha, "repo_id": 1});
        let pull = json!({
            "number": 1, "html_url": "http://forge.example.com/1", "state": "open", "title": title,
            "created_at": "2026-07-01T10:00:00+02:00", "head": tip, "base": {"ref": "main"},
        });
        instead(&place, "/pulls/1", Reply::json(200, pull));
        let found = place.look(&opened).await;
        let told = matches!(&found.standing, Standing::Blocked(names) if names[0] == "it is a draft");
        assert_eq!(told, is_draft, "{title}: {:?}", found.standing);
        assert_eq!(found.opened_at.to_string(), "2026-07-01T08:00:00Z");
    }
}

#[tokio::test]
async fn the_last_event_says_whether_it_is_scheduled() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    for (kinds, scheduled) in [
        (vec!["pull_scheduled_merge"], true),
        (vec!["pull_scheduled_merge", "pull_cancel_scheduled_merge"], false),
        (vec!["pull_cancel_scheduled_merge", "pull_scheduled_merge", "change_title"], true),
        (vec!["label", "close", "reopen"], false),
    ] {
        let events: Vec<_> =
            kinds.iter().map(|kind| json!({"type": kind, "user": {"login": "dana"}})).collect();
        instead(&place, "/timeline", Reply::json(200, json!(events)));
        assert_eq!(place.look(&opened).await.scheduled, scheduled, "{kinds:?}");
    }
}

#[tokio::test]
async fn what_is_scheduled_behind_many_comments_is_seen() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    for number in 0..120 {
        place.sim.state().comment(opened.number, "lee", &format!("talk {number}"));
    }
    place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert!(place.look(&opened).await.scheduled);
    // To ask again changes nothing, and is no trouble.
    let again = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert_eq!(again, Merging::Scheduled);
}

#[tokio::test]
async fn nothing_stays_scheduled_for_another_commit_than_the_one_that_was_looked_at() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.people.git(&["checkout", "-q", "work"]);
    place.people.write("app.yaml", "tag: evil\n");
    place.people.commit("Mine");
    let (repository, work) = (place.repository.clone(), place.people.path().to_owned());
    place.sim.fates(move |_, asked: &Asked| {
        if asked.method == "POST" && asked.target.ends_with("/merge") {
            // Somebody pushes between the look and the request.
            crate::support::git::git(&work, &["push", "-q", repository.to_str().unwrap(), "HEAD:backout/a"]);
        }
        Fate::Go
    });
    let merging = place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    assert!(matches!(&merging, Merging::Waiting(why) if why.contains("moved")), "{merging:?}");
    let state = place.sim.state();
    assert!(state.pulls[0].auto.is_none() && state.merges == 0);
    assert_eq!(state.pulls[0].events.len(), 2, "it was taken back: {:?}", state.pulls[0].events);
}

#[tokio::test]
async fn closing_takes_back_what_is_scheduled() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.forge.merge(&opened, &main(), &message("v1")).await.unwrap();
    let scheduled = place.look(&opened).await;
    place.forge.close(&scheduled).await.unwrap();
    {
        let state = place.sim.state();
        assert!(state.pulls[0].auto.is_none() && !state.pulls[0].open);
    }
    // Where nothing is scheduled there is nothing to take back.
    place.forge.unschedule(&scheduled).await.unwrap();
}

#[tokio::test]
async fn what_hidden_rules_keep_from_being_merged_is_left_to_gitea() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    let branch = json!({"name": "main", "protected": false});
    instead(&place, "/branches/main", Reply::json(200, branch));
    let ready = place.look(&opened).await;
    assert_eq!(ready.standing, Standing::Ready, "nothing is known to be in the way");
    let merging = place.forge.merge(&ready, &main(), &message("v1")).await.unwrap();
    assert_eq!(merging, Merging::Scheduled);
}

#[tokio::test]
async fn labels_are_found_by_their_names_and_made_once() {
    let mut place = Place::with(Face::Gitea, |options| {
        options.labels = vec!["rollback".to_owned(), "urgent".to_owned()];
    });
    place.sim.state().labels = (0..70).map(|number| format!("label {number}")).collect();
    place.sim.state().labels.push("rollback".to_owned());
    place.open("backout/a", "v1").await;
    place.open("backout/b", "v0").await;
    let state = place.sim.state();
    assert_eq!(state.labels[70..], ["rollback", "urgent"], "one was there, one was made");
    for pull in &state.pulls {
        assert_eq!(pull.labels.iter().collect::<Vec<_>>(), ["rollback", "urgent"]);
    }
}

#[tokio::test]
async fn somebody_who_is_not_there_keeps_nothing_from_being_opened() {
    let mut place =
        Place::with(Face::Gitea, |options| options.assignees = vec!["nobody-of-that-name".to_owned()]);
    place.open("backout/a", "v1").await;
    place.forge.open_issue("Roll back app", "by hand").await.unwrap();
    let state = place.sim.state();
    assert!(state.pulls[0].open && state.issues[0].open);
}

#[tokio::test]
async fn statuses_are_wanted_by_patterns() {
    let mut place = Place::new(Face::Gitea);
    place.sim.state().rules.required = vec!["ci/*".to_owned(), "deploy".to_owned()];
    let opened = place.open("backout/a", "v1").await;
    assert_eq!(
        blockers(opened.standing.clone()),
        "the required check `ci/*` has not begun; the required check `deploy` has not begun"
    );
    let report = |context: &str, state: &str| {
        let (context, state) = (context.to_owned(), state.to_owned());
        let status = Status { context, state, description: String::new(), url: None };
        place.sim.state().set_status(&opened.head.to_string(), status);
    };
    report("ci/unit/linux (pull_request)", "success");
    report("ci/lint", "pending");
    report("deploy", "success");
    report("other", "failure");
    assert_eq!(blockers(place.look(&opened).await.standing), "the required check `ci/lint` is pending");
    report("ci/lint", "success");
    assert_eq!(place.look(&opened).await.standing, Standing::Ready);
}

#[tokio::test]
async fn without_patterns_every_status_must_be_good() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().check(opened.number, "failure");
    let branch = json!({
        "protected": true, "enable_status_check": true, "status_check_contexts": null, "user_can_merge": false,
    });
    instead(&place, "/branches/main", Reply::json(200, branch));
    assert_eq!(
        blockers(place.look(&opened).await.standing),
        "the required check `ci/test` is failure; the branch's protection does not let the agent merge"
    );
}

#[tokio::test]
async fn only_reviews_that_the_protection_counts_are_counted() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().check(opened.number, "success");
    place.sim.state().rules.approvals = 2;
    let review = |by: &str, state: &str, official: bool, dismissed: bool| {
        json!({
            "user": {"login": by}, "state": state, "official": official, "dismissed": dismissed, "stale": false,
        })
    };
    let reviews = json!([
        review("dana", "APPROVED", true, false),
        review("lee", "APPROVED", true, true),
        review("mallory", "APPROVED", false, false),
        review("mallory", "REQUEST_CHANGES", false, false),
        review("lee", "REQUEST_CHANGES", true, false),
    ]);
    instead(&place, "/reviews", Reply::json(200, reviews));
    let told = blockers(place.look(&opened).await.standing);
    assert_eq!(told, "lee wants changes; an approval is missing");
}

#[tokio::test]
async fn what_must_contain_the_branch_and_does_not_is_behind() {
    let mut place = Place::new(Face::Gitea);
    place.sim.state().rules.up_to_date = true;
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().check(opened.number, "success");
    assert_eq!(place.look(&opened).await.standing, Standing::Ready);
    place.main_moves("other.yaml", "tag: v9\n");
    assert_eq!(place.look(&opened).await.standing, Standing::Behind);
    // Who may not read the rest of the protection does not know of it.
    instead(&place, "/branch_protections/main", Reply::no(403, "user should be an owner or a collaborator"));
    assert_eq!(place.look(&opened).await.standing, Standing::Ready);
}

#[tokio::test]
async fn what_is_not_worked_out_yet_is_no_conflict() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    let (head, base) = (opened.head.to_string(), place.tip("main").to_string());
    for (merge_base, expected) in [(base.as_str(), Standing::Unknown), ("0123", Standing::Conflict)] {
        let pull = json!({
            "number": 1, "html_url": "http://forge.example.com/1", "state": "open", "mergeable": false,
            "created_at": "2026-07-01T10:00:00Z", "merge_base": merge_base, "draft": false,
            "head": {"label": "backout/a", "sha": head}, "base": {"ref": "main", "sha": base},
        });
        instead(&place, "/pulls/1", Reply::json(200, pull));
        assert_eq!(place.look(&opened).await.standing, expected);
    }
}

#[tokio::test]
async fn nobody_is_obeyed_where_it_does_not_tell_who_may_push() {
    let mut place = Place::new(Face::Gitea);
    let opened = place.open("backout/a", "v1").await;
    place.sim.state().comment(opened.number, "dana", "/backout approve");
    instead(&place, "/permission", Reply::no(403, "Only admins can query all permissions"));
    let commands = place.look(&opened).await.commands;
    assert!(commands.len() == 1 && commands[0].right == Right::Missing, "{commands:?}");
}

#[tokio::test]
async fn the_newest_pull_request_is_found_behind_many_others() {
    let mut place = Place::new(Face::Gitea);
    let new = place.proposal("backout/a", "v1");
    let first = place.forge.open(&new).await.unwrap();
    place.forge.close(&first).await.unwrap();
    let second = place.forge.open(&new).await.unwrap();
    place.forge.close(&second).await.unwrap();
    {
        let mut state = place.sim.state();
        let head = first.head.to_string();
        for _ in 0..120 {
            let number = state.next_number();
            let (branch, base) = (format!("feature/{number}"), "main".to_owned());
            state.pulls.push(Pull { number, branch, base, head: head.clone(), ..Pull::default() });
        }
    }
    assert_eq!(place.look(&first).await.number, second.number, "the newest of the branch");
    let none = place.proposal("backout/none", "v0");
    place.sim.fates(|_, _| Fate::Go);
    assert_eq!(place.forge.review(&none.branch, &none.base).await.unwrap(), None);
    assert_eq!(place.sim.log().len(), 2, "one page, and whether there is any");
}

#[tokio::test]
async fn says_what_is_off() {
    let place = Place::new(Face::Gitea);
    let mut info = json!({
        "full_name": "shop/environments", "archived": false, "has_issues": false, "has_pull_requests": true,
        "permissions": {"admin": false, "push": true, "pull": true}, "allow_merge_commits": true,
    });
    instead(&place, "/shop/environments", Reply::json(200, info.clone()));
    let told = place.forge.check(&main(), Delivery::PullRequest).await.unwrap();
    assert!(
        told.contains("issues are off") && told.contains("commands in comments are not obeyed"),
        "{told}"
    );
    for (key, value, expected) in [
        ("has_pull_requests", json!(false), "pull requests are off"),
        ("permissions", json!({"push": false}), "may not push"),
        ("archived", json!(true), "archived"),
    ] {
        info[key] = value;
        instead(&place, "/shop/environments", Reply::json(200, info.clone()));
        let error = place.forge.check(&main(), Delivery::PullRequest).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn pushes_are_told_from_all_else_in_the_feed() {
    let place = Place::new(Face::Gitea);
    let sha = place.tip("main").to_string();
    let pushed = json!({"Commits": [], "HeadCommit": {"Sha1": sha}, "CompareURL": "", "Len": 0}).to_string();
    let entry = |kind: &str, name: &str, content: &str, second: u32| {
        let at = format!("2026-07-01T12:00:{second:02}+02:00");
        json!({"op_type": kind, "ref_name": name, "content": content, "created": at})
    };
    let log = json!([
        entry("commit_repo", "refs/heads/main", &pushed, 9),
        entry("mirror_sync_push", "main", &pushed, 8),
        entry("merge_pull_request", "", "1|Something", 7),
        entry("auto_merge_pull_request", "", "[\"1\",\"Something\"]", 7),
        entry("push_tag", "refs/tags/main", &pushed, 6),
        entry("delete_branch", "refs/heads/main", &pushed, 6),
        entry("commit_repo", "refs/heads/other", &pushed, 5),
        entry("commit_repo", "refs/heads/main", "", 4),
        entry("commit_repo", "refs/heads/main", "{}", 4),
        entry("commit_repo", "refs/heads/main", &json!({"Commits": null, "HeadCommit": null}).to_string(), 4),
        entry("commit_repo", "refs/heads/main", &json!({"HeadCommit": {"Sha1": ""}}).to_string(), 4),
        {"op_type": "create_issue", "ref_name": null, "content": null, "created": "2026-07-01T12:00:03+02:00"},
    ]);
    let expected =
        [(sha.clone(), "2026-07-01T10:00:09Z".to_owned()), (sha, "2026-07-01T10:00:08Z".to_owned())];
    assert_eq!(moves_told(&place, log).await, expected);
}

#[tokio::test]
async fn the_feed_is_read_no_further_than_it_is_asked_about() {
    let mut place = Place::new(Face::Gitea);
    place.main_moves("other.yaml", "tag: v9\n");
    let since = Time::from_unix(place.people.now);
    place.sim.fates(|_, _| Fate::Go);
    assert_eq!(place.forge.moves(&main(), since).await.unwrap().len(), 1);
    assert_eq!(place.sim.log().len(), 1, "the page has something older");
}
