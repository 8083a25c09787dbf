//! Writing down what was decided: the report for the command line, the record in the notes, and what the forge shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::announce::{Announced, announce};
use super::comments::Comments;
use super::issues::OpenIssues;
use super::looks::add_looks;
use super::notes::{Lines, review_record};
use crate::agent::act::due::Settled;
use crate::agent::caught::caught;
use crate::agent::judge::judged::Judged;
use crate::agent::look::artifacts::ran_artifacts;
use crate::agent::look::context::{Intent, Pass};
use crate::agent::look::precedents::precedents_of;
use crate::agent::look::records::read_records;
use crate::agent::look::state::State;
use crate::agent::report::{EnvironmentReport, Incident, Item};
use crate::domain::artifact::named::MAX_ARTIFACTS;
use crate::domain::artifact::{Artifact, ArtifactsTold, RanArtifact};
use crate::domain::change::Change;
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::{Decision, GuardAnswer, Turn, is_incident, is_of_incident};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::artifacts::brought_by;
use crate::domain::deployment::lineage::Goal;
use crate::domain::ids::{BranchName, CommitId, ServiceName};
use crate::domain::judge::lean::{lean, without_idle};
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{Proposal, Record, VERSION, VerdictRecord};

/// Writes the report, and the notes for everything that is settled.
pub(in crate::agent) async fn write_down(
    pass: &Pass<'_>,
    state: &State,
    settled: Vec<Settled>,
    report: &mut EnvironmentReport,
) {
    let settled: Vec<Settled> = settled.into_iter().map(lightened).collect();
    // Where that cannot be read, what is written twice is found to say the same when it is appended.
    let records = records_of(pass, &settled).await.unwrap_or_else(|error| {
        report.problems.push(error.to_string());
        BTreeMap::new()
    });
    let written = already_written(pass, state, &settled, &records);
    let mut lines = Lines::default();
    let mut issues = OpenIssues::default();
    let mut comments = Comments::new(&settled);
    let mut still_bad: Vec<String> = Vec::new();
    for one in &settled {
        let id = one.judged.deployment.id.clone();
        let mut item = item(one);
        let told_before = one.judged.told_before.as_ref().map(|(_, told)| told);
        let waits = item.decision == Decision::Wait && turn_of(&item).is_some();
        if told_before.is_some_and(|told| !is_news(&item, told)) && !waits {
            still_bad.extend(one.judged.told_before.as_ref().and_then(|(at, _)| as_told(&item, *at)));
            continue;
        }
        let brought = brought_by(&one.judged.deployment);
        item.elsewhere = precedents_of(pass, &brought, one.judged.policy.quarantine_secs).await;
        item.revert = item.revert.or_else(|| {
            state
                .landed
                .iter()
                .find(|entry| one.judged.deployment.was_taken_back_by(entry))
                .map(|entry| entry.commit)
        });
        let is_new = told_before.is_some() || !written.contains(&id);
        let announced = match item.decision != Decision::Wait && is_new {
            true if pass.intent == Intent::Plan => Some(Announced::default()),
            true => announced(pass, one, &item, &mut issues, report).await,
            false => None,
        };
        if let Some(announced) = announced {
            comments.add(pass, one, &item, announced.url.as_deref());
            let ran = ran_artifacts(pass, &one.judged.deployment).await;
            let verdict = verdict_record(pass, one, &item, ran);
            let ended =
                one.receipt.as_ref().and_then(|receipt| review_record(&verdict, verdict.at, None, receipt));
            let ended = ended.map(|ended| Record::Review(Box::new(ended)));
            for record in std::iter::once(Record::Verdict(Box::new(verdict))).chain(ended) {
                lines.add(item.deployment, &item.service, &record, report);
            }
        }
        if waits && is_new && told_before.is_none() {
            add_cause(pass, one, &item, &mut lines, report).await;
        }
        report.items.push(item);
    }
    report.incident = Incident::of(&report.items, is_told_incident(pass, state, &settled));
    if pass.intent == Intent::Plan {
        report.facts.extend(told_and_bad(&still_bad));
    } else if let Err(panic) = caught(comments.write(pass, state, &records, report)).await {
        report.problems.push(format!("the comments cannot be written: {panic}"));
    }
    if let Err(error) = add_looks(pass, state, &settled, &mut lines).await {
        report.problems.push(error.to_string());
    }
    lines.append(pass, report).await;
}

/// Shows one deployment on the forge. Whatever goes wrong there, what was done is written down.
async fn announced(
    pass: &Pass<'_>,
    one: &Settled,
    item: &Item,
    issues: &mut OpenIssues,
    report: &mut EnvironmentReport,
) -> Option<Announced> {
    caught(announce(pass, one, item, issues, report)).await.unwrap_or_else(|panic| {
        report
            .problems
            .push(format!("the verdict on {} cannot be shown on the forge: {panic}", item.service));
        Some(Announced::default())
    })
}

/// Whether the services that are red at once were an incident before this pass, of which a person was told. Each of them was
/// found red in this pass too, whatever the notes say. What a person has reverted since does not count: they are at work on it,
/// and what joins then is news to them.
fn is_told_incident(pass: &Pass<'_>, state: &State, settled: &[Settled]) -> bool {
    let is_told = |one: &&Settled| {
        one.judged.told_before.is_some() && one.judged.judgement.verdict == Verdict::Regressed
    };
    let told = settled.iter().filter(is_told).map(|one| &one.judged.deployment);
    let is_part = |one: &Deployment| {
        state.verdicts(one).any(|verdict| is_of_incident(&verdict.decision, &verdict.guards))
    };
    let own = state.recovering(pass).into_iter();
    let own = own.filter(|one| state.revert_of(one).is_some_and(|entry| !entry.requested));
    told.clone().any(is_part) && is_incident(told.chain(own), pass.environment.budget)
}

/// A deployment that is still bad and that a person has been told of, in words.
fn as_told(item: &Item, at: Time) -> Option<String> {
    let is_bad = item.judgement.verdict == Verdict::Regressed;
    is_bad.then(|| format!("{} {} (told at {at})", item.service, item.deployment.short()))
}

/// The most deployments that are named in one note.
const MAX_NAMED: usize = 20;

/// What is bad and was told before, for who asks what a pass would do: it does nothing more about it.
fn told_and_bad(bad: &[String]) -> Option<String> {
    let named = bad.get(..MAX_NAMED).unwrap_or(bad).join(", ");
    let more = bad.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!bad.is_empty()).then(|| format!("told before, and still bad: {named}{more}"))
}

/// Writes down the verdict on a bad service that waits for its turn, with its evidence: because of it others of its group go back already.
async fn add_cause(
    pass: &Pass<'_>,
    one: &Settled,
    item: &Item,
    lines: &mut Lines,
    report: &mut EnvironmentReport,
) {
    if turn_of(item).is_some_and(|turn| turn.with == item.service) {
        let ran = ran_artifacts(pass, &one.judged.deployment).await;
        let record = Record::Verdict(Box::new(verdict_record(pass, one, item, ran)));
        lines.add(item.deployment, &item.service, &record, report);
    }
}

/// Its turn in a group that goes back one service after another.
fn turn_of(item: &Item) -> Option<&Turn> {
    item.guards.iter().find_map(GuardAnswer::turn)
}

/// Whether a person has not been told yet what came of judging a deployment again.
fn is_news(item: &Item, told: &Decision) -> bool {
    if *told == Decision::Wait {
        return item.decision != Decision::Wait;
    }
    let is_told_revert = matches!(told, Decision::Revert | Decision::Propose);
    match (&item.receipt, &item.decision) {
        // On a branch alone it was put in this pass, whatever the notes say: what was there is only planned again.
        (Some(Receipt::Pushed(_) | Receipt::Merged(_) | Receipt::Proposed { review: None, .. }), _) => true,
        (Some(_), _) | (None, Decision::Revert | Decision::Propose) => !is_told_revert,
        (None, Decision::Escalate(_)) => !matches!(told, Decision::Escalate(_)),
        (None, Decision::Wait | Decision::Hold(_) | Decision::Pass(_)) => false,
    }
}

/// What is written down about the commits of these deployments, as of now.
async fn records_of(
    pass: &Pass<'_>,
    settled: &[Settled],
) -> Result<BTreeMap<CommitId, Vec<Record>>, RepositoryError> {
    read_records(pass, settled.iter().map(|one| one.judged.deployment.commit).collect()).await
}

/// The rollback ids that another agent has written a verdict for in the meantime.
fn already_written(
    pass: &Pass<'_>,
    state: &State,
    settled: &[Settled],
    records: &BTreeMap<CommitId, Vec<Record>>,
) -> BTreeSet<String> {
    let judged: BTreeMap<&String, &Judged> =
        settled.iter().map(|one| (&one.judged.deployment.id, &one.judged)).collect();
    let verdicts = records.values().flatten().filter_map(Record::as_verdict);
    // What was said when it was deployed says nothing about it after it was brought back.
    let is_of_same = |verdict: &VerdictRecord, judged: &Judged| {
        let after_revert = judged.evidence.after_revert;
        after_revert.is_none() || verdict.evidence.after_revert == after_revert
    };
    let settling = verdicts.filter(|verdict| {
        let judged = judged.get(&verdict.id);
        // After a revert that is gone from the branch the deployment is open again, and what comes of it is news.
        judged.is_some_and(|judged| {
            verdict.settles(judged.policy.mode)
                && !state.is_released(pass, &judged.deployment, verdict)
                && is_of_same(verdict, judged)
                && state.gone_revert(&judged.deployment, verdict).is_none()
        })
    });
    settling.map(|verdict| verdict.id.clone()).collect()
}

/// The same of a healthy deployment with as little evidence as it takes, and with what follows from that: what is recorded and
/// shown is what was judged.
fn lightened(mut settled: Settled) -> Settled {
    let Settled { judged, decision, guards, .. } = &mut settled;
    let whole = Decision::Pass(judged.judgement.reason.clone());
    if *decision != whole {
        return settled;
    }
    let Some((evidence, judgement)) = lean(&judged.evidence, &judged.judgement) else { return settled };
    let light = Decision::Pass(judgement.reason.clone());
    for answer in guards.iter_mut().filter(|answer| answer.decision.as_ref() == Some(&whole)) {
        answer.facts = answer.facts.take().map(|facts| facts.with_reason(&judgement.reason));
        answer.decision = Some(light.clone());
    }
    *decision = light;
    (judged.evidence, judged.judgement) = (evidence, judgement);
    settled
}

/// What the report says of a deployment.
fn item(settled: &Settled) -> Item {
    let Settled { judged, decision, guards, planned, receipt } = settled;
    let mut item = Item {
        service: judged.deployment.service.clone(),
        deployment: judged.deployment.commit,
        subject: judged.deployment.subject.clone(),
        deployed_at: judged.deployment.at,
        landing: judged.deployment.landing,
        judgement: judged.judgement.clone(),
        evidence: Arc::new(judged.evidence.clone()),
        put_back: judged.put_back.clone(),
        decision: decision.clone(),
        guards: guards.clone(),
        plan: planned.as_ref().map(|(change, _)| change.to_string()),
        is_to_good: matches!(judged.goal, Some(Goal::Undo(..))),
        with: others(planned.as_ref().map(|(change, _)| &**change)),
        artifacts: judged.artifacts.told().unless_empty(),
        elsewhere: Vec::new(),
        diff: planned.as_ref().map(|(_, diff)| diff.clone()),
        revert: None,
        receipt: None,
    };
    match receipt {
        // The pass was asked to end before it came to this one: the next pass decides anew.
        None if matches!(item.decision, Decision::Revert | Decision::Propose) => {
            item.decision = Decision::Wait;
        }
        None => {}
        Some(receipt) => {
            let branch = planned.as_ref().and_then(|(change, _)| change.proposal_branch());
            received(&mut item, branch, receipt);
        }
    }
    item
}

/// The other services that a revert takes back too.
fn others(change: Option<&Change>) -> Vec<ServiceName> {
    change.map_or(&[][..], Change::others).iter().map(|other| other.service.clone()).collect()
}

/// What a receipt makes of a decision.
fn received(item: &mut Item, branch: Option<BranchName>, receipt: &Receipt) {
    match receipt {
        // Worked out for the person who must decide.
        Receipt::Planned if matches!(item.decision, Decision::Escalate(_)) => {}
        Receipt::Planned => item.receipt = Some(Receipt::Planned),
        Receipt::Postponed => item.decision = Decision::Wait,
        Receipt::Pushed(commit) => {
            item.decision = Decision::Revert;
            item.revert = Some(*commit);
            item.receipt = Some(receipt.clone());
        }
        Receipt::Proposed { review, .. } => {
            // Without a pull request nothing merges itself.
            if review.is_none() {
                item.decision = Decision::Propose;
            }
            item.receipt = Some(receipt.clone());
        }
        Receipt::Merged(_) => {
            item.decision = Decision::Revert;
            item.receipt = Some(receipt.clone());
        }
        // It is watched on: what cannot be proposed because of another environment settles nothing.
        Receipt::Superseded(_) | Receipt::Refused(_) if item.guards.iter().any(GuardAnswer::is_early) => {
            item.decision = Decision::Wait;
        }
        Receipt::Superseded(why) => item.decision = Decision::Pass(why.clone()),
        Receipt::Declined { .. } => item.decision = Decision::Hold(receipt.to_string()),
        Receipt::Stuck { review, head, merged, why } => {
            // What is not merged yet is followed on.
            item.receipt = branch.filter(|_| !merged).map(|branch| Receipt::Proposed {
                branch,
                commit: *head,
                review: Some(review.clone()),
                waits_for: why.clone(),
            });
            item.decision = Decision::Escalate(receipt.to_string());
        }
        Receipt::Refused(why) => item.decision = Decision::Escalate(why.clone()),
    }
}

fn verdict_record(pass: &Pass<'_>, settled: &Settled, item: &Item, ran: Vec<RanArtifact>) -> VerdictRecord {
    let judged = &settled.judged;
    let brought = brought_by(&judged.deployment);
    let brought = brought.iter().take(MAX_ARTIFACTS).map(Artifact::to_string).collect();
    VerdictRecord {
        version: VERSION,
        id: judged.deployment.id.clone(),
        environment: judged.deployment.environment.clone(),
        service: judged.deployment.service.clone(),
        deployment: judged.deployment.commit,
        at: pass.now,
        judgement: judged.judgement.clone(),
        decision: item.decision.clone(),
        guards: item.guards.clone(),
        revert: item.revert,
        proposal: item.receipt.as_ref().and_then(Proposal::of),
        artifacts: ArtifactsTold { brought, ran, ..judged.artifacts.told() }.unless_empty(),
        elsewhere: item.elsewhere.clone(),
        evidence: without_idle(&judged.evidence, &judged.judgement),
        config: pass.world.config.chars().take(CONFIG_DIGITS).collect(),
    }
}

/// How many digits of the configuration's hash are recorded: it tells some thousand configurations apart.
const CONFIG_DIGITS: usize = 16;
