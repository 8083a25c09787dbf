//! Whether a service has earned that the agent reverts it without asking: what people did with the reverts of it before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lineage::Lineage;
use super::{ChangeKind, Deployment};
use crate::domain::history::automation::is_automation;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;
use crate::domain::time::Time;

/// The most characters of a person's name that are kept.
const MAX_NAME: usize = 60;

/// What people did with the reverts of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trust {
    /// How many reverts of the service people accepted since the last no.
    pub accepted: usize,
    /// How many it takes.
    pub needed: u32,
    /// The last no, within a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_no: Option<No>,
}

/// A person's no to a revert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct No {
    /// When.
    pub at: Time,
    /// What the person did, in words.
    pub what: String,
}

/// What is known of the reverts of a service, besides its lineage.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// The reverts on the branch.
    pub reverts: &'a [RevertEntry],
    /// Those of them that did not help.
    pub in_vain: &'a [CommitId],
    /// The deployments of which a proposed revert was declined, and when.
    pub declined: &'a [(CommitId, Time)],
    /// The deployments that the notes say were found bad.
    pub bad: &'a [CommitId],
    /// Whether a key proves who wrote the notes.
    pub are_proven: bool,
}

impl Trust {
    /// Whether the agent may revert the service by itself.
    #[must_use]
    pub fn is_earned(&self) -> bool {
        self.accepted >= usize::try_from(self.needed).unwrap_or(usize::MAX)
    }

    /// Itself in words: `accepted reverts: 2, needed: 3, counted since 2026-11-20T03:14:15Z, when …`.
    #[must_use]
    pub fn line(&self) -> String {
        let since = self
            .last_no
            .as_ref()
            .map_or_else(String::new, |no| format!(", counted since {}, when {}", no.at, no.what));
        format!("accepted reverts: {}, needed: {}{since}", self.accepted, self.needed)
    }
}

impl Lineage {
    /// How far the service of this lineage has earned that the agent reverts it by itself, as of `now`.
    ///
    /// A revert that came to the branch counts as accepted, where the notes say that its deployment was found bad, unless it did not help or
    /// a person asked for it: where the agent only proposes, it was merged. So does a person's own rollback of a deployment that was found
    /// bad, where a key proves that. A declined proposal and a
    /// person who puts back what was reverted are a no: what was accepted before that does not count any more.
    #[must_use]
    pub fn trust(
        &self,
        answers: &Answers<'_>,
        (needed, quarantine_secs): (u32, u32),
        automation: &[String],
        now: Time,
    ) -> Trust {
        let past = self.changes().iter().filter(|change| change.at <= now);
        let is_by_person = |change: &&Deployment| {
            change.kind != ChangeKind::OwnRevert && !is_automation(&change.author, automation)
        };
        let by_people = past.filter(is_by_person);
        let put_back = by_people.clone().filter_map(|change| {
            let entry = answers.reverts.iter().find(|entry| change.brings_back(entry, quarantine_secs))?;
            let name = one_line(&change.author.name, MAX_NAME);
            Some(No {
                at: change.at,
                what: format!("{name} put back what {} reverted", entry.commit.short()),
            })
        });
        let declined = answers.declined.iter().filter(|(_, at)| *at <= now).map(|(commit, at)| No {
            at: *at,
            what: format!("a person declined the revert of {}", commit.short()),
        });
        let last_no = put_back.chain(declined).max_by_key(|no| no.at);
        let counts = |at: Time| at <= now && last_no.as_ref().is_none_or(|no| no.at < at);
        let merged = answers.reverts.iter().filter(|entry| {
            answers.bad.contains(&entry.reverts)
                && !entry.requested
                && counts(entry.at)
                && !answers.in_vain.contains(&entry.commit)
        });
        let is_fix = |change: &&Deployment| match change.kind {
            ChangeKind::Rollback(taken_back) => {
                answers.are_proven && counts(change.at) && answers.bad.contains(&taken_back)
            }
            ChangeKind::Release | ChangeKind::Unproven(_) | ChangeKind::OwnRevert => false,
        };
        let fixed = by_people.filter(is_fix);
        Trust { accepted: merged.count() + fixed.count(), needed, last_no }
    }
}

#[cfg(test)]
mod tests;
