//! The commit that takes pins off, where it does not go to the environment's branch at once: on a branch of its own, or through a pull
//! request.

use super::branch::commit_on;
use super::deliver::Route;
use super::error::DeliveryError;
use crate::agent::look::context::Pass;
use crate::domain::change::Change;
use crate::domain::environment::policy::Merge;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::{Merging, NewReview, ReviewState};

/// What became of it.
#[derive(Clone, Copy)]
pub(in crate::agent) enum Off {
    /// The pins are off by this commit.
    Done(CommitId),
    /// The pull request is merged.
    Merged,
    /// It waits for a person, since this pass.
    Proposed(CommitId),
    /// It waits since an earlier pass, or a person has said no.
    Waits,
}

/// Has the commit stand on a branch of its own, which is made once, and where the route is a pull request, has that opened and merged.
pub(in crate::agent) async fn by_branch(
    pass: &Pass<'_>,
    change: &Change,
    revert: CommitId,
    route: Route,
) -> Result<Off, DeliveryError> {
    let name = format!("backout/{}/{}/unpin-{}", change.environment, change.service, revert.short());
    // Where no such branch can be named, the pins stay until a person takes them off.
    let Ok(branch) = BranchName::new(name) else { return Ok(Off::Waits) };
    let wanted = branch.clone();
    let tip = pass.git(move |repository| repository.remote_tip(&wanted)).await?;
    let base = &pass.environment.branch;
    let (forge, merge) = match (&pass.estate.forge, route) {
        (Some(forge), Route::Review(merge)) => (forge, merge),
        (None, _) | (Some(_), Route::Push | Route::Branch) => {
            return Ok(match tip {
                Some(_) => Off::Waits,
                None => Off::Proposed(commit_on(pass, change, &branch, None).await?),
            });
        }
    };
    let shown = forge.review(&branch, base).await?;
    let (review, opened) = match (shown, tip) {
        (Some(review), _) if review.state == ReviewState::Open => (review, None),
        (Some(_), _) => return Ok(Off::Waits),
        (None, tip) => {
            let commit = match tip {
                Some(tip) => tip,
                None => commit_on(pass, change, &branch, None).await?,
            };
            let (title, body) = change.message.split_once("\n\n").unwrap_or((&change.message, ""));
            let new = NewReview {
                branch: branch.clone(),
                base: base.clone(),
                title: title.to_owned(),
                body: body.to_owned(),
                owners: Vec::new(),
            };
            (forge.open(&new).await?, Some(commit))
        }
    };
    let merging = match merge {
        Merge::Auto if !review.scheduled => Some(forge.merge(&review, base, &change.message).await),
        Merge::Auto | Merge::Manual => None,
    };
    Ok(match (merging, opened) {
        (Some(Ok(Merging::Merged)), _) => Off::Merged,
        // What keeps it from being merged now may be gone in the next pass.
        (Some(Ok(Merging::Scheduled | Merging::Waiting(_)) | Err(_)) | None, Some(commit)) => {
            Off::Proposed(commit)
        }
        (Some(Ok(Merging::Scheduled | Merging::Waiting(_)) | Err(_)) | None, None) => Off::Waits,
    })
}
