//! The revert as a value: which bytes of which files, and why. [`plan`](mod@plan) works it out, `message` writes its
//! message, and [`receipt`] says what became of it.

pub(super) mod message;
pub mod named;
pub mod needed;
pub mod pinned;
pub mod plan;
pub mod receipt;
pub mod together;
pub mod unpin;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use similar::TextDiff;

use crate::domain::decision::Turn;
use crate::domain::deployment::precedent::Precedent;
use crate::domain::deployment::{Deployment, FieldChange};
use crate::domain::field::tokens::version_of;
use crate::domain::field::{self, FieldOutcome, FieldResult};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::Content;
use crate::domain::history::trailers::NOTHING;
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, FilePath, GroupName, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::Judgement;
use crate::domain::pin::Pin;
use crate::domain::text::{flat, is_unseen, one_line};
use crate::domain::time::Time;

/// A commit to be made: its `Display` is the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rollback id.
    pub id: String,
    /// The environment it is for.
    pub environment: EnvironmentName,
    /// The service it reverts.
    pub service: ServiceName,
    /// The environment's branch.
    pub branch: BranchName,
    /// The head that it was worked out from; its only parent.
    pub base: CommitId,
    /// The bad deployment.
    pub reverts: CommitId,
    /// The other deployments that are taken back with it, newest first, so that the service is in a state that it ran.
    pub with: Vec<AlsoUndone>,
    /// The versions that must not come back, as trailers have them.
    pub bad_values: BTreeSet<String>,
    /// The new content of each file; `None` removes it.
    pub files: BTreeMap<FilePath, Option<Content>>,
    /// What becomes of each release field of the bad deployment.
    pub fields: Vec<(FilePath, FieldResult)>,
    /// What else goes back with the release fields.
    pub along: Vec<String>,
    /// What else the bad deployment changed, and what stays as it is.
    pub left_behind: Vec<String>,
    /// Why a person should look at it before it is made.
    pub doubts: Vec<String>,
    /// What the registries say about what goes back, each a part of a sentence; untrusted text.
    pub checked: Vec<String>,
    /// What keeps automation from putting it back, and for how long.
    pub pins: Pins,
    /// The other services of its group that go back with it.
    pub together: Option<Together>,
    /// The whole commit message.
    pub message: String,
    /// Author and committer time.
    pub at: Time,
}

/// The other services of a group that go back with a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// The group.
    pub group: GroupName,
    /// The change of each, without its part of the files: all of them are in the files of the change that these go back with. The message
    /// of each is its block of trailers.
    pub others: Vec<Change>,
    /// The place of the service, where the services of the group go back one after another, each by a commit of its own.
    pub turn: Option<Turn>,
}

/// What a revert pins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The pins.
    pub made: Vec<Pin>,
    /// Until when they hold, where there are any.
    pub until: Option<Time>,
    /// The pins that are there already.
    pub already: Vec<AlreadyPinned>,
    /// Why there is no pin where one was wanted, each in a sentence.
    pub without: Vec<String>,
}

/// A pin that is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyPinned {
    /// The pin.
    pub pin: Pin,
    /// Who deployed what it keeps out although it was there; untrusted text. None where it came after that.
    pub ignored_by: Option<String>,
}

/// A deployment that is taken back with a bad one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlsoUndone {
    /// Its commit.
    pub commit: CommitId,
    /// Its subject; untrusted text.
    pub subject: String,
    /// When it came to be on the branch.
    pub at: Time,
    /// What of it is lost: its versions before and after, or where it brought none, the values of its fields; untrusted text.
    pub versions: Vec<(String, String)>,
}

impl AlsoUndone {
    fn of(deployment: &Deployment) -> Self {
        let has_version = deployment.fields.iter().any(FieldChange::is_version);
        let versions = deployment.fields.iter().filter(|field| field.is_version() || !has_version);
        Self {
            commit: deployment.commit,
            subject: deployment.subject.clone(),
            at: deployment.at,
            versions: versions.map(|field| (field.old.clone(), field.new.clone())).collect(),
        }
    }

    /// Itself in one line: `a1b2c3d4e5 (bump) of 2026-11-20T03:14:15Z, v1.5.0 → v1.5.1`.
    #[must_use]
    pub fn line(&self) -> String {
        let versions = self
            .versions
            .iter()
            .map(|(old, new)| format!("{} → {}", version_of(shown(old)), version_of(shown(new))));
        let versions: Vec<String> = versions.take(3).collect();
        let subject = one_line(&self.subject, 80);
        format!("{} ({subject}) of {}, {}", self.commit.short(), self.at, versions.join(", "))
    }
}

/// Why the change is made.
#[derive(Clone, Copy, Debug)]
pub enum Motive<'a> {
    /// The metrics got worse.
    Metrics(&'a Judgement),
    /// This revert of the agent led back to its state, and the metrics did not get better.
    Fallback(&'a Judgement, CommitId),
    /// The version is known as bad from another environment. Nothing is known of it here yet.
    Elsewhere(&'a Precedent),
    /// A person asked for it.
    Request(Asked<'a>),
}

impl<'a> Motive<'a> {
    /// The motive of a deployment that was judged by this evidence.
    #[must_use]
    pub fn judged(judgement: &'a Judgement, evidence: &Evidence) -> Self {
        match evidence.after_revert {
            Some(revert) => Self::Fallback(judgement, revert),
            None => Self::Metrics(judgement),
        }
    }

    /// What was found out, where that is why.
    #[must_use]
    pub fn judgement(&self) -> Option<&'a Judgement> {
        match self {
            Self::Metrics(judgement) | Self::Fallback(judgement, _) => Some(judgement),
            Self::Elsewhere(_) | Self::Request(_) => None,
        }
    }

    /// Whether it is only what is known from another environment.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere(_))
    }
}

/// What a person said who wants a deployment reverted; untrusted text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Who it is.
    pub who: &'a str,
    /// Why, where that was said.
    pub why: Option<&'a str>,
}

/// Why there is no change to make. Each text has a line for each field: what the field held before the deployment, what the deployment put
/// there, and what the field holds now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// Every field holds the good value already.
    #[error("every field holds the good value already{0}")]
    Restored(String),
    /// None of the fields holds the bad value any more.
    #[error("no field holds the bad value any more, as something else was put there since{0}")]
    Superseded(String),
    /// The fields are not where they were, and may run elsewhere.
    #[error(
        "the fields are not where they were: somebody removed or renamed them. Look what holds the version now, and put it back by hand{0}"
    )]
    Gone(String),
    /// Some fields have moved on, or were put back by somebody: others are at work on it.
    #[error(
        "a part of the deployment has moved on: put the rest back by hand, or let the policy say `partial: true`{0}"
    )]
    Partial(String),
    /// Another service of its group cannot go back with it.
    #[error("{service}, which would go back with it, does not: {why}")]
    OfGroup {
        /// The service.
        service: ServiceName,
        /// Why, in words.
        why: String,
    },
    /// It is not clear what to do, so nothing may be done.
    #[error("{}{fields}", refused_text(.path, .refusal))]
    Refused {
        /// The file.
        path: FilePath,
        /// Why.
        refusal: field::Refusal,
        /// The fields of the file.
        fields: String,
    },
}

impl NoChange {
    /// That a file of the deployment is not put back by machine.
    #[must_use]
    pub fn refused(path: FilePath, refusal: field::Refusal) -> Self {
        Self::Refused { path, refusal, fields: String::new() }
    }
}

/// Why a file is not put back, in one line: what a file says, such as an address, must not look like a line of its own.
fn refused_text(path: &FilePath, refusal: &field::Refusal) -> String {
    flat(&format!("{path}: {refusal}"))
}

/// The most fields that are named where nothing is done.
const MAX_TOLD: usize = 5;
/// The most characters of a line about one of them.
const MAX_TOLD_CHARS: usize = 240;

/// One field in the text of a refusal.
struct Told<'a> {
    place: String,
    old: &'a str,
    new: &'a str,
    /// Who put the new value there.
    by: &'a str,
    /// The value of the field now; none where that is not known.
    now: Option<String>,
}

/// Lines for people about fields: what stood there before the deployment, what it put there, and what stands there now. Each begins with a
/// line end.
fn told_of(fields: &[Told<'_>]) -> String {
    let line = |Told { place, old, new, by, now }: &Told<'_>| {
        let now = now.as_ref().map_or_else(String::new, |now| format!(", {now} now"));
        let line = format!("{place}: {} → {} by {by}{now}", shown(old), shown(new));
        format!("\n- {}", one_line(&line, MAX_TOLD_CHARS))
    };
    let mut told: String = fields.iter().take(MAX_TOLD).map(line).collect();
    if let Some(more) = fields.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
        told.push_str(&format!("\n- and {more} more"));
    }
    told
}

/// Says what a field holds now.
fn now_text(field: &FieldResult) -> String {
    match &field.outcome {
        FieldOutcome::Restored => shown(&field.new_text).to_owned(),
        FieldOutcome::AlreadyBack => shown(&field.old_text).to_owned(),
        FieldOutcome::Superseded(now) => shown(now).to_owned(),
        FieldOutcome::Gone(now) if now.is_empty() => "gone".to_owned(),
        FieldOutcome::Gone(now) => format!("at {}", now.join(" and ")),
    }
}

/// What becomes of a field, in words.
fn outcome_text(field: &FieldResult) -> String {
    let address = &field.address;
    match &field.outcome {
        FieldOutcome::Restored => {
            format!("{address}: {} → {}", shown(&field.new_text), shown(&field.old_text))
        }
        FieldOutcome::AlreadyBack => format!("{address}: is {} already", field.old_text),
        FieldOutcome::Superseded(now) => format!("{address}: is {now} by now, left alone"),
        FieldOutcome::Gone(now) if now.is_empty() => format!("{address}: is gone, left alone"),
        FieldOutcome::Gone(now) => {
            format!("{address}: is gone; {} stands at {} now", shown(&field.new_text), now.join(" and "))
        }
    }
}

/// A value for people: one that is not there is called so.
fn shown(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}

/// A path as `git apply` reads it in a diff: in quotes, with escapes, where a character in it is not seen or could end the quotes. Source:
/// <https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath>.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| !matches!(c, '"' | '\\') && !is_unseen(c);
    if path.chars().all(is_plain) {
        return path.to_owned();
    }
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if is_plain(c) => c.to_string(),
        c => c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")).collect(),
    };
    format!("\"{}\"", path.chars().map(escaped).collect::<String>())
}

/// That the services of a group go back one after another, in words.
fn turn_text(group: &GroupName, turn: &Turn) -> String {
    let names = |services: &[ServiceName]| -> String {
        services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
    };
    let with = &turn.with;
    let then = match turn.then.is_empty() {
        true => "this is the end".to_owned(),
        false => format!("after this: {}", names(&turn.then)),
    };
    format!("the group {group} goes back one service after another, because of {with}; {then}")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "revert {} of {} in {}", self.reverts.short(), self.service, self.environment)?;
        self.lines(f)?;
        let Some(Together { group, others, turn }) = &self.together else { return Ok(()) };
        if let Some(turn) = turn {
            writeln!(f, "  {}", turn_text(group, turn))?;
        }
        for other in others {
            writeln!(f, "with {}, of the same group {group}", other.service)?;
            other.lines(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for AlreadyPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pin = one_line(&self.pin.to_string(), MAX_TOLD_CHARS);
        match &self.ignored_by {
            None => write!(f, "pinned already: {pin}"),
            Some(who) => write!(
                f,
                "pinned already, and ignored: {pin}: {} deployed it all the same: {} does not obey it, or something else deploys",
                one_line(who, 80),
                self.pin.mechanism.tool()
            ),
        }
    }
}

impl Change {
    /// The plan without its first line.
    fn lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a file says must not look like a line of the plan.
        let mut line = |text: String| writeln!(f, "  {}", flat(&text));
        for (path, field) in &self.fields {
            line(format!("{path}: {} ({})", outcome_text(field), field.rule))?;
        }
        for address in &self.along {
            line(format!("{address}: goes back too"))?;
        }
        for other in &self.with {
            line(format!("takes back with it: {}", other.line()))?;
        }
        for doubt in &self.doubts {
            line(format!("for a person to look at: {doubt}"))?;
        }
        for checked in &self.checked {
            line(checked.clone())?;
        }
        for pin in &self.pins.made {
            let until = self.pins.until.unwrap_or(self.at);
            line(format!("pinned until {until}: {}", one_line(&pin.to_string(), MAX_TOLD_CHARS)))?;
        }
        for already in &self.pins.already {
            line(already.to_string())?;
        }
        for why in &self.pins.without {
            line(format!("not pinned: {}", one_line(why, MAX_TOLD_CHARS)))?;
        }
        for address in &self.left_behind {
            line(format!("{address}: changed by the deployment too, stays as it is"))?;
        }
        Ok(())
    }

    /// The changes of the other services that go back with it.
    #[must_use]
    pub fn others(&self) -> &[Self] {
        self.together.as_ref().map_or(&[], |together| &together.others)
    }

    /// Its place, where it is the revert of one service of a group that goes back one service after another.
    #[must_use]
    pub fn turn(&self) -> Option<&Turn> {
        self.together.as_ref()?.turn.as_ref()
    }

    /// The entries of the ledger that this change would become: one for each service.
    #[must_use]
    pub fn as_entries(&self) -> Vec<RevertEntry> {
        let with = |other: &Self| RevertEntry {
            commit: self.base,
            together_with: Some(self.service.clone()),
            ..other.as_entry()
        };
        std::iter::once(self.as_entry()).chain(self.others().iter().map(with)).collect()
    }

    fn as_entry(&self) -> RevertEntry {
        let turn = self.turn();
        RevertEntry {
            id: self.id.clone(),
            commit: self.base,
            at: self.at,
            environment: self.environment.clone(),
            service: self.service.clone(),
            reverts: self.reverts,
            with: self.with.iter().map(|other| other.commit).collect(),
            bad_values: self.bad_values.clone(),
            requested: false,
            together_with: turn.map(|turn| turn.with.clone()).filter(|with| *with != self.service),
            then: turn.map(|turn| turn.then.clone()).unwrap_or_default(),
        }
    }

    /// The name of the branch on which this change waits for a person.
    #[must_use]
    pub fn proposal_branch(&self) -> Option<BranchName> {
        Self::branch_for(&self.environment, &self.service, self.reverts)
    }

    /// The name of the branch on which the revert of a deployment waits: `backout/<environment>/<service>/<short id>`.
    /// None where such a name would be too long.
    #[must_use]
    pub fn branch_for(
        environment: &EnvironmentName,
        service: &ServiceName,
        bad: CommitId,
    ) -> Option<BranchName> {
        BranchName::new(format!("backout/{environment}/{service}/{}", bad.short())).ok()
    }

    /// The change as a unified diff against `current`, in which paths are written as Git does it.
    #[must_use]
    pub fn diff(&self, current: &BTreeMap<FilePath, Option<Content>>) -> String {
        let text = |content: Option<&Content>| match content {
            None => String::new(),
            Some(Content::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Some(Content::Unread(id)) => format!("a file that is not read, blob {id}\n"),
        };
        let mut out = String::new();
        for (path, new) in &self.files {
            let old = text(current.get(path).and_then(Option::as_ref));
            let new = text(new.as_ref());
            let diff = TextDiff::from_lines(&old, &new);
            let (a, b) = (quoted(&format!("a/{path}")), quoted(&format!("b/{path}")));
            out.push_str(&diff.unified_diff().header(&a, &b).to_string());
        }
        out
    }
}

#[cfg(test)]
mod tests;
