//! The simulated forge as Gitea shows it: as much of its API as the agent uses. Where Gitea and Forgejo differ it is as the
//! one that does less: lists are not filtered by branch.

use serde_json::{Value, json};

use crate::support::git::git;
use crate::support::openapi::Api;

use super::{
    AGENT, Asked, Issue, Move, Pull, REPOSITORY, Reply, State, Status, rfc3339, text, texts, user_id,
};

/// The longest page, whatever is asked for.
const MAX_PAGE: usize = 50;

/// What Forgejo's own description does not allow of what was asked. Answers are as short as the agent needs them.
pub(super) fn complaints(log: &[Asked]) -> Vec<String> {
    log.iter().filter_map(complaint).collect()
}

fn complaint(asked: &Asked) -> Option<String> {
    let forgejo = Api::forgejo().under("/api/v1");
    let operation = match forgejo.check(&asked.method, &asked.target, asked.body.as_ref()) {
        Ok(operation) => operation,
        Err(problem) => return Some(format!("{}: {problem}", asked.line())),
    };
    let is_known = backout::adapters::forge::gitea::OPERATIONS.contains(&operation.id.as_str());
    (!is_known).then(|| format!("{} is not in the adapter's OPERATIONS", operation.id))
}

/// Answers a request.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    let token = asked.headers.get("authorization").and_then(|auth| auth.strip_prefix("token "));
    if !token.is_some_and(|token| state.tokens.contains(token)) {
        return no(401, "invalid username, password or token");
    }
    let body = asked.body.clone().unwrap_or_default();
    match path.as_slice() {
        ["api", "v1", "repos", owner, name, rest @ ..] if format!("{owner}/{name}") == REPOSITORY => {
            repository(state, asked, rest, &body)
        }
        ["api", "v1", "user"] if !state.tells_account => {
            no(403, "token does not have at least one of required scope(s): [read:user]")
        }
        ["api", "v1", "user"] => Reply::json(200, user(AGENT)),
        ["api", "v1", "version"] => Reply::json(200, json!({"version": state.version})),
        ["api", "v1", "orgs", "shop", "labels"] => Reply::json(200, json!([])),
        _ => not_found(),
    }
}

fn no(status: u16, message: &str) -> Reply {
    Reply::json(status, json!({"message": message, "url": "https://gitea.example.com/api/swagger"}))
}

fn not_found() -> Reply {
    no(404, "The target couldn't be found.")
}

fn user(login: &str) -> Value {
    json!({"login": login, "id": user_id(login)})
}

fn repository(state: &mut State, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    match (asked.method.as_str(), path) {
        ("GET", []) => Reply::json(200, info(state)),
        ("GET", ["pulls"]) => linked_page(asked, newest_first(state)),
        ("POST", ["pulls"]) => open(state, body),
        (method, ["pulls", number, rest @ ..]) if number.parse::<u64>().is_ok() => {
            match number.parse().ok().filter(|n| state.pull(*n).is_some()) {
                Some(number) => one_pull(state, asked, method, number, rest, body),
                None => not_found(),
            }
        }
        ("GET", ["pulls", base, head @ ..]) => {
            // Any of them is given, which is the first in practice.
            let head = head.join("/");
            let is_it = |pull: &&Pull| pull.base == *base && pull.branch == head && !pull.fork;
            state.pulls.iter().find(is_it).map_or_else(not_found, |one| Reply::json(200, pull(state, one)))
        }
        ("GET", ["labels"]) => {
            let all = (0..state.labels.len()).map(|index| label(state, index)).collect();
            bare_page(asked, all)
        }
        ("POST", ["labels"]) => new_label(state, body),
        (method, ["issues", rest @ ..]) => issues(state, method, asked, rest, body),
        ("GET", ["collaborators", login, "permission"]) => match state.people.get(*login) {
            Some(may_push) => {
                let level = match may_push {
                    true if state.admins.contains(*login) => "admin",
                    true => "write",
                    false => "read",
                };
                Reply::json(200, json!({"permission": level, "role_name": level, "user": user(login)}))
            }
            None => no(404, "user does not exist"),
        },
        ("GET", ["activities", "feeds"]) => {
            let feed = state.moves().iter().flat_map(|moved| entries(state, moved)).collect();
            bare_page(asked, feed)
        }
        ("GET", ["branches", name @ ..]) => branch(state, &name.join("/")),
        ("GET", ["branch_protections", "main"]) if !state.rules.tells_mergers => no(403, "not for you"),
        ("GET", ["branch_protections", "main"]) => Reply::json(
            200,
            json!({
                "rule_name": "main", "block_on_outdated_branch": state.rules.up_to_date,
                "block_on_rejected_reviews": true, "required_approvals": state.rules.approvals,
                "enable_merge_whitelist": state.rules.mergers.is_some(), "merge_whitelist_teams": null,
                "merge_whitelist_usernames": state.rules.mergers,
            }),
        ),
        ("GET", ["commits", sha, "status"]) => {
            let all: Vec<Value> = state.last_statuses(sha).iter().map(status).collect();
            let statuses = bare_page(asked, all).body;
            Reply::json(200, json!({"state": "pending", "sha": sha, "statuses": statuses}))
        }
        ("GET", ["commits", sha, "pull"]) => {
            let number = state.sources.get(*sha).copied();
            let found = state.pulls.iter().find(|pull| Some(pull.number) == number);
            found.map_or_else(not_found, |one| Reply::json(200, pull(state, one)))
        }
        ("POST", ["statuses", sha]) => {
            let new = Status {
                context: text(body, "context"),
                state: text(body, "state"),
                description: text(body, "description"),
                url: Some(text(body, "target_url")).filter(|url| !url.is_empty()),
            };
            state.set_status(sha, new.clone());
            Reply::json(201, status(&new))
        }
        _ => not_found(),
    }
}

fn info(state: &State) -> Value {
    let allowed = |way: &str| state.rules.ways.iter().any(|one| one == way);
    let elsewhere = state.rules.tracks_elsewhere;
    let tracker = elsewhere.then(|| json!({"external_tracker_url": "https://tracker.example.com"}));
    json!({
        "id": 1, "name": "environments", "full_name": REPOSITORY, "archived": false,
        "has_issues": state.rules.issues || elsewhere, "external_tracker": tracker,
        "has_pull_requests": true, "permissions": {"admin": state.rules.administers, "push": true, "pull": true},
        "allow_squash_merge": allowed("squash"), "allow_merge_commits": allowed("merge"),
        "allow_rebase": allowed("rebase"), "allow_rebase_explicit": false,
        "allow_fast_forward_only_merge": allowed("fast-forward-only"), "default_merge_style": "merge",
    })
}

/// A page as lists have it that say where the next one is.
fn linked_page(asked: &Asked, all: Vec<Value>) -> Reply {
    let mut asked = asked.clone();
    let limit = asked.query.get("limit").map_or(30, |text| text.parse().unwrap()).min(MAX_PAGE);
    asked.query.insert("limit".to_owned(), limit.to_string());
    super::page(&asked, all, "limit")
}

/// A page as the other lists have it.
fn bare_page(asked: &Asked, all: Vec<Value>) -> Reply {
    let mut reply = linked_page(asked, all);
    reply.headers.clear();
    reply
}

/// A draft is one whose title says so.
fn is_draft(pull: &Pull) -> bool {
    pull.draft || pull.title.starts_with("WIP:")
}

fn standing(state: &State, pull: &Pull) -> &'static str {
    if is_draft(pull) { "draft" } else { state.standing(pull) }
}

fn pull(state: &State, pull: &Pull) -> Value {
    let repo = json!({"id": 1, "name": "environments", "full_name": REPOSITORY});
    let fork = json!({"id": 2, "name": "environments", "full_name": "mallory/environments"});
    let base = state.tip(&pull.base).unwrap_or_default();
    let merge_base = git(&state.repository, &["merge-base", &base, &pull.head]);
    let there = state.tip(&pull.branch).is_some();
    let name = if there { pull.branch.clone() } else { format!("refs/pull/{}/head", pull.number) };
    json!({
        "number": pull.number, "id": pull.number + 100,
        "html_url": format!("{}/{REPOSITORY}/pulls/{}", state.url, pull.number),
        "state": if pull.open { "open" } else { "closed" }, "draft": is_draft(pull), "title": pull.title,
        "body": pull.body, "created_at": rfc3339(pull.created_at), "merged": pull.merged,
        "merge_commit_sha": pull.merge_commit,
        "merged_at": pull.merged.then(|| rfc3339((state.now)())), "user": user(&pull.by),
        "mergeable": pull.open && !is_looked_into(state, pull) && !matches!(standing(state, pull), "dirty" | "draft"),
        "merge_base": merge_base,
        "head": {
            "label": pull.branch, "ref": name, "sha": pull.head, "repo_id": if pull.fork { 2 } else { 1 },
            "repo": if pull.fork { &fork } else { &repo },
        },
        "base": {"label": pull.base, "ref": pull.base, "sha": base, "repo_id": 1, "repo": repo},
    })
}

/// Whether the server is still finding out whether it can be merged.
fn is_looked_into(state: &State, pull: &Pull) -> bool {
    pull.looks.1 < state.rules.slow_looks
}

/// Somebody looks at a pull request.
fn look(state: &mut State, number: u64) {
    let found = state.pull(number).unwrap().clone();
    let between = format!("{} {}", found.head, state.tip(&found.base).unwrap_or_default());
    let one = state.pull(number).unwrap();
    one.looks = if one.looks.0 == between { (between, one.looks.1 + 1) } else { (between, 0) };
}

fn newest_first(state: &State) -> Vec<Value> {
    state.pulls.iter().rev().map(|one| pull(state, one)).collect()
}

fn open(state: &mut State, body: &Value) -> Reply {
    let (head, base) = (text(body, "head"), text(body, "base"));
    let labels = label_names(state, body);
    let assignees = texts(body, "assignees");
    if let Some(reply) = unknown_assignee(state, &assignees) {
        return reply;
    }
    match state.open(&head, &base, &text(body, "title"), &text(body, "body")) {
        Ok(number) => {
            let new = state.pull(number).unwrap();
            new.labels.extend(labels);
            new.assignees.extend(assignees);
            let opened = new.clone();
            Reply::json(201, pull(state, &opened))
        }
        Err(message) => no(409, &message),
    }
}

fn unknown_assignee(state: &State, assignees: &[String]) -> Option<Reply> {
    let unknown = assignees.iter().find(|login| !state.people.contains_key(*login))?;
    Some(no(422, &format!("Assignee does not exist: [name: {unknown}]")))
}

fn one_pull(
    state: &mut State,
    asked: &Asked,
    method: &str,
    number: u64,
    rest: &[&str],
    body: &Value,
) -> Reply {
    look(state, number);
    let found = state.pull(number).unwrap().clone();
    match (method, rest) {
        ("GET", []) => Reply::json(200, pull(state, &found)),
        ("PATCH", []) => edit(state, &found, body),
        ("POST", ["merge"]) => merge(state, &found, body),
        ("DELETE", ["merge"]) => match found.auto {
            Some(_) => {
                let one = state.pull(number).unwrap();
                one.auto = None;
                one.events.push(("pull_cancel_scheduled_merge".to_owned(), AGENT.to_owned()));
                Reply::json(204, Value::Null)
            }
            None => not_found(),
        },
        ("GET", ["reviews"]) => {
            let review = |state: &'static str| {
                move |login: &String| {
                    json!({
                        "id": 1, "user": user(login), "state": state, "body": "", "official": true,
                        "dismissed": false, "stale": false,
                    })
                }
            };
            let given = found.approved_by.iter().map(review("APPROVED"));
            let against = found.changes_wanted_by.iter().map(review("REQUEST_CHANGES"));
            bare_page(asked, given.chain(against).collect())
        }
        ("POST", ["requested_reviewers"]) => {
            let people = texts(body, "reviewers");
            if people.iter().any(|login| !state.people.contains_key(login)) {
                return no(404, "user does not exist");
            }
            let teams = texts(body, "team_reviewers").into_iter().map(|team| format!("team {team}"));
            state.pull(number).unwrap().reviewers.extend(people.into_iter().chain(teams));
            Reply::json(201, json!([]))
        }
        _ => not_found(),
    }
}

fn edit(state: &mut State, found: &Pull, body: &Value) -> Reply {
    let assignees = texts(body, "assignees");
    if let Some(reply) = unknown_assignee(state, &assignees) {
        return reply;
    }
    if body["state"] == "closed" && found.merged {
        return no(412, "cannot change state of this pull request, it was already merged");
    }
    let one = state.pull(found.number).unwrap();
    if let Some(new) = body["body"].as_str() {
        new.clone_into(&mut one.body);
    }
    if body.get("assignees").is_some() {
        one.assignees = assignees.into_iter().collect();
    }
    if body["state"] == "closed" {
        // What is scheduled stays so.
        (one.open, one.closed_by) = (false, Some(AGENT.to_owned()));
    }
    let shown = one.clone();
    Reply::json(201, pull(state, &shown))
}

fn merge(state: &mut State, found: &Pull, body: &Value) -> Reply {
    let way = text(body, "Do");
    let (title, rest) = (text(body, "MergeTitleField"), text(body, "MergeMessageField"));
    let is_later = body["merge_when_checks_succeed"] == true;
    match standing(state, found) {
        _ if found.merged => return no(405, ""),
        _ if is_looked_into(state, found) && !is_later => return no(405, "Please try again later"),
        _ if !found.open => return not_found(),
        "draft" => return no(405, "Work in progress PRs cannot be merged"),
        "dirty" => return no(405, "Please try again later"),
        "clean" => {}
        _ if is_later => {}
        "behind" => return no(405, "The head branch is behind the base branch"),
        _ => return no(405, "Not all required status checks successful"),
    }
    if is_later {
        if found.auto.is_some() {
            return no(409, "pull request is already scheduled to auto merge when checks succeed");
        }
        let one = state.pull(found.number).unwrap();
        one.auto = Some((way, title, rest));
        one.events.push(("pull_scheduled_merge".to_owned(), AGENT.to_owned()));
        return Reply::json(201, Value::Null);
    }
    if !state.rules.ways.contains(&way) {
        return no(405, &format!("{way} is not allowed an allowed merge style for this repository"));
    }
    if text(body, "head_commit_id") != found.head {
        return no(409, "head out of date");
    }
    if way == "fast-forward-only" && !state.contains_base(found) {
        return no(500, "");
    }
    match state.merge(found.number, &way, &title, &rest) {
        Some(_) => Reply::json(200, Value::Null),
        None => no(409, "merge conflict"),
    }
}

fn label(state: &State, index: usize) -> Value {
    json!({"id": index + 11, "name": state.labels[index], "color": "fbca04"})
}

fn new_label(state: &mut State, body: &Value) -> Reply {
    let colour = text(body, "color");
    let digits = colour.trim_start_matches('#');
    if digits.len() != 6 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return no(422, "invalid color");
    }
    state.labels.push(text(body, "name"));
    Reply::json(201, label(state, state.labels.len() - 1))
}

/// The names of the labels that a request has by their numbers. Others are ignored.
fn label_names(state: &State, body: &Value) -> Vec<String> {
    let ids = body["labels"].as_array().into_iter().flatten();
    let name =
        |id: &Value| state.labels.get(usize::try_from(id.as_u64()?).unwrap().checked_sub(11)?).cloned();
    ids.filter_map(name).collect()
}

fn branch(state: &State, name: &str) -> Reply {
    let Some(tip) = state.tip(name) else { return not_found() };
    let protected = name == "main";
    Reply::json(
        200,
        json!({
            "name": name, "commit": {"id": tip}, "protected": protected, "user_can_merge": true,
            "user_can_push": !protected || state.rules.pushes,
            "required_approvals": if protected { state.rules.approvals } else { 0 },
            "enable_status_check": protected && !state.rules.required.is_empty(),
            "status_check_contexts": if protected { json!(state.rules.required) } else { Value::Null },
            "effective_branch_protection_name": if protected { "main" } else { "" },
        }),
    )
}

/// What the feed has of a move, newest first: of a merge both that there was one and what was pushed, and of a new branch
/// both that there is one and what is on it.
fn entries(state: &State, moved: &Move) -> Vec<Value> {
    let entry = |kind: &str, name: &str, content: &str| {
        json!({
            "id": 1, "op_type": kind, "ref_name": name, "content": content, "created": rfc3339(moved.at),
            "act_user": user("dana"), "repo_id": 1,
        })
    };
    let name = format!("refs/heads/{}", moved.branch);
    let commit = json!({"Sha1": moved.after, "Message": "Something", "Timestamp": rfc3339(moved.at)});
    let pushed = json!({"Commits": [commit], "HeadCommit": commit, "CompareURL": "", "Len": 1});
    let merged = state.merged_by(moved).map(|pull| {
        let content = format!("{}|{}", pull.number, pull.title);
        entry("merge_pull_request", "", &content)
    });
    let push = entry("commit_repo", &name, &pushed.to_string());
    let made = moved.is_new().then(|| entry("commit_repo", &name, ""));
    merged.into_iter().chain([push]).chain(made).collect()
}

fn status(status: &Status) -> Value {
    json!({
        "id": 1, "context": status.context, "status": status.state, "description": status.description,
        "target_url": status.url.clone().unwrap_or_default(),
    })
}

fn issue(state: &State, issue: &Issue) -> Value {
    let number = |name: &String| state.labels.iter().position(|label| label == name).unwrap_or(0) + 11;
    json!({
        "id": issue.number + 100, "number": issue.number, "title": issue.title, "body": issue.body,
        "user": user(&issue.by), "html_url": format!("{}/{REPOSITORY}/issues/{}", state.url, issue.number),
        "state": if issue.open { "open" } else { "closed" }, "pull_request": null,
        "labels": issue.labels.iter().map(|name| json!({"id": number(name), "name": name})).collect::<Vec<_>>(),
    })
}

fn issues(state: &mut State, method: &str, asked: &Asked, path: &[&str], body: &Value) -> Reply {
    let is_of_issue =
        |number: &&&str| number.parse::<u64>().is_ok_and(|n| state.pulls.iter().all(|pull| pull.number != n));
    if !state.rules.issues && (path.is_empty() || path.first().filter(is_of_issue).is_some()) {
        return not_found();
    }
    match (method, path) {
        ("GET", []) => {
            // A label that there is none of filters nothing, and one that there are two of leaves nothing.
            let label = asked.query.get("labels").filter(|label| state.labels.contains(label));
            let is_double = |label: &&String| state.labels.iter().filter(|one| one == label).count() > 1;
            let fits = |one: &&Issue| {
                let labelled = label.is_none_or(|label| !is_double(&label) && one.labels.contains(label));
                one.open && labelled && asked.query.get("created_by").is_none_or(|by| *by == one.by)
            };
            let all = state.issues.iter().rev().filter(fits).map(|one| issue(state, one)).collect();
            linked_page(asked, all)
        }
        ("POST", []) if !state.rules.writes_issues => {
            no(403, "token does not have at least one of required scope(s): [write:issue]")
        }
        ("POST", []) if text(body, "title").is_empty() => no(422, "[Title]: Required"),
        ("POST", []) => {
            let assignees = texts(body, "assignees");
            if let Some(reply) = unknown_assignee(state, &assignees) {
                return reply;
            }
            let number = state.next_number();
            let labels = label_names(state, body).into_iter().collect();
            state.issues.push(Issue {
                number,
                by: AGENT.to_owned(),
                title: text(body, "title"),
                body: text(body, "body"),
                open: true,
                labels,
                assignees: assignees.into_iter().collect(),
            });
            Reply::json(201, issue(state, state.issues.last().unwrap()))
        }
        ("DELETE", ["comments", id]) => match state.remove_comment(id.parse().unwrap()) {
            Some(()) => Reply::json(204, Value::Null),
            None => not_found(),
        },
        ("PATCH", ["comments", id]) => match state.edit_comment(id.parse().unwrap(), &text(body, "body")) {
            Some(edited) => Reply::json(200, comment(edited)),
            None => not_found(),
        },
        (_, [number, rest @ ..]) => one_issue(state, method, asked, number.parse().unwrap(), rest, body),
        _ => not_found(),
    }
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
    let is_issue = state.issues.iter().any(|one| one.number == number);
    if !is_issue && state.pull(number).is_none() {
        return not_found();
    }
    match (method, rest) {
        ("PATCH", []) if is_issue => {
            let assignees = texts(body, "assignees");
            if let Some(reply) = unknown_assignee(state, &assignees) {
                return reply;
            }
            let one = state.issues.iter_mut().find(|one| one.number == number).unwrap();
            one.open = one.open && body["state"] != "closed";
            if body.get("assignees").is_some() {
                one.assignees = assignees.into_iter().collect();
            }
            let shown = one.clone();
            Reply::json(201, issue(state, &shown))
        }
        ("GET", ["comments"]) => {
            let of_it = state.comments.iter().filter(|comment| comment.on == number);
            let shown: Vec<Value> = of_it.map(comment).collect();
            Reply::json(200, json!(shown))
        }
        ("POST", ["comments"]) => {
            state.comment(number, AGENT, &text(body, "body"));
            Reply::json(201, comment(state.comments.last().unwrap()))
        }
        ("GET", ["timeline"]) => timeline(state, asked, number),
        _ => not_found(),
    }
}

fn comment(comment: &super::Comment) -> Value {
    json!({
        "id": comment.id, "type": "comment", "user": user(&comment.by), "body": comment.body,
        "created_at": rfc3339(comment.at), "updated_at": rfc3339(comment.changed_at()),
    })
}

/// Comments and events. A page may be shorter than it could be, and after the last one comes `null`.
fn timeline(state: &mut State, asked: &Asked, number: u64) -> Reply {
    let mut all: Vec<Value> =
        state.comments.iter().filter(|comment| comment.on == number).map(comment).collect();
    let event = |kind: &str, by: &str| json!({"id": 1, "type": kind, "user": user(by), "body": ""});
    if let Some(pull) = state.pull(number) {
        all.extend(pull.events.iter().map(|(kind, by)| event(kind, by)));
        all.extend(pull.closed_by.iter().map(|by| event("close", by)));
    }
    let mut reply = bare_page(asked, all);
    let shown = reply.body.as_array_mut().unwrap();
    if shown.len() == MAX_PAGE {
        // Comments on code are cut out of a page.
        shown.remove(0);
    }
    if shown.is_empty() {
        reply.body = Value::Null;
    }
    reply
}
