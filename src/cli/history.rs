//! `backout history`: the audit log, read back from Git.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::{Estate, fetch};
use crate::domain::decision::Decision;
use crate::domain::deployment::Detector;
use crate::domain::environment::Environment;
use crate::domain::environment::pause::Pause;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::{Any, Tracked};
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};
use crate::record::Record;
use crate::record::keys::not_ours;
use crate::record::pause::PauseList;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct HistoryArgs {
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// At most this many records, the newest
    #[arg(long, default_value_t = 50, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// How far back a branch is searched for reverts that have no record, such as those that a person asked for.
const SEARCH_SECS: i64 = 90 * 86_400;
/// How far back it is searched at first. A day at least, so that what was written about a deployment some hours later is not
/// missed.
const SHORTEST_SECS: i64 = 86_400;
/// The notes of how many commits are held at once.
const NOTES_AT_ONCE: usize = 500;

/// One line of the log, not read in full yet: of many few are shown.
struct Entry {
    head: Head,
    what: What,
}

enum What {
    /// A line of a note.
    Line(String),
    /// A line that nobody can prove to be the agent's own.
    NotOurs(String),
    /// A revert on a branch that has no record.
    Bare(RevertEntry),
}

/// What a record is about, and when it was written.
#[derive(Deserialize)]
struct Head {
    at: Time,
    id: String,
    environment: EnvironmentName,
    service: ServiceName,
    #[serde(default)]
    deployment: Option<CommitId>,
}

/// What is shown of an entry.
enum Shown {
    Record(Box<Record>),
    Bare(RevertEntry),
    NotOurs { head: Head, line: String },
    Pause(Pause),
}

/// What has no record, as JSON: a revert, a pause.
#[derive(Serialize)]
struct Bare<'a, T> {
    kind: &'static str,
    #[serde(flatten)]
    what: &'a T,
}

impl Entry {
    /// A line of a note. None where it is no record of a service: a look at a branch is not what people ask for.
    fn of_line(line: &str) -> Option<Self> {
        Some(Self { head: serde_json::from_str(line).ok()?, what: What::Line(line.to_owned()) })
    }

    /// A line that nobody can prove to be the agent's own. None where it does not look like a record of a service.
    fn not_ours(line: &str) -> Option<Self> {
        Some(Self { head: serde_json::from_str(line).ok()?, what: What::NotOurs(line.to_owned()) })
    }

    fn bare(revert: RevertEntry) -> Self {
        let head = Head {
            at: revert.at,
            id: revert.id.clone(),
            environment: revert.environment.clone(),
            service: revert.service.clone(),
            deployment: Some(revert.reverts),
        };
        Self { head, what: What::Bare(revert) }
    }

    fn key(&self) -> (Time, &str) {
        (self.head.at, &self.head.id)
    }

    fn is_of(&self, wanted: &Wanted) -> bool {
        wanted.environment.as_ref().is_none_or(|name| name == self.head.environment.as_str())
            && wanted.service.as_ref().is_none_or(|name| name == self.head.service.as_str())
    }

    /// The entry in full; none where its line is not understood.
    fn read(self) -> Option<Shown> {
        Some(match self.what {
            What::Line(line) => Shown::Record(Box::new(Record::of_line(&line)?)),
            What::NotOurs(line) => Shown::NotOurs { head: self.head, line },
            What::Bare(revert) => Shown::Bare(revert),
        })
    }
}

impl Shown {
    fn in_full(&self) -> Result<serde_json::Value, serde_json::Error> {
        match self {
            Self::Record(record) => record.in_full(),
            Self::Bare(revert) => serde_json::to_value(Bare { kind: "revert", what: revert }),
            Self::Pause(pause) => serde_json::to_value(Bare { kind: "pause", what: pause }),
            Self::NotOurs { line, .. } => Ok(serde_json::json!({"kind": "not-ours", "line": line})),
        }
    }
}

/// What is shown.
struct Wanted {
    environment: Option<String>,
    service: Option<String>,
    limit: usize,
    /// What a line has in it that is about the service: most lines are not, and need not be read.
    about: Option<String>,
}

impl Wanted {
    fn of(args: &HistoryArgs) -> Self {
        let about = args.service.as_ref().and_then(|service| serde_json::to_string(service).ok());
        Self {
            environment: args.environment.clone(),
            service: args.service.clone(),
            limit: args.limit,
            about: about.map(|service| format!("\"service\":{service}")),
        }
    }

    /// Whether a pause is about what is wanted. One of an environment is about each of its services.
    fn has_pause(&self, pause: &Pause) -> bool {
        let is_of = |wanted: &String| pause.service.as_ref().is_none_or(|name| name.as_str() == wanted);
        self.environment.as_ref().is_none_or(|name| name == pause.environment.as_str())
            && self.service.as_ref().is_none_or(is_of)
    }

    /// That there are no entries, in words.
    fn none(&self) -> String {
        let service =
            self.service.as_ref().map_or_else(String::new, |name| format!(" about the service {name}"));
        let environment =
            self.environment.as_ref().map_or_else(String::new, |name| format!(" in the environment {name}"));
        format!("no records{service}{environment} yet")
    }

    /// The entries of a note.
    fn entries<'n>(&'n self, note: &'n str) -> impl Iterator<Item = Entry> + 'n {
        let is_about = |line: &str| self.about.as_ref().is_none_or(|about| line.contains(about));
        let entry = move |line: &str| match not_ours(line) {
            Some(line) => is_about(&line).then(|| Entry::not_ours(&line))?,
            None => is_about(line).then(|| Entry::of_line(line))?,
        };
        note.lines().filter_map(entry).filter(|entry| entry.is_of(self))
    }
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: HistoryArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let now = world.clock.now();
    let (mut entries, mut pauses, mut ending) = (Vec::new(), Vec::new(), Ending::Quiet);
    let wanted = Arc::new(Wanted::of(&args));
    for estate in &world.estates {
        match read(estate, &wanted, now).await {
            Ok((read, of_estate)) => {
                entries.extend(read);
                pauses.extend(of_estate);
            }
            Err(error) if world.estates.len() == 1 => return Err(error),
            // The others are shown.
            Err(error) => {
                output::problem(&format!("{}: {error:#}", estate.name));
                ending = Ending::Error;
            }
        }
    }
    entries.sort_by(|a, b| a.key().cmp(&b.key()));
    // A line that is not understood takes nobody's place.
    let read = |entry: Entry| Some((entry.head.at, entry.read()?));
    let records = entries.into_iter().rev().filter_map(read).take(args.limit);
    let pauses = pauses.into_iter().map(|pause: Pause| (pause.at.unwrap_or_default(), Shown::Pause(pause)));
    let mut shown: Vec<(Time, Shown)> = records.chain(pauses).collect();
    shown.sort_by_key(|(at, _)| Reverse(*at));
    shown.truncate(args.limit);
    let shown: Vec<Shown> = shown.into_iter().rev().map(|(_, one)| one).collect();
    // What is no environment any more may have records.
    if shown.is_empty() {
        world::ensure_known(&world, args.environment.as_deref())?;
    }
    match common.format {
        Format::Json => {
            let shown = shown.iter().map(Shown::in_full);
            output::json(&shown.collect::<Result<Vec<_>, serde_json::Error>>()?)?;
        }
        Format::Text if shown.is_empty() => output::line(&wanted.none()),
        Format::Text => shown.iter().for_each(|one| match one {
            Shown::Record(record) => output::line(&describe(record)),
            Shown::Bare(revert) => output::line(&describe_bare(revert)),
            Shown::Pause(pause) => output::line(&describe_pause(pause)),
            Shown::NotOurs { head, .. } => output::line(&format!(
                "{} {}/{} {} NOT OURS: no key in `record` proves this record, and it counts for nothing. It may be from \
                 before a key was set. If an agent wrote it with an earlier key, add that key to `record.old_keys`",
                head.at,
                head.environment,
                head.service,
                head.deployment.map_or_else(|| "-".to_owned(), |commit| commit.short())
            )),
        }),
    }
    Ok(ending)
}

/// The newest entries of one repository, and the pauses in its list, as it is now.
async fn read(
    estate: &Arc<Estate>,
    wanted: &Arc<Wanted>,
    now: Time,
) -> anyhow::Result<(Vec<Entry>, Vec<Pause>)> {
    output::progress("fetching", fetch(estate)).await?;
    let (estate, wanted) = (Arc::clone(estate), Arc::clone(wanted));
    let reading = tokio::task::spawn_blocking(move || {
        let entries = entries_of(estate.repository.as_ref(), &estate.environments, &wanted, now)?;
        let list = PauseList::read(&estate.repository.pauses()?.unwrap_or_default());
        Ok::<_, RepositoryError>((
            entries,
            list.pauses.into_iter().filter(|one| wanted.has_pause(one)).collect(),
        ))
    });
    Ok(output::progress("reading", reading).await??)
}

/// The entries that may be among the newest: those of the newest commits of the branches, as far back as it takes. Only where
/// those of [`SEARCH_SECS`] are too few, all notes are looked through, which finds those on commits that are on no branch any
/// more.
fn entries_of(
    repository: &dyn Repository,
    environments: &[Arc<Environment>],
    wanted: &Wanted,
    now: Time,
) -> Result<Vec<Entry>, RepositoryError> {
    let (mut entries, mut read) = (Vec::new(), BTreeSet::new());
    let mut next = Some(SHORTEST_SECS);
    while let Some(secs) = next {
        let (mut commits, reverts) = search(repository, environments, wanted, (now, now.minus_secs(secs)))?;
        commits.extend(reverts.iter().map(|revert| revert.reverts));
        let asked: Vec<CommitId> = commits.iter().copied().collect();
        entries.clear();
        for some in asked.chunks(NOTES_AT_ONCE) {
            entries.extend(repository.notes(some)?.values().flat_map(|note| wanted.entries(note)));
        }
        add_bare(&mut entries, reverts, wanted);
        if entries.len() >= wanted.limit {
            return Ok(entries);
        }
        read = commits;
        next = longer(secs, entries.len(), wanted.limit);
    }
    repository.each_note(&mut |commit, note| {
        if !read.contains(&commit) {
            entries.extend(wanted.entries(&note));
        }
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// How far back is searched next, where so many entries were found and more are wanted: as far as they should be, with some to
/// spare, and four times as far at least. None where that was done already.
fn longer(secs: i64, found: usize, wanted: usize) -> Option<i64> {
    let times = wanted.saturating_mul(5) / found.max(1).saturating_mul(4);
    let times = i64::try_from(times).unwrap_or(i64::MAX).max(4);
    (secs < SEARCH_SECS).then(|| secs.saturating_mul(times).min(SEARCH_SECS))
}

/// The commits of the branches since some time, and the reverts among them. Of a service only those that changed its files:
/// what is written about it is on them.
fn search(
    repository: &dyn Repository,
    environments: &[Arc<Environment>],
    wanted: &Wanted,
    (now, since): (Time, Time),
) -> Result<(BTreeSet<CommitId>, Vec<RevertEntry>), RepositoryError> {
    let (mut commits, mut reverts) = (BTreeSet::new(), Vec::new());
    let mut of_branch: BTreeMap<&BranchName, Vec<&Environment>> = BTreeMap::new();
    for environment in environments {
        if wanted.environment.as_ref().is_none_or(|name| name == environment.name.as_str()) {
            of_branch.entry(&environment.branch).or_default().push(environment);
        }
    }
    let service = wanted.service.as_ref().and_then(|name| ServiceName::new(name).ok());
    for (branch, environments) in of_branch {
        let scopes = environments.iter().map(|environment| Tracked::new(environment, service.as_ref()));
        // Of all services the files of reverts are enough: no other commit is of a time for which files are asked.
        let (diffs_since, diffs_until) =
            if service.is_some() { (since, now) } else { (now, now.minus_secs(1)) };
        let query = HistoryQuery {
            branch,
            commits_since: since,
            diffs_since,
            diffs_until,
            now,
            scope: &Any::new(scopes.collect()),
        };
        if service.is_some() {
            // It has the repository write down which files the commits changed: next time they are found at once. A branch that is
            // gone is told below.
            drop(repository.deepen(branch, since));
        }
        let mut detectors: Vec<Detector<'_>> =
            environments.iter().map(|environment| Detector::new(environment)).collect();
        let walked = repository.walk(&query, &mut |commit| {
            if service.is_none() || !commit.files.is_empty() {
                reverts.extend(detectors.iter_mut().flat_map(|one| one.next_with_reverts(&commit).1));
                commits.insert(commit.id);
            }
            ControlFlow::Continue(())
        });
        match walked {
            // A branch that is gone has no reverts to show; the others still have.
            Ok(_) | Err(RepositoryError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((commits, reverts))
}

/// Adds the reverts of which no record tells. What went back with another service of its group may have been found healthy before, and
/// nothing is recorded of it after that.
fn add_bare(entries: &mut Vec<Entry>, reverts: Vec<RevertEntry>, wanted: &Wanted) {
    let own = entries.iter().filter(|entry| !matches!(entry.what, What::NotOurs(_)));
    let known: BTreeSet<String> = own.map(|entry| entry.key().1.to_owned()).collect();
    let names = |entry: &Entry, commit: &str| match &entry.what {
        What::Line(line) => line.contains(commit),
        What::NotOurs(_) | What::Bare(_) => false,
    };
    let is_silent = |revert: &RevertEntry| {
        let commit = revert.commit.to_string();
        !revert.is_of_bad()
            && !entries.iter().any(|entry| entry.head.id == revert.id && names(entry, &commit))
    };
    let is_bare = |revert: &RevertEntry| revert.requested || !known.contains(&revert.id) || is_silent(revert);
    let bare: Vec<RevertEntry> = reverts.into_iter().filter(is_bare).collect();
    entries.extend(bare.into_iter().map(Entry::bare).filter(|entry| entry.is_of(wanted)));
}

fn describe_bare(revert: &RevertEntry) -> String {
    let why = match &revert.together_with {
        Some(with) if !revert.is_of_bad() => format!("it went back with {with}, of the same group"),
        Some(_) | None if revert.requested => "a person decided it".to_owned(),
        Some(_) | None => "no record that counts tells why".to_owned(),
    };
    format!(
        "{} {}/{} {} reverted by {}: {why}",
        revert.at,
        revert.environment,
        revert.service,
        revert.reverts.short(),
        revert.commit.short()
    )
}

fn describe_pause(pause: &Pause) -> String {
    let lifted = pause.lifted.as_ref().map_or_else(String::new, |lifted| {
        let why = lifted.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        format!("; resumed by {} at {}{why}", lifted.by, lifted.at)
    });
    let at = pause.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let (what, by, until, why) = (pause.what(), &pause.by, pause.until, &pause.why);
    output::plain(&format!("{at} {what} paused by {by} until {until}: {why}{lifted}"))
}

fn describe(record: &Record) -> String {
    match record {
        Record::Verdict(verdict) => {
            let why = verdict.decision.why().unwrap_or(&verdict.judgement.reason);
            let revert = verdict.revert.filter(|_| verdict.decision == Decision::Revert);
            let by = revert.map_or_else(String::new, |id| format!(" by {}", id.short()));
            format!(
                "{} {}/{} {} {}, {}{by}: {}",
                verdict.at,
                verdict.environment,
                verdict.service,
                verdict.deployment.short(),
                verdict.judgement.verdict.word(),
                verdict.decision.word(),
                output::plain(why)
            )
        }
        Record::Review(review) => {
            let outcome = review.outcome.words();
            format!(
                "{} {}/{} {} {outcome}: {}",
                review.at,
                review.environment,
                review.service,
                review.deployment.short(),
                output::plain(&review.reason)
            )
        }
        Record::Pin(pin) => {
            let outcome = pin.outcome.words();
            format!(
                "{} {}/{} {} {outcome}: {} ({})",
                pin.at,
                pin.environment,
                pin.service,
                pin.deployment.short(),
                output::plain(&pin.reason),
                output::plain(&pin.pin)
            )
        }
        Record::Seen(seen) => format!("{} {} seen at {}", seen.at, seen.branch, seen.tip.short()),
        Record::Recovery(recovery) => {
            format!(
                "{} {}/{} {} {}: {}",
                recovery.at,
                recovery.environment,
                recovery.service,
                recovery.deployment.short(),
                recovery.outcome.words(recovery.revert),
                output::plain(&recovery.reason)
            )
        }
    }
}
