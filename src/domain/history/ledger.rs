//! The reverts on a branch, as the trailers of their commits tell.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::history::snapshot::Commit;
use crate::domain::history::trailers::{ID_TRAILER, NOTHING, OwnTrailers, UNPINS_TRAILER};
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
    /// Whether it is a person's, and not one that the agent found due by the metrics here: a person asked for it, or merged what was
    /// proposed because of another environment.
    pub requested: bool,
    /// The service of the same group with which this one goes back: by the same commit, or in a group with an order by another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together_with: Option<ServiceName>,
    /// The services of the same group that go back after this one, in this order, each by a commit of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<ServiceName>,
}

impl RevertEntry {
    /// Whether what it took back was bad itself. What only went back together with another service of its group was not, and is
    /// not in quarantine.
    #[must_use]
    pub fn is_of_bad(&self) -> bool {
        self.together_with.is_none() || !self.bad_values.is_empty()
    }

    /// Whether this revert was the next step, or a later one, of a group that goes back one service after another, and `earlier` was a
    /// step before it.
    #[must_use]
    pub fn follows(&self, earlier: &Self) -> bool {
        (&self.environment, self.reverts) == (&earlier.environment, earlier.reverts)
            && earlier.then.contains(&self.service)
    }
}

/// What the trailers of a commit say that it is. Anybody can write that: only beside what the commit changed does it show
/// whether it is true, see [`Claim::is_borne_out_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The revert that it says it is.
    pub entry: RevertEntry,
    /// The values that it says it replaced, each with what it says it put in its place. Either may be empty.
    pub restored: Vec<(String, String)>,
    /// Whether the message of the commit itself says so, and not that of a commit that it merged.
    pub is_itself: bool,
    /// Whether it says that the deployment was bad itself, and does not only go back together with another one.
    pub was_bad: bool,
}

impl Claim {
    /// Whether what changed (each value with the one before it) is what the claim says: what it says it put in the place of a
    /// value has come to a field that held this value. A revert that took back several deployments names each step; the fields
    /// went from the first to the last at once.
    #[must_use]
    pub fn is_borne_out_by(&self, changed: &[(String, String)]) -> bool {
        let is_stacked = !self.entry.with.is_empty();
        let came = |from: &String, to: &String| {
            changed.iter().any(|(old, new)| new == to && (is_stacked || old == from))
        };
        let gone =
            |from: &String| changed.iter().any(|(old, new)| new != from && (is_stacked || old == from));
        let is_between = |value: &String| is_stacked && self.restored.iter().any(|(from, _)| from == value);
        // What the deployment had added was removed again, which shows in no field that is still there.
        let is_there = |to: &String| !to.is_empty() && to != NOTHING;
        let mut ends = self.restored.iter().filter(|(_, to)| is_there(to) && !is_between(to)).peekable();
        match ends.peek() {
            Some(_) => ends.all(|(from, to)| came(from, to)),
            None => self.entry.bad_values.iter().any(gone),
        }
    }
}

/// The deployments that a commit says it takes back, in whatever environment: each once.
#[must_use]
pub fn named_by(commit: &Commit) -> Vec<CommitId> {
    let mut seen = BTreeSet::new();
    let claims = claims_of(commit).map(|claim| claim.entry);
    let all = claims.flat_map(|entry| std::iter::once(entry.reverts).chain(entry.with));
    all.filter(|id| seen.insert(*id)).collect()
}

/// Whether a commit says that it is a revert of the agent, or that it brought one in.
#[must_use]
pub fn says_revert(commit: &Commit) -> bool {
    messages(commit).any(|message| OwnTrailers::find(message).is_some())
}

/// The reverts that a commit says that it is, or brought in. What cannot be true by itself is left out: the id must be that of
/// the environment, the service and the deployment, and no commit reverts itself.
pub fn claims_of(commit: &Commit) -> impl Iterator<Item = Claim> {
    let mut seen = BTreeSet::new();
    // A proposal that was brought up to date says the same in each of its commits.
    let own = messages(commit)
        .enumerate()
        .flat_map(|(index, message)| OwnTrailers::find_all(message).map(move |own| (own, index == 0)));
    let claims = own.filter_map(|(own, is_itself)| claim(commit, &own, is_itself));
    claims.filter(move |claim| seen.insert(claim.entry.id.clone()))
}

/// The pins that a commit says a revert of it wrote, and until when. Nothing of that has to be believed: see [`crate::domain::pin`].
#[must_use]
pub fn pins_claimed<'c>(commit: &'c Commit, entry: &RevertEntry) -> Option<(Vec<&'c str>, Time)> {
    let own = messages(commit).flat_map(|message| OwnTrailers::find_all(message));
    let mut own = own.filter(|own| own.is_of(&entry.environment, &entry.service));
    own.find_map(|own| {
        let pins: Vec<&str> = own.pins().collect();
        (!pins.is_empty()).then(|| (pins, own.pinned_until().unwrap_or(entry.at)))
    })
}

/// The reverts of which a commit says that it took the pins off, each with the service. Nothing of that has to be believed either: who
/// says so falsely has pins stay.
pub fn unpinned_by(commit: &Commit) -> impl Iterator<Item = (CommitId, ServiceName)> {
    messages(commit).filter_map(|message| {
        let value = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Some((value(UNPINS_TRAILER)?.trim().parse().ok()?, value("Backout-Service")?.trim().parse().ok()?))
    })
}

fn messages(commit: &Commit) -> impl Iterator<Item = &String> {
    std::iter::once(&commit.message).chain(&commit.merged)
}

fn claim(commit: &Commit, own: &OwnTrailers<'_>, is_itself: bool) -> Option<Claim> {
    let together_with = own.together_with();
    let entry = RevertEntry {
        id: own.value(ID_TRAILER)?.to_owned(),
        commit: commit.id,
        at: commit.at,
        environment: own.value("Backout-Environment")?.parse().ok()?,
        service: own.value("Backout-Service")?.parse().ok()?,
        reverts: own.reverts()?,
        with: own.with(),
        bad_values: own.values("Backout-From").map(str::to_owned).collect(),
        requested: own.is_requested() || own.is_from_elsewhere(),
        together_with,
        then: own.then(),
    };
    let is_possible = entry.id == rollback_id(&entry.environment, &entry.service, entry.reverts)
        && entry.reverts != commit.id;
    let was_bad = entry.together_with.is_none() || own.has_signal();
    is_possible.then(|| Claim { entry, restored: own.restored(), is_itself, was_bad })
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
