//! The branches of an estate: fetched together, and each read once a pass, however many environments share it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use super::elsewhere::Elsewhere;
use super::pauses::FoundPauses;
use crate::agent::world::{Estate, SEARCH_DAYS, blocking};
use crate::domain::deployment::lineage::Lineage;
use crate::domain::deployment::precedent::KnownArtifact;
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::history::landing::{RECENT_SECS, Sighting};
use crate::domain::history::ledger::{RevertEntry, claims_of};
use crate::domain::history::scope::{Any, Tracked};
use crate::domain::history::snapshot::{Commit, MAX_CHANGED_FILES, Snapshot};
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::review::OpenPull;
use crate::domain::time::Time;
use crate::ports::{Forge, ForgeError, HistoryQuery, Repository, RepositoryError};

/// How long after a quarantine is over it is looked for what was said because of it, in seconds.
const CORRECTED_SECS: u32 = 86_400;

/// The branches of an estate during one pass.
pub(in crate::agent) struct Branches {
    repository: Arc<dyn Repository>,
    environments: Vec<Arc<Environment>>,
    now: Time,
    /// Where each branch was when the pass began, where it was fetched for that.
    tips: BTreeMap<BranchName, CommitId>,
    /// The looks at each branch that the cache remembered before this pass.
    seen: BTreeMap<BranchName, Vec<Sighting>>,
    read: Mutex<BTreeMap<Shared, Option<Arc<Snapshot>>>>,
    proposals: Mutex<Option<Arc<BTreeMap<BranchName, CommitId>>>>,
    /// What services ran before, up to a commit: a walk along 90 days is made once for each.
    pub(super) pasts: Mutex<BTreeMap<(EnvironmentName, CommitId), BTreeMap<ServiceName, Ran>>>,
    /// The pauses, by the head of the branch at which the file was read.
    paused: Mutex<BTreeMap<(BranchName, CommitId), Arc<FoundPauses>>>,
    /// Why commands in comments are not obeyed, where that was asked.
    deaf: OnceCell<Option<String>>,
    /// The open pull requests into each branch, where they were asked for.
    pulls: Mutex<BTreeMap<BranchName, Arc<[OpenPull]>>>,
    /// The environments as others see them.
    pub elsewhere: Elsewhere,
    /// What is known of the artifacts of environments, where that was read.
    known: Mutex<BTreeMap<EnvironmentName, Arc<[KnownArtifact]>>>,
}

/// What a service ran, and the reverts of it in as much of the history.
pub(super) type Ran = (Lineage, Vec<RevertEntry>);

/// Environments with the same are read together. Where rules look back differently far, each reads for itself: how far a
/// branch is read decides which times and messages are seen.
type Shared = (BranchName, Since);

/// How far back a branch is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Since {
    /// With the files that commits changed.
    diffs: Time,
    /// At all.
    commits: Time,
}

impl Branches {
    /// For these environments of an estate. Nothing is read yet.
    pub(in crate::agent) fn new(
        estate: &Estate,
        environments: &[Arc<Environment>],
        now: Time,
        (tips, seen): (BTreeMap<BranchName, CommitId>, BTreeMap<BranchName, Vec<Sighting>>),
    ) -> Self {
        Self {
            repository: Arc::clone(&estate.repository),
            environments: environments.to_vec(),
            now,
            tips,
            seen,
            read: Mutex::default(),
            proposals: Mutex::default(),
            pasts: Mutex::default(),
            paused: Mutex::default(),
            deaf: OnceCell::new(),
            pulls: Mutex::default(),
            elsewhere: Elsewhere::new(&estate.repository, &estate.environments, now),
            known: Mutex::default(),
        }
    }

    /// Why commands in comments are not obeyed; the forge is asked once. Where it does not say, nothing more is said either.
    pub(in crate::agent) async fn deaf<'s>(&'s self, forge: &dyn Forge) -> Option<&'s str> {
        let asked = self.deaf.get_or_try_init(|| forge.deaf()).await;
        asked
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "the forge does not tell whether commands in comments are obeyed");
                &None
            })
            .as_deref()
    }

    /// The open pull requests into a branch; the forge is asked once for all environments on it.
    pub(in crate::agent) async fn pulls(
        &self,
        forge: &dyn Forge,
        base: &BranchName,
    ) -> Result<Arc<[OpenPull]>, ForgeError> {
        let mut listed = self.pulls.lock().await;
        if let Some(known) = listed.get(base) {
            return Ok(Arc::clone(known));
        }
        let pulls: Arc<[OpenPull]> = forge.pulls(base).await?.into();
        listed.insert(base.clone(), Arc::clone(&pulls));
        Ok(pulls)
    }

    /// What is known of the artifacts of an environment, which `read` reads once a pass.
    pub(in crate::agent) async fn known(
        &self,
        environment: &EnvironmentName,
        read: impl Future<Output = Vec<KnownArtifact>>,
    ) -> Arc<[KnownArtifact]> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.get(environment) {
            return Arc::clone(known);
        }
        Arc::clone(known.entry(environment.clone()).or_insert(read.await.into()))
    }

    /// Where a branch was when the pass began, where it was fetched for that.
    pub(in crate::agent) fn tip(&self, branch: &BranchName) -> Option<CommitId> {
        self.tips.get(branch).copied()
    }

    /// The looks at a branch that the cache remembered before this pass.
    pub(in crate::agent) fn seen(&self, branch: &BranchName) -> &[Sighting] {
        self.seen.get(branch).map_or(&[], Vec::as_slice)
    }

    /// The branch of an environment as of the last fetch.
    pub(in crate::agent) async fn history(
        &self,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Snapshot>, RepositoryError> {
        let shared = self.shared(environment);
        let together: Vec<Arc<Environment>> =
            self.environments.iter().filter(|other| self.shared(other) == shared).cloned().collect();
        let apart = vec![Arc::clone(environment)];
        if together.len() < 2 {
            return self.read(apart, shared.1).await;
        }
        let mut all = self.read.lock().await;
        if !all.contains_key(&shared) {
            let read = self.read(together, shared.1).await.ok().filter(is_complete);
            all.insert(shared.clone(), read);
        }
        let read = all.get(&shared).cloned().flatten();
        drop(all);
        match read {
            Some(read) => Ok(read),
            // What is wrong with the files of one environment, or too much in them, is that one's alone.
            None => self.read(apart, shared.1).await,
        }
    }

    /// The same as far back as a pass at an earlier time had to read it: what was watched then may be further back than what this
    /// pass has read.
    pub(in crate::agent) async fn history_at(
        &self,
        environment: &Arc<Environment>,
        at: Time,
    ) -> Result<Arc<Snapshot>, RepositoryError> {
        self.read(vec![Arc::clone(environment)], Since::of(environment, at, Some(at))).await
    }

    /// The same after the branch was fetched once more.
    pub(in crate::agent) async fn fetch_again(
        &self,
        environment: &Arc<Environment>,
    ) -> Result<Arc<Snapshot>, RepositoryError> {
        let branch = environment.branch.clone();
        self.read.lock().await.retain(|(read, _), _| *read != branch);
        self.paused.lock().await.retain(|(read, _), _| *read != branch);
        blocking(&self.repository, move |repository| repository.fetch(&[branch]).map(drop)).await?;
        self.history(environment).await
    }

    /// The pauses for all environments of a branch of the estate, with its head. `proven`: whether a key proves records.
    pub(super) async fn pauses(
        &self,
        place: (BranchName, CommitId),
        proven: bool,
        estate: &Estate,
    ) -> Result<Arc<FoundPauses>, RepositoryError> {
        let mut read = self.paused.lock().await;
        if let Some(known) = read.get(&place) {
            return Ok(Arc::clone(known));
        }
        let ((branch, head), now, environments) = (place.clone(), self.now, estate.environments.clone());
        let reading = blocking(&self.repository, move |repository| {
            FoundPauses::read(repository, (&branch, head), (proven, now), &environments)
        });
        Ok(Arc::clone(read.entry(place).or_insert(Arc::new(reading.await?))))
    }

    /// The same after the list of pauses was fetched once more, and no branch.
    pub(super) async fn pauses_again(
        &self,
        place: (BranchName, CommitId),
        proven: bool,
        estate: &Estate,
    ) -> Result<Arc<FoundPauses>, RepositoryError> {
        blocking(&self.repository, |repository| repository.fetch(&[]).map(drop)).await?;
        self.paused.lock().await.remove(&place);
        self.pauses(place, proven, estate).await
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

    /// The environments of which the past of a service was read.
    pub(in crate::agent) async fn walked(&self) -> BTreeSet<EnvironmentName> {
        self.pasts.lock().await.keys().map(|(environment, _)| environment.clone()).collect()
    }

    /// Has the branches on which reverts wait listed anew: the pass has made or removed some.
    pub(in crate::agent) async fn list_again(&self) {
        *self.proposals.lock().await = None;
    }

    fn shared(&self, environment: &Environment) -> Shared {
        let looks = self.seen(&environment.branch).iter().filter(|one| !one.is_exact);
        let looked = looks.map(|one| one.last).max();
        (environment.branch.clone(), Since::of(environment, self.now, looked))
    }

    /// Reads the branch that these environments share.
    async fn read(
        &self,
        environments: Vec<Arc<Environment>>,
        since: Since,
    ) -> Result<Arc<Snapshot>, RepositoryError> {
        let now = self.now;
        let reading = blocking(&self.repository, move |repository| {
            let Some(branch) = environments.first().map(|environment| environment.branch.clone()) else {
                return Err(RepositoryError::NotFound("a branch".to_owned()));
            };
            let scopes: Vec<Tracked<'_>> = environments.iter().map(|one| Tracked::new(one, None)).collect();
            let query = HistoryQuery {
                branch: &branch,
                diffs_since: since.diffs,
                diffs_until: now,
                commits_since: since.commits,
                now,
                scope: &Any::new(scopes),
            };
            let mut snapshot = repository.history(&query)?;
            if names_what_is_not_here(&snapshot, &environments) {
                match repository.deepen(&branch, now.minus_secs(SEARCH_DAYS * 86_400)) {
                    Ok(()) => snapshot = repository.history(&query)?,
                    Err(error) => {
                        tracing::warn!(%branch, %error, "what a revert takes back cannot be fetched");
                    }
                }
            }
            Ok(Arc::new(snapshot))
        });
        reading.await
    }
}

/// Whether a commit says that it is a revert in one of these environments, and what it says it takes back may be further back than
/// the history that is here.
fn names_what_is_not_here(snapshot: &Snapshot, environments: &[Arc<Environment>]) -> bool {
    let is_far = |commit: &&Commit| commit.taken_back.iter().any(|one| one.files.is_none());
    let mut claims = snapshot.commits.iter().filter(is_far).flat_map(claims_of);
    claims.any(|claim| environments.iter().any(|one| one.name == claim.entry.environment))
}

/// Whether no commit changed more files than are listed of one: those of other environments would hide an environment's own.
fn is_complete(snapshot: &Arc<Snapshot>) -> bool {
    snapshot.commits.iter().all(|commit| commit.files.len() < MAX_CHANGED_FILES)
}

impl Since {
    /// `looked` is when the branch was looked at before. What came since, or is in reach of that look, may not have been
    /// judged; of what is older than a day nothing is said any more.
    fn of(environment: &Environment, now: Time, looked: Option<Time>) -> Self {
        let longest = |secs: fn(&Policy) -> u32| {
            environment.services.iter().map(|rule| i64::from(secs(&rule.policy))).max().unwrap_or(0)
        };
        let watched = 2 * longest(|policy| policy.watch_secs.max(policy.recovery_secs));
        let budget_secs = |policy: &Policy| policy.service_budget.map_or(0, |budget| budget.window_secs);
        // What was said of a pull request because of a quarantine is corrected when that is over.
        let remembered = longest(|policy| {
            let quarantine_secs = policy.quarantine_secs.saturating_add(CORRECTED_SECS);
            quarantine_secs.max(policy.cooldown_secs).max(policy.pin.remembered_secs())
        })
        .max(longest(budget_secs))
        .max(i64::from(environment.budget.window_secs))
        .max(watched);
        let day = now.minus_secs(RECENT_SECS);
        let unseen = looked.map_or(day, |looked| looked.minus_secs(watched).max(day));
        let diffs = now.minus_secs(watched).min(unseen);
        // The same minute for environments of which the rules look back equally far.
        let diffs = Time::from_unix(diffs.unix() - diffs.unix().rem_euclid(60));
        Self { diffs, commits: now.minus_secs(remembered).min(diffs) }
    }
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The tip of each branch.
    pub tips: BTreeMap<BranchName, CommitId>,
    /// The branches that are not there, with what was said.
    pub missing: BTreeMap<BranchName, String>,
}

/// Learns what is new at the remote: the branches of all environments, and the notes. Where there are several environments, a
/// missing branch does not hold up the others.
///
/// # Errors
/// When the repository cannot be fetched at all, or the only branch is not there.
pub async fn fetch(estate: &Estate) -> Result<Fetched, RepositoryError> {
    let branches: BTreeSet<BranchName> =
        estate.environments.iter().map(|environment| environment.branch.clone()).collect();
    let branches: Vec<BranchName> = branches.into_iter().collect();
    let mut fetched = Fetched::default();
    match fetch_branches(estate, branches.clone()).await {
        Err(RepositoryError::NotFound(_)) if branches.len() > 1 => {}
        all => {
            fetched.tips = all?;
            return Ok(fetched);
        }
    }
    for branch in branches {
        match fetch_branches(estate, vec![branch.clone()]).await {
            Ok(tips) => fetched.tips.extend(tips),
            Err(error @ RepositoryError::NotFound(_)) => {
                fetched.missing.insert(branch, error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(fetched)
}

async fn fetch_branches(
    estate: &Estate,
    branches: Vec<BranchName>,
) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError> {
    blocking(&estate.repository, move |repository| repository.fetch(&branches)).await
}
