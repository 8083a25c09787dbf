//! The wire form of what is remembered in Git notes: one JSON object a line, on the deployment's commit, in
//! `refs/notes/backout`. The fields of commit trailers are in `crate::domain::change::message` and [`crate::domain::history::ledger`].
//!
//! A line that is not understood (of a newer version, or somebody else's) is kept and skipped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::change::receipt::Receipt;
use crate::domain::change::receipt::ReviewPlace;
use crate::domain::decision::{Decision, GuardAnswer, MODE_GUARD};
use crate::domain::environment::policy::Mode;
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::Judgement;
use crate::domain::time::Time;

/// The version of the wire form that this program writes.
pub const VERSION: u32 = 1;

/// One line of a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Record {
    /// What was found out about a deployment, and what was done.
    Verdict(Box<VerdictRecord>),
    /// Whether a revert helped.
    Recovery(Box<RecoveryRecord>),
    /// What became of a pull request.
    Review(Box<ReviewRecord>),
}

/// What was found out about a deployment, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictRecord {
    /// The version of this form.
    pub version: u32,
    /// The rollback id.
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// When this was decided.
    pub at: Time,
    /// What was found out.
    pub judgement: Judgement,
    /// What was decided.
    pub decision: Decision,
    /// What each guard said that was asked, in order.
    pub guards: Vec<GuardAnswer>,
    /// The commit on the environment branch that took the deployment back, if one did.
    pub revert: Option<CommitId>,
    /// Where the prepared revert waits, if it does.
    pub proposal: Option<Proposal>,
    /// Everything that the judgement was derived from.
    pub evidence: Evidence,
    /// SHA-256 of the configuration that was in force, in hexadecimal.
    pub config: String,
}

/// A prepared revert that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The branch that holds it.
    pub branch: BranchName,
    /// The commit at its tip.
    pub commit: CommitId,
    /// The pull request from it, where there is a forge.
    #[serde(default)]
    pub review: Option<ReviewPlace>,
}

impl Proposal {
    /// Where a receipt says that the revert waits.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let Receipt::Proposed { branch, commit, review, .. } = receipt else { return None };
        Some(Self { branch: branch.clone(), commit: *commit, review: review.clone() })
    }
}

/// What became of a pull request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewRecord {
    /// The version of this form.
    pub version: u32,
    /// The rollback id.
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// When this was found out.
    pub at: Time,
    /// The pull request.
    pub review: ReviewPlace,
    /// What became of it.
    pub outcome: ReviewOutcome,
    /// Why, in one sentence.
    pub reason: String,
}

/// What became of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewOutcome {
    /// It was merged, and the branch holds the good values.
    Merged,
    /// It was merged, and the branch does not hold the good values: a person must look.
    NotRestored,
    /// A person has closed it without merging it: an override, which is respected.
    Declined,
    /// Nothing was left to do.
    Superseded,
    /// It was not merged in time: a person must look. It is still followed.
    Overdue,
}

impl ReviewOutcome {
    /// What a receipt says of a pull request; none while it waits.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Option<Self> {
        Some(match receipt {
            Receipt::Merged(_) => Self::Merged,
            Receipt::Declined { .. } => Self::Declined,
            Receipt::Superseded(_) => Self::Superseded,
            Receipt::Stuck { merged: true, .. } => Self::NotRestored,
            Receipt::Stuck { merged: false, .. } => Self::Overdue,
            Receipt::Planned
            | Receipt::Postponed
            | Receipt::Pushed(_)
            | Receipt::Proposed { .. }
            | Receipt::Refused(_) => return None,
        })
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Overdue
    }
}

/// Whether a revert helped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryRecord {
    /// The version of this form.
    pub version: u32,
    /// The rollback id.
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// The commit that took it back.
    pub revert: CommitId,
    /// When this was decided.
    pub at: Time,
    /// What became of the signals.
    pub outcome: Recovery,
    /// Why, in one sentence.
    pub reason: String,
}

/// What became of the signals after a revert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// They came back.
    Recovered,
    /// They are bad: the revert did not help, or they are bad only since, and a person must look.
    NotRecovered,
    /// Nobody can tell; also where they did not show before the revert what it was to mend.
    Unknown,
}

impl VerdictRecord {
    /// Whether nothing is left to decide in this mode. What was left alone only because the mode was `observe` is decided
    /// anew when the mode is another.
    #[must_use]
    pub fn settles(&self, mode: Mode) -> bool {
        let by_mode = self.guards.last().is_some_and(|guard| guard.guard == MODE_GUARD);
        !(by_mode && matches!(self.decision, Decision::Hold(_)) && mode != Mode::Observe)
    }
}

impl Record {
    /// The service that the record is about.
    #[must_use]
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Verdict(record) => &record.service,
            Self::Recovery(record) => &record.service,
            Self::Review(record) => &record.service,
        }
    }

    /// The environment that the record is about.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentName {
        match self {
            Self::Verdict(record) => &record.environment,
            Self::Recovery(record) => &record.environment,
            Self::Review(record) => &record.environment,
        }
    }

    /// The verdict, where it is one.
    #[must_use]
    pub fn as_verdict(&self) -> Option<&VerdictRecord> {
        match self {
            Self::Verdict(record) => Some(record),
            Self::Recovery(_) | Self::Review(_) => None,
        }
    }

    /// When it was written.
    #[must_use]
    pub fn at(&self) -> Time {
        match self {
            Self::Verdict(record) => record.at,
            Self::Recovery(record) => record.at,
            Self::Review(record) => record.at,
        }
    }

    /// The rollback id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Verdict(record) => &record.id,
            Self::Recovery(record) => &record.id,
            Self::Review(record) => &record.id,
        }
    }

    /// The record as one line of JSON, without a line end.
    ///
    /// # Errors
    /// Does not happen for values that the agent makes: all numbers are finite.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// The records in a note, in the order of its lines. Lines that are not understood are skipped.
#[must_use]
pub fn read(note: &str) -> Vec<Record> {
    note.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether two lines of a note say the same: two agents that finish together write down the same revert, each in its own
/// words and at its own second. Lines that are no records are the same when they are equal.
#[must_use]
pub fn says_the_same(one: &str, other: &str) -> bool {
    let gist = |line: &str| {
        let (id, what) = match serde_json::from_str::<Record>(line).ok()? {
            Record::Verdict(verdict) => {
                let done = match (verdict.revert, &verdict.proposal) {
                    (Some(revert), _) => format!("reverted by {revert}"),
                    (None, Some(proposal)) => format!("proposed on {}", proposal.branch),
                    (None, None) => verdict.decision.word().to_owned(),
                };
                (verdict.id, done)
            }
            Record::Recovery(recovery) => (recovery.id, format!("recovery {:?}", recovery.outcome)),
            // Overdue once more is news after somebody has asked to try again.
            Record::Review(review) if review.outcome == ReviewOutcome::Overdue => return None,
            Record::Review(review) => (review.id, format!("review {:?}", review.outcome)),
        };
        Some((id, what))
    };
    one == other || gist(one).zip(gist(other)).is_some_and(|(one, other)| one == other)
}

/// The JSON schema of a line.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Record).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_one_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/record.schema.json");
        let committed = std::fs::read_to_string(path).unwrap();
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        assert!(committed == current, "run: cargo run -- schema record > schemas/record.schema.json");
    }

    #[test]
    fn two_agents_say_the_same_of_one_revert() {
        let line = |second: u32, outcome: &str| {
            format!(
                "{{\"kind\":\"recovery\",\"version\":1,\"id\":\"x\",\"environment\":\"e\",\"service\":\"s\",\
                 \"deployment\":\"{0}\",\"revert\":\"{0}\",\"at\":\"2026-11-20T00:00:0{second}Z\",\
                 \"outcome\":\"{outcome}\",\"reason\":\"r\"}}",
                "0".repeat(40)
            )
        };
        assert!(says_the_same(&line(1, "recovered"), &line(2, "recovered")));
        assert!(!says_the_same(&line(1, "recovered"), &line(2, "not-recovered")));
        assert!(says_the_same("hello", "hello") && !says_the_same("hello", "bye"));
    }

    #[test]
    fn lines_of_others_are_skipped() {
        assert_eq!(read("hello\n{\"kind\":\"from-the-future\"}\n{}\n"), []);
    }
}
