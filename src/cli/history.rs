//! `backout history`: the audit log, read back from Git.

use std::sync::Arc;

use super::{Common, Ending, Format, output, world};
use crate::record::{self, Record, Recovery};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
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

/// Runs the command.
pub(super) async fn run(common: &Common, args: Args) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    output::progress("fetching", world::fetch(&world)).await?;
    let repository = Arc::clone(&world.repository);
    let notes = tokio::task::spawn_blocking(move || repository.all_notes()).await??;
    let mut records: Vec<Record> = notes.values().flat_map(|note| record::read(note)).collect();
    records.retain(|record| {
        args.service.as_ref().is_none_or(|name| record.service().as_str() == name)
            && args.environment.as_ref().is_none_or(|name| record.environment().as_str() == name)
    });
    records.sort_by_key(|record| (record.at(), record.id().to_owned()));
    let records = records.split_off(records.len().saturating_sub(args.limit));
    match common.format {
        Format::Json => output::json(&records)?,
        Format::Text if records.is_empty() => output::line("no records yet"),
        Format::Text => records.iter().for_each(|record| output::line(&describe(record))),
    }
    Ok(Ending::Quiet)
}

fn describe(record: &Record) -> String {
    match record {
        Record::Verdict(verdict) => {
            let why = verdict.decision.why().unwrap_or(&verdict.judgement.reason);
            let by = verdict.revert.map_or_else(String::new, |id| format!(" by {}", id.short()));
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
        Record::Recovery(recovery) => {
            let outcome = match recovery.outcome {
                Recovery::Recovered => "recovered",
                Recovery::NotRecovered => "NOT recovered",
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
