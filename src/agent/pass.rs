//! One pass: from the state of the repo to what was done about it, on one screen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::announce::close_issues;
use super::apply::{Acting, act};
use super::current::At;
use super::follow::{Proposals, follow, proposals};
use super::judging::{Known, judge_open};
use super::recover::recoveries;
use super::report::{EnvironmentReport, PassReport};
use super::{Stop, World, blocking};
use crate::domain::decision::{Decision, id_of};
use crate::domain::deployment::{Deployment, detect};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::ledger::{RevertEntry, reverts};
use crate::domain::history::scope::Tracked;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, RepositoryError};
use crate::record::{self, Record};

/// Whether a pass acts or only says what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Change branches and notes.
    Act,
    /// Touch nothing.
    Plan,
}

/// Looks at every environment once.
///
/// # Errors
/// When the repository cannot be fetched at all. What goes wrong in one environment is in its report.
pub async fn pass(world: &World, intent: Intent, stop: &Stop) -> Result<PassReport, RepositoryError> {
    let now = world.clock.now();
    let mut report = PassReport { at: now, environments: Vec::new() };
    let Some(fetched) = stop.unless_set(fetch(world)).await else { return Ok(report) };
    let missing = fetched?;
    for environment in &world.environments {
        if stop.is_set() {
            break;
        }
        let mut of_environment = EnvironmentReport {
            environment: environment.name.clone(),
            head: None,
            items: Vec::new(),
            reviews: Vec::new(),
            recoveries: Vec::new(),
            problems: Vec::new(),
        };
        if let Some(problem) = missing.get(&environment.branch) {
            of_environment.problems.push(problem.clone());
        } else if let Err(problem) = look(world, environment, now, intent, stop, &mut of_environment).await {
            of_environment.problems.push(problem.to_string());
        }
        report.environments.push(of_environment);
    }
    Ok(report)
}

/// Learns what is new at the remote: the branches of all environments, and the notes. Returns the branches that are not
/// there, with what was said: where there are several environments, a missing one does not hold up the others.
///
/// # Errors
/// When the repository cannot be fetched at all, or the only branch is not there.
pub async fn fetch(world: &World) -> Result<BTreeMap<BranchName, String>, RepositoryError> {
    let branches: BTreeSet<BranchName> =
        world.environments.iter().map(|environment| environment.branch.clone()).collect();
    let branches: Vec<BranchName> = branches.into_iter().collect();
    let mut missing = BTreeMap::new();
    match fetch_branches(world, branches.clone()).await {
        Err(RepositoryError::NotFound(_)) if branches.len() > 1 => {}
        fetched => return fetched.map(|()| missing),
    }
    for branch in branches {
        match fetch_branches(world, vec![branch.clone()]).await {
            Ok(()) => {}
            Err(error @ RepositoryError::NotFound(_)) => {
                missing.insert(branch, error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(missing)
}

async fn fetch_branches(world: &World, branches: Vec<BranchName>) -> Result<(), RepositoryError> {
    blocking(&world.repository, move |repository| repository.fetch(&branches).map(drop)).await
}

async fn look(
    world: &World,
    environment: &Arc<Environment>,
    now: Time,
    intent: Intent,
    stop: &Stop,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    let snapshot = snapshot(world, environment, now).await?;
    report.head = Some(snapshot.head);
    let reverts = environment_reverts(&snapshot, environment);
    let detected = detect(&snapshot, environment);
    let deployments = watched(&detected, environment, now);
    let records = read_records(world, &deployments, &reverts).await?;
    let deployed = names_of(&deployments);
    let known = Known {
        world,
        environment,
        now,
        snapshot: &snapshot,
        detected: &detected,
        deployments: &deployments,
        reverts: &reverts,
        records: &records,
        deployed: &deployed,
    };
    let judging = judge_open(&known);
    let Some(open) = stop.unless_set(judging).await else { return Ok(()) };
    let left_red = left_red(&deployments, environment, &records, now);
    let proposals = proposals(&At { world, environment, now }, &snapshot).await?;
    let mut all_records = records.clone();
    all_records.extend(proposals.records.clone());
    let under_way = under_way(&all_records, environment, now);
    let acting = Acting {
        world,
        environment,
        now,
        intent,
        stop,
        left_red: &left_red,
        watched: &deployments,
        under_way: &under_way,
    };
    let snapshot = act(&acting, snapshot.clone(), open, report).await?;
    // The verdicts that were written just now count too: else the next pass would find something left to do.
    let records = read_records(world, &deployments, &reverts).await?;
    after_reviews(&acting, &snapshot, &detected, &records, proposals, report).await?;
    recoveries(&acting, &deployments, &reverts, &records, &deployed, report).await
}

/// Looks after what is open on the forge.
async fn after_reviews(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    records: &BTreeMap<CommitId, Vec<Record>>,
    before: Proposals,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    if acting.world.forge.is_none() || acting.intent == Intent::Plan || acting.stop.is_set() {
        return Ok(());
    }
    // What this pass has begun is there now too.
    let has_begun = report.items.iter().any(|item| item.outcome.is_some());
    let proposals = if has_begun { proposals(&acting.at(), snapshot).await? } else { before };
    follow(acting, snapshot, detected, records.clone(), proposals, report).await?;
    close_issues(acting, snapshot, detected, report).await;
    Ok(())
}

/// The branch as far back as any rule looks.
pub(super) async fn snapshot(
    world: &World,
    environment: &Arc<Environment>,
    now: Time,
) -> Result<Snapshot, RepositoryError> {
    let environment = Arc::clone(environment);
    let longest = |secs: fn(&Policy) -> u32| {
        environment.services.iter().map(|rule| i64::from(secs(&rule.policy))).max().unwrap_or(0)
    };
    let watched = 2 * longest(|policy| policy.watch_secs.max(policy.recovery_secs));
    let remembered = longest(|policy| policy.quarantine_secs.max(policy.cooldown_secs))
        .max(i64::from(environment.budget.window_secs))
        .max(watched);
    blocking(&world.repository, move |repository| {
        repository.history(&HistoryQuery {
            branch: &environment.branch,
            diffs_since: now.minus_secs(watched),
            diffs_until: now,
            commits_since: now.minus_secs(remembered),
            now,
            scope: &Tracked::new(&environment, None),
        })
    })
    .await
}

fn environment_reverts(snapshot: &Snapshot, environment: &Environment) -> Vec<RevertEntry> {
    let mut reverts = reverts(snapshot);
    reverts.retain(|entry| entry.environment == environment.name);
    reverts
}

/// The deployments that are watched, or were until so recently that their verdict may still be due. Oldest first, those
/// of one commit by their service's name.
fn watched(detected: &[Deployment], environment: &Environment, now: Time) -> Vec<Deployment> {
    let policy = |deployment: &Deployment| environment.services.get(deployment.rule).map(|rule| &rule.policy);
    let due = |deployment: &&Deployment| {
        policy(deployment)
            .is_some_and(|policy| now.secs_since(deployment.at) <= 2 * i64::from(policy.watch_secs))
    };
    let commits = detected.chunk_by(|a, b| a.commit == b.commit).rev();
    commits.flatten().filter(due).cloned().collect()
}

/// What the notes say about these deployments and reverts.
async fn read_records(
    world: &World,
    deployments: &[Deployment],
    reverts: &[RevertEntry],
) -> Result<BTreeMap<CommitId, Vec<Record>>, RepositoryError> {
    let commits: BTreeSet<CommitId> =
        deployments.iter().map(|d| d.commit).chain(reverts.iter().map(|entry| entry.reverts)).collect();
    let commits: Vec<CommitId> = commits.into_iter().collect();
    let notes = blocking(&world.repository, move |repository| repository.notes(&commits)).await?;
    Ok(notes.into_iter().map(|(commit, note)| (commit, record::read(&note))).collect())
}

/// The deployments that an earlier pass found to be bad and did not take back, as long as they are watched.
fn left_red(
    deployments: &[Deployment],
    environment: &Environment,
    records: &BTreeMap<CommitId, Vec<Record>>,
    now: Time,
) -> Vec<Deployment> {
    let is_red = |deployment: &&Deployment| {
        let id = id_of(deployment);
        records.get(&deployment.commit).into_iter().flatten().any(|record| match record {
            Record::Verdict(verdict) => verdict.id == id && verdict.judgement.verdict == Verdict::Regressed,
            Record::Recovery(_) | Record::Review(_) => false,
        })
    };
    let is_watched = |deployment: &&Deployment| {
        let rule = environment.services.get(deployment.rule);
        rule.is_some_and(|rule| now.secs_since(deployment.at) <= i64::from(rule.policy.watch_secs))
    };
    let standing = deployments.iter().filter(|deployment| deployment.superseded_by.is_none());
    standing.filter(is_watched).filter(is_red).cloned().collect()
}

/// The reverts that wait in pull requests which merge themselves, as far as the notes tell.
/// They count as of now: all of them may be merged at once.
fn under_way(
    records: &BTreeMap<CommitId, Vec<Record>>,
    environment: &Environment,
    now: Time,
) -> Vec<RevertEntry> {
    let of_commit = |notes: &Vec<Record>| -> Vec<RevertEntry> {
        let ended = |id: &str| {
            notes.iter().any(|record| {
                record.id() == id && matches!(record, Record::Review(review) if review.outcome.is_final())
            })
        };
        let waits = |record: &Record| match record {
            Record::Verdict(verdict)
                if verdict.environment == environment.name
                    && verdict.decision == Decision::Revert
                    && !ended(&verdict.id) =>
            {
                let proposal = verdict.proposal.as_ref().filter(|proposal| proposal.review.is_some())?;
                Some(RevertEntry {
                    id: verdict.id.clone(),
                    commit: proposal.commit,
                    at: now,
                    environment: verdict.environment.clone(),
                    service: verdict.service.clone(),
                    reverts: verdict.deployment,
                    bad_values: BTreeSet::new(),
                    requested: false,
                })
            }
            Record::Verdict(_) | Record::Recovery(_) | Record::Review(_) => None,
        };
        notes.iter().filter_map(waits).collect()
    };
    records.values().flat_map(of_commit).collect()
}

/// Every name by which a metric could speak of a service with a deployment: such a service is no control.
fn names_of(deployments: &[Deployment]) -> BTreeSet<String> {
    let names = |deployment: &Deployment| {
        std::iter::once(deployment.service.to_string())
            .chain(deployment.labels.values().cloned())
            .collect::<Vec<_>>()
    };
    deployments.iter().flat_map(names).collect()
}
