//! Planning: from a deployment to the exact bytes that take it back, and the message of their commit.

mod moves;
mod secret;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use self::told::{held_now, outcomes};
use super::{AlsoUndone, Change, Motive, NoChange, Pins, message};
use crate::domain::deployment::{ChangeKind, Deployment, FieldChange, MODE};
use crate::domain::environment::policy::{Mixed, Policy};
use crate::domain::field::stamp::{Stamp, signed_by, unsigned};
use crate::domain::field::tokens::mask;
use crate::domain::field::{self, Document, FieldOutcome, FieldResult, FieldRule, File};
use crate::domain::history::moves::is_next_version;
use crate::domain::history::snapshot::{Content, FileDiff, FileVersion};
use crate::domain::history::trailers::trailer_value;
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
    pub current: &'a BTreeMap<FilePath, Option<Content>>,
    /// Files of the deployment that were moved since, and where to.
    pub moved: &'a BTreeMap<FilePath, FilePath>,
    /// What the agent may do with the service.
    pub policy: &'a Policy,
    /// Now.
    pub now: Time,
}

/// What is taken back: a bad deployment, and whatever has to go with it so that the service is in a state that it ran.
#[derive(Clone, Copy, Debug)]
pub struct Undo<'a> {
    /// The bad deployment.
    pub bad: &'a Deployment,
    /// All changes that are taken back, newest first, the bad deployment among them.
    pub changes: &'a [Deployment],
    /// Why a person should look at it before it is made.
    pub doubts: &'a [String],
    /// What the registries say about what goes back.
    pub checked: &'a [String],
}

impl<'a> From<&'a Deployment> for Undo<'a> {
    fn from(bad: &'a Deployment) -> Self {
        Self { bad, changes: std::slice::from_ref(bad), doubts: &[], checked: &[] }
    }
}

/// Works out the revert against the branch as it is: of all that the commits changed in the service's files, or of the
/// release fields alone where the policy says so, or where the rest was changed again since.
///
/// # Errors
/// [`NoChange`] says why there is nothing to do, or why nothing may be done.
pub fn plan<'a>(
    undo: impl Into<Undo<'a>>,
    motive: Motive<'_>,
    target: &Target<'_>,
) -> Result<Change, NoChange> {
    let Undo { bad, changes, doubts, checked } = undo.into();
    if changes.len() > 1 && is_back(changes, target) {
        return Err(NoChange::Restored(String::new()));
    }
    let mut current = target.current.clone();
    let mut done = Step::default();
    for (index, change) in changes.iter().enumerate() {
        let now = Target { current: &current, ..target.clone() };
        let is_bad = change.commit == bad.commit;
        let by = if is_bad { "the deployment".to_owned() } else { change.commit.short() };
        let step = match take_back(change, &by, &now) {
            Ok(step) => step,
            // What an older change left is found in the state that is wanted already.
            Err(NoChange::Restored(_)) if index > 0 => continue,
            Err(NoChange::Superseded(why) | NoChange::Gone(why)) if index > 0 => {
                return Err(NoChange::Partial(why));
            }
            Err(NoChange::Refused { path, refusal, .. }) => {
                let (_, here) = now.now_at(&path);
                let fields = held_now((change, &by), &path, here.as_ref());
                return Err(NoChange::Refused { path, refusal, fields });
            }
            Err(none) => return Err(none),
        };
        current.extend(step.files.clone());
        done.join(step);
    }
    let others = changes.iter().filter(|change| change.commit != bad.commit);
    let mut change = Change {
        id: bad.id.clone(),
        environment: bad.environment.clone(),
        service: bad.service.clone(),
        branch: target.branch.clone(),
        base: target.head,
        reverts: bad.commit,
        with: others.filter(|other| other.kind != ChangeKind::OwnRevert).map(AlsoUndone::of).collect(),
        bad_values: bad_values(bad, changes),
        files: done.files,
        fields: done.fields,
        along: done.along,
        left_behind: done.left_behind,
        doubts: doubts.iter().cloned().chain(done.doubts).collect(),
        checked: checked.to_vec(),
        pins: Pins::default(),
        together: None,
        message: String::new(),
        at: target.now,
    };
    change.message = message::compose(&change, bad, motive);
    Ok(change)
}

/// Whether each field that several changes touched holds what it held before the oldest of them.
fn is_back(changes: &[Deployment], target: &Target<'_>) -> bool {
    let is_there = |path: &FilePath| target.current.get(path).is_some_and(Option::is_some);
    let files = || changes.iter().flat_map(|change| change.files.iter().map(move |file| (change, file)));
    // What had the version in its name is at its old place.
    let mut moved = target.moved.clone();
    for (_, file) in files() {
        if let Some(was) = file.was.as_ref().filter(|was| is_there(was) && !is_there(&file.path)) {
            moved.insert(file.path.clone(), was.clone());
        }
    }
    let target = Target { moved: &moved, ..target.clone() };
    let mut fields: BTreeMap<(String, String), bool> = BTreeMap::new();
    for (change, file) in files() {
        let Ok(planned) = spliced(change, file, &target) else { return false };
        // What an older change says of a field counts.
        for field in planned.fields {
            let key = (mask(file.path.as_str()), field.address);
            fields.insert(key, field.outcome == FieldOutcome::AlreadyBack);
        }
    }
    !fields.is_empty() && fields.into_values().all(|back| back)
}

/// The versions of the bad deployment and of those that came after it, which carried the damage on. Where they changed no version, the
/// values that the configuration names.
fn bad_values(bad: &Deployment, changes: &[Deployment]) -> BTreeSet<String> {
    let own = changes.iter().position(|change| change.commit == bad.commit).unwrap_or(0);
    let fields = || changes.iter().take(own + 1).flat_map(|change| &change.fields);
    let has_version = fields().any(FieldChange::is_version);
    let bad = fields().filter(|field| field.is_version() || !has_version);
    bad.map(|field| trailer_value(&field.new)).collect()
}

/// What taking back one change, or several, makes of the files.
#[derive(Default)]
struct Step {
    files: BTreeMap<FilePath, Option<Content>>,
    fields: Vec<(FilePath, FieldResult)>,
    along: Vec<String>,
    left_behind: Vec<String>,
    doubts: Vec<String>,
}

impl Step {
    /// Adds what taking back an older change makes of them.
    fn join(&mut self, older: Step) {
        self.files.extend(older.files);
        for (path, field) in older.fields {
            let known = self.fields.iter_mut().find(|(known, own)| {
                *known == path
                    && own.address == field.address
                    && own.outcome == FieldOutcome::Restored
                    && field.outcome == FieldOutcome::Restored
            });
            match known {
                Some((_, own)) => own.old_text = field.old_text,
                None => self.fields.push((path, field)),
            }
        }
        add_new(&mut self.along, older.along);
        add_new(&mut self.left_behind, older.left_behind);
        add_new(&mut self.doubts, older.doubts);
    }
}

/// Adds the lines that are not there yet.
fn add_new(lines: &mut Vec<String>, more: Vec<String>) {
    let mut known: BTreeSet<String> = lines.iter().cloned().collect();
    lines.extend(more.into_iter().filter(|line| known.insert(line.clone())));
}

/// What else than release fields a deployment changed in a file.
fn left_in(deployment: &Deployment, path: &FilePath) -> Vec<String> {
    let is_in = |left: &&String| {
        left.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    };
    deployment.left_behind.iter().filter(is_in).cloned().collect()
}

/// Takes one change back. `by` says whose it is, for people.
fn take_back(deployment: &Deployment, by: &str, target: &Target<'_>) -> Result<Step, NoChange> {
    if let Some(field) = deployment.fields.iter().find(|field| field.rule == FieldRule::ByHand) {
        let refusal = field::Refusal::ByHand(field.address.clone());
        return Err(NoChange::refused(field.path.clone(), refusal));
    }
    let bound = deployment.bound.as_ref();
    let is_mixed = target.policy.mixed == Mixed::Deployment && !deployment.left_behind.is_empty();
    let mixed = is_mixed || bound.is_some();
    let mut step = Step::default();
    for file in &deployment.files {
        // Removing the file of a migration does not undo the migration, and the tool that ran it refuses to run without the file.
        let is_secret = mixed && bound.is_none() && secret::moves_secret(file, &target.policy.fields);
        let has_fields = || deployment.fields.iter().any(|field| field.path == file.path);
        if is_migration(deployment, file) || is_secret && !has_fields() {
            step.left_behind.extend(left_in(deployment, &file.path));
            continue;
        }
        let whole = if mixed && !is_secret { Some(merged(deployment, file, target)) } else { None };
        let reverted = match whole {
            Some(Ok(merged)) => {
                let is_mode = |left: &String| left.ends_with(&format!(": {MODE}"));
                let (stays, along): (Vec<String>, Vec<String>) =
                    left_in(deployment, &file.path).into_iter().partition(is_mode);
                step.left_behind.extend(stays);
                step.along.extend(along);
                merged
            }
            Some(Err(NoChange::Refused { path, refusal: field::Refusal::Conflict, .. }))
                if bound.is_some() =>
            {
                let refusal = field::Refusal::Bound(bound.cloned().unwrap_or_default());
                return Err(NoChange::refused(path, refusal));
            }
            Some(Err(NoChange::Refused { refusal: field::Refusal::Conflict, .. })) => {
                fields_alone(deployment, file, target, &mut step)?
            }
            Some(Err(none)) => return Err(none),
            None => {
                // The version of a secret stays, and what else the file got with it.
                let stays = if is_secret { left_in(deployment, &file.path) } else { Vec::new() };
                step.left_behind.extend(stays);
                spliced(deployment, file, target)?
            }
        };
        step.fields.extend(reverted.fields.into_iter().map(|field| (file.path.clone(), field)));
        step.files.extend(reverted.files);
        step.along.extend(reverted.along);
    }
    is_signed_again(deployment, &step)?;
    moves::are_in_place(deployment, &step.files, (target.current, target.moved))?;
    if !mixed {
        let is_left = |left: &&String| !step.along.contains(*left);
        step.left_behind = deployment.left_behind.iter().filter(is_left).cloned().collect();
    }
    let all = || step.fields.iter().map(|(_, field)| field);
    let is_left = !all().any(|field| field.outcome == FieldOutcome::Restored);
    if step.files.is_empty() || is_left {
        let gone = all().any(|field| matches!(field.outcome, FieldOutcome::Gone(_)));
        let back = all().all(|field| field.outcome == FieldOutcome::AlreadyBack);
        let told = outcomes(&step.fields, by);
        return Err(match (gone, back) {
            (true, _) => NoChange::Gone(told),
            (false, true) => NoChange::Restored(told),
            (false, false) => NoChange::Superseded(told),
        });
    }
    if field::is_half(all()) && !target.policy.partial {
        return Err(NoChange::Partial(outcomes(&step.fields, by)));
    }
    Ok(step)
}

/// The file with its release fields put back where the rest of it cannot be, with what stays told.
fn fields_alone(
    deployment: &Deployment,
    file: &FileDiff,
    target: &Target<'_>,
    step: &mut Step,
) -> Result<Planned, NoChange> {
    let fields = spliced(deployment, file, target)?;
    let mut left = left_in(deployment, &file.path);
    left.retain(|left| !fields.along.contains(left));
    // Where all of it goes back with the lines of the fields, nothing stays.
    if !left.is_empty() || fields.along.is_empty() {
        step.doubts.push(format!(
            "what else {} changed in {} stays as it is: that or a line beside it was changed again since, or it is no text",
            deployment.commit.short(),
            file.path
        ));
    }
    step.left_behind.extend(left);
    Ok(fields)
}

/// Whether a file of the deployment holds a migration and nothing else.
fn is_migration(deployment: &Deployment, file: &FileDiff) -> bool {
    deployment.migrations.iter().any(|migration| migration.path == file.path)
        && !deployment.fields.iter().any(|field| field.path == file.path)
}

/// Of a file with a signature or a checksum beside it the very bytes go back that these are of.
fn is_signed_again(deployment: &Deployment, step: &Step) -> Result<(), NoChange> {
    for signature in &deployment.files {
        let signed = signed_by(signature.path.as_str());
        let signed = signed.and_then(|path| deployment.files.iter().find(|file| file.path.as_str() == path));
        let Some(signed) = signed else { continue };
        let [before, _] = versions(signed);
        let is_before = |content: &Option<Content>| *content == before;
        if !step.files.get(&signed.path).is_some_and(is_before) {
            let refusal = field::Refusal::Stamped("its signature is of the whole file");
            return Err(NoChange::refused(signed.path.clone(), refusal));
        }
    }
    Ok(())
}

/// What a revert makes of one file of the deployment.
#[derive(Default)]
struct Planned {
    /// The paths of which the content differs, with the new one; `None` removes the file.
    files: BTreeMap<FilePath, Option<Content>>,
    fields: Vec<FieldResult>,
    /// What else goes back with the lines of the fields.
    along: Vec<String>,
}

/// The file with the release fields put back.
fn spliced(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Planned, NoChange> {
    let (path, current) = target.now_at(&file.path);
    let (old, new) = match versions(file) {
        [Some(old), Some(new)] => (old, new),
        one_sided => return Ok(came_or_went(deployment, file, one_sided, (path, current))),
    };
    if !deployment.fields.iter().any(|field| field.path == file.path) {
        // What stands in the folder of a version goes back there with the rest of it.
        let is_of_version = |was: &&FilePath| is_next_version(was, &file.path) && path == file.path;
        let of_version = file.was.as_ref().filter(is_of_version);
        let (Some(was), Some(current)) = (of_version, current) else { return Ok(Planned::default()) };
        let files = moves::moved_back(was, path, current, target.current)?;
        return Ok(Planned { files, ..Planned::default() });
    }
    let Some(current) = current else { return Ok(gone(deployment, &file.path)) };
    let refused = |refusal| NoChange::refused(file.path.clone(), refusal);
    let (Some(old), Some(new), Some(current)) = (old.bytes(), new.bytes(), current.bytes()) else {
        return Err(refused(field::Refusal::TooLarge));
    };
    let subject = File { path: file.path.as_str(), fields: &target.policy.fields };
    let reverted = field::revert(&subject, old, new, current).map_err(refused)?;
    let is_restored = reverted.fields.iter().any(|field| field.outcome == FieldOutcome::Restored);
    if current == new
        && let Some(field) = reverted.fields.iter().find(|field| field.outcome != FieldOutcome::Restored)
    {
        return Err(refused(field::Refusal::Unfaithful(field.address.clone())));
    }
    let mut files = BTreeMap::new();
    // Who moved it again since wants it there.
    if let Some(was) = file.was.as_ref().filter(|_| is_restored && path == file.path) {
        files = moves::moved_back(was, path, reverted.bytes.into(), target.current)?;
    } else if reverted.bytes != *current {
        files.insert(path, Some(reverted.bytes.into()));
    }
    let along = reverted.along.iter().map(|address| format!("{}: {address}", file.path)).collect();
    Ok(Planned { files, fields: reverted.fields, along })
}

/// A file that is nothing but release fields, and that the deployment added or removed.
fn came_or_went(
    deployment: &Deployment,
    file: &FileDiff,
    [old, new]: [Option<Content>; 2],
    (path, current): (FilePath, Option<Content>),
) -> Planned {
    let outcome = match current {
        now if now == new => FieldOutcome::Restored,
        now if now == old => FieldOutcome::AlreadyBack,
        _ => FieldOutcome::Superseded("another text".to_owned()),
    };
    let fields = results(deployment, &file.path, &outcome);
    let is_due = !fields.is_empty() && outcome == FieldOutcome::Restored;
    let files = if is_due { BTreeMap::from([(path, old)]) } else { BTreeMap::new() };
    Planned { files, fields, along: Vec::new() }
}

/// The file with all that the commit changed in it taken back, by a three-way merge; what else happened to it stays.
fn merged(deployment: &Deployment, file: &FileDiff, target: &Target<'_>) -> Result<Planned, NoChange> {
    let (path, current) = target.now_at(&file.path);
    let [old, new] = versions(file);
    let is_as_left = new == current && current.is_some();
    // Nobody has touched it since: it goes back as a whole, whatever the fields alone would do.
    let fields = if is_as_left {
        results(deployment, &file.path, &FieldOutcome::Restored)
    } else {
        spliced(deployment, file, target)?.fields
    };
    let conflict = || NoChange::refused(file.path.clone(), field::Refusal::Conflict);
    // Another deployment may have replaced each of the fields: then the revert has nothing to put back.
    let is_due = |field: &FieldResult| field.outcome == FieldOutcome::Restored;
    if !fields.is_empty() && !fields.iter().any(is_due) {
        return Ok(Planned { fields, ..Planned::default() });
    }
    is_whole(deployment, file, (current.as_ref(), &fields), target)?;
    if old == current && new != current && file.was.is_none() {
        return Ok(Planned { fields, ..Planned::default() });
    }
    let content = if new == current {
        old
    } else {
        // backout reverts a file that it has not read only where nobody changed the file since.
        let all = [&old, &new, &current].map(|content| content.as_ref().and_then(Content::bytes));
        let [Some(old), Some(new), Some(current)] = all else { return Err(conflict()) };
        let merged = diffy::merge_bytes(new, current, old).map_err(|_marked| conflict())?;
        if !field::is_sound_merge([old, new, current, &merged]) {
            return Err(conflict());
        }
        Some(merged.into())
    };
    let now_and_then = (current.as_ref().and_then(Content::bytes), content.as_ref().and_then(Content::bytes));
    if let (Some(now), Some(then)) = now_and_then {
        field::each_key_once(now, then).map_err(|refusal| NoChange::refused(file.path.clone(), refusal))?;
    }
    let files = match (&file.was, content) {
        (Some(was), Some(content)) => moves::moved_back(was, path, content, target.current)?,
        (_, content) => BTreeMap::from([(path, content)]),
    };
    Ok(Planned { files, fields, along: Vec::new() })
}

/// What something covers as a whole is as the deployment left it, and of what that changed nothing but release fields.
fn is_whole(
    deployment: &Deployment,
    file: &FileDiff,
    (current, fields): (Option<&Content>, &[FieldResult]),
    target: &Target<'_>,
) -> Result<(), NoChange> {
    let [old, new] = versions(file);
    let [before, after] = [&file.old, &file.new].map(|version| version.as_ref().and_then(FileVersion::text));
    let Some((after, stamp)) = after.and_then(|after| Some((after, Stamp::of(after)?))) else {
        return Ok(());
    };
    let only_fields = || match (stamp, before) {
        (Stamp::Signature, Some(before)) => {
            let subject = File { path: file.path.as_str(), fields: &target.policy.fields };
            let [before, after] = [before, after].map(|text| Document::from(unsigned(text).as_str()));
            field::compare(&subject, &before, &after).left_behind().next().is_none()
        }
        (Stamp::Sops | Stamp::LargeFile | Stamp::Signature, _) => {
            let of_stamp =
                |left: &String| left.split_once(": ").is_some_and(|(_, address)| stamp.has(address));
            left_in(deployment, &file.path).iter().all(of_stamp)
        }
    };
    // Where the file is several services', the rest of it stays as the deployment left it, and the stamp with it.
    let is_stale = before.is_some_and(|before| {
        let (then, now) = (stamp.text_of(before), stamp.text_of(after));
        before != after && !now.is_empty() && then == now
    });
    let is_as_left = current == new.as_ref() && (fields.is_empty() || only_fields());
    if current == old.as_ref() || is_as_left && !is_stale {
        return Ok(());
    }
    let refusal = if is_as_left { field::Refusal::Stale } else { field::Refusal::Stamped };
    Err(NoChange::refused(file.path.clone(), refusal(stamp.words())))
}

/// The content of a file before and after the deployment.
fn versions(file: &FileDiff) -> [Option<Content>; 2] {
    [&file.old, &file.new].map(|version| version.as_ref().map(Content::from))
}

fn gone(deployment: &Deployment, path: &FilePath) -> Planned {
    let fields = results(deployment, path, &FieldOutcome::Gone(Vec::new()));
    Planned { fields, ..Planned::default() }
}

/// The release fields of a file, of which all have become the same.
fn results(deployment: &Deployment, path: &FilePath, outcome: &FieldOutcome) -> Vec<FieldResult> {
    let of_file = deployment.fields.iter().filter(|field| field.path == *path);
    let result = |field: &FieldChange| FieldResult {
        address: field.address.clone(),
        rule: field.rule,
        old_text: field.old.clone(),
        new_text: field.new.clone(),
        outcome: outcome.clone(),
    };
    of_file.map(result).collect()
}

impl Target<'_> {
    /// The path of a file of the deployment now, and its content.
    fn now_at(&self, path: &FilePath) -> (FilePath, Option<Content>) {
        // Taking back a newer change may have put it at its old place.
        let is_here = self.current.get(path).is_some_and(Option::is_some);
        let now = self.moved.get(path).filter(|_| !is_here).unwrap_or(path);
        (now.clone(), self.current.get(now).cloned().flatten())
    }
}

#[cfg(test)]
pub(crate) mod tests;
