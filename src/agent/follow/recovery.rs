//! After a revert, the agent's or a person's: whether the signals came back. The same judge decides, with the samples since
//! the revert in the place of those since the deployment.

use std::collections::BTreeMap;

use crate::agent::judge::gather::read_all;
use crate::agent::judge::reverted::{deployment_taken_back, evidence_until_revert};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, Recovered};
use crate::agent::tell::notes::Lines;
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{RangeQuery, Signal, Window};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use crate::domain::judge::question::{Part, Question, Reading, Subject, ask};
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;
use crate::record::{Record, Recovery, RecoveryRecord, VERSION};

/// Looks at every revert that is still watched, and records those whose effect is clear.
pub(in crate::agent) async fn watch_recoveries(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let mut lines = Lines::default();
    for entry in state.reverts.iter().filter(|entry| !is_known(state, entry)) {
        let Some(effect) = pass.stop.unless_set(effect(pass, state, entry)).await else { break };
        let Some((outcome, reason)) = effect else { continue };
        let record = RecoveryRecord {
            version: VERSION,
            id: entry.id.clone(),
            environment: entry.environment.clone(),
            service: entry.service.clone(),
            deployment: entry.reverts,
            revert: entry.commit,
            at: pass.now,
            outcome,
            reason: reason.clone(),
        };
        lines.add(entry.reverts, &entry.service, &Record::Recovery(Box::new(record)), report);
        report.recoveries.push(Recovered {
            service: entry.service.clone(),
            deployment: entry.reverts,
            revert: entry.commit,
            outcome,
            reason,
        });
    }
    lines.append(pass, report).await;
}

/// What the notes say about the deployment that a revert took back.
fn records<'r>(state: &'r State, entry: &RevertEntry) -> impl Iterator<Item = &'r Record> {
    let of_service =
        |record: &&Record| record.service() == &entry.service && record.environment() == &entry.environment;
    state.records.get(&entry.reverts).into_iter().flatten().filter(of_service)
}

/// Whether it is written down already what a revert did.
fn is_known(state: &State, entry: &RevertEntry) -> bool {
    records(state, entry).any(|record| matches!(record, Record::Recovery(_)))
}

/// What a revert did to the signals; none while that is not clear, or where the revert is not watched.
///
/// A revert is watched by the verdict that led to it. One that a person asked for may have no such verdict: then what the
/// signals said until the revert is in its place.
async fn effect(pass: &Pass<'_>, state: &State, entry: &RevertEntry) -> Option<(Recovery, String)> {
    let is_it = |one: &&Deployment| one.commit == entry.reverts && one.service == entry.service;
    let mut deployment = state.detected.iter().find(is_it).cloned();
    let verdict = records(state, entry)
        .filter_map(Record::as_verdict)
        .find(|verdict| verdict.judgement.verdict == Verdict::Regressed);
    let age = pass.now.secs_since(entry.at);
    if age > 2 * i64::from(recovery_secs(pass, deployment.as_ref())) {
        return None;
    }
    if verdict.is_none() {
        let found = if entry.requested { deployment_taken_back(pass, state, entry).await } else { None };
        deployment = Some(found?);
    }
    let recovery_secs = recovery_secs(pass, deployment.as_ref());
    // Signals are found to be well after two thirds of that time, and bad at its end: until then nobody is asked.
    if age > 2 * i64::from(recovery_secs) || 3 * age < 2 * i64::from(recovery_secs) {
        return None;
    }
    let (before, unseen) = match (verdict, &deployment) {
        (Some(verdict), _) => (verdict.evidence.clone(), None),
        (None, Some(deployment)) => {
            let evidence = evidence_until_revert(pass, state, deployment, entry).await?;
            let judgement = judge(&evidence);
            let unseen = (judgement.verdict != Verdict::Regressed).then_some(judgement);
            (evidence, unseen)
        }
        (None, None) => return None,
    };
    let since = judge(&after(pass, state, entry, &before, deployment.as_ref(), recovery_secs).await);
    let over = age >= i64::from(recovery_secs);
    match unseen {
        None => outcome(&since, over),
        Some(before) => outcome_of_unseen(&before, &since, over),
    }
}

/// How long the effect of a revert is watched: by the service's policy, or the longest of all where the deployment is no
/// longer at hand.
fn recovery_secs(pass: &Pass<'_>, deployment: Option<&Deployment>) -> u32 {
    let rules = &pass.environment.services;
    let own = deployment.and_then(|deployment| pass.rule(deployment)).map(|rule| rule.policy.recovery_secs);
    own.unwrap_or_else(|| rules.iter().map(|rule| rule.policy.recovery_secs).max().unwrap_or(0))
}

/// The evidence about a deployment with the samples since its revert in the place of those since the deployment.
async fn after(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
    before: &Evidence,
    deployment: Option<&Deployment>,
    recovery_secs: u32,
) -> Evidence {
    let reverted_at = entry.at;
    let end = pass.now.min(reverted_at.plus_secs(recovery_secs.into()));
    let questions = again(entry, before, deployment, end);
    let mut readings = read_all(pass, questions, &state.deployed).await.into_iter().map(|(_, read)| read);
    let shift = reverted_at.secs_since(before.deployed_at);
    let mut evidence = before.clone();
    evidence.watch_secs = recovery_secs;
    evidence.judged_at = end.minus_secs(shift);
    // Whoever is to blame, the signals came back or not.
    evidence.rivals.clear();
    for signal in &mut evidence.signals {
        let Some(reading) = readings.next() else { break };
        signal.controls.clear();
        signal.found = match join_parts(signal, &reading, before.deployed_at, shift) {
            Some(first) => first,
            None => join(&signal.found, reading.found, before.deployed_at, shift),
        };
        let traffic = signal.signal.min_traffic.as_ref().and_then(|_| readings.next());
        if let (Some(before_it), Some(traffic)) = (&signal.traffic, traffic) {
            signal.traffic = Some(join(before_it, traffic.found, before.deployed_at, shift));
        }
    }
    evidence
}

/// The questions of the evidence, as they were asked, for the time since the revert.
fn again(
    entry: &RevertEntry,
    before: &Evidence,
    deployment: Option<&Deployment>,
    end: Time,
) -> Vec<Question> {
    let reverted_at = entry.at;
    let signals: Vec<Signal> = before.signals.iter().map(|signal| signal.signal.clone()).collect();
    let subject = match deployment {
        Some(deployment) => Subject::of(deployment, &Policy::default(), &signals),
        None => Subject {
            environment: entry.environment.clone(),
            service: entry.service.clone(),
            labels: BTreeMap::new(),
            image_tag: None,
            deployed_at: before.deployed_at,
            policy: Policy::default(),
            signals,
            unusual: Vec::new(),
        },
    };
    let mut asked = before.signals.iter().map(|signal| &signal.asked);
    let mut questions = ask(&subject, end, 0);
    for question in &mut questions {
        let step_secs = question.signal.step_secs.max(1);
        let step = i64::from(step_secs);
        let floor = |time: Time| Time::from_unix(time.unix().div_euclid(step) * step);
        let window = Window { start: floor(reverted_at), end: floor(end).max(floor(reverted_at)) };
        match (question.part, &mut question.request) {
            (Part::Signal, request) => {
                let query = asked.next().cloned().unwrap_or_default();
                *request =
                    Ok(RangeQuery { source: question.signal.source.clone(), query, window, step_secs });
            }
            (Part::Traffic, Ok(request)) => request.window = window,
            (Part::Traffic, Err(_)) => {}
        }
    }
    questions
}

/// Joins the parts of a signal one by one, and returns the first of them; none where it has no parts or the answer none.
fn join_parts(signal: &mut SignalEvidence, new: &Reading, deployed_at: Time, shift: i64) -> Option<Found> {
    if new.segments.is_empty() {
        // What is not answered for cannot be judged in parts.
        signal.segments.clear();
        return None;
    }
    for segment in &mut signal.segments {
        let since = new.segments.iter().find(|found| found.name == segment.name);
        let since = since.map_or(&[][..], |found| found.samples.as_slice());
        segment.samples = joined(&segment.samples, since, deployed_at, shift);
    }
    signal.segments.first().map(|first| Found::Samples(first.samples.clone()))
}

/// The samples until the deployment, and the new ones moved to follow it.
fn join(baseline: &Found, new: Found, deployed_at: Time, shift: i64) -> Found {
    match (baseline, new) {
        (Found::Samples(old), Found::Samples(new)) => Found::Samples(joined(old, &new, deployed_at, shift)),
        (Found::Gap(gap), _) => Found::Gap(gap.clone()),
        (_, Found::Gap(gap)) => Found::Gap(gap),
    }
}

fn joined(old: &[Sample], new: &[Sample], deployed_at: Time, shift: i64) -> Vec<Sample> {
    let until = old.iter().copied().filter(|sample| sample.at <= deployed_at);
    let since = new.iter().map(|sample| Sample { at: sample.at.minus_secs(shift), ..*sample });
    until.chain(since.filter(|sample| sample.at > deployed_at)).collect()
}

/// What the judgement means for a revert; none while it is too early to say.
fn outcome(judgement: &Judgement, over: bool) -> Option<(Recovery, String)> {
    match judgement.verdict {
        Verdict::Healthy => {
            Some((Recovery::Recovered, format!("the signals came back: {}", judgement.reason)))
        }
        Verdict::Regressed if over => {
            Some((Recovery::NotRecovered, format!("the revert did not help: {}", judgement.reason)))
        }
        Verdict::Preexisting | Verdict::Inconclusive(_) if over => Some((
            Recovery::Unknown,
            format!("it cannot be told whether the revert helped: {}", judgement.reason),
        )),
        Verdict::Regressed | Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => None,
    }
}

/// The same for a revert that a person asked for, of a deployment that the signals had not shown to be bad until then. What was
/// not seen cannot have come back. What is bad since is told all the same.
fn outcome_of_unseen(before: &Judgement, since: &Judgement, over: bool) -> Option<(Recovery, String)> {
    if !over {
        return None;
    }
    match since.verdict {
        Verdict::Healthy => Some((
            Recovery::Unknown,
            format!("the signals do not show what the revert was to mend: {}", before.reason),
        )),
        Verdict::Regressed => Some((
            Recovery::NotRecovered,
            format!("bad since the revert, and not seen to be bad before it: {}", since.reason),
        )),
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => outcome(since, over),
    }
}
