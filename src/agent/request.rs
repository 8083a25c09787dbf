//! A person asks for a revert: the same surgical change, without metrics and guards.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::apply::{MAX_REFUSALS, MAX_TRIES, pause};
use super::current::{At, Current, Subject, work_out};
use super::deliver::{DeliveryError, send, way};
use super::pass::snapshot;
use super::proposal::Worked;
use super::{World, blocking};
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Change, Motive, NoChange};
use crate::domain::decision::id_of;
use crate::domain::deployment::earlier::{Earlier, known_good};
use crate::domain::deployment::{Deployment, Detector, deployments_of, not_text};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::ledger::{RevertEntry, reverts_of};
use crate::domain::history::scope::Tracked;
use crate::domain::history::snapshot::Commit;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, PushError, RepositoryError};

/// What a person wants back out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last deployment of a service.
    Service(ServiceName),
    /// A commit, with all services that it deployed.
    Commit(CommitId),
}

/// Why a request cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no such deployment.
    #[error("{0}")]
    NotFound(String),
    /// Its values are gone, or it is not clear how to put them back.
    #[error(transparent)]
    NoChange(#[from] NoChange),
    /// Reading or delivering failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl From<RepositoryError> for RequestError {
    fn from(error: RepositoryError) -> Self {
        Self::Delivery(error.into())
    }
}

/// A revert that was worked out on request, with the files as they are now.
pub struct Prepared {
    /// The deployment that goes back.
    pub deployment: Deployment,
    /// The change.
    pub change: Change,
    /// The files that it touches, before it.
    pub current: Current,
}

/// How far back the deployments of a service are looked for.
const SEARCH_DAYS: i64 = 90;

/// Works out the reverts for what is wanted, one for each service, against the branch as of the last fetch.
///
/// # Errors
/// Says which deployment was not found, or why it cannot be put back.
pub async fn prepare(
    world: &World,
    environment: &Arc<Environment>,
    wanted: &Wanted,
    who: &str,
    now: Time,
) -> Result<Vec<Prepared>, RequestError> {
    let (head, found) = match wanted {
        Wanted::Service(service) => last_deployment(world, environment, service, now).await?,
        Wanted::Commit(commit) => deployments_at(world, environment, *commit, now).await?,
    };
    let mut prepared = Vec::new();
    for deployment in found {
        prepared.push(plan_at(world, environment, head, deployment, who, now).await?);
    }
    Ok(prepared)
}

async fn plan_at(
    world: &World,
    environment: &Arc<Environment>,
    head: CommitId,
    deployment: Deployment,
    who: &str,
    now: Time,
) -> Result<Prepared, RequestError> {
    let at = At { world, environment, now };
    let usual = Policy::default();
    let subject = requested(environment, &deployment, who, &usual);
    let (change, current) = work_out(&at, &subject, head).await?;
    let change = *change?;
    Ok(Prepared { deployment, change, current })
}

fn requested<'a>(
    environment: &'a Environment,
    deployment: &'a Deployment,
    who: &'a str,
    usual: &'a Policy,
) -> Subject<'a> {
    let policy = environment.services.get(deployment.rule).map_or(usual, |rule| &rule.policy);
    Subject { deployment, motive: Motive::Request(who), evidence: None, policy }
}

/// Makes a revert that was prepared, the way that the environment's changes are delivered. When the branch has moved it is worked out again from the new state.
///
/// # Errors
/// When the values are gone by now, the branch keeps moving, or the remote refuses.
pub async fn deliver(
    world: &World,
    environment: &Arc<Environment>,
    prepared: Prepared,
    who: &str,
    now: Time,
) -> Result<(Change, Receipt), RequestError> {
    let Prepared { deployment, .. } = prepared;
    let at = At { world, environment, now };
    let usual = Policy::default();
    let subject = requested(environment, &deployment, who, &usual);
    let (mut last, mut refused, mut refusals) = (None, false, 0);
    let mut seen = None;
    for tries in 0..MAX_TRIES {
        let branch = environment.branch.clone();
        blocking(&world.repository, move |repository| repository.fetch(&[branch])).await?;
        let snapshot = snapshot(world, environment, now).await?;
        refusals = if seen == Some(snapshot.head) { refusals + 1 } else { 0 };
        refused |= refusals >= MAX_REFUSALS;
        seen = Some(snapshot.head);
        let (change, current) = work_out(&at, &subject, snapshot.head).await?;
        let change = *change?;
        let worked =
            Worked { at: &at, subject: &subject, snapshot: &snapshot, change: &change, current: &current };
        match send(&worked, way(world, environment, false, refused)).await {
            Ok(receipt) => return Ok((change, receipt)),
            Err(DeliveryError::Push(rejected @ PushError::Rejected { .. })) => last = Some(rejected),
            Err(error) => return Err(error.into()),
        }
        pause(tries).await;
    }
    let gave_up = || PushError::Rejected { reference: environment.branch.to_string(), reason: String::new() };
    Err(DeliveryError::from(last.unwrap_or_else(gave_up)).into())
}

/// The newest deployment of a service with the branch's head, unless it is reverted already. Most are found within the
/// first day.
async fn last_deployment(
    world: &World,
    environment: &Arc<Environment>,
    service: &ServiceName,
    now: Time,
) -> Result<(CommitId, Vec<Deployment>), RequestError> {
    for days in [1, 7, 30, SEARCH_DAYS] {
        let (environment, service) = (Arc::clone(environment), service.clone());
        let since = now.minus_secs(days * 86_400);
        let (head, last, done) = blocking(&world.repository, move |repository| {
            let scope = Tracked::new(&environment, Some(&service));
            let query = query(&environment, &scope, since, (since, now), now);
            let (mut detector, mut reverts, mut last) = (Detector::new(&environment), Vec::new(), None);
            let head = repository.walk(&query, &mut |commit| {
                reverts.extend(reverts_of(&commit));
                last = detector.next(&commit).into_iter().find(|found| found.service == service);
                if last.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            // What took it back came after it, and was seen on the way.
            let is_of = |entry: &RevertEntry| last.as_ref().is_some_and(|last| entry.id == id_of(last));
            let done = reverts.into_iter().find(is_of);
            Ok::<_, RepositoryError>((head, last, done))
        })
        .await?;
        let Some(last) = last else { continue };
        // Asked again it must not go on to the deployment before.
        if let Some(done) = done {
            return Err(RequestError::NotFound(format!(
                "{} of {} was already taken back by {}: to go further back, name the deployment's commit",
                last.commit.short(),
                last.service,
                done.commit.short()
            )));
        }
        return Ok((head, vec![last]));
    }
    let reason = format!("no deployment of {service} in {} in the last {SEARCH_DAYS} days", environment.name);
    Err(RequestError::NotFound(reason))
}

/// How many earlier states are told.
const MAX_EARLIER: usize = 5;

/// The known-good states of a service before a deployment, newest first: what there is to go back to when the values just
/// before it are bad as well.
///
/// # Errors
/// When the history cannot be read.
pub async fn earlier(
    world: &World,
    environment: &Arc<Environment>,
    deployment: &Deployment,
    now: Time,
) -> Result<Vec<Earlier>, RequestError> {
    let (environment, deployment) = (Arc::clone(environment), deployment.clone());
    let states = blocking(&world.repository, move |repository| {
        let scope = Tracked::new(&environment, Some(&deployment.service));
        let since = deployment.at.minus_secs(SEARCH_DAYS * 86_400);
        let query = query(&environment, &scope, since, (since, deployment.at), now);
        let (mut detector, mut older, mut reverted) =
            (Detector::new(&environment), Vec::new(), BTreeSet::new());
        let mut before = false;
        repository.walk(&query, &mut |commit| {
            reverted.extend(reverts_of(&commit).map(|entry| entry.reverts));
            let found =
                detector.next(&commit).into_iter().filter(|found| found.service == deployment.service);
            older.extend(found.filter(|_| before).map(|found| Deployment { files: Vec::new(), ..found }));
            before |= commit.id == deployment.commit;
            ControlFlow::Continue(())
        })?;
        let usual = Policy::default();
        let policy = environment.services.get(deployment.rule).map_or(&usual, |rule| &rule.policy);
        Ok::<_, RepositoryError>(known_good(&deployment, &older, &reverted, policy.watch_secs))
    })
    .await?;
    Ok(states.into_iter().take(MAX_EARLIER).collect())
}

/// The deployment of a service by a commit: one that the pass has detected, or else from the history.
pub(super) async fn deployment_of(
    at: &At<'_>,
    detected: &[Deployment],
    (commit, service): (CommitId, &ServiceName),
) -> Option<Deployment> {
    let is_it = |one: &&Deployment| one.commit == commit && one.service == *service;
    if let Some(known) = detected.iter().find(is_it) {
        return Some(known.clone());
    }
    let (_, found) = deployments_at(at.world, at.environment, commit, at.now).await.ok()?;
    found.into_iter().find(|one| is_it(&one))
}

/// What a commit deployed, with the branch's head.
async fn deployments_at(
    world: &World,
    environment: &Arc<Environment>,
    id: CommitId,
    now: Time,
) -> Result<(CommitId, Vec<Deployment>), RequestError> {
    // Its files are read when it is known when it came to be on the branch, and no other's.
    let (_, commit) = commit_on(world, environment, id, (now.plus_secs(1), now), now).await?;
    let at = commit.map(|commit| commit.at).ok_or_else(|| {
        let branch = &environment.branch;
        RequestError::NotFound(format!("{} is not on the first-parent history of {branch}", id.short()))
    })?;
    let (head, commit) = commit_on(world, environment, id, (at, at), now).await?;
    let found = commit.as_ref().map_or_else(Vec::new, |commit| deployments_of(commit, environment));
    if found.is_empty() {
        let unread = commit.as_ref().and_then(not_text).map_or_else(String::new, |path| {
            format!("; {path} is not UTF-8 text, and was not read: put it back by hand")
        });
        let reason =
            format!("{} changed no release field of any service in {}{unread}", id.short(), environment.name);
        return Err(RequestError::NotFound(reason));
    }
    Ok((head, found))
}

/// The branch's head, and a commit of its history with the changed files if it is of these times.
async fn commit_on(
    world: &World,
    environment: &Arc<Environment>,
    id: CommitId,
    diffs: (Time, Time),
    now: Time,
) -> Result<(CommitId, Option<Commit>), RepositoryError> {
    let environment = Arc::clone(environment);
    blocking(&world.repository, move |repository| {
        let scope = Tracked::new(&environment, None);
        let mut found = None;
        let query = query(&environment, &scope, Time::from_unix(0), diffs, now);
        let head = repository.walk(&query, &mut |commit| {
            if commit.id != id {
                return ControlFlow::Continue(());
            }
            found = Some(commit);
            ControlFlow::Break(())
        })?;
        Ok((head, found))
    })
    .await
}

fn query<'a>(
    environment: &'a Environment,
    scope: &'a Tracked<'_>,
    commits_since: Time,
    (diffs_since, diffs_until): (Time, Time),
    now: Time,
) -> HistoryQuery<'a> {
    HistoryQuery { branch: &environment.branch, diffs_since, diffs_until, commits_since, now, scope }
}
