//! The agent's own reverts in a history: commits whose trailers say so, and that changed what the trailers say.

use std::collections::BTreeSet;

use super::Detector;
use crate::domain::history::ledger::{RevertEntry, says_revert};
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::CommitId;

/// The reverts of the detector's environment in the history, newest first. A merge that brought one in counts as one. The detector
/// must be a new one.
///
/// Where the history is there from its beginning, the deployment that a revert names must be in it.
#[must_use]
pub fn reverts(snapshot: &Snapshot, mut detector: Detector<'_>) -> Vec<RevertEntry> {
    let claiming = snapshot.commits.iter().filter(|commit| says_revert(commit));
    let mut found: Vec<RevertEntry> =
        claiming.flat_map(|commit| detector.next_with_reverts(commit).1).collect();
    if !found.is_empty() && snapshot.commits.last().is_some_and(|oldest| oldest.parent.is_none()) {
        let known: BTreeSet<CommitId> = snapshot.commits.iter().map(|commit| commit.id).collect();
        found.retain(|entry| known.contains(&entry.reverts));
    }
    found
}
