//! The comment on the pull request that brought a bad commit: one for each commit and environment. Each pass that knows more
//! writes it anew, with what earlier passes have written down.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::act::due::Settled;
use crate::agent::look::context::Pass;
use crate::agent::look::records::read_records;
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, Item};
use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::decision::{Decision, is_of_incident};
use crate::domain::environment::policy::Merge;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::review::text::{Outcome, source_comment};
use crate::record::{Record, ReviewOutcome, ReviewRecord, VerdictRecord};

/// What a pass has to tell about the services of bad commits.
#[derive(Default)]
pub(super) struct Comments {
    outcomes: BTreeMap<CommitId, BTreeMap<ServiceName, Outcome>>,
    /// The commit on which an incident is told, and which services are red at once.
    incident: Option<(CommitId, String)>,
}

impl Comments {
    /// None yet. An incident is told on the oldest of its bad commits alone, whichever pass tells it.
    pub(super) fn new(settled: &[Settled]) -> Self {
        let parts = settled.iter().filter(|one| is_of_incident(&one.decision, &one.guards));
        let why = parts.clone().find_map(|one| one.decision.why());
        let oldest = parts.map(|one| &one.judged.deployment).min_by_key(|one| (one.at, one.commit));
        let incident = why.zip(oldest).map(|(why, oldest)| (oldest.commit, why.to_owned()));
        Self { outcomes: BTreeMap::new(), incident }
    }

    /// Adds a deployment that made things worse, where something was done about it or a person has to.
    pub(super) fn add(&mut self, pass: &Pass<'_>, settled: &Settled, item: &Item, url: Option<&str>) {
        let judged = &settled.judged;
        if judged.judgement.verdict != Verdict::Regressed {
            return;
        }
        let Some(done) = done(item, url, pass.environment.review.merge) else { return };
        let (deployment, judgement) = (judged.deployment.clone(), judged.judgement.clone());
        let is_told = self.incident.as_ref().is_some_and(|(on, _)| *on != deployment.commit);
        if item.is_of_incident() && is_told {
            return;
        }
        let of_commit = self.outcomes.entry(deployment.commit).or_default();
        of_commit.insert(deployment.service.clone(), Outcome { deployment, judgement, done });
    }

    /// Writes the comments, with what the records say of the other services of their commits.
    pub(super) async fn write(
        self,
        pass: &Pass<'_>,
        state: &State,
        records: &BTreeMap<CommitId, Vec<Record>>,
        report: &mut EnvironmentReport,
    ) {
        let Some(forge) = pass.estate.forge.as_deref() else { return };
        for (commit, new) in self.outcomes {
            let notes = records.get(&commit).map_or(&[][..], Vec::as_slice);
            let mut outcomes = told_before(pass, state, commit, notes);
            outcomes.extend(new);
            let outcomes: Vec<Outcome> = outcomes.into_values().collect();
            let incident =
                self.incident.as_ref().filter(|(on, _)| *on == commit).map(|(_, why)| why.as_str());
            let Some(text) = source_comment(&outcomes, incident) else { continue };
            if let Err(error) = forge.comment(commit, &text).await {
                // Nothing depends on it.
                report
                    .problems
                    .push(format!("the comment on what brought {commit} cannot be written: {error}"));
            }
        }
    }
}

/// Writes the comments on these commits anew, from the records alone.
pub(in crate::agent) async fn renew_comments(
    pass: &Pass<'_>,
    state: &State,
    commits: BTreeSet<CommitId>,
    report: &mut EnvironmentReport,
) {
    match read_records(pass, commits.iter().copied().collect()).await {
        Ok(records) => {
            let outcomes = commits.into_iter().map(|commit| (commit, BTreeMap::new())).collect();
            let comments = Comments { outcomes, incident: None };
            comments.write(pass, state, &records, report).await;
        }
        Err(error) => report.problems.push(format!("the records of followed pull requests: {error}")),
    }
}

/// What the records say of the services of a commit that it deployed here.
fn told_before(
    pass: &Pass<'_>,
    state: &State,
    commit: CommitId,
    notes: &[Record],
) -> BTreeMap<ServiceName, Outcome> {
    let is_it = |verdict: &&VerdictRecord| {
        verdict.environment == pass.environment.name
            && verdict.deployment == commit
            && verdict.judgement.verdict == Verdict::Regressed
    };
    let mut outcomes = BTreeMap::new();
    for verdict in notes.iter().filter_map(Record::as_verdict).filter(is_it) {
        let is_of = |service: &ServiceName| *service == verdict.service;
        let deployment = state.detected.iter().find(|one| one.commit == commit && is_of(&one.service));
        let ended = notes.iter().rev().find_map(|record| match record {
            Record::Review(ended) => Some(ended.as_ref()).filter(|ended| ended.id == verdict.id),
            Record::Verdict(_) | Record::Recovery(_) | Record::Pin(_) | Record::Seen(_) => None,
        });
        let done = done_before(verdict, ended, pass.environment.review.merge);
        if let (Some(deployment), Some(done)) = (deployment, done) {
            let (deployment, judgement) = (deployment.clone(), verdict.judgement.clone());
            outcomes.insert(verdict.service.clone(), Outcome { deployment, judgement, done });
        }
    }
    outcomes
}

/// What this pass has done, for people.
fn done(item: &Item, url: Option<&str>, merge: Merge) -> Option<String> {
    Some(match (&item.receipt, &item.decision, item.revert, url) {
        (Some(Receipt::Pushed(_)), _, Some(revert), _) => taken_back(&revert.to_string()),
        (Some(Receipt::Merged(_)), _, _, Some(url)) => taken_back(url),
        (Some(Receipt::Proposed { .. }), decision, _, Some(url)) => waits(decision, url, merge),
        (Some(Receipt::Proposed { branch, .. }), _, _, None) => {
            format!("Taking it back is proposed on the branch {branch}.")
        }
        (None, Decision::Escalate(_), _, Some(url)) => format!("A person must look at it: {url}."),
        (None, Decision::Escalate(_), _, None) => "A person must look at it.".to_owned(),
        _ => return None,
    })
}

/// What an earlier pass has done, for people, and what became of it. Of a record no text and no address is passed on, as
/// others may write into the notes: a number says which pull request it is.
fn done_before(verdict: &VerdictRecord, ended: Option<&ReviewRecord>, merge: Merge) -> Option<String> {
    let number_of = |review: &ReviewPlace| format!("pull request {}", review.number);
    Some(match (verdict.revert, ended, &verdict.proposal) {
        (Some(revert), ..) => taken_back(&revert.to_string()),
        (None, Some(ended), _) => became(ended.outcome, &number_of(&ended.review)),
        (None, None, Some(proposal)) => match &proposal.review {
            Some(review) => waits(&verdict.decision, &number_of(review), merge),
            None => format!("Taking it back is proposed on the branch {}.", proposal.branch),
        },
        (None, None, None) if matches!(verdict.decision, Decision::Escalate(_)) => {
            "A person must look at it.".to_owned()
        }
        (None, None, None) => return None,
    })
}

fn became(outcome: ReviewOutcome, review: &str) -> String {
    match outcome {
        ReviewOutcome::Merged => taken_back(review),
        ReviewOutcome::NotRestored => {
            format!("A person must look: {review} was merged, and the branch does not hold the good values.")
        }
        ReviewOutcome::Declined => format!("A person has closed {review} without merging it."),
        ReviewOutcome::Superseded => format!("It does not need {review} any more."),
        ReviewOutcome::Overdue => format!("A person must look: {review} was not merged in time."),
    }
}

fn taken_back(by: &str) -> String {
    format!("It was taken back by {by}.")
}

fn waits(decision: &Decision, url: &str, merge: Merge) -> String {
    if *decision == Decision::Propose || merge == Merge::Manual {
        format!("Taking it back is proposed in {url}.")
    } else {
        format!("It is being taken back by {url}.")
    }
}
