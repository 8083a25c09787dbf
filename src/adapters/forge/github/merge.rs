//! Merging: by GitHub itself where it may, through the merge queue where there is one, and else at once.

use http::Method;
use serde_json::{Value, json};

use super::GitHub;
use super::documents::{DEQUEUE, DISABLE_AUTO_MERGE, ENABLE_AUTO_MERGE, ENQUEUE};
use super::settings::{Settings, Way};
use super::types::{Merged, Pull};
use crate::domain::ids::BranchName;
use crate::domain::review::{Merging, Review, Standing};
use crate::ports::ForgeError;

impl Way {
    fn rest(self) -> &'static str {
        match self {
            Self::Squash => "squash",
            Self::Merge => "merge",
            Self::Rebase => "rebase",
        }
    }

    fn graphql(self) -> &'static str {
        match self {
            Self::Squash => "SQUASH",
            Self::Merge => "MERGE",
            Self::Rebase => "REBASE",
        }
    }
}

impl GitHub {
    /// Whether GitHub has been asked to merge it by itself.
    pub(super) async fn is_scheduled(&self, pull: &Pull, base: &BranchName) -> Result<bool, ForgeError> {
        if pull.auto_merge.as_ref().is_some_and(|auto| !auto.is_null()) {
            return Ok(true);
        }
        Ok(self.settings(base).await?.has_queue && self.is_queued(pull.number).await?)
    }

    pub(super) async fn merge_review(
        &self,
        review: &Review,
        base: &BranchName,
        message: &str,
    ) -> Result<Merging, ForgeError> {
        let settings = self.settings(base).await?;
        if settings.has_queue && review.scheduled {
            // GitHub does not take a pull request into the queue twice.
            return Ok(Merging::Scheduled);
        }
        if review.standing == Standing::Ready {
            return self.merge_ready(review, &settings, message).await;
        }
        let refused = match self.schedule(review, &settings, message).await {
            Ok(()) => return Ok(Merging::Scheduled),
            Err(ForgeError::Refused(reason)) => reason,
            // The rights to merge by itself may be other ones than those to merge.
            Err(ForgeError::Denied(reason) | ForgeError::Taken(reason) | ForgeError::Off(reason)) => reason,
            Err(error @ ForgeError::Unavailable(_)) => return Err(error),
        };
        // GitHub does not take this for what can be merged at once.
        let again = self.read_review(review.number, base).await?;
        if again.standing == Standing::Ready && again.head == review.head {
            return self.merge_ready(&again, &settings, message).await;
        }
        Ok(Merging::Waiting(format!(
            "the agent, which merges it when nothing is in the way, as GitHub does not ({refused})"
        )))
    }

    /// Merges what nothing is in the way of.
    async fn merge_ready(
        &self,
        review: &Review,
        settings: &Settings,
        message: &str,
    ) -> Result<Merging, ForgeError> {
        if settings.has_queue {
            let input = json!({"pullRequestId": self.node_id(review).await?, "expectedHeadOid": review.head});
            let queued = self.graphql::<Value>(ENQUEUE, json!({"input": input})).await;
            return scheduled(queued.map(drop));
        }
        let (title, body) = headline(message);
        let path = format!("{}/pulls/{}/merge", self.root, review.number);
        let mut refused = "no way to merge is allowed in the repository's settings".to_owned();
        for way in &settings.methods {
            let request = json!({
                "sha": review.head, "merge_method": way.rest(), "commit_title": title, "commit_message": body,
            });
            match self.rest.send_for::<Merged>(Method::PUT, &path, &request).await {
                Ok(answer) if answer.merged => return Ok(Merging::Merged),
                Ok(_) => refused = "GitHub says that it did not merge it".to_owned(),
                Err(ForgeError::Refused(reason)) => refused = reason,
                Err(error) => return Err(error),
            }
        }
        scheduled(Err(ForgeError::Refused(refused)))
    }

    /// Has GitHub merge it as soon as its rules let it; where there is a queue, that puts it there.
    async fn schedule(&self, review: &Review, settings: &Settings, message: &str) -> Result<(), ForgeError> {
        if !settings.auto_merge {
            return Err(ForgeError::Refused(
                "auto-merge is not allowed in the repository's settings".to_owned(),
            ));
        }
        let id = self.node_id(review).await?;
        let (title, body) = headline(message);
        let mut last =
            ForgeError::Refused("no way to merge is allowed in the repository's settings".to_owned());
        for way in &settings.methods {
            let mut input = json!({"pullRequestId": id, "expectedHeadOid": review.head});
            // A queue merges its own way.
            if let Some(input) = input.as_object_mut().filter(|_| !settings.has_queue) {
                input.insert("mergeMethod".to_owned(), json!(way.graphql()));
                if *way != Way::Rebase {
                    input.insert("commitHeadline".to_owned(), json!(title));
                    input.insert("commitBody".to_owned(), json!(body));
                }
            }
            match self.graphql::<Value>(ENABLE_AUTO_MERGE, json!({"input": input})).await {
                Ok(_) => return Ok(()),
                Err(refused @ ForgeError::Refused(_)) => last = refused,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    pub(super) async fn unschedule_review(&self, review: &Review) -> Result<(), ForgeError> {
        let pull = self.pull(review.number).await?;
        if pull.auto_merge.as_ref().is_some_and(|auto| !auto.is_null()) {
            let input = json!({"pullRequestId": pull.node_id});
            return self.graphql::<Value>(DISABLE_AUTO_MERGE, json!({"input": input})).await.map(drop);
        }
        let input = json!({"id": pull.node_id});
        self.graphql::<Value>(DEQUEUE, json!({"input": input})).await.map(drop)
    }

    async fn node_id(&self, review: &Review) -> Result<String, ForgeError> {
        Ok(self.pull(review.number).await?.node_id)
    }
}

/// A refusal to merge what looked ready is nothing unusual: the branch has moved just now. The next look shows more.
fn scheduled(result: Result<(), ForgeError>) -> Result<Merging, ForgeError> {
    match result {
        Ok(()) => Ok(Merging::Scheduled),
        Err(ForgeError::Refused(reason)) => {
            Ok(Merging::Waiting(format!("the agent, which asks again, as it was refused ({reason})")))
        }
        Err(error) => Err(error),
    }
}

/// The subject and the rest of a commit message.
fn headline(message: &str) -> (&str, &str) {
    let (title, rest) = message.split_once('\n').unwrap_or((message, ""));
    (title, rest.trim())
}
