//! What is shown beside commits, notes on the merge requests that brought them, issues, and what to expect of a project.

use http::{Method, StatusCode};
use serde_json::json;

use super::GitLab;
use super::rights::{DEVELOPER, MAINTAINER};
use super::types::{Branch, Issue, MergeRequest, Permissions, Project, Status};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{
    CommentPlace, ISSUES_ARE_OFF, MANUAL_LABEL, NOT_TESTED, There, keep_one_comment, plain, unless_off,
};
use crate::domain::environment::policy::Delivery;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{CommitStatus, ManualIssue, StatusState};
use crate::ports::ForgeError;

impl GitLab {
    /// Whether what a commit shows of the same context says the same; none where it shows nothing of it.
    /// Source: <https://docs.gitlab.com/api/commits/>.
    pub(super) async fn shows(&self, status: &CommitStatus) -> Result<Option<bool>, ForgeError> {
        let path = format!(
            "{}/repository/commits/{}/statuses?name={}&per_page=100",
            self.root,
            status.commit,
            path_part(&status.context)
        );
        let shown: Option<Vec<Status>> = self.rest.get_if_any(&path).await?;
        // Each pipeline of the commit has its own; the last one counts.
        let all = shown.into_iter().flatten().filter(|shown| shown.name == status.context);
        Ok(all.max_by_key(|shown| shown.id).map(|shown| shown.says(status)))
    }

    pub(super) async fn send_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let mut body =
            json!({"state": word(status.state), "name": status.context, "description": status.description});
        if let (Some(body), Some(url)) = (body.as_object_mut(), &status.url) {
            body.insert("target_url".to_owned(), json!(url));
        }
        let path = format!("{}/statuses/{}", self.root, status.commit);
        let reply = self.rest.offer(Method::POST, &path, &body).await?;
        // A state that cannot follow on itself is shown already: another run of the agent was quicker.
        let is_bad = matches!(reply.status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        if is_bad && reply.reason().contains("Cannot transition status") {
            return Ok(());
        }
        self.rest.accepted(reply).map(drop)
    }

    /// Source: <https://docs.gitlab.com/api/commits/>.
    pub(super) async fn comment_on_source(&self, commit: CommitId, text: &str) -> Result<(), ForgeError> {
        let path = format!("{}/repository/commits/{commit}/merge_requests?per_page=100", self.root);
        let requests: Option<Vec<MergeRequest>> = self.rest.get_if_any(&path).await?;
        let merged = requests.into_iter().flatten().filter(|request| request.state == "merged");
        let Some(source) = merged.max_by_key(|request| request.iid) else { return Ok(()) };
        let place = self.place(source.iid);
        let own = self.own_account().await?.id;
        let notes = format!("{place}/notes");
        let of_notes = CommentPlace { new: notes.clone(), each: notes, edit: Method::PUT };
        keep_one_comment(&self.rest, of_notes, (text, own), || self.written(&place)).await
    }

    /// The notes on a merge request.
    async fn written(&self, place: &str) -> Result<Vec<There>, ForgeError> {
        let notes = self.notes(place).await?.into_iter();
        Ok(notes
            .map(|note| (note.id, note.author.map(|author| author.id), note.body.unwrap_or_default()))
            .collect())
    }

    async fn issues_are_off(&self) -> Result<bool, ForgeError> {
        Ok(!has_issues(&self.project().await?))
    }

    /// Source: <https://docs.gitlab.com/api/issues/>.
    pub(super) async fn manual_issues(&self) -> Result<Vec<ManualIssue>, ForgeError> {
        let own = self.own_account().await?.id;
        let path = format!("{}/issues?author_id={own}&state=opened&per_page=100", self.root);
        let listed = self.rest.list::<Issue>(&path).await;
        let issues = unless_off(listed, self.issues_are_off()).await?.unwrap_or_default();
        let is_own = |issue: &Issue| issue.author.as_ref().is_some_and(|author| author.id == own);
        Ok(issues.into_iter().filter(is_own).map(ManualIssue::from).collect())
    }

    pub(super) async fn open_manual_issue(&self, title: &str, body: &str) -> Result<ManualIssue, ForgeError> {
        let assignees = self.user_ids(self.options.assignees.iter()).await;
        let request = json!({
            "title": title, "description": body, "labels": MANUAL_LABEL, "assignee_ids": assignees,
        });
        let sent =
            self.rest.send_for::<Issue>(Method::POST, &format!("{}/issues", self.root), &request).await;
        let issue = unless_off(sent, self.issues_are_off()).await?;
        issue.map(ManualIssue::from).ok_or_else(|| ForgeError::Off(self.rest.named(ISSUES_ARE_OFF)))
    }

    pub(super) async fn close_manual_issue(&self, number: u64, comment: &str) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", self.root);
        self.rest.send(Method::POST, &format!("{path}/notes"), &json!({"body": comment})).await?;
        self.rest.send(Method::PUT, &path, &json!({"state_event": "close"})).await.map(drop)
    }

    pub(super) async fn check_repository(
        &self,
        base: &BranchName,
        delivery: Delivery,
    ) -> Result<String, ForgeError> {
        let project = self.project().await?;
        let denied = |reason: &str| Err(ForgeError::Denied(self.rest.named(reason)));
        if project.archived {
            return denied("the project is archived: nothing can be changed");
        }
        if project.merge_requests_enabled == Some(false) {
            return denied("merge requests are off: turn them on in the project's settings");
        }
        // An administrator has no level, and may do everything.
        let level = project.permissions.as_ref().and_then(Permissions::level);
        if level.is_some_and(|level| level < DEVELOPER) {
            return denied(
                "the credentials may not push: give them the role of a Developer, and the scope `api`",
            );
        }
        let account = plain(&self.own_account().await?.name);
        let path = format!("{}/repository/branches/{}", self.root, path_part(base.as_str()));
        let branch: Branch = self.rest.get_if_any(&path).await?.unwrap_or_default();
        if delivery == Delivery::Push && branch.can_push == Some(false) {
            return denied(&format!(
                "`{base}` is protected and does not take the agent's pushes: let it push, or set `delivery: pull-request`"
            ));
        }
        let is_kept = branch.protected && !branch.developers_can_merge;
        let role = if is_kept && level.is_some_and(|level| level < MAINTAINER) {
            format!("; `{base}` is protected, so that only those merge who are named there, or a Maintainer")
        } else {
            String::new()
        };
        let issues = match has_issues(&project) {
            true => {
                let fix = "the token may not open issues: give it the scope `api`";
                self.rest.may_open_issues(&format!("{}/issues", self.root), fix).await?;
                ""
            }
            false => "; issues are off, so none can be opened",
        };
        let (place, way) = (&self.options.repository, way(&project));
        Ok(format!("{place} answers to {account}; {way}{role}{issues}; {NOT_TESTED}"))
    }
}

/// The state in GitLab's word.
fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Success => "success",
        StatusState::Failure => "failed",
    }
}

impl Status {
    /// Whether it says the same.
    fn says(&self, status: &CommitStatus) -> bool {
        self.status == word(status.state)
            && self.description.as_deref() == Some(&status.description)
            && self.target_url == status.url
    }
}

fn has_issues(project: &Project) -> bool {
    project.issues_enabled != Some(false) && project.issues_access_level.as_deref() != Some("disabled")
}

/// How a merge request gets into the branch, in a sentence.
fn way(project: &Project) -> String {
    let rides = project.merge_trains_enabled == Some(true);
    let who = if rides { "the merge train" } else { "GitLab" };
    let how = match project.merge_method.as_deref() {
        Some("ff") => " by fast-forward",
        Some("rebase_merge") => " with merge commits on a straight history",
        _ => "",
    };
    let squash = match project.squash_option.as_deref() {
        // The train writes the message.
        Some("always") if rides => {
            ", squashed, for which the template of squash messages needs `%{first_multiline_commit}`,"
        }
        Some("always" | "default_on") if !rides => ", squashed",
        _ => "",
    };
    let when = match project.only_allow_merge_if_pipeline_succeeds {
        Some(true) => " when its pipeline has succeeded",
        _ => " when its rules let it, for which no pipeline has to succeed",
    };
    format!("{who} merges by itself{how}{squash}{when}")
}

impl From<Issue> for ManualIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.iid, url: issue.web_url, body: issue.description.unwrap_or_default() }
    }
}
