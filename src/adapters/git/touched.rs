//! Which files the commits of a branch changed: a small file in the cache, so that a search of a long history for the changes of
//! one service compares trees only where the service's files changed. What a commit changed stays true for ever. It is a
//! hint: without the file, and for a commit that is not in it, trees are compared. It goes with the cache when that is cloned
//! again, as it also says how far back the cache reaches.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use git2::{Odb, Oid, Repository};
use sha2::{Digest as _, Sha256};

use super::cache::short_hash;
use super::commit_object::Header;
use super::fault::Fault;
use super::packs::Packs;
use super::tree_diff::{PathChange, TreeDiff};
use crate::domain::history::scope::{Everything, Interest, Scope};
use crate::domain::ids::BranchName;
use crate::domain::time::Time;

/// The largest file, in bytes: some 80,000 commits of one file each. The oldest commits are left out.
const MAX_BYTES: usize = 8 << 20;
/// A commit that changed more files than this is looked into each time.
const MAX_FILES: usize = 64;
/// The first word of the file. It changes with the format.
const MAGIC: &str = "touched-1";

/// What is known of a branch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Lines, newest commit first: the id, and behind a tab each path that it changed; or a `?` where they are not listed.
    text: String,
    /// Where the paths of each commit are in the text.
    places: HashMap<Oid, Range<usize>>,
    /// How far back the cache was complete when this was written; none where nothing is known.
    since: Option<Time>,
}

impl Touched {
    /// Reads what is known of a branch. A file that is not as it was written says nothing.
    pub(super) fn read(repository: &Repository, branch: &BranchName) -> Self {
        let file = file(repository, branch);
        let is_small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= 2 * MAX_BYTES as u64);
        let whole = if is_small { std::fs::read_to_string(&file).unwrap_or_default() } else { String::new() };
        Self::parse(&whole).unwrap_or_default()
    }

    fn parse(whole: &str) -> Option<Self> {
        let (head, text) = whole.split_once('\n')?;
        let mut words = head.split(' ');
        let (magic, since, sum) = (words.next()?, words.next()?, words.next()?);
        if magic != MAGIC || sum != checksum(since, text) {
            return None;
        }
        let mut places = HashMap::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let id = Oid::from_str(line.get(..40)?).ok()?;
            places.insert(id, at + 40..at + line.trim_end_matches('\n').len());
            at += line.len();
        }
        Some(Self { text: text.to_owned(), places, since: Some(Time::from_unix(since.parse().ok()?)) })
    }

    fn write(&self, repository: &Repository, branch: &BranchName) -> std::io::Result<()> {
        let Some(since) = self.since else { return Ok(()) };
        let since = since.unix().to_string();
        let whole = format!("{MAGIC} {since} {}\n{}", checksum(&since, &self.text), self.text);
        let file = file(repository, branch);
        // Written beside it and put in its place. What a killed process leaves under such a name is swept from the cache.
        let fresh = file.with_file_name(format!("tmp_touched-{}", std::process::id()));
        std::fs::write(&fresh, whole)?;
        std::fs::rename(&fresh, &file)
    }

    /// Whether a commit is known to have changed nothing in a scope.
    pub(super) fn is_elsewhere(&self, commit: Oid, scope: &dyn Scope) -> bool {
        let Some(paths) = self.paths_of(commit).filter(|paths| *paths != "?") else { return false };
        paths.split('\t').skip(1).all(|path| scope.file(path) == Interest::Nothing)
    }

    /// Whether the commit is known, and the cache complete from it back to a time.
    pub(super) fn reaches(&self, commit: Oid, since: Time) -> bool {
        self.since.is_some_and(|known| known <= since) && self.places.contains_key(&commit)
    }

    fn paths_of(&self, commit: Oid) -> Option<&str> {
        self.text.get(self.places.get(&commit)?.clone())
    }

    /// Learns what the newest commits of a branch changed, and writes it down. `headers` are those, newest first, until the first
    /// that is known already or the end of what the cache was asked to hold, back to `since`.
    pub(super) fn learn(
        &self,
        (repository, odb): (&Repository, &Odb<'_>),
        branch: &BranchName,
        headers: &[Header],
        since: Time,
    ) -> Result<(), Fault> {
        let mut diff = TreeDiff::new(odb, Packs::of(repository), &Everything, MAX_FILES);
        let mut text = String::new();
        for pair in headers.windows(2) {
            let [commit, parent] = pair else { continue };
            if text.len() >= MAX_BYTES {
                break;
            }
            let known = self.paths_of(commit.id).map(str::to_owned);
            let paths = match known {
                Some(paths) => paths,
                None => listed(&diff.compare(Some(parent.tree), Some(commit.tree))?),
            };
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{}{paths}", commit.id);
        }
        // What was known of those before goes on behind the last.
        let before = headers.last().and_then(|last| self.places.get(&last.id));
        let before =
            before.and_then(|place| self.text.get(place.start.checked_sub(40)?..)).unwrap_or_default();
        text.extend(before.split_inclusive('\n').take_while({
            let mut room = MAX_BYTES.saturating_sub(text.len());
            move |line| {
                let fits = line.len() <= room;
                room = room.saturating_sub(line.len());
                fits
            }
        }));
        let since = if before.is_empty() { Some(since) } else { self.since.map(|known| known.min(since)) };
        let learnt = Self { text, places: HashMap::new(), since };
        if let Err(error) = learnt.write(repository, branch) {
            tracing::warn!(%branch, %error, "which files the commits changed cannot be remembered");
        }
        Ok(())
    }
}

/// The paths of a comparison as they stand in a line.
fn listed((changes, truncated): &(Vec<PathChange>, bool)) -> String {
    let paths = || changes.iter().map(|change| change.path.as_str());
    if *truncated || paths().any(|path| path.contains(['\t', '\n'])) {
        return "?".to_owned();
    }
    paths().flat_map(|path| ["\t", path]).collect()
}

fn file(repository: &Repository, branch: &BranchName) -> PathBuf {
    repository.path().join(format!("backout-touched-{}", short_hash(branch.as_str())))
}

/// Tells a file that was damaged from one that was not.
fn checksum(since: &str, text: &str) -> String {
    let digest = Sha256::new().chain_update(since).chain_update("\n").chain_update(text).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
