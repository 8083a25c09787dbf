//! Merge requests: finding, opening, describing, closing, and the commands in their notes.

use http::Method;
use serde_json::{Value, json};

use super::GitLab;
use super::types::{MergeRequest, Note, User};
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{Commanders, is_spoilt, known, taken};
use crate::domain::ids::BranchName;
use crate::domain::review::command::{Command, order};
use crate::domain::review::{NewReview, OpenPull, Review, ReviewState};
use crate::ports::{ForgeError, MAX_PULLS};

/// The longest title that GitLab takes, in characters.
const MAX_TITLE: usize = 255;

/// The path at which GitLab lists the notes on a merge request or an issue, oldest first.
fn notes_of(place: &str) -> String {
    format!("{place}/notes?sort=asc&order_by=created_at&per_page=100")
}

impl GitLab {
    pub(super) async fn find_review(
        &self,
        branch: &BranchName,
        base: &BranchName,
    ) -> Result<Option<Review>, ForgeError> {
        let own = self.own_account().await?.id;
        let asked = format!("state=all&author_id={own}");
        let found = self.requests_from(branch, base, &asked).await?;
        let is_by_us = |one: &&MergeRequest| one.opener() == Some(own);
        match found.iter().filter(is_by_us).max_by_key(|one| one.iid) {
            Some(one) => self.read_review(one.iid, base).await.map(Some),
            None => Ok(None),
        }
    }

    /// The merge requests from a branch of this very project.
    async fn requests_from(
        &self,
        branch: &BranchName,
        base: &BranchName,
        asked: &str,
    ) -> Result<Vec<MergeRequest>, ForgeError> {
        let path = format!(
            "{}/merge_requests?source_branch={}&target_branch={}&{asked}&order_by=created_at&sort=desc&per_page=100",
            self.root,
            path_part(branch.as_str()),
            path_part(base.as_str())
        );
        // To the end of the list: those of forks show here too.
        let mut found: Vec<MergeRequest> = self.rest.list(&path).await?;
        found.retain(|one| one.source_branch == branch.as_str() && one.is_own());
        Ok(found)
    }

    /// Those of forks are left out: GitLab takes no status of their commits in this project.
    /// Source: <https://gitlab.com/gitlab-org/gitlab/-/issues/374133>.
    pub(super) async fn open_pulls(&self, base: &BranchName) -> Result<Vec<OpenPull>, ForgeError> {
        let path = format!(
            "{}/merge_requests?target_branch={}&state=opened&order_by=updated_at&sort=desc&per_page={MAX_PULLS}",
            self.root,
            path_part(base.as_str())
        );
        let requests: Vec<MergeRequest> = self.rest.get(&path).await?;
        let is_meant = |one: &&MergeRequest| one.is_open() && one.is_own();
        let open = requests.iter().filter(is_meant).take(MAX_PULLS).filter_map(|one| {
            let (number, sha) = (one.iid, one.sha.as_deref()?);
            let reference = format!("refs/merge-requests/{number}/head");
            Some(self.rest.commit_id(sha).map(|head| OpenPull { number, head, reference }))
        });
        open.collect()
    }

    /// The path of a merge request.
    pub(super) fn place(&self, number: u64) -> String {
        format!("{}/merge_requests/{number}", self.root)
    }

    /// One merge request, in full.
    pub(super) async fn read_review(&self, number: u64, base: &BranchName) -> Result<Review, ForgeError> {
        let request = self.settled_request(number).await?;
        let is_open = request.is_open();
        let state = match request.state.as_str() {
            _ if is_open => ReviewState::Open,
            "merged" => ReviewState::Merged,
            _ => ReviewState::Closed { by: request.closed_by.as_ref().map(|user| user.username.clone()) },
        };
        let (commands, unread) = match is_open {
            true => known(self.commands(number, base).await),
            false => Default::default(),
        };
        Ok(Review {
            number,
            url: request.web_url.clone(),
            head: self.rest.commit_id(request.sha.as_deref().unwrap_or(""))?,
            opened_at: self.rest.time(&request.created_at)?,
            body: request.description.clone().unwrap_or_default(),
            scheduled: is_open && request.merge_when_pipeline_succeeds,
            standing: self.standing(&request).await?,
            commands,
            unread,
            second: None,
            merged_as: request
                .merged_as()
                .filter(|_| state == ReviewState::Merged)
                .map(|id| self.rest.commit_id(id))
                .transpose()?,
            state,
        })
    }

    /// The commands in the notes, and whether who wrote each may give it.
    async fn commands(&self, number: u64, base: &BranchName) -> Result<Vec<Command>, ForgeError> {
        let (mut commands, mut people) = (Vec::new(), Commanders::default());
        let notes: Vec<Note> = self.rest.whole_list(&notes_of(&self.place(number))).await?;
        for note in notes.into_iter().filter(|note| !note.system) {
            let (Some(user), Some(order)) = (note.author, note.body.as_deref().and_then(order)) else {
                continue;
            };
            let at = self.rest.time(&note.created_at)?;
            let edited_at = note.updated_at.as_deref().and_then(|text| self.rest.time(text).ok());
            let right = match is_spoilt(order, at, edited_at) {
                Some(right) => right,
                None => people.right(&user.username, order, || self.right(user.id, order, base)).await?,
            };
            commands.push(Command { by: user.username, at, order, right });
        }
        Ok(commands)
    }

    /// What people wrote on a merge request or an issue, oldest first.
    pub(super) async fn notes(&self, place: &str) -> Result<Vec<Note>, ForgeError> {
        let mut notes: Vec<Note> = self.rest.list(&notes_of(place)).await?;
        notes.retain(|note| !note.system);
        Ok(notes)
    }

    pub(super) async fn open_review(&self, new: &NewReview) -> Result<Review, ForgeError> {
        let options = &self.options;
        let owners = new.owners.iter().filter(|_| options.code_owners);
        let reviewers = self.user_ids(options.reviewers.iter().chain(owners)).await;
        let assignees = self.user_ids(options.assignees.iter()).await;
        let title: String = new.title.chars().take(MAX_TITLE).collect();
        let body = json!({
            "source_branch": new.branch.as_str(), "target_branch": new.base.as_str(), "title": title,
            "description": new.body, "labels": options.labels.join(","), "remove_source_branch": false,
            "assignee_ids": assignees, "reviewer_ids": reviewers,
        });
        let path = format!("{}/merge_requests", self.root);
        let opened: MergeRequest = match self.rest.send_for(Method::POST, &path, &body).await {
            Err(ForgeError::Refused(reason)) => return Err(self.refusal(new, reason).await?),
            sent => sent?,
        };
        // The free tier takes one of each, and nobody gets in who cannot see the project; it says nothing of the others.
        for (what, asked, taken) in
            [("reviewers", &reviewers, &opened.reviewers), ("assignees", &assignees, &opened.assignees)]
        {
            let taken = taken.as_ref().map_or(asked.len(), Vec::len);
            if taken < asked.len() {
                let (number, asked) = (opened.iid, asked.len());
                tracing::warn!(number, "GitLab took {taken} of {asked} {what} for the merge request");
            }
        }
        self.read_review(opened.iid, &new.base).await
    }

    /// Why no merge request could be opened: GitLab takes one at a time from a branch, whoever has opened it.
    async fn refusal(&self, new: &NewReview, reason: String) -> Result<ForgeError, ForgeError> {
        let own = self.own_account().await?.id;
        let open = self.requests_from(&new.branch, &new.base, "state=opened").await?;
        let other = open.iter().find(|one| one.opener() != Some(own));
        Ok(match other {
            Some(other) => ForgeError::Taken(self.rest.named(&taken(&new.branch, &other.web_url))),
            None => ForgeError::Refused(reason),
        })
    }

    /// The ids of people; who is not there is left out. Groups and addresses of mail are nobody who can be asked.
    pub(super) async fn user_ids<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<i64> {
        let mut ids = Vec::new();
        for name in names {
            let name = name.strip_prefix('@').unwrap_or(name);
            if name.is_empty() || name.contains(['/', '@']) {
                continue;
            }
            match self.user_id(name).await {
                Ok(Some(id)) if !ids.contains(&id) => ids.push(id),
                Ok(Some(_)) => {}
                Ok(None) => tracing::warn!(name, "GitLab has no user of this name to ask or to assign"),
                Err(error) => tracing::warn!(name, %error, "a user to ask or to assign cannot be looked up"),
            }
        }
        ids
    }

    /// Source: <https://docs.gitlab.com/api/users/>.
    async fn user_id(&self, name: &str) -> Result<Option<i64>, ForgeError> {
        let users: Vec<User> = self.rest.get(&format!("/users?username={}", path_part(name))).await?;
        Ok(users.iter().find(|user| user.username.eq_ignore_ascii_case(name)).map(|user| user.id))
    }

    pub(super) async fn describe_review(&self, review: &Review, body: &str) -> Result<(), ForgeError> {
        self.update(review, json!({"description": body})).await
    }

    pub(super) async fn close_review(&self, review: &Review) -> Result<(), ForgeError> {
        self.update(review, json!({"state_event": "close"})).await
    }

    pub(super) async fn update(&self, review: &Review, body: Value) -> Result<(), ForgeError> {
        self.rest.send(Method::PUT, &self.place(review.number), &body).await.map(drop)
    }
}
