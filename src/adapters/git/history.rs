//! The first-parent history of a branch, with the files that its commits changed.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use git2::{Odb, Oid, Repository};

use super::blobs::Blobs;
use super::changed_files::ChangedFiles;
use super::commit_object::{self, Header};
use super::commits::Commits;
use super::fault::Fault;
use super::looks::Told;
use super::names::{branch_ref, commit_id};
use super::notes::Dated;
use super::rewritten::Way;
use super::touched::Touched;
use super::{local, looks, notes, rewritten};
use crate::domain::history::landing::{Landing, RECENT_SECS, Sighting, landings};
use crate::domain::history::ledger::{named_by, says_revert};
use crate::domain::history::snapshot::{Commit, Dropped, MAX_TAKEN_BACK, Snapshot, TakenBack};
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Made};
use crate::record::keys::RecordKeys;

/// A wrong clock makes single commits look old, so that the walk ends only after this many old ones in a row.
const OLD_IN_A_ROW: usize = 32;
/// Within how many of the newest commits one is looked for that was known before: some days of a busy branch.
const MAX_NEW: usize = 1_000;
/// On how many of the newest commits they are looked for.
const TOLD_COMMITS: usize = 200;
/// The most commits that are walked.
const MAX_COMMITS: usize = 200_000;
/// How many bytes of commit objects are kept from finding the way to showing it. Beyond, they are read again.
const KEPT_BYTES: usize = 4 << 20;
/// The most changed files that are listed of all commits that are held together.
const MAX_ALL_FILES: usize = 4_000_000;

/// What the agent remembers of a branch outside of the repository.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    /// The commits that this process has read lately.
    pub(super) commits: &'a Commits,
    /// The looks that this cache remembers.
    pub(super) seen: &'a [Sighting],
    /// The refs of the notes at the remote: other agents may have recorded more looks there.
    pub(super) listed: &'a BTreeMap<String, Oid>,
    /// The keys that prove notes, and the looks that this process has read from notes before.
    pub(super) notes: (&'a RecordKeys, &'a Told),
}

/// Reads the branch as it is in `repository`.
///
/// [`Fault::Truncated`] says that the history has to be deepened first, and [`Fault::Behind`] that notes have to be fetched.
pub(super) fn read(
    repository: &Repository,
    query: &HistoryQuery<'_>,
    memory: Memory<'_>,
) -> Result<Snapshot, Fault> {
    let odb = repository.odb()?;
    let mut commits = Vec::new();
    let mut listed_files = 0;
    let known = Touched::default();
    let (head, (dropped, former)) =
        show((repository, &odb), Blobs::held(&odb), (query, memory, &known), &mut |commit| {
            let taken_back = commit.taken_back.iter().flat_map(|one| &one.files);
            listed_files += commit.files.len() + taken_back.map(Vec::len).sum::<usize>();
            if listed_files > MAX_ALL_FILES {
                return Err(Fault::broken(format!(
                    "the commits of {} since {} changed more than {MAX_ALL_FILES} files: look back less far",
                    query.branch, query.diffs_since
                )));
            }
            commits.push(commit);
            Ok(ControlFlow::Continue(()))
        })?;
    Ok(Snapshot {
        branch: query.branch.clone(),
        head,
        commits,
        diffs_since: query.diffs_since,
        dropped,
        former,
    })
}

/// Shows the branch as it is in `repository` commit by commit, newest first, and holds none of them. Returns the head.
///
/// Fails as [`read`] does, before any commit is shown.
pub(super) fn walk(
    repository: &Repository,
    query: &HistoryQuery<'_>,
    memory: Memory<'_>,
    visit: &mut dyn FnMut(Commit) -> ControlFlow<()>,
) -> Result<CommitId, Fault> {
    let odb = repository.odb()?;
    let known = Touched::read(repository, query.branch);
    let shown = show((repository, &odb), Blobs::passing(&odb), (query, memory, &known), &mut |commit| {
        Ok(visit(commit))
    });
    shown.map(|(head, _)| head)
}

/// What a commit was made of.
pub(super) fn made(repository: &Repository, id: Oid) -> Result<Made, Fault> {
    let commit = commit_object::read(&repository.odb()?, id)?;
    let commit = commit.ok_or_else(|| Fault::not_found(format!("the commit {id}")))?;
    let parents = commit.first_parent.into_iter().chain(commit.merged).map(commit_id).collect();
    Ok(Made { parents, committed: commit.committed, message: commit.message })
}

/// The commits that a branch held before somebody rewrote its history, and the former ids of those that it still holds.
type Before = (Vec<Dropped>, BTreeMap<CommitId, BTreeSet<CommitId>>);

/// Shows the commits. Returns the head, and what the branch held before its history was rewritten.
fn show(
    (repository, odb): (&Repository, &Odb<'_>),
    blobs: Blobs<'_>,
    (query, memory, known): (&HistoryQuery<'_>, Memory<'_>, &Touched),
    visit: &mut dyn FnMut(Commit) -> Result<ControlFlow<()>, Fault>,
) -> Result<(CommitId, Before), Fault> {
    let head = head_of(repository, query.branch)?;
    let since = query.commits_since.min(query.diffs_since);
    let mut chain = Chain::from(odb, memory.commits, head, since)?;
    let told = chain.told(repository, query, memory)?;
    let mut files = ChangedFiles::new(repository, odb, blobs, query.scope);
    let ways = rewritten::ways(odb, &chain.headers, memory.seen, &mut files.diff)?;
    let times = chain.landings(&ways, memory.seen, &told, query.now);
    // The head is listed whatever its age: a snapshot without it would say nothing of the branch.
    let count = times.iter().take_while(|landing| landing.at >= since).count().max(1);
    let in_full = |landing: &Landing| (query.diffs_since..=query.diffs_until).contains(&landing.at);
    if count == chain.headers.len() && times.last().is_some_and(in_full) {
        chain.complete(odb)?;
    }

    // Most branches that are read have no merges lately.
    let mainline = OnceCell::new();
    let mainline_of = || chain.headers.iter().map(|header| header.id).collect::<HashSet<Oid>>();
    let mut looked_for = Mainline::of(&chain.headers);
    for (index, (header, landing)) in chain.headers.iter().zip(&times).take(count).enumerate() {
        let commit = match chain.objects.get_mut(index).map(std::mem::take) {
            Some(bytes) => commit_object::parsed(header.id, &bytes)?,
            None => commit_object::read(odb, header.id)?.ok_or_else(|| truncated(index))?,
        };
        let parent = chain.headers.get(index + 1).map(|parent| parent.tree).or(chain.beyond);
        let mut shown = Commit {
            id: commit_id(header.id),
            parent: header.first_parent.map(commit_id),
            at: landing.at,
            landing: *landing,
            merged: match commit.merged.is_empty() {
                true => Vec::new(),
                false => {
                    commit_object::merged_messages(odb, &commit, mainline.get_or_init(mainline_of), since)?
                }
            },
            files: Vec::new(),
            author: commit.author,
            committer: commit.committer,
            message: commit.message,
            taken_back: Vec::new(),
        };
        // Of what says that it is a revert the files show whether that is true.
        let is_known = parent.is_some() || header.first_parent.is_none();
        let is_wanted = in_full(landing) || is_known && says_revert(&shown);
        if is_wanted && !known.is_elsewhere(header.id, query.scope) {
            shown.files = files.of(header, parent)?;
            shown.taken_back = taken_back(&shown, index, (&mut looked_for, &ways), (odb, &mut files))?;
        }
        if visit(shown)?.is_break() {
            break;
        }
    }
    let dropped = match ways.is_empty() {
        true => Vec::new(),
        false => {
            let chain = (chain.headers.as_slice(), mainline.get_or_init(mainline_of));
            rewritten::dropped(odb, &ways, chain, since, &mut files)?
        }
    };
    Ok((commit_id(head), (dropped, rewritten::former(&ways))))
}

/// The deployments that a commit of the chain says it reverts, each with the files that it changed.
fn taken_back(
    commit: &Commit,
    index: usize,
    (mainline, ways): (&mut Mainline<'_>, &[Way]),
    (odb, files): (&Odb<'_>, &mut ChangedFiles<'_>),
) -> Result<Vec<TakenBack>, Fault> {
    let mut found = Vec::new();
    for (number, named) in named_by(commit).into_iter().enumerate() {
        let now = rewritten::renamed(ways, named).unwrap_or(named);
        let place = match number < MAX_TAKEN_BACK {
            true => mainline.place_of(odb, Oid::from_bytes(now.as_bytes())?)?,
            false => Place::Unknown,
        };
        match place {
            Place::Before { index: there, header, parent } if there > index => {
                found.push(TakenBack { commit: named, files: Some(files.of(&header, Some(parent))?) });
            }
            Place::Before { .. } | Place::Nowhere => {}
            Place::Unknown => found.push(TakenBack { commit: named, files: None }),
        }
    }
    Ok(found)
}

/// That the chain ends after so many commits, of which all are wanted.
fn truncated(walked: usize) -> Fault {
    Fault::Truncated { walked, enough: None }
}

/// Looks whether the branch is in `repository` as far back as `since`, and remembers which files its commits changed.
///
/// [`Fault::Truncated`] says that it is not.
pub(super) fn reaches(
    (repository, commits): (&Repository, &Commits),
    branch: &BranchName,
    since: Time,
) -> Result<(), Fault> {
    let (odb, head, known) =
        (repository.odb()?, head_of(repository, branch)?, Touched::read(repository, branch));
    if known.reaches(head, since) {
        return Ok(());
    }
    let headers = match until_known(&odb, head, |id| known.reaches(id, since))? {
        Some(new) => new,
        None => Chain::from(&odb, commits, head, since)?.headers,
    };
    known.learn((repository, &odb), branch, &headers, since)
}

/// The newest commits until the first that is known, that one included; none where it does not come soon.
fn until_known(
    odb: &Odb<'_>,
    head: Oid,
    is_known: impl Fn(Oid) -> bool,
) -> Result<Option<Vec<Header>>, Fault> {
    let mut headers = Vec::new();
    let mut next = Some(head);
    while let Some(id) = next.filter(|_| headers.len() < MAX_NEW) {
        let Some((header, _)) = commit_object::read_header(odb, id)? else { break };
        headers.push(header);
        if is_known(id) {
            return Ok(Some(headers));
        }
        next = header.first_parent;
    }
    Ok(None)
}

fn head_of(repository: &Repository, branch: &BranchName) -> Result<Oid, Fault> {
    local::tip(repository, &branch_ref(branch))?
        .ok_or_else(|| Fault::not_found(format!("the branch {branch}")))
}

/// The way along the first parents, newest first.
struct Chain {
    headers: Vec<Header>,
    /// The commits themselves, as many of the newest as are kept.
    objects: Vec<Arc<[u8]>>,
    /// The tree of the parent of the last of them, where it is needed.
    beyond: Option<Oid>,
}

/// A chain on which commits are looked for, also behind what was walked.
struct Mainline<'c> {
    headers: &'c [Header],
    /// Those behind them, as far as was looked.
    older: Vec<Header>,
    /// The places of all of them, once one was looked for.
    places: HashMap<Oid, usize>,
}

/// The place of a commit on a chain.
enum Place {
    /// So many places behind the newest, with the tree of its parent.
    Before { index: usize, header: Header, parent: Oid },
    /// It is not on it, or is its first.
    Nowhere,
    /// The chain that is here does not go back to it.
    Unknown,
}

/// Whether the notes are asked when a branch was seen where. A memory that goes back further than records matter needs none of
/// them.
pub(super) fn needs_notes(seen: &[Sighting], now: Time) -> bool {
    !seen.iter().any(|one| !one.is_exact && now.secs_since(one.first) >= RECENT_SECS)
}

impl Chain {
    /// The chain from `head` until enough commits in a row are older than `since`.
    fn from(odb: &Odb<'_>, commits: &Commits, head: Oid, since: Time) -> Result<Self, Fault> {
        let mut chain = Self { headers: Vec::new(), objects: Vec::new(), beyond: None };
        let (mut old, mut bytes) = (0, 0);
        let mut next = Some(head);
        while let Some(id) = next {
            if old >= OLD_IN_A_ROW {
                break;
            }
            if chain.headers.len() >= MAX_COMMITS {
                tracing::warn!(commits = MAX_COMMITS, "the history is longer than is read");
                break;
            }
            let (header, object) = match commits.header(odb, id)? {
                Some(commit) => commit,
                None if chain.headers.is_empty() => {
                    return Err(Fault::Damaged(format!("the commit {id} is missing")));
                }
                None => return Err(chain.too_short(since)),
            };
            bytes += object.len();
            if bytes <= KEPT_BYTES {
                chain.objects.push(object);
            }
            old = if header.committed < since { old + 1 } else { 0 };
            next = header.first_parent;
            chain.headers.push(header);
        }
        Ok(chain)
    }

    /// That the chain ends before `since`, and how long it would have to be.
    fn too_short(&self, since: Time) -> Fault {
        let walked = self.headers.len();
        let times = || Some((self.headers.first()?.committed, self.headers.last()?.committed));
        let enough = times().and_then(|(newest, oldest)| {
            let span_secs = usize::try_from(newest.secs_since(oldest)).ok().filter(|secs| *secs > 0)?;
            let wanted_secs = usize::try_from(newest.secs_since(since)).ok()?;
            Some(walked.saturating_mul(wanted_secs) / span_secs + OLD_IN_A_ROW)
        });
        Fault::Truncated { walked, enough }
    }

    /// The looks at the branch in the notes on its newest commits.
    fn told(
        &self,
        repository: &Repository,
        query: &HistoryQuery<'_>,
        known: Memory<'_>,
    ) -> Result<Vec<Sighting>, Fault> {
        if !needs_notes(known.seen, query.now) {
            return Ok(Vec::new());
        }
        let newest = self.headers.iter().take(TOLD_COMMITS);
        let newest: Vec<Dated> = newest.map(|header| Dated::at(header.id, header.committed)).collect();
        let behind = notes::behind(repository, &newest, known.listed);
        if !behind.is_empty() {
            return Err(Fault::Behind(behind));
        }
        // It is a hint. Who needs the notes says what is wrong with them.
        let told = looks::looks_in(repository, known.notes, &newest, query.branch, query.now);
        Ok(told.unwrap_or_else(|fault| {
            tracing::warn!(branch = %query.branch, ?fault, "the notes do not tell where the branch was seen");
            Vec::new()
        }))
    }

    fn landings(&self, ways: &[Way], seen: &[Sighting], told: &[Sighting], now: Time) -> Vec<Landing> {
        let commits = rewritten::dated(&self.headers, rewritten::committed(ways, &self.headers), now);
        let mut times = landings(&commits, &rewritten::on_chain(ways, seen), told, now);
        rewritten::leave_open(ways, (&self.headers, seen), now, &mut times);
        times
    }

    /// Looks up what the last commit was made on, where the walk has not been there.
    fn complete(&mut self, odb: &Odb<'_>) -> Result<(), Fault> {
        if let Some(parent) = self.headers.last().and_then(|header| header.first_parent) {
            let (header, _) =
                commit_object::read_header(odb, parent)?.ok_or_else(|| truncated(self.headers.len()))?;
            self.beyond = Some(header.tree);
        }
        Ok(())
    }
}

impl<'c> Mainline<'c> {
    fn of(headers: &'c [Header]) -> Self {
        Self { headers, older: Vec::new(), places: HashMap::new() }
    }

    /// Looks where a commit is: behind what was walked until enough commits in a row are older than it.
    fn place_of(&mut self, odb: &Odb<'_>, id: Oid) -> Result<Place, Fault> {
        if self.places.is_empty() {
            self.places = self.headers.iter().enumerate().map(|(index, header)| (header.id, index)).collect();
        }
        if !self.places.contains_key(&id) {
            let committed = commit_object::committed(odb, id)?;
            while !self.places.contains_key(&id) {
                let count = self.headers.len() + self.older.len();
                let newest_first = self.older.iter().rev().chain(self.headers.iter().rev());
                let Some(next) = newest_first.clone().next().and_then(|last| last.first_parent) else {
                    return Ok(Place::Nowhere);
                };
                let Some(committed) = committed.filter(|_| count < MAX_COMMITS) else {
                    return Ok(Place::Unknown);
                };
                let mut last = newest_first.take(OLD_IN_A_ROW);
                if count >= OLD_IN_A_ROW && last.all(|header| header.committed < committed) {
                    return Ok(Place::Nowhere);
                }
                let Some((header, _)) = commit_object::read_header(odb, next)? else {
                    return Ok(Place::Unknown);
                };
                self.places.insert(next, count);
                self.older.push(header);
            }
        }
        let Some(index) = self.places.get(&id).copied() else { return Ok(Place::Unknown) };
        let at = |index: usize| {
            self.headers
                .get(index)
                .or_else(|| self.older.get(index.checked_sub(self.headers.len())?))
                .copied()
        };
        let (header, before) = (at(index), at(index + 1));
        let Some((header, parent)) = header.and_then(|header| Some((header, header.first_parent?))) else {
            return Ok(Place::Nowhere);
        };
        let parent = match before {
            Some(parent) => Some(parent),
            None => commit_object::read_header(odb, parent)?.map(|(parent, _)| parent),
        };
        Ok(parent.map_or(Place::Unknown, |parent| Place::Before { index, header, parent: parent.tree }))
    }
}
