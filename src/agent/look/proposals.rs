//! The branches on which reverts wait, as they are at the remote.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Pass;
use crate::domain::history::snapshot::Snapshot;
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{BranchName, CommitId, ServiceName};
use crate::ports::RepositoryError;
use crate::record::{self, Record};

/// The branches on which reverts wait, however long ago they were made.
#[derive(Default)]
pub(in crate::agent) struct Proposals {
    /// The branches, by the deployments that they revert.
    pub branches: BTreeMap<CommitId, Vec<ProposalBranch>>,
    /// The notes on those deployments.
    pub records: BTreeMap<CommitId, Vec<Record>>,
    /// The branches that cannot be read, with why. Nobody else waits for them.
    pub problems: Vec<String>,
}

/// A branch on which a revert waits.
pub(in crate::agent) struct ProposalBranch {
    pub name: BranchName,
    pub tip: CommitId,
    /// The message of the commit at its tip.
    pub message: String,
}

impl ProposalBranch {
    /// Whether it reverts a service without a person having asked for it: what people ask for is theirs to follow.
    pub(in crate::agent) fn is_of(&self, pass: &Pass<'_>, service: &ServiceName) -> bool {
        let own = OwnTrailers::find(&self.message);
        own.is_some_and(|own| own.is_of(&pass.environment.name, service) && !own.is_requested())
    }
}

impl Proposals {
    /// Whether a branch is there that says it reverts a deployment of a service.
    pub(in crate::agent) fn is_waiting(
        &self,
        pass: &Pass<'_>,
        deployment: CommitId,
        service: &ServiceName,
    ) -> bool {
        let branches = self.branches.get(&deployment).map_or(&[][..], Vec::as_slice);
        branches.iter().any(|branch| branch.is_of(pass, service))
    }

    /// Reads the branches of the environment's proposals at the remote, as far as their deployments are in the snapshot, or
    /// what they were made on: a step further back takes back what was deployed long ago. Without a forge nobody follows them.
    pub(in crate::agent) async fn read(
        pass: &Pass<'_>,
        snapshot: &Snapshot,
    ) -> Result<Self, RepositoryError> {
        if pass.estate.forge.is_none() {
            return Ok(Self::default());
        }
        let prefix = format!("backout/{}/", pass.environment.name);
        let known: BTreeMap<String, CommitId> =
            snapshot.commits.iter().map(|commit| (commit.id.short(), commit.id)).collect();
        let deployment = |name: &BranchName| known.get(name.as_str().rsplit('/').next()?).copied();
        let listed = pass.branches.proposals().await?;
        let own = listed.iter().filter(|(name, _)| name.as_str().starts_with(&prefix));
        let tips: Vec<(Option<CommitId>, BranchName, CommitId)> =
            own.map(|(name, tip)| (deployment(name), name.clone(), *tip)).collect();
        let recent: BTreeSet<CommitId> = known.values().copied().collect();
        if tips.is_empty() {
            return Ok(Self::default());
        }
        let read = pass.git(move |repository| {
            let mut branches: BTreeMap<CommitId, Vec<ProposalBranch>> = BTreeMap::new();
            let mut problems = Vec::new();
            let names: Vec<BranchName> = tips.iter().map(|(_, name, _)| name.clone()).collect();
            // All at once; where one of them is not there any more, each for itself.
            let all = repository.fetch(&names).is_ok();
            for (deployment, name, tip) in tips {
                let fetched =
                    if all { Ok(()) } else { repository.fetch(std::slice::from_ref(&name)).map(drop) };
                match fetched.and_then(|()| repository.commit(tip)) {
                    Ok(made) => {
                        let is_recent = made.parents.iter().any(|parent| recent.contains(parent));
                        let told = || reverted_by(&name, &made.message).filter(|_| is_recent);
                        let Some(deployment) = deployment.or_else(told) else { continue };
                        let branch = ProposalBranch { name, tip, message: made.message };
                        branches.entry(deployment).or_default().push(branch);
                    }
                    // It has moved or gone since it was listed.
                    Err(RepositoryError::NotFound(_)) => {}
                    // Who may push such branches alone must not keep the environment from being looked at.
                    Err(RepositoryError::Broken(reason)) => {
                        problems.push(format!("the branch {name}: {reason}"))
                    }
                    Err(error) => return Err(error),
                }
            }
            let commits: Vec<CommitId> = branches.keys().copied().collect();
            Ok::<_, RepositoryError>((branches, repository.notes(&commits)?, problems))
        });
        let (branches, notes, problems) = read.await?;
        let records = notes.into_iter().map(|(commit, note)| (commit, record::read(&note))).collect();
        Ok(Self { branches, records, problems })
    }
}

/// The deployment that a proposal takes back, where its branch and its commit name the same.
fn reverted_by(branch: &BranchName, message: &str) -> Option<CommitId> {
    let reverts = OwnTrailers::find(message)?.reverts()?;
    (branch.as_str().rsplit('/').next() == Some(reverts.short().as_str())).then_some(reverts)
}
