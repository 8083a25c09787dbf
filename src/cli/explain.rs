//! `backout explain`: derives a recorded verdict again from its evidence alone.

use std::sync::Arc;

use anyhow::Context as _;

use super::{Common, Ending, Format, output, world};
use crate::domain::verdict::{Judgement, judge};
use crate::record::{self, Record, VerdictRecord};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The deployment's commit
    deployment: String,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: Args) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    output::progress("fetching", world::fetch(&world)).await?;
    let (repository, revision) = (Arc::clone(&world.repository), args.deployment.clone());
    let (commit, notes) = tokio::task::spawn_blocking(move || {
        let commit = repository.resolve(&revision)?;
        repository.notes(&[commit]).map(|notes| (commit, notes))
    })
    .await??;
    let note = notes.get(&commit).with_context(|| format!("there is no record of {}", commit.short()))?;
    let mut records = record::read(note);
    records.retain(|record| args.service.as_ref().is_none_or(|name| record.service().as_str() == name));
    let verdicts: Vec<&VerdictRecord> = records
        .iter()
        .filter_map(|record| match record {
            Record::Verdict(verdict) => Some(verdict.as_ref()),
            Record::Recovery(_) => None,
        })
        .collect();
    anyhow::ensure!(!verdicts.is_empty(), "there is no verdict on {}", commit.short());
    let derived: Vec<Judgement> = verdicts.iter().map(|verdict| judge(&verdict.evidence)).collect();
    match common.format {
        Format::Json => {
            let pairs = verdicts.iter().zip(&derived).map(|(recorded, derived)| {
                serde_json::json!({"recorded": recorded, "derived": derived, "same": recorded.judgement == *derived})
            });
            output::json(&pairs.collect::<Vec<_>>())?;
        }
        Format::Text => {
            verdicts
                .iter()
                .zip(&derived)
                .for_each(|(recorded, derived)| output::text(&describe(recorded, derived)));
        }
    }
    let same = verdicts.iter().zip(&derived).all(|(recorded, derived)| recorded.judgement == *derived);
    Ok(if same { Ending::Quiet } else { Ending::Error })
}

fn describe(recorded: &VerdictRecord, derived: &Judgement) -> String {
    let mut lines = vec![
        format!(
            "{} in {}: {}, decided {} at {}",
            recorded.service,
            recorded.environment,
            recorded.judgement.verdict.word(),
            recorded.decision.word(),
            recorded.at
        ),
        format!("  deployed at {} by {}", recorded.evidence.deployed_at, recorded.deployment),
        format!("  {}", output::plain(&derived.reason)),
    ];
    for (finding, signal) in derived.findings.iter().zip(&recorded.evidence.signals) {
        lines.push(format!("  {}: {}", finding.signal, finding.verdict.word()));
        lines.push(format!("    {}", output::plain(&finding.reason)));
        lines.push(format!("    asked {}: {}", signal.signal.source, output::plain(&signal.asked)));
        lines
            .extend(signal.warnings.iter().map(|warning| format!("    warning: {}", output::plain(warning))));
    }
    for guard in &recorded.guards {
        let said = guard.decision.as_ref().map_or("nothing against it".to_owned(), |decision| {
            let why = decision.why().map_or_else(String::new, |why| format!(": {}", output::plain(why)));
            format!("{}{why}", decision.word())
        });
        lines.push(format!("  guard {}: {said}", guard.guard));
    }
    lines.extend(recorded.revert.map(|revert| format!("  reverted by {revert}")));
    lines.extend(recorded.proposal.iter().map(|proposal| format!("  proposed on {}", proposal.branch)));
    lines.push(if recorded.judgement == *derived {
        "  derived again from the record: the same verdict".to_owned()
    } else {
        format!("  derived again from the record: {}, NOT as recorded", derived.verdict.word())
    });
    lines.join("\n") + "\n"
}
