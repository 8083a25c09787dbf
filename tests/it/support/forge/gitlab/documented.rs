//! What GitLab documents of the requests that the agent sends. There is no description of its API to install beside the
//! others', so the pages are written down here.

use crate::support::forge::Asked;

/// A request that is documented.
struct Documented {
    method: &'static str,
    /// Pieces that begin with a colon stand for anything.
    path: &'static str,
    query: &'static [&'static str],
    body: &'static [&'static str],
    /// Of the body, what must be there.
    required: &'static [&'static str],
    /// Below `https://docs.gitlab.com/api/`.
    page: &'static str,
}

const fn get(path: &'static str, query: &'static [&'static str], page: &'static str) -> Documented {
    Documented { method: "GET", path, query, body: &[], required: &[], page }
}

const REQUEST: &[&str] = &[
    "source_branch",
    "target_branch",
    "title",
    "description",
    "labels",
    "remove_source_branch",
    "assignee_ids",
    "reviewer_ids",
    "squash",
];
const MERGE: &[&str] = &[
    "sha",
    "auto_merge",
    "merge_when_pipeline_succeeds",
    "squash",
    "squash_commit_message",
    "merge_commit_message",
    "should_remove_source_branch",
];
const REQUESTS: &[&str] =
    &["source_branch", "target_branch", "state", "author_id", "order_by", "sort", "page", "per_page"];
const PAGES: &[&str] = &["page", "per_page"];
const NOTES: &[&str] = &["sort", "order_by", "page", "per_page"];

const EVENTS: &[&str] = &["action", "target_type", "before", "after", "sort", "page", "per_page"];

const DOCUMENTED: &[Documented] = &[
    get("user", &[], "users/#retrieve-the-current-user"),
    get("users", &["username"], "users/"),
    get("projects/:id", &[], "projects/"),
    get("projects/:id/events", EVENTS, "events/"),
    get("projects/:id/merge_requests", REQUESTS, "merge_requests/"),
    Documented {
        method: "POST",
        path: "projects/:id/merge_requests",
        query: &[],
        body: REQUEST,
        required: &["source_branch", "target_branch", "title"],
        page: "merge_requests/",
    },
    get("projects/:id/merge_requests/:iid", &[], "merge_requests/#retrieve-a-merge-request"),
    Documented {
        method: "PUT",
        path: "projects/:id/merge_requests/:iid",
        query: &[],
        body: &["description", "state_event", "squash"],
        required: &[],
        page: "merge_requests/",
    },
    Documented {
        method: "PUT",
        path: "projects/:id/merge_requests/:iid/merge",
        query: &[],
        body: MERGE,
        required: &["sha"],
        page: "merge_requests/#merge-a-merge-request",
    },
    Documented {
        method: "POST",
        path: "projects/:id/merge_requests/:iid/cancel_merge_when_pipeline_succeeds",
        query: &[],
        body: &[],
        required: &[],
        page: "merge_requests/#cancel-merge-when-pipeline-succeeds",
    },
    get("projects/:id/merge_requests/:iid/merge_ref", &[], "merge_requests/#merge-to-default-merge-ref-path"),
    get(
        "projects/:id/merge_requests/:iid/reviewers",
        &[],
        "merge_requests/#retrieve-merge-request-reviewers",
    ),
    Documented {
        method: "POST",
        path: "projects/:id/merge_trains/merge_requests/:iid",
        query: &[],
        body: &["sha", "auto_merge", "when_pipeline_succeeds", "squash"],
        required: &["sha"],
        page: "merge_trains/#add-a-merge-request-to-a-merge-train",
    },
    get("projects/:id/merge_requests/:iid/approvals", &[], "merge_request_approvals/"),
    get("projects/:id/merge_requests/:iid/notes", NOTES, "notes/"),
    Documented {
        method: "POST",
        path: "projects/:id/merge_requests/:iid/notes",
        query: &[],
        body: &["body"],
        required: &["body"],
        page: "notes/",
    },
    Documented {
        method: "DELETE",
        path: "projects/:id/merge_requests/:iid/notes/:note_id",
        query: &[],
        body: &[],
        required: &[],
        page: "notes/",
    },
    get("version", &[], "version/"),
    Documented {
        method: "PUT",
        path: "projects/:id/merge_requests/:iid/notes/:note_id",
        query: &[],
        body: &["body"],
        required: &["body"],
        page: "notes/",
    },
    get("projects/:id/protected_branches", PAGES, "protected_branches/"),
    get("projects/:id/members/all/:user_id", &[], "members/"),
    get("projects/:id/issues", &["author_id", "state", "page", "per_page"], "issues/"),
    Documented {
        method: "POST",
        path: "projects/:id/issues",
        query: &[],
        body: &["title", "description", "labels", "assignee_ids"],
        required: &["title"],
        page: "issues/",
    },
    Documented {
        method: "PUT",
        path: "projects/:id/issues/:iid",
        query: &[],
        body: &["state_event"],
        required: &["state_event"],
        page: "issues/",
    },
    Documented {
        method: "POST",
        path: "projects/:id/issues/:iid/notes",
        query: &[],
        body: &["body"],
        required: &["body"],
        page: "notes/",
    },
    get("projects/:id/repository/branches/:branch", &[], "branches/"),
    get("projects/:id/repository/commits/:sha/statuses", &["name", "all", "page", "per_page"], "commits/"),
    get("projects/:id/repository/commits/:sha/merge_requests", PAGES, "commits/"),
    Documented {
        method: "POST",
        path: "projects/:id/statuses/:sha",
        query: &[],
        body: &["state", "name", "description", "target_url"],
        required: &["state"],
        page: "commits/",
    },
    get("projects/:id/pipelines/:pipeline_id/jobs", PAGES, "jobs/"),
];

/// What GitLab does not document of what was asked.
pub(in crate::support::forge) fn complaints(log: &[Asked]) -> Vec<String> {
    log.iter().filter_map(complaint).collect()
}

fn complaint(asked: &Asked) -> Option<String> {
    let path = asked.path.strip_prefix(&["api".to_owned(), "v4".to_owned()])?;
    let Some(found) = DOCUMENTED.iter().find(|one| one.method == asked.method && fits(one.path, path)) else {
        return Some(format!("{}: not documented", asked.line()));
    };
    let complain = |what: String| Some(format!("{}: {what}: see {}", asked.line(), found.page));
    if let Some(key) = asked.query.keys().find(|key| !found.query.contains(&key.as_str())) {
        return complain(format!("`{key}` in the query"));
    }
    if asked.query.get("per_page").is_some_and(|size| size.parse::<u32>().unwrap() > 100) {
        return complain("more than 100 a page".to_owned());
    }
    let body = asked.body.as_ref().and_then(|body| body.as_object());
    if let Some(key) =
        body.into_iter().flatten().map(|(key, _)| key).find(|key| !found.body.contains(&key.as_str()))
    {
        return complain(format!("`{key}` in the body"));
    }
    let has = |key: &&&str| body.is_some_and(|body| body.get(**key).is_some_and(|value| !value.is_null()));
    found.required.iter().find(|key| !has(key)).and_then(|key| complain(format!("`{key}` is missing")))
}

fn fits(pattern: &str, path: &[String]) -> bool {
    let pieces: Vec<&str> = pattern.split('/').collect();
    pieces.len() == path.len()
        && pieces.iter().zip(path).all(|(piece, given)| piece.starts_with(':') || piece == given)
}
