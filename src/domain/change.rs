//! Planning: from a decision to the exact bytes of a commit and its message.

use std::collections::BTreeMap;
use std::fmt;

use similar::TextDiff;

use super::deployment::Deployment;
use super::field::{self, FieldOutcome, FieldResult, File};
use super::ids::{BranchName, CommitId, EnvironmentName, FilePath, ServiceName};
use super::ledger::rollback_id;
use super::message;
use super::policy::{Mixed, Policy};
use super::snapshot::{FileDiff, FileVersion};
use super::time::Time;
use super::verdict::Judgement;

/// A commit to be made: its `Display` is the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The rollback id.
    pub id: String,
    /// The environment it is for.
    pub environment: EnvironmentName,
    /// The service it reverts.
    pub service: ServiceName,
    /// The environment's branch.
    pub branch: BranchName,
    /// The head that it was worked out from; its only parent.
    pub base: CommitId,
    /// The bad deployment.
    pub reverts: CommitId,
    /// The new bytes of each file; `None` removes it.
    pub files: BTreeMap<FilePath, Option<Vec<u8>>>,
    /// What becomes of each release field of the bad deployment.
    pub fields: Vec<(FilePath, FieldResult)>,
    /// What else the bad deployment changed, and what stays as it is.
    pub left_behind: Vec<String>,
    /// The whole commit message.
    pub message: String,
    /// Author and committer time.
    pub at: Time,
}

/// Why the change is made.
#[derive(Clone, Copy, Debug)]
pub enum Motive<'a> {
    /// The metrics got worse.
    Metrics(&'a Judgement),
    /// A person asked for it; the text says who.
    Request(&'a str),
}

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

/// Why there is no change to make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// Every field holds the good value already.
    #[error("{0}")]
    Restored(String),
    /// None of the fields holds the bad value any more.
    #[error("{0}")]
    Superseded(String),
    /// The fields are not where they were, and may run elsewhere.
    #[error("{0}: find out where it is now, and put it back by hand")]
    Gone(String),
    /// Some fields have moved on, or were put back by somebody: others are at work on it.
    #[error(
        "a part of the deployment has moved on ({0}): put the rest back by hand, or let the policy say `partial: true`"
    )]
    Partial(String),
    /// It is not clear what to do, so nothing may be done.
    #[error("{path}: {refusal}")]
    Refused {
        /// The file.
        path: FilePath,
        /// Why.
        refusal: field::Refusal,
    },
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
        files.extend(reverted.bytes);
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

/// A file of the deployment, worked out.
#[derive(Default)]
struct Worked {
    /// Where it is now and its new bytes, if they differ; `None` removes it.
    bytes: Option<(FilePath, Option<Vec<u8>>)>,
    fields: Vec<FieldResult>,
}

/// The file with the release fields put back.
fn spliced(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Worked, NoChange> {
    let [Some(old), Some(new)] = versions(file) else { return Ok(Worked::default()) };
    if !deployment.fields.iter().any(|field| field.path == file.path) {
        return Ok(Worked::default());
    }
    let (path, current) = target.now_at(&file.path);
    let Some(current) = current else { return Ok(gone(deployment, &file.path)) };
    let refused = |refusal| NoChange::Refused { path: file.path.clone(), refusal };
    let subject = File { path: file.path.as_str(), fields: &target.policy.fields };
    let reverted = field::revert(&subject, old, new, current).map_err(refused)?;
    let bytes = (reverted.bytes != *current).then_some((path, Some(reverted.bytes)));
    Ok(Worked { bytes, fields: reverted.fields })
}

/// The file with all that the commit changed in it taken back, by a three-way merge; what else happened to it stays.
fn merged(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Worked, NoChange> {
    let Worked { fields, .. } = spliced(deployment, file, target)?;
    let (path, current) = target.now_at(&file.path);
    let conflict = || NoChange::Refused { path: file.path.clone(), refusal: field::Refusal::Conflict };
    let unread =
        |version: &Option<FileVersion>| version.as_ref().is_some_and(|version| version.bytes.is_none());
    if unread(&file.old) || unread(&file.new) {
        return Err(conflict());
    }
    let bytes = match (versions(file), current) {
        ([old, new], current) if new == current => old.map(<[u8]>::to_vec),
        ([old, _], current) if old == current => return Ok(Worked { bytes: None, fields }),
        ([Some(old), Some(new)], Some(current)) => {
            Some(diffy::merge_bytes(new, current, old).map_err(|_marked| conflict())?)
        }
        _ => return Err(conflict()),
    };
    Ok(Worked { bytes: Some((path, bytes)), fields })
}

/// The bytes of a file before and after the deployment.
fn versions(file: &FileDiff) -> [Option<&[u8]>; 2] {
    [&file.old, &file.new].map(|version| version.as_ref().and_then(|version| version.bytes.as_deref()))
}

fn gone(deployment: &Deployment, path: &FilePath) -> Worked {
    let of_file = deployment.fields.iter().filter(|field| field.path == *path);
    let result = |field: &super::deployment::FieldChange| FieldResult {
        address: field.address.clone(),
        rule: field.rule,
        old_text: field.old.clone(),
        new_text: field.new.clone(),
        outcome: FieldOutcome::Gone,
    };
    Worked { bytes: None, fields: of_file.map(result).collect() }
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

/// What becomes of a field, in words.
fn outcome_text(field: &FieldResult) -> String {
    let address = &field.address;
    match &field.outcome {
        FieldOutcome::Restored => {
            format!("{address}: {} → {}", shown(&field.new_text), shown(&field.old_text))
        }
        FieldOutcome::AlreadyBack => format!("{address}: is {} already", field.old_text),
        FieldOutcome::Superseded(now) => format!("{address}: is {now} by now, left alone"),
        FieldOutcome::Gone => format!("{address}: is gone, left alone"),
    }
}

/// A value for people: one that is not there is called so.
fn shown(text: &str) -> &str {
    if text.is_empty() { "(nothing)" } else { text }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "revert {} of {} in {}", self.reverts.short(), self.service, self.environment)?;
        for (path, field) in &self.fields {
            writeln!(f, "  {path}: {} ({})", outcome_text(field), field.rule)?;
        }
        for address in &self.left_behind {
            writeln!(f, "  {address}: changed by the deployment too, stays as it is")?;
        }
        Ok(())
    }
}

impl Change {
    /// The name of the branch on which this change waits for a person.
    #[must_use]
    pub fn proposal_branch(&self) -> Option<BranchName> {
        Self::branch_for(&self.environment, &self.service, self.reverts)
    }

    /// The name of the branch on which the revert of a deployment waits: `backout/<environment>/<service>/<short id>`.
    /// None where such a name would be too long.
    #[must_use]
    pub fn branch_for(
        environment: &EnvironmentName,
        service: &ServiceName,
        bad: CommitId,
    ) -> Option<BranchName> {
        BranchName::new(format!("backout/{environment}/{service}/{}", bad.short())).ok()
    }

    /// The change as a unified diff against `current`.
    #[must_use]
    pub fn diff(&self, current: &BTreeMap<FilePath, Option<Vec<u8>>>) -> String {
        let text = |bytes: Option<&Vec<u8>>| {
            bytes.map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned())
        };
        let mut out = String::new();
        for (path, new) in &self.files {
            let old = text(current.get(path).and_then(Option::as_ref));
            let new = text(new.as_ref());
            let diff = TextDiff::from_lines(&old, &new);
            let (a, b) = (format!("a/{path}"), format!("b/{path}"));
            out.push_str(&diff.unified_diff().header(&a, &b).to_string());
        }
        out
    }
}

#[cfg(test)]
pub(crate) mod tests;
