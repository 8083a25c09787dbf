//! Moving a ref: compare-and-swap, forward only, one ref at a time, at a remote or in a local repository.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use git2::{ErrorClass, ErrorCode, Oid, PushOptions, RemoteCallbacks, Repository};

use super::fault::{Fault, one_line};
use super::lock::Moving;
use super::refs;
use super::transport::{Endpoint, LinkUrl, Push};
use crate::ports::RepositoryError;

/// How much of what a server's hooks say is kept, in bytes.
const SIDEBAND_BYTES: usize = 4 << 10;

/// A ref that is to be moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update<'a> {
    /// The full name.
    pub(super) reference: &'a str,
    /// Where it must be now; `None` when it must not exist.
    pub(super) expected: Option<Oid>,
    /// Where it goes: a descendant of `expected`. `None` removes it.
    pub(super) target: Option<Oid>,
}

impl Update<'_> {
    fn rejected(&self, reason: impl Into<String>) -> Fault {
        Fault::Rejected { reference: self.reference.to_owned(), reason: reason.into() }
    }

    fn elsewhere(&self, found: Option<Oid>) -> Fault {
        let show = |id: Option<Oid>| id.map_or_else(|| "absent".to_owned(), |id| format!("at {id}"));
        self.rejected(format!("it is {}, not {}", show(found), show(self.expected)))
    }

    /// The ref and what the target is made on.
    fn push(&self, repository: &Repository) -> Result<Push, Fault> {
        let target = self.target.map(|target| repository.find_commit(target)).transpose()?;
        let parents = target.map(|target| target.parent_ids().collect()).unwrap_or_default();
        Ok(Push { reference: self.reference.to_owned(), parents })
    }

    /// Refuses what would not be a fast-forward. Every push goes through this, whatever the server would allow.
    fn must_be_forward(&self, repository: &Repository) -> Result<(), Fault> {
        match (self.expected, self.target) {
            (Some(old), Some(new)) if old != new && !is_descendant(repository, new, old)? => {
                Err(self.rejected("the new commit does not follow the one that is there"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn is_descendant(repository: &Repository, commit: Oid, ancestor: Oid) -> Result<bool, Fault> {
    // The usual case, without walking: the new commit was built on what is there.
    if repository.find_commit(commit)?.parent_ids().any(|parent| parent == ancestor) {
        return Ok(true);
    }
    match repository.graph_descendant_of(commit, ancestor) {
        Ok(result) => Ok(result),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Moves a ref at a remote. The objects must be in `repository`, and what the target is made on at the remote.
pub(super) fn to_remote(
    repository: &Repository,
    endpoint: &Arc<Endpoint>,
    update: &Update<'_>,
) -> Result<(), Fault> {
    update.must_be_forward(repository)?;
    let url = LinkUrl::for_push(endpoint, update.push(repository)?);
    let mut remote = repository.remote_anonymous(url.as_str())?;
    let moved: Cell<Option<Option<Oid>>> = Cell::new(None);
    let negotiated = Cell::new(false);
    let answer: RefCell<Option<Option<String>>> = RefCell::new(None);
    let said: RefCell<Vec<u8>> = RefCell::new(Vec::new());
    let mut callbacks = RemoteCallbacks::new();
    callbacks.push_negotiation(|updates| {
        for found in updates {
            let here = Some(found.src()).filter(|id| !id.is_zero());
            if here != update.expected || found.dst() != update.target.unwrap_or(Oid::ZERO_SHA1) {
                moved.set(Some(here));
                return Err(git2::Error::from_str("the ref is not where it was expected"));
            }
        }
        negotiated.set(true);
        Ok(())
    });
    callbacks.push_update_reference(|name, problem| {
        if name == update.reference {
            answer.replace(Some(problem.map(str::to_owned)));
        }
        Ok(())
    });
    callbacks.sideband_progress(|bytes| {
        let mut said = said.borrow_mut();
        let room = SIDEBAND_BYTES.saturating_sub(said.len());
        said.extend(bytes.iter().take(room));
        true
    });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks).packbuilder_parallelism(1);
    // No `+` in front: libgit2 and the server then refuse what is not a fast-forward.
    let target = update.target.map_or_else(String::new, |id| id.to_string());
    let result = remote.push(&[format!("{target}:{}", update.reference)], Some(&mut options));
    drop(options);
    if let Some(found) = moved.get() {
        return Err(update.elsewhere(found));
    }
    let said = one_line(&String::from_utf8_lossy(&said.borrow()), 1000);
    let with_said = |reason: &str| {
        let reason = one_line(reason, 300);
        if said.is_empty() { reason } else { format!("{reason}: {said}") }
    };
    match (result, answer.take()) {
        (_, Some(Some(problem))) => Err(update.rejected(with_said(&problem))),
        // The server has said that it moved the ref: what fails after that does not undo it.
        (_, Some(None)) => Ok(()),
        (Ok(()), None) => Err(update.rejected(with_said("the server did not report on it"))),
        (Err(error), None) if error.code() == ErrorCode::NotFastForward => {
            Err(update.rejected(with_said(error.message())))
        }
        (Err(error), None) => Err(match url.explain(&error) {
            // The server spoke Git to the end and did not take it; what broke is not the network or the cache.
            Fault::Damaged(reason) if negotiated.get() && error.class() == ErrorClass::Reference => {
                update.rejected(with_said(&reason))
            }
            Fault::Port(RepositoryError::Unreachable { reason, .. })
                if reason.contains("unpacking the sources failed") || reason.contains("Error reported") =>
            {
                update.rejected(with_said(&reason))
            }
            fault @ (Fault::Damaged(_)
            | Fault::Truncated { .. }
            | Fault::Behind(_)
            | Fault::Rejected { .. }
            | Fault::Port(_)) => fault,
        }),
    }
}

/// How long a ref's lock is waited for: longer than it takes until one that a killed agent has left counts as nobody's.
const REF_LOCK_WAIT: Duration = Duration::from_secs(8);
const REF_LOCK_STEP: Duration = Duration::from_millis(100);

/// Moves a ref of a local repository under its lock. The repository's hooks are not run: there is no server in between.
pub(super) fn to_local(repository: &Repository, update: &Update<'_>) -> Result<(), Fault> {
    must_not_be_checked_out(repository, update.reference)?;
    update.must_be_forward(repository)?;
    let mut waited = Duration::ZERO;
    let error = loop {
        match move_locked(repository, update)? {
            Ok(()) => return Ok(()),
            // Another program is at work on the ref, or one that was killed has left its lock.
            Err(error) if error.code() == ErrorCode::Locked && waited < REF_LOCK_WAIT => {
                std::thread::sleep(REF_LOCK_STEP);
                waited = waited.saturating_add(REF_LOCK_STEP);
            }
            Err(error) => break error,
        }
    };
    let code = error.code();
    if matches!(code, ErrorCode::Modified | ErrorCode::NotFound | ErrorCode::Exists) {
        Err(update.elsewhere(repository.refname_to_id(update.reference).ok()))
    } else if code == ErrorCode::Locked {
        Err(update.rejected(error.message()))
    } else {
        Err(error.into())
    }
}

/// Moves the ref once, provided that it is where it is expected and nobody holds its lock.
fn move_locked(repository: &Repository, update: &Update<'_>) -> Result<Result<(), git2::Error>, Fault> {
    // The null id stands for "must not exist"; both cases are checked while the ref's lock is held.
    let expected = update.expected.unwrap_or(Oid::ZERO_SHA1);
    let moving = Moving::begin(repository, update.reference)?;
    let result = match update.target {
        Some(target) => {
            repository.reference_matching(update.reference, target, true, expected, "backout: push").map(drop)
        }
        None => remove_locked(repository, update),
    };
    // What is left in the journal is looked at by the next push, and does no harm.
    if let Err(error) = moving.end() {
        tracing::warn!(?error, "the end of a push was not written down");
    }
    Ok(result)
}

fn remove_locked(repository: &Repository, update: &Update<'_>) -> Result<(), git2::Error> {
    let mut transaction = repository.transaction()?;
    transaction.lock_ref(update.reference)?;
    if repository.refname_to_id(update.reference).ok() != update.expected {
        return Err(git2::Error::new(ErrorCode::Modified, ErrorClass::Reference, "the ref has moved"));
    }
    transaction.remove(update.reference)?;
    transaction.commit()
}

/// Refuses to move a branch under a work tree, which would then look as if it reverted the new commit.
pub(super) fn must_not_be_checked_out(repository: &Repository, reference: &str) -> Result<(), Fault> {
    let common = repository.commondir();
    let mut heads = Vec::new();
    if !Repository::open(common)?.is_bare() {
        heads.push(common.join("HEAD"));
    }
    if let Ok(worktrees) = std::fs::read_dir(common.join("worktrees")) {
        heads.extend(worktrees.flatten().map(|worktree| worktree.path().join("HEAD")));
    }
    let is_here = |head: &Path| {
        std::fs::read_to_string(head)
            .is_ok_and(|text| text.strip_prefix("ref:").is_some_and(|name| name.trim() == reference))
    };
    if heads.iter().any(|head| is_here(head)) {
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        return Err(Fault::Port(RepositoryError::Denied {
            remote: common.display().to_string(),
            reason: format!(
                "the branch {branch} is checked out there, and updating it would leave the work tree behind: use a \
                 bare repository, or check out another branch (`git switch --detach`)"
            ),
        }));
    }
    Ok(())
}

/// Whether a ref of a local repository could be moved: its lock can be taken and objects can be written.
pub(super) fn check_local(repository: &Repository, reference: &str) -> Result<(), Fault> {
    must_not_be_checked_out(repository, reference)?;
    let common = repository.commondir();
    let denied = |what: &Path, reason: &str| {
        Fault::Port(RepositoryError::Denied {
            remote: common.display().to_string(),
            reason: format!("{} cannot be written: {reason}", what.display()),
        })
    };
    let objects = common.join("objects");
    tempfile::tempfile_in(&objects).map_err(|e| denied(&objects, &e.to_string()))?;
    let mut transaction = repository.transaction()?;
    // The lock goes with the transaction, which changes nothing when it is not committed.
    transaction.lock_ref(reference).map_err(|e| denied(&common.join(reference), e.message()))
}

/// Why a ref was not made, where another one is in its way: servers and libraries each say that in words of their own.
pub(super) fn explained(
    update: &Update<'_>,
    fault: Fault,
    there: impl FnOnce() -> Result<BTreeMap<String, Oid>, Fault>,
) -> Fault {
    if update.expected.is_some() || update.target.is_none() {
        return fault;
    }
    let conflict =
        there().ok().and_then(|names| refs::conflict(names.keys().map(String::as_str), update.reference));
    conflict.unwrap_or(fault)
}
