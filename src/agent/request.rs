//! A person asks for a revert: the same surgical change, without metrics and guards.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply::{current_files, push};
use super::{World, blocking};
use crate::domain::change::{Change, Motive, NoChange, Target, plan};
use crate::domain::decision::id_of;
use crate::domain::deployment::{Deployment, deployments_of, detect};
use crate::domain::environment::Environment;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::ledger::reverts;
use crate::domain::snapshot::Snapshot;
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
    /// Reading or pushing failed.
    #[error(transparent)]
    Push(#[from] PushError),
}

impl From<RepositoryError> for RequestError {
    fn from(error: RepositoryError) -> Self {
        Self::Push(error.into())
    }
}

/// A revert that was worked out on request, with the files as they are now.
pub struct Prepared {
    /// The change.
    pub change: Change,
    /// The files that it touches, before it.
    pub current: BTreeMap<FilePath, Option<Vec<u8>>>,
}

/// How far back the deployments of a service are looked for.
const SEARCH_SECS: i64 = 90 * 86_400;

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
    let snapshot = history(world, environment, wanted, now).await?;
    let found = find(&snapshot, environment, wanted)?;
    let mut prepared = Vec::new();
    for deployment in found {
        let current = current_files(world, snapshot.head, &deployment).await?;
        let target = Target { branch: &environment.branch, head: snapshot.head, current: &current, now };
        let change = plan(&deployment, Motive::Request(who), &target)?;
        prepared.push(Prepared { change, current });
    }
    Ok(prepared)
}

/// Makes a revert that was prepared. `None` when somebody else was faster.
///
/// # Errors
/// When the branch keeps moving or the remote refuses.
pub async fn deliver(
    world: &World,
    environment: &Arc<Environment>,
    wanted: &Wanted,
    who: &str,
    now: Time,
) -> Result<Vec<(Change, CommitId)>, RequestError> {
    const MAX_TRIES: u32 = 10;
    let mut done: Vec<(Change, CommitId)> = Vec::new();
    let mut tries = 0;
    loop {
        let prepared = match prepare(world, environment, wanted, who, now).await {
            Ok(prepared) => prepared,
            Err(RequestError::NoChange(NoChange::Superseded(_))) if !done.is_empty() => return Ok(done),
            Err(error) => return Err(error),
        };
        let next =
            prepared.into_iter().find(|one| !done.iter().any(|(change, _)| change.id == one.change.id));
        let Some(next) = next else { return Ok(done) };
        match push(world, &next.change).await {
            Ok(commit) => done.push((next.change, commit)),
            Err(PushError::Rejected { .. }) if tries < MAX_TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
        let branch = environment.branch.clone();
        blocking(&world.repository, move |repository| repository.fetch(&[branch])).await?;
    }
}

async fn history(
    world: &World,
    environment: &Arc<Environment>,
    wanted: &Wanted,
    now: Time,
) -> Result<Snapshot, RepositoryError> {
    let environment = Arc::clone(environment);
    let since = match wanted {
        Wanted::Service(_) => now.minus_secs(SEARCH_SECS),
        Wanted::Commit(_) => Time::from_unix(0),
    };
    blocking(&world.repository, move |repository| {
        repository.history(&HistoryQuery {
            branch: &environment.branch,
            diffs_since: since,
            commits_since: since,
            now,
            wanted: &|path| environment.tracks(path),
        })
    })
    .await
}

fn find(
    snapshot: &Snapshot,
    environment: &Environment,
    wanted: &Wanted,
) -> Result<Vec<Deployment>, RequestError> {
    match wanted {
        Wanted::Service(service) => {
            let done = reverts(snapshot);
            let open =
                |d: &Deployment| &d.service == service && !done.iter().any(|entry| entry.id == id_of(d));
            detect(snapshot, environment).into_iter().find(open).map(|found| vec![found]).ok_or_else(|| {
                RequestError::NotFound(format!(
                    "no deployment of {service} in {} in the last 90 days",
                    environment.name
                ))
            })
        }
        Wanted::Commit(id) => {
            let commit = snapshot.commits.iter().find(|commit| commit.id == *id).ok_or_else(|| {
                RequestError::NotFound(format!(
                    "{id} is not on the first-parent history of {}",
                    environment.branch
                ))
            })?;
            let found = deployments_of(commit, environment);
            if found.is_empty() {
                let reason =
                    format!("{} changed no release field of any service in {}", id.short(), environment.name);
                return Err(RequestError::NotFound(reason));
            }
            Ok(found)
        }
    }
}
