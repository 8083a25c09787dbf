//! Merging: at once what nothing is in the way of, and else by Gitea itself as soon as its rules let it.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Gitea;
use super::types::RepoInfo;
use crate::domain::ids::BranchName;
use crate::domain::review::{Merging, Review, Standing};
use crate::ports::ForgeError;

impl Gitea {
    pub(super) async fn merge_review(
        &self,
        review: &Review,
        _base: &BranchName,
        message: &str,
    ) -> Result<Merging, ForgeError> {
        if !self.is_as_seen(review).await? {
            return Ok(waiting("its branch has moved, or it is closed"));
        }
        let info: RepoInfo = self.rest.get(&self.root).await?;
        let Some(way) = info.way() else {
            return Ok(waiting("no way to merge is allowed in the repository's settings"));
        };
        let path = format!("{}/pulls/{}/merge", self.root, review.number);
        if review.standing == Standing::Ready {
            let request = request(review, way, message, false);
            match self.rest.send(Method::POST, &path, &request).await {
                Ok(_) => return Ok(Merging::Merged),
                // A rule that the credentials may not read is in the way, or the branch has moved just now.
                Err(ForgeError::Refused(reason)) => {
                    tracing::debug!(reason, "it looked ready, and is not merged");
                }
                Err(error) => return Err(error),
            }
        }
        match self.rest.send(Method::POST, &path, &request(review, way, message, true)).await {
            Ok(reply) if reply.status == StatusCode::CREATED => self.scheduled_as_seen(review).await,
            // Older versions merge at once where nothing is in the way.
            Ok(_) => Ok(Merging::Merged),
            // It is refused, too, where that is what Gitea has been asked for already.
            Err(ForgeError::Refused(reason)) => match self.timeline(review.number).await?.is_scheduled() {
                true => self.scheduled_as_seen(review).await,
                false => Ok(waiting(&reason)),
            },
            Err(error) => Err(error),
        }
    }

    /// Gitea looks at `head_commit_id` when it merges at once, and not when it is to merge by itself. So whether the branch
    /// is where it was is looked at before and after; what has been pushed since then is the next pass's to find.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/routers/api/v1/repo/pull.go>, `MergePullRequest`.
    async fn scheduled_as_seen(&self, review: &Review) -> Result<Merging, ForgeError> {
        let pull = self.pull(review.number).await?;
        if pull.merged {
            return Ok(Merging::Merged);
        }
        if pull.head.sha == review.head.to_string() {
            return Ok(Merging::Scheduled);
        }
        self.unschedule_review(review).await?;
        Ok(waiting("its branch has moved"))
    }

    async fn is_as_seen(&self, review: &Review) -> Result<bool, ForgeError> {
        let pull = self.pull(review.number).await?;
        Ok(pull.state == "open" && pull.head.sha == review.head.to_string())
    }

    /// Where nothing is scheduled there is nothing to take back.
    pub(super) async fn unschedule_review(&self, review: &Review) -> Result<(), ForgeError> {
        self.rest.remove(&format!("{}/pulls/{}/merge", self.root, review.number)).await.map(drop)
    }
}

const FAST_FORWARD: &str = "fast-forward-only";

impl RepoInfo {
    /// Whether nothing can be merged but what contains the tip of the branch.
    pub(super) fn is_fast_forward_only(&self) -> bool {
        self.way() == Some(FAST_FORWARD)
    }

    /// The way to merge that is preferred among the allowed ones. Gitea takes any way for a schedule, and fails later.
    pub(super) fn way(&self) -> Option<&'static str> {
        let ways = [
            ("squash", self.allow_squash_merge),
            ("merge", self.allow_merge_commits),
            ("rebase-merge", self.allow_rebase_explicit),
            ("rebase", self.allow_rebase),
            (FAST_FORWARD, self.allow_fast_forward_only_merge),
        ];
        ways.into_iter().find(|(_, allowed)| *allowed).map(|(way, _)| way)
    }
}

/// What Gitea is asked to do, now or when the checks have succeeded.
fn request(review: &Review, way: &str, message: &str, later: bool) -> Value {
    let (title, rest) = message.split_once('\n').unwrap_or((message, ""));
    json!({
        "Do": way, "MergeTitleField": title, "MergeMessageField": rest.trim(), "head_commit_id": review.head,
        "merge_when_checks_succeed": later, "delete_branch_after_merge": false,
    })
}

/// A refusal to merge is nothing unusual. The next look shows more.
fn waiting(reason: &str) -> Merging {
    Merging::Waiting(format!("the agent, which asks again, as it was not merged ({reason})"))
}
