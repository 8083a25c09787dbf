//! Following the pull requests of earlier passes to their end. Here none is opened: only what an earlier pass has decided, and
//! has opened, is gone on with.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Acting, append};
use super::current::{At, Subject};
use super::deliver::{DeliveryError, Way, way};
use super::proposal::remove;
use super::report::{EnvironmentReport, Item, Reviewed};
use super::request::deployment_of;
use super::review::{Followed, bring};
use super::{blocking, in_turn};
use crate::domain::change::Motive;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::receipt::ReviewPlace;
use crate::domain::decision::Decision;
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Merge, Mode, Policy};
use crate::domain::history::ledger::reverts;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{BranchName, CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{self, Record, ReviewOutcome, ReviewRecord, VERSION, VerdictRecord};

/// The most pull requests of an environment that are followed in one pass; the others are in the next.
const MAX_FOLLOWED: usize = 50;

/// What stands on the branches of proposals, however long ago they were made.
#[derive(Default)]
pub(super) struct Proposals {
    /// The branches, by the deployments that they take back.
    branches: BTreeMap<CommitId, Vec<Proposed>>,
    /// The notes on those deployments.
    pub(super) records: BTreeMap<CommitId, Vec<Record>>,
}

/// The branch of a proposal.
struct Proposed {
    name: BranchName,
    tip: CommitId,
    /// The message of its tip.
    message: String,
}

impl Proposed {
    /// Whether it takes back a service without a person having asked for it: what people ask for is theirs to follow.
    fn is_of(&self, acting: &Acting<'_>, service: &ServiceName) -> bool {
        let own = OwnTrailers::find(&self.message);
        own.is_some_and(|own| own.is_of(&acting.environment.name, service) && !own.is_requested())
    }
}

/// A pull request that is not known to have ended.
struct Pending<'r> {
    /// The verdict that it came of.
    verdict: &'r VerdictRecord,
    review: Option<&'r ReviewPlace>,
    overdue_at: Option<Time>,
    /// Whether the verdict was to end in it.
    is_decided: bool,
}

/// Reads the branches of the environment's proposals at the remote, as far as their deployments are in the snapshot.
pub(super) async fn proposals(acting: &At<'_>, snapshot: &Snapshot) -> Result<Proposals, RepositoryError> {
    if acting.world.forge.is_none() {
        return Ok(Proposals::default());
    }
    let prefix = format!("backout/{}/", acting.environment.name);
    let known: BTreeMap<String, CommitId> =
        snapshot.commits.iter().map(|commit| (commit.id.short(), commit.id)).collect();
    let read = blocking(&acting.world.repository, move |repository| {
        let mut branches: BTreeMap<CommitId, Vec<Proposed>> = BTreeMap::new();
        let deployment = |name: &BranchName| known.get(name.as_str().rsplit('/').next()?).copied();
        let tips = repository.remote_branches(&prefix)?.into_iter();
        let tips: Vec<_> = tips.filter_map(|(name, tip)| Some((deployment(&name)?, name, tip))).collect();
        let names: Vec<BranchName> = tips.iter().map(|(_, name, _)| name.clone()).collect();
        // All at once; where one of them is not there any more, each for itself.
        let all = names.is_empty() || repository.fetch(&names).is_ok();
        for (deployment, name, tip) in tips {
            let fetched = if all { Ok(()) } else { repository.fetch(std::slice::from_ref(&name)).map(drop) };
            match fetched.and_then(|()| repository.commit(tip)) {
                Ok(made) => {
                    let proposed = Proposed { name, tip, message: made.message };
                    branches.entry(deployment).or_default().push(proposed);
                }
                // It has moved or gone since it was listed.
                Err(RepositoryError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let commits: Vec<CommitId> = branches.keys().copied().collect();
        Ok::<_, RepositoryError>((branches, repository.notes(&commits)?))
    });
    let (branches, notes) = read.await?;
    let records = notes.into_iter().map(|(commit, note)| (commit, record::read(&note))).collect();
    Ok(Proposals { branches, records })
}

/// Does what is next with every pull request that has not ended.
pub(super) async fn follow(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    mut records: BTreeMap<CommitId, Vec<Record>>,
    proposals: Proposals,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    let mut lines: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
    let (mut ended, mut unseen): (BTreeSet<String>, BTreeSet<String>) = Default::default();
    // What was read of them may be older than what this pass has written down.
    for (deployment, notes) in proposals.records {
        records.entry(deployment).or_insert(notes);
    }
    let done = |item: &&Item| item.outcome.is_some();
    let handled: BTreeSet<(CommitId, ServiceName)> =
        report.items.iter().filter(done).map(|item| (item.deployment, item.service.clone())).collect();
    let mut pending = pending(acting, &records, &proposals.branches);
    pending.retain(|one| !handled.contains(&(one.verdict.deployment, one.verdict.service.clone())));
    for one in in_turn(pending, MAX_FOLLOWED, acting.now) {
        let Some(followed) = acting.stop.unless_set(follow_one(acting, snapshot, detected, &one)).await
        else {
            break;
        };
        let receipt = match followed {
            Ok(Some(receipt)) => receipt,
            Ok(None) => continue,
            Err(error) => {
                report.problems.push(format!("the pull request of {}: {error}", one.verdict.service));
                unseen.insert(one.verdict.id.clone());
                continue;
            }
        };
        if let Some(outcome) = ReviewOutcome::of(&receipt)
            && let Some(review) = receipt.review().or(one.review)
        {
            let record = review_record(one.verdict, acting.now, review, outcome, &receipt);
            if is_needless(outcome) {
                ended.insert(record.id.clone());
            }
            match Record::Review(Box::new(record)).to_line() {
                Ok(line) => lines.entry(one.verdict.deployment).or_default().push(line),
                Err(error) => report
                    .problems
                    .push(format!("the record of {} cannot be made: {error}", one.verdict.service)),
            }
        }
        report.reviews.push(Reviewed::new(one.verdict.service.clone(), one.verdict.deployment, &receipt));
    }
    append(acting, lines, report).await?;
    clean_up(acting, snapshot, &records, &proposals.branches, &ended, &unseen).await;
    Ok(())
}

/// Removes the branches on which nothing is left to do: the revert has come to the environment's branch, or has become
/// needless.
async fn clean_up(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    records: &BTreeMap<CommitId, Vec<Record>>,
    branches: &BTreeMap<CommitId, Vec<Proposed>>,
    ended: &BTreeSet<String>,
    unseen: &BTreeSet<String>,
) {
    let landed: BTreeSet<String> = reverts(snapshot).into_iter().map(|entry| entry.id).collect();
    let is_told = |deployment: &CommitId, id: &str| {
        let notes = records.get(deployment).into_iter().flatten();
        notes.filter(|record| record.id() == id).any(|record| match record {
            Record::Review(review) => is_needless(review.outcome),
            Record::Verdict(_) | Record::Recovery(_) => false,
        })
    };
    let at = acting.at();
    for (deployment, branch) in branches.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, one))) {
        let Some(id) = OwnTrailers::find(&branch.message).and_then(|own| own.id().map(str::to_owned)) else {
            continue;
        };
        // Without its branch an open pull request is closed, which would look like somebody's no.
        let has_landed = landed.contains(&id) && !unseen.contains(&id);
        if has_landed || ended.contains(&id) || is_told(deployment, &id) {
            remove(&at, &branch.name, branch.tip).await;
        }
    }
}

/// Whether the branch of a pull request that ended so is of no more use.
fn is_needless(outcome: ReviewOutcome) -> bool {
    matches!(outcome, ReviewOutcome::Merged | ReviewOutcome::Superseded)
}

/// What is written down about a pull request that ended in the pass that opened it.
pub(super) fn ended_at_once(verdict: &VerdictRecord, receipt: &Receipt) -> Option<ReviewRecord> {
    let outcome = ReviewOutcome::of(receipt)?;
    Some(review_record(verdict, verdict.at, receipt.review()?, outcome, receipt))
}

fn review_record(
    verdict: &VerdictRecord,
    at: Time,
    review: &ReviewPlace,
    outcome: ReviewOutcome,
    receipt: &Receipt,
) -> ReviewRecord {
    ReviewRecord {
        version: VERSION,
        id: verdict.id.clone(),
        environment: verdict.environment.clone(),
        service: verdict.service.clone(),
        deployment: verdict.deployment,
        at,
        review: review.clone(),
        outcome,
        reason: receipt.to_string(),
    }
}

/// The pull requests that have not ended, by the notes and by the branches that are there.
fn pending<'r>(
    acting: &Acting<'_>,
    records: &'r BTreeMap<CommitId, Vec<Record>>,
    branches: &BTreeMap<CommitId, Vec<Proposed>>,
) -> Vec<Pending<'r>> {
    let mut all = Vec::new();
    for (commit, notes) in records {
        let branches = branches.get(commit).map_or(&[][..], Vec::as_slice);
        let mut of_commit: BTreeMap<ServiceName, Pending<'r>> = BTreeMap::new();
        for verdict in verdicts(notes).filter(|verdict| verdict.environment == acting.environment.name) {
            let review = verdict.proposal.as_ref().and_then(|proposal| proposal.review.as_ref());
            // The agent that opened it may have been cut off before it could write that down.
            let is_left = branches.iter().any(|branch| branch.is_of(acting, &verdict.service));
            let is_decided = verdict.judgement.verdict == Verdict::Regressed && is_decided(&verdict.decision);
            if review.is_some() || is_left {
                let one =
                    Pending { verdict, review, overdue_at: None, is_decided: review.is_some() || is_decided };
                of_commit.insert(verdict.service.clone(), one);
            }
        }
        all.extend(of_commit.into_values().filter_map(|one| one.unless_ended(acting, notes)));
    }
    all
}

/// Whether a verdict was to end in a revert, or in nothing, as it was reverted already.
fn is_decided(decision: &Decision) -> bool {
    match decision {
        Decision::Revert | Decision::Propose | Decision::Pass(_) => true,
        Decision::Wait | Decision::Escalate(_) | Decision::Hold(_) => false,
    }
}

fn verdicts(notes: &[Record]) -> impl Iterator<Item = &VerdictRecord> {
    notes.iter().filter_map(|record| match record {
        Record::Verdict(verdict) => Some(verdict.as_ref()),
        Record::Recovery(_) | Record::Review(_) => None,
    })
}

impl Pending<'_> {
    /// Itself with what was written down about it, unless that is its end.
    fn unless_ended(mut self, acting: &Acting<'_>, notes: &[Record]) -> Option<Self> {
        for record in notes {
            let Record::Review(review) = record else { continue };
            if review.environment != acting.environment.name || review.service != self.verdict.service {
                continue;
            }
            if review.outcome.is_final() {
                return None;
            }
            self.overdue_at = self.overdue_at.max(Some(review.at));
        }
        Some(self)
    }
}

/// None where pull requests are not the way of the environment's changes.
async fn follow_one(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    one: &Pending<'_>,
) -> Result<Option<Receipt>, DeliveryError> {
    let verdict = one.verdict;
    let at = acting.at();
    let found = deployment_of(&at, detected, (verdict.deployment, &verdict.service)).await;
    let Some(deployment) = found else {
        return Ok(Some(Receipt::Refused("its deployment is not in the history any more".to_owned())));
    };
    let usual = Policy::default();
    let policy = acting.environment.services.get(deployment.rule).map_or(&usual, |rule| &rule.policy);
    let by_hand = verdict.decision == Decision::Propose || policy.mode == Mode::Propose;
    let way = way(acting.world, acting.environment, by_hand, true);
    let (merge, is_the_way) = match way {
        Way::Review(merge) => (merge, true),
        // What was opened before is not left to merge itself.
        Way::Push | Way::Branch if one.review.is_some() => (Merge::Manual, false),
        Way::Push | Way::Branch => return Ok(None),
    };
    let subject = Subject {
        deployment: &deployment,
        motive: Motive::Metrics(&verdict.judgement),
        evidence: Some(&verdict.evidence),
        policy,
    };
    let frozen = frozen(&deployment, policy, one)
        .or((!is_the_way).then_some("pull requests are not the way of the environment's changes any more"));
    let by_agent = verdict.decision != Decision::Propose;
    let overdue_at = one.overdue_at;
    let followed =
        Followed { at: &at, subject: &subject, merge, overdue_at, may_open: false, by_agent, frozen };
    bring(&followed, snapshot).await.map(Some)
}

/// Why the agent must not have it merged any more, whatever it decided once.
fn frozen(deployment: &Deployment, policy: &Policy, one: &Pending<'_>) -> Option<&'static str> {
    if policy.mode == Mode::Observe {
        Some("in mode observe the agent merges nothing")
    } else if deployment.schema.is_some() {
        Some("the deployment changed a database schema")
    } else if !one.is_decided {
        Some("it was not decided to take the deployment back")
    } else {
        None
    }
}
