//! What runs although something is to be said of it: for people who look at the environment.

use super::state::State;
use crate::agent::report::LeftAlone;
use crate::domain::decision::Decision;
use crate::domain::deployment::Deployment;
use crate::record::VerdictRecord;

/// The deployments that run, that were judged, and that were neither found good nor reverted, oldest first.
pub(in crate::agent) fn left_alone(state: &State) -> Vec<LeftAlone> {
    let is_reverted = |one: &Deployment| state.landed.iter().any(|entry| one.was_taken_back_by(entry));
    let running = state.watched.iter().filter(|one| one.superseded_by.is_none() && !is_reverted(one));
    let left = running.filter_map(|deployment| {
        let VerdictRecord { at, judgement, decision, guards, .. } = state.verdicts(deployment).last()?;
        let why = match decision {
            Decision::Wait | Decision::Pass(_) => return None,
            Decision::Revert | Decision::Propose => &judgement.reason,
            Decision::Escalate(why) | Decision::Hold(why) => why,
        };
        let decisive = guards.last().filter(|last| last.decision.is_some());
        Some(LeftAlone {
            service: deployment.service.clone(),
            deployment: deployment.commit,
            subject: deployment.subject.clone(),
            deployed_at: deployment.at,
            at: *at,
            verdict: judgement.verdict.word(),
            decision: decision.clone(),
            why: why.clone(),
            guard: decisive.map(|last| last.guard.clone()),
        })
    });
    left.collect()
}
