//! Merging: at once where nothing is in the way, by GitLab itself when its checks pass, and by the merge train where the
//! project has them.

use http::{Method, StatusCode};
use serde_json::json;

use super::GitLab;
use super::types::{Cancelled, MergeRequest, Project};
use crate::adapters::forge::reply::MAX_REASON;
use crate::domain::ids::BranchName;
use crate::domain::review::{Merging, Review, Standing};
use crate::domain::text::one_line;
use crate::ports::ForgeError;

/// What came of asking GitLab to merge.
enum Asked {
    Is(Merging),
    /// Why not.
    Not(String),
}

impl GitLab {
    pub(super) async fn merge_review(
        &self,
        review: &Review,
        base: &BranchName,
        message: &str,
    ) -> Result<Merging, ForgeError> {
        let project = self.project().await?;
        if project.merge_trains_enabled == Some(true) {
            // GitLab does not take a merge request onto the train twice.
            return if review.scheduled {
                Ok(Merging::Scheduled)
            } else {
                self.board(review, &project).await
            };
        }
        let at_once = review.standing == Standing::Ready;
        if at_once && let Asked::Is(merging) = self.ask(review, base, &project, message, false).await? {
            return Ok(merging);
        }
        Ok(match self.ask(review, base, &project, message, true).await? {
            Asked::Is(merging) => merging,
            Asked::Not(why) if at_once => {
                Merging::Waiting(format!("the agent, which asks again, as it was refused ({why})"))
            }
            Asked::Not(why) => Merging::Waiting(format!(
                "the agent, which merges it when nothing is in the way, as GitLab does not ({why})"
            )),
        })
    }

    pub(super) async fn project(&self) -> Result<Project, ForgeError> {
        self.rest.get(&self.root).await
    }

    /// Source: <https://docs.gitlab.com/api/merge_requests/#merge-a-merge-request>.
    ///
    /// The trailers of the message must be in the branch afterwards: in the commit that squashes, in the merge commit, and
    /// where neither is made in the commit of the merge request itself.
    async fn ask(
        &self,
        review: &Review,
        base: &BranchName,
        project: &Project,
        message: &str,
        when_checks_pass: bool,
    ) -> Result<Asked, ForgeError> {
        // 17.11 has renamed one to the other, and takes either; servers before it pass over what they do not know.
        let body = json!({
            "sha": review.head, "auto_merge": when_checks_pass, "merge_when_pipeline_succeeds": when_checks_pass,
            "squash": project.squashes(), "squash_commit_message": message, "merge_commit_message": message,
            "should_remove_source_branch": false,
        });
        let path = format!("{}/merge", self.place(review.number));
        let reply = self.rest.offer(Method::PUT, &path, &body).await?;
        // Not the token, which has just been good for reading: who may merge is a setting of the branch.
        if reply.status == StatusCode::UNAUTHORIZED {
            return Err(ForgeError::Denied(self.rest.named(&format!(
                "401: whose token it is may not merge into `{base}`: allow it in the project's protected branches"
            ))));
        }
        let merged: MergeRequest = match self.rest.accepted(reply) {
            Ok(reply) => self.rest.understood(&reply)?,
            // It says no more than that it is not allowed; what is in the way is in the merge request.
            Err(ForgeError::Refused(why)) => return Ok(Asked::Not(why)),
            Err(error) => return Err(error),
        };
        Ok(match merged.state.as_str() {
            "merged" => Asked::Is(Merging::Merged),
            _ if merged.merge_when_pipeline_succeeds => Asked::Is(Merging::Scheduled),
            _ => Asked::Not("it says neither that it has merged it nor that it will".to_owned()),
        })
    }

    /// Puts it on the merge train, now or when its checks pass. The general way to merge goes past the train before GitLab
    /// 19.1, and outdates the pipelines of all that are on it.
    /// Source: <https://docs.gitlab.com/api/merge_trains/#add-a-merge-request-to-a-merge-train>.
    ///
    /// A train makes its commits with messages of its own: what is not squashed is in the branch with its trailers.
    async fn board(&self, review: &Review, project: &Project) -> Result<Merging, ForgeError> {
        if project.squash_option.as_deref() == Some("default_on") {
            self.update(review, json!({"squash": false})).await?;
        }
        // 17.11 has renamed one to the other here too.
        let body = json!({"sha": review.head, "auto_merge": true, "when_pipeline_succeeds": true});
        let path = format!("{}/merge_trains/merge_requests/{}", self.root, review.number);
        match self.rest.send(Method::POST, &path, &body).await {
            Ok(_) => Ok(Merging::Scheduled),
            Err(ForgeError::Refused(why)) => Ok(Merging::Waiting(format!(
                "the agent, which asks again, as the merge train does not take it ({why})"
            ))),
            Err(error) => Err(error),
        }
    }

    /// The same for a train. Source: <https://docs.gitlab.com/api/merge_requests/#cancel-merge-when-pipeline-succeeds>.
    pub(super) async fn unschedule_review(&self, review: &Review) -> Result<(), ForgeError> {
        let path = format!("{}/cancel_merge_when_pipeline_succeeds", self.place(review.number));
        let cancelled: Option<Cancelled> = self.rest.send_for(Method::POST, &path, &json!({})).await?;
        let cancelled = cancelled.unwrap_or_default();
        // What goes wrong comes as a success that says so.
        if cancelled.status.as_deref() == Some("error") {
            let why = one_line(&cancelled.message.unwrap_or_default(), MAX_REASON);
            return Err(ForgeError::Refused(self.rest.named(&why)));
        }
        Ok(())
    }
}

impl Project {
    /// Whether merge requests are squashed: as the project has it where it leaves the choice.
    /// Source: <https://docs.gitlab.com/user/project/merge_requests/squash_and_merge/>.
    fn squashes(&self) -> bool {
        matches!(self.squash_option.as_deref(), Some("always" | "default_on"))
    }
}
