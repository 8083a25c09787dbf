//! Pull requests: finding, opening, describing, closing, and the commands in their comments.

use http::Method;
use serde_json::json;

use super::GitHub;
use super::types::{Comment, Issue, Permission, Pull, Restrictions, Tip, User};
use crate::adapters::forge::rest::{MAX_PAGES, path_part};
use crate::adapters::forge::shared::{Commanders, buried, is_spoilt, known, taken};
use crate::domain::ids::BranchName;
use crate::domain::review::command::{Command, Order, Right, order};
use crate::domain::review::{NewReview, OpenPull, Review, ReviewState};
use crate::ports::{ForgeError, MAX_PULLS};

/// How long a page of a list is, which is the longest. Source: <https://docs.github.com/en/rest/pulls/pulls#list-pull-requests>.
const PAGE: usize = 100;
/// How many pull requests of a branch are looked at.
const MAX_LISTED: usize = PAGE * MAX_PAGES;

impl Pull {
    /// The id of the account that has opened it.
    fn opener(&self) -> Option<i64> {
        self.user.as_ref()?.id
    }
}

impl GitHub {
    pub(super) async fn find_review(
        &self,
        branch: &BranchName,
        base: &BranchName,
    ) -> Result<Option<Review>, ForgeError> {
        let own = self.own_account().await?.id;
        let pulls = self.pulls_from(branch, base, "all").await?;
        let is_by_us = |pull: &&Pull| pull.opener() == Some(own);
        match pulls.iter().filter(is_by_us).max_by_key(|pull| pull.number) {
            Some(pull) => self.read_review(pull.number, base).await.map(Some),
            None if pulls.len() >= MAX_LISTED => Err(ForgeError::Refused(self.rest.named(&buried(branch)))),
            None => Ok(None),
        }
    }

    /// The pull requests from a branch of this very repository, whoever has opened them, newest first.
    async fn pulls_from(
        &self,
        branch: &BranchName,
        base: &BranchName,
        state: &str,
    ) -> Result<Vec<Pull>, ForgeError> {
        let path = format!(
            "{}/pulls?head={}:{}&base={}&state={state}&sort=created&direction=desc&per_page={PAGE}",
            self.root,
            self.owner(),
            path_part(branch.as_str()),
            path_part(base.as_str())
        );
        let mut pulls: Vec<Pull> = self.rest.list(&path).await?;
        // A fork of the same owner would show here too, and anybody may name a branch like ours.
        let repo = |tip: &Tip| tip.repo.as_ref().map(|repo| repo.id);
        pulls.retain(|pull| {
            pull.head.name == branch.as_str()
                && repo(&pull.head).is_some()
                && repo(&pull.head) == repo(&pull.base)
        });
        Ok(pulls)
    }

    /// GitHub keeps the head of each pull request under a ref of its own, also where it comes from a fork.
    /// Source: <https://docs.github.com/en/rest/pulls/pulls#list-pull-requests>.
    pub(super) async fn open_pulls(&self, base: &BranchName) -> Result<Vec<OpenPull>, ForgeError> {
        let path = format!(
            "{}/pulls?base={}&state=open&sort=updated&direction=desc&per_page={MAX_PULLS}",
            self.root,
            path_part(base.as_str())
        );
        let pulls: Vec<Pull> = self.rest.get(&path).await?;
        let is_meant = |pull: &&Pull| pull.state == "open" && pull.base.name == base.as_str();
        let open = pulls.iter().filter(is_meant).take(MAX_PULLS).map(|pull| {
            let (number, head) = (pull.number, self.rest.commit_id(&pull.head.sha)?);
            Ok(OpenPull { number, head, reference: format!("refs/pull/{number}/head") })
        });
        open.collect()
    }

    /// One pull request, in full.
    pub(super) async fn read_review(&self, number: u64, base: &BranchName) -> Result<Review, ForgeError> {
        let pull = self.settled_pull(number).await?;
        let state = match (pull.merged_at.is_some(), pull.state.as_str()) {
            (true, _) => ReviewState::Merged,
            (false, "open") => ReviewState::Open,
            (false, _) => ReviewState::Closed { by: self.closer(number).await? },
        };
        let is_open = state == ReviewState::Open;
        let (commands, unread) = match is_open {
            true => known(self.commands(number, base).await),
            false => Default::default(),
        };
        Ok(Review {
            number,
            url: pull.html_url.clone(),
            head: self.rest.commit_id(&pull.head.sha)?,
            opened_at: self.rest.time(&pull.created_at)?,
            body: pull.body.clone().unwrap_or_default(),
            scheduled: is_open && self.is_scheduled(&pull, base).await?,
            standing: self.standing(&pull, base, is_open).await?,
            commands,
            unread,
            second: None,
            merged_as: pull
                .merge_commit_sha
                .as_deref()
                .filter(|_| pull.merged_at.is_some())
                .map(|id| self.rest.commit_id(id))
                .transpose()?,
            state,
        })
    }

    pub(super) async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        self.rest.get(&format!("{}/pulls/{number}", self.root)).await
    }

    /// Who closed it, where GitHub tells.
    async fn closer(&self, number: u64) -> Result<Option<String>, ForgeError> {
        let issue: Option<Issue> = self.rest.get_if_told(&format!("{}/issues/{number}", self.root)).await?;
        Ok(issue.and_then(|issue| issue.closed_by).map(|user| user.login))
    }

    /// The commands in the comments, and whether who wrote each may give it.
    async fn commands(&self, number: u64, base: &BranchName) -> Result<Vec<Command>, ForgeError> {
        let path = format!("{}/issues/{number}/comments?per_page=100", self.root);
        let comments: Vec<Comment> = self.rest.whole_list(&path).await?;
        let (mut commands, mut people) = (Vec::new(), Commanders::default());
        for comment in comments {
            let (Some(user), Some(order)) = (comment.user, comment.body.as_deref().and_then(order)) else {
                continue;
            };
            let at = self.rest.time(&comment.created_at)?;
            let edited_at = comment.updated_at.as_deref().and_then(|text| self.rest.time(text).ok());
            let right = match is_spoilt(order, at, edited_at) {
                Some(right) => right,
                None => people.right(&user.login, order, || self.right(&user, order, base)).await?,
            };
            commands.push(Command { by: user.login, at, order, right });
        }
        Ok(commands)
    }

    /// Who may merge is who may push to the branch. A branch can restrict that, and only the credentials of an administrator
    /// are told to whom; where they are not, the right to push to the repository is enough, and what the agent may merge
    /// is up to its own rights. Source: <https://docs.github.com/en/rest/branches/branch-protection#get-access-restrictions>.
    async fn right(&self, user: &User, order: Order, base: &BranchName) -> Result<Right, ForgeError> {
        let path = format!("{}/collaborators/{}/permission", self.root, path_part(&user.login));
        let permission: Option<Permission> = self.rest.get_if_any(&path).await?;
        match permission.as_ref().map(|level| level.permission.as_str()) {
            Some("admin") => return Ok(Right::Given),
            Some("maintain" | "write") if order != Order::Approve => return Ok(Right::Given),
            Some("maintain" | "write") => {}
            Some(_) | None => return Ok(Right::Missing),
        }
        let path = format!("{}/branches/{}/protection/restrictions", self.root, path_part(base.as_str()));
        let restrictions: Option<Restrictions> = self.rest.get_if_told(&path).await?;
        let is_named = |listed: &Restrictions| {
            listed.users.iter().any(|listed| listed.id.is_some() && listed.id == user.id)
        };
        Ok(match restrictions {
            Some(listed) if !is_named(&listed) => Right::PushOnly(format!(
                "`{base}` restricts who may push to it, and does not name them (teams are not looked into)"
            )),
            Some(_) | None => Right::Given,
        })
    }

    pub(super) async fn open_review(&self, new: &NewReview) -> Result<Review, ForgeError> {
        let body = json!({
            "title": new.title, "head": new.branch.as_str(), "base": new.base.as_str(), "body": new.body,
            "maintainer_can_modify": false,
        });
        let pull: Pull = match self.rest.send_for(Method::POST, &format!("{}/pulls", self.root), &body).await
        {
            Err(ForgeError::Refused(reason)) => return Err(self.refusal(new, reason).await?),
            sent => sent?,
        };
        // It is there now: what people get beside it is of less weight.
        self.dress(pull.number, new).await;
        self.read_review(pull.number, &new.base).await
    }

    /// Why no pull request could be opened: GitHub takes one at a time from a branch, whoever has opened it.
    async fn refusal(&self, new: &NewReview, reason: String) -> Result<ForgeError, ForgeError> {
        let own = self.own_account().await?.id;
        let open = self.pulls_from(&new.branch, &new.base, "open").await?;
        let other = open.iter().find(|pull| pull.opener() != Some(own));
        Ok(match other {
            Some(other) => ForgeError::Taken(self.rest.named(&taken(&new.branch, &other.html_url))),
            None => ForgeError::Refused(reason),
        })
    }

    /// Labels, assignees and reviewers, each for itself: one that GitHub does not take keeps no other out.
    async fn dress(&self, number: u64, new: &NewReview) {
        let issue = format!("{}/issues/{number}", self.root);
        let options = &self.options;
        if !options.labels.is_empty() {
            self.decorate("labels", &format!("{issue}/labels"), json!({"labels": options.labels})).await;
        }
        self.assign(number).await;
        let owners = new.owners.iter().filter(|_| options.code_owners);
        let mut wanted: Vec<&str> =
            options.reviewers.iter().chain(owners).map(|name| name.trim_start_matches('@')).collect();
        wanted.sort_unstable();
        wanted.dedup();
        // GitHub refuses the whole request where one of them cannot review.
        for name in wanted.into_iter().filter(|name| !name.contains('@')) {
            let body = match name.split_once('/') {
                Some((_, team)) => json!({"team_reviewers": [team]}),
                None => json!({"reviewers": [name]}),
            };
            let path = format!("{}/pulls/{number}/requested_reviewers", self.root);
            self.decorate("a reviewer", &path, body).await;
        }
    }

    pub(super) async fn decorate(&self, what: &str, path: &str, body: serde_json::Value) {
        if let Err(error) = self.rest.send(Method::POST, path, &body).await {
            tracing::warn!(%error, "the pull request goes without {what}");
        }
    }

    pub(super) async fn describe_review(&self, review: &Review, body: &str) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{}", self.root, review.number);
        self.rest.send(Method::PATCH, &path, &json!({"body": body})).await.map(drop)
    }

    pub(super) async fn close_review(&self, review: &Review) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{}", self.root, review.number);
        self.rest.send(Method::PATCH, &path, &json!({"state": "closed"})).await.map(drop)
    }
}
