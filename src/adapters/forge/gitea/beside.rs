//! What is shown beside commits, comments on the pull requests that brought them, and issues.

use http::Method;
use serde_json::json;

use super::Gitea;
use super::types::{Issue, Pull, RepoInfo, Status};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{
    CommentPlace, ISSUES_ARE_OFF, MANUAL_LABEL, NOT_TESTED, There, keep_one_comment, plain, state_word,
    unless_off,
};
use crate::domain::environment::policy::Delivery;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{CommitStatus, ManualIssue};
use crate::ports::ForgeError;

impl Gitea {
    /// Whether what a commit shows of the same context says the same; none where it shows nothing of it.
    pub(super) async fn shows(&self, status: &CommitStatus) -> Result<Option<bool>, ForgeError> {
        let all = self.statuses(&status.commit.to_string()).await?;
        let shown = all.iter().find(|shown| shown.context == status.context);
        Ok(shown.map(|shown| shown.says(status)))
    }

    pub(super) async fn send_status(&self, status: &CommitStatus) -> Result<(), ForgeError> {
        let body = json!({
            "state": state_word(status.state), "context": status.context, "description": status.description,
            "target_url": status.url.as_deref().unwrap_or(""),
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
        let place = CommentPlace {
            new: format!("{}/issues/{}/comments", self.root, source.number),
            each: format!("{}/issues/comments", self.root),
            edit: Method::PATCH,
        };
        keep_one_comment(&self.rest, place, (text, own), || self.written(source.number)).await
    }

    /// The comments on a pull request or an issue.
    async fn written(&self, number: u64) -> Result<Vec<There>, ForgeError> {
        let comments = self.comments(number).await?.into_iter();
        Ok(comments
            .map(|comment| (comment.id, comment.user.and_then(|user| user.id), comment.body))
            .collect())
    }

    /// They are found by the account that has opened them. A list by label is empty as soon as there are two labels of one name,
    /// and holds all issues where there is no such label.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/routers/api/v1/repo/issue.go>, `ListIssues`.
    pub(super) async fn manual_issues(&self) -> Result<Vec<ManualIssue>, ForgeError> {
        let own = self.own_account().await?;
        let path = format!(
            "{}/issues?type=issues&created_by={}&state=open&limit={}",
            self.root,
            path_part(&own.name),
            super::PAGE
        );
        let listed = self.rest.list::<Issue>(&path).await;
        let issues = unless_off(listed, self.issues_are_off()).await?.unwrap_or_default();
        let is_own = |issue: &Issue| {
            issue.pull_request.is_none() && issue.user.as_ref().is_some_and(|user| user.id == Some(own.id))
        };
        Ok(issues.into_iter().filter(is_own).map(ManualIssue::from).collect())
    }

    async fn issues_are_off(&self) -> Result<bool, ForgeError> {
        Ok(self.info().await?.is_some_and(|info| info.has_no_issues()))
    }

    /// An assignee who is not there would keep the issue from being opened, so that they come after it.
    pub(super) async fn open_manual_issue(&self, title: &str, body: &str) -> Result<ManualIssue, ForgeError> {
        let labels = self.label_ids(&[MANUAL_LABEL]).await.unwrap_or_default();
        let request = json!({"title": title, "body": body, "labels": labels});
        let sent =
            self.rest.send_for::<Issue>(Method::POST, &format!("{}/issues", self.root), &request).await;
        let issue = unless_off(sent, self.issues_are_off())
            .await?
            .ok_or_else(|| ForgeError::Off(self.rest.named(ISSUES_ARE_OFF)))?;
        self.assign(&format!("{}/issues/{}", self.root, issue.number)).await;
        Ok(issue.into())
    }

    /// Assigns an issue or a pull request. The server takes all of them or none, and one whom it does not know keeps the others
    /// out: then each is tried, and left out where it is refused.
    pub(super) async fn assign(&self, path: &str) {
        let wanted = &self.options.assignees;
        let assigned = |names: &[String]| json!({"assignees": names});
        if wanted.is_empty() || self.rest.send(Method::PATCH, path, &assigned(wanted)).await.is_ok() {
            return;
        }
        let mut taken: Vec<String> = Vec::new();
        for name in wanted {
            taken.push(name.clone());
            if let Err(error) = self.rest.send(Method::PATCH, path, &assigned(&taken)).await {
                tracing::warn!(%error, name, path, "it goes without this assignee");
                taken.pop();
            }
        }
    }

    pub(super) async fn close_manual_issue(&self, number: u64, comment: &str) -> Result<(), ForgeError> {
        let path = format!("{}/issues/{number}", self.root);
        self.rest.send(Method::POST, &format!("{path}/comments"), &json!({"body": comment})).await?;
        self.rest.send(Method::PATCH, &path, &json!({"state": "closed"})).await.map(drop)
    }

    pub(super) async fn check_repository(
        &self,
        base: &BranchName,
        delivery: Delivery,
    ) -> Result<String, ForgeError> {
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
        if info.way().is_none() {
            return denied("no way to merge is allowed in the repository's settings: allow one");
        }
        let account = plain(&self.own_account().await?.name);
        let branch = self.branch(base).await?;
        if delivery == Delivery::Push && branch.user_can_push == Some(false) {
            return denied(&format!(
                "the protection of `{base}` does not let the agent push: let it, or set `delivery: pull-request`"
            ));
        }
        let keeps_out = branch.user_can_merge == Some(false);
        let merging = match keeps_out {
            true => "the branch's protection does not let the agent merge, so a person has to".to_owned(),
            false => format!("{} merges by itself", self.kind),
        };
        let commands = match &info.permissions {
            Some(permissions) if !permissions.admin => {
                format!("; commands in comments are not obeyed: {}", self.deafness())
            }
            Some(_) | None => String::new(),
        };
        let issues = match info.has_no_issues() {
            true => "; issues are off, so none can be opened",
            false => {
                let fix = "the token may not open issues: give it the scope `write:issue`";
                self.rest.may_open_issues(&format!("{}/issues", self.root), fix).await?;
                ""
            }
        };
        let place = &self.options.repository;
        Ok(format!("{place} answers to {account}; {merging}{commands}{issues}; {NOT_TESTED}"))
    }
}

impl Status {
    /// Whether it says the same.
    fn says(&self, status: &CommitStatus) -> bool {
        self.state == state_word(status.state)
            && self.description == status.description
            && self.target_url == status.url.as_deref().unwrap_or("")
    }
}

impl From<Issue> for ManualIssue {
    fn from(issue: Issue) -> Self {
        Self { number: issue.number, url: issue.html_url, body: issue.body }
    }
}
