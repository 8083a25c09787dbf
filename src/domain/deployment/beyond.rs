//! What is more than is compared of a commit: it is left to a person.
//!
//! Comparing takes time and memory that grow with the bytes of the files and with the fields that changed in them. Whoever may
//! commit could else keep the agent busy for minutes, or have it killed for the memory that it takes.

use super::compared::MAX_FIELDS;
use super::field_change::FieldChange;
use crate::domain::environment::{Environment, RuleMatch, ServiceMatch};
use crate::domain::history::snapshot::{Commit, FileDiff, FileVersion, MAX_FILE_BYTES};
use crate::domain::ids::ServiceName;

/// The most bytes that are compared of one commit, both versions of all files together: 5,000 services with files of 3 KB
/// each. A file of 3 MB counts 6 MB.
const MAX_COMPARED_BYTES: usize = 32 << 20;

/// A service that a commit may have changed, and why nobody knows what.
type Beyond<'e> = Option<(ServiceMatch<'e>, String)>;

/// Where a commit changed files with more bytes than are compared: the service of the first of them.
pub(super) fn too_many_bytes<'e>(commit: &Commit, environment: &'e Environment) -> Beyond<'e> {
    let bytes = |file: &FileDiff| {
        let [old, new] = [&file.old, &file.new].map(|version| version.as_ref()?.bytes.as_ref());
        let (old, new) = (old?, new?);
        environment.rule_of(file.path.as_str()).map(|_| old.len() + new.len())
    };
    let compared: Vec<(&FileDiff, usize)> =
        commit.files.iter().filter_map(|file| Some((file, bytes(file)?))).collect();
    let total: usize = compared.iter().map(|(_, bytes)| bytes).sum();
    if total <= MAX_COMPARED_BYTES {
        return None;
    }
    let service = compared.iter().find_map(|(file, _)| {
        let found = environment.rule_of(file.path.as_str())?;
        named_after(&found, file)
    })?;
    let why = format!(
        "the commit changed {} files of services, with {} in both versions, and at most {} are compared: look at what it \
         deployed, and deploy in smaller commits",
        compared.len(),
        mebibytes(total),
        mebibytes(MAX_COMPARED_BYTES)
    );
    Some((service, why))
}

/// Where a file grew past what is read of one, or was larger before: nobody knows what was deployed in it.
pub(super) fn grown_file(files: &[FileDiff]) -> Option<String> {
    let is_text = |version: &FileVersion| {
        version.bytes.as_deref().is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
    };
    let is_unread = |version: &FileVersion| version.bytes.is_none();
    let has_crossed = |file: &&FileDiff| {
        let sides = file.old.as_ref().zip(file.new.as_ref());
        sides.is_some_and(|(old, new)| is_text(old) && is_unread(new) || is_unread(old) && is_text(new))
    };
    files.iter().find(has_crossed).map(|file| {
        format!(
            "{} is, or was before, larger than {}. backout does not read such a file: look at what was deployed in it, and split \
             it into smaller files",
            file.path,
            mebibytes(MAX_FILE_BYTES)
        )
    })
}

/// Where a commit changed more fields of a service than are taken back.
pub(super) fn too_many_fields(fields: &[FieldChange]) -> Option<String> {
    let first = fields.first().filter(|_| fields.len() > MAX_FIELDS)?;
    Some(format!(
        "the commit changed more than {MAX_FIELDS} release fields of it, beginning with {} in {}, and no more are taken \
         back by machine",
        first.address, first.path
    ))
}

/// Where a commit changed more entries of a file than are worked on.
pub(super) fn too_many_parts<'e>(found: &RuleMatch<'e, '_>, file: &FileDiff) -> Beyond<'e> {
    let why = format!(
        "the commit changed so many services in {} that they are not told apart by machine: look at what it deployed, and \
         deploy in smaller commits, or cut the file into smaller ones",
        file.path
    );
    Some((named_after(found, file)?, why))
}

/// The service that a file belongs to. One that holds several goes by its own name, without ending.
pub(super) fn named_after<'e>(found: &RuleMatch<'e, '_>, file: &FileDiff) -> Option<ServiceMatch<'e>> {
    let of_file = || {
        let name = file.path.as_str().rsplit('/').next()?;
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let name = ServiceName::new(stem).ok()?;
        let labels = found.rule.labels.clone();
        let group = found.group(&[]);
        Some(ServiceMatch { name, group, labels, rule: found.rule, rule_index: found.rule_index })
    };
    if found.rule.each.is_some() { of_file() } else { found.service(&[]) }
}

fn mebibytes(bytes: usize) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
