//! The check of requests and answers against the forges' descriptions of their APIs.

use serde_json::{Value, json};

use crate::support::openapi::Api;

#[track_caller]
fn accepts(api: Api, method: &str, path: &str, body: Option<&Value>, id: &str) {
    let operation = api.check(method, path, body).unwrap();
    assert_eq!(operation.id, id, "{operation:?}");
}

/// The request is wrong, and the error says each of these things.
#[track_caller]
fn refuses(api: Api, method: &str, path: &str, body: Option<&Value>, says: &[&str]) {
    let error = api.check(method, path, body).unwrap_err();
    for word in says {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

fn pull() -> Value {
    json!({"title": "Roll back", "head": "backout/web", "base": "main", "body": "Why", "draft": false})
}

#[test]
fn good_requests_to_github_are_accepted() {
    let github = Api::github();
    let pulls = "/repos/o/r/pulls?head=o%3Abackout%2Fweb&base=main&state=all&per_page=100";
    accepts(github, "GET", pulls, None, "pulls/list");
    accepts(github, "POST", "/repos/o/r/pulls", Some(&pull()), "pulls/create");
    let merge = json!({"sha": "abc", "merge_method": "squash", "commit_title": "x"});
    accepts(github, "PUT", "/repos/o/r/pulls/7/merge", Some(&merge), "pulls/merge");
    accepts(github, "PUT", "/repos/o/r/pulls/7/merge", None, "pulls/merge");
    let issue = json!({"title": "x", "labels": ["a", {"name": "b"}], "assignees": ["me"], "milestone": null});
    accepts(github, "POST", "/repos/o/r/issues", Some(&issue), "issues/create");
    let status = json!({"state": "success", "context": "backout", "description": null});
    accepts(github, "POST", "/repos/o/r/statuses/abc", Some(&status), "repos/create-commit-status");
    let token = json!({"repositories": ["r"], "permissions": {"contents": "write"}});
    let tokens = "/app/installations/12/access_tokens";
    accepts(github, "POST", tokens, Some(&token), "apps/create-installation-access-token");
    let run = json!({"name": "x", "head_sha": "abc", "status": "completed", "conclusion": "success"});
    accepts(github, "POST", "/repos/o/r/check-runs", Some(&run), "checks/create");
}

#[test]
fn the_most_literal_path_is_found() {
    let github = Api::github();
    accepts(github, "GET", "/repos/o/r/contents/a/b%20c.yaml?ref=main", None, "repos/get-content");
    accepts(github, "GET", "/repos/o/r/branches/release/1.0", None, "repos/get-branch");
    accepts(github, "GET", "/repos/o/r/branches/release/1.0/protection", None, "repos/get-branch-protection");
    accepts(
        github,
        "GET",
        "/repos/o/r/commits/abc/pulls",
        None,
        "repos/list-pull-requests-associated-with-commit",
    );
    accepts(github, "GET", "/repos/o/r/releases/latest", None, "repos/get-latest-release");
    accepts(github, "GET", "/repos/o/r/releases/7", None, "repos/get-release");
    accepts(github, "GET", "/repos/o/r/compare/a...b", None, "repos/compare-commits");
    accepts(github, "GET", "/repos/o/r/compare/x/a...x/b", None, "repos/compare-commits-with-basehead");
    let branch = github.check("DELETE", "/repos/o/r/git/refs/heads/a%2Fb/c", None).unwrap();
    let path = "/repos/{owner}/{repo}/git/refs/{ref}";
    assert_eq!((branch.method.as_str(), branch.path.as_str()), ("delete", path));
    refuses(github, "GET", "/repos/o/r/pulls/", None, &["no such path"]);
}

#[test]
fn wrong_requests_to_github_are_refused() {
    let github = Api::github();
    let with = |key: &str, value: Value| {
        let mut body = pull();
        body[key] = value;
        body
    };
    let pulls = "/repos/o/r/pulls";
    refuses(github, "POST", pulls, Some(&with("titel", json!("x"))), &["pulls/create", "titel"]);
    refuses(github, "POST", pulls, Some(&with("draft", json!("yes"))), &["/draft", "boolean"]);
    refuses(github, "POST", pulls, Some(&json!({"title": "x", "head": "y"})), &["base", "required"]);
    refuses(github, "POST", pulls, None, &["needs a body"]);
    refuses(github, "POST", pulls, Some(&json!([])), &["object"]);
    refuses(
        github,
        "PUT",
        pulls,
        Some(&with("draft", json!(true))),
        &["has no PUT of /repos/{owner}/{repo}/pulls"],
    );
    refuses(github, "GET", "/repos/o/r/pull", None, &["no such path"]);
    refuses(github, "GET", "/repos/o/r/pulls?heads=x", None, &["takes no heads"]);
    refuses(github, "GET", "/repos/o/r/pulls?state=merged", None, &["state in the query is `merged`"]);
    refuses(
        github,
        "GET",
        "/repos/o/r/pulls?state=all&state=open",
        None,
        &["state in the query is `all, open`"],
    );
    refuses(github, "GET", "/repos/o/r/pulls?per_page=many", None, &["per_page"]);
    refuses(github, "GET", "/search/issues?sort=created", None, &["needs q"]);
    refuses(github, "GET", "/repos/o/r/pulls/seven", None, &["pull_number in the path is `seven`"]);
    refuses(github, "GET", pulls, Some(&json!({})), &["takes no body"]);
    let merge = json!({"merge_method": "fast-forward", "commit": "x"});
    refuses(github, "PUT", "/repos/o/r/pulls/7/merge", Some(&merge), &["fast-forward", "squash", "'commit'"]);
    let token = json!({"permissions": {"content": "write"}});
    refuses(github, "POST", "/app/installations/12/access_tokens", Some(&token), &["'content'"]);
    let issue = json!({"title": "x", "labels": [{"names": "b"}]});
    refuses(github, "POST", "/repos/o/r/issues", Some(&issue), &["/labels/0", "'names'"]);
    let run = json!({"name": "x", "head_sha": "abc", "conclude": "success"});
    refuses(github, "PATCH", "/repos/o/r/check-runs/1", Some(&run), &["checks/update", "'conclude'"]);
}

#[test]
fn a_base_path_is_needed_where_there_is_one() {
    let enterprise = Api::github().under("/api/v3");
    accepts(enterprise, "GET", "/api/v3/repos/o/r", None, "repos/get");
    refuses(enterprise, "GET", "/repos/o/r", None, &["not under /api/v3"]);
    refuses(Api::github(), "GET", "/api/v3/repos/o/r", None, &["no such path"]);
}

#[test]
fn requests_to_forgejo_are_checked() {
    let forgejo = Api::forgejo().under("/api/v1");
    let merge = "/api/v1/repos/o/r/pulls/7/merge";
    let body = json!({"Do": "squash", "head_commit_id": "abc", "MergeTitleField": "x"});
    accepts(forgejo, "POST", merge, Some(&body), "repoMergePullRequest");
    refuses(forgejo, "POST", merge, Some(&json!({"do": "squash"})), &["'do'", "\"Do\" is a required"]);
    refuses(forgejo, "POST", merge, Some(&json!({"Do": "amend"})), &["/Do", "amend"]);
    refuses(forgejo, "PUT", merge, None, &["has no PUT"]);
    refuses(forgejo, "POST", "/api/v1/repos/o/r/pulls/x/merge", None, &["index in the path is `x`"]);
    accepts(forgejo, "GET", "/api/v1/repos/o/r/pulls?state=all&page=1", None, "repoListPullRequests");
    refuses(forgejo, "GET", "/api/v1/repos/o/r/pulls?state=all&per_page=1", None, &["takes no per_page"]);
    accepts(forgejo, "GET", "/api/v1/repos/o/r/contents/a/b.yaml?ref=main", None, "repoGetContents");
    let pull = json!({"title": "x", "head": "backout/web", "base": "main"});
    accepts(forgejo, "POST", "/api/v1/repos/o/r/pulls", Some(&pull), "repoCreatePullRequest");
    let status = json!({"state": "success", "context": "backout"});
    accepts(forgejo, "POST", "/api/v1/repos/o/r/statuses/abc", Some(&status), "repoCreateStatus");
}

#[test]
fn answers_of_github_are_checked() {
    let github = Api::github();
    let merge = github.check("PUT", "/repos/o/r/pulls/7/merge", None).unwrap();
    let good = json!({"sha": "abc", "merged": true, "message": "Pull Request successfully merged"});
    github.check_response(&merge, 200, Some(&good)).unwrap();
    let conflict =
        json!({"message": "Head branch was modified", "documentation_url": "https://example.test"});
    github.check_response(&merge, 409, Some(&conflict)).unwrap();
    for (status, body, says) in [
        (200, Some(json!({"sha": "abc", "merged": "yes", "message": ""})), "/merged"),
        (200, Some(json!({"sha": "abc", "merged": true})), "\"message\" is a required"),
        (200, Some(json!({"sha": "abc", "merged": true, "message": "", "mergd": 1})), "'mergd'"),
        (200, None, "has no body"),
        (418, Some(json!({})), "not among its statuses 200"),
    ] {
        let error = github.check_response(&merge, status, body.as_ref()).unwrap_err();
        assert!(error.contains(says) && error.contains("pulls/merge"), "{error}");
    }
    let create = github.check("POST", "/repos/o/r/pulls", Some(&pull())).unwrap();
    let error = github.check_response(&create, 201, Some(&json!({"number": 7}))).unwrap_err();
    assert_eq!(error.matches("required").count(), 5, "only the first problems: {error}");
    let delete = github.check("DELETE", "/repos/o/r/git/refs/heads/a/b", None).unwrap();
    github.check_response(&delete, 204, None).unwrap();
    assert!(github.check_response(&delete, 204, Some(&json!({}))).unwrap_err().contains("no JSON body"));
}

#[test]
fn answers_of_forgejo_are_checked_with_nulls_for_what_is_not_set() {
    let forgejo = Api::forgejo();
    let get = forgejo.check("GET", "/repos/o/r/pulls/7", None).unwrap();
    let good = json!({"number": 7, "state": "open", "merged_at": null, "assignee": null});
    forgejo.check_response(&get, 200, Some(&good)).unwrap();
    let error = forgejo.check_response(&get, 200, Some(&json!({"number": "7", "stat": 1}))).unwrap_err();
    assert!(error.contains("/number") && error.contains("'stat'"), "{error}");
    let merge = forgejo.check("POST", "/repos/o/r/pulls/7/merge", None).unwrap();
    forgejo.check_response(&merge, 405, None).unwrap();
    forgejo.check_response(&merge, 413, Some(&json!({"message": "too much"}))).unwrap();
    assert!(forgejo.check_response(&merge, 422, None).is_err());
}

#[test]
fn the_descriptions_own_examples_are_right_by_them() {
    let (good, wrong) = Api::github().check_examples();
    // Those that are wrong are so themselves: they lack what is required, or have what is not declared.
    assert!(good > 1000 && wrong.len() * 4 < good, "{good} are right:\n{}", wrong.join("\n"));
    assert_eq!(Api::forgejo().check_examples(), (0, Vec::new()), "it has none, and all of it can be read");
}
