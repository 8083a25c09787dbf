//! Writing down between which looks a deployment landed, for agents that do not remember them.

use super::notes::Lines;
use crate::agent::act::due::Settled;
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::state::State;
use crate::domain::decision::Decision;
use crate::domain::history::landing::{Landing, looks_around};
use crate::domain::ids::CommitId;
use crate::ports::RepositoryError;

/// Adds the looks between which deployments landed that are watched on, and that landed so long after they were committed
/// that who goes by the committer judges them wrongly. The first pass that sees such a one writes them, and where the notes
/// could not be pushed the next. Of all others nothing is written, for the committer's time says the same.
pub(super) async fn add_looks(
    pass: &Pass<'_>,
    state: &State,
    settled: &[Settled],
    lines: &mut Lines,
) -> Result<(), RepositoryError> {
    let is_due =
        |one: &&Settled| one.decision == Decision::Wait && one.judged.deployment.landing.is_worth_a_record();
    let due: Vec<(CommitId, Landing)> = settled
        .iter()
        .filter(is_due)
        .map(|one| (one.judged.deployment.commit, one.judged.deployment.landing))
        .collect();
    if due.is_empty() || pass.intent == Intent::Plan {
        return Ok(());
    }
    let branch = pass.environment.branch.clone();
    let own = pass.git(move |repository| Ok::<_, RepositoryError>(repository.sightings(&branch))).await?;
    let mut told = state.told(pass);
    let chain: Vec<CommitId> = state.snapshot.commits.iter().map(|commit| commit.id).collect();
    for (commit, landing) in due {
        let is_told =
            looks_around(&chain, &told, commit).is_some_and(|(before, _)| landing.is_late(before.last));
        if is_told {
            continue;
        }
        let Some((before, first)) = looks_around(&chain, &own, commit) else { continue };
        lines.add_looks(pass, commit, &before, &first);
        // What landed in the same push is told with it.
        told.extend([before, first]);
    }
    Ok(())
}
