//! Which of the reverts that are due is made next.

use crate::agent::decide::Decided;
use crate::agent::judge::blame::dependencies;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::decision::{Decision, GuardAnswer};
use crate::domain::ids::ServiceName;

/// The next deployment to revert that was not tried yet. Of those that go back directly, who depends on another one goes first.
pub(super) fn next_due<'a>(
    pass: &Pass<'_>,
    state: &State,
    (judged, decided): (&'a [Judged], &'a [Decided]),
    is_tried: impl Fn(&Judged) -> bool,
) -> Option<(&'a Judged, &'a Decided)> {
    if pass.stop.is_set() {
        return None;
    }
    let due = |(one, (decision, _)): &(&Judged, &Decided)| {
        matches!(decision, Decision::Revert | Decision::Propose) && !is_tried(one)
    };
    // What does harm here comes before what did harm elsewhere.
    let mut all: Vec<_> = judged.iter().zip(decided).filter(due).collect();
    all.sort_by_key(|(_, (_, guards))| guards.iter().any(GuardAnswer::is_early));
    let is_direct = |(_, (decision, _)): &(&Judged, &Decided)| *decision == Decision::Revert;
    let first = *all.first()?;
    let direct: Vec<_> = all.into_iter().filter(is_direct).collect();
    if !is_direct(&first) || direct.len() < 2 {
        return Some(first);
    }
    let services = direct.iter().map(|(one, _)| services_of(one)).collect::<Vec<_>>();
    direct.get(dependencies(pass, state).first_back(&services)).copied()
}

/// The services that go back by one revert, or one after another because of it.
fn services_of(one: &Judged) -> Vec<ServiceName> {
    std::iter::once(one).chain(&one.members).map(|one| one.deployment.service.clone()).collect()
}
