//! `backout history`: the audit log, read back from Git.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;

use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::{Estate, fetch};
use crate::domain::decision::Decision;
use crate::domain::deployment::Detector;
use crate::domain::environment::Environment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::Tracked;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};
use crate::record::{self, Record, Recovery, ReviewOutcome};

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
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// How far back a branch is searched for reverts that have no record, such as those that a person asked for.
const SEARCH_SECS: i64 = 90 * 86_400;

/// One line of the log.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    /// A record in the notes.
    Record(Box<Record>),
    /// A revert on a branch that has none.
    Bare {
        kind: &'static str,
        #[serde(flatten)]
        revert: RevertEntry,
    },
}

impl Entry {
    fn key(&self) -> (Time, &str) {
        match self {
            Self::Record(record) => (record.at(), record.id().unwrap_or_default()),
            Self::Bare { revert, .. } => (revert.at, &revert.id),
        }
    }

    fn is_of(&self, environment: Option<&str>, service: Option<&str>) -> bool {
        let subject = match self {
            Self::Record(record) => record.subject(),
            Self::Bare { revert, .. } => Some((&revert.environment, &revert.service)),
        };
        // A look at a branch is of no service. It is not what people ask for.
        let Some((of_environment, of_service)) = subject else { return false };
        environment.is_none_or(|name| name == of_environment.as_str())
            && service.is_none_or(|name| name == of_service.as_str())
    }
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: HistoryArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let now = world.clock.now();
    let (mut entries, mut ending) = (Vec::new(), Ending::Quiet);
    for estate in &world.estates {
        match read(estate, now).await {
            Ok(read) => entries.extend(read),
            Err(error) if world.estates.len() == 1 => return Err(error),
            // The others are shown.
            Err(error) => {
                output::problem(&format!("{}: {error:#}", estate.name));
                ending = Ending::Error;
            }
        }
    }
    entries.retain(|entry| entry.is_of(args.environment.as_deref(), args.service.as_deref()));
    entries.sort_by(|a, b| a.key().cmp(&b.key()));
    let entries = entries.split_off(entries.len().saturating_sub(args.limit));
    match common.format {
        Format::Json => output::json(&entries)?,
        Format::Text if entries.is_empty() => output::line("no records yet"),
        Format::Text => entries.iter().for_each(|entry| match entry {
            Entry::Record(record) => output::line(&describe(record)),
            Entry::Bare { revert, .. } => output::line(&describe_bare(revert)),
        }),
    }
    Ok(ending)
}

/// The entries of one repository, as it is now.
async fn read(estate: &Arc<Estate>, now: Time) -> anyhow::Result<Vec<Entry>> {
    output::progress("fetching", fetch(estate)).await?;
    let estate = Arc::clone(estate);
    let reading = tokio::task::spawn_blocking(move || {
        entries_of(estate.repository.as_ref(), &estate.environments, now)
    });
    Ok(output::progress("reading", reading).await??)
}

fn entries_of(
    repository: &dyn Repository,
    environments: &[Arc<Environment>],
    now: Time,
) -> Result<Vec<Entry>, RepositoryError> {
    let notes = repository.all_notes()?;
    let records: Vec<Record> = notes.values().flat_map(|note| record::read(note)).collect();
    let known: BTreeSet<String> =
        records.iter().filter_map(|record| record.id().map(str::to_owned)).collect();
    let mut entries: Vec<Entry> = records.into_iter().map(|record| Entry::Record(Box::new(record))).collect();
    for environment in environments {
        // The files of reverts are enough: no other commit is of a time for which files are asked.
        let query = HistoryQuery {
            branch: &environment.branch,
            commits_since: now.minus_secs(SEARCH_SECS),
            diffs_since: now,
            diffs_until: now.minus_secs(1),
            now,
            scope: &Tracked::new(environment, None),
        };
        let mut detector = Detector::new(environment);
        let walked = repository.walk(&query, &mut |commit| {
            let (_, reverts) = detector.next_with_reverts(&commit);
            let bare = reverts.into_iter().filter(|revert| revert.requested || !known.contains(&revert.id));
            entries.extend(bare.map(|revert| Entry::Bare { kind: "revert", revert }));
            ControlFlow::Continue(())
        });
        match walked {
            // A branch that is gone has no reverts to show; the others still have.
            Ok(_) | Err(RepositoryError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

fn describe_bare(revert: &RevertEntry) -> String {
    let why = if revert.requested { "a person asked for it" } else { "its record is not written yet" };
    format!(
        "{} {}/{} {} reverted by {}: {why}",
        revert.at,
        revert.environment,
        revert.service,
        revert.reverts.short(),
        revert.commit.short()
    )
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
            let outcome = match review.outcome {
                ReviewOutcome::Merged => "pull request merged",
                ReviewOutcome::NotRestored => "pull request merged, NOT restored",
                ReviewOutcome::Declined => "pull request declined",
                ReviewOutcome::Superseded => "pull request superseded",
                ReviewOutcome::Overdue => "pull request OVERDUE",
            };
            format!(
                "{} {}/{} {} {outcome}: {}",
                review.at,
                review.environment,
                review.service,
                review.deployment.short(),
                output::plain(&review.reason)
            )
        }
        Record::Seen(seen) => format!("{} {} seen at {}", seen.at, seen.branch, seen.tip.short()),
        Record::Recovery(recovery) => {
            let outcome = match recovery.outcome {
                Recovery::Recovered => "recovered",
                Recovery::NotRecovered => "NOT recovered",
                Recovery::Replaced => "replaced",
                Recovery::Unknown => "recovery unknown",
            };
            format!(
                "{} {}/{} {} {outcome} after {}: {}",
                recovery.at,
                recovery.environment,
                recovery.service,
                recovery.deployment.short(),
                recovery.revert.short(),
                output::plain(&recovery.reason)
            )
        }
    }
}
