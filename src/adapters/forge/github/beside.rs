//! What is shown beside commits, comments on the pull requests that brought them, and issues.

use http::Method;
use serde_json::json;

use super::GitHub;
use super::types::{CombinedStatus, Comment, Issue, Pull, RepoInfo, Status};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{
    CommentPlace, ISSUES_ARE_OFF, MANUAL_LABEL, NOT_TESTED, There, keep_one_comment, plain, state_word,
    unless_off,
};
use crate::domain::environment::policy::Delivery;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{CommitStatus, ManualIssue};
use crate::ports::ForgeError;

impl GitHub {
    /// Whether what a commit shows of the same context says the same; none where it shows nothing of it: the combined status has the last of each.
    pub(super) async fn shows(&self, status: &CommitStatus) -> Result<Option<bool>, ForgeError> {
        let path = format!("{}/commits/{}/status?per_page=100", self.root, status.commit);
        let shown: Option<CombinedStatus> = self.rest.get_if_any(&path).await?;
        let mut all = shown.into_iter().flat_map(|shown| shown.statuses);
        Ok(all.find(|shown| shown.context == status.context).map(|shown| shown.says(status)))
    }

    pub(super) async fn send_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let body = json!({
            "state": state_word(status.state), "context": status.context, "description": status.description,
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
        let own = self.own_account().await?.id;
        let place = CommentPlace {
            new: path.clone(),
            each: format!("{}/issues/comments", self.root),
            edit: Method::PATCH,
        };
        keep_one_comment(&self.rest, place, (text, own), || self.written(&path)).await
    }

    /// The comments at a path.
    async fn written(&self, path: &str) -> Result<Vec<There>, ForgeError> {
        let comments: Vec<Comment> = self.rest.list(&format!("{path}?per_page=100")).await?;
        let there = |comment: Comment| {
            (comment.id, comment.user.and_then(|user| user.id), comment.body.unwrap_or_default())
        };
        Ok(comments.into_iter().map(there).collect())
    }

    pub(super) async fn manual_issues(&self) -> Result<Vec<ManualIssue>, ForgeError> {
        let own = self.own_account().await?;
        let path = format!("{}/issues?creator={}&state=open&per_page=100", self.root, path_part(&own.name));
        let listed = self.rest.list::<Issue>(&path).await;
        let issues = unless_off(listed, self.issues_are_off()).await?.unwrap_or_default();
        let is_own = |issue: &Issue| {
            issue.pull_request.is_none() && issue.user.as_ref().is_some_and(|user| user.id == Some(own.id))
        };
        Ok(issues.into_iter().filter(is_own).map(ManualIssue::from).collect())
    }

    /// GitHub answers 410 then.
    async fn issues_are_off(&self) -> Result<bool, ForgeError> {
        let info: RepoInfo = self.rest.get(&self.root).await?;
        Ok(info.has_issues == Some(false))
    }

    /// Assigns an issue or a pull request, to each for themselves: one whom GitHub does not know keeps no other out.
    pub(super) async fn assign(&self, number: u64) {
        for name in &self.options.assignees {
            let path = format!("{}/issues/{number}/assignees", self.root);
            self.decorate("an assignee", &path, json!({"assignees": [name]})).await;
        }
    }

    pub(super) async fn open_manual_issue(&self, title: &str, body: &str) -> Result<ManualIssue, ForgeError> {
        let request = json!({"title": title, "body": body, "labels": [MANUAL_LABEL]});
        let sent =
            self.rest.send_for::<Issue>(Method::POST, &format!("{}/issues", self.root), &request).await;
        let issue = unless_off(sent, self.issues_are_off())
            .await?
            .ok_or_else(|| ForgeError::Off(self.rest.named(ISSUES_ARE_OFF)))?;
        self.assign(issue.number).await;
        Ok(issue.into())
    }

    pub(super) async fn close_manual_issue(&self, number: u64, comment: &str) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", self.root);
        self.rest.send(Method::POST, &format!("{path}/comments"), &json!({"body": comment})).await?;
        let body = json!({"state": "closed", "state_reason": "completed"});
        self.rest.send(Method::PATCH, &path, &body).await.map(drop)
    }

    pub(super) async fn check_repository(
        &self,
        base: &BranchName,
        delivery: Delivery,
    ) -> Result<String, ForgeError> {
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
        if settings.methods.is_empty() {
            let reason = "no way to merge is allowed in the repository's settings: allow one";
            return Err(ForgeError::Denied(self.rest.named(reason)));
        }
        let issues = match info.has_issues {
            Some(false) => "; issues are off, so none can be opened",
            Some(true) | None => {
                let fix = "the credentials may not open issues: give them write access to issues";
                self.rest.may_open_issues(&format!("{}/issues", self.root), fix).await?;
                ""
            }
        };
        // GitHub tells nobody whether a branch takes their pushes.
        let pushes = match delivery {
            Delivery::Push => format!(", and pushes to `{base}`"),
            Delivery::Branch | Delivery::PullRequest => String::new(),
        };
        let signed = match (settings.wants_signatures, self.options.signed) {
            (true, false) => "; GitHub makes and signs the commits",
            (_, _) => "",
        };
        let place = &self.options.repository;
        Ok(format!("{place} answers to {account}; {merging}{signed}{issues}; {NOT_TESTED}{pushes}"))
    }
}

impl Status {
    /// Whether it says the same.
    fn says(&self, status: &CommitStatus) -> bool {
        self.state == state_word(status.state)
            && self.description.as_deref() == Some(&status.description)
            && self.target_url == status.url
    }
}

impl From<Issue> for ManualIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, url: issue.html_url, body: issue.body.unwrap_or_default() }
    }
}
