//! What a person has paused since the branch was fetched.

use super::context::Pass;
use super::state::State;
use crate::ports::RepositoryError;

/// Fetches the list of pauses once more. Returns whether something else holds now, which the state knows from then on: a pass may have
/// asked its metrics for minutes since it fetched the list.
pub(in crate::agent) async fn paused_since(
    pass: &Pass<'_>,
    state: &mut State,
) -> Result<bool, RepositoryError> {
    let place = (pass.environment.branch.clone(), state.snapshot.head);
    state.pauses = pass.branches.pauses_again(place, pass.world.records_proven, pass.estate).await?;
    let held = std::mem::replace(&mut state.brakes, state.pauses.brakes(pass.environment, pass.now));
    Ok(held != state.brakes)
}
