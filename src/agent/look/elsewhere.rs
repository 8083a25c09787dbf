//! Environments as others see them that look for controls there: each is read once a pass, however many need it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::found::find_services;
use crate::agent::world::blocking;
use crate::domain::deployment::{Detector, Documents, in_turn};
use crate::domain::environment::{Environment, ServiceFiles};
use crate::domain::history::scope::Tracked;
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::domain::judge::peer::{Peer, peers};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};

/// The environments of an estate during one pass.
pub(in crate::agent) struct Elsewhere {
    repository: Arc<dyn Repository>,
    now: Time,
    /// How far back what is watched can have its baseline, over all environments: each is read as far back at once.
    since: Time,
    changes: Mutex<BTreeMap<EnvironmentName, Read>>,
    services: Mutex<BTreeMap<(EnvironmentName, CommitId), Arc<Peers>>>,
}

/// How far back an environment was read, and what was found; none where it cannot be read.
type Read = (Time, Option<Arc<Changes>>);

/// The services of an environment, by name.
type Peers = BTreeMap<ServiceName, Peer>;

/// What changed in an environment.
pub(in crate::agent) struct Changes {
    /// The head of its branch.
    pub head: CommitId,
    /// When each service was last deployed or reverted.
    newest: BTreeMap<ServiceName, Time>,
    /// When a commit came of which it is not known what it changed.
    unknown: Option<Time>,
}

impl Changes {
    /// Whether nothing of a service was deployed or reverted since a time.
    pub(in crate::agent) fn is_quiet(&self, service: &ServiceName, since: Time) -> bool {
        let newest = self.newest.get(service).copied().max(self.unknown);
        newest.is_none_or(|at| at < since)
    }
}

impl Elsewhere {
    /// Nothing is read yet.
    pub(in crate::agent) fn new(
        repository: &Arc<dyn Repository>,
        environments: &[Arc<Environment>],
        now: Time,
    ) -> Self {
        let rules = environments.iter().flat_map(|environment| &environment.services);
        // A deployment may be judged until twice its watch window, and a baseline be twice as long as it is set.
        let secs =
            rules.map(|rule| 2 * (i64::from(rule.policy.watch_secs) + i64::from(rule.policy.baseline_secs)));
        Self {
            repository: Arc::clone(repository),
            now,
            since: now.minus_secs(secs.max().unwrap_or(0)),
            changes: Mutex::default(),
            services: Mutex::default(),
        }
    }

    /// What changed in an environment since a time at least; none where it cannot be read. `documents` compare files, where it was
    /// not read yet.
    pub(in crate::agent) async fn changes(
        &self,
        environment: &Arc<Environment>,
        since: Time,
        documents: Documents,
    ) -> Option<Arc<Changes>> {
        let mut known = self.changes.lock().await;
        match known.get(&environment.name) {
            Some((read_since, read)) if *read_since <= since => return read.clone(),
            _ => {}
        }
        let (since, now) = (since.min(self.since), self.now);
        let of_environment = Arc::clone(environment);
        let reading = blocking(&self.repository, move |repository| {
            read_changes(repository, &of_environment, documents, (since, now))
        });
        let read = reading.await.ok().map(Arc::new);
        known.insert(environment.name.clone(), (since, read.clone()));
        read
    }

    /// The services of an environment. Its files are listed only where a pattern finds some by a signal without `by`.
    pub(in crate::agent) async fn services(
        &self,
        environment: &Arc<Environment>,
        head: CommitId,
    ) -> Arc<Peers> {
        let mut known = self.services.lock().await;
        let key = (environment.name.clone(), head);
        if let Some(found) = known.get(&key) {
            return Arc::clone(found);
        }
        let asks = environment.services.iter().any(|rule| {
            !matches!(rule.files, ServiceFiles::Named(..))
                && rule.signals.iter().any(|signal| signal.by.is_none())
        });
        let mut found = Vec::new();
        if asks {
            let of_environment = Arc::clone(environment);
            let all = blocking(&self.repository, move |repository| {
                find_services(repository, &of_environment, head, None)
            });
            found = all.await.unwrap_or_default();
        }
        let found = Arc::new(peers(environment, found));
        known.insert(key, Arc::clone(&found));
        found
    }
}

fn read_changes(
    repository: &dyn Repository,
    environment: &Environment,
    documents: Documents,
    (since, now): (Time, Time),
) -> Result<Changes, RepositoryError> {
    let snapshot = repository.history(&HistoryQuery {
        branch: &environment.branch,
        diffs_since: since,
        diffs_until: now,
        commits_since: since,
        now,
        scope: &Tracked::new(environment, None),
    })?;
    let mut detector = Detector::with(environment, documents);
    let (mut newest, mut unknown) = (BTreeMap::new(), None);
    // From the newest commit on: what came to a service first is the newest.
    detector.walk(in_turn(&snapshot.commits), |_, commit, (changed, own)| {
        if changed.iter().any(|one| one.beyond.is_some()) {
            unknown = unknown.or(Some(commit.at));
        }
        let services = changed.into_iter().map(|one| one.service);
        for service in services.chain(own.into_iter().map(|entry| entry.service)) {
            newest.entry(service).or_insert(commit.at);
        }
        ControlFlow::Continue(())
    });
    Ok(Changes { head: snapshot.head, newest, unknown })
}
