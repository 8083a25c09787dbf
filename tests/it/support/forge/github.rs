//! The simulated forge as GitHub shows it: as much of the REST and GraphQL API as the agent uses.

mod graphql;

use serde_json::{Value, json};

use crate::support::openapi::Api;

use super::{
    AGENT, Asked, Comment, Issue, Move, Pull, REPOSITORY, Reply, State, Status, rfc3339, text, texts, user_id,
};

/// What GitHub's own descriptions do not allow of what was asked. Answers are as short as the agent needs them.
pub(super) fn complaints(log: &[Asked]) -> Vec<String> {
    log.iter().filter_map(complaint).chain(graphql_complaints(log)).collect()
}

fn complaint(asked: &Asked) -> Option<String> {
    if asked.path == ["graphql"] {
        return None;
    }
    let operation = match Api::github().check(&asked.method, &asked.target, asked.body.as_ref()) {
        Ok(operation) => operation,
        Err(problem) => return Some(format!("{}: {problem}", asked.line())),
    };
    let is_known = backout::adapters::forge::github::OPERATIONS.contains(&operation.id.as_str());
    (!is_known).then(|| format!("{} is not in the adapter's OPERATIONS", operation.id))
}

/// What GitHub's own schema does not allow of what was sent to GraphQL.
fn graphql_complaints(log: &[Asked]) -> Vec<String> {
    let sent: Vec<(&str, Value)> = log
        .iter()
        .filter(|asked| asked.path == ["graphql"])
        .filter_map(|asked| asked.body.as_ref())
        .map(|body| (body["query"].as_str().unwrap(), body["variables"].clone()))
        .collect();
    if sent.is_empty() { Vec::new() } else { crate::support::graphql::check(&sent) }
}

/// Answers a request, in the shape of GitHub's own example: with all that it has beside what is said here.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    let mut reply = said(state, asked);
    let operation = Api::github().check(&asked.method, &asked.target, asked.body.as_ref());
    let example = operation.ok().and_then(|operation| Api::github().example(&operation, reply.status));
    if let Some(example) = example.filter(|_| reply.status < 300) {
        reply.body = dressed(&example, reply.body);
    }
    reply
}

/// A value with all that an example has and it has not. Each item of a list gets what the example's first one has.
fn dressed(example: &Value, value: Value) -> Value {
    match (example, value) {
        (Value::Object(example), Value::Object(own)) => {
            let mut all = example.clone();
            for (key, value) in own {
                let value = match example.get(&key) {
                    Some(example) => dressed(example, value),
                    None => value,
                };
                all.insert(key, value);
            }
            Value::Object(all)
        }
        (Value::Array(examples), Value::Array(own)) if !examples.is_empty() => {
            own.into_iter().map(|value| dressed(&examples[0], value)).collect()
        }
        (_, value) => value,
    }
}

fn said(state: &mut State, asked: &Asked) -> Reply {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let is_jwt = asked.headers.get("authorization").is_some_and(|auth| auth.matches('.').count() == 2);
    match (asked.method.as_str(), path.as_slice()) {
        ("GET", ["repos", owner, name, "installation"]) if is_jwt => {
            assert_eq!(format!("{owner}/{name}"), REPOSITORY);
            return Reply::json(200, installation(state));
        }
        ("POST", ["app", "installations", "7", "access_tokens"]) if is_jwt => return new_token(state),
        _ => {}
    }
    let token = asked.headers.get("authorization").and_then(|auth| auth.strip_prefix("Bearer "));
    if !token.is_some_and(|token| state.tokens.contains(token)) {
        return Reply::no(401, "Bad credentials");
    }
    let body = asked.body.clone().unwrap_or_default();
    match path.as_slice() {
        ["graphql"] => graphql::answer(state, &body),
        // The tokens of an installation may not ask this.
        ["user"] if !state.tells_account || token.is_some_and(|token| token.starts_with("ghs_")) => {
            Reply::no(403, "Resource not accessible by integration")
        }
        ["user"] => Reply::json(200, user(AGENT)),
        ["repos", owner, name, rest @ ..] if format!("{owner}/{name}") == REPOSITORY => {
            repository(state, asked, rest, &body)
        }
        _ => Reply::no(404, "Not Found"),
    }
}

fn installation(state: &State) -> Value {
    json!({"id": 7, "app_id": 1, "account": user("shop"), "html_url": state.url})
}

fn new_token(state: &mut State) -> Reply {
    state.tokens_made += 1;
    let token = format!("ghs_t0ken{}", state.tokens_made);
    state.tokens.insert(token.clone());
    let expires = rfc3339((state.now)() + 3600);
    Reply::json(201, json!({"token": token, "expires_at": expires, "permissions": {}}))
}

fn user(login: &str) -> Value {
    json!({"login": login, "id": user_id(login), "type": "User"})
}

fn repository(state: &mut State, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    match (asked.method.as_str(), path) {
        ("GET", []) => Reply::json(200, info(state)),
        ("GET", ["pulls"]) => Reply::json(200, list_pulls(state, asked)),
        ("POST", ["pulls"]) => open(state, body),
        (method, ["pulls", number, rest @ ..]) => {
            match number.parse().ok().filter(|n| state.pull(*n).is_some()) {
                Some(number) => one_pull(state, method, number, rest, body),
                None => Reply::no(404, "Not Found"),
            }
        }
        (method, ["issues", rest @ ..]) => issues(state, method, asked, rest, body),
        ("GET", ["collaborators", login, "permission"]) => permission(state, login),
        ("GET", ["branches", branch]) => match state.tip(branch) {
            Some(tip) => Reply::json(
                200,
                json!({
                    "name": branch, "commit": {"sha": tip}, "protected": false, "protection": null,
                }),
            ),
            None => Reply::no(404, "Branch not found"),
        },
        ("GET", ["branches", _, "protection", "restrictions"]) => restrictions(state),
        ("GET", ["rules", "branches", _]) => Reply::json(200, rules(state)),
        ("GET", ["commits", sha, "check-runs"]) => {
            let runs: Vec<Value> = checks(state, sha).iter().map(check_run).collect();
            Reply::json(200, json!({"total_count": runs.len(), "check_runs": runs}))
        }
        ("GET", ["commits", sha, "status"]) => {
            let shown: Vec<Value> = statuses(state, sha).iter().map(status).collect();
            Reply::json(
                200,
                json!({"state": "pending", "sha": sha, "total_count": shown.len(), "statuses": shown}),
            )
        }
        ("GET", ["commits", sha, "pulls"]) => {
            let number = state.sources.get(*sha).copied();
            let of_it = state.pulls.iter().filter(|one| Some(one.number) == number);
            Reply::json(200, of_it.map(|one| pull(state, one)).collect())
        }
        ("POST", ["statuses", sha]) => {
            let url = body["target_url"].as_str().map(str::to_owned);
            let new = Status {
                context: text(body, "context"),
                state: text(body, "state"),
                description: text(body, "description"),
                url,
            };
            state.set_status(sha, new.clone());
            Reply::json(201, status(&new))
        }
        ("GET", ["activity"]) => activity(state, asked),
        ("POST", ["git", "refs"]) => new_ref(state, body),
        ("POST", ["merges"]) => {
            match state.merge_into(&text(body, "base"), &text(body, "head"), &text(body, "commit_message")) {
                Ok(Some(sha)) => Reply::json(201, json!({"sha": sha})),
                Ok(None) => Reply::json(204, Value::Null),
                Err(()) => Reply::no(409, "Merge conflict"),
            }
        }
        _ => Reply::no(404, "Not Found"),
    }
}

fn permission(state: &State, login: &str) -> Reply {
    let level = match state.people.get(login) {
        Some(true) if state.admins.contains(login) => "admin",
        Some(true) => "write",
        Some(false) => "read",
        None => return Reply::no(404, "Not Found"),
    };
    Reply::json(200, json!({"permission": level, "role_name": level, "user": user(login)}))
}

fn restrictions(state: &State) -> Reply {
    match &state.rules.mergers {
        _ if !state.rules.tells_mergers => Reply::no(403, "Resource not accessible by integration"),
        Some(names) => {
            let users: Vec<Value> = names.iter().map(|name| user(name)).collect();
            Reply::json(200, json!({"users": users, "teams": [], "apps": []}))
        }
        None => Reply::no(404, "Push restrictions not enabled"),
    }
}

fn info(state: &State) -> Value {
    json!({
        "id": 1, "name": "environments", "full_name": REPOSITORY, "archived": false, "has_issues": state.rules.issues,
        "permissions": {"admin": false, "push": true, "pull": true},
        "allow_auto_merge": state.rules.auto_merge,
    })
}

/// The checks that CI reports; what the agent itself reports are statuses.
fn checks(state: &State, sha: &str) -> Vec<Status> {
    let mut all = state.last_statuses(sha);
    all.retain(|status| !status.context.starts_with("backout/"));
    all
}

fn statuses(state: &State, sha: &str) -> Vec<Status> {
    let mut all = state.last_statuses(sha);
    all.retain(|status| status.context.starts_with("backout/"));
    all
}

fn check_run(check: &Status) -> Value {
    let is_done = check.state != "pending";
    json!({
        "id": 1, "name": check.context, "status": if is_done { "completed" } else { "in_progress" },
        "conclusion": is_done.then(|| check.state.clone()),
    })
}

fn status(status: &Status) -> Value {
    json!({
        "id": 1, "context": status.context, "state": status.state, "description": status.description,
        "target_url": status.url,
    })
}

fn rules(state: &State) -> Value {
    let required: Vec<Value> = state.rules.required.iter().map(|name| json!({"context": name})).collect();
    let mut rules = vec![json!({
        "type": "required_status_checks", "ruleset_id": 1,
        "parameters": {"required_status_checks": required, "strict_required_status_checks_policy": false},
    })];
    if state.rules.approvals > 0 {
        rules.push(json!({
            "type": "pull_request", "ruleset_id": 1,
            "parameters": {
                "required_approving_review_count": state.rules.approvals, "dismiss_stale_reviews_on_push": false,
                "require_code_owner_review": false, "require_last_push_approval": false,
                "required_review_thread_resolution": false,
            },
        }));
    }
    json!(rules)
}

fn node_id(number: u64) -> String {
    format!("PR_{number}")
}

fn pull(state: &State, pull: &Pull) -> Value {
    let repo = json!({"id": 1, "name": "environments", "full_name": REPOSITORY});
    let fork = json!({"id": 2, "name": "environments-fork", "full_name": "shop/environments-fork"});
    let from = if pull.fork { &fork } else { &repo };
    let stamp = (!pull.open).then(|| rfc3339((state.now)()));
    json!({
        "number": pull.number, "node_id": node_id(pull.number), "id": pull.number,
        "html_url": format!("{}/{REPOSITORY}/pull/{}", state.url, pull.number),
        "state": if pull.open { "open" } else { "closed" }, "draft": pull.draft, "title": pull.title,
        "body": pull.body, "created_at": rfc3339(pull.created_at), "merged_at": stamp.filter(|_| pull.merged),
        "merge_commit_sha": pull.merge_commit,
        "user": user(&pull.by),
        "head": {"ref": pull.branch, "sha": pull.head, "label": format!("shop:{}", pull.branch), "repo": from},
        "base": {"ref": pull.base, "label": format!("shop:{}", pull.base), "repo": repo},
        "auto_merge": pull.auto.as_ref().map(|(way, ..)| json!({"merge_method": way, "enabled_by": user(AGENT)})),
    })
}

/// A page of a list, with where the next one is.
fn page(asked: &Asked, all: Vec<Value>) -> Reply {
    super::page(asked, all, "per_page")
}

fn list_pulls(state: &State, asked: &Asked) -> Value {
    let wanted = |name: &str| asked.query.get(name).map(String::as_str);
    let fits = |one: &&Pull| {
        wanted("head").is_none_or(|head| head == format!("shop:{}", one.branch))
            && wanted("base").is_none_or(|base| base == one.base)
            && (wanted("state") == Some("all") || one.open)
    };
    json!(state.pulls.iter().rev().filter(fits).map(|one| pull(state, one)).collect::<Vec<_>>())
}

fn open(state: &mut State, body: &Value) -> Reply {
    let (head, base) = (text(body, "head"), text(body, "base"));
    match state.open(&head, &base, &text(body, "title"), &text(body, "body")) {
        Ok(number) => {
            let opened = state.pull(number).unwrap().clone();
            Reply::json(201, pull(state, &opened))
        }
        Err(message) => Reply::json(
            422,
            json!({
                "message": "Validation Failed",
                "errors": [{"resource": "PullRequest", "code": "custom", "message": message}],
            }),
        ),
    }
}

fn one_pull(state: &mut State, method: &str, number: u64, rest: &[&str], body: &Value) -> Reply {
    let found = state.pull(number).unwrap().clone();
    match (method, rest) {
        ("GET", []) => {
            let mut shown = pull(state, &found);
            let standing = if found.open { state.standing(&found) } else { "unknown" };
            shown["mergeable_state"] = json!(standing);
            shown["mergeable"] = json!(standing != "dirty");
            shown["merged"] = json!(found.merged);
            Reply::json(200, shown)
        }
        ("PATCH", []) => {
            let pull_ = state.pull(number).unwrap();
            if let Some(new) = body["body"].as_str() {
                pull_.body = new.to_owned();
            }
            if body["state"] == "closed" {
                if found.merged {
                    return Reply::no(422, "Cannot close a merged pull request");
                }
                (pull_.open, pull_.auto, pull_.closed_by) = (false, None, Some(AGENT.to_owned()));
            }
            let shown = state.pull(number).unwrap().clone();
            Reply::json(200, pull(state, &shown))
        }
        ("PUT", ["merge"]) => merge(state, &found, body),
        ("GET", ["reviews"]) => {
            let review = |state: &'static str| move |login: &String| json!({"id": 1, "user": user(login), "state": state, "body": ""});
            let all: Vec<Value> = found
                .approved_by
                .iter()
                .map(review("APPROVED"))
                .chain(found.changes_wanted_by.iter().map(review("CHANGES_REQUESTED")))
                .collect();
            Reply::json(200, json!(all))
        }
        ("POST", ["requested_reviewers"]) => {
            let people = texts(body, "reviewers");
            if people.iter().any(|login| !state.people.contains_key(login)) {
                return Reply::no(422, "Reviews may only be requested from collaborators.");
            }
            let teams = texts(body, "team_reviewers").into_iter().map(|team| format!("team {team}"));
            state.pull(number).unwrap().reviewers.extend(people.into_iter().chain(teams));
            Reply::json(201, pull(state, &found))
        }
        _ => Reply::no(404, "Not Found"),
    }
}

fn merge(state: &mut State, found: &Pull, body: &Value) -> Reply {
    if text(body, "sha") != found.head {
        return Reply::no(409, "Head branch was modified. Review and try the merge again.");
    }
    if !found.open || state.rules.queue {
        return Reply::no(405, "Changes must be made through the merge queue");
    }
    let way = text(body, "merge_method");
    if !state.rules.ways.contains(&way) {
        return Reply::no(405, "This merge method is not allowed on this repository.");
    }
    match state.standing(found) {
        "clean" => {}
        "dirty" => return Reply::no(405, "Pull Request is not mergeable"),
        _ => {
            return Reply::no(
                405,
                "Repository rule violations found: required status check \"ci/test\" is expected.",
            );
        }
    }
    match state.merge(found.number, &way, &text(body, "commit_title"), &text(body, "commit_message")) {
        Some(sha) => Reply::json(
            200,
            json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"}),
        ),
        None => Reply::no(405, "Pull Request is not mergeable"),
    }
}

fn issue(state: &State, issue: &Issue) -> Value {
    json!({
        "id": issue.number, "number": issue.number, "title": issue.title, "body": issue.body, "user": user(AGENT),
        "html_url": format!("{}/{REPOSITORY}/issues/{}", state.url, issue.number),
        "state": if issue.open { "open" } else { "closed" }, "pull_request": null, "closed_by": null,
        "user": user(&issue.by), "labels": issue.labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
    })
}

fn issues(state: &mut State, method: &str, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    if !state.rules.issues && path.is_empty() {
        return Reply::no(410, "Issues are disabled for this repo");
    }
    match (method, path) {
        ("GET", []) => {
            let by = asked.query.get("creator").cloned().unwrap_or_default();
            let fits = |one: &&Issue| one.open && one.by == by;
            Reply::json(
                200,
                json!(
                    state.issues.iter().rev().filter(fits).map(|one| issue(state, one)).collect::<Vec<_>>()
                ),
            )
        }
        ("POST", []) if !state.rules.writes_issues => {
            Reply::no(403, "Resource not accessible by personal access token")
        }
        ("POST", []) if text(body, "title").is_empty() => Reply::no(422, "Validation Failed"),
        ("POST", []) => {
            let number = state.next_number();
            state.issues.push(Issue {
                number,
                by: AGENT.to_owned(),
                title: text(body, "title"),
                body: text(body, "body"),
                open: true,
                labels: texts(body, "labels").into_iter().collect(),
                assignees: texts(body, "assignees").into_iter().collect(),
            });
            Reply::json(201, issue(state, state.issues.last().unwrap()))
        }
        ("DELETE", ["comments", id]) => match state.remove_comment(id.parse().unwrap()) {
            Some(()) => Reply::json(204, Value::Null),
            None => Reply::no(404, "Not Found"),
        },
        ("PATCH", ["comments", id]) => match state.edit_comment(id.parse().unwrap(), &text(body, "body")) {
            Some(edited) => Reply::json(200, comment(edited)),
            None => Reply::no(404, "Not Found"),
        },
        (_, [number, rest @ ..]) => one_issue(state, method, asked, number.parse().unwrap(), rest, body),
        _ => Reply::no(404, "Not Found"),
    }
}

fn comment(comment: &Comment) -> Value {
    json!({
        "id": comment.id, "user": user(&comment.by), "body": comment.body, "created_at": rfc3339(comment.at),
        "updated_at": rfc3339(comment.changed_at()),
    })
}

/// Pull requests are issues too.
fn one_issue(
    state: &mut State,
    method: &str,
    asked: &Asked,
    number: u64,
    rest: &[&str],
    body: &Value,
) -> Reply {
    let found = state.issues.iter().find(|one| one.number == number).cloned();
    let of_pull = state.pull(number).cloned();
    if found.is_none() && of_pull.is_none() {
        return Reply::no(404, "Not Found");
    }
    match (method, rest) {
        ("GET", []) => {
            let (found, by) = match (found, of_pull) {
                (Some(found), _) => (issue(state, &found), None),
                (None, Some(pull)) => {
                    let as_issue = Issue {
                        number,
                        title: pull.title,
                        body: pull.body,
                        open: pull.open,
                        ..Issue::default()
                    };
                    (issue(state, &as_issue), pull.closed_by)
                }
                (None, None) => return Reply::no(404, "Not Found"),
            };
            let mut shown = found;
            shown["closed_by"] = by.map_or(Value::Null, |login| user(&login));
            Reply::json(200, shown)
        }
        ("PATCH", []) => {
            let one = state.issues.iter_mut().find(|one| one.number == number).unwrap();
            one.open = body["state"] != "closed";
            let shown = one.clone();
            Reply::json(200, issue(state, &shown))
        }
        ("GET", ["comments"]) => {
            let of_it = state.comments.iter().filter(|comment| comment.on == number);
            page(asked, of_it.map(comment).collect())
        }
        ("POST", ["comments"]) => {
            state.comment(number, AGENT, &text(body, "body"));
            Reply::json(201, comment(state.comments.last().unwrap()))
        }
        ("POST", ["labels"]) => {
            let labels = texts(body, "labels");
            if let Some(pull) = state.pull(number) {
                pull.labels.extend(labels.clone());
            }
            Reply::json(200, json!(labels.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()))
        }
        ("POST", ["assignees"]) => {
            let assignees = texts(body, "assignees");
            if assignees.iter().any(|login| !state.people.contains_key(login)) {
                return Reply::no(422, "Validation Failed");
            }
            match state.pulls.iter_mut().find(|pull| pull.number == number) {
                Some(pull) => pull.assignees.extend(assignees),
                None => {
                    let one = state.issues.iter_mut().find(|one| one.number == number).unwrap();
                    one.assignees.extend(assignees);
                }
            }
            let as_issue = Issue { number, open: true, ..Issue::default() };
            Reply::json(201, issue(state, &as_issue))
        }
        _ => Reply::no(404, "Not Found"),
    }
}

/// The log of moves. Pages go by cursors, of which there is none here.
fn activity(state: &State, asked: &Asked) -> Reply {
    let wanted = asked.query.get("ref").map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    let one = |moved: &Move| {
        let kind = match state.merged_by(moved) {
            Some(_) => "pr_merge",
            None if moved.is_new() => "branch_creation",
            None => "push",
        };
        json!({
            "id": moved.at, "node_id": "RA_1", "before": moved.before, "after": moved.after,
            "ref": format!("refs/heads/{}", moved.branch), "timestamp": rfc3339(moved.at),
            "activity_type": kind, "actor": user("dana"),
        })
    };
    let moves = state.moves();
    let of_it = moves.iter().filter(|moved| wanted.is_none_or(|name| name == moved.branch));
    let mut reply = page(asked, of_it.map(one).collect());
    reply.headers.clear();
    reply
}

fn new_ref(state: &mut State, body: &Value) -> Reply {
    let (name, sha) = (text(body, "ref"), text(body, "sha"));
    let branch = name.strip_prefix("refs/heads/").unwrap();
    if state.tip(branch).is_some() {
        return Reply::no(422, "Reference already exists");
    }
    state.move_branch(branch, &sha, &"0".repeat(40));
    Reply::json(201, json!({"ref": name, "object": {"type": "commit", "sha": sha}}))
}
