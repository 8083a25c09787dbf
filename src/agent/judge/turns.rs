//! Groups whose services go back one after another: where such a group stands follows from the reverts that are on the branch.

use std::collections::BTreeSet;

use super::judged::Judged;
use super::recovered::next_deployment;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::decision::{Decision, GuardAnswer, Turn};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::environment::GroupOrder;
use crate::domain::environment::policy::Delivery;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{CommitId, GroupName, ServiceName};
use crate::domain::judge::verdict::Verdict;

/// What one commit deployed of a group: the services of one environment that go back together.
pub(in crate::agent) type Key = (Option<GroupName>, CommitId);

/// What a deployment is a part of.
pub(in crate::agent) fn key(deployment: &Deployment) -> Key {
    (deployment.group.clone(), deployment.commit)
}

/// What one commit deployed of a group and goes back one service after another.
struct Series<'a> {
    key: Key,
    /// The service that is bad.
    with: ServiceName,
    /// The services in the order in which they go back. Of a series that has begun the first is back.
    order: Vec<ServiceName>,
    /// The newest of its reverts; none where none was made yet.
    last: Option<&'a RevertEntry>,
}

/// Adds the deployments that still have to go back, of groups of which the first services are back, where nothing was to judge about them.
pub(in crate::agent) fn add_begun(pass: &Pass<'_>, state: &State, judged: &mut Vec<Judged>) {
    for series in begun(pass, state, &state.landed) {
        let is_left = |one: &&Deployment| {
            key(one) == series.key
                && series.order.contains(&one.service)
                && !state.landed.iter().any(|entry| one.was_taken_back_by(entry))
                && !judged.iter().any(|known| known.deployment.id == one.id)
        };
        let left: Vec<&Deployment> = state.detected.iter().filter(is_left).collect();
        judged.extend(left.into_iter().map(|one| Judged::unjudged(pass.policy(one), pass.now, one)));
    }
}

/// Brings in what goes back one service after another because of a deployment that is to be reverted, where nothing was to judge about
/// it. Returns whether there was any.
pub(in crate::agent) fn bring_in_turn(
    pass: &Pass<'_>,
    judged: &mut Vec<Judged>,
    decided: &[(Decision, Vec<GuardAnswer>)],
) -> bool {
    let mut missing: Vec<Judged> = Vec::new();
    let due = judged.iter().zip(decided).filter(|(one, (decision, _))| is_due(pass, one, decision));
    for (lead, _) in due {
        for member in &lead.members {
            let is_known = |one: &Judged| one.deployment.id == member.deployment.id;
            if judged.iter().any(is_known) || missing.iter().any(is_known) {
                continue;
            }
            let others = std::iter::once(lead).chain(&lead.members).filter(|one| !is_known(one));
            let members = others.map(|one| Judged { members: Vec::new(), ..one.clone() }).collect();
            missing.push(Judged { members, ..member.clone() });
        }
    }
    let is_any = !missing.is_empty();
    judged.extend(missing);
    is_any
}

/// What goes back one service after another, or may: what has begun, and what one of these deployments is a part of.
pub(in crate::agent) fn in_turn<'j>(
    pass: &Pass<'_>,
    state: &State,
    red: impl Iterator<Item = &'j Judged>,
) -> BTreeSet<Key> {
    let ordered = red.map(|one| &one.deployment).filter(|one| has_order(pass, one)).map(key);
    ordered.chain(begun(pass, state, &state.landed).into_iter().map(|series| series.key)).collect()
}

/// The turn of each of these deployments that has one, by its place. `made` are the reverts that this pass has planned.
pub(in crate::agent) fn turns(
    pass: &Pass<'_>,
    state: &State,
    (judged, decided): (&[Judged], &[(Decision, Vec<GuardAnswer>)]),
    made: &[RevertEntry],
) -> Vec<(usize, Turn)> {
    let entries: Vec<&RevertEntry> = state.landed.iter().chain(made).collect();
    let mut all = begun(pass, state, entries.iter().copied());
    let due = judged.iter().zip(decided).filter(|(one, (decision, _))| is_due(pass, one, decision));
    for (lead, _) in due {
        let key = key(&lead.deployment);
        if all.iter().any(|series| series.key == key) {
            continue;
        }
        let services = std::iter::once(lead).chain(&lead.members).map(|one| one.deployment.service.clone());
        let order = order_of(pass, &lead.deployment).map(|order| order.going_back(services));
        let with = lead.deployment.service.clone();
        all.extend(order.map(|order| Series { key, with, order, last: None }));
    }
    let is_back = |one: &Judged| {
        matches!(one.goal, Some(Goal::TakenBack(_)))
            || entries.iter().any(|entry| one.deployment.was_taken_back_by(entry))
    };
    all.iter().flat_map(|series| series.turns(pass, state, judged, is_back)).collect()
}

/// What the services wait for that still have to go back, of groups of which the first services are back: each in a sentence.
pub(in crate::agent) fn waiting(pass: &Pass<'_>, state: &State) -> Vec<String> {
    let mut left = Vec::new();
    add_begun(pass, state, &mut left);
    // What somebody has replaced since is for a pass to look at.
    left.retain(|one| one.deployment.superseded_by.is_none());
    let turns = turns(pass, state, (&left, &[]), &[]);
    let words = turns.iter().filter_map(|(place, turn)| {
        let deployment = &left.get(*place)?.deployment;
        let words = turn.waits_for().unwrap_or_else(|| "it goes back in the next pass".to_owned());
        Some(format!("{} {}: {words}", deployment.service, deployment.commit.short()))
    });
    words.collect()
}

impl Series<'_> {
    fn turns(
        &self,
        pass: &Pass<'_>,
        state: &State,
        judged: &[Judged],
        is_back: impl Fn(&Judged) -> bool,
    ) -> Vec<(usize, Turn)> {
        let place = |service: &ServiceName| {
            let is_it = |one: &Judged| key(&one.deployment) == self.key && one.deployment.service == *service;
            judged.iter().position(|one| is_it(one) && !is_back(one))
        };
        let left: Vec<(usize, &ServiceName)> =
            self.order.iter().filter_map(|service| Some((place(service)?, service))).collect();
        let wait_secs = self.key.0.as_ref().and_then(|group| pass.environment.orders.get(group));
        let wait_secs = wait_secs.map_or(0, |order| i64::from(order.wait_secs));
        let until = self.last.map(|last| last.at.plus_secs(wait_secs));
        let mut turns = Vec::new();
        let mut before: Option<&ServiceName> = None;
        for (index, (place, service)) in left.iter().enumerate() {
            let then = left.iter().skip(index + 1).map(|(_, service)| (*service).clone()).collect();
            let turn = match before {
                Some(before) => Turn { after: Some(before.clone()), ..self.turn(then) },
                None => Turn {
                    after: self.last.map(|last| last.service.clone()),
                    until,
                    is_due: until.is_none_or(|until| until <= pass.now),
                    broken: self.unproven(state, judged).or_else(|| self.broken(state)),
                    ..self.turn(then)
                },
            };
            turns.push((*place, turn));
            before = Some(service);
        }
        turns
    }

    fn turn(&self, then: Vec<ServiceName>) -> Turn {
        Turn {
            with: self.with.clone(),
            after: None,
            until: None,
            behind: None,
            is_due: false,
            broken: None,
            then,
        }
    }

    /// Why the rest does not go back by machine: the message of a revert names what follows, and anybody can write a message. What is bad is
    /// told by the record that the agent writes before the first service goes back.
    fn unproven(&self, state: &State, judged: &[Judged]) -> Option<String> {
        let is_of = |entry: &RevertEntry| entry.reverts == self.key.1 && self.order.contains(&entry.service);
        if !state.landed.iter().any(is_of) {
            return None;
        }
        let is_bad = |one: &&Deployment| key(one) == self.key && one.service == self.with;
        let is_told = state.detected.iter().filter(is_bad).any(|one| {
            let is_regressed = |verdict: &Verdict| *verdict == Verdict::Regressed;
            state.verdicts(one).any(|told| is_regressed(&told.judgement.verdict))
                || judged
                    .iter()
                    .any(|own| own.deployment.id == one.id && is_regressed(&own.judgement.verdict))
        });
        (!is_told).then(|| format!("no record tells that {} was bad", self.with))
    }

    /// Why the rest does not go back by machine: what is back was deployed again since.
    fn broken(&self, state: &State) -> Option<String> {
        let back = state.landed.iter().filter(|entry| {
            self.last.is_some() && entry.reverts == self.key.1 && self.order.contains(&entry.service)
        });
        let mut again = back.filter_map(|entry| Some((entry, next_deployment(state, entry)?)));
        again.next().map(|(entry, next)| {
            format!("{} deployed {} again since it went back", next.commit.short(), entry.service)
        })
    }
}

/// The series of which the first revert is among these, as the messages of the reverts say. Each message names the services that follow.
/// Who can write a message cannot give a group an order: without one in the configuration nothing follows.
fn begun<'e>(
    pass: &Pass<'_>,
    state: &State,
    entries: impl IntoIterator<Item = &'e RevertEntry>,
) -> Vec<Series<'e>> {
    let entries: Vec<&RevertEntry> = entries.into_iter().collect();
    let mut all: Vec<Series<'e>> = Vec::new();
    let mut first: Vec<&&'e RevertEntry> =
        entries.iter().filter(|entry| !entry.then.is_empty() && !entry.requested).collect();
    first.sort_by_key(|entry| std::cmp::Reverse(entry.then.len()));
    for entry in first {
        let is_of = |one: &&Deployment| one.commit == entry.reverts && one.service == entry.service;
        let own = state.detected.iter().find(is_of).filter(|own| has_order(pass, own));
        let Some(own) = own else { continue };
        let key = key(own);
        if all.iter().any(|series| series.key == key) {
            continue;
        }
        let order: Vec<ServiceName> = std::iter::once(&entry.service).chain(&entry.then).cloned().collect();
        let steps = entries.iter().filter(|one| one.reverts == key.1 && order.contains(&one.service));
        let last = steps.max_by_key(|one| one.at).copied();
        let with = entry.together_with.clone().unwrap_or_else(|| entry.service.clone());
        all.push(Series { key, with, order, last });
    }
    all
}

/// Whether a deployment is to be reverted with others of its group, one service after another. What goes by a pull request goes at once:
/// it is merged at once.
fn is_due(pass: &Pass<'_>, one: &Judged, decision: &Decision) -> bool {
    *decision == Decision::Revert
        && pass.environment.delivery == Delivery::Push
        && !one.members.is_empty()
        && has_order(pass, &one.deployment)
}

fn has_order(pass: &Pass<'_>, deployment: &Deployment) -> bool {
    order_of(pass, deployment).is_some()
}

fn order_of<'p>(pass: &'p Pass<'_>, deployment: &Deployment) -> Option<&'p GroupOrder> {
    pass.environment.orders.get(deployment.group.as_ref()?)
}
