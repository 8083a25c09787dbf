//! Directories that somebody has moved since the deployment: nobody can say where in them a file belongs that came or went with it.

use std::collections::BTreeMap;

use crate::domain::change::NoChange;
use crate::domain::deployment::Deployment;
use crate::domain::field::Refusal;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::FilePath;

/// The file at the place where it was before the deployment, and no longer at the one where it is now.
pub(super) fn moved_back(
    was: &FilePath,
    path: FilePath,
    content: Content,
    current: &BTreeMap<FilePath, Option<Content>>,
) -> Result<BTreeMap<FilePath, Option<Content>>, NoChange> {
    if current.get(was).is_some_and(Option::is_some) {
        // Somebody has put a file there since.
        return Err(NoChange::refused(was.clone(), Refusal::Conflict));
    }
    Ok(BTreeMap::from([(path, None), (was.clone(), Some(content))]))
}

/// Checks that the revert puts no file into a directory that was moved away, and leaves none there under its new name. `files` are the
/// contents that the revert makes, `current` those of the branch, and `moved` the files of the deployment that are elsewhere by now.
///
/// # Errors
/// The first file of which that is not so.
pub(super) fn are_in_place(
    deployment: &Deployment,
    files: &BTreeMap<FilePath, Option<Content>>,
    (current, moved): (&BTreeMap<FilePath, Option<Content>>, &BTreeMap<FilePath, FilePath>),
) -> Result<(), NoChange> {
    let moved: Vec<(&FilePath, &str)> =
        moved.iter().filter_map(|(from, to)| Some((from, moved_directory(from, to)?))).collect();
    let refused = |path: &FilePath, with: &FilePath| {
        Err(NoChange::refused(path.clone(), Refusal::Moved(with.to_string())))
    };
    for (path, content) in files {
        let is_there = current.get(path).is_some_and(Option::is_some);
        let within = |directory: &str| {
            directory.is_empty()
                || path.as_str().strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some((with, _)) = moved.iter().find(|(_, directory)| within(directory))
            && content.is_some()
            && !is_there
        {
            return refused(path, with);
        }
    }
    let renamed = deployment
        .files
        .iter()
        .filter(|file| file.was.as_ref().is_some_and(|was| split(was).0 == split(&file.path).0));
    for file in renamed {
        if moved.iter().any(|(from, _)| **from == file.path) {
            return refused(&file.path, &file.path);
        }
    }
    Ok(())
}

/// A path as its directory and its name.
fn split(path: &FilePath) -> (&str, &str) {
    path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()))
}

/// The directory that was moved with a file: none where the file has another name.
fn moved_directory<'p>(from: &'p FilePath, to: &FilePath) -> Option<&'p str> {
    let ((mut from, name), (mut to, other)) = (split(from), split(to));
    if name != other {
        return None;
    }
    // What both end in was moved with what is above it.
    while let (Some((above, last)), Some((there, same))) = (from.rsplit_once('/'), to.rsplit_once('/')) {
        if last != same {
            break;
        }
        (from, to) = (above, there);
    }
    Some(from)
}
