//! The branches of an estate: fetched together, and each read once a pass, however many environments share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::agent::world::{Estate, blocking};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::ledger::{RevertEntry, reverts};
use crate::domain::history::scope::{Any, Tracked};
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};

/// A branch as far back as any rule of an environment looks.
#[derive(Clone)]
pub(in crate::agent) struct History {
    pub snapshot: Arc<Snapshot>,
    /// The agent's reverts in it, of this environment alone, newest first.
    pub reverts: Vec<RevertEntry>,
}

/// The branches of an estate during one pass.
pub(in crate::agent) struct Branches {
    repository: Arc<dyn Repository>,
    environments: Vec<Arc<Environment>>,
    now: Time,
    read: Mutex<BTreeMap<BranchName, Read>>,
    proposals: Mutex<Option<Arc<BTreeMap<BranchName, CommitId>>>>,
}

/// A branch as it was read for all environments on it.
#[derive(Clone)]
struct Read {
    snapshot: Arc<Snapshot>,
    reverts: Arc<Vec<RevertEntry>>,
    since: Since,
}

/// How far back a branch is read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Since {
    /// With the files that commits changed.
    diffs: Time,
    /// At all.
    commits: Time,
}

impl Branches {
    /// Of an estate. Nothing is read yet.
    pub(in crate::agent) fn new(estate: &Estate, now: Time) -> Self {
        Self {
            repository: Arc::clone(&estate.repository),
            environments: estate.environments.clone(),
            now,
            read: Mutex::default(),
            proposals: Mutex::default(),
        }
    }

    /// The branch of an environment as of the last fetch.
    pub(in crate::agent) async fn history(
        &self,
        environment: &Environment,
    ) -> Result<History, RepositoryError> {
        let mut all = self.read.lock().await;
        let read = match all.get(&environment.branch) {
            Some(read) => read.clone(),
            None => {
                let read = self.read_branch(environment).await?;
                all.insert(environment.branch.clone(), read.clone());
                read
            }
        };
        drop(all);
        Ok(read.of(environment, Since::of(environment, self.now)))
    }

    /// The same after the branch was fetched once more.
    pub(in crate::agent) async fn fetch_again(
        &self,
        environment: &Environment,
    ) -> Result<History, RepositoryError> {
        let branch = environment.branch.clone();
        self.read.lock().await.remove(&branch);
        blocking(&self.repository, move |repository| repository.fetch(&[branch]).map(drop)).await?;
        self.history(environment).await
    }

    /// The branches on which reverts wait, of all environments, as the remote lists them. Listed once, and again after
    /// [`Branches::list_again`].
    pub(in crate::agent) async fn proposals(
        &self,
    ) -> Result<Arc<BTreeMap<BranchName, CommitId>>, RepositoryError> {
        let mut listed = self.proposals.lock().await;
        if let Some(listed) = listed.as_ref() {
            return Ok(Arc::clone(listed));
        }
        let all = blocking(&self.repository, |repository| repository.remote_branches("backout/")).await?;
        Ok(Arc::clone(listed.insert(Arc::new(all))))
    }

    /// Has the branches on which reverts wait listed anew: the pass has made or removed some.
    pub(in crate::agent) async fn list_again(&self) {
        *self.proposals.lock().await = None;
    }

    async fn read_branch(&self, environment: &Environment) -> Result<Read, RepositoryError> {
        let on_branch = self.environments.iter().filter(|other| other.branch == environment.branch);
        let on_branch: Vec<Arc<Environment>> = on_branch.cloned().collect();
        let widest = |widest: Since, one: Since| Since {
            diffs: widest.diffs.min(one.diffs),
            commits: widest.commits.min(one.commits),
        };
        let now = self.now;
        let since = on_branch.iter().map(|one| Since::of(one, now)).fold(Since::of(environment, now), widest);
        let branch = environment.branch.clone();
        blocking(&self.repository, move |repository| {
            let scopes: Vec<Tracked<'_>> = on_branch.iter().map(|one| Tracked::new(one, None)).collect();
            let snapshot = repository.history(&HistoryQuery {
                branch: &branch,
                diffs_since: since.diffs,
                diffs_until: now,
                commits_since: since.commits,
                now,
                scope: &Any::new(scopes),
            })?;
            let reverts = Arc::new(reverts(&snapshot));
            Ok(Read { snapshot: Arc::new(snapshot), reverts, since })
        })
        .await
    }
}

impl Since {
    fn of(environment: &Environment, now: Time) -> Self {
        let longest = |secs: fn(&Policy) -> u32| {
            environment.services.iter().map(|rule| i64::from(secs(&rule.policy))).max().unwrap_or(0)
        };
        let watched = 2 * longest(|policy| policy.watch_secs.max(policy.recovery_secs));
        let remembered = longest(|policy| policy.quarantine_secs.max(policy.cooldown_secs))
            .max(i64::from(environment.budget.window_secs))
            .max(watched);
        Self { diffs: now.minus_secs(watched), commits: now.minus_secs(remembered) }
    }
}

impl Read {
    /// What one environment looks at of it: no further back than its own rules look.
    fn of(&self, environment: &Environment, since: Since) -> History {
        let snapshot = match since == self.since {
            true => Arc::clone(&self.snapshot),
            false => Arc::new(self.snapshot.since(since.commits, since.diffs)),
        };
        let oldest = snapshot.commits.last().map(|commit| commit.at);
        let is_own = |entry: &&RevertEntry| {
            entry.environment == environment.name && oldest.is_some_and(|oldest| entry.at >= oldest)
        };
        let reverts = self.reverts.iter().filter(is_own).cloned().collect();
        History { snapshot, reverts }
    }
}

/// Learns what is new at the remote: the branches of all environments, and the notes. Returns the branches that are not
/// there, with what was said: where there are several environments, a missing one does not hold up the others.
///
/// # Errors
/// When the repository cannot be fetched at all, or the only branch is not there.
pub async fn fetch(estate: &Estate) -> Result<BTreeMap<BranchName, String>, RepositoryError> {
    let branches: BTreeSet<BranchName> =
        estate.environments.iter().map(|environment| environment.branch.clone()).collect();
    let branches: Vec<BranchName> = branches.into_iter().collect();
    let mut missing = BTreeMap::new();
    match fetch_branches(estate, branches.clone()).await {
        Err(RepositoryError::NotFound(_)) if branches.len() > 1 => {}
        fetched => return fetched.map(|()| missing),
    }
    for branch in branches {
        match fetch_branches(estate, vec![branch.clone()]).await {
            Ok(()) => {}
            Err(error @ RepositoryError::NotFound(_)) => {
                missing.insert(branch, error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(missing)
}

async fn fetch_branches(estate: &Estate, branches: Vec<BranchName>) -> Result<(), RepositoryError> {
    blocking(&estate.repository, move |repository| repository.fetch(&branches).map(drop)).await
}
