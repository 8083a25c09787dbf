//! GraphQL, as far as the agent uses it: merging by itself, the merge queue, commits that the forge signs.

use serde_json::{Value, json};

use crate::support::forge::{AGENT, Reply, State, text, user_id};

fn refused(message: &str) -> Reply {
    Reply::json(200, json!({"data": null, "errors": [{"type": "UNPROCESSABLE", "message": message}]}))
}

/// Answers a document.
pub(super) fn answer(state: &mut State, body: &Value) -> Reply {
    let query = text(body, "query");
    let input = body["variables"]["input"].clone();
    let number =
        |key: &str| text(&input, key).strip_prefix("PR_").and_then(|number| number.parse::<u64>().ok());
    let done = |name: &str| Reply::json(200, json!({"data": {name: {"clientMutationId": null}}}));
    if query.contains("viewer") {
        if !state.tells_account {
            let problem = json!({"type": "FORBIDDEN", "message": "Resource not accessible by integration"});
            return Reply::json(200, json!({"data": null, "errors": [problem]}));
        }
        return Reply::json(200, json!({"data": {"viewer": {"databaseId": user_id(AGENT), "login": AGENT}}}));
    }
    if query.contains("enablePullRequestAutoMerge") {
        let found = state.pull(number("pullRequestId").unwrap()).unwrap().clone();
        if !state.rules.auto_merge {
            return refused("Auto merge is not allowed for this repository");
        }
        if text(&input, "expectedHeadOid") != found.head {
            return refused("Head branch is out of date");
        }
        if state.standing(&found) == "clean" {
            return refused("Pull request Pull request is in clean status");
        }
        let way = input["mergeMethod"].as_str().unwrap_or("MERGE").to_lowercase();
        if !state.rules.queue && !state.rules.ways.contains(&way) {
            return refused("Merge method is not allowed on this repository");
        }
        let auto = (way, text(&input, "commitHeadline"), text(&input, "commitBody"));
        state.pull(found.number).unwrap().auto = Some(auto);
        done("enablePullRequestAutoMerge")
    } else if query.contains("disablePullRequestAutoMerge") {
        state.pull(number("pullRequestId").unwrap()).unwrap().auto = None;
        done("disablePullRequestAutoMerge")
    } else if query.contains("enqueuePullRequest") {
        if !state.rules.queue {
            return refused("The branch has no merge queue");
        }
        state.pull(number("pullRequestId").unwrap()).unwrap().queued = true;
        done("enqueuePullRequest")
    } else if query.contains("dequeuePullRequest") {
        state.pull(number("id").unwrap()).unwrap().queued = false;
        done("dequeuePullRequest")
    } else if query.contains("createCommitOnBranch") {
        create_commit(state, &input)
    } else if query.contains("isInMergeQueue") {
        let number = body["variables"]["number"].as_u64().unwrap();
        let queued = state.pull(number).is_some_and(|pull| pull.queued);
        Reply::json(200, json!({"data": {"repository": {"pullRequest": {"isInMergeQueue": queued}}}}))
    } else {
        let allowed = |way: &str| state.rules.ways.iter().any(|one| one == way);
        let signatures = state.rules.signatures;
        let queue = state.rules.queue.then(|| json!({"id": "MQ_1"}));
        Reply::json(
            200,
            json!({"data": {"repository": {
                "autoMergeAllowed": state.rules.auto_merge, "squashMergeAllowed": allowed("squash"),
                "mergeCommitAllowed": allowed("merge"), "rebaseMergeAllowed": allowed("rebase"), "mergeQueue": queue,
                "ref": {"refUpdateRule": {"requiresSignatures": signatures, "requiresLinearHistory": false},
                        "rules": {"nodes": [{"type": "REQUIRED_STATUS_CHECKS"}]}},
            }}}),
        )
    }
}

fn create_commit(state: &mut State, input: &Value) -> Reply {
    use base64::Engine as _;
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let mut files = Vec::new();
    for added in input["fileChanges"]["additions"].as_array().into_iter().flatten() {
        files.push((text(added, "path"), Some(decode(&text(added, "contents")))));
    }
    for gone in input["fileChanges"]["deletions"].as_array().into_iter().flatten() {
        files.push((text(gone, "path"), None));
    }
    let message = format!("{}\n\n{}", text(&input["message"], "headline"), text(&input["message"], "body"));
    let branch = text(&input["branch"], "branchName");
    match state.commit_on(&branch, &text(input, "expectedHeadOid"), &files, &message) {
        Some(oid) => Reply::json(200, json!({"data": {"createCommitOnBranch": {"commit": {"oid": oid}}}})),
        None => Reply::json(
            200,
            json!({"data": null, "errors": [
                {"type": "STALE_DATA", "message": "Expected branch to point to something else"},
            ]}),
        ),
    }
}
