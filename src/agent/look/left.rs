//! What runs although something is to be said of it: for people who look at the environment.

use super::state::State;
use crate::agent::report::LeftAlone;
use crate::domain::deployment::Deployment;

/// The deployments that run, that were judged, and that were neither found good nor reverted, oldest first.
pub(in crate::agent) fn left_alone(state: &State) -> Vec<LeftAlone> {
    let is_reverted = |one: &Deployment| state.landed.iter().any(|entry| one.was_taken_back_by(entry));
    let running = state.watched.iter().filter(|one| one.superseded_by.is_none() && !is_reverted(one));
    let left = running.filter_map(|deployment| {
        let verdict = state.verdicts(deployment).last()?;
        // The history may have been rewritten since: the deployment goes by the name that it has now.
        let left = LeftAlone::of(verdict, &deployment.subject, deployment.at)?;
        Some(LeftAlone { deployment: deployment.commit, ..left })
    });
    left.collect()
}
