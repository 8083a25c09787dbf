//! Fetching into a cache: which refs, how deep, and what they are at the remote.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use git2::{AutotagOption, Direction, FetchOptions, Oid, Remote, RemoteCallbacks, Repository};
use tokio::time::Instant;

use super::fault::Fault;
use super::local;
use super::names::{PAUSES_REF, is_kept_ref, is_notes_ref};
use super::refs;
use super::transport::{Endpoint, LinkUrl};
use crate::ports::RepositoryError;

/// How deep the first clone of a branch is, in commits. Depth 1 makes later pushes fail.
pub(super) const FIRST_DEPTH: usize = 256;
/// The depth by which the protocol means everything.
const UNSHALLOW: i32 = i32::MAX;

/// How much history to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What is new; for a branch that is new to the cache its last [`FIRST_DEPTH`] commits.
    New,
    /// At least this many commits of each branch.
    Commits(usize),
    /// Everything.
    Full,
}

/// Every ref at the remote. The list is the server's, so that it is bounded only by its answer.
pub(super) fn advertised(
    repository: &Repository,
    endpoint: &Arc<Endpoint>,
    direction: Direction,
) -> Result<BTreeMap<String, Oid>, Fault> {
    let url = LinkUrl::new(endpoint);
    let mut remote = repository.remote_anonymous(url.as_str())?;
    let connection = remote.connect_auth(direction, None, None).map_err(|e| url.explain(&e))?;
    by_name(connection.list().map_err(|e| url.explain(&e))?)
}

/// The depth to which notes are fetched that are new to the cache, in commits. Nobody looks at what they were before. But when
/// something is pushed on top of them, libgit2 goes some commits further back than it must (`SLOP` in its `revwalk.c`: 5), and fails
/// where one is missing.
const NOTES_DEPTH: i32 = 32;

/// How many commits to ask for where so many are too few. A server packs what it sends anew, which takes it longer the more
/// there is: so hardly more than is likely to be enough, and seldom less.
pub(super) fn deeper(walked: usize, enough: Option<usize>) -> usize {
    let walked = walked.max(FIRST_DEPTH);
    let fourfold = walked.saturating_mul(4);
    // Twice as many at least, so that the rounds end, and however the commits are dated no more than is reasonable.
    enough.map_or(fourfold, |enough| {
        enough.saturating_add(enough / 8).clamp(walked.saturating_mul(2), walked.saturating_mul(64))
    })
}

/// What the remote has.
pub(super) struct Fetched {
    /// Where the branches are that were asked for.
    pub(super) tips: BTreeMap<String, Oid>,
    /// Where the notes are, whether they were fetched or not.
    pub(super) notes: BTreeMap<String, Oid>,
}

/// Brings these branches (full ref names), the notes that are in the cache, and the pauses to what the remote has now, and says where
/// the branches are. `optional` ones, notes and pauses may be missing there. The remote's word is the truth: a ref that was moved
/// otherwise than forward is moved here too.
pub(super) fn update(
    repository: &Repository,
    endpoint: &Arc<Endpoint>,
    branches: &[String],
    optional: &[String],
    depth: Depth,
) -> Result<Fetched, Fault> {
    let url = LinkUrl::new(endpoint);
    let mut remote = repository.remote_anonymous(url.as_str())?;
    let heads = connect(&mut remote, &url)?;
    if let Some(missing) = branches.iter().find(|name| !heads.contains_key(*name)) {
        let branch = missing.strip_prefix("refs/heads/").unwrap_or(missing);
        return Err(Fault::not_found(format!("the branch {branch}")));
    }
    let own: Vec<String> = ["refs/notes/", PAUSES_REF]
        .iter()
        .map(|begin| local::refs(repository, begin))
        .collect::<Result<Vec<_>, Fault>>()?
        .into_iter()
        .flat_map(BTreeMap::into_keys)
        .filter(|name| is_kept_ref(name))
        .collect();
    let mut needed = Needed::default();
    let names: BTreeSet<&str> =
        branches.iter().chain(optional).chain(&own).map(String::as_str).chain([PAUSES_REF]).collect();
    for name in names {
        let Some(target) = heads.get(name) else { continue };
        let here = repository.refname_to_id(name).ok();
        let is_there = here == Some(*target) && repository.odb()?.exists(*target);
        match (here, is_kept_ref(name)) {
            (Some(_), is_kept) if is_there && (is_kept || depth == Depth::New) => {}
            (Some(_), true) => needed.known_notes.push(name),
            (None, true) if name == PAUSES_REF => needed.new_pauses.push(name),
            (None, true) => needed.new_notes.push(name),
            (Some(_), false) => needed.known.push(name),
            (None, false) => needed.new.push(name),
        }
    }
    needed.download(repository, &mut remote, &url, depth)?;
    for name in own.iter().filter(|name| !heads.contains_key(*name)) {
        repository.find_reference(name)?.delete()?;
    }
    let tips = branches.iter().map(|name| Ok((name.clone(), repository.refname_to_id(name)?)));
    let tips = tips.collect::<Result<_, Fault>>()?;
    Ok(Fetched { tips, notes: heads.into_iter().filter(|(name, _)| is_notes_ref(name)).collect() })
}

/// The refs to fetch, by how deep.
#[derive(Default)]
struct Needed<'n> {
    known: Vec<&'n str>,
    known_notes: Vec<&'n str>,
    new: Vec<&'n str>,
    new_notes: Vec<&'n str>,
    new_pauses: Vec<&'n str>,
}

impl Needed<'_> {
    fn download(
        mut self,
        repository: &Repository,
        remote: &mut Remote<'_>,
        url: &LinkUrl,
        depth: Depth,
    ) -> Result<(), Fault> {
        let wide = match depth {
            Depth::New => 0,
            Depth::Commits(count) => i32::try_from(count).unwrap_or(UNSHALLOW),
            Depth::Full => UNSHALLOW,
        };
        let first = i32::try_from(FIRST_DEPTH).unwrap_or(UNSHALLOW).max(wide);
        if wide == 0 {
            self.known.append(&mut self.known_notes);
        }
        // They are few and small: with whatever else is fetched they cost no request of their own.
        let with = [&mut self.new, &mut self.known].into_iter().find(|names| !names.is_empty());
        with.unwrap_or(&mut self.new_notes).append(&mut self.new_pauses);
        let mut used = false;
        let parts =
            [(self.known, wide), (self.known_notes, 0), (self.new, first), (self.new_notes, NOTES_DEPTH)];
        for (names, depth) in parts {
            if names.is_empty() {
                continue;
            }
            // Each further download needs a connection of its own: over SSH a server does one and ends.
            if used {
                remote.disconnect()?;
                connect(remote, url)?;
            }
            download(repository, remote, url, &names, depth)?;
            used = true;
        }
        Ok(())
    }
}

/// The most that one fetch may bring, and how long it may take.
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) objects: usize,
    pub(super) time: Duration,
}

/// Those of pull requests. Their time is that of the requests.
const OF_PULLS: Bounds = Bounds { bytes: 32 << 20, objects: 100_000, time: Duration::MAX };

/// What became of a fetch with bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// All that the remote has of it is here.
    All,
    /// It was more than the bounds allow, and was given up.
    TooMuch,
}

/// Fetches what these refs (full names) need, within bounds, and moves no ref. Those that the remote does not have are left out. What is
/// wrong with it is no damage of the cache.
pub(super) fn bring(
    repository: &Repository,
    endpoint: &Arc<Endpoint>,
    names: &[&str],
) -> Result<Brought, Fault> {
    let url = LinkUrl::new(endpoint);
    let mut remote = repository.remote_anonymous(url.as_str())?;
    let heads = connect(&mut remote, &url)?;
    let there = names.iter().filter(|name| heads.contains_key(**name));
    let specs: Vec<String> = there.map(|name| format!("+{name}:{name}")).collect();
    if specs.is_empty() {
        return Ok(Brought::All);
    }
    within(repository, (&mut remote, &url), &specs, (0, &OF_PULLS))
}

/// Downloads what these refspecs need, so many commits deep (0: all), within bounds. The remote is connected already.
pub(super) fn within(
    repository: &Repository,
    (remote, url): (&mut Remote<'_>, &LinkUrl),
    specs: &[String],
    (depth, bounds): (i32, &Bounds),
) -> Result<Brought, Fault> {
    let (is_too_much, is_late) = (Cell::new(false), Cell::new(false));
    let begin = Instant::now();
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|progress| {
        let fits = progress.received_bytes() <= bounds.bytes && progress.total_objects() <= bounds.objects;
        is_too_much.set(is_too_much.get() || !fits);
        is_late.set(begin.elapsed() > bounds.time);
        fits && !is_late.get()
    });
    let mut options = FetchOptions::new();
    options.download_tags(AutotagOption::None).remote_callbacks(callbacks).depth(depth);
    let brought = remote.download(specs, Some(&mut options));
    drop(options);
    match brought {
        Ok(()) => Ok(repository.odb()?.refresh().map(|()| Brought::All)?),
        Err(_) if is_too_much.get() => Ok(Brought::TooMuch),
        Err(_) if is_late.get() => {
            let reason = format!("it sends for longer than {} s", bounds.time.as_secs());
            Err(Fault::Port(RepositoryError::Unreachable { remote: url.remote().to_owned(), reason }))
        }
        Err(error) => Err(match url.explain(&error) {
            Fault::Damaged(reason) => Fault::broken(reason),
            other
            @ (Fault::Truncated { .. } | Fault::Behind(_) | Fault::Rejected { .. } | Fault::Port(_)) => other,
        }),
    }
}

pub(super) fn connect(remote: &mut Remote<'_>, url: &LinkUrl) -> Result<BTreeMap<String, Oid>, Fault> {
    remote.connect(Direction::Fetch).map_err(|e| url.explain(&e))?;
    by_name(remote.list().map_err(|e| url.explain(&e))?)
}

fn by_name(heads: &[git2::RemoteHead<'_>]) -> Result<BTreeMap<String, Oid>, Fault> {
    let mut found = BTreeMap::new();
    for head in heads {
        // Names that are not UTF-8 have been replaced, which must not make one ref stand for another.
        if found.insert(head.name().to_owned(), head.oid()).is_some_and(|other| other != head.oid()) {
            return Err(Fault::broken(format!("the remote has two refs that look like {:?}", head.name())));
        }
    }
    Ok(found)
}

/// Downloads what these refs need and then moves them. The remote is connected already.
fn download(
    repository: &Repository,
    remote: &mut Remote<'_>,
    url: &LinkUrl,
    names: &[&str],
    depth: i32,
) -> Result<(), Fault> {
    let heads = by_name(remote.list().map_err(|e| url.explain(&e))?)?;
    let specs: Vec<String> = names.iter().map(|name| format!("+{name}:{name}")).collect();
    let fetch = |remote: &mut Remote<'_>, depth: i32| {
        let mut options = FetchOptions::new();
        options.download_tags(AutotagOption::None).depth(depth);
        remote.download(&specs, Some(&mut options))
    };
    if let Err(error) = fetch(remote, depth) {
        if !error.message().contains("doesn't support shallow") {
            return Err(url.explain(&error));
        }
        fetch(remote, 0).map_err(|e| url.explain(&e))?;
    }
    let odb = repository.odb()?;
    odb.refresh()?;
    for name in names {
        let Some(target) = heads.get(*name) else { continue };
        if !odb.exists(*target) {
            return Err(Fault::Damaged(format!("{name} is at {target}, which the fetch did not bring")));
        }
        refs::follow(repository, name, *target, "fetch")?;
    }
    Ok(())
}
