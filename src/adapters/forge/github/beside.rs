//! What is shown beside commits, comments on the pull requests that brought them, and issues.

use http::Method;
use serde_json::json;

use super::GitHub;
use super::types::{CombinedStatus, Comment, Issue, Pull, RepoInfo, Status};
use crate::adapters::forge::shared::{MANUAL_LABEL, Placing, placing, plain};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{CommitStatus, ManualIssue, StatusState};
use crate::ports::ForgeError;

impl GitHub {
    pub(super) async fn show_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let state = match status.state {
            StatusState::Success => "success",
            StatusState::Failure => "failure",
        };
        let path = format!("{}/commits/{}/status?per_page=100", self.root, status.commit);
        let shown: Option<CombinedStatus> = self.rest.get_if_any(&path).await?;
        let is_it = |shown: &Status| {
            shown.context == status.context
                && shown.state == state
                && shown.description.as_deref() == Some(&status.description)
                && shown.target_url == status.url
        };
        if shown.is_some_and(|shown| shown.statuses.iter().any(is_it)) {
            return Ok(());
        }
        let body = json!({
            "state": state, "context": status.context, "description": status.description,
            "target_url": status.url,
        });
        self.rest
            .send(Method::POST, &format!("{}/statuses/{}", self.root, status.commit), &body)
            .await
            .map(drop)
    }

    pub(super) async fn comment_on_source(&self, commit: CommitId, text: &str) -> Result<(), ForgeError> {
        let path = format!("{}/commits/{commit}/pulls?per_page=30", self.root);
        let pulls: Option<Vec<Pull>> = self.rest.get_if_any(&path).await?;
        let merged = pulls.into_iter().flatten().filter(|pull| pull.merged_at.is_some());
        let Some(source) = merged.max_by_key(|pull| pull.number) else { return Ok(()) };
        let path = format!("{}/issues/{}/comments", self.root, source.number);
        let there: Vec<Comment> = self.rest.list(&format!("{path}?per_page=100")).await?;
        let own = self.own_account().await?.id;
        let there = there.into_iter().map(|comment| {
            (comment.id, comment.user.and_then(|user| user.id), comment.body.unwrap_or_default())
        });
        let (method, path) = match placing(text, own, there) {
            Placing::Done => return Ok(()),
            Placing::Edit(id) => (Method::PATCH, format!("{}/issues/comments/{id}", self.root)),
            Placing::Write => (Method::POST, path),
        };
        self.rest.send(method, &path, &json!({"body": text})).await.map(drop)
    }

    pub(super) async fn manual_issues(&self) -> Result<Vec<ManualIssue>, ForgeError> {
        let path = format!("{}/issues?labels={MANUAL_LABEL}&state=open&per_page=100", self.root);
        let issues: Vec<Issue> = self.rest.list(&path).await?;
        Ok(issues.into_iter().filter(|issue| issue.pull_request.is_none()).map(ManualIssue::from).collect())
    }

    pub(super) async fn open_manual_issue(&self, title: &str, body: &str) -> Result<ManualIssue, ForgeError> {
        let mut request = json!({"title": title, "body": body, "labels": [MANUAL_LABEL]});
        if let Some(request) = request.as_object_mut().filter(|_| !self.options.assignees.is_empty()) {
            request.insert("assignees".to_owned(), json!(self.options.assignees));
        }
        let issue: Issue =
            self.rest.send_for(Method::POST, &format!("{}/issues", self.root), &request).await?;
        Ok(issue.into())
    }

    pub(super) async fn close_manual_issue(&self, number: u64, comment: &str) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", self.root);
        self.rest.send(Method::POST, &format!("{path}/comments"), &json!({"body": comment})).await?;
        let body = json!({"state": "closed", "state_reason": "completed"});
        self.rest.send(Method::PATCH, &path, &body).await.map(drop)
    }

    pub(super) async fn check_repository(&self, base: &BranchName) -> Result<String, ForgeError> {
        let info: RepoInfo = self.rest.get(&self.root).await?;
        if info.archived {
            return Err(ForgeError::Denied(
                self.rest.named("the repository is archived: nothing can be changed"),
            ));
        }
        if info.permissions.is_some_and(|permissions| !permissions.push) {
            let reason = "the credentials may not push: give them write access to contents and pull requests";
            return Err(ForgeError::Denied(self.rest.named(reason)));
        }
        let account = plain(&self.own_account().await?.name);
        let settings = self.settings(base).await?;
        let merging = match (settings.has_queue, settings.auto_merge) {
            (true, _) => "the merge queue merges",
            (false, true) => "GitHub merges by itself",
            (false, false) => {
                "auto-merge is off in the repository's settings, so the agent merges in a later pass"
            }
        };
        let issues =
            if info.has_issues == Some(false) { "; issues are off, so none can be opened" } else { "" };
        let signed = match (settings.wants_signatures, self.options.signed) {
            (true, false) => "; GitHub makes and signs the commits",
            (_, _) => "",
        };
        Ok(format!("{} answers to {account}; {merging}{signed}{issues}", self.options.repository))
    }
}

impl From<Issue> for ManualIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, url: issue.html_url, body: issue.body.unwrap_or_default() }
    }
}
