//! Taking pins off again: when their time is over, as soon as the service runs something else, or because a person asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agent::act::deliver::{MAX_REFUSALS, Route, pause, push};
use crate::agent::act::error::DeliveryError;
use crate::agent::act::unpin::{Off, by_branch};
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::found::find_services;
use crate::agent::look::paused_since::paused_since;
use crate::agent::look::pins::{FoundPins, find_pins};
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, PinNews, PinStep};
use crate::agent::tell::notes::Lines;
use crate::domain::change::Change;
use crate::domain::change::unpin::{Unpin, unpin};
use crate::domain::environment::policy::Mode;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::pin::Pin;
use crate::domain::pin::lift::lift;
use crate::domain::pin::open::{PinState, RunsSince, WrittenPin, due, standing};
use crate::ports::{PushError, RepositoryError};
use crate::record::{PinOutcome, PinRecord, Record, VERSION};

/// A person who wants the pins of a service off.
#[derive(Clone, Copy)]
pub(in crate::agent) struct ByHand<'a> {
    pub service: &'a ServiceName,
    pub who: &'a str,
}

/// Takes off the pins that are due, one revert after the other, each in a commit of its own. What a person has changed is left alone and
/// told once.
pub(in crate::agent) async fn lift_pins(
    pass: &Pass<'_>,
    state: &mut State,
    by_hand: Option<ByHand<'_>>,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    let (mut lines, mut tried, mut refusals) = (Lines::default(), BTreeSet::new(), 0);
    let mut is_first = true;
    while !pass.stop.is_set() {
        let found = find_pins(pass, &state.snapshot, &state.landed, &state.detected).await?;
        if std::mem::take(&mut is_first) {
            tell_changed(pass, state, (&found, by_hand), &mut lines, report);
        }
        let Some(next) = next_due(pass, &found, by_hand, &tried) else { break };
        let leave =
            if by_hand.is_some() { Leave::Push } else { leave(pass, state, &next.entry.service).await? };
        if leave == Leave::Wait {
            tried.insert(next.entry.commit);
            continue;
        }
        if pass.intent == Intent::Plan {
            tried.insert(next.entry.commit);
            report.pins.push(next.news(PinStep::Planned, None));
            continue;
        }
        let change = next.change(pass, state.snapshot.head);
        let route = Route::of(pass, leave == Leave::Propose, refusals >= MAX_REFUSALS);
        let done = match route {
            Route::Push => push(pass, &change).await.map(Off::Done).map_err(DeliveryError::from),
            Route::Branch | Route::Review(_) => by_branch(pass, &change, next.entry.commit, route).await,
        };
        match done {
            Ok(off) => {
                tried.insert(next.entry.commit);
                next.tell(pass, off, &mut lines, report);
                state.fetch_again(pass).await?;
            }
            Err(DeliveryError::Push(PushError::Rejected { reference, reason })) => {
                let before = state.snapshot.head;
                pause(refusals).await;
                state.fetch_again(pass).await?;
                refusals += 1;
                let is_stuck = route != Route::Push || pass.estate.forge.is_none() || refusals > MAX_REFUSALS;
                if refusals >= MAX_REFUSALS && (is_stuck || before != state.snapshot.head) {
                    report.problems.push(format!("{reference} was not updated to take a pin off: {reason}"));
                    break;
                }
            }
            Err(error) => {
                tried.insert(next.entry.commit);
                report.problems.push(format!("the pins of {}: {error}", next.entry.service));
            }
        }
    }
    lines.append(pass, report).await;
    Ok(())
}

/// What the agent may do by itself about the pins of a service.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Take them off, the way that reverts are delivered.
    Push,
    /// Prepare that for a person.
    Propose,
    /// Nothing now.
    Wait,
}

/// What the agent may do about the pins of a service now: nothing while it is paused or the environment is frozen, else what its mode says.
/// Where no rule finds the service any more, a person decides.
async fn leave(pass: &Pass<'_>, state: &mut State, service: &ServiceName) -> Result<Leave, RepositoryError> {
    if pass.intent == Intent::Act {
        paused_since(pass, state).await?;
    }
    if state.brakes.frozen.is_some() || state.brakes.paused(service).is_some() {
        return Ok(Leave::Wait);
    }
    let (environment, head) = (Arc::clone(pass.environment), state.snapshot.head);
    let only = BTreeSet::from([service.clone()]);
    let found =
        pass.git(move |repository| find_services(repository, &environment, head, Some(&only))).await?;
    let rules = found.iter().filter(|one| one.name == *service).map(|one| one.rule).collect::<BTreeSet<_>>();
    let modes = rules.iter().filter_map(|rule| pass.environment.services.get(*rule));
    let modes: Vec<Mode> = modes.map(|rule| rule.policy.mode).collect();
    Ok(if modes.contains(&Mode::Observe) {
        Leave::Wait
    } else if !modes.is_empty() && modes.iter().all(|mode| *mode == Mode::Auto) {
        Leave::Push
    } else {
        Leave::Propose
    })
}

/// Pins of one revert that are to be taken off together.
struct Due<'f> {
    entry: &'f RevertEntry,
    pins: Vec<&'f WrittenPin>,
    why: String,
    files: BTreeMap<FilePath, String>,
}

/// The pins of the newest revert that has some which are due and can be taken off.
fn next_due<'f>(
    pass: &Pass<'_>,
    found: &'f FoundPins,
    by_hand: Option<ByHand<'_>>,
    tried: &BTreeSet<CommitId>,
) -> Option<Due<'f>> {
    let mut next: Option<Due<'f>> = None;
    for (pin, state) in standing(&found.written, &found.texts) {
        if state != PinState::Open || tried.contains(&pin.entry.commit) {
            continue;
        }
        if next.as_ref().is_some_and(|next| next.entry.commit != pin.entry.commit) {
            break;
        }
        let runs = found.runs.get(&pin.entry.commit).unwrap_or(&RunsSince::Restored);
        let why = match by_hand {
            Some(by_hand) if pin.entry.service == *by_hand.service => {
                Some(format!("{} asked for it", by_hand.who))
            }
            Some(_) => None,
            None => due(pin, runs, pass.now),
        };
        let Some(why) = why else { continue };
        let files = next.as_ref().map(|next| &next.files);
        let text =
            files.and_then(|files| files.get(&pin.pin.path)).or_else(|| found.texts.get(&pin.pin.path));
        // Where a newer pin stands on top of it, it waits for that one.
        let Some(without) = text.and_then(|text| lift(&pin.pin, &pin.before, text)) else { continue };
        let due = next.get_or_insert_with(|| Due {
            entry: &pin.entry,
            pins: Vec::new(),
            why,
            files: BTreeMap::new(),
        });
        due.pins.push(pin);
        due.files.insert(pin.pin.path.clone(), without);
    }
    next
}

impl Due<'_> {
    fn change(&self, pass: &Pass<'_>, head: CommitId) -> Change {
        let pins: Vec<&Pin> = self.pins.iter().map(|one| &one.pin).collect();
        let files =
            self.files.iter().map(|(path, text)| (path.clone(), Some(text.clone().into_bytes().into())));
        let off = Unpin { entry: self.entry, pins: &pins, why: &self.why, files: files.collect() };
        unpin(off, &pass.environment.branch, head, pass.now)
    }

    fn news(&self, step: PinStep, commit: Option<CommitId>) -> PinNews {
        PinNews {
            service: self.entry.service.clone(),
            revert: self.entry.commit,
            pins: self.pins.iter().map(|one| one.pin.to_string()).collect(),
            step,
            commit,
            reason: self.why.clone(),
        }
    }

    /// Puts what became of it into the report and the notes.
    fn tell(&self, pass: &Pass<'_>, off: Off, lines: &mut Lines, report: &mut EnvironmentReport) {
        let (step, commit) = match off {
            Off::Done(commit) => (PinStep::Lifted, Some(commit)),
            Off::Merged => (PinStep::Lifted, None),
            Off::Proposed(commit) => (PinStep::Proposed, Some(commit)),
            Off::Waits => return,
        };
        report.pins.push(self.news(step, commit));
        if step == PinStep::Lifted {
            for one in &self.pins {
                let record = record(pass, one, PinOutcome::Lifted, self.why.clone());
                lines.add(self.entry.reverts, &self.entry.service, &record, report);
            }
        }
    }
}

fn record(pass: &Pass<'_>, one: &WrittenPin, outcome: PinOutcome, reason: String) -> Record {
    Record::Pin(Box::new(PinRecord {
        version: VERSION,
        id: one.entry.id.clone(),
        environment: one.entry.environment.clone(),
        service: one.entry.service.clone(),
        deployment: one.entry.reverts,
        revert: one.entry.commit,
        at: pass.now,
        pin: one.pin.to_string(),
        outcome,
        reason,
    }))
}

/// Tells of the pins that are due and that a person has changed, unless an earlier pass has told of them.
fn tell_changed(
    pass: &Pass<'_>,
    state: &State,
    (found, by_hand): (&FoundPins, Option<ByHand<'_>>),
    lines: &mut Lines,
    report: &mut EnvironmentReport,
) {
    for (one, _) in
        standing(&found.written, &found.texts).into_iter().filter(|(_, at)| *at == PinState::Changed)
    {
        let is_asked = by_hand.is_some_and(|by_hand| *by_hand.service == one.entry.service);
        let told = state.records.get(&one.entry.reverts).into_iter().flatten().any(|record| {
            matches!(record, Record::Pin(known) if known.revert == one.entry.commit
                && known.pin == one.pin.to_string() && known.outcome == PinOutcome::Changed)
        });
        if told && !is_asked {
            continue;
        }
        let reason = format!(
            "somebody has changed it in {} since: it is left alone, and a person has to take it off",
            one.pin.path
        );
        report.pins.push(PinNews {
            service: one.entry.service.clone(),
            revert: one.entry.commit,
            pins: vec![one.pin.to_string()],
            step: PinStep::Changed,
            commit: None,
            reason: reason.clone(),
        });
        let record = record(pass, one, PinOutcome::Changed, reason);
        lines.add(one.entry.reverts, &one.entry.service, &record, report);
    }
}
