//! Looking deployments up in the history, however old they are.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::context::Pass;
use crate::agent::world::SEARCH_DAYS;
use crate::domain::deployment::{ChangeKind, Deployment, Detector, deployments_of, not_text};
use crate::domain::environment::Environment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::Tracked;
use crate::domain::history::snapshot::Commit;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, RepositoryError};

/// Why a deployment was not found.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// There is no such deployment.
    #[error("{0}")]
    NotFound(String),
    /// The history cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

/// The newest deployment of a service with the branch's head, unless it is reverted already. Most are found within the
/// first day.
pub(in crate::agent) async fn last_deployment(
    pass: &Pass<'_>,
    service: &ServiceName,
) -> Result<(CommitId, Deployment), SearchError> {
    for days in [1, 7, 30, SEARCH_DAYS] {
        let (environment, service, now) = (Arc::clone(pass.environment), service.clone(), pass.now);
        let documents = pass.documents();
        let since = now.minus_secs(days * 86_400);
        let found = pass.git(move |repository| {
            let scope = Tracked::new(&environment, Some(&service));
            let query = query(&environment, &scope, since, (since, now), now);
            let (mut detector, mut reverts, mut last) =
                (Detector::with(&environment, documents), Vec::new(), None);
            let head = repository.walk(&query, &mut |commit| {
                let (found, own) = detector.next_with_reverts(&commit);
                reverts.extend(own);
                let is_it = |one: &Deployment| one.service == service && one.kind != ChangeKind::OwnRevert;
                last = found.into_iter().find(is_it);
                if last.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            // The revert came after its deployment, and was seen on the way.
            let is_of = |entry: &RevertEntry| last.as_ref().is_some_and(|last| last.was_taken_back_by(entry));
            let done = reverts.into_iter().find(is_of);
            Ok::<_, RepositoryError>((head, last, done))
        });
        let (head, last, done) = found.await?;
        let Some(last) = last else { continue };
        // Asked again it must not go on to the deployment before.
        if let Some(done) = done {
            return Err(SearchError::NotFound(format!(
                "{} of {} was already taken back by {}: to go further back, name the deployment's commit",
                last.commit.short(),
                last.service,
                done.commit.short()
            )));
        }
        return Ok((head, last));
    }
    let environment = &pass.environment.name;
    let reason = format!("no deployment of {service} in {environment} in the last {SEARCH_DAYS} days");
    Err(SearchError::NotFound(reason))
}

/// The deployment of a service by a commit: one that the pass has detected, or else from the history.
pub(in crate::agent) async fn deployment_of(
    pass: &Pass<'_>,
    detected: &[Deployment],
    (commit, service): (CommitId, &ServiceName),
) -> Option<Deployment> {
    let is_it = |one: &&Deployment| one.commit == commit && one.service == *service;
    if let Some(known) = detected.iter().find(is_it) {
        return Some(known.clone());
    }
    let (_, found) = deployments_at(pass, commit).await.ok()?;
    found.into_iter().find(|one| is_it(&one))
}

/// What a commit deployed, with the branch's head.
pub(in crate::agent) async fn deployments_at(
    pass: &Pass<'_>,
    id: CommitId,
) -> Result<(CommitId, Vec<Deployment>), SearchError> {
    let environment = pass.environment;
    // Its files are read when it is known when it came to be on the branch, and no other's.
    let (_, commit) = commit_on(pass, id, (pass.now.plus_secs(1), pass.now)).await?;
    let at = commit.map(|commit| commit.at).ok_or_else(|| {
        let branch = &environment.branch;
        SearchError::NotFound(format!("{} is not on the first-parent history of {branch}", id.short()))
    })?;
    let (head, commit) = commit_on(pass, id, (at, at)).await?;
    let (of, documents) = (Arc::clone(environment), pass.documents());
    let finding = pass.git(move |_| {
        let found = commit.as_ref().map_or_else(Vec::new, |commit| deployments_of(commit, &of, &documents));
        Ok::<_, RepositoryError>((found, commit))
    });
    let (mut found, commit) = finding.await?;
    if let Some(why) = found.iter().find_map(|one| one.beyond.clone()) {
        found.retain(|one| one.beyond.is_none());
        if found.is_empty() {
            return Err(SearchError::NotFound(why));
        }
    }
    if found.is_empty() {
        let unread = commit.as_ref().and_then(not_text).map_or_else(String::new, |path| {
            format!("; {path} is neither UTF-8 nor UTF-16 text, and was not read: put it back by hand")
        });
        let reason =
            format!("{} changed no release field of any service in {}{unread}", id.short(), environment.name);
        return Err(SearchError::NotFound(reason));
    }
    Ok((head, found))
}

/// The branch's head, and a commit of its history with the changed files if it is of these times.
///
/// What was committed before it is not read, however long the history is: only where it is not among the newer ones, as clocks
/// may differ, all of it is.
async fn commit_on(
    pass: &Pass<'_>,
    id: CommitId,
    diffs: (Time, Time),
) -> Result<(CommitId, Option<Commit>), RepositoryError> {
    let (environment, now) = (Arc::clone(pass.environment), pass.now);
    let walked = pass.git(move |repository| {
        let scope = Tracked::new(&environment, None);
        let beginning = Time::from_unix(0);
        // One that is further back than what is here is looked for in all that there is.
        let committed = repository.commit(id).map_or(beginning, |made| made.committed.min(now));
        let walk = |since: Time| {
            let mut found = None;
            let query = query(&environment, &scope, since, diffs, now);
            let head = repository.walk(&query, &mut |commit| {
                if commit.id != id {
                    return ControlFlow::Continue(());
                }
                found = Some(commit);
                ControlFlow::Break(())
            })?;
            Ok((head, found))
        };
        match walk(committed.min(diffs.0))? {
            (_, None) if committed > beginning => walk(beginning),
            found => Ok(found),
        }
    });
    walked.await
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
