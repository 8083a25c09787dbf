//! Working a revert out against a commit of the environment's branch, with the deployment's files as they are there, also
//! where they were moved since.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::pins::pinned;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::domain::change::named::{AtOrBelow, NamedPath, named};
use crate::domain::change::needed::{KUSTOMIZATIONS, needed};
use crate::domain::change::plan::{Target, Undo, plan};
use crate::domain::change::receipt::Receipt;
use crate::domain::change::together::{in_turn, together};
use crate::domain::change::{Asked, Change, Motive, NoChange};
use crate::domain::decision::Turn;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::deployment::precedent::Precedent;
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Policy;
use crate::domain::field::Refusal;
use crate::domain::history::moves::follow_file;
use crate::domain::history::scope::{Interest, Scope, Tracked};
use crate::domain::history::snapshot::{Commit, Content};
use crate::domain::ids::{BranchName, CommitId, FilePath, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::Judgement;
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};

/// A deployment that is to be reverted, and why.
#[derive(Clone, Copy)]
pub(in crate::agent) struct ToRevert<'a> {
    pub deployment: &'a Deployment,
    pub motive: Motive<'a>,
    pub evidence: Option<&'a Evidence>,
    pub policy: &'a Policy,
    /// All that is taken back.
    pub undo: Undo<'a>,
    /// The other services of its group that go back with it.
    pub members: &'a [ToRevert<'a>],
}

impl<'a> ToRevert<'a> {
    /// A deployment that was judged.
    pub(in crate::agent) fn judged(judged: &'a Judged) -> Self {
        Self {
            deployment: &judged.deployment,
            motive: judged.motive(),
            evidence: Some(&judged.evidence),
            policy: &judged.policy,
            undo: Undo {
                checked: &judged.checked,
                ..undo(&judged.deployment, judged.goal.as_ref(), &judged.doubts)
            },
            members: &[],
        }
    }

    /// The other services of its group that go back with a deployment that was judged.
    pub(in crate::agent) fn members(judged: &'a Judged) -> Vec<Self> {
        judged.members.iter().map(Self::judged).collect()
    }

    /// A deployment that a person wants reverted, to where `goal` leads or to the state just before it.
    pub(in crate::agent) fn requested(
        deployment: &'a Deployment,
        goal: Option<&'a Goal>,
        asked: Asked<'a>,
        policy: &'a Policy,
        checked: &'a [String],
    ) -> Self {
        let undo = Undo { checked, ..undo(deployment, goal, &[]) };
        Self { deployment, motive: Motive::Request(asked), evidence: None, policy, undo, members: &[] }
    }
}

/// What the revert of a deployment takes back.
pub(in crate::agent) fn undo<'a>(
    bad: &'a Deployment,
    goal: Option<&'a Goal>,
    doubts: &'a [String],
) -> Undo<'a> {
    match goal {
        Some(Goal::Undo(changes, _)) => Undo { bad, changes, doubts, checked: &[] },
        Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => {
            Undo { doubts, ..Undo::from(bad) }
        }
    }
}

/// The commits that a revert with this goal takes back.
pub(in crate::agent) fn undone_by(goal: Option<&Goal>) -> BTreeSet<CommitId> {
    match goal {
        Some(Goal::Undo(changes, _)) => changes.iter().map(|change| change.commit).collect(),
        Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => BTreeSet::new(),
    }
}

/// A revert that was worked out, with the files that it changes as they are before it.
#[derive(Clone)]
pub(in crate::agent) struct PlannedRevert<'a> {
    /// What it reverts.
    pub to_revert: ToRevert<'a>,
    /// The change.
    pub change: Box<Change>,
    /// The deployment's files at the commit that it was worked out from.
    pub current: Current,
}

impl PlannedRevert<'_> {
    /// The change as a unified diff.
    pub(in crate::agent) fn diff(&self) -> String {
        self.change.diff(&self.current.files)
    }
}

/// The files of a deployment at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// What is at each path; `None` where there is no file.
    pub files: BTreeMap<FilePath, Option<Content>>,
    /// Where files that are not at their old path are now.
    pub moved: BTreeMap<FilePath, FilePath>,
}

/// The revert of a deployment against the commit `head`, or why there is none.
pub(in crate::agent) async fn plan_at<'a>(
    pass: &Pass<'_>,
    to_revert: &ToRevert<'a>,
    head: CommitId,
) -> Result<Result<PlannedRevert<'a>, NoChange>, RepositoryError> {
    plan_in_turn(pass, to_revert, None, head).await
}

/// The same for a deployment that has this turn in a group that goes back one service after another.
pub(super) async fn plan_in_turn<'a>(
    pass: &Pass<'_>,
    to_revert: &ToRevert<'a>,
    turn: Option<&Turn>,
    head: CommitId,
) -> Result<Result<PlannedRevert<'a>, NoChange>, RepositoryError> {
    let mut parts = Vec::new();
    for one in std::iter::once(to_revert).chain(to_revert.members) {
        parts.push((Owned::of(one), current_files(pass, head, one.undo).await?));
    }
    let (environment, now, turn) = (Arc::clone(pass.environment), pass.now, turn.cloned());
    let planning = pass.git(move |repository| {
        let change = match plan_all(&parts, &environment.branch, head, now) {
            Ok(change) => still_whole(repository, head, change, &parts)?,
            none => none,
        };
        let mut current = Current::default();
        for (_, part) in &parts {
            current.files.extend(part.files.clone());
            current.moved.extend(part.moved.clone());
        }
        let change = match (change, parts.as_slice(), turn) {
            (Ok(change), [(next, _), ..], Some(turn)) => {
                Ok(in_turn(change, (&next.bad, next.motive()), turn, !next.policy.pin.is_none()))
            }
            (Ok(change), [(alone, _)], None) => {
                let why = (alone.undo(), alone.motive(), &alone.policy.pin);
                Ok(pinned(repository, change, why, &mut current.files)?)
            }
            (change, _, _) => change,
        };
        Ok::<_, RepositoryError>((change, current))
    });
    let (change, current) = planning.await?;
    Ok(change.map(|change| PlannedRevert { to_revert: *to_revert, change: Box::new(change), current }))
}

/// The revert of the first of these, with the others of its group in the same commit: each is worked out on top of those before it. One of
/// these that somebody has put back already is left out. Where one cannot go back, none does.
fn plan_all(
    parts: &[(Owned, Current)],
    branch: &BranchName,
    head: CommitId,
    now: Time,
) -> Result<Change, NoChange> {
    let mut made: BTreeMap<FilePath, Option<Content>> = BTreeMap::new();
    let (mut lead, mut others) = (None, Vec::new());
    for (owned, part) in parts {
        let mut current = part.files.clone();
        for (path, content) in &made {
            current.entry(path.clone()).and_modify(|now| now.clone_from(content));
        }
        let moved = &part.moved;
        let target = Target { branch, head, current: &current, moved, policy: &owned.policy, now };
        match (plan(owned.undo(), owned.motive(), &target), &lead) {
            (Ok(change), _) => {
                made.extend(change.files.clone());
                match lead {
                    None => lead = Some((change, owned)),
                    Some(_) => others.push((change, owned.motive())),
                }
            }
            (Err(none), None) => return Err(none),
            (Err(NoChange::Restored(_)), Some(_)) => {}
            (Err(none), Some(_)) => {
                return Err(NoChange::OfGroup { service: owned.bad.service.clone(), why: none.to_string() });
            }
        }
    }
    let Some((change, owned)) = lead else { return Err(NoChange::Restored(String::new())) };
    let is_pinned = parts.iter().any(|(owned, _)| !owned.policy.pin.is_none());
    Ok(together(change, (&owned.bad, owned.motive()), others, is_pinned))
}

/// The receipt of a revert that the agent cannot plan.
pub(super) fn receipt_of(none: NoChange) -> Receipt {
    match none {
        none @ (NoChange::Superseded(_) | NoChange::Restored(_)) => Receipt::Superseded(none.to_string()),
        refused @ (NoChange::Gone(_)
        | NoChange::Partial(_)
        | NoChange::OfGroup { .. }
        | NoChange::Refused { .. }) => {
            Receipt::Refused(format!("it cannot be put back by machine: {refused}"))
        }
    }
}

/// The most kustomizations that are read of a repository, and the most bytes of them.
const MAX_KUSTOMIZATIONS: usize = 10_000;
const MAX_KUSTOMIZATION_BYTES: usize = 32 << 20;

/// The kustomizations of a repository.
struct Kustomizations;

impl Scope for Kustomizations {
    fn file(&self, path: &str) -> Interest {
        let name = path.rsplit('/').next().unwrap_or(path);
        if KUSTOMIZATIONS.contains(&name) { Interest::Bytes } else { Interest::Nothing }
    }

    fn directory(&self, _: &str) -> bool {
        true
    }
}

/// The change, unless something else stands where it puts a file, or it removes a file that a kustomization names: also one of another
/// service.
fn still_whole(
    repository: &dyn Repository,
    head: CommitId,
    change: Change,
    parts: &[(Owned, Current)],
) -> Result<Result<Change, NoChange>, RepositoryError> {
    if let Some(refused) = names_what_is_gone(repository, head, &change, parts)? {
        return Ok(Err(refused));
    }
    for (path, _) in change.files.iter().filter(|(_, content)| content.is_some()) {
        if !repository.has_room(head, path)? {
            return Ok(Err(NoChange::refused(path.clone(), Refusal::Taken)));
        }
    }
    if change.files.values().all(Option::is_some) {
        return Ok(Ok(change));
    }
    let (mut kustomizations, mut left) = (BTreeMap::new(), MAX_KUSTOMIZATION_BYTES);
    for path in repository.list_files(head, &Kustomizations, MAX_KUSTOMIZATIONS)? {
        let Some(bytes) = repository.read_file(head, &path)? else { continue };
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            break;
        }
        kustomizations.insert(path, bytes);
    }
    Ok(match needed(&change.files, &kustomizations) {
        Some((path, by)) => Err(NoChange::refused(path, Refusal::Needed(by.to_string()))),
        None => Ok(change),
    })
}

/// Why a revert is refused that would put back the name of a file or directory which is not in the repository any more.
fn names_what_is_gone(
    repository: &dyn Repository,
    head: CommitId,
    change: &Change,
    parts: &[(Owned, Current)],
) -> Result<Option<NoChange>, RepositoryError> {
    let now = parts.iter().flat_map(|(_, part)| part.files.clone()).collect();
    let named = named(&now, &change.files);
    let paths: BTreeSet<String> = named.iter().flat_map(NamedPath::paths).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let listed = repository.list_files(head, &AtOrBelow(paths), MAX_KUSTOMIZATIONS)?;
    let made = change.files.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path);
    let is_left = |path: &&FilePath| !matches!(change.files.get(*path), Some(None));
    let there: BTreeSet<&str> = listed.iter().filter(is_left).chain(made).map(FilePath::as_str).collect();
    let is_there = |path: &str| {
        let below = format!("{path}/");
        there.contains(path)
            || there.range(below.as_str()..).next().is_some_and(|one| one.starts_with(&below))
    };
    let gone = named.into_iter().find(|one| one.is_gone(&is_there));
    Ok(gone.map(|one| {
        let value = one_line(&one.value, MAX_VALUE);
        NoChange::refused(one.file, Refusal::Missing(one.address, value))
    }))
}

/// The most characters of a value that are told.
const MAX_VALUE: usize = 100;

/// What a revert is worked out from, for another thread: it takes as long as the files are large.
struct Owned {
    bad: Deployment,
    changes: Vec<Deployment>,
    doubts: Vec<String>,
    checked: Vec<String>,
    motive: OwnedMotive,
    policy: Policy,
}

enum OwnedMotive {
    Metrics(Judgement),
    Fallback(Judgement, CommitId),
    Elsewhere(Precedent),
    Request { who: String, why: Option<String> },
}

impl Owned {
    fn of(to_revert: &ToRevert<'_>) -> Self {
        let Undo { bad, changes, doubts, checked } = to_revert.undo;
        Self {
            bad: bad.clone(),
            changes: changes.to_vec(),
            doubts: doubts.to_vec(),
            checked: checked.to_vec(),
            motive: match to_revert.motive {
                Motive::Metrics(judgement) => OwnedMotive::Metrics(judgement.clone()),
                Motive::Fallback(judgement, revert) => OwnedMotive::Fallback(judgement.clone(), revert),
                Motive::Elsewhere(known) => OwnedMotive::Elsewhere(known.clone()),
                Motive::Request(Asked { who, why }) => {
                    OwnedMotive::Request { who: who.to_owned(), why: why.map(str::to_owned) }
                }
            },
            policy: to_revert.policy.clone(),
        }
    }

    fn undo(&self) -> Undo<'_> {
        Undo { bad: &self.bad, changes: &self.changes, doubts: &self.doubts, checked: &self.checked }
    }

    fn motive(&self) -> Motive<'_> {
        match &self.motive {
            OwnedMotive::Metrics(judgement) => Motive::Metrics(judgement),
            OwnedMotive::Fallback(judgement, revert) => Motive::Fallback(judgement, *revert),
            OwnedMotive::Elsewhere(known) => Motive::Elsewhere(known),
            OwnedMotive::Request { who, why } => Motive::Request(Asked { who, why: why.as_deref() }),
        }
    }
}

/// Reads the files of what is taken back in `head`. History is looked at only for a file that the newest change left there
/// and that is not there any more.
async fn current_files(pass: &Pass<'_>, head: CommitId, undo: Undo<'_>) -> Result<Current, RepositoryError> {
    let newest = undo.changes.first().unwrap_or(undo.bad);
    let mut files: BTreeMap<FilePath, bool> = BTreeMap::new();
    for (index, change) in undo.changes.iter().enumerate() {
        for file in &change.files {
            files.entry(file.path.clone()).or_insert(index == 0 && file.new.is_some());
            files.extend(file.was.clone().map(|was| (was, false)));
        }
    }
    let (environment, now) = (Arc::clone(pass.environment), pass.now);
    let (service, commit, at) = (newest.service.clone(), newest.commit, newest.at);
    let read = pass.git(move |repository| {
        let mut current = Current::default();
        let mut missing = Vec::new();
        for (path, was_there) in files {
            let content = repository.content(head, &path)?;
            if content.is_none() && was_there {
                missing.push(path.clone());
            }
            current.files.insert(path, content);
        }
        if missing.is_empty() {
            return Ok(current);
        }
        let since = commits_since(repository, &environment, &service, (commit, at), now)?;
        for path in missing {
            if let Some(to) = follow_file(since.iter().rev(), &path).filter(|to| *to != path) {
                current.files.insert(to.clone(), repository.content(head, &to)?);
                current.moved.insert(path, to);
            }
        }
        Ok(current)
    });
    read.await
}

/// The commits after a deployment, newest first, with the files of the service that they changed: a file that moved
/// to another service is not its any more.
fn commits_since(
    repository: &dyn Repository,
    environment: &Environment,
    service: &ServiceName,
    (commit, at): (CommitId, Time),
    now: Time,
) -> Result<Vec<Commit>, RepositoryError> {
    let scope = Tracked::new(environment, Some(service));
    let branch = &environment.branch;
    let query =
        HistoryQuery { branch, diffs_since: at, diffs_until: now, commits_since: at, now, scope: &scope };
    let mut since = Vec::new();
    repository.walk(&query, &mut |next| {
        if next.id == commit {
            return ControlFlow::Break(());
        }
        if next.files.iter().any(|file| file.old.is_none() || file.new.is_none()) {
            since.push(next);
        }
        ControlFlow::Continue(())
    })?;
    Ok(since)
}
