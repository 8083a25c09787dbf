//! Whether what a commit says is true: that it is a revert of the agent.

use std::collections::BTreeSet;

use super::field_change::FieldChange;
use crate::domain::history::ledger::{Claim, RevertEntry};
use crate::domain::history::snapshot::FileDiff;
use crate::domain::history::trailers::trailer_value;

/// How far what a commit says of a revert is true for a service that it changed.
pub(super) enum Truth {
    /// It is not.
    No,
    /// Nobody can say: the history that is here does not go back to the deployment that it names.
    Open,
    /// Something has gone back, and not all that was deployed; or it has changed other release fields of the service too.
    InPart,
    /// What it names has gone back, and nothing else was changed. With the revert as it counts.
    Yes(RevertEntry),
}

/// What a commit changed of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceChange {
    pub(super) files: Vec<FileDiff>,
    pub(super) fields: Vec<FieldChange>,
}

/// What is known of the deployments that a commit says it takes back, as far as they are deployments of the service.
pub(super) enum Named {
    /// The one that is to be bad is not on the branch before the commit.
    Nowhere,
    /// Nobody can say whether it is.
    Unknown,
    /// It and the others that are known.
    Known(Vec<ServiceChange>),
}

/// How far a claim is true for what the commit changed of a service. `compare` tells which release fields differ between two
/// versions of a file.
pub(super) fn truth(
    claim: &Claim,
    changed: &ServiceChange,
    named: &Named,
    mut compare: impl FnMut(&FileDiff) -> Vec<FieldChange>,
) -> Truth {
    let values: Vec<(String, String)> =
        changed.fields.iter().map(|field| (trailer_value(&field.old), trailer_value(&field.new))).collect();
    if !claim.is_borne_out_by(&values) {
        return Truth::No;
    }
    let named = match named {
        Named::Nowhere => return Truth::No,
        Named::Unknown => return Truth::Open,
        Named::Known(named) => named,
    };
    let back: Vec<Back<'_>> = named.iter().map(|one| Back::of(one, changed, &mut compare)).collect();
    let fields = || named.iter().flat_map(|one| &one.fields);
    let brought: BTreeSet<String> = fields().map(|field| trailer_value(&field.new)).collect();
    let is_claimed = |(old, new): &(String, String)| {
        claim.entry.bad_values.contains(old)
            || claim.restored.iter().any(|(_, to)| !to.is_empty() && to == new)
    };
    let each = || changed.fields.iter().zip(&values);
    let mut claimed = each().filter(|(_, values)| is_claimed(values)).peekable();
    let is_back = |(field, (old, new)): (&FieldChange, &(String, String))| {
        brought.contains(old) && back.iter().any(|one| one.holds_again(field, new))
    };
    if claimed.peek().is_none() || !claimed.all(is_back) {
        return Truth::No;
    }
    if !each().all(is_back) || back.iter().any(Back::is_left) {
        return Truth::InPart;
    }
    let mut entry = claim.entry.clone();
    // Nobody has put out what the deployments did not bring.
    entry.bad_values.retain(|value| claim.was_bad && brought.contains(value));
    Truth::Yes(entry)
}

/// What became of a deployment by a commit.
struct Back<'d> {
    deployment: &'d ServiceChange,
    /// The files that both changed. None where there are none: they may have been moved since.
    files: Vec<BothChanged<'d>>,
}

/// A file that a deployment changed, and a later commit.
struct BothChanged<'d> {
    then: &'d FileDiff,
    now: &'d FileDiff,
    /// The release fields that differ from what they were before the deployment.
    left: Vec<FieldChange>,
}

impl<'d> Back<'d> {
    fn of(
        deployment: &'d ServiceChange,
        changed: &'d ServiceChange,
        compare: &mut impl FnMut(&FileDiff) -> Vec<FieldChange>,
    ) -> Self {
        let both = |now: &'d FileDiff| {
            let then = deployment.files.iter().find(|then| is_same(then, now))?;
            let left = compare(&FileDiff { was: None, old: then.old.clone(), ..now.clone() });
            Some(BothChanged { then, now, left })
        };
        Self { deployment, files: changed.files.iter().filter_map(both).collect() }
    }

    /// Whether a field that the commit changed holds what it held before the deployment.
    fn holds_again(&self, field: &FieldChange, value: &str) -> bool {
        if self.files.is_empty() {
            return self.deployment.fields.iter().any(|one| trailer_value(&one.old) == value);
        }
        let mut files = self.files.iter().filter(|both| both.now.path == field.path);
        files.any(|both| both.left.iter().all(|one| one.address != field.address))
    }

    /// Whether a version that the deployment brought is still there.
    fn is_left(&self) -> bool {
        let stands = |field: &FieldChange| {
            let both = self.files.iter().find(|both| both.then.path == field.path);
            both.is_none_or(|both| {
                let mut same = both.left.iter().filter(|one| one.address == field.address);
                same.any(|one| trailer_value(&one.new) == trailer_value(&field.new))
            })
        };
        !self.files.is_empty() && self.deployment.fields.iter().filter(|field| field.is_version()).any(stands)
    }
}

/// Whether two changes are of one file, also where a version in its name was put back.
fn is_same(before: &FileDiff, now: &FileDiff) -> bool {
    let paths = |file: &FileDiff| [Some(file.path.clone()), file.was.clone()];
    paths(before).into_iter().flatten().any(|path| paths(now).contains(&Some(path)))
}
