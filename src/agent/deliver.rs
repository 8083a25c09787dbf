//! How a change reaches the environment's branch: by a push, through a branch of its own, or through a pull request.

use super::proposal::{Worked, ensure, foreign};
use super::review::{Followed, bring};
use super::{World, blocking};
use crate::domain::change::Change;
use crate::domain::change::receipt::Receipt;
use crate::domain::environment::Environment;
use crate::domain::environment::policy::{Delivery, Merge};
use crate::domain::ids::CommitId;
use crate::domain::review::Branch;
use crate::ports::{CommitRequest, ForgeError, PushError, RepositoryError};

/// The way that a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A commit on the environment's branch.
    Push,
    /// A commit on a branch of its own.
    Branch,
    /// A pull request.
    Review(Merge),
}

/// Why a change was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Git: see [`PushError`].
    #[error(transparent)]
    Push(#[from] PushError),
    /// The forge: see [`ForgeError`].
    #[error(transparent)]
    Forge(#[from] ForgeError),
}

impl From<RepositoryError> for DeliveryError {
    fn from(error: RepositoryError) -> Self {
        Self::Push(error.into())
    }
}

/// The way of an environment's changes. `by_hand`: a person decides about this one. `refused`: the environment's branch
/// does not take a push.
pub(super) fn way(world: &World, environment: &Environment, by_hand: bool, refused: bool) -> Way {
    let has_forge = world.forge.is_some();
    let merge = if by_hand { Merge::Manual } else { environment.review.merge };
    match environment.delivery {
        Delivery::PullRequest if has_forge => Way::Review(merge),
        Delivery::Push if has_forge && (by_hand || refused) => Way::Review(merge),
        Delivery::Push if !by_hand => Way::Push,
        Delivery::Push | Delivery::Branch | Delivery::PullRequest => Way::Branch,
    }
}

/// Delivers a change that was worked out.
pub(super) async fn send(worked: &Worked<'_>, way: Way) -> Result<Receipt, DeliveryError> {
    match way {
        Way::Push => Ok(Receipt::Pushed(push(worked.at.world, worked.change).await?)),
        Way::Branch => through_branch(worked).await,
        Way::Review(merge) => {
            let Worked { at, subject, .. } = *worked;
            let followed = Followed {
                at,
                subject,
                merge,
                overdue_at: None,
                may_open: true,
                by_agent: false,
                frozen: None,
            };
            bring(&followed, worked.snapshot).await
        }
    }
}

/// Pushes a change to the environment branch.
async fn push(world: &World, change: &Change) -> Result<CommitId, PushError> {
    let change = change.clone();
    blocking(&world.repository, move |repository| {
        repository.commit_and_push(&CommitRequest {
            branch: &change.branch,
            expected: Some(change.base),
            parent: change.base,
            onto: None,
            files: &change.files,
            message: &change.message,
            at: change.at,
        })
    })
    .await
}

async fn through_branch(worked: &Worked<'_>) -> Result<Receipt, DeliveryError> {
    let Some(branch) = worked.change.proposal_branch() else { return Ok(no_name()) };
    let tip = ensure(worked, &branch).await?;
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

pub(super) fn no_name() -> Receipt {
    Receipt::Refused("no valid branch name can be made for the proposal".to_owned())
}
