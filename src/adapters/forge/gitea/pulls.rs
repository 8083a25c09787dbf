//! Pull requests: finding, opening, describing, closing, and the commands in their comments.

use http::Method;
use serde_json::{Value, json};

use super::types::{Comment, Event, Permission, Protection, Pull};
use super::{Gitea, MAX_PAGES};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{Commanders, buried, is_spoilt, known, taken};
use crate::domain::ids::BranchName;
use crate::domain::review::command::{Command, Order, Right, order};
use crate::domain::review::text::is_second;
use crate::domain::review::{NewReview, OpenPull, Review, ReviewState, Second};
use crate::ports::{ForgeError, MAX_PULLS};

impl Pull {
    /// The id of the account that has opened it.
    fn opener(&self) -> Option<i64> {
        self.user.as_ref()?.id
    }
}

/// What happened, in order.
pub(super) struct Timeline {
    events: Vec<Event>,
    /// Whether these are all.
    is_whole: bool,
}

impl Timeline {
    /// Whether Gitea is to merge it by itself: nothing but the last of these events says so. A schedule outlives that the
    /// pull request is closed and opened again. Where more has happened than can be read, it may be.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/models/issues/comment.go>, the names of its types.
    pub(super) fn is_scheduled(&self) -> bool {
        let told = |event: &&Event| {
            matches!(event.kind.as_str(), "pull_scheduled_merge" | "pull_cancel_scheduled_merge")
        };
        !self.is_whole
            || self.events.iter().rfind(told).is_some_and(|event| event.kind == "pull_scheduled_merge")
    }

    /// Who has closed it last.
    fn closer(&self) -> Option<String> {
        let last = self.events.iter().rfind(|event| event.kind == "close")?;
        last.user.as_ref().map(|user| user.login.clone())
    }
}

/// Which of our pull requests from a branch is followed: the first that is open, as the server takes two that are opened at the
/// same moment, and else the newest that was not closed as the second of two.
/// With it comes the second, where that is open too.
fn followed<'p>(own: impl Iterator<Item = &'p Pull> + Clone) -> Option<(u64, Option<Second>)> {
    let open = own.clone().filter(|pull| pull.state == "open" && !pull.merged);
    if let Some(first) = open.clone().map(|pull| pull.number).min() {
        let second = open.filter(|pull| pull.number > first).min_by_key(|pull| pull.number);
        return Some((first, second.map(|pull| Second { number: pull.number, body: pull.body.clone() })));
    }
    let is_second = |pull: &&Pull| pull.state != "open" && is_second(&pull.body);
    own.filter(|pull| !is_second(pull)).map(|pull| pull.number).max().map(|newest| (newest, None))
}

impl Gitea {
    /// The newest pull request of a branch that our account has opened. The list knows neither branch nor base in all
    /// versions (Forgejo filters by `base` and `head`, Gitea ignores them), and `/pulls/{base}/{head}` gives one in whatever
    /// state and of whomever, and not the newest. So the list is read, whose own order is newest first, and beyond its
    /// first page only where there is one at all.
    ///
    /// Source: <https://github.com/go-gitea/gitea/blob/main/models/issues/pull.go>, `GetPullRequestByBaseHeadInfo`, and
    /// <https://github.com/go-gitea/gitea/pull/29242>.
    pub(super) async fn find_review(
        &self,
        branch: &BranchName,
        base: &BranchName,
    ) -> Result<Option<Review>, ForgeError> {
        let own = self.own_account().await?.id;
        let is_by_us = |pull: &&Pull| self.is_from(pull, branch, base) && pull.opener() == Some(own);
        let newest = |pulls: &[Pull]| followed(pulls.iter().filter(is_by_us));
        let (head_part, base_part) = (path_part(branch.as_str()), path_part(base.as_str()));
        let list = format!("{}/pulls?state=all&base={base_part}&head={head_part}", self.root);
        let first: Vec<Pull> = self.page(&list, 1).await?;
        if let Some(found) = newest(&first) {
            return self.read_found(found, base).await.map(Some);
        }
        if first.is_empty() {
            return Ok(None);
        }
        let one = format!("{}/pulls/{base_part}/{head_part}", self.root);
        let Some(some) = self.rest.get_if_any::<Pull>(&one).await? else { return Ok(None) };
        // Nothing of ours is older than that one, where it is ours.
        let oldest = newest(std::slice::from_ref(&some)).map(|(number, _)| number);
        for number in 2..=MAX_PAGES {
            let page: Vec<Pull> = self.page(&list, number).await?;
            if let Some(found) = newest(&page) {
                return self.read_found(found, base).await.map(Some);
            }
            let is_past = |oldest: u64| page.iter().all(|pull| pull.number <= oldest);
            match oldest {
                Some(oldest) if is_past(oldest) => return self.read_review(oldest, base).await.map(Some),
                None if page.is_empty() => return Ok(None),
                Some(_) | None => {}
            }
        }
        match oldest {
            Some(number) => self.read_review(number, base).await.map(Some),
            None => Err(ForgeError::Refused(self.rest.named(&buried(branch)))),
        }
    }

    async fn read_found(
        &self,
        (number, second): (u64, Option<Second>),
        base: &BranchName,
    ) -> Result<Review, ForgeError> {
        Ok(Review { second, ..self.read_review(number, base).await? })
    }

    /// One page of the list, whatever their bases: Gitea ignores `base`. Gitea keeps the head of each pull request under a ref of its own,
    /// also where it comes from a fork.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/models/issues/pull.go>, `GetGitHeadRefName`.
    pub(super) async fn open_pulls(&self, base: &BranchName) -> Result<Vec<OpenPull>, ForgeError> {
        let base_part = path_part(base.as_str());
        let list = format!("{}/pulls?state=open&sort=recentupdate&base={base_part}", self.root);
        let pulls: Vec<Pull> = self.page(&list, 1).await?;
        let is_meant = |pull: &&Pull| pull.state == "open" && !pull.merged && pull.base.name == base.as_str();
        let open = pulls.iter().filter(is_meant).take(MAX_PULLS).map(|pull| {
            let (number, head) = (pull.number, self.rest.commit_id(&pull.head.sha)?);
            Ok(OpenPull { number, head, reference: format!("refs/pull/{number}/head") })
        });
        open.collect()
    }

    /// Whether a pull request is from the branch, of this very repository, into the base.
    fn is_from(&self, pull: &Pull, branch: &BranchName, base: &BranchName) -> bool {
        let repo = pull.head.repo.as_ref().map_or("", |repo| repo.full_name.as_str());
        let is_branch = pull.head.label == branch.as_str() || pull.head.name == branch.as_str();
        is_branch
            && pull.base.name == base.as_str()
            && pull.head.repo_id == pull.base.repo_id
            && repo.eq_ignore_ascii_case(&self.options.repository)
    }

    /// Why no pull request could be opened: Gitea takes one at a time from a branch, whoever has opened it.
    async fn refusal(&self, new: &NewReview, reason: String) -> Result<ForgeError, ForgeError> {
        let own = self.own_account().await?.id;
        let open: Vec<Pull> = self.pages(&format!("{}/pulls?state=open", self.root)).await?;
        let is_other =
            |pull: &&Pull| self.is_from(pull, &new.branch, &new.base) && pull.opener() != Some(own);
        Ok(match open.iter().find(is_other) {
            Some(other) => ForgeError::Taken(self.rest.named(&taken(&new.branch, &other.html_url))),
            None => ForgeError::Refused(reason),
        })
    }

    /// One pull request, in full.
    pub(super) async fn read_review(&self, number: u64, base: &BranchName) -> Result<Review, ForgeError> {
        let pull = self.settled_pull(number).await?;
        let is_open = pull.state == "open" && !pull.merged;
        let (commands, mut unread) = match is_open {
            true => known(self.commands(number, base).await),
            false => Default::default(),
        };
        let (state, scheduled) = match pull.merged {
            true => (ReviewState::Merged, false),
            false => match self.timeline(number).await {
                Ok(timeline) if is_open => (ReviewState::Open, timeline.is_scheduled()),
                Ok(timeline) => (ReviewState::Closed { by: timeline.closer() }, timeline.is_scheduled()),
                // Where the server does not tell, the agent takes a schedule back that may be there.
                Err(error) if is_open => {
                    unread.get_or_insert_with(|| error.to_string());
                    (ReviewState::Open, true)
                }
                Err(error) => return Err(error),
            },
        };
        Ok(Review {
            number,
            url: pull.html_url.clone(),
            head: self.rest.commit_id(&pull.head.sha)?,
            opened_at: self.rest.time(&pull.created_at)?,
            body: pull.body.clone(),
            scheduled,
            standing: self.standing(&pull, base, is_open).await?,
            commands,
            unread,
            second: None,
            merged_as: pull
                .merge_commit_sha
                .as_deref()
                .filter(|_| pull.merged)
                .map(|id| self.rest.commit_id(id))
                .transpose()?,
            state,
        })
    }

    pub(super) async fn pull(&self, number: u64) -> Result<Pull, ForgeError> {
        self.rest.get(&format!("{}/pulls/{number}", self.root)).await
    }

    pub(super) async fn timeline(&self, number: u64) -> Result<Timeline, ForgeError> {
        let path = format!("{}/issues/{number}/timeline", self.root);
        let (events, is_whole) = self.pages_to_the_end(&path).await?;
        Ok(Timeline { events, is_whole })
    }

    /// The commands in the comments, and whether who wrote each may give it. Gitea gives all comments at once.
    async fn commands(&self, number: u64, base: &BranchName) -> Result<Vec<Command>, ForgeError> {
        let (mut commands, mut people) = (Vec::new(), Commanders::default());
        for comment in self.comments(number).await? {
            let (Some(user), Some(order)) = (comment.user, order(&comment.body)) else { continue };
            let at = self.rest.time(&comment.created_at)?;
            let edited_at = comment.updated_at.as_deref().and_then(|text| self.rest.time(text).ok());
            let right = match is_spoilt(order, at, edited_at) {
                Some(right) => right,
                None => people.right(&user.login, order, || self.right(&user.login, order, base)).await?,
            };
            commands.push(Command { by: user.login, at, order, right });
        }
        Ok(commands)
    }

    pub(super) async fn comments(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        let path = format!("{}/issues/{number}/comments", self.root);
        Ok(self.rest.get::<Option<Vec<Comment>>>(&path).await?.unwrap_or_default())
    }

    /// Only administrators of the repository are told what others may do. Where the agent is none, nobody is obeyed.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/routers/api/v1/repo/collaborators.go>, `GetRepoPermissions`.
    async fn right(&self, login: &str, order: Order, base: &BranchName) -> Result<Right, ForgeError> {
        let path = format!("{}/collaborators/{}/permission", self.root, path_part(login));
        let told = match self.rest.get_if_any::<Permission>(&path).await {
            Err(ForgeError::Denied(reason)) => {
                tracing::warn!(reason, forge = %self.kind, "the command is not obeyed, as the forge does not tell who may push");
                None
            }
            told => told?,
        };
        let level = told.map(|level| level.permission).unwrap_or_default();
        match level.as_str() {
            "owner" | "admin" | "write" if order == Order::Approve => {
                self.right_to_merge(login, level != "write", base).await
            }
            "owner" | "admin" | "write" => Ok(Right::Given),
            _ => Ok(Right::Missing),
        }
    }

    /// Everybody who may push may merge, unless the branch has a list of who may. That holds for administrators too.
    /// Source: <https://docs.gitea.com/usage/protected-branches>.
    async fn right_to_merge(
        &self,
        login: &str,
        is_admin: bool,
        base: &BranchName,
    ) -> Result<Right, ForgeError> {
        let branch = self.branch(base).await?;
        if !branch.protected {
            return Ok(Right::Given);
        }
        let protection = self.protection(&branch.effective_branch_protection_name).await?;
        let is_named = |listed: &Protection| {
            listed.merge_whitelist_usernames.iter().any(|name| name.eq_ignore_ascii_case(login))
        };
        Ok(match protection {
            None if !is_admin => Right::PushOnly(format!(
                "the agent may not read the protection of `{base}`, so that only an administrator can approve"
            )),
            Some(listed) if listed.enable_merge_whitelist && !is_named(&listed) => Right::PushOnly(format!(
                "the protection of `{base}` lists who may merge, and not them (teams are not looked into)"
            )),
            Some(_) | None => Right::Given,
        })
    }

    pub(super) async fn open_review(&self, new: &NewReview) -> Result<Review, ForgeError> {
        let names: Vec<&str> = self.options.labels.iter().map(String::as_str).collect();
        let labels = self.label_ids(&names).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the pull request goes without labels");
            Vec::new()
        });
        let body = json!({
            "title": new.title, "head": new.branch.as_str(), "base": new.base.as_str(), "body": new.body,
            "labels": labels,
        });
        let pull: Pull = match self.rest.send_for(Method::POST, &format!("{}/pulls", self.root), &body).await
        {
            Err(ForgeError::Refused(reason)) => return Err(self.refusal(new, reason).await?),
            sent => sent?,
        };
        // It is there now: what people get beside it is of less weight, and one of them who is not there would have kept it
        // from being opened.
        self.dress(pull.number).await;
        self.read_review(pull.number, &new.base).await
    }

    /// Assignees and reviewers, each for itself: one that Gitea does not take keeps no other out.
    async fn dress(&self, number: u64) {
        let path = format!("{}/pulls/{number}", self.root);
        self.assign(&path).await;
        let mut wanted: Vec<&str> =
            self.options.reviewers.iter().map(|name| name.trim_start_matches('@')).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for name in wanted {
            let body = match name.split_once('/') {
                Some((_, team)) => json!({"team_reviewers": [team]}),
                None => json!({"reviewers": [name]}),
            };
            let path = format!("{path}/requested_reviewers");
            self.decorate("a reviewer", Method::POST, &path, body).await;
        }
    }

    async fn decorate(&self, what: &str, method: Method, path: &str, body: Value) {
        if let Err(error) = self.rest.send(method, path, &body).await {
            tracing::warn!(%error, "the pull request goes without {what}");
        }
    }

    pub(super) async fn describe_review(&self, review: &Review, body: &str) -> Result<(), ForgeError> {
        let path = format!("{}/pulls/{}", self.root, review.number);
        self.rest.send(Method::PATCH, &path, &json!({"body": body})).await.map(drop)
    }

    /// A schedule would outlive that it is closed, and merge it when somebody opens it again.
    pub(super) async fn close_review(&self, review: &Review) -> Result<(), ForgeError> {
        if review.scheduled {
            self.unschedule_review(review).await?;
        }
        let path = format!("{}/pulls/{}", self.root, review.number);
        self.rest.send(Method::PATCH, &path, &json!({"state": "closed"})).await.map(drop)
    }
}
