//! The port's implementation: which part of the adapter does what, and what is tried again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use git2::{Direction, Oid, Repository};

use super::cache::directory_name;
use super::commits::Commits;
use super::fault::Fault;
use super::fetch::{self, Depth};
use super::history::Memory;
use super::location::Location;
use super::looks::Told;
use super::names::{OLD_NOTES_REF, PAUSES_REF, branch_ref, commit_id};
use super::options::GitOptions;
use super::push::{self, Update};
use super::seen::Seen;
use super::storage::Storage;
use super::{commit, heads, history, local, lookup, notes, pauses, refs};
use crate::domain::history::landing::Sighting;
use crate::domain::history::scope::Scope;
use crate::domain::history::snapshot::{Commit, Content, Snapshot};
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::review::OpenPull;
use crate::domain::review::incoming::Incoming;
use crate::domain::time::Time;
use crate::ports::{self, CommitRequest, HistoryQuery, Made, PushError, RepositoryError};

/// How often a change of the notes or the pauses is tried when others change them at the same time.
const NOTES_TRIES: u32 = 8;

/// The environment repo. Every call opens the repository anew, which takes a fraction of a millisecond and leaves
/// nothing that could be stale or would have to be shared between threads.
pub struct GitRepository {
    options: GitOptions,
    place: Storage,
    seen: Seen,
    told: Told,
    commits: Commits,
    shown: String,
}

impl fmt::Debug for GitRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitRepository").field("place", &self.shown).finish_non_exhaustive()
    }
}

impl GitRepository {
    /// Gets ready to use the repository; a remote one is not contacted yet. `runtime` carries the HTTP requests; the
    /// repository's calls block and must not be made on its threads, but on those of `spawn_blocking`.
    ///
    /// # Errors
    /// When the URL is not valid, a local repository cannot be opened, the cache directory cannot be made, or the
    /// HTTP options are not valid.
    pub fn open(options: GitOptions, runtime: tokio::runtime::Handle) -> Result<Self, RepositoryError> {
        local::read_plainly();
        let location = Location::parse(&options.url).map_err(RepositoryError::Broken)?;
        let shown = location.to_string();
        let place = Storage::new(&location, &options, runtime)?;
        let seen = Seen::new(&options.cache_dir, &directory_name(&location.identity(), &shown));
        Ok(Self { options, place, seen, told: Told::default(), commits: Commits::default(), shown })
    }

    /// Runs an operation that reads, or only adds objects.
    fn with<T>(&self, operation: impl Fn(&Repository) -> Result<T, Fault>) -> Result<T, Fault> {
        self.place.with(operation)
    }

    fn memory<'a>(
        &'a self,
        repository: &Repository,
        seen: &'a [Sighting],
        listed: &'a BTreeMap<String, Oid>,
    ) -> Memory<'a> {
        let notes = (&self.options.record_keys, &self.told);
        Memory { commits: self.commits.of(repository), seen, listed, notes }
    }

    fn read<T>(&self, operation: impl Fn(&Repository) -> Result<T, Fault>) -> Result<T, RepositoryError> {
        self.with(operation).map_err(|fault| fault.into_repository_error(&self.shown))
    }

    /// Moves a ref where it belongs; the copy in a cache follows.
    fn push(&self, repository: &Repository, update: &Update<'_>) -> Result<(), Fault> {
        let Storage::Remote(cache) = &self.place else {
            let pushed = push::to_local(repository, update);
            let there = || local::refs(repository, "refs/");
            return pushed.map_err(|fault| push::explained(update, fault, there));
        };
        let there = || fetch::advertised(repository, cache.endpoint(), Direction::Fetch);
        push::to_remote(repository, cache.endpoint(), update)
            .map_err(|fault| push::explained(update, fault, there))?;
        // The remote has it: whatever happens here, the next fetch puts it right.
        let followed = match update.target {
            Some(target) => refs::follow(repository, update.reference, target, "push"),
            None => {
                let stale = repository.find_reference(update.reference);
                stale.and_then(|mut stale| stale.delete()).map_err(Fault::from)
            }
        };
        if let Err(error) = followed {
            tracing::warn!(?error, reference = update.reference, "the cache does not show the push yet");
        }
        Ok(())
    }

    /// Reads the history of a branch, and deepens it until there is enough of it. What is read may need notes, and is told where
    /// the remote has them; but it must do without those that cannot be fetched.
    fn deep_enough<T>(
        &self,
        branch: &BranchName,
        read: impl Fn(&Repository, &BTreeMap<String, Oid>) -> Result<T, Fault>,
    ) -> Result<T, RepositoryError> {
        let mut listed = BTreeMap::new();
        if let Storage::Remote(cache) = &self.place {
            cache.want(&branch_ref(branch));
            listed = cache.listed_notes().unwrap_or_default();
        }
        let mut round = 0;
        let fault = loop {
            let reading = |repository: &Repository| {
                read(repository, &listed).inspect_err(|fault| self.commits.forget_after(fault))
            };
            match self.with(reading) {
                Ok(done) => return Ok(done),
                Err(Fault::Behind(notes)) => {
                    if let Storage::Remote(cache) = &self.place
                        && let Err(fault) = cache.bring_notes(&notes)
                    {
                        tracing::warn!(%branch, ?fault, "the notes on its newest commits are not there");
                    }
                    listed.clear();
                }
                Err(Fault::Truncated { walked, enough }) => {
                    if let Err(fault) = self.fetch_more(branch, (walked, enough), round) {
                        break fault;
                    }
                    round += 1;
                }
                Err(fault) => break fault,
            }
        };
        Err(fault.into_repository_error(&self.shown))
    }

    /// Fetches more of a branch, `round` by `round` further back and in the end all of it. When there is still a gap
    /// the cache itself is at fault and is cloned again.
    fn fetch_more(
        &self,
        branch: &BranchName,
        (walked, enough): (usize, Option<usize>),
        round: u32,
    ) -> Result<(), Fault> {
        let Storage::Remote(cache) = &self.place else { return Err(Fault::Truncated { walked, enough }) };
        let depth = match round {
            0..=3 => Depth::Commits(fetch::deeper(walked, enough)),
            4 | 6 => Depth::Full,
            5 => return cache.renew("its history has a gap"),
            _ => return Err(Fault::broken(format!("the history of {branch} at {} has a gap", self.shown))),
        };
        tracing::debug!(%branch, walked, ?depth, "the history is deepened");
        cache.fetch(&[branch_ref(branch)], depth).map(drop)
    }
}

impl ports::Repository for GitRepository {
    fn fetch(&self, branches: &[BranchName]) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError> {
        let names: Vec<String> = branches.iter().map(branch_ref).collect();
        let tips = match &self.place {
            Storage::Local(path) => {
                // Told here and not when it is opened, so that a repository that is not there holds up no other.
                local::discover(path)?;
                self.with(|repository| local::tips(repository, &names))
            }
            Storage::Remote(cache) => {
                let tips = cache.fetch(&names, Depth::New);
                if tips.is_ok() {
                    names.iter().for_each(|name| cache.want(name));
                }
                tips
            }
        };
        let tips = tips.map_err(|fault| fault.into_repository_error(&self.shown))?;
        let tip =
            |(branch, name): (&BranchName, &String)| Some((branch.clone(), commit_id(*tips.get(name)?)));
        Ok(branches.iter().zip(&names).filter_map(tip).collect())
    }

    fn history(&self, query: &HistoryQuery<'_>) -> Result<Snapshot, RepositoryError> {
        let seen = self.seen.of(query.branch);
        self.deep_enough(query.branch, |repository, listed| {
            history::read(repository, query, self.memory(repository, &seen, listed))
        })
    }

    fn deepen(&self, branch: &BranchName, since: Time) -> Result<(), RepositoryError> {
        match &self.place {
            Storage::Local(_) => Ok(()),
            Storage::Remote(_) => self.deep_enough(branch, |repository, _| {
                history::reaches((repository, self.commits.of(repository)), branch, since)
            }),
        }
    }

    fn walk(
        &self,
        query: &HistoryQuery<'_>,
        visit: &mut dyn FnMut(Commit) -> ControlFlow<()>,
    ) -> Result<CommitId, RepositoryError> {
        let seen = self.seen.of(query.branch);
        let visit = RefCell::new(visit);
        let last = Cell::new(None);
        self.deep_enough(query.branch, |repository, listed| {
            let memory = self.memory(repository, &seen, listed);
            // On a cache that had to be rebuilt it runs a second time: it goes on behind what was visited already.
            let mut behind = last.get();
            let head = history::walk(repository, query, memory, &mut |commit| {
                if behind.is_some() {
                    behind = behind.filter(|id| *id != commit.id);
                    return ControlFlow::Continue(());
                }
                last.set(Some(commit.id));
                (visit.borrow_mut())(commit)
            })?;
            match behind {
                None => Ok(head),
                Some(_) => Err(Fault::broken(format!("{} was rewritten while it was read", query.branch))),
            }
        })
    }

    fn sightings(&self, branch: &BranchName) -> Vec<Sighting> {
        self.seen.of(branch)
    }

    fn remember(&self, seen: &BTreeMap<BranchName, Vec<Sighting>>) {
        if let Err(error) = self.seen.add(seen) {
            tracing::warn!(repository = %self.shown, %error, "when its branches were seen cannot be remembered");
        }
    }

    fn commit(&self, commit: CommitId) -> Result<Made, RepositoryError> {
        self.read(|repository| history::made(repository, Oid::from_bytes(commit.as_bytes())?))
    }

    fn holds_exactly(
        &self,
        commit: CommitId,
        base: CommitId,
        files: &BTreeMap<FilePath, Option<Content>>,
    ) -> Result<bool, RepositoryError> {
        self.read(|repository| commit::holds_exactly(repository, commit, base, files))
    }

    fn has_room(&self, commit: CommitId, path: &FilePath) -> Result<bool, RepositoryError> {
        self.read(|repository| lookup::has_room(repository, commit, path))
    }

    fn read_file(&self, commit: CommitId, path: &FilePath) -> Result<Option<Vec<u8>>, RepositoryError> {
        self.read(|repository| lookup::read_file(repository, commit, path))
    }

    fn list_files(
        &self,
        commit: CommitId,
        scope: &dyn Scope,
        limit: usize,
    ) -> Result<Vec<FilePath>, RepositoryError> {
        self.read(|repository| lookup::list_files(repository, commit, scope, limit))
    }

    fn incoming(
        &self,
        pulls: &[OpenPull],
        onto: CommitId,
        scope: &dyn Scope,
    ) -> Result<Vec<Incoming>, RepositoryError> {
        if let Storage::Remote(cache) = &self.place {
            heads::bring(cache, pulls).map_err(|fault| fault.into_repository_error(&self.shown))?;
        }
        self.read(|repository| heads::incoming(repository, pulls, onto, scope))
    }

    fn resolve(&self, revision: &str) -> Result<CommitId, RepositoryError> {
        let first = self.read(|repository| lookup::resolve(repository, revision));
        let (Err(RepositoryError::NotFound(_)), Storage::Remote(cache)) = (&first, &self.place) else {
            return first;
        };
        // What the cache does not have may be a branch that was not fetched yet, or a commit further back.
        let brought = match BranchName::new(revision) {
            _ if lookup::is_short_id(revision) => cache.fetch_all_of_known(),
            Ok(branch) => cache.fetch(&[branch_ref(&branch)], Depth::New).map(drop),
            Err(_) => return first,
        };
        match brought {
            Ok(()) => self.read(|repository| lookup::resolve(repository, revision)),
            Err(Fault::Port(RepositoryError::NotFound(_))) => first,
            Err(fault) => Err(fault.into_repository_error(&self.shown)),
        }
    }

    fn commit_and_push(&self, request: &CommitRequest<'_>) -> Result<CommitId, PushError> {
        let reference = branch_ref(request.branch);
        let expected = request.expected.map(|id| Oid::from_bytes(id.as_bytes())).transpose();
        let pushed = expected.map_err(Fault::from).and_then(|expected| {
            self.with(|repository| {
                let target = commit::build(repository, &self.options, request)?;
                self.push(repository, &Update { reference: &reference, expected, target: Some(target) })?;
                Ok(commit_id(target))
            })
        });
        pushed.map_err(|fault| fault.into_push_error(&self.shown))
    }

    fn remote_branches(&self, prefix: &str) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError> {
        let begin = format!("refs/heads/{prefix}");
        self.read(|repository| {
            let heads = match &self.place {
                Storage::Local(_) => local::refs(repository, &begin)?,
                Storage::Remote(cache) => fetch::advertised(repository, cache.endpoint(), Direction::Fetch)?,
            };
            let named = heads.into_iter().filter(|(name, _)| name.starts_with(&begin));
            let branch = |(name, id): (String, Oid)| {
                let name = name.strip_prefix("refs/heads/").map(str::to_owned)?;
                Some((BranchName::new(name).ok()?, commit_id(id)))
            };
            Ok(named.filter_map(branch).collect())
        })
    }

    fn remove_branch(&self, branch: &BranchName, expected: CommitId) -> Result<(), PushError> {
        let reference = branch_ref(branch);
        let removed = self.with(|repository| {
            let expected = Some(Oid::from_bytes(expected.as_bytes())?);
            self.push(repository, &Update { reference: &reference, expected, target: None })
        });
        removed.map_err(|fault| fault.into_push_error(&self.shown))
    }

    fn check_push(&self, branch: &BranchName) -> Result<(), RepositoryError> {
        self.read(|repository| match &self.place {
            Storage::Local(_) => push::check_local(repository, &branch_ref(branch)),
            Storage::Remote(cache) => {
                fetch::advertised(repository, cache.endpoint(), Direction::Push).map(drop)
            }
        })
    }

    fn notes(&self, commits: &[CommitId]) -> Result<BTreeMap<CommitId, String>, RepositoryError> {
        self.bring_notes(commits).map_err(|fault| fault.into_repository_error(&self.shown))?;
        self.read(|repository| notes::on(repository, &self.options.record_keys, commits))
    }

    fn unreadable_notes(&self, commits: &[CommitId]) -> Result<Vec<String>, RepositoryError> {
        self.read(|repository| notes::unreadable(repository, commits))
    }

    fn each_note(
        &self,
        visit: &mut dyn FnMut(CommitId, String) -> ControlFlow<()>,
    ) -> Result<(), RepositoryError> {
        let visit = RefCell::new(visit);
        let shown = self.notes_refs().and_then(|names| {
            // The newest month first, and the old ref last: so are their names sorted.
            for name in names.into_iter().rev() {
                if let Storage::Remote(cache) = &self.place {
                    cache.bring_notes(&BTreeSet::from([name.clone()]))?;
                }
                let seen = RefCell::new(BTreeSet::new());
                let flow = self.with(|repository| {
                    // On a cache that had to be rebuilt it runs a second time, and shows no note twice.
                    notes::each(repository, &name, &mut |commit, text| match seen.borrow_mut().insert(commit)
                    {
                        true => (visit.borrow_mut())(commit, self.options.record_keys.proven(commit, text)),
                        false => ControlFlow::Continue(()),
                    })
                })?;
                if flow.is_break() {
                    break;
                }
            }
            Ok(())
        });
        shown.map_err(|fault| fault.into_repository_error(&self.shown))
    }

    fn append_notes(&self, lines: &BTreeMap<CommitId, Vec<String>>, at: Time) -> Result<(), PushError> {
        let commits: Vec<CommitId> = lines.keys().copied().collect();
        let appended = self.bring_notes(&commits).and_then(|()| {
            let by_ref = self.with(|repository| notes::by_ref(repository, lines, at))?;
            let mut left = Vec::new();
            // Each month by itself: a line is whole in itself, and whatever was not taken is written by the next pass.
            for (reference, lines) in &by_ref {
                left.extend(self.append_to(reference, lines, at)?);
            }
            if left.is_empty() { Ok(()) } else { Err(Fault::broken(left.join("; "))) }
        });
        appended.map_err(|fault| fault.into_push_error(&self.shown))
    }

    fn pauses(&self) -> Result<Option<String>, RepositoryError> {
        self.read(|repository| pauses::read(repository, &self.options.record_keys))
    }

    fn change_pauses(
        &self,
        message: &str,
        at: Time,
        change: &ports::ListChange<'_>,
    ) -> Result<(), PushError> {
        let changing = |repository: &Repository| {
            let expected = local::tip(repository, PAUSES_REF)?;
            match pauses::build(repository, &self.options, expected, change, (message, at))? {
                Some(commit) => {
                    self.push(repository, &Update { reference: PAUSES_REF, expected, target: Some(commit) })
                }
                None => Ok(()),
            }
        };
        let changed = self.against_others(changing, &BTreeSet::new());
        changed.map_err(|fault| fault.into_push_error(&self.shown))
    }
}

impl GitRepository {
    /// Brings the notes on these commits to what the remote has, as it was last listed.
    fn bring_notes(&self, commits: &[CommitId]) -> Result<(), Fault> {
        let Storage::Remote(cache) = &self.place else { return Ok(()) };
        let wanted = cache.with(|repository| notes::refs_for(repository, commits))?;
        cache.bring_notes(&wanted)
    }

    fn notes_refs(&self) -> Result<BTreeSet<String>, Fault> {
        match &self.place {
            Storage::Local(_) => Ok(self.with(notes::here)?.into_iter().collect()),
            Storage::Remote(cache) => cache.notes_refs(),
        }
    }

    /// Appends lines to the notes of one ref. Returns which are left as they are, and why.
    fn append_to(
        &self,
        reference: &str,
        lines: &BTreeMap<CommitId, Vec<String>>,
        at: Time,
    ) -> Result<Vec<String>, Fault> {
        let append = |repository: &Repository| {
            let expected = local::tip(repository, reference)?;
            let built = notes::build(repository, &self.options, (reference, expected), lines, at)?;
            if let Some(commit) = built.commit {
                self.push(repository, &Update { reference, expected, target: Some(commit) })?;
                if let Storage::Remote(cache) = &self.place {
                    cache.notes_moved(reference, commit);
                }
            }
            Ok(built.left)
        };
        self.against_others(append, &BTreeSet::from([reference.to_owned(), OLD_NOTES_REF.to_owned()]))
    }

    /// Changes a ref that others change at the same time. After each try that was too late it is changed as it is then, with these
    /// notes.
    fn against_others<T>(
        &self,
        change: impl Fn(&Repository) -> Result<T, Fault>,
        notes: &BTreeSet<String>,
    ) -> Result<T, Fault> {
        for attempt in 1..NOTES_TRIES {
            match self.with(&change) {
                Err(Fault::Rejected { reference, reason }) => {
                    tracing::debug!(attempt, reference, reason, "it was not taken; it is changed again");
                    // Others change it too: the longer this goes on, the further apart the tries.
                    std::thread::sleep(Duration::from_millis(fastrand::u64(20..=100) << attempt.min(5)));
                    if let Storage::Remote(cache) = &self.place {
                        cache.fetch(&[], Depth::New)?;
                        cache.bring_notes(notes)?;
                    }
                }
                result @ (Ok(_) | Err(_)) => return result,
            }
        }
        self.with(change)
    }
}
