//! The lines that a pass appends to the notes.

use std::collections::BTreeMap;

use crate::agent::look::context::{Intent, Pass};
use crate::agent::report::EnvironmentReport;
use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::history::landing::Sighting;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;
use crate::record::{LookBefore, Record, ReviewOutcome, ReviewRecord, SeenRecord, VERSION, VerdictRecord};

/// The lines that a pass appends to the notes, by commit.
#[derive(Default)]
pub(in crate::agent) struct Lines {
    by_commit: BTreeMap<CommitId, Vec<String>>,
    /// Whether it is among them where the branch was seen.
    with_looks: bool,
}

impl Lines {
    /// Adds a record about a service to the note of a commit.
    pub(in crate::agent) fn add(
        &mut self,
        commit: CommitId,
        service: &ServiceName,
        record: &Record,
        report: &mut EnvironmentReport,
    ) {
        match record.to_line() {
            Ok(line) => self.by_commit.entry(commit).or_default().push(line),
            Err(error) => report.problems.push(format!("the record of {service} cannot be made: {error}")),
        }
    }

    /// Adds between which looks something landed, to the note of its commit.
    pub(in crate::agent) fn add_looks(
        &mut self,
        pass: &Pass<'_>,
        commit: CommitId,
        before: &Sighting,
        first: &Sighting,
    ) {
        let seen = SeenRecord {
            version: VERSION,
            branch: pass.environment.branch.clone(),
            tip: first.tip,
            at: first.first,
            before: Some(LookBefore { tip: before.tip, at: before.last }),
        };
        let line = Record::Seen(Box::new(seen)).to_line();
        self.with_looks = true;
        self.by_commit.entry(commit).or_default().extend(line);
    }

    /// Appends the lines, in one commit; where that fails the pass goes on and says so. Where the branch was seen
    /// is added to the note of that commit: it costs no further push, and an agent without a memory dates by it what lands
    /// later.
    pub(in crate::agent) async fn append(mut self, pass: &Pass<'_>, report: &mut EnvironmentReport) {
        if self.by_commit.is_empty() || pass.intent == Intent::Plan {
            return;
        }
        let branch = &pass.environment.branch;
        if !self.with_looks
            && let Some(tip) = pass.branches.tip(branch)
        {
            let seen =
                SeenRecord { version: VERSION, branch: branch.clone(), tip, at: pass.now, before: None };
            self.by_commit.entry(tip).or_default().extend(Record::Seen(Box::new(seen)).to_line());
        }
        let (lines, now) = (self.by_commit, pass.now);
        let appended = pass.git(move |repository| repository.append_notes(&lines, now)).await;
        if let Err(error) = appended {
            report
                .problems
                .push(format!("the audit notes (refs/notes/backout-*) cannot be written: {error}"));
        }
    }
}

/// What is written down about a pull request that has ended, or is overdue; none while it waits.
pub(in crate::agent) fn review_record(
    verdict: &VerdictRecord,
    at: Time,
    known: Option<&ReviewPlace>,
    receipt: &Receipt,
) -> Option<ReviewRecord> {
    Some(ReviewRecord {
        version: VERSION,
        id: verdict.id.clone(),
        environment: verdict.environment.clone(),
        service: verdict.service.clone(),
        deployment: verdict.deployment,
        at,
        review: receipt.review().or(known)?.clone(),
        outcome: ReviewOutcome::of(receipt)?,
        reason: receipt.to_string(),
    })
}
