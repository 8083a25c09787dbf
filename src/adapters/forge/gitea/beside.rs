//! What is shown beside commits, comments on the pull requests that brought them, and issues.

use http::Method;
use serde_json::json;

use super::Gitea;
use super::types::{Issue, Pull, RepoInfo, Status};
use crate::adapters::forge::shared::{MANUAL_LABEL, Placing, placing, plain};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{CommitStatus, ManualIssue, StatusState};
use crate::ports::ForgeError;

impl Gitea {
    pub(super) async fn show_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let state = match status.state {
            StatusState::Success => "success",
            StatusState::Failure => "failure",
        };
        let url = status.url.as_deref().unwrap_or("");
        let is_it = |shown: &Status| {
            shown.context == status.context
                && shown.state == state
                && shown.description == status.description
                && shown.target_url == url
        };
        if self.statuses(&status.commit.to_string()).await?.iter().any(is_it) {
            return Ok(());
        }
        let body = json!({
            "state": state, "context": status.context, "description": status.description, "target_url": url,
        });
        self.rest
            .send(Method::POST, &format!("{}/statuses/{}", self.root, status.commit), &body)
            .await
            .map(drop)
    }

    pub(super) async fn comment_on_source(&self, commit: CommitId, text: &str) -> Result<(), ForgeError> {
        let source: Option<Pull> =
            self.rest.get_if_any(&format!("{}/commits/{commit}/pull", self.root)).await?;
        let Some(source) = source.filter(|pull| pull.merged) else { return Ok(()) };
        let own = self.own_account().await?.id;
        let there = self.comments(source.number).await?.into_iter();
        let there = there.map(|comment| (comment.id, comment.user.and_then(|user| user.id), comment.body));
        let (method, path) = match placing(text, own, there) {
            Placing::Done => return Ok(()),
            Placing::Edit(id) => (Method::PATCH, format!("{}/issues/comments/{id}", self.root)),
            Placing::Write => (Method::POST, format!("{}/issues/{}/comments", self.root, source.number)),
        };
        self.rest.send(method, &path, &json!({"body": text})).await.map(drop)
    }

    /// Where there is no such label in the repository, Gitea lists all issues; so each is looked at.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/routers/api/v1/repo/issue.go>, `ListIssues`.
    pub(super) async fn manual_issues(&self) -> Result<Vec<ManualIssue>, ForgeError> {
        let path = format!(
            "{}/issues?type=issues&labels={MANUAL_LABEL}&state=open&limit={}",
            self.root,
            super::PAGE
        );
        let issues: Vec<Issue> = self.rest.list(&path).await?;
        let is_asked_for = |issue: &Issue| {
            issue.pull_request.is_none() && issue.labels.iter().any(|label| label.name == MANUAL_LABEL)
        };
        Ok(issues.into_iter().filter(is_asked_for).map(ManualIssue::from).collect())
    }

    /// The label is what it is found by, so that without it nothing is opened. An assignee who is not there would keep the
    /// issue from being opened, so that they come after it.
    pub(super) async fn open_manual_issue(&self, title: &str, body: &str) -> Result<ManualIssue, ForgeError> {
        let labels = self.label_ids(&[MANUAL_LABEL]).await?;
        if labels.is_empty() {
            let reason = format!("there is no label `{MANUAL_LABEL}`, and it cannot be made: make it");
            return Err(ForgeError::Denied(self.rest.named(&reason)));
        }
        let request = json!({"title": title, "body": body, "labels": labels});
        let issue: Issue =
            self.rest.send_for(Method::POST, &format!("{}/issues", self.root), &request).await?;
        if !self.options.assignees.is_empty() {
            let path = format!("{}/issues/{}", self.root, issue.number);
            let request = json!({"assignees": self.options.assignees});
            if let Err(error) = self.rest.send(Method::PATCH, &path, &request).await {
                tracing::warn!(%error, "the issue goes without assignees");
            }
        }
        Ok(issue.into())
    }

    pub(super) async fn close_manual_issue(&self, number: u64, comment: &str) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", self.root);
        self.rest.send(Method::POST, &format!("{path}/comments"), &json!({"body": comment})).await?;
        self.rest.send(Method::PATCH, &path, &json!({"state": "closed"})).await.map(drop)
    }

    pub(super) async fn check_repository(&self, base: &BranchName) -> Result<String, ForgeError> {
        let info: RepoInfo = self.rest.get(&self.root).await?;
        let denied = |reason: &str| Err(ForgeError::Denied(self.rest.named(reason)));
        if info.archived {
            return denied("the repository is archived: nothing can be changed");
        }
        if info.permissions.as_ref().is_some_and(|permissions| !permissions.push) {
            return denied("the credentials may not push: give them write access to the repository");
        }
        if info.has_pull_requests == Some(false) {
            return denied("pull requests are off in the repository's settings: turn them on");
        }
        let account = plain(&self.own_account().await?.name);
        let keeps_out = self.branch(base).await?.user_can_merge == Some(false);
        let merging = match keeps_out {
            true => "the branch's protection does not let the agent merge, so a person has to",
            false => "Gitea merges by itself",
        };
        let commands = match info.permissions {
            Some(permissions) if !permissions.admin => {
                "; it tells administrators alone who may push, so no commands in comments are obeyed"
            }
            Some(_) | None => "",
        };
        let issues =
            if info.has_issues == Some(false) { "; issues are off, so none can be opened" } else { "" };
        Ok(format!("{} answers to {account}; {merging}{commands}{issues}", self.options.repository))
    }
}

impl From<Issue> for ManualIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, url: issue.html_url, body: issue.body }
    }
}
