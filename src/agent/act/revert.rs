//! Working a revert out against a commit of the environment's branch, with the deployment's files as they are there, also
//! where they were moved since.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::domain::change::plan::{Target, plan};
use crate::domain::change::{Change, Motive, NoChange};
use crate::domain::deployment::Deployment;
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::moves::follow_file;
use crate::domain::history::scope::Tracked;
use crate::domain::history::snapshot::Commit;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};

/// A deployment that is to be reverted, and why.
#[derive(Clone, Copy)]
pub(in crate::agent) struct ToRevert<'a> {
    pub deployment: &'a Deployment,
    pub motive: Motive<'a>,
    pub evidence: Option<&'a Evidence>,
    pub policy: &'a Policy,
}

impl<'a> ToRevert<'a> {
    /// A deployment that was judged.
    pub(in crate::agent) fn judged(judged: &'a Judged) -> Self {
        Self {
            deployment: &judged.deployment,
            motive: Motive::Metrics(&judged.judgement),
            evidence: Some(&judged.evidence),
            policy: &judged.policy,
        }
    }

    /// A deployment that a person wants reverted.
    pub(in crate::agent) fn requested(deployment: &'a Deployment, who: &'a str, policy: &'a Policy) -> Self {
        Self { deployment, motive: Motive::Request(who), evidence: None, policy }
    }
}

/// A revert that was worked out, with the files that it changes as they are before it.
#[derive(Clone)]
pub(in crate::agent) struct PlannedRevert<'a> {
    /// What it reverts.
    pub to_revert: ToRevert<'a>,
    /// The change.
    pub change: Box<Change>,
    /// The deployment's files at the commit that it was worked out from.
    pub current: Current,
}

impl PlannedRevert<'_> {
    /// The change as a unified diff.
    pub(in crate::agent) fn diff(&self) -> String {
        self.change.diff(&self.current.files)
    }
}

/// The files of a deployment at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// The bytes at each path; `None` where there is no file.
    pub files: BTreeMap<FilePath, Option<Vec<u8>>>,
    /// Where files that are not at their old path are now.
    pub moved: BTreeMap<FilePath, FilePath>,
}

/// The revert of a deployment against the commit `head`, or why there is none.
pub(in crate::agent) async fn plan_at<'a>(
    pass: &Pass<'_>,
    to_revert: &ToRevert<'a>,
    head: CommitId,
) -> Result<Result<PlannedRevert<'a>, NoChange>, RepositoryError> {
    let current = current_files(pass, head, to_revert.deployment).await?;
    let target = Target {
        branch: &pass.environment.branch,
        head,
        current: &current.files,
        moved: &current.moved,
        policy: to_revert.policy,
        now: pass.now,
    };
    let change = plan(to_revert.deployment, to_revert.motive, &target);
    Ok(change.map(|change| PlannedRevert { to_revert: *to_revert, change: Box::new(change), current }))
}

/// Reads the files of a deployment in `head`. History is looked at only for a file that the deployment left there and
/// that is not there any more.
async fn current_files(
    pass: &Pass<'_>,
    head: CommitId,
    deployment: &Deployment,
) -> Result<Current, RepositoryError> {
    let mut files: Vec<(FilePath, bool)> =
        deployment.files.iter().map(|file| (file.path.clone(), file.new.is_some())).collect();
    files.extend(deployment.files.iter().filter_map(|file| Some((file.was.clone()?, false))));
    let (environment, now) = (Arc::clone(pass.environment), pass.now);
    let (service, commit, at) = (deployment.service.clone(), deployment.commit, deployment.at);
    let read = pass.git(move |repository| {
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
            if let Some(to) = follow_file(since.iter().rev(), &path).filter(|to| *to != path) {
                current.files.insert(to.clone(), repository.read_file(head, &to)?);
                current.moved.insert(path, to);
            }
        }
        Ok(current)
    });
    read.await
}

/// The commits after a deployment, newest first, with the files of the service that they changed: a file that moved
/// to another service is not its any more.
fn commits_since(
    repository: &dyn Repository,
    environment: &Environment,
    service: &ServiceName,
    (commit, at): (CommitId, Time),
    now: Time,
) -> Result<Vec<Commit>, RepositoryError> {
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
