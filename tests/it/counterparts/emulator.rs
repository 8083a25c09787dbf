//! The simulated GitHub.

use serde_json::json;

use crate::support::emulator::{CHECK, Emulator, FILE, OWNER, REPO};

#[tokio::test]
async fn a_pull_request_is_merged_only_with_the_required_check() {
    let github = Emulator::start();
    assert!(github.url().starts_with("http://127.0.0.1:"));
    assert!(github.private_key().contains("PRIVATE KEY"));
    let at = |path: &str| format!("/repos/{OWNER}/{REPO}/{path}");
    let (status, file) = github.request("GET", &at(&format!("contents/{FILE}?ref=main")), None).await;
    assert_eq!(status, 200, "{file}");
    let (_, main) = github.request("GET", &at("git/ref/heads/main"), None).await;
    let branch = json!({"ref": "refs/heads/back", "sha": main["object"]["sha"]});
    assert_eq!(github.request("POST", &at("git/refs"), Some(&branch)).await.0, 201);
    let change = json!({"message": "x", "content": "eA==", "branch": "back", "sha": file["sha"]});
    assert_eq!(github.request("PUT", &at(&format!("contents/{FILE}")), Some(&change)).await.0, 200);
    let open = json!({"title": "x", "head": "back", "base": "main"});
    let (status, pull) = github.request("POST", &at("pulls"), Some(&open)).await;
    assert_eq!(status, 201, "{pull}");
    let merge = at(&format!("pulls/{}/merge", pull["number"]));
    let how = json!({"merge_method": "squash", "sha": pull["head"]["sha"]});
    let (status, refusal) = github.request("PUT", &merge, Some(&how)).await;
    assert_eq!(status, 422, "without the check: {refusal}");
    let run = json!({
        "name": CHECK, "head_sha": pull["head"]["sha"], "status": "completed", "conclusion": "success"
    });
    assert_eq!(github.request("POST", &at("check-runs"), Some(&run)).await.0, 201);
    let (status, refusal) = github.request_as("unknown", "PUT", &merge, Some(&how)).await;
    assert!(status == 403 || status == 404, "whoever has no power: {status} {refusal}");
    let (status, merged) = github.request("PUT", &merge, Some(&how)).await;
    assert_eq!((status, &merged["merged"]), (200, &json!(true)), "{merged}");
}
