//! What the agent has seen of the remote's branches, and when: a small file for each branch beside the cache. It is a hint that
//! can be deleted at any time; then the time that a committer gave is all that is known again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::cache::short_hash;
use crate::domain::history::landing::{Sighting, with_sightings};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;

/// The files of one repository.
#[derive(Debug)]
pub(super) struct Seen {
    /// The path of each file without the branch's part. None where there is no directory for them.
    stem: Option<PathBuf>,
}

/// The largest file that is read, in bytes: some times what is ever written.
const MAX_BYTES: u64 = 1 << 20;

impl Seen {
    /// In a cache directory. `name` tells the repository from others.
    pub(super) fn new(cache_dir: &Path, name: &str) -> Self {
        let has_directory = !cache_dir.as_os_str().is_empty();
        Self { stem: has_directory.then(|| cache_dir.join(name)) }
    }

    fn file(&self, branch: &BranchName) -> Option<PathBuf> {
        let stem = self.stem.as_ref()?;
        let name = stem.file_name().unwrap_or_default().to_string_lossy();
        Some(stem.with_file_name(format!("{name}.seen-{}", short_hash(branch.as_str()))))
    }

    /// What is known of a branch, oldest first. A line that is not understood says nothing.
    pub(super) fn read(&self, branch: &BranchName) -> Vec<Sighting> {
        let Some(file) = self.file(branch) else { return Vec::new() };
        let is_small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= MAX_BYTES);
        let text = if is_small { std::fs::read_to_string(&file).unwrap_or_default() } else { String::new() };
        text.lines().filter_map(parse).collect()
    }

    /// Adds to what is known of a branch.
    pub(super) fn add(&self, branch: &BranchName, new: &[Sighting]) -> std::io::Result<()> {
        let Some(file) = self.file(branch) else { return Ok(()) };
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut text = String::new();
        for one in with_sightings(self.read(branch), new) {
            let (first, last) = (one.first.unix(), one.last.unix());
            let kind = if one.is_exact { "moved" } else { "seen" };
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{kind} {} {first} {last}", one.tip);
        }
        // Written beside it and put in its place: who reads at the same time sees the old one or the new one.
        let fresh = file.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, &file)
    }
}

fn parse(line: &str) -> Option<Sighting> {
    let mut words = line.split(' ');
    let is_exact = match words.next()? {
        "moved" => true,
        "seen" => false,
        _ => return None,
    };
    let tip: CommitId = words.next()?.parse().ok()?;
    let mut time = || words.next()?.parse().ok().map(Time::from_unix);
    let (first, last) = (time()?, time()?);
    (first <= last).then_some(Sighting { tip, first, last, is_exact })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_what_is_broken_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let seen = Seen::new(&directory.path().join("not-there-yet"), "repo");
        let (main, other): (BranchName, BranchName) = ("main".parse().unwrap(), "a/b".parse().unwrap());
        assert_eq!(seen.read(&main), []);
        let one = |tip: u8, first: i64| Sighting {
            tip: CommitId::from_bytes([tip; 20]),
            first: Time::from_unix(first),
            last: Time::from_unix(first),
            is_exact: tip == 3,
        };
        seen.add(&main, &[one(1, 10)]).unwrap();
        seen.add(&main, &[one(1, 20), one(3, 15)]).unwrap();
        let known = [Sighting { last: Time::from_unix(20), ..one(1, 10) }, one(3, 15)];
        assert_eq!(seen.read(&main), known);
        assert_eq!(seen.read(&other), []);
        let file = seen.file(&main).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("nonsense\nseen 12 3 4\nseen {} 9 1\n{text}", "a".repeat(40))).unwrap();
        assert_eq!(seen.read(&main), known);
        let nowhere = Seen::new(Path::new(""), "repo");
        nowhere.add(&main, &known).unwrap();
        assert_eq!(nowhere.read(&main), []);
    }
}
