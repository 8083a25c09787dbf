//! The wire form of what is remembered in Git notes: one JSON object a line, on the deployment's commit, in the ref of the month in
//! which it was committed (`refs/notes/backout-2026-11`). The fields of commit trailers are in `crate::domain::change::message` and [`crate::domain::history::ledger`].
//!
//! A line that is not understood (of a newer version, or somebody else's) is kept and skipped.

pub mod keys;
pub mod pause;
mod verdict;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::history::landing::Sighting;
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::time::Time;

pub use self::verdict::{Proposal, VerdictRecord};

/// The version of the wire form that this program writes. It reads version 1 too, in which samples are pairs of time and value
/// and nothing is left out; but for that the two are the same.
pub const VERSION: u32 = 2;

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
    /// What became of a pin.
    Pin(Box<PinRecord>),
    /// Where a branch was seen, so that an agent without a memory of its own knows when commits landed.
    Seen(Box<SeenRecord>),
}

/// Where a branch was seen. It stands in the note of some deployment of that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenRecord {
    /// The version of this form.
    pub version: u32,
    /// The branch.
    pub branch: BranchName,
    /// The commit at its tip.
    pub tip: CommitId,
    /// When it was seen there.
    pub at: Time,
    /// The look before, where something landed between the two long after it was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<LookBefore>,
}

/// The look before another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LookBefore {
    /// The commit that was at the branch's tip.
    pub tip: CommitId,
    /// When it was seen there.
    pub at: Time,
}

impl SeenRecord {
    /// Whether another one says the same: two agents look at the same place a few minutes apart.
    fn says_the_same(&self, other: &Self) -> bool {
        let before = |one: &Self| one.before.as_ref().map(|before| before.tip);
        let apart = self.at.secs_since(other.at).abs();
        (&self.branch, self.tip, before(self)) == (&other.branch, other.tip, before(other)) && apart <= 300
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

    /// Itself in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Merged => "pull request merged",
            Self::NotRestored => "pull request merged, NOT restored",
            Self::Declined => "pull request declined",
            Self::Superseded => "pull request superseded",
            Self::Overdue => "pull request OVERDUE",
        }
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Overdue
    }
}

/// What became of a pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinRecord {
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
    /// The commit that took it back, and pinned.
    pub revert: CommitId,
    /// When this was found out.
    pub at: Time,
    /// The pin, as in the trailer of the revert.
    pub pin: String,
    /// What became of it.
    pub outcome: PinOutcome,
    /// Why, in one sentence.
    pub reason: String,
}

/// What became of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PinOutcome {
    /// The agent took it off.
    Lifted,
    /// A person has changed it: the agent leaves it alone.
    Changed,
}

impl PinOutcome {
    /// Itself in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Lifted => "unpinned",
            Self::Changed => "is still pinned",
        }
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
    /// Nobody can tell: another deployment of the service came too soon.
    Replaced,
    /// Nobody can tell; also where they did not show before the revert what it was to mend.
    Unknown,
    /// The revert is not on the branch any more: its history was rewritten.
    Gone,
}

impl Recovery {
    /// Itself in words, with the revert.
    #[must_use]
    pub fn words(self, revert: CommitId) -> String {
        let revert = revert.short();
        match self {
            Self::Recovered => format!("recovered after {revert}"),
            Self::NotRecovered => format!("NOT recovered after {revert}"),
            Self::Replaced => format!("replaced after {revert}"),
            Self::Gone => format!("the revert {revert} is GONE from the branch"),
            Self::Unknown => format!("recovery unknown after {revert}"),
        }
    }
}

impl Record {
    /// The service that the record is about, in its environment; none where it is about a branch.
    #[must_use]
    pub fn subject(&self) -> Option<(&EnvironmentName, &ServiceName)> {
        match self {
            Self::Verdict(record) => Some((&record.environment, &record.service)),
            Self::Recovery(record) => Some((&record.environment, &record.service)),
            Self::Review(record) => Some((&record.environment, &record.service)),
            Self::Pin(record) => Some((&record.environment, &record.service)),
            Self::Seen(_) => None,
        }
    }

    /// The verdict, where it is one.
    #[must_use]
    pub fn as_verdict(&self) -> Option<&VerdictRecord> {
        match self {
            Self::Verdict(record) => Some(record),
            Self::Recovery(_) | Self::Review(_) | Self::Pin(_) | Self::Seen(_) => None,
        }
    }

    /// What became of the signals after a revert, where it is that.
    #[must_use]
    pub fn as_recovery(&self) -> Option<&RecoveryRecord> {
        match self {
            Self::Recovery(record) => Some(record),
            Self::Verdict(_) | Self::Review(_) | Self::Pin(_) | Self::Seen(_) => None,
        }
    }

    /// Where a branch was seen, where it is that.
    #[must_use]
    pub fn as_seen(&self) -> Option<&SeenRecord> {
        match self {
            Self::Seen(record) => Some(record),
            Self::Verdict(_) | Self::Recovery(_) | Self::Review(_) | Self::Pin(_) => None,
        }
    }

    /// When it was written.
    #[must_use]
    pub fn at(&self) -> Time {
        match self {
            Self::Verdict(record) => record.at,
            Self::Recovery(record) => record.at,
            Self::Review(record) => record.at,
            Self::Pin(record) => record.at,
            Self::Seen(record) => record.at,
        }
    }

    /// The rollback id; none where it is about a branch.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Verdict(record) => Some(&record.id),
            Self::Recovery(record) => Some(&record.id),
            Self::Review(record) => Some(&record.id),
            Self::Pin(record) => Some(&record.id),
            Self::Seen(_) => None,
        }
    }

    /// The record as one line of JSON, without a line end.
    ///
    /// # Errors
    /// Does not happen for values that the agent makes: all numbers are finite.
    pub fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The record as JSON with all that follows from the rest of it, which a line may leave out.
    ///
    /// # Errors
    /// Does not happen for values that the agent makes.
    pub fn in_full(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        if let (Some(object), Self::Verdict(verdict)) = (value.as_object_mut(), self)
            && let serde_json::Value::Object(full) = verdict.in_full()?
        {
            object.extend(full);
        }
        Ok(value)
    }

    /// The record in a line; none where the line is too long or is not understood.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Self> {
        if line.len() > MAX_LINE_BYTES {
            return None;
        }
        serde_json::from_str(line).ok()
    }
}

/// The longest line that is read, in bytes: some times what a verdict takes with as many signals, parts and controls as are
/// recorded.
const MAX_LINE_BYTES: usize = 4 << 20;

/// The records in a note, in the order of its lines. Lines that are not understood are skipped.
#[must_use]
pub fn read(note: &str) -> Vec<Record> {
    note.lines().filter_map(Record::of_line).collect()
}

/// The lines of a note that may tell where a branch was seen. Verdicts are long, and most of a note.
pub fn look_lines(note: &str) -> impl Iterator<Item = &str> {
    // The kind is what a line begins with.
    note.lines().filter(|line| line.starts_with("{\"kind\":\"seen\""))
}

/// Where a branch was seen, as a note tells it. What is told of the future is left out, and of more looks than anybody needs
/// only some are read.
#[must_use]
pub fn looks(note: &str, branch: &BranchName, now: Time) -> Vec<Sighting> {
    let seen = look_lines(note).filter_map(|line| match Record::of_line(line)? {
        Record::Seen(seen) => Some(*seen),
        Record::Verdict(_) | Record::Recovery(_) | Record::Review(_) | Record::Pin(_) => None,
    });
    looks_of(seen.take(MAX_LOOKS), branch, now)
}

/// Where a branch was seen, as records tell it. What is told of the future is left out.
#[must_use]
pub fn looks_of(records: impl Iterator<Item = SeenRecord>, branch: &BranchName, now: Time) -> Vec<Sighting> {
    let look = |tip, at| Sighting { tip, first: at, last: at, is_exact: false };
    let both = |seen: SeenRecord| {
        let before = seen.before.map(|before| look(before.tip, before.at));
        before.into_iter().chain([look(seen.tip, seen.at)])
    };
    let of_branch = records.filter(|seen| seen.branch == *branch);
    of_branch.flat_map(both).filter(|look| look.first <= now).collect()
}

/// The most records of looks that are read at once: some times what agents write in a day.
pub const MAX_LOOKS: usize = 2_000;

/// Whether two lines of a note say the same: two agents that finish together write down the same revert, each in its own
/// words and at its own second. Lines that are no records are the same when they are equal.
#[must_use]
pub fn says_the_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (Record::of_line(one), Record::of_line(other)) else { return false };
    if let (Record::Seen(one), Record::Seen(other)) = (&one, &other) {
        return one.says_the_same(other);
    }
    let gist = |record: Record| {
        let (id, what) = match record {
            Record::Verdict(verdict) => {
                let done = match (verdict.revert, &verdict.proposal) {
                    (Some(revert), _) => format!("reverted by {revert}"),
                    (None, Some(proposal)) => format!("proposed on {}", proposal.branch),
                    (None, None) => verdict.decision.word().to_owned(),
                };
                // What is said of it after a revert led back to it is news.
                let after = verdict.evidence.after_revert.map(|revert| format!(" after {revert}"));
                // So is what is decided once a mode, a pause or a freeze window holds the agent back no more.
                let held = verdict.held_by().map(|guard| format!(" held by {guard}"));
                // And what comes of it once it is judged.
                let early = if verdict.is_early() { " while it is watched" } else { "" };
                (verdict.id.clone(), done + &after.unwrap_or_default() + &held.unwrap_or_default() + early)
            }
            Record::Recovery(recovery) => {
                (recovery.id, format!("recovery {:?} after {}", recovery.outcome, recovery.revert))
            }
            // Overdue once more is news after somebody has asked to try again.
            Record::Review(review) if review.outcome == ReviewOutcome::Overdue => return None,
            Record::Review(review) => (review.id, format!("review {:?}", review.outcome)),
            Record::Pin(pin) => (pin.id, format!("pin {} {:?} {}", pin.pin, pin.outcome, pin.revert)),
            Record::Seen(_) => return None,
        };
        Some((id, what))
    };
    gist(one).zip(gist(other)).is_some_and(|(one, other)| one == other)
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
    fn looks_are_read_by_their_branch_and_not_from_the_future() {
        let (main, other): (BranchName, BranchName) = ("main".parse().unwrap(), "other".parse().unwrap());
        let id = |n: u8| CommitId::from_bytes([n; 20]);
        let record = |branch: &BranchName, tip: u8, at: i64| SeenRecord {
            version: VERSION,
            branch: branch.clone(),
            tip: id(tip),
            at: Time::from_unix(at),
            before: None,
        };
        let before = LookBefore { tip: id(1), at: Time::from_unix(900) };
        let pair = SeenRecord { before: Some(before), ..record(&main, 2, 1_000) };
        let line = |one: &SeenRecord| Record::Seen(Box::new(one.clone())).to_line().unwrap();
        let note = [line(&record(&other, 9, 500)), line(&pair), line(&record(&main, 3, 5_000))].join("\n");
        let found = looks(&format!("nonsense\n{{\"kind\":\"seen\"}}\n{note}"), &main, Time::from_unix(2_000));
        let shown: Vec<(CommitId, i64)> = found.iter().map(|one| (one.tip, one.last.unix())).collect();
        assert_eq!(shown, [(id(1), 900), (id(2), 1_000)]);
        assert_eq!(read(&note).len(), 3);
        // Two agents, a minute apart; one agent, an hour apart.
        let same = |at: i64| says_the_same(&line(&record(&main, 3, 60)), &line(&record(&main, 3, at)));
        assert!(same(120) && !same(3_660));
        assert!(!says_the_same(&line(&pair), &line(&record(&main, 2, 1_000))));
    }

    #[test]
    fn lines_of_others_are_skipped() {
        assert_eq!(read("hello\n{\"kind\":\"from-the-future\"}\n{}\n"), []);
    }
}
