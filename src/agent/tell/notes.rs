//! The lines that a pass appends to the notes.

use std::collections::BTreeMap;

use crate::agent::look::context::{Intent, Pass};
use crate::agent::report::EnvironmentReport;
use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;
use crate::record::{Record, ReviewOutcome, ReviewRecord, VERSION, VerdictRecord};

/// The lines that a pass appends to the notes, by commit.
#[derive(Default)]
pub(in crate::agent) struct Lines(BTreeMap<CommitId, Vec<String>>);

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
            Ok(line) => self.0.entry(commit).or_default().push(line),
            Err(error) => report.problems.push(format!("the record of {service} cannot be made: {error}")),
        }
    }

    /// Appends the lines, in one commit; where that fails the pass goes on and says so.
    pub(in crate::agent) async fn append(self, pass: &Pass<'_>, report: &mut EnvironmentReport) {
        if self.0.is_empty() || pass.intent == Intent::Plan {
            return;
        }
        let (lines, now) = (self.0, pass.now);
        let appended = pass.git(move |repository| repository.append_notes(&lines, now)).await;
        if let Err(error) = appended {
            report.problems.push(format!("the audit notes (refs/notes/backout) cannot be written: {error}"));
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
