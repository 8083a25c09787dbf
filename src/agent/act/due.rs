//! Making the reverts that are due: one change at a time, each worked out from the newest state of the branch.

use std::collections::{BTreeMap, BTreeSet};

use super::deliver::{MAX_REFUSALS, MAX_TRIES, Route, deliver, pause};
use super::error::DeliveryError;
use super::revert::{ToRevert, plan_at};
use crate::agent::decide::decide_all;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::lineage::pasts;
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Change, NoChange};
use crate::domain::decision::{Decision, GuardAnswer, PLAN_GUARD, is_open, is_unsure, may_be_of};
use crate::domain::deployment::lineage::Goal;
use crate::domain::deployment::{ChangeKind, Deployment, detect};
use crate::domain::environment::policy::{Delivery, Mixed};
use crate::domain::history::landing::LandedBy;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::verdict::Verdict;
use crate::ports::{PushError, RepositoryError};

/// What was decided about a deployment, and what became of its revert.
pub(in crate::agent) struct Settled {
    pub judged: Judged,
    pub decision: Decision,
    /// What the guards said. Asked after the revert they know of it and stop at once: this is what they said before.
    pub guards: Vec<GuardAnswer>,
    /// The revert with its diff, where one was worked out.
    pub planned: Option<(Box<Change>, String)>,
    /// What became of it; none where nothing was tried.
    pub receipt: Option<Receipt>,
}

/// A revert that was tried, with what the guards had said before it.
struct Tried {
    receipt: Receipt,
    planned: Option<(Box<Change>, String)>,
    guards: Vec<GuardAnswer>,
}

type Decided = (Decision, Vec<GuardAnswer>);

/// Decides about every deployment, and makes the reverts that are due, one after the other: after each the branch is read
/// again and everything is decided anew.
pub(in crate::agent) async fn make_due_reverts(
    pass: &Pass<'_>,
    state: &mut State,
    mut judged: Vec<Judged>,
    report: &mut EnvironmentReport,
) -> Result<Vec<Settled>, RepositoryError> {
    let mut tried: BTreeMap<String, Tried> = BTreeMap::new();
    let mut patience = Patience::default();
    let mut known = state.snapshot.head;
    trace(pass, state, &mut judged).await?;
    loop {
        if known != state.snapshot.head {
            known = state.snapshot.head;
            learn_what_was_replaced(&mut judged, state, pass);
            trace(pass, state, &mut judged).await?;
        }
        let decided = decide_all(pass, state, &judged, made(&tried));
        let Some((next, (decision, guards))) = next_due(pass, &judged, &decided, &tried) else {
            report.head = Some(state.snapshot.head);
            plan_for_people(pass, state, &judged, &decided, &mut tried).await?;
            return Ok(settled(judged, decided, tried));
        };
        let (key, guards) = (next.deployment.id.clone(), guards.clone());
        match try_one(pass, state, next, decision, patience.is_refused).await {
            Ok((receipt, planned)) => {
                let guards = with_doubts(guards, planned.as_ref());
                tried.insert(key, Tried { receipt, planned, guards });
                if pass.intent == Intent::Act {
                    state.fetch_again(pass).await?;
                }
            }
            Err(DeliveryError::Push(PushError::Rejected { reference, reason })) => {
                let unmoved = patience.look_again(pass, state, &reference, &reason).await?;
                if let Some(problem) = patience.is_over(pass, unmoved, &reference, &reason) {
                    report.problems.push(problem);
                    tried.insert(key, Tried { receipt: Receipt::Postponed, planned: None, guards });
                }
            }
            // The others are still decided about, and written down.
            Err(error @ (DeliveryError::Push(PushError::Repository(_)) | DeliveryError::Forge(_))) => {
                report.problems.push(error.to_string());
                tried.insert(key, Tried { receipt: Receipt::Postponed, planned: None, guards });
            }
        }
    }
}

/// How long rejected pushes are tried again.
#[derive(Default)]
struct Patience {
    tries: u32,
    /// Rejections in a row for which the branch had not moved: not a race, but a rule of the server.
    refusals: u32,
    /// Whether the environment's branch takes no push, so that pull requests are opened instead.
    is_refused: bool,
}

impl Patience {
    /// Reads the branch again after a rejected push. Returns whether it has not moved.
    async fn look_again(
        &mut self,
        pass: &Pass<'_>,
        state: &mut State,
        reference: &str,
        reason: &str,
    ) -> Result<bool, RepositoryError> {
        self.tries += 1;
        let tries = self.tries;
        tracing::info!(%reference, %reason, tries, "push rejected: working it out again from the new state");
        pause(tries).await;
        let before = state.snapshot.head;
        state.fetch_again(pass).await?;
        Ok(state.snapshot.head == before)
    }

    /// Why it is not tried again, where that is so. Where the branch has refused so often, and there is a forge, the rest goes
    /// by pull requests.
    fn is_over(&mut self, pass: &Pass<'_>, unmoved: bool, reference: &str, reason: &str) -> Option<String> {
        let can = pass.estate.forge.is_some() && pass.environment.delivery == Delivery::Push;
        if !self.is_refused && can && unmoved && self.refusals + 1 >= MAX_REFUSALS {
            *self = Self { is_refused: true, ..Self::default() };
            tracing::info!(%reference, %reason, "the branch takes no push: it goes by a pull request");
            return None;
        }
        let tries = self.tries;
        self.refusals = if unmoved { self.refusals + 1 } else { 0 };
        let is_over = tries >= MAX_TRIES || self.refusals >= MAX_REFUSALS;
        let hint =
            if unmoved { ": let it be pushed to, or set `delivery: pull-request` or `branch`" } else { "" };
        is_over.then(|| format!("{reference} was not updated after {tries} tries: {reason}{hint}"))
    }
}

/// The next deployment to revert that was not tried yet.
fn next_due<'a>(
    pass: &Pass<'_>,
    judged: &'a [Judged],
    decided: &'a [Decided],
    tried: &BTreeMap<String, Tried>,
) -> Option<(&'a Judged, &'a Decided)> {
    if pass.stop.is_set() {
        return None;
    }
    let due = |(judged, (decision, _)): &(&Judged, &Decided)| {
        matches!(decision, Decision::Revert | Decision::Propose) && !tried.contains_key(&judged.deployment.id)
    };
    judged.iter().zip(decided).find(due)
}

/// The reverts that this pass has planned, which count as made, and those that will merge themselves, which count from the
/// moment when that was decided.
fn made(tried: &BTreeMap<String, Tried>) -> Vec<RevertEntry> {
    let counts = |tried: &&Tried| match &tried.receipt {
        Receipt::Planned => true,
        Receipt::Proposed { review: Some(_), .. } => {
            let by_hand = tried.guards.last().is_some_and(|guard| guard.decision.is_some());
            !by_hand
        }
        Receipt::Postponed
        | Receipt::Pushed(_)
        | Receipt::Proposed { review: None, .. }
        | Receipt::Merged(_)
        | Receipt::Superseded(_)
        | Receipt::Declined { .. }
        | Receipt::Stuck { .. }
        | Receipt::Refused(_) => false,
    };
    let planned = tried.values().filter(counts).filter_map(|tried| tried.planned.as_ref());
    planned.map(|(change, _)| change.as_entry()).collect()
}

/// Works one revert out and delivers it (or, when only planning, says what would be delivered). `refused`: the branch takes no
/// push.
async fn try_one(
    pass: &Pass<'_>,
    state: &State,
    judged: &Judged,
    decision: &Decision,
    refused: bool,
) -> Result<(Receipt, Option<(Box<Change>, String)>), DeliveryError> {
    let planned = match plan_at(pass, &ToRevert::judged(judged), state.snapshot.head).await? {
        Ok(planned) => planned,
        Err(none) => return Ok((receipt_of(none), None)),
    };
    let diff = planned.diff();
    if pass.intent == Intent::Plan {
        return Ok((Receipt::Planned, Some((planned.change, diff))));
    }
    let by_hand = *decision == Decision::Propose || !planned.change.doubts.is_empty();
    let route = Route::of(pass, by_hand, refused);
    let receipt = deliver(pass, &state.snapshot, &planned, route).await?;
    let change = planned.change;
    tracing::info!(service = %change.service, environment = %change.environment, reverts = %change.reverts, receipt = %receipt, "delivered");
    Ok((receipt, Some((change, diff))))
}

/// The guards with one more answer, where a revert is left to a person because of what was found when it was worked out.
fn with_doubts(mut guards: Vec<GuardAnswer>, planned: Option<&(Box<Change>, String)>) -> Vec<GuardAnswer> {
    let is_doubted = planned.is_some_and(|(change, _)| !change.doubts.is_empty());
    if is_doubted && guards.last().is_none_or(|last| last.decision.is_none()) {
        guards.push(GuardAnswer { guard: PLAN_GUARD.to_owned(), decision: Some(Decision::Propose) });
    }
    guards
}

/// What became of a revert that cannot be worked out.
fn receipt_of(none: NoChange) -> Receipt {
    match none {
        NoChange::Superseded(why) | NoChange::Restored(why) => Receipt::Superseded(why),
        refused @ (NoChange::Gone(_) | NoChange::Partial(_) | NoChange::Refused { .. }) => {
            Receipt::Refused(format!("it cannot be put back by machine: {refused}"))
        }
    }
}

/// Works out the reverts that a person must decide about, so that the plan is at hand. Those that cannot be worked out are left
/// out.
async fn plan_for_people(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    decided: &[Decided],
    tried: &mut BTreeMap<String, Tried>,
) -> Result<(), RepositoryError> {
    for (judged, (decision, guards)) in judged.iter().zip(decided) {
        let key = judged.deployment.id.clone();
        if !matches!(decision, Decision::Escalate(_)) || tried.contains_key(&key) {
            continue;
        }
        if let Ok(planned) = plan_at(pass, &ToRevert::judged(judged), state.snapshot.head).await? {
            let planned = Some((planned.change.clone(), planned.diff()));
            tried.insert(key, Tried { receipt: Receipt::Planned, planned, guards: guards.clone() });
        }
    }
    Ok(())
}

/// Finds out what the services of regressed deployments ran before: whether the deployment is a rollback, and where its revert
/// leads. Where many are red nothing is reverted, and their pasts are not read.
async fn trace(pass: &Pass<'_>, state: &State, judged: &mut [Judged]) -> Result<(), RepositoryError> {
    let (head, watched) = (state.snapshot.head, &state.watched);
    let is_red = |one: &&Judged| {
        let is_open = one.judgement.verdict == Verdict::Preexisting && is_open(&one.case());
        one.judgement.verdict == Verdict::Regressed || is_open
    };
    let services: BTreeSet<_> =
        judged.iter().filter(is_red).map(|one| one.deployment.service.clone()).collect();
    if services.len() > MAX_TRACED {
        return Ok(());
    }
    let pasts = pasts(pass, services, Some(head)).await?;
    for one in judged.iter_mut().filter(|one| is_red(&&**one)) {
        let Some(past) = pasts.get(&one.deployment.service) else { continue };
        if let Some(known) = past.lineage.of(one.deployment.commit) {
            one.deployment.kind = known.kind;
        }
        // Where the revert of a rollback leads is not for the agent to say.
        let is_release = one.deployment.kind == ChangeKind::Release;
        let goal = is_release.then(|| past.goal(&one.policy, &one.deployment, pass.now));
        one.goal = goal.flatten();
        one.doubts = one.by_hand.iter().cloned().collect();
        // Where only the fields go back, what else was changed stays as it is anyway.
        if let Some(Goal::Undo(changes, _)) = &one.goal
            && one.policy.mixed == Mixed::Deployment
        {
            one.doubts.extend(past.doubts(changes));
        }
        if is_unsure(&one.case(), watched) {
            let before = may_be_of(&one.case(), watched).map(|other| other.commit.short());
            let landing = one.deployment.landing;
            let then = before.map(|before| format!(", when {before} was there already")).unwrap_or_default();
            one.doubts.push(format!(
                "{} came to the branch between {} and {}, and it is not known whether the damage began before that{then}",
                one.deployment.commit.short(),
                landing.earliest,
                landing.latest
            ));
        } else if one.told {
            one.doubts.push(told_alone(&one.deployment));
        }
    }
    Ok(())
}

/// Why a person should look at what is blamed only because a record says when something landed.
fn told_alone(deployment: &Deployment) -> String {
    let (commit, landing) = (deployment.commit.short(), deployment.landing);
    match landing.by {
        LandedBy::Record => format!(
            "{commit} was committed at {}, and only a record in the notes says that it landed at {}",
            landing.committed, landing.at
        ),
        LandedBy::Forge | LandedBy::Sighting | LandedBy::Committer => {
            "only a record in the notes says that another deployment landed after the damage had begun"
                .to_owned()
        }
    }
}

/// Of how many services the past is read in one pass.
const MAX_TRACED: usize = 50;

/// Learns from the newest state of the branch which deployments were replaced in the meantime.
fn learn_what_was_replaced(judged: &mut [Judged], state: &State, pass: &Pass<'_>) {
    let newest = detect(&state.snapshot, pass.environment);
    for one in judged {
        let key = one.deployment.id.clone();
        let same = |deployment: &&Deployment| deployment.id == key;
        if let Some(now) = newest.iter().find(same) {
            one.deployment.superseded_by = now.superseded_by;
        }
    }
}

fn settled(judged: Vec<Judged>, decided: Vec<Decided>, mut tried: BTreeMap<String, Tried>) -> Vec<Settled> {
    let settle = |(judged, (decision, guards)): (Judged, Decided)| {
        let Some(tried) = tried.remove(&judged.deployment.id) else {
            return Settled { judged, decision, guards, planned: None, receipt: None };
        };
        let Tried { receipt, planned, guards } = tried;
        let is_doubted = guards.last().is_some_and(|last| last.guard == PLAN_GUARD);
        let decision = if is_doubted && decision == Decision::Revert { Decision::Propose } else { decision };
        Settled { judged, decision, guards, planned, receipt: Some(receipt) }
    };
    judged.into_iter().zip(decided).map(settle).collect()
}
