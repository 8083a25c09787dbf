//! Planning: from a deployment to the exact bytes that take it back, and the message of their commit.

use std::collections::BTreeMap;

use super::{Change, Motive, NoChange, message, outcome_text};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Mixed, Policy};
use crate::domain::field::{self, FieldOutcome, FieldResult, File};
use crate::domain::history::ledger::rollback_id;
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::time::Time;

/// Where the change goes.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// The environment's branch.
    pub branch: &'a BranchName,
    /// Its head.
    pub head: CommitId,
    /// The files that the bad deployment changed, as they are at the head, at the places where they are now; `None`
    /// where a file is gone.
    pub current: &'a BTreeMap<FilePath, Option<Vec<u8>>>,
    /// Files of the deployment that were moved since, and where to.
    pub moved: &'a BTreeMap<FilePath, FilePath>,
    /// What the agent may do with the service.
    pub policy: &'a Policy,
    /// Now.
    pub now: Time,
}

/// Works out the revert of a deployment against the branch as it is: of its release fields, or of all that it changed in
/// the service's files where the policy says so.
///
/// # Errors
/// [`NoChange`] says why there is nothing to do, or why nothing may be done.
pub fn plan(deployment: &Deployment, motive: Motive<'_>, target: &Target<'_>) -> Result<Change, NoChange> {
    let whole = target.policy.mixed == Mixed::Deployment && !deployment.left_behind.is_empty();
    let mut files = BTreeMap::new();
    let mut fields: Vec<(FilePath, FieldResult)> = Vec::new();
    for file in &deployment.files {
        let reverted =
            if whole { merged(deployment, file, target)? } else { spliced(deployment, file, target)? };
        fields.extend(reverted.fields.into_iter().map(|field| (file.path.clone(), field)));
        files.extend(reverted.files);
    }
    let all = || fields.iter().map(|(_, field)| field);
    let is_left = !all().any(|field| field.outcome == FieldOutcome::Restored);
    if files.is_empty() || is_left {
        let gone = all().any(|field| field.outcome == FieldOutcome::Gone);
        let back = all().all(|field| field.outcome == FieldOutcome::AlreadyBack);
        let why = format!("no field holds the bad value any more ({})", outcomes(&fields));
        return Err(match (gone, back) {
            (true, _) => NoChange::Gone(why),
            (false, true) => NoChange::Restored(why),
            (false, false) => NoChange::Superseded(why),
        });
    }
    if field::is_half(all()) && !target.policy.partial {
        return Err(NoChange::Partial(outcomes(&fields)));
    }
    let mut change = Change {
        id: rollback_id(&deployment.environment, &deployment.service, deployment.commit),
        environment: deployment.environment.clone(),
        service: deployment.service.clone(),
        branch: target.branch.clone(),
        base: target.head,
        reverts: deployment.commit,
        files,
        fields,
        left_behind: if whole { Vec::new() } else { deployment.left_behind.clone() },
        message: String::new(),
        at: target.now,
    };
    change.message = message::compose(&change, deployment, motive);
    Ok(change)
}

/// What a revert makes of one file of the deployment.
#[derive(Default)]
struct Planned {
    /// The paths of which the bytes differ, with the new ones; `None` removes the file.
    files: BTreeMap<FilePath, Option<Vec<u8>>>,
    fields: Vec<FieldResult>,
}

/// The file with the release fields put back.
fn spliced(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Planned, NoChange> {
    let [Some(old), Some(new)] = versions(file) else { return Ok(Planned::default()) };
    if !deployment.fields.iter().any(|field| field.path == file.path) {
        return Ok(Planned::default());
    }
    let (path, current) = target.now_at(&file.path);
    let Some(current) = current else { return Ok(gone(deployment, &file.path)) };
    let refused = |refusal| NoChange::Refused { path: file.path.clone(), refusal };
    let subject = File { path: file.path.as_str(), fields: &target.policy.fields };
    let reverted = field::revert(&subject, old, new, current).map_err(refused)?;
    let is_restored = reverted.fields.iter().any(|field| field.outcome == FieldOutcome::Restored);
    let mut files = BTreeMap::new();
    if let Some(was) = file.was.as_ref().filter(|_| is_restored) {
        files = moved_back(was, path, reverted.bytes, target)?;
    } else if reverted.bytes != *current {
        files.insert(path, Some(reverted.bytes));
    }
    Ok(Planned { files, fields: reverted.fields })
}

/// The file at the place where it was before the deployment, and no longer at the one where it is now.
fn moved_back(
    was: &FilePath,
    path: FilePath,
    bytes: Vec<u8>,
    target: &Target<'_>,
) -> Result<BTreeMap<FilePath, Option<Vec<u8>>>, NoChange> {
    if target.current.get(was).is_some_and(Option::is_some) {
        // Somebody has put a file there since.
        return Err(NoChange::Refused { path: was.clone(), refusal: field::Refusal::Conflict });
    }
    Ok(BTreeMap::from([(path, None), (was.clone(), Some(bytes))]))
}

/// The file with all that the commit changed in it taken back, by a three-way merge; what else happened to it stays.
fn merged(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Planned, NoChange> {
    let Planned { fields, .. } = spliced(deployment, file, target)?;
    let (path, current) = target.now_at(&file.path);
    let conflict = || NoChange::Refused { path: file.path.clone(), refusal: field::Refusal::Conflict };
    let unread =
        |version: &Option<FileVersion>| version.as_ref().is_some_and(|version| version.bytes.is_none());
    if unread(&file.old) || unread(&file.new) {
        return Err(conflict());
    }
    let bytes = match (versions(file), current) {
        ([old, new], current) if new == current => old.map(<[u8]>::to_vec),
        ([old, _], current) if old == current && file.was.is_none() => {
            return Ok(Planned { files: BTreeMap::new(), fields });
        }
        ([Some(old), Some(new)], Some(current)) => {
            Some(diffy::merge_bytes(new, current, old).map_err(|_marked| conflict())?)
        }
        _ => return Err(conflict()),
    };
    let files = match (&file.was, bytes) {
        (Some(was), Some(bytes)) => moved_back(was, path, bytes, target)?,
        (_, bytes) => BTreeMap::from([(path, bytes)]),
    };
    Ok(Planned { files, fields })
}

/// The bytes of a file before and after the deployment.
fn versions(file: &FileDiff) -> [Option<&[u8]>; 2] {
    [&file.old, &file.new].map(|version| version.as_ref().and_then(|version| version.bytes.as_deref()))
}

fn gone(deployment: &Deployment, path: &FilePath) -> Planned {
    let of_file = deployment.fields.iter().filter(|field| field.path == *path);
    let result = |field: &crate::domain::deployment::FieldChange| FieldResult {
        address: field.address.clone(),
        rule: field.rule,
        old_text: field.old.clone(),
        new_text: field.new.clone(),
        outcome: FieldOutcome::Gone,
    };
    Planned { files: BTreeMap::new(), fields: of_file.map(result).collect() }
}

impl Target<'_> {
    /// Where a file of the deployment is now, and its bytes.
    fn now_at(&self, path: &FilePath) -> (FilePath, Option<&[u8]>) {
        let now = self.moved.get(path).unwrap_or(path);
        (now.clone(), self.current.get(now).and_then(|bytes| bytes.as_deref()))
    }
}

/// What becomes of each field, in words.
fn outcomes(fields: &[(FilePath, FieldResult)]) -> String {
    let each: Vec<String> =
        fields.iter().map(|(path, field)| format!("{path}: {}", outcome_text(field))).collect();
    each.join("; ")
}

#[cfg(test)]
pub(crate) mod tests;
