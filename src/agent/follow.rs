//! Following the pull requests of earlier passes to their end.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Acting, append};
use super::blocking;
use super::current::{At, Subject};
use super::deliver::{DeliveryError, Way, way};
use super::report::{EnvironmentReport, Reviewed};
use super::request::deployments_at;
use super::review::{Followed, bring};
use crate::domain::change::Motive;
use crate::domain::decision::Decision;
use crate::domain::deployment::Deployment;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::policy::{Mode, Policy};
use crate::domain::receipt::Receipt;
use crate::domain::snapshot::Snapshot;
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{self, Record, ReviewOutcome, ReviewRecord, VERSION, VerdictRecord};

/// The most pull requests of an environment that are followed in one pass; the others are in the next.
const MAX_FOLLOWED: usize = 50;

/// A pull request that was opened by an earlier pass and is not known to have ended.
struct Pending<'r> {
    verdict: &'r VerdictRecord,
    overdue_at: Option<Time>,
}

/// The notes on the deployments whose proposals still have a branch, however long ago they were made.
pub(super) async fn proposed(
    acting: &Acting<'_>,
    known: &BTreeMap<CommitId, Vec<Record>>,
) -> Result<BTreeMap<CommitId, Vec<Record>>, RepositoryError> {
    if acting.world.forge.is_none() {
        return Ok(BTreeMap::new());
    }
    let prefix = format!("backout/{}/", acting.environment.name);
    let known: BTreeSet<CommitId> = known.keys().copied().collect();
    let notes = blocking(&acting.world.repository, move |repository| {
        let branches = repository.remote_branches(&prefix)?;
        let short = |branch: &BranchName| branch.as_str().rsplit('/').next().unwrap_or("").to_owned();
        let mut commits = Vec::new();
        for name in branches.keys().map(short) {
            // What names no commit of the repository is not of the agent's making.
            commits.extend(repository.resolve(&name).ok().filter(|commit| !known.contains(commit)));
        }
        repository.notes(&commits)
    });
    Ok(notes.await?.into_iter().map(|(commit, note)| (commit, record::read(&note))).collect())
}

/// Does what is next with every pull request that has not ended.
pub(super) async fn follow(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    records: &BTreeMap<CommitId, Vec<Record>>,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    let mut lines: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
    let handled: BTreeSet<CommitId> = report.items.iter().map(|item| item.deployment).collect();
    let pending = records.values().flat_map(|notes| pending(acting, notes));
    for one in pending.filter(|one| !handled.contains(&one.verdict.deployment)).take(MAX_FOLLOWED) {
        let Some(followed) = acting.stop.unless_set(follow_one(acting, snapshot, detected, &one)).await
        else {
            break;
        };
        let receipt = match followed {
            Ok(receipt) => receipt,
            Err(error) => {
                report.problems.push(format!("the pull request of {}: {error}", one.verdict.service));
                continue;
            }
        };
        let verdict = one.verdict;
        if let Some(record) = record_of(acting.now, verdict, &receipt) {
            match Record::Review(Box::new(record)).to_line() {
                Ok(line) => lines.entry(verdict.deployment).or_default().push(line),
                Err(error) => {
                    report.problems.push(format!("the record of {} cannot be made: {error}", verdict.service))
                }
            }
        }
        report.reviews.push(Reviewed::new(verdict.service.clone(), verdict.deployment, &receipt));
    }
    append(acting, lines, report).await
}

/// The pull requests on one commit that have not ended, by its notes.
fn pending<'r>(acting: &Acting<'_>, notes: &'r [Record]) -> impl Iterator<Item = Pending<'r>> {
    let environment = acting.environment.name.clone();
    let verdicts = notes.iter().filter_map(move |record| match record {
        Record::Verdict(verdict) if verdict.environment == environment => {
            let review = verdict.proposal.as_ref()?.review.as_ref()?;
            Some((verdict.as_ref(), review))
        }
        Record::Verdict(_) | Record::Recovery(_) | Record::Review(_) => None,
    });
    verdicts.filter_map(move |(verdict, _)| {
        let told = notes.iter().filter_map(|record| match record {
            Record::Review(review) if review.id == verdict.id => Some(review.as_ref()),
            Record::Verdict(_) | Record::Recovery(_) | Record::Review(_) => None,
        });
        let mut overdue_at = None;
        for review in told {
            if review.outcome.is_final() {
                return None;
            }
            overdue_at = overdue_at.max(Some(review.at));
        }
        Some(Pending { verdict, overdue_at })
    })
}

async fn follow_one(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    one: &Pending<'_>,
) -> Result<Receipt, DeliveryError> {
    let verdict = one.verdict;
    let is_it = |deployment: &&Deployment| {
        deployment.commit == verdict.deployment && deployment.service == verdict.service
    };
    let found = match detected.iter().find(is_it) {
        Some(known) => Some(known.clone()),
        None => {
            let found =
                deployments_at(acting.world, acting.environment, verdict.deployment, acting.now).await;
            found.ok().and_then(|(_, found)| found.into_iter().find(|one| is_it(&one)))
        }
    };
    let Some(deployment) = found else {
        return Ok(Receipt::Refused("its deployment is not found in the history any more".to_owned()));
    };
    let usual = Policy::default();
    let policy = acting.environment.services.get(deployment.rule).map_or(&usual, |rule| &rule.policy);
    let by_hand = verdict.decision == Decision::Propose || policy.mode == Mode::Propose;
    let Way::Review(merge) = way(acting.world, acting.environment, by_hand, true) else {
        return Ok(Receipt::Refused("pull requests are not what the environment's changes go by".to_owned()));
    };
    let subject = Subject {
        deployment: &deployment,
        motive: Motive::Metrics(&verdict.judgement),
        evidence: Some(&verdict.evidence),
        policy,
    };
    let at = At { world: acting.world, environment: acting.environment, now: acting.now };
    let followed = Followed { at: &at, subject: &subject, merge, overdue_at: one.overdue_at };
    bring(&followed, snapshot).await
}

/// What is written down about a pull request; none while it waits.
pub(super) fn record_of(now: Time, verdict: &VerdictRecord, receipt: &Receipt) -> Option<ReviewRecord> {
    let known = verdict.proposal.as_ref().and_then(|proposal| proposal.review.clone());
    let outcome = ReviewOutcome::of(receipt)?;
    Some(ReviewRecord {
        version: VERSION,
        id: verdict.id.clone(),
        environment: verdict.environment.clone(),
        service: verdict.service.clone(),
        deployment: verdict.deployment,
        at: now,
        review: receipt.review().cloned().or(known)?,
        outcome,
        reason: receipt.to_string(),
    })
}
