//! Judging what is open: each deployment alone, and then those that regressed once more, beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::World;
use super::controls::add_controls;
use super::current::Subject as Going;
use super::gather::gather;
use crate::domain::change::Motive;
use crate::domain::decision::{Case, id_of};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Mode, Policy};
use crate::domain::environment::signal::Window;
use crate::domain::environment::{Environment, ServiceRule};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::evidence::{Evidence, Found, Gap, SignalEvidence};
use crate::domain::judge::question::Subject;
use crate::domain::judge::relation::{Dependencies, Red, rivals};
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;
use crate::record::{Record, VerdictRecord};

/// What a pass knows of an environment before it asks.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub world: &'a World,
    pub environment: &'a Arc<Environment>,
    pub now: Time,
    pub snapshot: &'a Snapshot,
    /// All deployments in what was read of the history, newest first.
    pub detected: &'a [Deployment],
    /// Those that are watched, or were until recently; oldest first.
    pub deployments: &'a [Deployment],
    pub reverts: &'a [RevertEntry],
    pub records: &'a BTreeMap<CommitId, Vec<Record>>,
    /// Every name by which a metric could speak of a service with a deployment.
    pub deployed: &'a BTreeSet<String>,
}

impl Known<'_> {
    fn rule(&self, deployment: &Deployment) -> Option<&ServiceRule> {
        self.environment.services.get(deployment.rule)
    }

    fn revert_of(&self, deployment: &Deployment) -> Option<&RevertEntry> {
        let id = id_of(deployment);
        self.reverts.iter().find(|entry| entry.id == id)
    }

    /// The verdicts that were written down about a deployment.
    fn verdicts(&self, deployment: &Deployment) -> impl Iterator<Item = &VerdictRecord> {
        let id = id_of(deployment);
        self.records.get(&deployment.commit).into_iter().flatten().filter_map(move |record| match record {
            Record::Verdict(verdict) => (verdict.id == id).then_some(verdict.as_ref()),
            Record::Recovery(_) | Record::Review(_) => None,
        })
    }

    /// Whether nothing is left to judge.
    fn is_settled(&self, deployment: &Deployment) -> bool {
        let mode = self.rule(deployment).map_or(Mode::Observe, |rule| rule.policy.mode);
        self.verdicts(deployment).any(|verdict| verdict.settles(mode))
    }
}

/// A deployment under judgement.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub deployment: Deployment,
    pub policy: Policy,
    pub evidence: Evidence,
    pub judgement: Judgement,
}

impl Open {
    /// What goes back, if it does.
    pub(super) fn subject(&self) -> Going<'_> {
        Going {
            deployment: &self.deployment,
            motive: Motive::Metrics(&self.judgement),
            evidence: Some(&self.evidence),
            policy: &self.policy,
        }
    }

    pub(super) fn case(&self) -> Case<'_> {
        let is_silent = |found: &Found| matches!(found, Found::Gap(Gap::Unavailable(_)));
        let unavailable = |signal: &SignalEvidence| {
            is_silent(&signal.found) || signal.traffic.as_ref().is_some_and(is_silent)
        };
        Case {
            deployment: &self.deployment,
            judgement: &self.judgement,
            policy: &self.policy,
            unanswered: self.evidence.signals.iter().any(unavailable),
            contested: !self.evidence.rivals.is_empty(),
        }
    }
}

/// Judges every deployment that has no verdict yet.
pub(super) async fn judge_open(known: &Known<'_>) -> Vec<Open> {
    let open = known.deployments.iter().filter(|deployment| !known.is_settled(deployment));
    let with_rule: Vec<_> =
        open.filter_map(|deployment| Some((deployment, known.rule(deployment)?))).collect();
    let mut of_service: BTreeMap<&ServiceName, Vec<&Deployment>> = BTreeMap::new();
    for deployment in known.detected {
        of_service.entry(&deployment.service).or_default().push(deployment);
    }
    let subjects: Vec<(Subject, Time)> = with_rule
        .iter()
        .map(|(deployment, rule)| {
            let until = known.revert_of(deployment).map_or(known.now, |entry| entry.at.min(known.now));
            let subject = Subject::of(deployment, &rule.policy, &rule.signals);
            let others = of_service.get(&deployment.service).map_or(&[][..], Vec::as_slice);
            (subject.without(unusual(known, others, deployment, rule.policy.settle_secs)), until)
        })
        .collect();
    let mut evidence = gather(known.world, &subjects, known.deployed).await;
    add_controls(known, &subjects, &mut evidence).await;
    let judged = with_rule.into_iter().zip(evidence).map(|((deployment, rule), evidence)| Open {
        deployment: deployment.clone(),
        policy: rule.policy.clone(),
        judgement: judge(&evidence),
        evidence,
    });
    let mut judged: Vec<Open> = judged.collect();
    blame(known, &mut judged);
    judged
}

/// The times before a deployment that do not say what is usual for its service, as far as the pass has read: another
/// deployment was settling, or was bad and had not been taken back yet. `of_service` are the deployments of the service.
fn unusual(known: &Known<'_>, of_service: &[&Deployment], own: &Deployment, settle_secs: u32) -> Vec<Window> {
    let commits = &known.snapshot.commits;
    let time_of = |commit: CommitId| commits.iter().find(|one| one.id == commit).map(|one| one.at);
    let window = |start: Time, end: Time| Window { start, end: end.plus_secs(settle_secs.into()) };
    let others = || of_service.iter().filter(|one| one.commit != own.commit);
    let settling = others().map(|one| window(one.at, one.at));
    let oldest = commits.last().map_or(own.at, |commit| commit.at);
    let taken_back = known
        .reverts
        .iter()
        .filter(|entry| entry.service == own.service && entry.reverts != own.commit && entry.at <= own.at);
    let taken_back = taken_back.map(|entry| window(time_of(entry.reverts).unwrap_or(oldest), entry.at));
    // A person may have replaced a bad one. Where this deployment is what replaced it, the times just before it are bad,
    // and have to be seen: it did not bring what was there already.
    let replaced = others().filter_map(|one| {
        let by = one.superseded_by.filter(|by| *by != own.commit)?;
        let is_bad = known.verdicts(one).any(|verdict| verdict.judgement.verdict == Verdict::Regressed);
        let at = time_of(by).filter(|at| is_bad && *at <= own.at)?;
        Some(window(one.at, at))
    });
    settling.chain(taken_back).chain(replaced).collect()
}

/// Judges those that regressed once more, each with the others that could be to blame in its evidence.
fn blame(known: &Known<'_>, open: &mut [Open]) {
    let own: Vec<Option<Red>> =
        open.iter().map(|open| red(known, &open.deployment, &open.judgement, &open.evidence)).collect();
    if own.iter().all(Option::is_none) {
        return;
    }
    let standing = open.iter().zip(&own).filter(|(open, _)| is_standing(known, &open.deployment));
    let now = standing.filter_map(|(_, red)| red.clone());
    let all: Vec<Red> = now.chain(red_before(known)).collect();
    // Many services red at once are one incident for a person, whoever came first.
    let services: BTreeSet<&ServiceName> = all.iter().map(|red| &red.service).collect();
    if services.len() >= usize::try_from(known.environment.budget.incident_services).unwrap_or(usize::MAX) {
        return;
    }
    let dependencies = dependencies(known);
    for (open, own) in open.iter_mut().zip(&own) {
        let Some(own) = own else { continue };
        let found = rivals(own, &all, &dependencies);
        if !found.is_empty() {
            open.evidence.rivals = found;
            open.judgement = judge(&open.evidence);
        }
    }
}

fn red(
    known: &Known<'_>,
    deployment: &Deployment,
    judgement: &Judgement,
    evidence: &Evidence,
) -> Option<Red> {
    let closes_at = deployment.at.plus_secs(evidence.watch_secs.into());
    // What begins when it was taken back or replaced already, and that has settled, is not its doing.
    let settle_secs = known.rule(deployment).map_or(0, |rule| rule.policy.settle_secs);
    let replaced = deployment.superseded_by.and_then(|by| known.snapshot.commits.iter().find(|c| c.id == by));
    let gone = known.revert_of(deployment).map(|entry| entry.at).into_iter().chain(replaced.map(|c| c.at));
    let gone_at = gone.min().map(|at| at.plus_secs(settle_secs.into()));
    (judgement.verdict == Verdict::Regressed).then_some(Red {
        service: deployment.service.clone(),
        deployed_at: deployment.at,
        watched_until: gone_at.map_or(closes_at, |gone| gone.min(closes_at)),
        since: judgement.since?,
        step_secs: evidence.step_secs(),
    })
}

/// Whether a deployment may still do damage: it was not taken back, or that may not have shown yet.
fn is_standing(known: &Known<'_>, deployment: &Deployment) -> bool {
    let recovery_secs = known.rule(deployment).map_or(0, |rule| rule.policy.recovery_secs);
    let is_recent = |entry: &RevertEntry| known.now.secs_since(entry.at) <= i64::from(recovery_secs);
    known.revert_of(deployment).is_none_or(is_recent)
}

/// The deployments that earlier passes found to be bad, each taken alone, as long as they may do damage.
fn red_before(known: &Known<'_>) -> impl Iterator<Item = Red> {
    let settled = known.deployments.iter().filter(|deployment| known.is_settled(deployment));
    let red_one = |deployment: &Deployment| {
        let verdict = known.verdicts(deployment).last()?;
        // With rivals in its evidence it was bad when taken alone, whatever came of it.
        let alone = match verdict.evidence.rivals.is_empty() {
            true => None,
            false => Some(judge(&Evidence { rivals: Vec::new(), ..verdict.evidence.clone() })),
        };
        red(known, deployment, alone.as_ref().unwrap_or(&verdict.judgement), &verdict.evidence)
    };
    settled.filter(|deployment| is_standing(known, deployment)).filter_map(red_one)
}

/// The dependencies between the services that are named, and those whose files changed lately.
fn dependencies(known: &Known<'_>) -> Dependencies {
    if known.environment.services.iter().all(|rule| rule.depends_on.is_empty()) {
        return Dependencies::default();
    }
    let files = known.snapshot.commits.iter().flat_map(|commit| &commit.files);
    let found: BTreeMap<ServiceName, usize> = files
        .filter_map(|file| known.environment.service_of(file.path.as_str()))
        .map(|service| (service.name, service.rule_index))
        .collect();
    Dependencies::new(known.environment, found)
}
