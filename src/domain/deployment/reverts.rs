//! Which commits are the agent's own reverts: those whose trailers say so, and that changed what the trailers say.

use std::collections::BTreeSet;

use super::{Deployment, Documents, FieldChange, deployments_in};
use crate::domain::environment::Environment;
use crate::domain::history::ledger::{Claim, RevertEntry, claims_of, says_revert};
use crate::domain::history::snapshot::{Commit, Snapshot};
use crate::domain::history::trailers::trailer_value;
use crate::domain::ids::CommitId;

/// The reverts of an environment in the history, newest first. A merge that brought one in counts as one.
///
/// Where the history is there from its beginning, the deployment that a revert names must be in it.
#[must_use]
pub fn reverts(snapshot: &Snapshot, environment: &Environment) -> Vec<RevertEntry> {
    let mut documents = Documents::default();
    let claiming = snapshot.commits.iter().filter(|commit| says_revert(commit));
    let mut found: Vec<RevertEntry> = claiming
        .flat_map(|commit| {
            let changed = deployments_in(commit, environment, &mut documents);
            reverts_among(commit, &changed)
        })
        .filter(|entry| entry.environment == environment.name)
        .collect();
    if !found.is_empty() && snapshot.commits.last().is_some_and(|oldest| oldest.parent.is_none()) {
        let known: BTreeSet<CommitId> = snapshot.commits.iter().map(|commit| commit.id).collect();
        found.retain(|entry| known.contains(&entry.reverts));
    }
    found
}

/// The reverts that a commit is or brought in, where these are the deployments that it would be without its trailers.
pub(super) fn reverts_among(commit: &Commit, changed: &[Deployment]) -> Vec<RevertEntry> {
    let is_true = |claim: &Claim| changed_by(claim, changed).is_some_and(|one| puts_back(claim, one));
    claims_of(commit).filter(is_true).map(|claim| claim.entry).collect()
}

/// Whether a commit takes this service back for the agent, itself or through what it merged: taking that back in turn
/// would put the bad version out again. Reverts of other environments, which a promotion brings along, are none here.
pub(super) fn is_own_revert(commit: &Commit, deployment: &Deployment, is_only_one: bool) -> bool {
    let is_of = |claim: &Claim| {
        claim.entry.environment == deployment.environment
            && (claim.entry.service == deployment.service || claim.is_itself && is_only_one)
    };
    claims_of(commit).any(|claim| is_of(&claim) && puts_back(&claim, deployment))
}

/// What a commit changed of the service that a claim names. The agent takes back one service with a commit. So its commit is
/// that for the only service that it changed, also where the rules have another name for it since.
fn changed_by<'d>(claim: &Claim, changed: &'d [Deployment]) -> Option<&'d Deployment> {
    let in_environment = |one: &&Deployment| one.environment == claim.entry.environment;
    let named = changed.iter().find(|one| one.service == claim.entry.service);
    let only = match changed {
        [only] if claim.is_itself => Some(only),
        _ => None,
    };
    named.or(only).filter(in_environment)
}

/// Whether what changed is what a claim says: what it says it put in the place of a value has come to a field that held this
/// value. A revert that took back several deployments names each step; the fields went from the first to the last at once.
fn puts_back(claim: &Claim, changed: &Deployment) -> bool {
    let is_stacked = !claim.entry.with.is_empty();
    let went = |field: &FieldChange, old: &str, new: Option<&str>| {
        let (was, is) = (trailer_value(&field.old), trailer_value(&field.new));
        (is_stacked || was == old) && new.map_or(is != old, |new| is == new)
    };
    let is_between = |value: &str| is_stacked && claim.restored.iter().any(|(old, _)| old == value);
    let mut steps = claim.restored.iter().filter(|(_, new)| !is_between(new)).peekable();
    if steps.peek().is_none() {
        return claim
            .entry
            .bad_values
            .iter()
            .any(|old| changed.fields.iter().any(|field| went(field, old, None)));
    }
    steps.all(|(old, new)| changed.fields.iter().any(|field| went(field, old, Some(new))))
}
