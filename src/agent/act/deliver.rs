//! How a change reaches the environment's branch: by a push, through a branch of its own, or through a pull request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::branch::{ensure_branch, foreign, no_name};
use super::error::DeliveryError;
use super::pull_request::{Terms, merge_when_ready};
use super::revert::PlannedRevert;
use crate::agent::look::context::Pass;
use crate::domain::change::Change;
use crate::domain::change::receipt::Receipt;
use crate::domain::environment::policy::{Delivery, Merge};
use crate::domain::history::landing::Sighting;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::CommitId;
use crate::domain::review::Branch;
use crate::ports::{CommitRequest, PushError};

/// How often a rejected push is worked out again from the new state.
pub(in crate::agent) const MAX_TRIES: u32 = 20;
/// How often a push is tried that the remote refuses although the branch has not moved.
pub(in crate::agent) const MAX_REFUSALS: u32 = 3;

/// The way that a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) enum Route {
    /// A commit on the environment's branch.
    Push,
    /// A commit on a branch of its own.
    Branch,
    /// A pull request.
    Review(Merge),
}

impl Route {
    /// The way of an environment's changes. `by_hand`: a person decides about this one. `refused`: the environment's branch
    /// does not take a push.
    pub(in crate::agent) fn of(pass: &Pass<'_>, by_hand: bool, refused: bool) -> Self {
        let has_forge = pass.estate.forge.is_some();
        let merge = if by_hand { Merge::Manual } else { pass.environment.review.merge };
        match pass.environment.delivery {
            Delivery::PullRequest if has_forge => Self::Review(merge),
            Delivery::Push if has_forge && (by_hand || refused) => Self::Review(merge),
            Delivery::Push if !by_hand => Self::Push,
            Delivery::Push | Delivery::Branch | Delivery::PullRequest => Self::Branch,
        }
    }
}

/// Delivers a revert that was worked out against the head of `snapshot`.
pub(in crate::agent) async fn deliver(
    pass: &Pass<'_>,
    snapshot: &Arc<Snapshot>,
    planned: &PlannedRevert<'_>,
    route: Route,
) -> Result<Receipt, DeliveryError> {
    match route {
        Route::Push => Ok(Receipt::Pushed(push(pass, &planned.change).await?)),
        Route::Branch => put_on_branch(pass, snapshot, planned).await,
        Route::Review(merge) => {
            let terms = Terms {
                merge,
                overdue_at: None,
                may_open: true,
                by_agent: false,
                frozen: None,
                declined_at: None,
                withdrawn: None,
                looked: None,
            };
            merge_when_ready(pass, &planned.to_revert, terms, snapshot).await
        }
    }
}

/// Pushes a change to the environment branch. That is a look at it too: nobody may have looked before somebody takes it off again.
pub(in crate::agent) async fn push(pass: &Pass<'_>, change: &Change) -> Result<CommitId, PushError> {
    let change = change.clone();
    let pushed = pass.git(move |repository| {
        let commit = repository.commit_and_push(&CommitRequest {
            branch: &change.branch,
            expected: Some(change.base),
            parent: change.base,
            onto: None,
            files: &change.files,
            message: &change.message,
            at: change.at,
        })?;
        let look = Sighting { tip: commit, first: change.at, last: change.at, is_exact: false };
        repository.remember(&BTreeMap::from([(change.branch, vec![look])]));
        Ok(commit)
    });
    pushed.await
}

async fn put_on_branch(
    pass: &Pass<'_>,
    snapshot: &Snapshot,
    planned: &PlannedRevert<'_>,
) -> Result<Receipt, DeliveryError> {
    let Some(branch) = planned.change.proposal_branch() else { return Ok(no_name()) };
    let tip = ensure_branch(pass, snapshot, planned, &branch).await?;
    Ok(match tip.state {
        Branch::Foreign => foreign(&branch),
        Branch::Fresh | Branch::Current | Branch::Stale => Receipt::Proposed {
            branch,
            commit: tip.commit,
            review: None,
            waits_for: "a person to merge it".to_owned(),
        },
    })
}

/// Waits a little longer after each try, with jitter, so that two agents do not meet again and again.
pub(in crate::agent) async fn pause(tries: u32) {
    let most_ms = 50_u64 << tries.min(4);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most_ms / 2..=most_ms))).await;
}
