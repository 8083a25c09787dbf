//! What stands still while a pass works on one environment.

use std::sync::Arc;

use super::branches::Branches;
use super::pauses::FoundPauses;
use crate::agent::world::{Estate, Stop, World, blocking};
use crate::domain::decision::LATE_SECS;
use crate::domain::deployment::{Deployment, Detector, Documents};
use crate::domain::environment::policy::Policy;
use crate::domain::environment::{Environment, ServiceRule};
use crate::domain::history::ledger::{RevertEntry, rollback_id};
use crate::domain::history::snapshot::{FileDiff, Snapshot};
use crate::domain::ids::CommitId;
use crate::domain::time::Time;
use crate::ports::{Repository, RepositoryError};

/// Whether a pass acts or only says what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Change branches and notes.
    Act,
    /// Touch nothing.
    Plan,
}

/// What stands still while a pass works on one environment.
#[derive(Clone, Copy)]
pub(in crate::agent) struct Pass<'a> {
    pub world: &'a World,
    pub estate: &'a Estate,
    pub environment: &'a Arc<Environment>,
    /// The branches of the estate, for all of its environments.
    pub branches: &'a Branches,
    pub now: Time,
    pub intent: Intent,
    pub stop: &'a Stop,
}

/// Has reverts name deployments by the ids that the branch has now.
fn rename(snapshot: &Snapshot, reverts: &mut [RevertEntry]) {
    let now = |id: CommitId| {
        let renamed = snapshot.former.iter().find(|(_, former)| former.contains(&id));
        renamed.map_or(id, |(now, _)| *now)
    };
    for entry in reverts.iter_mut().filter(|_| !snapshot.former.is_empty()) {
        let named = now(entry.reverts);
        if named != entry.reverts {
            entry.id = rollback_id(&entry.environment, &entry.service, named);
            entry.reverts = named;
        }
        entry.with.iter_mut().for_each(|id| *id = now(*id));
    }
}

impl Pass<'_> {
    /// Runs blocking work on the estate's repository.
    pub(in crate::agent) async fn git<T, E>(
        &self,
        work: impl FnOnce(&dyn Repository) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RepositoryError> + Send + 'static,
    {
        blocking(&self.estate.repository, work).await
    }

    /// The pauses, with those in the file at a commit of the environment's branch.
    pub(in crate::agent) async fn pauses(&self, head: CommitId) -> Result<Arc<FoundPauses>, RepositoryError> {
        let place = (self.environment.branch.clone(), head);
        self.branches.pauses(place, self.world.records_proven, self.estate).await
    }

    /// What compares files, with what was compared before. It gives up when the pass is asked to end.
    pub(in crate::agent) fn documents(&self) -> Documents {
        Documents::new(Arc::clone(&self.world.memo), Some(self.stop.flag()))
    }

    /// The deployments and the reverts in a snapshot of the environment's branch, newest first.
    pub(in crate::agent) async fn detect(
        &self,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(Vec<Deployment>, Vec<RevertEntry>), RepositoryError> {
        // Of many environments on a branch most have nothing to be worked on elsewhere, which takes longer than to see that.
        let is_own = |file: &FileDiff| self.environment.rule_of(file.path.as_str()).is_some();
        if !snapshot.commits.iter().flat_map(|commit| &commit.files).any(is_own) {
            return Ok(Default::default());
        }
        let (environment, shown, documents) =
            (Arc::clone(self.environment), Arc::clone(snapshot), self.documents());
        let detecting = self.git(move |_| {
            Ok::<_, RepositoryError>(Detector::with(&environment, documents).all_with_reverts(&shown))
        });
        let (deployments, mut reverts) = detecting.await?;
        rename(snapshot, &mut reverts);
        Ok((deployments, reverts))
    }

    /// The reverts alone.
    pub(in crate::agent) async fn reverts(
        &self,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Vec<RevertEntry>, RepositoryError> {
        let (environment, shown, documents) =
            (Arc::clone(self.environment), Arc::clone(snapshot), self.documents());
        let detecting = self
            .git(move |_| Ok::<_, RepositoryError>(Detector::with(&environment, documents).reverts(&shown)));
        let mut reverts = detecting.await?;
        rename(snapshot, &mut reverts);
        Ok(reverts)
    }

    /// The rule by which a deployment's service was found; none where the configuration has changed since.
    pub(in crate::agent) fn rule(&self, deployment: &Deployment) -> Option<&ServiceRule> {
        self.environment.services.get(deployment.rule)
    }

    /// The policy that holds for a deployment: that of its rule, or the default where the rule is gone.
    pub(in crate::agent) fn policy(&self, deployment: &Deployment) -> Policy {
        self.rule(deployment).map_or_else(Policy::default, |rule| rule.policy.clone())
    }

    /// Whether it is too late for the agent to revert a deployment.
    pub(in crate::agent) fn is_late(&self, deployment: &Deployment) -> bool {
        let watch_secs = self.rule(deployment).map_or(0, |rule| i64::from(rule.policy.watch_secs));
        self.now.secs_since(deployment.at) > watch_secs + LATE_SECS
    }
}
