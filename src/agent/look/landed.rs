//! Remembering where the branches were seen, so that it is known when their commits landed.

use std::collections::BTreeMap;

use super::context::Intent;
use crate::agent::world::{Estate, blocking};
use crate::domain::history::landing::{RECENT_SECS, Sighting};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;
use crate::ports::RepositoryError;

/// Looks at branches, or moves of them.
type Sightings = BTreeMap<BranchName, Vec<Sighting>>;

/// Remembers where the branches are now, unless the pass touches nothing. Asks the forge when it moved those that are at a new
/// commit. Returns the looks that were remembered before.
pub(in crate::agent) async fn remember_tips(
    estate: &Estate,
    tips: &BTreeMap<BranchName, CommitId>,
    now: Time,
    intent: Intent,
) -> Result<Sightings, RepositoryError> {
    let acts = intent == Intent::Act;
    let asks_forge = acts && estate.forge.is_some();
    let tips = tips.clone();
    let looking = blocking(&estate.repository, move |repository| {
        let known: Sightings =
            tips.keys().map(|branch| (branch.clone(), repository.sightings(branch))).collect();
        let is_new = |(branch, tip): &(&BranchName, &CommitId)| {
            !known.get(*branch).into_iter().flatten().any(|look| look.tip == **tip)
        };
        let new = tips.iter().filter(is_new).map(|(branch, _)| branch.clone());
        let asked: Vec<BranchName> = if asks_forge { new.collect() } else { Vec::new() };
        let look = |(branch, tip)| (branch, vec![Sighting { tip, first: now, last: now, is_exact: false }]);
        let looks: Sightings = tips.into_iter().map(look).collect();
        if acts && asked.is_empty() {
            repository.remember(&looks);
        }
        Ok::<_, RepositoryError>((known, looks, asked))
    });
    let (known, mut looks, asked) = looking.await?;
    if asked.is_empty() {
        return Ok(known);
    }
    for branch in asked {
        let moves = moves_of(estate, &branch, now).await;
        looks.entry(branch).or_default().extend(moves);
    }
    let remembering = blocking(&estate.repository, move |repository| {
        repository.remember(&looks);
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
