//! Planning: from a decision to the exact bytes of a commit and its message.

use std::collections::BTreeMap;
use std::fmt;

use similar::TextDiff;

use super::deployment::Deployment;
use super::field::{self, FieldOutcome, FieldResult, File};
use super::ids::{BranchName, CommitId, EnvironmentName, FilePath, ServiceName};
use super::ledger::rollback_id;
use super::message;
use super::policy::Policy;
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
    /// The files that the bad deployment changed, as they are at the head; `None` where a file is gone.
    pub current: &'a BTreeMap<FilePath, Option<Vec<u8>>>,
    /// What the agent may do with the service.
    pub policy: &'a Policy,
    /// Now.
    pub now: Time,
}

/// Why there is no change to make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoChange {
    /// None of the fields holds the bad value any more.
    #[error("{0}")]
    Superseded(String),
    /// The fields are not where they were, and may run elsewhere.
    #[error("{0}: find out where it is now, and put it back by hand")]
    Gone(String),
    /// It is not clear what to do, so nothing may be done.
    #[error("{path}: {refusal}")]
    Refused {
        /// The file.
        path: FilePath,
        /// Why.
        refusal: field::Refusal,
    },
}

/// Works out the revert of a deployment against the branch as it is.
///
/// # Errors
/// [`NoChange`] says why there is nothing to do, or why nothing may be done.
pub fn plan(deployment: &Deployment, motive: Motive<'_>, target: &Target<'_>) -> Result<Change, NoChange> {
    let mut files = BTreeMap::new();
    let mut fields: Vec<(FilePath, FieldResult)> = Vec::new();
    for file in &deployment.files {
        let old = file.old.as_ref().and_then(|version| version.bytes.as_deref());
        let new = file.new.as_ref().and_then(|version| version.bytes.as_deref());
        let (Some(old), Some(new)) = (old, new) else { continue };
        if !deployment.fields.iter().any(|field| field.path == file.path) {
            continue;
        }
        let Some(Some(current)) = target.current.get(&file.path) else {
            fields.extend(gone(deployment, &file.path));
            continue;
        };
        let refused = |refusal| NoChange::Refused { path: file.path.clone(), refusal };
        let subject = File { path: file.path.as_str(), fields: &target.policy.fields };
        let reverted = field::revert(&subject, old, new, current).map_err(refused)?;
        fields.extend(reverted.fields.into_iter().map(|field| (file.path.clone(), field)));
        if reverted.bytes != *current {
            files.insert(file.path.clone(), Some(reverted.bytes));
        }
    }
    if files.is_empty() {
        let gone = fields.iter().any(|(_, field)| field.outcome == FieldOutcome::Gone);
        let why = nothing_left(&fields);
        return Err(if gone { NoChange::Gone(why) } else { NoChange::Superseded(why) });
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
        left_behind: deployment.left_behind.clone(),
        message: String::new(),
        at: target.now,
    };
    change.message = message::compose(&change, deployment, motive);
    Ok(change)
}

fn gone(deployment: &Deployment, path: &FilePath) -> Vec<(FilePath, FieldResult)> {
    let of_file = deployment.fields.iter().filter(|field| field.path == *path);
    let result = |field: &super::deployment::FieldChange| FieldResult {
        address: field.address.clone(),
        rule: field.rule,
        old_text: field.old.clone(),
        new_text: field.new.clone(),
        outcome: FieldOutcome::Gone,
    };
    of_file.map(|field| (path.clone(), result(field))).collect()
}

fn nothing_left(fields: &[(FilePath, FieldResult)]) -> String {
    let each: Vec<String> =
        fields.iter().map(|(path, field)| format!("{path}: {}", outcome_text(field))).collect();
    format!("no field holds the bad value any more ({})", each.join("; "))
}

/// What becomes of a field, in words.
fn outcome_text(field: &FieldResult) -> String {
    let address = &field.address;
    match &field.outcome {
        FieldOutcome::Restored => format!("{address}: {} → {}", field.new_text, field.old_text),
        FieldOutcome::AlreadyBack => format!("{address}: is {} already", field.old_text),
        FieldOutcome::Superseded(now) => format!("{address}: is {now} by now, left alone"),
        FieldOutcome::Gone => format!("{address}: is gone, left alone"),
    }
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
        BranchName::new(format!("backout/{}/{}/{}", self.environment, self.service, self.reverts.short()))
            .ok()
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
mod tests;
