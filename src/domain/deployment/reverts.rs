//! Whether what a commit says is true: that it is a revert of the agent.

use std::collections::BTreeSet;

use super::compared::FieldChange;
use crate::domain::history::ledger::Claim;
use crate::domain::history::snapshot::{Commit, FileDiff};
use crate::domain::history::trailers::trailer_value;

/// How far what a commit says of a revert is true for a service that it changed.
pub(super) enum Truth {
    /// It is not.
    No,
    /// Nobody can say: the history that is here does not go back to the deployments that it names.
    Open,
    /// What it names has gone back, and other versions of the service were changed to what none of those deployments replaced.
    InPart,
    /// All that it changed has gone back.
    Yes,
}

/// How far a claim is true for the release fields that the commit changed of a service. `replaced_in` tells which values of that
/// service were replaced in files; none where these are not the service's.
pub(super) fn truth(
    commit: &Commit,
    claim: &Claim,
    fields: &[FieldChange],
    mut replaced_in: impl FnMut(&[FileDiff]) -> Option<BTreeSet<String>>,
) -> Truth {
    let entry = &claim.entry;
    let values = |field: &FieldChange| (trailer_value(&field.old), trailer_value(&field.new));
    let all: Vec<(String, String)> = fields.iter().map(values).collect();
    let here = |id| commit.taken_back.iter().find(|one| one.commit == id);
    // The named deployment must be there.
    if !claim.is_borne_out_by(&all) || here(entry.reverts).is_none() {
        return Truth::No;
    }
    let named = std::iter::once(entry.reverts).chain(entry.with.iter().copied());
    let (mut stood, mut is_open) = (BTreeSet::new(), false);
    for one in named.filter_map(here) {
        match one.files.as_deref().and_then(&mut replaced_in) {
            Some(values) => stood.extend(values),
            // It is not here, or its files have been moved since.
            None => is_open = true,
        }
    }
    let versions: Vec<(String, String)> =
        fields.iter().filter(|field| field.is_version()).map(values).collect();
    let wanted = if versions.is_empty() { all } else { versions };
    let is_claimed = |(old, new): &&(String, String)| {
        entry.bad_values.contains(old) || claim.restored.iter().any(|(_, to)| to == new)
    };
    let mut claimed = wanted.iter().filter(is_claimed).peekable();
    let has_any = claimed.peek().is_some();
    let is_back = |(_, new): &(String, String)| stood.contains(new);
    match has_any && claimed.all(is_back) {
        true if wanted.iter().all(is_back) => Truth::Yes,
        true => Truth::InPart,
        false if is_open => Truth::Open,
        false => Truth::No,
    }
}
