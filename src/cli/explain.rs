//! `backout explain`: derives a recorded verdict again from its evidence alone, and asks the guards again with the facts that were
//! recorded.

use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Context as _;

use super::chart::plot;
use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::{Estate, World, fetch};
use crate::domain::chart::Chart;
use crate::domain::decision::{Decision, Facts, GUARDS, GuardAnswer, Replay, VerdictKind, summary};
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::CommitId;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::ports::{Repository, RepositoryError};
use crate::record::{self, Record, RecoveryRecord, VerdictRecord};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The deployment's commit, or the one that took it back
    deployment: String,
    /// Only this service
    #[arg(long)]
    service: Option<String>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: ExplainArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let (commit, mut records) = find_records(&world, &args.deployment).await?;
    let is_of = |record: &Record, name: &String| {
        record.subject().is_some_and(|(_, service)| service.as_str() == name)
    };
    records.retain(|record| args.service.as_ref().is_none_or(|name| is_of(record, name)));
    let verdicts: Vec<&VerdictRecord> = records.iter().filter_map(Record::as_verdict).collect();
    anyhow::ensure!(
        !verdicts.is_empty(),
        "no verdict about {} is recorded. The agent records one when it decides about a deployment: not while it still watches \
         the deployment, and not where a person reverted it before that. A record that no key in `record` proves does not count: \
         `backout history` shows it as NOT OURS",
        commit.short()
    );
    let derived: Vec<Judgement> = verdicts.iter().map(|verdict| judge(&verdict.evidence)).collect();
    match common.format {
        Format::Json => {
            let pairs = verdicts.iter().zip(&derived).map(|(recorded, derived)| {
                let same = follows(recorded, derived) && guards_follow(recorded);
                let guards: Vec<serde_json::Value> = recorded.guards.iter().map(as_json).collect();
                let since: Vec<&RecoveryRecord> = since_revert(&records, recorded).collect();
                let recorded = recorded.in_full()?;
                Ok(serde_json::json!({
                    "recorded": recorded, "derived": derived, "guards": guards, "same": same, "since": since
                }))
            });
            output::json(&pairs.collect::<Result<Vec<_>, serde_json::Error>>()?)?;
        }
        Format::Text => {
            for (recorded, derived) in verdicts.iter().zip(&derived) {
                output::text(&describe(recorded, derived, since_revert(&records, recorded)));
            }
        }
    }
    let is_same = |(recorded, derived): (&&VerdictRecord, &Judgement)| {
        follows(recorded, derived) && guards_follow(recorded)
    };
    let same = verdicts.iter().zip(&derived).all(is_same);
    Ok(if same { Ending::Quiet } else { Ending::Error })
}

/// Whether what is recorded follows from its evidence. Where no signal was asked, nothing has to follow.
fn follows(recorded: &VerdictRecord, derived: &Judgement) -> bool {
    recorded.judgement == *derived || is_unasked(recorded)
}

/// Whether a guard that was asked about another verdict than the recorded one is among these.
fn is_of_other_verdict(recorded: &VerdictRecord, answer: &GuardAnswer) -> bool {
    let asked_about = answer.facts.as_ref().and_then(Facts::verdict);
    asked_about.is_some_and(|kind| kind != VerdictKind::of(&recorded.judgement.verdict))
}

/// Whether what the guards are recorded to have said follows from the facts that are recorded with it. Without facts, nothing has
/// to follow.
fn guards_follow(recorded: &VerdictRecord) -> bool {
    recorded.guards.iter().all(|answer| {
        !matches!(answer.replayed(), Replay::Other(_)) && !is_of_other_verdict(recorded, answer)
    })
}

/// A guard that was asked again: what it says, and whether that was recorded; both are null where its facts were not.
fn as_json(answer: &GuardAnswer) -> serde_json::Value {
    let (derived, same) = match answer.replayed() {
        Replay::Same => (answer.decision.clone(), Some(true)),
        Replay::Other(derived) => (derived, Some(false)),
        Replay::NoFacts => (None, None),
    };
    serde_json::json!({"guard": answer.guard, "derived": derived, "same": same})
}

/// What was recorded about the revert that a verdict led to, after the revert.
fn since_revert<'r>(
    records: &'r [Record],
    verdict: &VerdictRecord,
) -> impl Iterator<Item = &'r RecoveryRecord> {
    let (id, revert) = (verdict.id.clone(), verdict.revert);
    let recoveries = records.iter().filter_map(Record::as_recovery);
    recoveries.filter(move |one| one.id == id && Some(one.revert) == revert)
}

/// Whether a deployment was left to a person without being judged, such as one that nobody has watched.
fn is_unasked(recorded: &VerdictRecord) -> bool {
    recorded.evidence.signals.is_empty() && matches!(recorded.judgement.verdict, Verdict::Inconclusive(_))
}

/// The records of a deployment, from every repository that has its commit.
async fn find_records(world: &World, revision: &str) -> anyhow::Result<(CommitId, Vec<Record>)> {
    let (mut found, mut reasons): (Option<(CommitId, Vec<Record>)>, Vec<String>) = Default::default();
    for estate in &world.estates {
        match records_in(estate, revision).await {
            Ok((commit, records)) => {
                found.get_or_insert_with(|| (commit, Vec::new())).1.extend(records);
            }
            Err(reason) => reasons.push(format!("{reason:#}")),
        }
    }
    found.with_context(|| reasons.join("\n"))
}

async fn records_in(estate: &Estate, revision: &str) -> anyhow::Result<(CommitId, Vec<Record>)> {
    output::progress("fetching", fetch(estate)).await?;
    let (repository, revision) = (Arc::clone(&estate.repository), revision.to_owned());
    Ok(tokio::task::spawn_blocking(move || records_of(repository.as_ref(), &revision)).await??)
}

/// The records of a deployment, which may also be named by the commit that took it back.
fn records_of(
    repository: &dyn Repository,
    revision: &str,
) -> Result<(CommitId, Vec<Record>), RepositoryError> {
    let commit = repository.resolve(revision)?;
    // What a revert took back its message says.
    let made = repository.commit(commit)?;
    let reverted = OwnTrailers::find(&made.message).and_then(|own| own.reverts());
    let took_back = |record: &Record| match record {
        Record::Verdict(verdict) => verdict.revert == Some(commit),
        Record::Recovery(recovery) => recovery.revert == commit,
        Record::Review(_) | Record::Pin(_) | Record::Seen(_) => false,
    };
    let notes = repository.notes(&[Some(commit), reverted].into_iter().flatten().collect::<Vec<_>>())?;
    if let Some(note) = notes.get(&commit) {
        // A note on a revert may hold something else, such as where the branch was seen.
        let records = record::read(note);
        if records.iter().any(|record| record.as_verdict().is_some()) {
            return Ok((commit, records));
        }
    }
    let of_reverted = reverted.and_then(|reverted| notes.get(&reverted));
    let mut records: Vec<Record> =
        of_reverted.into_iter().flat_map(|note| record::read(note)).filter(took_back).collect();
    if records.is_empty() {
        repository.each_note(&mut |_, note| {
            records.extend(record::read(&note).into_iter().filter(took_back));
            ControlFlow::Continue(())
        })?;
    }
    Ok((commit, records))
}

fn describe<'r>(
    recorded: &VerdictRecord,
    derived: &Judgement,
    since: impl Iterator<Item = &'r RecoveryRecord>,
) -> String {
    let mut lines = vec![
        format!(
            "{} in {}: {}, decided {} at {}",
            recorded.service,
            recorded.environment,
            recorded.judgement.verdict.word(),
            recorded.decision.word(),
            recorded.at
        ),
        match recorded.evidence.after_revert {
            Some(revert) => {
                format!(
                    "  brought back at {} by {revert}, a revert that did not help",
                    recorded.evidence.deployed_at
                )
            }
            None => format!("  deployed at {} by {}", recorded.evidence.deployed_at, recorded.deployment),
        },
        format!(
            "  {}",
            output::plain(if is_unasked(recorded) { &recorded.judgement.reason } else { &derived.reason })
        ),
    ];
    for (finding, signal) in derived.findings.iter().zip(&recorded.evidence.signals) {
        lines.push(format!("  {}: {}", finding.signal, finding.verdict.word()));
        lines.push(format!("    {}", output::plain(&finding.reason)));
        let reverted_at = recorded.revert.map(|_| recorded.at);
        let chart = Chart::of(&recorded.evidence, signal, finding).map(|chart| chart.reverted(reverted_at));
        lines.extend(chart.iter().flat_map(plot).map(|line| format!("    {line}")));
        let asked = if signal.asked.is_empty() { "(not kept)" } else { &signal.asked };
        lines.push(format!("    asked {}: {}", signal.signal.source, output::plain(asked)));
        lines
            .extend(signal.warnings.iter().map(|warning| format!("    warning: {}", output::plain(warning))));
    }
    if !recorded.guards.is_empty() {
        lines.push(format!("  {}", output::plain(&summary(&recorded.guards))));
    }
    lines.extend(recorded.guards.iter().flat_map(describe_guard));
    lines.extend(recorded.revert.map(|revert| format!("  reverted by {revert}")));
    let told = since.map(|one| {
        format!("    {}: {}: {}", one.at, one.outcome.words(one.revert), output::plain(&one.reason))
    });
    lines.extend(told);
    if let Some(proposal) = &recorded.proposal {
        lines.push(format!("  proposed on {}", proposal.branch));
        lines.extend(proposal.review.iter().map(|review| format!("  in {}", output::plain(&review.url))));
    }
    lines.push(if is_unasked(recorded) {
        "  no signal was asked, so that nothing follows from the record".to_owned()
    } else if follows(recorded, derived) {
        "  derived again from the record: the same verdict".to_owned()
    } else {
        format!("  derived again from the record: {}, NOT as recorded", derived.verdict.word())
    });
    lines.extend(replay(recorded).map(|told| format!("  {told}")));
    lines.join("\n") + "\n"
}

/// What a guard said, and the facts from which it said it.
fn describe_guard(answer: &GuardAnswer) -> Vec<String> {
    let said = said(answer.decision.as_ref());
    let mut lines = vec![format!("    {}: {said}", output::plain(&answer.guard))];
    let facts = answer.facts.iter().flat_map(Facts::lines);
    lines.extend(facts.map(|fact| format!("      {}", output::plain(&fact))));
    if let Replay::Other(derived) = answer.replayed() {
        lines.push(format!(
            "      asked again with these facts: {}, NOT as recorded",
            self::said(derived.as_ref())
        ));
    }
    lines
}

fn said(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else { return "passed".to_owned() };
    let why = decision.why().map_or_else(String::new, |why| format!(": {}", output::plain(why)));
    format!("{}{why}", decision.word())
}

/// What came of asking the guards again; none where none was asked.
fn replay(recorded: &VerdictRecord) -> Option<String> {
    let is_guard = |answer: &&GuardAnswer| GUARDS.iter().any(|guard| guard.name == answer.guard);
    let asked: Vec<&GuardAnswer> = recorded.guards.iter().filter(is_guard).collect();
    let differ = asked.iter().filter(|answer| matches!(answer.replayed(), Replay::Other(_)));
    let differ: Vec<&str> = differ.map(|answer| answer.guard.as_str()).collect();
    let unknown = asked.iter().filter(|answer| answer.replayed() == Replay::NoFacts).count();
    if !differ.is_empty() {
        return Some(format!("asked again with the recorded inputs: NOT as recorded: {}", differ.join(", ")));
    }
    if asked.iter().any(|answer| is_of_other_verdict(recorded, answer)) {
        return Some("the guards were asked about another verdict than the one that is recorded".to_owned());
    }
    match unknown {
        0 if asked.is_empty() => None,
        0 => Some("the guards, asked again with the recorded inputs: the same answers".to_owned()),
        all if all == asked.len() => Some("the inputs of the guards were not recorded".to_owned()),
        some => {
            Some(format!("the guards, asked again: the same answers; of {some} the inputs were not recorded"))
        }
    }
}
