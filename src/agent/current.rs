//! The files of a deployment as they are at the head of its branch, also where they were moved since.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{World, blocking};
use crate::domain::change::plan::{Target, plan};
use crate::domain::change::{Change, Motive, NoChange};
use crate::domain::deployment::Deployment;
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::moves::follow;
use crate::domain::history::scope::Tracked;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};

/// The files of a deployment at the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// The bytes at each path; `None` where there is no file.
    pub files: BTreeMap<FilePath, Option<Vec<u8>>>,
    /// Where files that are not at their old path are now.
    pub moved: BTreeMap<FilePath, FilePath>,
}

/// A deployment that goes back, and why.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub deployment: &'a Deployment,
    pub motive: Motive<'a>,
    pub evidence: Option<&'a Evidence>,
    pub policy: &'a Policy,
}

/// Where and when it goes back.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub world: &'a World,
    pub environment: &'a Arc<Environment>,
    pub now: Time,
}

/// The revert of a deployment against `head`, or why there is none, with the files that it is about.
pub(super) async fn work_out(
    at: &At<'_>,
    subject: &Subject<'_>,
    head: CommitId,
) -> Result<(Result<Box<Change>, NoChange>, Current), RepositoryError> {
    let current = current_files(at, head, subject.deployment).await?;
    let target = Target {
        branch: &at.environment.branch,
        head,
        current: &current.files,
        moved: &current.moved,
        policy: subject.policy,
        now: at.now,
    };
    let change = plan(subject.deployment, subject.motive, &target).map(Box::new);
    Ok((change, current))
}

/// Reads the files of a deployment in `head`. History is looked at only for a file that the deployment left there and
/// that is not there any more.
async fn current_files(
    at: &At<'_>,
    head: CommitId,
    deployment: &Deployment,
) -> Result<Current, RepositoryError> {
    let At { world, environment, now } = *at;
    let files: Vec<(FilePath, bool)> =
        deployment.files.iter().map(|file| (file.path.clone(), file.new.is_some())).collect();
    let (environment, commit, at) = (Arc::clone(environment), deployment.commit, deployment.at);
    let service = deployment.service.clone();
    blocking(&world.repository, move |repository| {
        let mut current = Current::default();
        let mut missing = Vec::new();
        for (path, was_there) in files {
            let bytes = repository.read_file(head, &path)?;
            if bytes.is_none() && was_there {
                missing.push(path.clone());
            }
            current.files.insert(path, bytes);
        }
        if missing.is_empty() {
            return Ok(current);
        }
        let since = commits_since(repository, &environment, &service, (commit, at), now)?;
        for path in missing {
            if let Some(to) = follow(since.iter().rev(), &path).filter(|to| *to != path) {
                current.files.insert(to.clone(), repository.read_file(head, &to)?);
                current.moved.insert(path, to);
            }
        }
        Ok(current)
    })
    .await
}

/// The commits after a deployment, newest first, with the files of the service that they changed: a file that moved
/// to another service is not its any more.
fn commits_since(
    repository: &dyn Repository,
    environment: &Environment,
    service: &ServiceName,
    (commit, at): (CommitId, Time),
    now: Time,
) -> Result<Vec<crate::domain::history::snapshot::Commit>, RepositoryError> {
    let scope = Tracked::new(environment, Some(service));
    let branch = &environment.branch;
    let query =
        HistoryQuery { branch, diffs_since: at, diffs_until: now, commits_since: at, now, scope: &scope };
    let mut since = Vec::new();
    repository.walk(&query, &mut |next| {
        if next.id == commit {
            return ControlFlow::Break(());
        }
        if next.files.iter().any(|file| file.old.is_none() || file.new.is_none()) {
            since.push(next);
        }
        ControlFlow::Continue(())
    })?;
    Ok(since)
}
