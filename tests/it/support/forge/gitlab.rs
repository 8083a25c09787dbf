//! The simulated forge as GitLab shows it: as much of version 4 of its REST API as the agent uses.

use serde_json::{Value, json};

use super::{AGENT, Asked, Issue, Move, Pull, REPOSITORY, Reply, State, Status, rfc3339, text, user_id};
use crate::support::git::try_git;

mod documented;

pub(super) use self::documented::complaints;

/// The ids of the project, and of a fork of it.
const PROJECT: u64 = 7;
const FORK: u64 = 8;
/// What a merge request's number is more than to be the id of its pipeline.
const PIPELINES: u64 = 5000;

/// Answers a request.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    // Fast-forward needs what rules can want elsewhere.
    state.rules.up_to_date |= merge_method(state) == "ff";
    let token = asked.headers.get("authorization").and_then(|auth| auth.strip_prefix("Bearer "));
    if !token.is_some_and(|token| state.tokens.contains(token)) {
        return Reply::no(401, "401 Unauthorized");
    }
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let body = asked.body.clone().unwrap_or_default();
    match path.as_slice() {
        ["api", "v4", "user"] if !state.tells_account => {
            let said = "The request requires higher privileges than provided by the access token.";
            Reply::json(403, json!({"error": "insufficient_scope", "error_description": said}))
        }
        ["api", "v4", "user"] => Reply::json(200, user(AGENT)),
        ["api", "v4", "version"] => {
            Reply::json(200, json!({"version": state.version, "revision": "c401a659d0c"}))
        }
        ["api", "v4", "users"] => {
            let name = asked.query.get("username").unwrap();
            let found: Vec<&String> = state.people.keys().filter(|one| *one == name).collect();
            Reply::json(200, json!(found.iter().map(|name| user(name)).collect::<Vec<_>>()))
        }
        ["api", "v4", "projects", name, rest @ ..] if *name == REPOSITORY => {
            project(state, asked, rest, &body)
        }
        ["api", "v4", "projects", ..] => Reply::no(404, "404 Project Not Found"),
        _ => Reply::json(404, json!({"error": "404 Not Found"})),
    }
}

fn user(name: &str) -> Value {
    json!({"id": user_id(name), "username": name, "name": name, "state": "active"})
}

fn users<'a>(names: impl IntoIterator<Item = &'a String>) -> Value {
    names.into_iter().map(|name| user(name)).collect()
}

/// The names of the users in a list of ids; ids of nobody are passed over.
fn names(state: &State, body: &Value, key: &str) -> Vec<String> {
    let ids = body[key].as_array().into_iter().flatten().filter_map(Value::as_u64);
    let ids: Vec<u64> = ids.collect();
    state.people.keys().filter(|name| ids.contains(&(user_id(name)))).cloned().collect()
}

fn labels(body: &Value) -> Vec<String> {
    text(body, "labels").split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

/// The ways to merge that the rules allow, as GitLab's two settings: the first is what the project prefers.
fn squash_option(state: &State) -> &'static str {
    let ways: Vec<&str> = state.rules.ways.iter().map(String::as_str).collect();
    match ways.as_slice() {
        ["squash"] => "always",
        ["squash", ..] => "default_on",
        ways if ways.contains(&"squash") => "default_off",
        _ => "never",
    }
}

fn merge_method(state: &State) -> &'static str {
    if state.rules.ways.iter().any(|way| way == "merge") { "merge" } else { "ff" }
}

fn project(state: &mut State, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    let method = asked.method.as_str();
    match (method, path) {
        ("GET", []) => Reply::json(200, info(state)),
        ("GET", ["merge_requests"]) => list_requests(state, asked),
        ("POST", ["merge_requests"]) => open(state, body),
        (_, ["merge_requests", number, rest @ ..]) => {
            match number.parse().ok().and_then(|number| state.pull(number).cloned()) {
                Some(found) => one_request(state, asked, &found, rest, body),
                None => Reply::no(404, "404 Not found"),
            }
        }
        ("POST", ["merge_trains", "merge_requests", number]) => {
            match number.parse().ok().and_then(|number| state.pull(number).cloned()) {
                Some(found) => board(state, &found, body),
                None => Reply::no(404, "404 Not found"),
            }
        }
        (_, ["issues", rest @ ..]) => issues(state, asked, rest, body),
        ("GET", ["members", "all", id]) => {
            let found = state.people.iter().find(|(name, _)| user_id(name).to_string() == *id);
            match found {
                Some((name, may_push)) => {
                    let mut member = user(name);
                    member["access_level"] = json!(match may_push {
                        true if state.admins.contains(name) => 40,
                        true => 30,
                        false => 20,
                    });
                    Reply::json(200, member)
                }
                None => Reply::no(404, "404 Not found"),
            }
        }
        ("GET", ["repository", "branches", branch]) => match state.tip(branch) {
            Some(tip) => Reply::json(
                200,
                json!({
                    "name": branch, "commit": {"id": tip}, "protected": true,
                    "developers_can_merge": state.rules.mergers.is_none(),
                    "developers_can_push": false, "can_push": state.rules.pushes,
                }),
            ),
            None => Reply::no(404, "404 Branch Not Found"),
        },
        ("GET", ["protected_branches"]) => protections(state, asked),
        ("GET", ["repository", "commits", sha, "statuses"]) => statuses(state, asked, sha),
        ("GET", ["repository", "commits", sha, "merge_requests"]) => {
            let number = state.sources.get(*sha).copied();
            let of_it = state.pulls.iter().filter(|pull| Some(pull.number) == number);
            Reply::json(200, of_it.map(|pull| request(state, pull)).collect())
        }
        ("POST", ["statuses", sha]) => new_status(state, sha, body),
        ("GET", ["events"]) => events(state, asked),
        ("GET", ["pipelines", id, "jobs"]) => {
            let number = id.parse::<u64>().unwrap() - PIPELINES;
            let pull = state.pulls.iter().find(|pull| pull.number == number).unwrap();
            page(asked, jobs(state, pull))
        }
        _ => Reply::json(404, json!({"error": "404 Not Found"})),
    }
}

/// The rules of branches, of which the one for `main` is by a pattern.
fn protections(state: &State, asked: &Asked) -> Reply {
    if !state.rules.tells_mergers {
        return Reply::no(403, "403 Forbidden");
    }
    let level = |access: u32, user: Value| json!({"access_level": access, "user_id": user, "group_id": null});
    let merging: Vec<Value> = match &state.rules.mergers {
        None => vec![level(30, Value::Null)],
        Some(names) => std::iter::once(level(40, Value::Null))
            .chain(names.iter().map(|name| level(40, json!(user_id(name)))))
            .collect(),
    };
    let rule = |name: &str, merging: Value| json!({"id": 1, "name": name, "merge_access_levels": merging});
    let others = json!([level(30, Value::Null)]);
    page(asked, vec![rule("main-*", others.clone()), rule("ma*n", json!(merging)), rule("mai", others)])
}

fn info(state: &State) -> Value {
    json!({
        "id": PROJECT, "path_with_namespace": REPOSITORY, "archived": false, "issues_enabled": state.rules.issues,
        "issues_access_level": if state.rules.issues { "enabled" } else { "disabled" }, "merge_requests_enabled": true, "merge_method": merge_method(state),
        "squash_option": squash_option(state), "merge_trains_enabled": state.rules.queue,
        "only_allow_merge_if_pipeline_succeeds": !state.rules.required.is_empty(),
        "permissions": {"project_access": {"access_level": 30}, "group_access": null},
    })
}

/// A page of a list, with where the next one is.
fn page(asked: &Asked, all: Vec<Value>) -> Reply {
    super::page(asked, all, "per_page")
}

/// The state of a required check.
fn check(state: &State, pull: &Pull, name: &str) -> &'static str {
    let found = state.last_statuses(&pull.head).into_iter().find(|status| status.context == name);
    match found.as_ref().map(|status| status.state.as_str()) {
        None => "created",
        Some("success") => "success",
        Some("failure") => "failed",
        Some(_) => "running",
    }
}

fn jobs(state: &State, pull: &Pull) -> Vec<Value> {
    let one = |name: &String| json!({"id": 1, "name": name, "status": check(state, pull, name), "allow_failure": false, "stage": "test"});
    let mut all =
        vec![json!({"id": 2, "name": "lint", "status": "failed", "allow_failure": true, "stage": "test"})];
    all.extend(state.rules.required.iter().map(one));
    all
}

/// The state of the pipeline; none where there is none.
fn pipeline(state: &State, pull: &Pull) -> Option<&'static str> {
    let states: Vec<&str> = state.rules.required.iter().map(|name| check(state, pull, name)).collect();
    if states.is_empty() {
        return None;
    }
    Some(match states {
        states if states.contains(&"failed") => "failed",
        states if states.iter().all(|state| *state == "success") => "success",
        _ => "running",
    })
}

/// What GitLab looks at to say whether a merge request conflicts; a look at another state is none at this.
fn looked_at(state: &State, pull: &Pull) -> String {
    format!("{:?}..{}", state.tip(&pull.base), pull.head)
}

/// How a merge request stands, in GitLab's words.
fn standing(state: &State, pull: &Pull) -> &'static str {
    if !pull.open {
        return "not_open";
    }
    match state.standing(pull) {
        _ if pull.fork || pull.looked_at.as_ref() != Some(&looked_at(state, pull)) => "unchecked",
        "clean" => "mergeable",
        "dirty" => "conflict",
        "behind" => "need_rebase",
        "draft" => "draft_status",
        _ if !pull.changes_wanted_by.is_empty() => "requested_changes",
        _ if pull.approved_by.len() < state.rules.approvals => "not_approved",
        _ if pipeline(state, pull) == Some("running") => "ci_still_running",
        _ => "ci_must_pass",
    }
}

/// A merge request as lists show it.
fn request(state: &State, pull: &Pull) -> Value {
    let standing = standing(state, pull);
    let shown = match (pull.open, pull.merged) {
        (true, _) => "opened",
        (_, true) => "merged",
        (_, false) => "closed",
    };
    let closer = pull.closed_by.as_ref().filter(|_| shown == "closed");
    json!({
        "id": pull.number + 1000, "iid": pull.number, "project_id": PROJECT, "title": pull.title,
        "description": pull.body, "state": shown, "created_at": rfc3339(pull.created_at),
        "web_url": format!("{}/{REPOSITORY}/-/merge_requests/{}", state.url, pull.number),
        "source_branch": pull.branch, "target_branch": pull.base, "target_project_id": PROJECT,
        "source_project_id": if pull.fork { FORK } else { PROJECT }, "sha": pull.head,
        "draft": pull.draft, "work_in_progress": pull.draft, "author": user(&pull.by),
        "merge_when_pipeline_succeeds": pull.auto.is_some() || pull.queued,
        "merge_commit_sha": pull.merge_commit,
        "detailed_merge_status": standing,
        "merge_status": match standing {
            "unchecked" => "unchecked",
            "conflict" => "cannot_be_merged",
            _ => "can_be_merged",
        },
        "closed_by": closer.map(|name| user(name)), "labels": pull.labels,
        "assignees": users(&pull.assignees), "reviewers": users(&pull.reviewers),
    })
}

/// A merge request in full.
fn whole(state: &State, pull: &Pull) -> Value {
    let mut shown = request(state, pull);
    let pipeline = pipeline(state, pull);
    shown["head_pipeline"] = json!(
        pipeline.map(|status| json!({"id": pull.number + PIPELINES, "status": status, "sha": pull.head}))
    );
    shown
}

fn shown(state: &mut State, status: u16, number: u64) -> Reply {
    let pull = state.pull(number).unwrap().clone();
    Reply::json(status, whole(state, &pull))
}

fn list_requests(state: &State, asked: &Asked) -> Reply {
    let wanted = |name: &str| asked.query.get(name).map(String::as_str);
    let fits = |one: &&Pull| {
        wanted("source_branch").is_none_or(|branch| branch == one.branch)
            && wanted("target_branch").is_none_or(|branch| branch == one.base)
            && (matches!(wanted("state"), None | Some("all")) || one.open)
    };
    page(asked, state.pulls.iter().rev().filter(fits).map(|one| request(state, one)).collect())
}

fn open(state: &mut State, body: &Value) -> Reply {
    for key in ["title", "source_branch", "target_branch"] {
        if text(body, key).is_empty() {
            return Reply::json(400, json!({"error": format!("{key} is missing")}));
        }
    }
    let (branch, base) = (text(body, "source_branch"), text(body, "target_branch"));
    let same = |pull: &&Pull| pull.open && !pull.fork && pull.branch == branch && pull.base == base;
    if let Some(there) = state.pulls.iter().find(same) {
        let message =
            format!("Another open merge request already exists for this source branch: !{}", there.number);
        return Reply::json(409, json!({"message": [message]}));
    }
    let number = match state.open(&branch, &base, &text(body, "title"), &text(body, "description")) {
        Ok(number) => number,
        Err(message) => return Reply::json(422, json!({"message": [message]})),
    };
    let (reviewers, assignees) = (names(state, body, "reviewer_ids"), names(state, body, "assignee_ids"));
    let pull = state.pull(number).unwrap();
    pull.labels.extend(labels(body));
    pull.reviewers.extend(reviewers);
    pull.assignees.extend(assignees);
    shown(state, 201, number)
}

fn one_request(state: &mut State, asked: &Asked, found: &Pull, rest: &[&str], body: &Value) -> Reply {
    let number = found.number;
    match (asked.method.as_str(), rest) {
        ("GET", []) => shown(state, 200, number),
        ("PUT", []) => {
            let pull = state.pull(number).unwrap();
            if let Some(new) = body["description"].as_str() {
                pull.body = new.to_owned();
            }
            if body["state_event"] == "close" && pull.open {
                (pull.open, pull.auto, pull.closed_by) = (false, None, Some(AGENT.to_owned()));
            }
            shown(state, 200, number)
        }
        ("PUT", ["merge"]) => merge(state, found, body),
        ("POST", ["cancel_merge_when_pipeline_succeeds"]) => {
            if found.auto.is_none() && !found.queued {
                let said = json!({
                    "status": "error", "message": "Can't cancel the automatic merge", "http_status": 406,
                });
                return Reply::json(201, said);
            }
            let pull = state.pull(number).unwrap();
            (pull.auto, pull.auto_head, pull.queued) = (None, None, false);
            Reply::json(201, json!({"status": "success"}))
        }
        ("GET", ["merge_ref"]) => {
            let looked = looked_at(state, found);
            state.pull(number).unwrap().looked_at = Some(looked);
            if state.standing(found) == "dirty" {
                return Reply::no(400, "Merge request is not mergeable");
            }
            Reply::json(200, json!({"commit_id": found.head}))
        }
        ("GET", ["approvals"]) => {
            let by: Vec<Value> = found.approved_by.iter().map(|name| json!({"user": user(name)})).collect();
            let left = state.rules.approvals.saturating_sub(by.len());
            Reply::json(
                200,
                json!({
                    "approved": left == 0, "approvals_required": state.rules.approvals, "approvals_left": left,
                    "approved_by": by,
                }),
            )
        }
        ("GET", ["reviewers"]) => {
            let against = found.changes_wanted_by.iter();
            let one = |name: &String| json!({"user": user(name), "state": "requested_changes"});
            Reply::json(200, against.map(one).collect())
        }
        ("DELETE", ["notes", id]) => match state.remove_comment(id.parse().unwrap()) {
            Some(()) => Reply::json(204, Value::Null),
            None => Reply::no(404, "404 Not found"),
        },
        ("PUT", ["notes", id]) => match state.edit_comment(id.parse().unwrap(), &text(body, "body")) {
            Some(edited) => {
                Reply::json(200, json!({"id": edited.id, "body": edited.body, "author": user(AGENT)}))
            }
            None => Reply::no(404, "404 Not found"),
        },
        (_, ["notes"]) => notes(state, asked, number, body),
        _ => Reply::json(404, json!({"error": "404 Not Found"})),
    }
}

/// Puts a merge request on the merge train, or has that done when its checks pass.
fn board(state: &mut State, found: &Pull, body: &Value) -> Reply {
    if !state.rules.queue {
        return Reply::no(403, "403 Forbidden");
    }
    if text(body, "sha") != found.head {
        return Reply::no(409, &format!("SHA does not match HEAD of source branch: {}", found.head));
    }
    let standing = state.standing(found);
    let pull = state.pull(found.number).unwrap();
    match standing {
        "clean" => {
            pull.queued = true;
            Reply::json(201, json!([{"id": 1, "status": "idle"}]))
        }
        "blocked" | "draft" if body["auto_merge"] == true => {
            pull.auto = Some((String::new(), String::new(), String::new()));
            pull.auto_head = Some(found.head.clone());
            Reply::json(202, json!([]))
        }
        _ => Reply::no(400, "Failed to merge"),
    }
}

/// In the order in which GitLab goes: who, which commit, and then whether it may be. Past the train, as it was before 19.1.
fn merge(state: &mut State, found: &Pull, body: &Value) -> Reply {
    if state.people.get(AGENT) != Some(&true) {
        return Reply::no(401, "401 Unauthorized");
    }
    if text(body, "sha").is_empty() {
        return Reply::no(400, "SHA must be provided when merging");
    }
    if text(body, "sha") != found.head {
        return Reply::no(409, &format!("SHA does not match HEAD of source branch: {}", found.head));
    }
    if !found.open {
        return Reply::no(405, "405 Method Not Allowed");
    }
    let looked = looked_at(state, found);
    state.pull(found.number).unwrap().looked_at = Some(looked);
    let squashes = match squash_option(state) {
        "always" => true,
        "never" => false,
        _ => body["squash"] == true,
    };
    let way = match (merge_method(state), squashes) {
        ("merge", true) => "squash-merge",
        ("merge", false) => "merge",
        (_, true) => "squash",
        (_, false) => "ff",
    };
    // Without a message of one's own GitLab makes one, which has no trailers.
    let key = if squashes { "squash_commit_message" } else { "merge_commit_message" };
    let message = body[key].as_str().unwrap_or(&found.title).to_owned();
    let (title, rest) = message.split_once('\n').unwrap_or((&message, ""));
    let auto = body["auto_merge"] == true || body["merge_when_pipeline_succeeds"] == true;
    let standing = state.standing(found);
    let is_passing = matches!(pipeline(state, found), None | Some("success"));
    let number = found.number;
    match (standing, auto) {
        ("clean", _) => drop(state.merge(number, way, title, rest.trim())),
        ("blocked" | "draft", true) if state.rules.auto_merge => {
            let pull = state.pull(number).unwrap();
            pull.auto = Some((way.to_owned(), title.to_owned(), rest.trim().to_owned()));
            pull.auto_head = Some(found.head.clone());
        }
        (_, true) if is_passing => return Reply::no(422, "Branch cannot be merged"),
        _ => return Reply::no(405, "405 Method Not Allowed"),
    }
    shown(state, 200, number)
}

fn notes(state: &mut State, asked: &Asked, on: u64, body: &Value) -> Reply {
    if asked.method == "POST" {
        state.comment(on, AGENT, &text(body, "body"));
        return Reply::json(
            201,
            json!({"id": state.comments.last().unwrap().id, "body": text(body, "body"), "author": user(AGENT)}),
        );
    }
    let note = |id: u64, by: &str, body: &str, (at, changed_at): (i64, i64), system: bool| {
        let (at, changed_at) = (rfc3339(at), rfc3339(changed_at));
        json!({"id": id, "author": user(by), "body": body, "created_at": at, "updated_at": changed_at, "system": system})
    };
    let mut all = vec![note(1, "dana", "assigned to @lee", (0, 0), true)];
    let of_it = state.comments.iter().filter(|comment| comment.on == on);
    all.extend(of_it.map(|comment| {
        note(comment.id, &comment.by, &comment.body, (comment.at, comment.changed_at()), false)
    }));
    if asked.query.get("sort").map(String::as_str) != Some("asc") {
        all.reverse();
    }
    page(asked, all)
}

fn issue(state: &State, issue: &Issue) -> Value {
    json!({
        "id": issue.number + 1000, "iid": issue.number, "title": issue.title, "description": issue.body,
        "state": if issue.open { "opened" } else { "closed" }, "labels": issue.labels,
        "web_url": format!("{}/{REPOSITORY}/-/issues/{}", state.url, issue.number),
        "author": user(&issue.by), "assignees": users(&issue.assignees),
    })
}

fn issues(state: &mut State, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    if !state.rules.issues {
        return Reply::no(403, "403 Forbidden");
    }
    match (asked.method.as_str(), path) {
        ("GET", []) => {
            let by = asked.query.get("author_id").cloned().unwrap_or_default();
            let fits = |one: &&Issue| one.open && user_id(&one.by).to_string() == by;
            page(asked, state.issues.iter().rev().filter(fits).map(|one| issue(state, one)).collect())
        }
        ("POST", []) if !state.rules.writes_issues => Reply::no(403, "403 Forbidden"),
        ("POST", []) if text(body, "title").is_empty() => Reply::no(400, "title can't be blank"),
        ("POST", []) => {
            let number = state.next_number();
            let assignees = names(state, body, "assignee_ids").into_iter().collect();
            state.issues.push(Issue {
                number,
                by: AGENT.to_owned(),
                title: text(body, "title"),
                body: text(body, "description"),
                open: true,
                labels: labels(body).into_iter().collect(),
                assignees,
            });
            Reply::json(201, issue(state, state.issues.last().unwrap()))
        }
        (method, [number, rest @ ..]) => {
            let number: u64 = number.parse().unwrap();
            let Some(at) = state.issues.iter().position(|one| one.number == number) else {
                return Reply::no(404, "404 Not found");
            };
            match (method, rest) {
                ("PUT", []) => {
                    state.issues[at].open &= body["state_event"] != "close";
                    Reply::json(200, issue(state, &state.issues[at]))
                }
                (_, ["notes"]) => notes(state, asked, number, body),
                _ => Reply::json(404, json!({"error": "404 Not Found"})),
            }
        }
        _ => Reply::json(404, json!({"error": "404 Not Found"})),
    }
}

/// A status; what fails is called otherwise here.
fn status(id: usize, status: &Status) -> Value {
    let state = if status.state == "failure" { "failed" } else { &status.state };
    json!({
        "id": id, "name": status.context, "status": state, "description": status.description,
        "target_url": status.url, "allow_failure": false,
    })
}

/// The pushes of those days that come after one, by a server in a time zone that is twelve hours behind.
fn events(state: &State, asked: &Asked) -> Reply {
    if asked.query.get("action").map(String::as_str) != Some("pushed") {
        return Reply::json(400, json!({"error": "action does not have a valid value"}));
    }
    let after = asked.query.get("after").map_or("", String::as_str);
    let one = |moved: &Move| {
        json!({
            "id": moved.at, "project_id": PROJECT, "target_type": null, "author": user("dana"),
            "action_name": if moved.is_new() { "pushed new" } else { "pushed to" },
            "created_at": rfc3339(moved.at).replace('Z', ".419Z"),
            "push_data": {
                "commit_count": 1, "action": if moved.is_new() { "created" } else { "pushed" },
                "ref_type": "branch", "ref": moved.branch, "commit_to": moved.after,
                "commit_from": if moved.is_new() { Value::Null } else { json!(moved.before) },
                "commit_title": "Something", "ref_count": null,
            },
        })
    };
    let moves = state.moves();
    let is_later = |moved: &&Move| &rfc3339(moved.at - 12 * 3600)[..10] > after;
    page(asked, moves.iter().filter(is_later).map(one).collect())
}

fn is_commit(state: &State, sha: &str) -> bool {
    try_git(&state.repository, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).status.success()
}

fn statuses(state: &State, asked: &Asked, sha: &str) -> Reply {
    if !is_commit(state, sha) {
        return Reply::no(404, "404 Commit Not Found");
    }
    let name = asked.query.get("name");
    let all = state.last_statuses(sha).into_iter().enumerate();
    let fits = all.filter(|(_, one)| name.is_none_or(|name| *name == one.context));
    page(asked, fits.map(|(id, one)| status(id, &one)).collect())
}

fn new_status(state: &mut State, sha: &str, body: &Value) -> Reply {
    if !is_commit(state, sha) {
        return Reply::no(404, "404 Commit Not Found");
    }
    let known = ["pending", "running", "success", "failed", "canceled", "skipped"];
    if !known.contains(&text(body, "state").as_str()) {
        return Reply::json(400, json!({"error": "state does not have a valid value"}));
    }
    let shown = match text(body, "state").as_str() {
        "failed" => "failure".to_owned(),
        other => other.to_owned(),
    };
    let new = Status {
        context: text(body, "name"),
        state: shown,
        description: text(body, "description"),
        url: body["target_url"].as_str().map(str::to_owned),
    };
    state.set_status(sha, new.clone());
    Reply::json(201, status(1, &new))
}
