//! The way through an independent emulator of GitHub: log in as an App, branch, pull request, check, merge.
//!
//! It has no Git over HTTP, so the branch and its commit are made through its API here, as a push would make them. It has
//! neither GraphQL nor statuses nor rulesets either: the adapter does without.

use backout::adapters::forge::{ForgeAuth, ForgeKind, ForgeOptions, connect};
use backout::adapters::http::HttpOptions;
use backout::domain::environment::policy::Delivery;
use backout::domain::ids::BranchName;
use backout::domain::review::{Merging, NewReview, ReviewState};
use backout::ports::ForgeError;
use base64::Engine as _;
use secrecy::SecretString;
use serde_json::json;

use super::{main, message};
use crate::support::emulator::{APP_ID, CHECK, Emulator, FILE, OWNER, REPO};

fn options(emulator: &Emulator, key: &str, installation_id: Option<u64>) -> ForgeOptions {
    ForgeOptions {
        kind: ForgeKind::GitHub,
        api: emulator.url().parse().unwrap(),
        repository: format!("{OWNER}/{REPO}"),
        auth: ForgeAuth::App { app_id: APP_ID, installation_id, key: SecretString::from(key) },
        labels: vec!["rollback".to_owned()],
        reviewers: Vec::new(),
        code_owners: true,
        assignees: Vec::new(),
        signed: false,
        http: HttpOptions::default(),
    }
}

fn at(path: &str) -> String {
    format!("/repos/{OWNER}/{REPO}/{path}")
}

/// A branch with a commit that changes the file.
async fn branch(emulator: &Emulator, name: &str, text: &str) -> String {
    let (_, tip) = emulator.request("GET", &at("git/ref/heads/main"), None).await;
    let new = json!({"ref": format!("refs/heads/{name}"), "sha": tip["object"]["sha"]});
    assert_eq!(emulator.request("POST", &at("git/refs"), Some(&new)).await.0, 201);
    let (_, file) = emulator.request("GET", &at(&format!("contents/{FILE}?ref=main")), None).await;
    let content = base64::engine::general_purpose::STANDARD.encode(text);
    let change = json!({"message": message("v1"), "content": content, "branch": name, "sha": file["sha"]});
    let (status, made) = emulator.request("PUT", &at(&format!("contents/{FILE}")), Some(&change)).await;
    assert_eq!(status, 200, "{made}");
    made["commit"]["sha"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_app_takes_a_revert_through_a_pull_request_and_its_check_to_the_branch() {
    let emulator = Emulator::start();
    for installation_id in [None, Some(crate::support::emulator::INSTALLATION)] {
        let name = format!("backout/production/app/{}", installation_id.unwrap_or(0));
        let head = branch(&emulator, &name, "tag: v1\n").await;
        let forge = connect(options(&emulator, emulator.private_key(), installation_id)).unwrap().forge;
        let new = NewReview {
            branch: BranchName::new(&*name).unwrap(),
            base: main(),
            title: "Revert app in production: v2 → v1".to_owned(),
            body: "<!-- backout-id: 1 -->\nIt made things worse.".to_owned(),
            owners: Vec::new(),
        };
        assert_eq!(forge.review(&new.branch, &new.base).await.unwrap(), None);
        let opened = forge.open(&new).await.unwrap();
        assert_eq!(opened.head.to_string(), head);
        let waiting = forge.merge(&opened, &main(), &message("v1")).await.unwrap();
        assert!(matches!(&waiting, Merging::Waiting(why) if why.contains("status checks")), "{waiting:?}");
        let run = json!({"name": CHECK, "head_sha": head, "status": "completed", "conclusion": "success"});
        assert_eq!(emulator.request("POST", &at("check-runs"), Some(&run)).await.0, 201);
        assert_eq!(forge.merge(&opened, &main(), &message("v1")).await.unwrap(), Merging::Merged);
        let merged = forge.review(&new.branch, &new.base).await.unwrap().unwrap();
        assert_eq!(merged.state, ReviewState::Merged);
        let (_, tip) = emulator.request("GET", &at("branches/main"), None).await;
        let text = tip["commit"]["sha"].as_str().unwrap();
        let (_, commit) = emulator.request("GET", &at(&format!("git/commits/{text}")), None).await;
        let told = commit["message"].as_str().unwrap();
        assert!(told.contains("Backout-Id: 1\nBackout-Service: app"), "{told}");
        // The next turn is about the same file.
        let back = branch(&emulator, &format!("again-{name}"), "tag: v2\n").await;
        let (_, file) = emulator.request("GET", &at(&format!("contents/{FILE}?ref=main")), None).await;
        assert_eq!(
            file["content"].as_str().unwrap().trim(),
            "dGFnOiB2MQo=",
            "the good value is on the branch"
        );
        assert_ne!(back, head);
    }
}

#[tokio::test]
async fn a_key_of_another_app_is_refused_with_what_to_check() {
    let emulator = Emulator::start();
    let directory = tempfile::tempdir().unwrap();
    let key = std::fs::read_to_string(crate::support::forge::app_key(directory.path())).unwrap();
    let forge = connect(options(&emulator, &key, None)).unwrap().forge;
    match forge.check(&main(), Delivery::PullRequest).await {
        Err(ForgeError::Denied(reason)) => {
            assert!(reason.contains("`forge.auth`"), "{reason}");
            assert!(!reason.contains("PRIVATE"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
