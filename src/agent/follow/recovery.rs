//! After a revert, the agent's or a person's: whether the signals came back. The same judge decides, with the samples since
//! the revert in the place of those since the deployment.

use crate::agent::caught::caught;
use crate::agent::judge::recovered::{Span, longest_recovery_secs, once_all_are_back, outcome, span};
use crate::agent::judge::reverted::{
    as_configured, deployment_taken_back, evidence_since_revert, evidence_until,
};
use crate::agent::look::context::Pass;
use crate::agent::look::search::deployment_of;
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, Recovered};
use crate::agent::tell::notes::Lines;
use crate::domain::decision::{GoneRevert, Left};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::{Time, human_secs};
use crate::record::{Record, Recovery, RecoveryRecord, VERSION};

/// Looks at every revert that is still watched, and records those whose effect is clear.
pub(in crate::agent) async fn watch_recoveries(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let mut lines = Lines::default();
    for entry in state.reverts.iter().filter(|entry| !is_known(state, entry)) {
        let Some(effect) = pass.stop.unless_set(caught(effect(pass, state, entry))).await else { break };
        let effect = effect.unwrap_or_else(|panic| {
            report.problems.push(format!("the recovery of {}: {panic}", entry.service));
            None
        });
        let Some((outcome, reason)) = effect else { continue };
        let about = (&*entry.id, &entry.service, entry.reverts, (entry.commit, entry.at));
        tell(pass, about, (outcome, reason), &mut lines, report);
    }
    let gone = state.gone.iter().filter(|_| state.sure_of_gone);
    for gone in gone.filter(|gone| !is_told(state, gone)) {
        let reason = format!(
            "somebody rewrote the history of {} without it: {}",
            pass.environment.branch,
            match gone.left {
                Left::Runs =>
                    format!("what {} deployed runs again, and is judged again", gone.reverts.short()),
                Left::Replaced(by) => {
                    format!("{} has replaced what {} deployed", by.short(), gone.reverts.short())
                }
                Left::Gone => format!("what {} deployed is gone too", gone.reverts.short()),
                Left::Unwatched => format!(
                    "what {} deployed is not watched any more, and is not judged again: look which version runs",
                    gone.reverts.short()
                ),
            }
        );
        let about = (&*gone.id, &gone.service, gone.reverts, (gone.commit, gone.at));
        tell(pass, about, (Recovery::Gone, reason), &mut lines, report);
    }
    lines.append(pass, report).await;
}

/// Puts what became of a revert into the report and the notes.
fn tell(
    pass: &Pass<'_>,
    (id, service, deployment, (revert, reverted_at)): (&str, &ServiceName, CommitId, (CommitId, Time)),
    (outcome, reason): (Recovery, String),
    lines: &mut Lines,
    report: &mut EnvironmentReport,
) {
    let record = RecoveryRecord {
        version: VERSION,
        id: id.to_owned(),
        environment: pass.environment.name.clone(),
        service: service.clone(),
        deployment,
        revert,
        at: pass.now,
        outcome,
        reason: reason.clone(),
    };
    lines.add(deployment, service, &Record::Recovery(Box::new(record)), report);
    let service = service.clone();
    report.recoveries.push(Recovered { service, deployment, revert, outcome, reason, reverted_at });
}

/// Whether an earlier pass has told that a revert is gone, under whatever id the deployment had then.
fn is_told(state: &State, gone: &GoneRevert) -> bool {
    let mut recoveries = state.records.values().flatten().filter_map(Record::as_recovery);
    recoveries
        .any(|one| (one.revert, &one.service, one.outcome) == (gone.commit, &gone.service, Recovery::Gone))
}

/// What the notes say about the deployment that a revert took back.
fn records<'r>(state: &'r State, entry: &RevertEntry) -> impl Iterator<Item = &'r Record> {
    let of_service = |record: &&Record| record.subject() == Some((&entry.environment, &entry.service));
    state.records.get(&entry.reverts).into_iter().flatten().filter(of_service)
}

/// Whether it is written down already what a revert did.
fn is_known(state: &State, entry: &RevertEntry) -> bool {
    let is_of = |one: &RecoveryRecord| one.revert == entry.commit && one.outcome != Recovery::Gone;
    records(state, entry).filter_map(Record::as_recovery).any(is_of)
}

/// What a revert did to the signals; none while that is not clear, or where the revert is not watched.
///
/// A revert is watched by the verdict that led to it. One that a person asked for may have no such verdict: then what the
/// signals said until the revert is in its place.
async fn effect(pass: &Pass<'_>, state: &State, entry: &RevertEntry) -> Option<(Recovery, String)> {
    let verdict = records(state, entry)
        .filter_map(Record::as_verdict)
        .filter(|verdict| verdict.judgement.verdict == Verdict::Regressed)
        .last();
    let age = pass.now.secs_since(entry.at);
    if age > 2 * i64::from(longest_recovery_secs(pass)) {
        return None;
    }
    let deployment = match verdict {
        Some(_) => deployment_of(pass, &state.detected, (entry.reverts, &entry.service)).await?,
        None if entry.requested => deployment_taken_back(pass, state, entry).await?,
        None => return None,
    };
    let rule = pass.rule(&deployment)?;
    let longest = rule.policy.recovery_secs;
    if age > 2 * i64::from(longest) {
        return None;
    }
    let whole = &once_all_are_back(state, entry)?;
    let (secs, is_over, until) = match span(pass, state, whole, longest) {
        Span::Replaced(next, after_secs) => {
            let (by, after) = (next.commit.short(), human_secs(after_secs));
            let reason =
                format!("replaced by {by} after {after}, too early to say whether the revert helped");
            return Some((Recovery::Replaced, reason));
        }
        Span::Early => return None,
        Span::Watched { secs, is_over, until } => (secs, is_over, until),
    };
    let (before, unseen) = match verdict {
        Some(verdict) => (as_configured(&verdict.evidence, &rule.signals), None),
        None => {
            let evidence = evidence_until(pass, state, &deployment, entry.at).await?;
            let judgement = judge(&evidence);
            let unseen = (judgement.verdict != Verdict::Regressed).then_some(judgement);
            (evidence, unseen)
        }
    };
    let evidence = evidence_since_revert(pass, state, whole, &before, &deployment, secs);
    let since = judge(&evidence.await);
    let (outcome, reason) = match unseen {
        None => outcome(&since, is_over),
        Some(before) => outcome_of_unseen(&before, &since, is_over),
    }?;
    let ended = until.map_or_else(String::new, |next| {
        format!(
            ". It was watched for {}, until {} was deployed",
            human_secs(secs.into()),
            next.commit.short()
        )
    });
    Some((outcome, reason + &ended))
}

/// What the judgement means for a revert that a person asked for, of a deployment that the signals had not shown to be bad until
/// then. What was not seen cannot have come back. What is bad since is told all the same.
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
