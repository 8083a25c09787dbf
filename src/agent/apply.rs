//! Acting on decisions: one change at a time, each worked out from the newest state of the branch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::announce::{Issues, announce};
use super::current::{At, work_out};
use super::deliver::{DeliveryError, send, way};
use super::follow::ended_at_once;
use super::judging::Open;
use super::pass::{Intent, snapshot};
use super::proposal::Worked;
use super::report::{EnvironmentReport, Item, Outcome};
use super::{Stop, World, blocking};
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Change, NoChange};
use crate::domain::decision::{Case, Decision, GuardAnswer, Situation, decide, id_of};
use crate::domain::deployment::{Deployment, detect};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::{Delivery, Mode};
use crate::domain::history::ledger::{RevertEntry, reverts};
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::{BranchName, CommitId, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;
use crate::ports::{PushError, RepositoryError};
use crate::record::{self, Proposal, Record, VERSION, VerdictRecord};

/// What a pass through one environment works with.
#[derive(Clone, Copy)]
pub(super) struct Acting<'a> {
    pub world: &'a World,
    pub environment: &'a Arc<Environment>,
    pub now: Time,
    pub intent: Intent,
    pub stop: &'a Stop,
    /// The deployments that earlier passes have found to be bad and left where they are.
    pub left_red: &'a [Deployment],
    /// All deployments that are watched.
    pub watched: &'a [Deployment],
    /// The reverts that earlier passes have begun, and that wait in pull requests which merge themselves.
    pub under_way: &'a [RevertEntry],
}

impl Acting<'_> {
    pub(super) fn at(&self) -> At<'_> {
        At { world: self.world, environment: self.environment, now: self.now }
    }
}

/// How often a rejected push is worked out again from the new state.
pub(super) const MAX_TRIES: u32 = 20;
/// How often a push is tried that the remote refuses although the branch has not moved.
pub(super) const MAX_REFUSALS: u32 = 3;

/// A deployment of a service: what a change and its outcome belong to.
type Key = (CommitId, String);

fn key(deployment: &Deployment) -> Key {
    (deployment.commit, deployment.service.to_string())
}

/// What came of trying to back a deployment out.
enum Attempt {
    /// The change reached the remote.
    Delivered(Box<Change>, String, Receipt),
    /// The change was only worked out.
    Planned(Box<Change>, String),
    /// The change was worked out for the person who must decide.
    ForAPerson(Box<Change>, String),
    /// There is nothing to change, or nothing may be changed.
    Stopped(NoChange),
    /// The remote rejected it again and again; the next pass tries anew.
    GivenUp,
}

/// An attempt with what the guards had said before it; asked again after it they know of it and stop at once.
type Tried = (Attempt, Vec<GuardAnswer>);

/// Decides about every deployment, makes the changes one after the other, and writes down what happened. Returns the
/// newest state of the branch.
pub(super) async fn act(
    acting: &Acting<'_>,
    mut snapshot: Snapshot,
    mut open: Vec<Open>,
    report: &mut EnvironmentReport,
) -> Result<Snapshot, RepositoryError> {
    let mut attempts: BTreeMap<Key, Tried> = BTreeMap::new();
    let mut patience = Patience::default();
    loop {
        refresh(&mut open, &snapshot, acting.environment);
        let decided = decide_all(acting, &snapshot, &open, &attempts);
        let Some((next, (decision, guards))) = next_due(acting, &open, &decided, &attempts) else {
            report.head = Some(snapshot.head);
            plan_for_people(acting, &snapshot, &open, &decided, &mut attempts).await?;
            write_down(acting, &snapshot, &open, decided, attempts, report).await?;
            return Ok(snapshot);
        };
        let key = key(&next.deployment);
        let rejected = match deliver(acting, &snapshot, next, decision, patience.is_refused).await {
            Ok(attempt) => {
                attempts.insert(key.clone(), (attempt, guards.clone()));
                None
            }
            Err(DeliveryError::Push(PushError::Rejected { reference, reason })) => {
                Some((reference, reason, guards.clone()))
            }
            // The others are still decided about, and written down.
            Err(error @ (DeliveryError::Push(PushError::Repository(_)) | DeliveryError::Forge(_))) => {
                report.problems.push(error.to_string());
                attempts.insert(key, (Attempt::GivenUp, guards.clone()));
                continue;
            }
        };
        if acting.intent == Intent::Plan {
            continue;
        }
        if let Some((reference, reason, guards)) = &rejected {
            patience.tries += 1;
            let tries = patience.tries;
            tracing::info!(%reference, %reason, tries, "push rejected: working it out again from the new state");
            pause(tries).await;
            let before = snapshot.head;
            snapshot = fetch_again(acting).await?;
            let unmoved = snapshot.head == before;
            if patience.goes_by_review(acting, unmoved) {
                tracing::info!(%reference, %reason, "the branch takes no push: it goes by a pull request");
            } else if patience.is_over(unmoved) {
                let hint = if unmoved {
                    ": let it be pushed to, or set `delivery: pull-request` or `branch`"
                } else {
                    ""
                };
                let problem = format!("{reference} was not updated after {tries} tries: {reason}{hint}");
                report.problems.push(problem);
                attempts.insert(key, (Attempt::GivenUp, guards.clone()));
            }
        } else {
            snapshot = fetch_again(acting).await?;
        }
    }
}

async fn fetch_again(acting: &Acting<'_>) -> Result<Snapshot, RepositoryError> {
    let branch = acting.environment.branch.clone();
    blocking(&acting.world.repository, move |repository| repository.fetch(&[branch])).await?;
    snapshot(acting.world, acting.environment, acting.now).await
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
    /// Whether the branch has refused so often that the rest goes by pull requests, where there is a forge.
    fn goes_by_review(&mut self, acting: &Acting<'_>, unmoved: bool) -> bool {
        let can = acting.world.forge.is_some() && acting.environment.delivery == Delivery::Push;
        if self.is_refused || !can || !unmoved || self.refusals + 1 < MAX_REFUSALS {
            return false;
        }
        *self = Self { is_refused: true, ..Self::default() };
        true
    }

    fn is_over(&mut self, unmoved: bool) -> bool {
        self.refusals = if unmoved { self.refusals + 1 } else { 0 };
        self.tries >= MAX_TRIES || self.refusals >= MAX_REFUSALS
    }
}

/// The next deployment to back out that was not tried yet.
fn next_due<'a>(
    acting: &Acting<'_>,
    open: &'a [Open],
    decided: &'a [(Decision, Vec<GuardAnswer>)],
    attempts: &BTreeMap<Key, Tried>,
) -> Option<(&'a Open, &'a (Decision, Vec<GuardAnswer>))> {
    if acting.stop.is_set() {
        return None;
    }
    let due = |(open, (decision, _)): &(&Open, &(Decision, Vec<GuardAnswer>))| {
        matches!(decision, Decision::Revert | Decision::Propose)
            && !attempts.contains_key(&key(&open.deployment))
    };
    open.iter().zip(decided).find(due)
}

/// Works out the reverts that a person must decide about, so that the plan is at hand. What cannot be worked out is left
/// out.
async fn plan_for_people(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    open: &[Open],
    decided: &[(Decision, Vec<GuardAnswer>)],
    attempts: &mut BTreeMap<Key, Tried>,
) -> Result<(), RepositoryError> {
    for (open, (decision, guards)) in open.iter().zip(decided) {
        if !matches!(decision, Decision::Escalate(_)) || attempts.contains_key(&key(&open.deployment)) {
            continue;
        }
        let (change, current) = work_out(&acting.at(), &open.subject(), snapshot.head).await?;
        if let Ok(change) = change {
            let diff = change.diff(&current.files);
            attempts.insert(key(&open.deployment), (Attempt::ForAPerson(change, diff), guards.clone()));
        }
    }
    Ok(())
}

/// Waits a little longer after each try, with jitter, so that two agents do not meet again and again.
pub(super) async fn pause(tries: u32) {
    let most_ms = 50_u64 << tries.min(4);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most_ms / 2..=most_ms))).await;
}

/// Learns from the newest state which deployments were replaced in the meantime.
fn refresh(open: &mut [Open], snapshot: &Snapshot, environment: &Environment) {
    let newest = detect(snapshot, environment);
    for one in open {
        let same = |deployment: &&Deployment| key(deployment) == key(&one.deployment);
        if let Some(now) = newest.iter().find(same) {
            one.deployment.superseded_by = now.superseded_by;
        }
    }
}

/// Decides about every deployment. What was only planned counts as made, for all but itself: a plan is what a pass would do.
fn decide_all(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    open: &[Open],
    attempts: &BTreeMap<Key, Tried>,
) -> Vec<(Decision, Vec<GuardAnswer>)> {
    let mut entries: Vec<RevertEntry> = reverts(snapshot);
    entries.retain(|entry| entry.environment == acting.environment.name);
    let made = entries.len();
    entries.extend(attempts.values().filter_map(|(attempt, guards)| match attempt {
        Attempt::Planned(change, _) => Some(change.as_entry()),
        // What merges itself counts from the moment when that was decided.
        Attempt::Delivered(change, _, Receipt::Proposed { review: Some(_), .. }) => {
            let by_hand = guards.last().is_some_and(|guard| guard.decision.is_some());
            (!by_hand).then(|| change.as_entry())
        }
        Attempt::Delivered(..) | Attempt::ForAPerson(..) | Attempt::Stopped(_) | Attempt::GivenUp => None,
    }));
    let landed: BTreeSet<String> = entries.iter().map(|entry| entry.id.clone()).collect();
    entries.extend(acting.under_way.iter().filter(|entry| !landed.contains(&entry.id)).cloned());
    let cases: Vec<Case<'_>> = open.iter().map(Open::case).collect();
    let regressed: Vec<Case<'_>> =
        cases.iter().copied().filter(|case| case.judgement.verdict == Verdict::Regressed).collect();
    let reverted = |deployment: &Deployment| {
        let id = id_of(deployment);
        entries.iter().any(|entry| entry.id == id)
    };
    let standing = acting.left_red.iter().filter(|deployment| !reverted(deployment));
    let red_before: Vec<ServiceName> = standing.map(|deployment| deployment.service.clone()).collect();
    let decide_one = |case: &Case<'_>| {
        let own = id_of(case.deployment);
        let known = entries.iter().enumerate().filter(|(index, entry)| *index < made || entry.id != own);
        let reverts: Vec<RevertEntry> = known.map(|(_, entry)| entry.clone()).collect();
        let situation = Situation {
            now: acting.now,
            budget: acting.environment.budget,
            reverts: &reverts,
            regressed: &regressed,
            red_before: &red_before,
            open: &cases,
            watched: acting.watched,
        };
        decide(case, &situation)
    };
    cases.iter().map(decide_one).collect()
}

/// Works the change out and delivers it (or, when only planning, says what would be delivered). `refused`: the branch takes
/// no push.
async fn deliver(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    open: &Open,
    decision: &Decision,
    refused: bool,
) -> Result<Attempt, DeliveryError> {
    let (at, subject) = (acting.at(), open.subject());
    let (change, current) = work_out(&at, &subject, snapshot.head).await?;
    let change = match change {
        Ok(change) => change,
        Err(none) => return Ok(Attempt::Stopped(none)),
    };
    let diff = change.diff(&current.files);
    if acting.intent == Intent::Plan {
        return Ok(Attempt::Planned(change, diff));
    }
    let way = way(acting.world, acting.environment, *decision == Decision::Propose, refused);
    let worked = Worked { at: &at, subject: &subject, snapshot, change: &change, current: &current };
    let receipt = send(&worked, way).await?;
    tracing::info!(service = %change.service, environment = %change.environment, reverts = %change.reverts, receipt = %receipt, "delivered");
    Ok(Attempt::Delivered(change, diff, receipt))
}

/// Writes the report, and the notes for everything that is settled.
async fn write_down(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    open: &[Open],
    decided: Vec<(Decision, Vec<GuardAnswer>)>,
    mut attempts: BTreeMap<Key, Tried>,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    let entries = reverts(snapshot);
    let written = already_written(acting, open).await?;
    let mut lines: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
    let mut issues = Issues::default();
    for (open, (decision, guards)) in open.iter().zip(decided) {
        let (attempt, guards) = match attempts.remove(&key(&open.deployment)) {
            Some((attempt, before)) => (Some(attempt), before),
            None => (None, guards),
        };
        let (receipt, prepared) = match &attempt {
            Some(Attempt::Delivered(_, _, receipt)) => (Some(receipt.clone()), None),
            Some(Attempt::ForAPerson(change, diff)) => (None, Some((change.clone(), diff.clone()))),
            _ => (None, None),
        };
        let mut item = item(open, decision, guards, attempt);
        let id = id_of(&open.deployment);
        item.revert =
            item.revert.or_else(|| entries.iter().find(|entry| entry.id == id).map(|entry| entry.commit));
        if item.decision != Decision::Wait {
            let (verdict, decision) = (item.judgement.verdict.word(), item.decision.word());
            let why = item.decision.why().unwrap_or(&item.judgement.reason);
            tracing::info!(environment = %report.environment, service = %item.service, deployment = %item.deployment, verdict, decision, why, "decided");
        }
        let is_settled = item.decision != Decision::Wait && !written.contains(&id);
        let is_new = is_settled && acting.intent == Intent::Act;
        let prepared = prepared.as_ref().map(|(change, diff)| (change.as_ref(), diff.as_str()));
        if is_settled && (!is_new || announce(acting, open, &item, prepared, &mut issues, report).await) {
            let verdict = record(acting, open, &item);
            let ended = receipt.and_then(|receipt| ended_at_once(&verdict, &receipt));
            let ended = ended.map(|ended| Record::Review(Box::new(ended)));
            for record in std::iter::once(Record::Verdict(Box::new(verdict))).chain(ended) {
                match record.to_line() {
                    Ok(line) => lines.entry(item.deployment).or_default().push(line),
                    Err(error) => report
                        .problems
                        .push(format!("the record of {} cannot be made: {error}", item.service)),
                }
            }
        }
        report.items.push(item);
    }
    append(acting, lines, report).await
}

/// The rollback ids that another agent has written a verdict for in the meantime.
async fn already_written(acting: &Acting<'_>, open: &[Open]) -> Result<BTreeSet<String>, RepositoryError> {
    let commits: Vec<CommitId> = open.iter().map(|open| open.deployment.commit).collect();
    let notes = blocking(&acting.world.repository, move |repository| repository.notes(&commits)).await?;
    let records = notes.values().flat_map(|note| record::read(note));
    let modes: BTreeMap<String, Mode> =
        open.iter().map(|open| (id_of(&open.deployment), open.policy.mode)).collect();
    let settled = |record: &Record| match record {
        Record::Verdict(verdict) => modes.get(&verdict.id).is_some_and(|mode| verdict.settles(*mode)),
        Record::Recovery(_) | Record::Review(_) => false,
    };
    Ok(records.filter(settled).map(|record| record.id().to_owned()).collect())
}

fn item(open: &Open, decision: Decision, guards: Vec<GuardAnswer>, attempt: Option<Attempt>) -> Item {
    let mut item = Item {
        service: open.deployment.service.clone(),
        deployment: open.deployment.commit,
        subject: open.deployment.subject.clone(),
        deployed_at: open.deployment.at,
        judgement: open.judgement.clone(),
        decision,
        guards,
        plan: None,
        diff: None,
        revert: None,
        outcome: None,
    };
    match attempt {
        // The pass was asked to end before it came to this one: the next pass decides anew.
        None if matches!(item.decision, Decision::Revert | Decision::Propose) => {
            item.decision = Decision::Wait
        }
        None => {}
        Some(Attempt::GivenUp) => item.decision = Decision::Wait,
        Some(Attempt::ForAPerson(change, diff)) => {
            (item.plan, item.diff) = (Some(change.to_string()), Some(diff));
        }
        Some(Attempt::Stopped(NoChange::Superseded(why) | NoChange::Restored(why))) => {
            item.decision = Decision::Pass(why);
        }
        Some(Attempt::Stopped(
            refused @ (NoChange::Gone(_) | NoChange::Partial(_) | NoChange::Refused { .. }),
        )) => {
            item.decision = Decision::Escalate(format!("it cannot be put back by machine: {refused}"));
        }
        Some(Attempt::Planned(change, diff)) => {
            (item.plan, item.diff, item.outcome) =
                (Some(change.to_string()), Some(diff), Some(Outcome::Planned));
        }
        Some(Attempt::Delivered(change, diff, receipt)) => {
            (item.plan, item.diff) = (Some(change.to_string()), Some(diff));
            received(&mut item, change.proposal_branch(), receipt);
        }
    }
    item
}

/// What a receipt makes of a decision to back something out.
fn received(item: &mut Item, branch: Option<BranchName>, receipt: Receipt) {
    match receipt {
        Receipt::Pushed(commit) => {
            item.decision = Decision::Revert;
            item.revert = Some(commit);
            item.outcome = Some(Outcome::Pushed);
        }
        Receipt::Proposed { branch, commit, review, .. } => {
            // Without a pull request nothing merges itself.
            if review.is_none() {
                item.decision = Decision::Propose;
            }
            item.outcome = Some(Outcome::Proposed(Proposal { branch, commit, review }));
        }
        Receipt::Merged(review) => {
            item.decision = Decision::Revert;
            item.outcome = Some(Outcome::Merged(review));
        }
        Receipt::Superseded(why) => item.decision = Decision::Pass(why),
        declined @ Receipt::Declined { .. } => item.decision = Decision::Hold(declined.to_string()),
        Receipt::Stuck { ref review, head, merged, .. } => {
            // What is not merged yet is followed on.
            if let Some(branch) = branch.filter(|_| !merged) {
                let review = Some(review.clone());
                item.outcome = Some(Outcome::Proposed(Proposal { branch, commit: head, review }));
            }
            item.decision = Decision::Escalate(receipt.to_string());
        }
        Receipt::Refused(why) => item.decision = Decision::Escalate(why),
    }
}

fn record(acting: &Acting<'_>, open: &Open, item: &Item) -> VerdictRecord {
    VerdictRecord {
        version: VERSION,
        id: id_of(&open.deployment),
        environment: open.deployment.environment.clone(),
        service: open.deployment.service.clone(),
        deployment: open.deployment.commit,
        at: acting.now,
        judgement: open.judgement.clone(),
        decision: item.decision.clone(),
        guards: item.guards.clone(),
        revert: item.revert,
        proposal: match &item.outcome {
            Some(Outcome::Proposed(proposal)) => Some(proposal.clone()),
            Some(Outcome::Pushed | Outcome::Merged(_) | Outcome::Planned) | None => None,
        },
        evidence: without_idle_controls(&open.evidence, &open.judgement),
        config: acting.world.config.clone(),
    }
}

/// The evidence without the controls where the same judgement follows without them: they would make up most of a note.
fn without_idle_controls(evidence: &Evidence, judgement: &Judgement) -> Evidence {
    let mut lean = evidence.clone();
    for signal in &mut lean.signals {
        signal.controls.clear();
    }
    if judge(&lean) == *judgement { lean } else { evidence.clone() }
}

/// Appends lines to the notes; where that fails the pass goes on and says so.
pub(super) async fn append(
    acting: &Acting<'_>,
    lines: BTreeMap<CommitId, Vec<String>>,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    if lines.is_empty() || acting.intent == Intent::Plan {
        return Ok(());
    }
    let now = acting.now;
    let appended =
        blocking(&acting.world.repository, move |repository| repository.append_notes(&lines, now)).await;
    if let Err(error) = appended {
        report.problems.push(format!("the audit notes (refs/notes/backout) cannot be written: {error}"));
    }
    Ok(())
}
