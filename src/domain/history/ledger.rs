//! The reverts on a branch, read from the trailers of their commits.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::history::snapshot::{Commit, Snapshot};
use crate::domain::history::trailers::{ID_TRAILER, OwnTrailers};
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::domain::time::Time;

/// The id of a rollback: a pure function of environment, service and bad commit, so that two agents, or one that was
/// killed, come to the same id and see that it is done. 24 hexadecimal digits.
#[must_use]
pub fn rollback_id(environment: &EnvironmentName, service: &ServiceName, bad: CommitId) -> String {
    let mut hash = Sha256::new();
    for part in [environment.as_str(), service.as_str(), &bad.to_string()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// A revert on the branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RevertEntry {
    /// Its rollback id.
    pub id: String,
    /// The commit on the branch that brought it.
    pub commit: CommitId,
    /// When it came to be on the branch.
    pub at: Time,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The bad deployment.
    pub reverts: CommitId,
    /// Other deployments of the service that it took back with it.
    pub with: Vec<CommitId>,
    /// The values that were backed out, as in the trailers.
    pub bad_values: BTreeSet<String>,
    /// Whether a person asked for it.
    pub requested: bool,
}

/// The reverts of the history, newest first. A merge that brought one in counts as one.
#[must_use]
pub fn reverts(snapshot: &Snapshot) -> Vec<RevertEntry> {
    snapshot.commits.iter().flat_map(reverts_of).collect()
}

/// The reverts that one commit is, or brought in.
pub fn reverts_of(commit: &Commit) -> impl Iterator<Item = RevertEntry> {
    let messages = std::iter::once(&commit.message).chain(&commit.merged);
    let mut seen = BTreeSet::new();
    // A proposal that was brought up to date says the same in each of its commits.
    messages.filter_map(|message| entry(commit, message)).filter(move |entry| seen.insert(entry.id.clone()))
}

fn entry(commit: &Commit, message: &str) -> Option<RevertEntry> {
    let own = OwnTrailers::find(message)?;
    Some(RevertEntry {
        id: own.value(ID_TRAILER)?.to_owned(),
        commit: commit.id,
        at: commit.at,
        environment: own.value("Backout-Environment")?.parse().ok()?,
        service: own.value("Backout-Service")?.parse().ok()?,
        reverts: own.reverts()?,
        with: own.with(),
        bad_values: own.values("Backout-From").map(str::to_owned).collect(),
        requested: own.is_requested(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_id_depends_on_all_of_its_parts() {
        let environment = |name: &str| EnvironmentName::new(name).unwrap();
        let service = |name: &str| ServiceName::new(name).unwrap();
        let bad = CommitId::from_bytes([7; 20]);
        let id = rollback_id(&environment("production"), &service("checkout"), bad);
        assert_eq!(id.len(), 24);
        assert_eq!(id, rollback_id(&environment("production"), &service("checkout"), bad));
        assert_ne!(id, rollback_id(&environment("staging"), &service("checkout"), bad));
        assert_ne!(id, rollback_id(&environment("production"), &service("cart"), bad));
        assert_ne!(
            id,
            rollback_id(&environment("production"), &service("checkout"), CommitId::from_bytes([8; 20]))
        );
    }
}
