//! Two groups that one commit deployed, and that go back one service after another: whose services depend on the other's goes first.

use super::blame::dependencies;
use super::judged::Judged;
use super::turns::key;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::decision::{Decision, GuardAnswer, Turn};
use crate::domain::deployment::Deployment;
use crate::domain::ids::ServiceName;

/// The service of a group whose turn is next.
struct Next<'a> {
    place: usize,
    one: &'a Judged,
    turn: &'a Turn,
    /// Whether the agent goes on with the group: in this pass, or when the wait between two services is over.
    goes_on: bool,
}

impl<'a> Next<'a> {
    fn of(
        pass: &Pass<'_>,
        place: usize,
        (one, (decision, guards)): (&'a Judged, &'a (Decision, Vec<GuardAnswer>)),
        is_stuck: impl Fn(&Judged) -> bool,
    ) -> Option<Self> {
        let turn = guards.iter().find_map(GuardAnswer::turn).filter(|turn| turn.is_next())?;
        let is_timed = *decision == Decision::Wait && turn.until.is_some_and(|until| until > pass.now);
        let goes_on = is_timed || *decision == Decision::Revert && !is_stuck(one);
        Some(Self { place, one, turn, goes_on })
    }
}

/// The turns of services with which groups would begin now, and that wait for another group of the same commit: as long as the agent goes on
/// with that one, and no longer than it can still revert what it watches. By their places. `is_stuck`: it was tried in this pass, and does
/// not go back.
pub(in crate::agent) fn behind(
    pass: &Pass<'_>,
    state: &State,
    (judged, decided): (&[Judged], &[(Decision, Vec<GuardAnswer>)]),
    is_stuck: impl Fn(&Judged) -> bool,
) -> Vec<(usize, Turn)> {
    let each = judged.iter().zip(decided).enumerate();
    let all: Vec<Next<'_>> =
        each.filter_map(|(place, (one, told))| Next::of(pass, place, (one, told), &is_stuck)).collect();
    if all.len() < 2 {
        return Vec::new();
    }
    let begins = |next: &Next<'_>| {
        next.turn.is_due
            && next.turn.after.is_none()
            && next.goes_on
            && !is_watched_to_the_end(pass, judged, next)
    };
    let waits = |own: &Next<'_>| {
        let of_commit: Vec<&Next<'_>> =
            all.iter().filter(|next| next.one.deployment.commit == own.one.deployment.commit).collect();
        let place = of_commit.iter().position(|next| next.place == own.place)?;
        let services: Vec<_> =
            of_commit.iter().map(|next| services_of(state, &next.one.deployment)).collect();
        let callers = dependencies(pass, state).callers(&services, place);
        let first = callers.into_iter().filter_map(|place| of_commit.get(place)).find(|next| next.goes_on)?;
        let behind = first.one.deployment.group.clone();
        Some((own.place, Turn { behind, is_due: false, ..own.turn.clone() }))
    };
    all.iter().filter(|next| begins(next)).filter_map(waits).collect()
}

/// Whether the watch window of the bad service of a group has ended: what is found later is for a person.
fn is_watched_to_the_end(pass: &Pass<'_>, judged: &[Judged], next: &Next<'_>) -> bool {
    let own = key(&next.one.deployment);
    let is_bad = |one: &&Judged| one.deployment.service == next.turn.with && key(&one.deployment) == own;
    let bad = judged.iter().find(is_bad).unwrap_or(next.one);
    pass.now.secs_since(bad.deployment.at) >= i64::from(bad.policy.watch_secs)
}

/// All that a commit deployed of the group of a deployment, also what is back: its own service first.
fn services_of(state: &State, own: &Deployment) -> Vec<ServiceName> {
    let others = state.detected.iter().filter(|one| key(one) == key(own)).map(|one| &one.service);
    std::iter::once(&own.service).chain(others).cloned().collect()
}
