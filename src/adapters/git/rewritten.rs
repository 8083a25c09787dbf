//! A branch whose history was rewritten: which of its commits the branch held before under other ids, and which it holds no more. Known of
//! it is what this cache has fetched and seen at the tip.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use git2::{Odb, Oid};

use super::changed_files::ChangedFiles;
use super::commit_object::{self, Header};
use super::fault::Fault;
use super::names::commit_id;
use super::tree_diff::TreeDiff;
use crate::domain::history::landing::{Landing, Sighting, landings};
use crate::domain::history::ledger::{named_by, says_revert};
use crate::domain::history::snapshot::{Commit, Dropped, MAX_TAKEN_BACK, Person, TakenBack, settle_times};
use crate::domain::ids::{BlobId, CommitId, FilePath};
use crate::domain::time::Time;

/// How many commits are looked at on the way back from what was seen to the branch, all ways together: some days of a busy branch.
const MAX_DROPPED: usize = 1_000;

/// The way from a commit that was seen at the tip, and that is not on the branch any more, back to the branch.
pub(super) struct Way {
    tip: CommitId,
    /// The commits that are not on the branch, newest first.
    dropped: Vec<Header>,
    /// The place on the branch of the commit that they were made on.
    base: usize,
    /// The commits of the branch that make the change of a dropped one, by the id of that one: somebody has reworded it, or put it on
    /// another commit.
    renamed: HashMap<CommitId, CommitId>,
    /// The newest commit of the branch that it held when the tip was seen, under whatever id, and its place.
    held: CommitId,
    place: usize,
    /// The commits of the branch on top of that one that give a file what it had at the tip: the place of each, and that of the oldest
    /// dropped commit that gave it this.
    there_before: Vec<(usize, usize)>,
}

/// Two commits with equal values of this make the same change.
#[derive(PartialEq, Eq)]
struct Change {
    author: Person,
    authored: Time,
    files: Vec<(FilePath, Option<BlobId>, Option<BlobId>)>,
}

/// The ways back to a chain (newest first) from the commits that were seen at the tip and that are not on it. A way that is not here, is
/// too long, or leads further back than the chain is left out.
pub(super) fn ways(
    odb: &Odb<'_>,
    chain: &[Header],
    seen: &[Sighting],
    diff: &mut TreeDiff<'_>,
) -> Result<Vec<Way>, Fault> {
    let mut tips: BTreeSet<CommitId> = seen.iter().filter(|one| !one.is_exact).map(|one| one.tip).collect();
    for header in chain {
        if tips.is_empty() {
            break;
        }
        tips.remove(&commit_id(header.id));
    }
    let mut ways = Vec::new();
    let Some(oldest) = chain.last().map(|header| header.committed).filter(|_| !tips.is_empty()) else {
        return Ok(ways);
    };
    let places: HashMap<Oid, usize> =
        chain.iter().enumerate().map(|(place, header)| (header.id, place)).collect();
    let mut changes = Changes { odb, diff, known: HashMap::new() };
    let mut left = MAX_DROPPED;
    // The newest first: of too many the oldest are left out.
    for one in seen.iter().rev() {
        if tips.remove(&one.tip)
            && let Some((dropped, base)) = way_back(odb, &places, (one.tip, oldest), &mut left)?
        {
            let (place, renamed) = changes.made_again(chain, &dropped, base)?;
            let there_before = changes.there_before(chain, &dropped, (place, base))?;
            if let Some(held) = chain.get(place).map(|held| commit_id(held.id)) {
                ways.push(Way { tip: one.tip, dropped, base, renamed, held, place, there_before });
            }
        }
    }
    Ok(ways)
}

/// When the change of each commit of a chain was first committed: what was reworded, or put on another commit, was there before.
pub(super) fn committed(ways: &[Way], chain: &[Header]) -> Vec<Time> {
    let renamed = ways.iter().flat_map(|way| {
        let first = |old: &Header| Some((*way.renamed.get(&commit_id(old.id))?, old.committed));
        way.dropped.iter().filter_map(first)
    });
    let mut first: HashMap<CommitId, Time> = HashMap::new();
    for (id, committed) in renamed {
        first.entry(id).and_modify(|known| *known = committed.min(*known)).or_insert(committed);
    }
    let of = |header: &Header| match first.is_empty() {
        true => header.committed,
        false => {
            first.get(&commit_id(header.id)).map_or(header.committed, |first| header.committed.min(*first))
        }
    };
    let mut times: Vec<Time> = chain.iter().map(of).collect();
    // A commit that somebody put before one of them, and that changes no tracked file, does not make that one any newer.
    for way in ways {
        let held = times.get_mut(way.place..way.base).unwrap_or_default();
        let mut newest = held.first().copied().unwrap_or_default();
        for time in held {
            newest = newest.min(*time);
            *time = newest;
        }
    }
    times
}

/// The commits of a chain with the times that their committers gave, and with those that are believed of these.
pub(super) fn dated(chain: &[Header], committed: Vec<Time>, now: Time) -> Vec<(CommitId, Time, Time)> {
    let mut times = committed.clone();
    settle_times(&mut times, now);
    let all = chain.iter().zip(committed).zip(times);
    all.map(|((header, committed), believed)| (commit_id(header.id), committed, believed)).collect()
}

/// The commits of the branch that make the change of a dropped one, each with the ids that it had before.
pub(super) fn former(ways: &[Way]) -> BTreeMap<CommitId, BTreeSet<CommitId>> {
    let mut former: BTreeMap<CommitId, BTreeSet<CommitId>> = BTreeMap::new();
    for (old, new) in ways.iter().flat_map(|way| &way.renamed) {
        former.entry(*new).or_default().insert(*old);
    }
    former
}

/// The id that a commit has on the branch now.
pub(super) fn renamed(ways: &[Way], id: CommitId) -> Option<CommitId> {
    ways.iter().find_map(|way| way.renamed.get(&id)).copied()
}

/// The looks with the commit of the chain that the branch held then.
pub(super) fn on_chain(ways: &[Way], seen: &[Sighting]) -> Vec<Sighting> {
    let held = |one: &Sighting| match ways.iter().find(|way| way.tip == one.tip && !one.is_exact) {
        Some(way) => Sighting { tip: way.held, ..one.clone() },
        None => one.clone(),
    };
    seen.iter().map(held).collect()
}

/// Has the commits that give a file what the branch held before land at the earliest when that came: what they do may be older than
/// they are. `seen` are the looks.
pub(super) fn leave_open(
    ways: &[Way],
    (chain, seen): (&[Header], &[Sighting]),
    now: Time,
    times: &mut [Landing],
) {
    for way in ways.iter().filter(|way| !way.there_before.is_empty()) {
        let on_branch = chain.get(way.base..).unwrap_or_default();
        let older: Vec<Header> = way.dropped.iter().chain(on_branch).copied().collect();
        let landed =
            landings(&dated(&older, older.iter().map(|one| one.committed).collect(), now), seen, &[], now);
        for (place, of_old) in &way.there_before {
            if let Some((own, old)) = times.get_mut(*place).zip(landed.get(*of_old)) {
                own.earliest = own.earliest.min(old.earliest);
            }
        }
    }
}

/// The commits of these ways that are about reverts of the agent, newest first. `chain` are the commits of the branch, newest first,
/// and the same as a set; what was merged before `since` is not read.
pub(super) fn dropped(
    odb: &Odb<'_>,
    ways: &[Way],
    (chain, mainline): (&[Header], &HashSet<Oid>),
    since: Time,
    files: &mut ChangedFiles<'_>,
) -> Result<Vec<Dropped>, Fault> {
    let mut found: Vec<Dropped> = Vec::new();
    for way in ways {
        let on_branch = chain.get(way.base..).unwrap_or_default();
        let older = |place: usize| way.dropped.iter().chain(on_branch).skip(place);
        let parent_of = |place: usize| older(place).nth(1).map(|parent| parent.tree);
        let mut named: HashSet<CommitId> = HashSet::new();
        for (place, header) in way.dropped.iter().enumerate() {
            let Some(mut commit) = shown(odb, header, mainline, since)? else { continue };
            let is_known = found.iter().any(|one| one.commit.id == commit.id);
            if is_known || !says_revert(&commit) && !named.contains(&commit.id) {
                continue;
            }
            let renamed = way.renamed.get(&commit.id).copied();
            if renamed.is_none() {
                commit.files = files.of(header, parent_of(place))?;
                for id in named_by(&commit).into_iter().take(MAX_TAKEN_BACK) {
                    named.insert(id);
                    let of = older(place).position(|older| commit_id(older.id) == id).map(|of| place + of);
                    let header = of.and_then(|of| older(of).next());
                    if let Some((of, header)) = of.zip(header) {
                        let files = Some(files.of(header, parent_of(of))?);
                        commit.taken_back.push(TakenBack { commit: id, files });
                    }
                }
            }
            found.push(Dropped { commit, renamed });
        }
    }
    found.sort_by_key(|one| Reverse(one.commit.at));
    Ok(found)
}

/// A commit without its files.
fn shown(
    odb: &Odb<'_>,
    header: &Header,
    mainline: &HashSet<Oid>,
    since: Time,
) -> Result<Option<Commit>, Fault> {
    let Some(object) = commit_object::read(odb, header.id)? else { return Ok(None) };
    let merged = match object.merged.is_empty() {
        true => Vec::new(),
        false => commit_object::merged_messages(odb, &object, mainline, since)?,
    };
    Ok(Some(Commit {
        id: commit_id(header.id),
        parent: header.first_parent.map(commit_id),
        at: object.committed,
        landing: Landing::by_committer(object.committed),
        author: object.author,
        committer: object.committer,
        message: object.message,
        merged,
        files: Vec::new(),
        taken_back: Vec::new(),
    }))
}

/// The commits on the way back from a tip, and the place where it comes to the chain.
fn way_back(
    odb: &Odb<'_>,
    places: &HashMap<Oid, usize>,
    (tip, oldest): (CommitId, Time),
    left: &mut usize,
) -> Result<Option<(Vec<Header>, usize)>, Fault> {
    let mut dropped = Vec::new();
    let mut next = Some(Oid::from_bytes(tip.as_bytes())?);
    while let Some(id) = next {
        if let Some(base) = places.get(&id) {
            return Ok(Some((dropped, *base)));
        }
        let Some((header, _)) = commit_object::read_header(odb, id)? else { break };
        if header.committed < oldest || *left == 0 {
            break;
        }
        *left -= 1;
        next = header.first_parent;
        dropped.push(header);
    }
    Ok(None)
}

/// A commit of these (newest first), with the tree that it was made on: that of the next one, or of `base` behind the last.
fn with_parent(commits: &[Header], place: usize, base: Option<&Header>) -> Option<(Header, Oid)> {
    Some((*commits.get(place)?, commits.get(place + 1).or(base)?.tree))
}

/// Looks up what commits change, each commit once.
struct Changes<'a, 'd> {
    odb: &'a Odb<'a>,
    diff: &'a mut TreeDiff<'d>,
    known: HashMap<Oid, Change>,
}

impl Changes<'_, '_> {
    /// The commits of a chain, from a place of it on, that make the same changes as these (newest first) in the same order: the place of the
    /// newest, and the ids of all that change anything. What is on top of the first one that is new was not held, but is the same change.
    fn made_again(
        &mut self,
        chain: &[Header],
        dropped: &[Header],
        base: usize,
    ) -> Result<(usize, HashMap<CommitId, CommitId>), Fault> {
        let mut renamed = HashMap::new();
        let (mut held, mut is_held) = (base, true);
        let mut next_old = dropped.len();
        for place in (base.saturating_sub(MAX_DROPPED)..base).rev() {
            let Some((new, parent)) = with_parent(chain, place, None) else { break };
            if self.of(new, parent)?.files.is_empty() {
                held = if is_held { place } else { held };
                continue;
            }
            let mut same = None;
            for of_old in (0..next_old).rev() {
                let Some((old, parent_of_old)) = with_parent(dropped, of_old, chain.get(base)) else { break };
                self.of(old, parent_of_old)?;
                if self.known.get(&old.id) == self.known.get(&new.id) {
                    same = Some((old.id, of_old));
                    break;
                }
            }
            match same {
                Some((old, of_old)) => {
                    next_old = of_old;
                    renamed.insert(commit_id(old), commit_id(new.id));
                    held = if is_held { place } else { held };
                }
                None => is_held = false,
            }
        }
        Ok((held, renamed))
    }

    /// Of the commits of a chain that came on top of `held` those that give a file what it had at the newest of `dropped`: the place of
    /// each, and that of the oldest dropped one that gave it this.
    fn there_before(
        &mut self,
        chain: &[Header],
        dropped: &[Header],
        (held, base): (usize, usize),
    ) -> Result<Vec<(usize, usize)>, Fault> {
        let new = held.saturating_sub(MAX_DROPPED)..held;
        if new.is_empty() || dropped.is_empty() {
            return Ok(Vec::new());
        }
        let mut given: HashMap<FilePath, (Option<BlobId>, usize)> = HashMap::new();
        for place in 0..dropped.len() {
            let Some((old, parent)) = with_parent(dropped, place, chain.get(base)) else { break };
            for (path, _, blob) in &self.of(old, parent)?.files {
                given.entry(path.clone()).or_insert((*blob, place));
            }
        }
        let mut found = Vec::new();
        for place in new {
            let Some((new, parent)) = with_parent(chain, place, None) else { continue };
            let files = self.of(new, parent)?.files.iter();
            let of_old = files.filter_map(|(path, _, blob)| {
                given.get(path).filter(|(given, _)| given == blob).map(|(_, of_old)| *of_old)
            });
            found.extend(of_old.max().map(|of_old| (place, of_old)));
        }
        Ok(found)
    }

    fn of(&mut self, commit: Header, parent: Oid) -> Result<&Change, Fault> {
        if !self.known.contains_key(&commit.id) {
            let object = commit_object::read(self.odb, commit.id)?;
            let object = object.ok_or_else(|| Fault::not_found(format!("the commit {}", commit.id)))?;
            let (changes, _) = self.diff.compare(Some(parent), Some(commit.tree))?;
            let files = changes.into_iter().map(|change| (change.path, change.old, change.new)).collect();
            let change = Change { author: object.author, authored: object.authored, files };
            self.known.insert(commit.id, change);
        }
        self.known.get(&commit.id).ok_or_else(|| Fault::broken("a change is gone".to_owned()))
    }
}
