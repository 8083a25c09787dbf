//! Remembering where the branches were seen, so that it is known when their commits landed.

use std::collections::BTreeMap;

use super::context::Intent;
use crate::agent::world::{Estate, blocking};
use crate::domain::history::landing::{RECENT_SECS, Sighting};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;
use crate::ports::RepositoryError;

/// Remembers where the branches are now, unless the pass touches nothing. Asks the forge when it moved those that are at a new
/// commit. Returns the looks that were remembered before.
pub(in crate::agent) async fn remember_tips(
    estate: &Estate,
    tips: &BTreeMap<BranchName, CommitId>,
    now: Time,
    intent: Intent,
) -> Result<BTreeMap<BranchName, Vec<Sighting>>, RepositoryError> {
    let branches: Vec<BranchName> = tips.keys().cloned().collect();
    let known = blocking(&estate.repository, move |repository| {
        let known = |branch: BranchName| (branch.clone(), repository.sightings(&branch));
        Ok::<_, RepositoryError>(branches.into_iter().map(known).collect::<BTreeMap<_, _>>())
    });
    let known = known.await?;
    let mut new: BTreeMap<BranchName, Vec<Sighting>> = BTreeMap::new();
    for (branch, known) in &known {
        let Some(tip) = tips.get(branch).copied() else { continue };
        let mut seen = vec![Sighting { tip, first: now, last: now, is_exact: false }];
        if intent == Intent::Act && !known.iter().any(|one| one.tip == tip) {
            seen.extend(moves_of(estate, branch, now).await);
        }
        new.insert(branch.clone(), seen);
    }
    if intent == Intent::Plan {
        return Ok(known);
    }
    let remembering = blocking(&estate.repository, move |repository| {
        repository.remember(&new);
        Ok::<_, RepositoryError>(())
    });
    remembering.await?;
    Ok(known)
}

/// What the forge's log says of a branch. Where it does not say anything, commits are dated without it.
async fn moves_of(estate: &Estate, branch: &BranchName, now: Time) -> Vec<Sighting> {
    let Some(forge) = estate.forge.as_deref() else { return Vec::new() };
    match forge.moves(branch, now.minus_secs(RECENT_SECS)).await {
        Ok(moves) => moves
            .into_iter()
            .map(|one| Sighting { tip: one.after, first: one.at, last: one.at, is_exact: true })
            .collect(),
        Err(error) => {
            tracing::warn!(%branch, %error, "the forge does not tell when the branch was moved");
            Vec::new()
        }
    }
}
