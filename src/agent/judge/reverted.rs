//! The evidence about a deployment that was reverted: until that moment, and since.

use std::collections::BTreeSet;

use super::controls::add_controls;
use super::gather::gather;
use super::others::{Others, add_others};
use super::sources::read_all;
use super::usual::{judge_from_onset, unusual};
use crate::agent::look::context::Pass;
use crate::agent::look::search::deployment_of;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, Window};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::{Control, Evidence, Found, Sample, SignalEvidence};
use crate::domain::judge::question::{Question, Reading, Subject, ask};
use crate::domain::time::Time;

/// The deployment that a revert took back, where the revert came so soon that the time before the deployment still says what
/// is usual: within twice the time for which the deployment, or a revert of it, is watched. That does not depend on how far
/// back this pass has read the branch.
pub(in crate::agent) async fn deployment_taken_back(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
) -> Option<Deployment> {
    let rules = &pass.environment.services;
    let longest = rules.iter().map(|rule| rule.policy.watch_secs.max(rule.policy.recovery_secs)).max()?;
    let is_soon = |secs: u32, from| entry.at.secs_since(from) <= 2 * i64::from(secs);
    let is_it = |one: &&Deployment| one.commit == entry.reverts && one.service == entry.service;
    let found = match state.lost.iter().find(is_it) {
        Some(lost) => lost.clone(),
        None => {
            let commit = state.snapshot.commits.iter().find(|commit| commit.id == entry.reverts)?;
            if !is_soon(longest, commit.at) {
                return None;
            }
            deployment_of(pass, &state.detected, (entry.reverts, &entry.service)).await?
        }
    };
    let policy = &pass.rule(&found)?.policy;
    is_soon(policy.watch_secs.max(policy.recovery_secs), found.at).then_some(found)
}

/// The same as [`evidence_until`], with the controls of the signals that did not regress too.
pub(in crate::agent) async fn evidence_with_controls(
    pass: &Pass<'_>,
    state: &State,
    deployment: &Deployment,
    until: Time,
) -> Option<Evidence> {
    let (subject, evidence) = gather_until(pass, state, deployment, until).await?;
    let mut evidence = [evidence];
    add_others(pass, &[subject], &mut evidence, &state.deployed, &mut Others::all()).await;
    evidence.into_iter().next()
}

/// The evidence about a deployment until some time, such as that of its revert, as if its watch window had ended then.
/// None where it has no signals.
///
/// It is asked for again also where there is a verdict: that one ends where the agent had made up its mind, and the person
/// acted on what came until the revert.
pub(in crate::agent) async fn evidence_until(
    pass: &Pass<'_>,
    state: &State,
    deployment: &Deployment,
    until: Time,
) -> Option<Evidence> {
    gather_until(pass, state, deployment, until).await.map(|(_, evidence)| evidence)
}

/// The evidence, and what was asked about.
async fn gather_until(
    pass: &Pass<'_>,
    state: &State,
    deployment: &Deployment,
    until: Time,
) -> Option<((Subject, Time), Evidence)> {
    let rule = pass.rule(deployment).filter(|rule| !rule.signals.is_empty())?;
    let mut policy = rule.policy.clone();
    policy.watch_secs = u32::try_from(until.secs_since(deployment.at)).ok()?;
    let others: Vec<&Deployment> =
        state.detected.iter().filter(|other| other.service == deployment.service).collect();
    let unusual = unusual(state, &others, &BTreeSet::new(), deployment, policy.settle_secs);
    let subject = Subject::of(deployment, &policy, &rule.signals).without(unusual);
    // What a source tells late is there by now.
    let mut subjects = [(subject, pass.now)];
    let mut evidence = gather(pass, &subjects, &state.deployed).await;
    judge_from_onset(pass, state, &[(deployment, rule)], &mut subjects, &mut evidence).await;
    add_controls(pass, state, &subjects, &mut evidence).await;
    let [subject] = subjects;
    Some((subject, evidence.pop()?))
}

/// The evidence about a deployment with the samples since its revert in the place of those since the deployment. The times are
/// those of the revert: what was before the deployment is moved to be before it.
pub(in crate::agent) async fn evidence_since_revert(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
    before: &Evidence,
    deployment: &Deployment,
    recovery_secs: u32,
) -> Evidence {
    let reverted_at = entry.at;
    let end = pass.now.min(reverted_at.plus_secs(recovery_secs.into()));
    let questions = again(reverted_at, before, deployment, end);
    let mut readings = read_all(pass, questions, &state.deployed).await.into_iter().map(|(_, read)| read);
    let shift = reverted_at.secs_since(before.deployed_at);
    let mut evidence = before.clone();
    evidence.after_revert = Some(entry.commit);
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
    evidence.moved(shift)
}

/// Takes the controls from the evidence about the deployment until now into that since its revert: what they had before the
/// deployment, and what they have since the revert.
pub(in crate::agent) fn hold_against_controls(since: &mut Evidence, all: &Evidence, reverted_at: Time) {
    let (deployed_at, shift) = (all.deployed_at, reverted_at.secs_since(all.deployed_at));
    let of_control = |control: &Control| {
        let samples = control.samples.iter();
        let before = samples.clone().filter(|sample| sample.at <= deployed_at);
        let before = before.map(|sample| Sample { at: sample.at.plus_secs(shift), ..*sample });
        let samples = before.chain(samples.filter(|sample| sample.at > reverted_at).copied()).collect();
        Control { samples, ..control.clone() }
    };
    for (signal, all) in since.signals.iter_mut().zip(&all.signals) {
        signal.controls = all.controls.iter().map(of_control).collect();
    }
}

/// The evidence of a record with the signals as the configuration has them: what is asked comes from there, whatever a record
/// says. Signals that the configuration does not have are left out.
pub(in crate::agent) fn as_configured(told: &Evidence, signals: &[Signal]) -> Evidence {
    let mut evidence = told.clone();
    evidence.signals.retain_mut(|told| {
        let Some(own) = signals.iter().find(|signal| signal.name == told.signal.name) else {
            tracing::info!(signal = %told.signal.name, "a record has a signal that the configuration does not have");
            return false;
        };
        if (&own.source, &own.query) != (&told.signal.source, &told.signal.query) {
            tracing::info!(signal = %own.name, "a record has another query for a signal than the configuration");
        }
        told.signal.clone_from(own);
        true
    });
    evidence
}

/// The questions of the evidence for the time since the revert.
fn again(reverted_at: Time, before: &Evidence, deployment: &Deployment, end: Time) -> Vec<Question> {
    let signals: Vec<Signal> = before.signals.iter().map(|signal| signal.signal.clone()).collect();
    let mut questions = ask(&Subject::of(deployment, &Policy::default(), &signals), end, 0);
    for question in &mut questions {
        let step = i64::from(question.signal.step_secs.max(1));
        let floor = |time: Time| Time::from_unix(time.unix().div_euclid(step) * step);
        if let Ok(request) = &mut question.request {
            request.window = Window { start: floor(reverted_at), end: floor(end).max(floor(reverted_at)) };
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
