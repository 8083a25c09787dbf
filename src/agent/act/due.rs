//! Making the reverts that are due: one change at a time, each worked out from the newest state of the branch.

use std::collections::BTreeMap;

use super::artifacts::ask_registries;
use super::deliver::{MAX_REFUSALS, MAX_TRIES, Route, deliver, pause};
use super::error::DeliveryError;
use super::made::{is_made, rank, waits_with};
use super::next::next_due;
use super::revert::{ToRevert, plan_at, plan_in_turn, receipt_of, undone_by};
use super::trace::{is_red, trace};
use crate::agent::caught::caught;
use crate::agent::decide::{Decided, decide_all, let_callers_go_first, take_turns};
use crate::agent::judge::fallback::add_fallbacks;
use crate::agent::judge::judged::Judged;
use crate::agent::judge::open::judge_open;
use crate::agent::judge::recovered::ask_for_recoveries;
use crate::agent::judge::turns::{add_begun, bring_in_turn};
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::paused_since::paused_since;
use crate::agent::look::state::{Decisions, State};
use crate::agent::report::EnvironmentReport;
use crate::domain::change::Change;
use crate::domain::change::plan::Undo;
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::{Decision, Facts, GuardAnswer, PLAN_GUARD};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Delivery;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::trailers::MAX_BLOCKS;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;
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

/// What became of a revert, with the change and its diff where it was worked out.
type Delivered = (Receipt, Option<(Box<Change>, String)>);

/// Decides about every deployment, and makes the reverts that are due, one after the other: after each the branch is read
/// again and everything is decided anew.
///
/// Whatever goes wrong is in the report, and what was done until then is returned, so that it is written down.
pub(in crate::agent) async fn make_due_reverts(
    pass: &Pass<'_>,
    state: &mut State,
    mut judged: Vec<Judged>,
    report: &mut EnvironmentReport,
) -> Vec<Settled> {
    let mut tried: BTreeMap<String, Tried> = BTreeMap::new();
    let work = caught(work_through(pass, state, &mut judged, &mut tried, report)).await;
    report.head = Some(state.snapshot.head);
    let problem = match work {
        Ok(Ok(decided)) => {
            let settled = settled(judged, decided, tried);
            state.decided = decisions(&settled);
            return settled;
        }
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    report.problems.push(problem);
    // Nothing is said for good of those about which not everything was found out.
    for one in judged.iter().filter(|one| is_red(one)) {
        let postponed = Tried { receipt: Receipt::Postponed, planned: None, guards: Vec::new() };
        tried.entry(one.deployment.id.clone()).or_insert(postponed);
    }
    let decided = decide_all(pass, state, &judged, made(&tried));
    settled(judged, decided, tried)
}

/// Returns what was decided in the end.
async fn work_through(
    pass: &Pass<'_>,
    state: &mut State,
    judged: &mut Vec<Judged>,
    tried: &mut BTreeMap<String, Tried>,
    report: &mut EnvironmentReport,
) -> Result<Vec<Decided>, RepositoryError> {
    let mut patience = Patience::default();
    let mut known = state.snapshot.head;
    let mut honored = BTreeMap::new();
    if judged.iter().any(|one| one.judgement.verdict == Verdict::Regressed || one.known_elsewhere.is_some()) {
        ask_for_recoveries(pass, state).await;
    }
    trace(pass, state, judged.iter_mut()).await?;
    loop {
        if known != state.snapshot.head {
            known = state.snapshot.head;
            learn_what_was_replaced(judged, state, pass).await?;
            // What was tried already is settled, whatever its service ran before.
            let open = judged.iter_mut().filter(|one| !tried.contains_key(&one.deployment.id));
            trace(pass, state, open).await?;
        }
        let mut decided = decide_all(pass, state, judged, made(tried));
        honor_earlier(pass, state, judged, &mut decided, &mut honored).await?;
        wait_for_nothing_that_stays(judged, &mut decided);
        if ask_registries(pass, state, judged, &decided).await? || bring_in_turn(pass, judged, &decided) {
            continue;
        }
        take_turns(pass, state, judged, &mut decided, made(tried));
        honor_earlier(pass, state, judged, &mut decided, &mut honored).await?;
        if ask_registries(pass, state, judged, &decided).await? {
            continue;
        }
        // What could not be made in this pass may be made in the next one.
        let is_stuck = |one: &Judged| {
            tried.get(&one.deployment.id).is_some_and(|tried| tried.receipt != Receipt::Postponed)
        };
        let_callers_go_first(pass, state, judged, &mut decided, (made(tried), is_stuck));
        let is_tried = |one: &Judged| tried.contains_key(&one.deployment.id);
        let Some((next, (decision, guards))) = next_due(pass, state, (judged, &decided), is_tried) else {
            plan_for_people(pass, state, (judged, &decided), tried, report).await;
            return Ok(decided);
        };
        let (key, guards) = (next.deployment.id.clone(), guards.clone());
        let service = &next.deployment.service;
        let decided = (decision, guards.as_slice());
        let done = match caught(try_one(pass, state, next, decided, patience.is_refused)).await {
            Ok(done) => done,
            Err(panic) => {
                report.problems.push(format!("the revert of {service}: {panic}"));
                tried.insert(key, Tried { receipt: Receipt::Postponed, planned: None, guards });
                continue;
            }
        };
        match done {
            // Somebody has paused or resumed: it is decided anew.
            Ok(None) => {}
            Ok(Some((receipt, planned))) => {
                let guards = with_doubts(guards, &receipt, planned.as_ref());
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
                report.problems.push(format!("the revert of {service}: {error}"));
                tried.insert(key, Tried { receipt: Receipt::Postponed, planned: None, guards });
            }
        }
    }
}

/// Leaves alone what an earlier pass left to people, or alone: an incident that is over by now is no reason to revert what a
/// person was told to look at. The notes say so. Where others may have written them, each such decision is worked out again as of
/// its time, from the branch as it was then and the metrics. What does not follow is not believed.
///
/// `known` remembers from one call to the next what was decided when.
async fn honor_earlier(
    pass: &Pass<'_>,
    state: &State,
    judged: &[Judged],
    decided: &mut [Decided],
    known: &mut BTreeMap<Time, Decisions>,
) -> Result<(), RepositoryError> {
    for (one, (decision, guards)) in judged.iter().zip(decided) {
        let Some((at, told)) = &one.told_before else { continue };
        // The agent reverts a healthy service of the group too, in its turn.
        let is_turn = guards.iter().any(|guard| guard.turn().is_some());
        let is_open = *told == Decision::Wait || is_turn && !matches!(told, Decision::Escalate(_));
        // The forge did not take what was decided then, or a branch was in the way: it is tried again.
        if one.refused_before || is_open {
            continue;
        }
        // The same is decided now, or less. Who has a proposal need not be told that it would be made no more.
        let is_proposed = matches!((&*decision, told), (Decision::Escalate(_), Decision::Propose));
        if rank(pass, decision) <= rank(pass, told) && !is_proposed {
            continue;
        }
        if pass.world.records_proven {
            decision.clone_from(told);
            continue;
        }
        if !known.contains_key(at) {
            known.insert(*at, Box::pin(decided_at(pass, state, *at)).await?);
        }
        let then = known.get(at).and_then(|decided| decided.get(&one.deployment.id));
        let follows =
            then.is_some_and(|(then, _)| *then != Decision::Wait && rank(pass, then) <= rank(pass, told));
        if follows {
            decision.clone_from(told);
        } else {
            let service = &one.deployment.service;
            tracing::warn!(%service, deployment = %one.deployment.commit, told = told.word(), "a record in the notes does not follow from the branch and the metrics: it is not believed");
        }
    }
    Ok(())
}

/// Leaves a deployment to a person that was to go back with an earlier one, where that one stays, as an earlier pass decided: else nobody
/// would hear of it.
fn wait_for_nothing_that_stays(judged: &[Judged], decided: &mut [Decided]) {
    let stays = |decision: &Decision| matches!(decision, Decision::Pass(_) | Decision::Hold(_));
    let left: Vec<(ServiceName, CommitId)> = judged
        .iter()
        .zip(decided.iter())
        .filter(|(_, (decision, _))| stays(decision))
        .map(|(one, _)| (one.deployment.service.clone(), one.deployment.commit))
        .collect();
    for (one, (decision, guards)) in judged.iter().zip(decided) {
        let facts = guards.last().and_then(|last| last.facts.as_ref());
        let with = facts.and_then(Facts::goes_back_with);
        let is_left = with.is_some_and(|commit| left.contains(&(one.deployment.service.clone(), commit)));
        if is_left
            && let Some(last) = guards.last_mut()
            && let Some(facts) = last.facts.take()
        {
            *last = GuardAnswer::to(facts.left_with_it());
            decision.clone_from(last.decision.as_ref().unwrap_or(&Decision::Wait));
        }
    }
}

/// The decisions that a pass at this time would have made, by the branch as it was then and the metrics. They are about the
/// deployments that the pass would have known of, as far back as this pass has read the branch.
pub(in crate::agent) async fn decided_at(
    pass: &Pass<'_>,
    state: &State,
    at: Time,
) -> Result<Decisions, RepositoryError> {
    let pass = Pass { now: at, intent: Intent::Plan, ..*pass };
    let Some(mut state) = state.as_of(&pass).await? else { return Ok(Decisions::new()) };
    let scratch = &mut EnvironmentReport::new(pass.environment.name.clone());
    let mut judged = judge_open(&pass, &state).await;
    ask_for_recoveries(&pass, &mut state).await;
    add_fallbacks(&pass, &state, &mut judged, scratch).await;
    add_begun(&pass, &state, &mut judged);
    // Nothing was told before then: this goes no deeper.
    let settled = make_due_reverts(&pass, &mut state, judged, scratch).await;
    Ok(if scratch.problems.is_empty() { decisions(&settled) } else { Decisions::new() })
}

/// What was decided about each deployment, with what its revert takes back.
fn decisions(settled: &[Settled]) -> Decisions {
    let each = settled.iter().map(|one| {
        let undone = undone_by(one.judged.goal.as_ref());
        (one.judged.deployment.id.clone(), (one.decision.clone(), undone))
    });
    each.collect()
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

/// The reverts that this pass has planned, which count as made, and those that will merge themselves, which count from the
/// moment when that was decided.
fn made(tried: &BTreeMap<String, Tried>) -> Vec<RevertEntry> {
    let counts = |tried: &&Tried| match &tried.receipt {
        _ if tried.guards.iter().any(GuardAnswer::is_early) => false,
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
    planned.flat_map(|(change, _)| change.as_entries()).collect()
}

/// Works one revert out and delivers it (or, when only planning, says what would be delivered). `refused`: the branch takes no
/// push. None where other pauses hold by now than when it was decided.
async fn try_one(
    pass: &Pass<'_>,
    state: &mut State,
    judged: &Judged,
    (decision, guards): (&Decision, &[GuardAnswer]),
    refused: bool,
) -> Result<Option<Delivered>, DeliveryError> {
    let doubt = guards.last().filter(|last| last.decision == Some(Decision::Propose));
    let doubt = doubt.and_then(|last| last.facts.as_ref()?.doubt());
    let of_group = guards.iter().filter_map(|guard| guard.facts.as_ref()).flat_map(Facts::doubts_of_group);
    let doubts: Vec<String> = judged.doubts.iter().cloned().chain(doubt).chain(of_group).collect();
    let members = ToRevert::members(judged);
    let to_revert = ToRevert::judged(judged);
    let undo = Undo { doubts: &doubts, ..to_revert.undo };
    let to_revert = ToRevert { undo, members: &members, ..to_revert };
    let planning = plan_at(pass, &to_revert, state.snapshot.head);
    let Some(planned) = pass.stop.unless_set(planning).await else {
        return Ok(Some((Receipt::Postponed, None)));
    };
    let planned = match planned? {
        Ok(planned) => planned,
        Err(none) => return Ok(Some((receipt_of(none), None))),
    };
    let by_hand = *decision == Decision::Propose || !planned.change.doubts.is_empty();
    let (route, head) = (Route::of(pass, by_hand, refused), state.snapshot.head);
    let turn = guards.iter().find_map(GuardAnswer::turn);
    // That all can go back is known now. By a push only this one does.
    let members = if route == Route::Push { &[][..] } else { &members };
    let planned = match turn {
        None => planned,
        turn => match plan_in_turn(pass, &ToRevert { members, ..to_revert }, turn, head).await? {
            Ok(planned) => planned,
            Err(none) => return Ok(Some((receipt_of(none), None))),
        },
    };
    let diff = planned.diff();
    if is_made(pass, state, judged, decision, (&planned, route)).await? {
        // As when it was made: what waits for a person does not count as reverted.
        let is_by_hand = matches!(judged.told_before, Some((_, Decision::Propose)));
        let receipt = if is_by_hand { Receipt::Postponed } else { Receipt::Planned };
        return Ok(Some((receipt, Some((planned.change, diff)))));
    }
    if let Some(waits) = waits_with(pass, state, judged, (&planned, route)).await? {
        return Ok(Some((Receipt::Superseded(waits), Some((planned.change, diff)))));
    }
    if pass.intent == Intent::Plan {
        return Ok(Some((Receipt::Planned, Some((planned.change, diff)))));
    }
    if paused_since(pass, state).await? {
        return Ok(None);
    }
    let receipt = deliver(pass, &state.snapshot, &planned, route).await?;
    let change = planned.change;
    Ok(Some((receipt, Some((change, diff)))))
}

/// The guards with one more answer, where a revert is left to a person because of what was found when it was worked out.
fn with_doubts(
    mut guards: Vec<GuardAnswer>,
    receipt: &Receipt,
    planned: Option<&(Box<Change>, String)>,
) -> Vec<GuardAnswer> {
    if let (Receipt::Refused(why), None) = (receipt, planned) {
        let decision = Some(Decision::Escalate(why.clone()));
        guards.push(GuardAnswer::without_facts(PLAN_GUARD, decision));
    }
    let is_doubted = planned.is_some_and(|(change, _)| !change.doubts.is_empty());
    if is_doubted && guards.last().is_none_or(|last| last.decision.is_none()) {
        guards.push(GuardAnswer::without_facts(PLAN_GUARD, Some(Decision::Propose)));
    }
    guards
}

/// Works out the reverts that a person must decide about, so that the plan is at hand. Those that cannot be worked out are left
/// out: the person is told without.
async fn plan_for_people(
    pass: &Pass<'_>,
    state: &State,
    (judged, decided): (&[Judged], &[Decided]),
    tried: &mut BTreeMap<String, Tried>,
    report: &mut EnvironmentReport,
) {
    for (judged, (decision, guards)) in judged.iter().zip(decided) {
        let key = judged.deployment.id.clone();
        if !matches!(decision, Decision::Escalate(_)) || tried.contains_key(&key) {
            continue;
        }
        // Of so many services not all are known here: a plan would be half of it.
        if judged.members.len() >= MAX_BLOCKS {
            continue;
        }
        let members = ToRevert::members(judged);
        let to_revert = ToRevert { members: &members, ..ToRevert::judged(judged) };
        let planning = caught(plan_at(pass, &to_revert, state.snapshot.head));
        let problem = match pass.stop.unless_set(planning).await {
            None => return,
            Some(Ok(Ok(Ok(planned)))) => {
                let planned = Some((planned.change.clone(), planned.diff()));
                tried.insert(key, Tried { receipt: Receipt::Planned, planned, guards: guards.clone() });
                continue;
            }
            Some(Ok(Ok(Err(_)))) => continue,
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(panic)) => panic,
        };
        report.problems.push(format!("the plan for {}: {problem}", judged.deployment.service));
    }
}

/// Learns from the newest state of the branch which deployments were replaced in the meantime.
async fn learn_what_was_replaced(
    judged: &mut [Judged],
    state: &State,
    pass: &Pass<'_>,
) -> Result<(), RepositoryError> {
    let Some(newest) = pass.stop.unless_set(pass.detect(&state.snapshot)).await else { return Ok(()) };
    let (newest, _) = newest?;
    for one in judged {
        let key = one.deployment.id.clone();
        let same = |deployment: &&Deployment| deployment.id == key;
        if let Some(now) = newest.iter().find(same) {
            one.deployment.superseded_by = now.superseded_by;
        }
    }
    Ok(())
}

fn settled(judged: Vec<Judged>, decided: Vec<Decided>, mut tried: BTreeMap<String, Tried>) -> Vec<Settled> {
    let settle = |(judged, (decision, guards)): (Judged, Decided)| {
        let Some(tried) = tried.remove(&judged.deployment.id) else {
            return Settled { judged, decision, guards, planned: None, receipt: None };
        };
        let Tried { receipt, planned, guards } = tried;
        let is_doubt = |last: &GuardAnswer| {
            last.guard == PLAN_GUARD && last.decision.as_ref() == Some(&Decision::Propose)
        };
        let is_doubted = guards.last().is_some_and(is_doubt);
        let decision = if is_doubted && decision == Decision::Revert { Decision::Propose } else { decision };
        Settled { judged, decision, guards, planned, receipt: Some(receipt) }
    };
    judged.into_iter().zip(decided).map(settle).collect()
}
