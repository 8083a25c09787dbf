//! What is GitHub's own: every operation is used and allowed, and the answers have the shape of its own examples.

use std::collections::BTreeSet;

use backout::adapters::forge::github::{DOCUMENTS, OPERATIONS};
use backout::adapters::forge::{ForgeAuth, ForgeOptions};
use backout::domain::environment::policy::Delivery;
use backout::domain::review::{CommitStatus, Merging, StatusState};
use backout::domain::time::Time;
use backout::ports::CommitRequest;
use secrecy::SecretString;
use serde_json::json;

use super::{Place, main, message, moves_told, no_comments_at_first};
use crate::support::forge::{Face, Fate, app_key};
use crate::support::openapi::Api;

fn as_app(options: &mut ForgeOptions) {
    let directory = tempfile::tempdir().unwrap();
    let key = SecretString::from(std::fs::read_to_string(app_key(directory.path())).unwrap());
    options.auth = ForgeAuth::App { app_id: 1, installation_id: None, key };
    options.labels = vec!["rollback".to_owned()];
    options.reviewers = vec!["dana".to_owned()];
    options.assignees = vec!["dana".to_owned()];
}

/// Makes use of all that there is.
async fn use_everything(place: &mut Place) {
    let forge = std::sync::Arc::clone(&place.forge);
    place.sim.state().rules.signatures = true;
    let told = forge.check(&main(), Delivery::PullRequest).await.unwrap();
    assert!(told.contains("GitHub makes and signs the commits"), "{told}");
    // Made and brought up to date by the forge, as only it can sign.
    let new = place.proposal("backout/a", "v1");
    place.people.git(&["push", "-q", place.repository.to_str().unwrap(), ":backout/a"]);
    let files = [("app.yaml".parse().unwrap(), Some(b"tag: v1\n".to_vec().into()))].into();
    let first = CommitRequest {
        branch: &new.branch,
        expected: None,
        parent: place.tip("main"),
        onto: None,
        files: &files,
        message: &message("v1"),
        at: Time::from_unix(0),
    };
    let tip = forge.commit(&first, &main()).await.unwrap().unwrap();
    place.main_moves("other.yaml", "tag: v7\n");
    let parent = place.tip("main");
    let second = CommitRequest { expected: Some(tip), onto: Some(tip), parent, ..first };
    forge.commit(&second, &main()).await.unwrap().unwrap();

    let opened = forge.open(&new).await.unwrap();
    place.sim.state().comment(opened.number, "dana", "/backout approve");
    assert_eq!(forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Scheduled);
    let scheduled = place.look(&opened).await;
    forge.unschedule(&scheduled).await.unwrap();
    forge.describe(&scheduled, "more").await.unwrap();
    place.sim.state().check(opened.number, "success");
    let ready = place.look(&opened).await;
    assert_eq!(forge.merge(&ready, &main(), &message("v1")).await.unwrap(), Merging::Merged);
    let commit = place.tip("main");
    place.sim.state().sources.insert(commit.to_string(), opened.number);
    assert_eq!(forge.moves(&main(), Time::from_unix(0)).await.unwrap().len(), 3);
    for text in ["It made things worse.", "It made more things worse."] {
        forge.comment(commit, &format!("<!-- backout:1 -->\n{text}")).await.unwrap();
    }
    // Another agent has written at the same moment.
    place.sim.fates(no_comments_at_first());
    forge.comment(commit, "<!-- backout:1 -->\nIt made things worse.").await.unwrap();
    place.sim.fates(|_, _| Fate::Go);
    let status = CommitStatus {
        commit,
        context: "backout/production/app".to_owned(),
        state: StatusState::Success,
        description: "healthy: all is well".to_owned(),
        url: None,
    };
    forge.status(&status).await.unwrap();
    let other = place.open("backout/b", "v0").await;
    forge.close(&other).await.unwrap();
    place.look(&other).await;
    let issue = forge.open_issue("Roll back app", "By hand").await.unwrap();
    assert_eq!(forge.issues().await.unwrap().len(), 1);
    forge.close_issue(issue.number, "Done").await.unwrap();
}

#[tokio::test]
async fn every_operation_is_used_and_github_allows_each() {
    let mut place = Place::with(Face::GitHub, as_app);
    use_everything(&mut place).await;
    // A place where the branch has a merge queue.
    let mut queued = Place::with(Face::GitHub, |_| {});
    queued.sim.state().rules.queue = true;
    queued.sim.state().rules.required.clear();
    let opened = queued.open("backout/a", "v1").await;
    assert_eq!(queued.forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Scheduled);
    let waiting = queued.look(&opened).await;
    assert!(waiting.scheduled);
    queued.forge.unschedule(&waiting).await.unwrap();

    let (mut used, mut documents) = (BTreeSet::new(), BTreeSet::new());
    for asked in place.sim.all().into_iter().chain(queued.sim.all()) {
        if asked.path == ["graphql"] {
            documents.insert(asked.body.unwrap()["query"].as_str().unwrap().to_owned());
        } else {
            used.insert(Api::github().check(&asked.method, &asked.target, asked.body.as_ref()).unwrap().id);
        }
    }
    assert_eq!(used, OPERATIONS.map(str::to_owned).into());
    assert_eq!(documents, DOCUMENTS.map(str::to_owned).into());
}

#[tokio::test]
async fn what_is_removed_or_not_understood_is_no_move() {
    let place = Place::new(Face::GitHub);
    let sha = place.tip("main").to_string();
    let entry = |name: &str, after: &str, at: &str| json!({"ref": name, "after": after, "timestamp": at});
    let log = json!([
        entry("refs/heads/main", &"0".repeat(40), "2026-07-01T10:00:05Z"),
        entry("refs/heads/other", &sha, "2026-07-01T10:00:04Z"),
        entry("refs/heads/main", "main", "2026-07-01T10:00:03Z"),
        entry("refs/heads/main", &sha, "yesterday"),
        {"ref": "refs/heads/main"},
        entry("refs/heads/main", &sha, "2026-07-01T12:00:00+02:00"),
    ]);
    assert_eq!(moves_told(&place, log).await, [(sha, "2026-07-01T10:00:00Z".to_owned())]);
}
