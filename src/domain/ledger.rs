//! What Git remembers: the reverts on a branch, read from the trailers of their commits.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::change::Change;
use super::deployment::{Deployment, ID_TRAILER, trailer_lines};
use super::ids::{CommitId, EnvironmentName, ServiceName};
use super::inert::inert_value;
use super::snapshot::{Commit, Snapshot};
use super::time::Time;

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
    /// The values that were backed out, as in the trailers.
    pub bad_values: BTreeSet<String>,
    /// Whether a person asked for it.
    pub requested: bool,
}

impl RevertEntry {
    /// The entry that a change would become.
    #[must_use]
    pub fn planned(change: &Change) -> Self {
        Self {
            id: change.id.clone(),
            commit: change.base,
            at: change.at,
            environment: change.environment.clone(),
            service: change.service.clone(),
            reverts: change.reverts,
            bad_values: change
                .fields
                .iter()
                .filter(|(_, field)| field.is_version())
                .map(|(_, field)| trailer_value(&field.new_text))
                .collect(),
            requested: false,
        }
    }
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
        reverts: own.value("Backout-Reverts")?.parse().ok()?,
        bad_values: own.values("Backout-From").map(str::to_owned).collect(),
        requested: own.is_requested(),
    })
}

/// The trailers by which the agent knows a revert of its own.
#[derive(Clone, Debug)]
pub struct OwnTrailers<'m>(Vec<(&'m str, &'m str)>);

impl<'m> OwnTrailers<'m> {
    /// Finds the paragraph with all four of the agent's trailers. It may stand anywhere: a forge that squashes a proposal
    /// puts lines of its own behind it.
    #[must_use]
    pub fn find(message: &'m str) -> Option<Self> {
        let complete = |own: &Self| {
            let needed = [ID_TRAILER, "Backout-Environment", "Backout-Service", "Backout-Reverts"];
            needed.iter().all(|name| own.value(name).is_some())
        };
        message.split("\n\n").skip(1).map(|paragraph| Self(trailer_lines(paragraph).collect())).find(complete)
    }

    /// Whether it is a revert of this service in this environment.
    #[must_use]
    pub fn is_of(&self, environment: &EnvironmentName, service: &ServiceName) -> bool {
        self.value("Backout-Environment") == Some(environment.as_str())
            && self.value("Backout-Service") == Some(service.as_str())
    }

    /// Whether a person asked for it.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.value("Backout-Requested-By").is_some()
    }

    /// The rollback id.
    #[must_use]
    pub fn id(&self) -> Option<&'m str> {
        self.value(ID_TRAILER)
    }

    fn value(&self, name: &str) -> Option<&'m str> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'m str> {
        self.0.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// The new values of a deployment in the form of the trailers.
#[must_use]
pub fn values_of(deployment: &Deployment) -> BTreeSet<String> {
    deployment.fields.iter().map(|field| trailer_value(&field.new)).collect()
}

/// A value as one line of a trailer: without the quotes of its file, without control characters, at most 200 characters.
/// Words that would keep a forge from running its checks on the revert are taken apart, on both sides of a comparison.
#[must_use]
pub fn trailer_value(text: &str) -> String {
    let text = text.trim();
    let quoted = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let bare = quoted('"').or_else(|| quoted('\'')).unwrap_or(text);
    inert_value(&bare.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
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
