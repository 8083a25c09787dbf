//! Where a file is now: renames and moves are followed through history, commit by commit.

use std::collections::HashMap;

use crate::domain::field::tokens::mask;
use crate::domain::history::snapshot::{Commit, FileDiff};
use crate::domain::ids::FilePath;

/// How much of a moved file's lines must be the same, in percent. Git's own default for renames is as much:
/// <https://git-scm.com/docs/git-diff#Documentation/git-diff.txt---find-renamesltngt>.
const MIN_SAME_PERCENT: usize = 50;

/// Where the file that was at `path` is after `commits`, which are given oldest first; `None` where it is gone, or could
/// be at several places.
#[must_use]
pub fn follow_file<'c>(commits: impl IntoIterator<Item = &'c Commit>, path: &FilePath) -> Option<FilePath> {
    let mut at = path.clone();
    let mut there = true;
    for commit in commits {
        let Some(change) = commit.files.iter().find(|file| file.path == at) else { continue };
        there = change.new.is_some();
        if !there && let Some(to) = successor(&commit.files, change) {
            at = to.path.clone();
            there = true;
        }
    }
    there.then_some(at)
}

/// The added file among `files` that took the place of a removed one: the one of its name but for the version in it, or the
/// one with its bytes, or the one that is most like it.
#[must_use]
pub fn successor<'f>(files: &'f [FileDiff], removed: &FileDiff) -> Option<&'f FileDiff> {
    let old = removed.old.as_ref()?;
    let added = || files.iter().filter(|file| file.old.is_none());
    let named: Vec<&FileDiff> = added().filter(|file| is_next_version(&removed.path, &file.path)).collect();
    if let [only] = named.as_slice() {
        return Some(only);
    }
    let same: Vec<&FileDiff> =
        added().filter(|file| file.new.as_ref().is_some_and(|new| new.blob == old.blob)).collect();
    if let [only] = same.as_slice() {
        return Some(only);
    }
    if !same.is_empty() {
        return None;
    }
    let text = old.bytes.as_deref()?;
    let likeness = |file: &FileDiff| Some(same_percent(text, file.new.as_ref()?.bytes.as_deref()?));
    let mut found: Vec<(usize, &FileDiff)> =
        added().filter_map(|file| Some((likeness(file)?, file))).collect();
    found.sort_by(|a, b| (b.0, &b.1.path).cmp(&(a.0, &a.1.path)));
    match found.as_slice() {
        [(best, _), (next, _), ..] if best == next => None,
        [(best, file), ..] if *best >= MIN_SAME_PERCENT => Some(file),
        _ => None,
    }
}

/// Whether two paths are the same but for a version in them: `app-1.4.2.yaml` and `app-1.5.0.yaml`.
#[must_use]
pub fn is_next_version(one: &FilePath, other: &FilePath) -> bool {
    let masked = mask(one.as_str());
    masked != one.as_str() && masked == mask(other.as_str())
}

/// How many of the lines of the longer text are in both, in percent.
fn same_percent(a: &[u8], b: &[u8]) -> usize {
    let lines = |text: &'_ [u8]| text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for line in a.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        *counts.entry(line).or_default() += 1;
    }
    let mut same = 0;
    for line in b.split(|byte| *byte == b'\n') {
        if let Some(left) = counts.get_mut(line).filter(|left| **left > 0) {
            *left -= 1;
            same += 1;
        }
    }
    same * 100 / lines(a).max(lines(b)).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::history::landing::Landing;
    use crate::domain::history::snapshot::{FileVersion, Person};
    use crate::domain::ids::{BlobId, CommitId};
    use crate::domain::time::Time;

    fn version(text: &str) -> FileVersion {
        let mut id = [0; 20];
        text.bytes().enumerate().for_each(|(at, byte)| id[at % 20] ^= byte);
        FileVersion { blob: BlobId::from_bytes(id), bytes: Some(Arc::from(text.as_bytes())) }
    }

    fn commit(files: &[(&str, Option<&str>, Option<&str>)]) -> Commit {
        let file = |(path, old, new): &(&str, Option<&str>, Option<&str>)| FileDiff {
            path: FilePath::new(*path).unwrap(),
            was: None,
            old: old.map(version),
            new: new.map(version),
            turned: None,
        };
        Commit {
            id: CommitId::from_bytes([1; 20]),
            parent: None,
            at: Time::from_unix(0),
            landing: Landing::by_committer(Time::from_unix(0)),
            author: Person::default(),
            committer: Person::default(),
            message: String::new(),
            merged: Vec::new(),
            files: files.iter().map(file).collect(),
            taken_back: Vec::new(),
        }
    }

    fn followed(commits: &[Commit]) -> Option<String> {
        follow_file(commits, &FilePath::new("a").unwrap()).map(|path| path.to_string())
    }

    #[test]
    fn files_are_followed_to_where_they_were_moved() {
        let text = "1\n2\n3\n4\n";
        let moved = commit(&[("a", Some(text), None), ("b", None, Some(text)), ("c", None, Some("5\n"))]);
        let again =
            commit(&[("b", Some(text), None), ("d", None, Some("1\n2\n3\n5\n")), ("e", None, Some("1\n"))]);
        assert_eq!(followed(&[]), Some("a".to_owned()));
        assert_eq!(followed(std::slice::from_ref(&moved)), Some("b".to_owned()));
        assert_eq!(followed(&[moved, again]), Some("d".to_owned()));
    }

    #[test]
    fn the_next_version_of_a_file_takes_its_place() {
        let next = commit(&[("a-1.4.2.yaml", Some("x\n"), None), ("a-1.5.0.yaml", None, Some("y\n"))]);
        let path = FilePath::new("a-1.4.2.yaml").unwrap();
        assert_eq!(follow_file([&next], &path).unwrap().as_str(), "a-1.5.0.yaml");
        // It was put away, and others hold the same.
        let put_away = commit(&[
            ("a-1.4.2.yaml", Some("x\n"), None),
            ("a-1.5.0.yaml", None, Some("y\n")),
            ("old/a", None, Some("x\n")),
        ]);
        assert_eq!(follow_file([&put_away], &path).unwrap().as_str(), "a-1.5.0.yaml");
        let folder = commit(&[
            ("1.4.2/a", Some("x\n"), None),
            ("1.4.2/b", Some("x\n"), None),
            ("1.5.0/a", None, Some("x\n")),
            ("1.5.0/b", None, Some("x\n")),
        ]);
        let path = FilePath::new("1.4.2/b").unwrap();
        assert_eq!(follow_file([&folder], &path).unwrap().as_str(), "1.5.0/b");
    }

    #[test]
    fn what_is_gone_or_could_be_in_two_places_is_nowhere() {
        assert_eq!(followed(&[commit(&[("a", Some("1\n"), None)])]), None);
        let twice = commit(&[("a", Some("1\n"), None), ("b", None, Some("1\n")), ("c", None, Some("1\n"))]);
        assert_eq!(followed(&[twice]), None);
        let other = commit(&[("a", Some("1\n2\n3\n"), None), ("b", None, Some("1\n4\n5\n"))]);
        assert_eq!(followed(&[other]), None);
        let back = commit(&[("a", None, Some("1\n"))]);
        assert_eq!(followed(&[commit(&[("a", Some("1\n"), None)]), back]), Some("a".to_owned()));
    }
}
