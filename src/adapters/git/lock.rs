//! The locks that a killed agent leaves in a local repository.
//!
//! A ref is moved under a lock, the file `<ref>.lock`. A process that is killed while it holds one leaves it behind,
//! and then nobody can move that ref any more. Git leaves it to a person to delete the file; an agent that may be
//! killed at any moment has to clean up after itself, and after nobody else. So it writes down which ref it is about
//! to move, in a file that the operating system unlocks when it dies. What stands there when the next agent comes is
//! the mark of a kill.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use git2::Repository;

use super::fault::Fault;

/// The file in the repository's directory, a ref a line. Empty unless an agent is at work or was killed.
const JOURNAL: &str = "backout-moving";
/// A lock is held for some milliseconds: one this old is nobody's.
const LEFT_BEHIND_AGE: Duration = Duration::from_secs(5);
const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_STEP: Duration = Duration::from_millis(5);

/// The right to move a ref of a local repository, kept from all other agents until its end.
pub(super) struct Moving {
    journal: File,
    left_behind: Vec<String>,
}

/// Locks a file for this process alone, or shared with others. Asks again after each step until the wait is over; false says that
/// another process has it still.
pub(super) fn within(
    file: &File,
    exclusive: bool,
    (wait, step): (Duration, Duration),
) -> std::io::Result<bool> {
    let mut waited = Duration::ZERO;
    loop {
        let attempt = if exclusive { file.try_lock() } else { file.try_lock_shared() };
        match attempt {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waited >= wait => return Ok(false),
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(step);
                waited = waited.saturating_add(step);
            }
        }
    }
}

impl Moving {
    /// Waits for the other agents, removes the locks that killed ones have left, and says what will be moved.
    pub(super) fn begin(repository: &Repository, reference: &str) -> Result<Self, Fault> {
        let common = repository.commondir();
        let path = common.join(JOURNAL);
        let unusable = |e: std::io::Error| Fault::broken(format!("{}: {e}", path.display()));
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let mut moving = Self { journal: file.map_err(unusable)?, left_behind: Vec::new() };
        moving.lock(reference, &path)?;
        let mut text = String::new();
        moving.journal.read_to_string(&mut text).map_err(unusable)?;
        let known = text.lines().map(str::to_owned);
        moving.left_behind = known.filter(|line| line.starts_with("refs/") && !line.contains("..")).collect();
        moving.write(Some(reference)).map_err(unusable)?;
        moving.sweep(common).map_err(unusable)?;
        Ok(moving)
    }

    /// Says that the ref was moved, or was not.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        self.write(None).map_err(|e| Fault::broken(format!("{JOURNAL} cannot be written: {e}")))
    }

    fn lock(&self, reference: &str, path: &Path) -> Result<(), Fault> {
        match within(&self.journal, true, (LOCK_WAIT, LOCK_STEP)) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let (reference, reason) = (reference.to_owned(), "another agent is moving a ref".to_owned());
                Err(Fault::Rejected { reference, reason })
            }
            Err(error) => Err(Fault::broken(format!("{}: {error}", path.display()))),
        }
    }

    fn write(&mut self, moving: Option<&str>) -> std::io::Result<()> {
        let lines: String = self.left_behind.iter().map(String::as_str).chain(moving).fold(
            String::new(),
            |mut text, line| {
                text.push_str(line);
                text.push('\n');
                text
            },
        );
        self.journal.rewind()?;
        self.journal.write_all(lines.as_bytes())?;
        self.journal.set_len(lines.len() as u64)
    }

    /// Removes the locks of the refs that a killed agent was moving, as soon as they are old enough to be nobody
    /// else's. The journal was written just now, so its time is the present.
    fn sweep(&mut self, common: &Path) -> std::io::Result<()> {
        let now = self.journal.metadata()?.modified()?;
        let mut young = Vec::new();
        for reference in std::mem::take(&mut self.left_behind) {
            let lock = common.join(format!("{reference}.lock"));
            let Ok(made) = lock.metadata().and_then(|metadata| metadata.modified()) else { continue };
            if now.duration_since(made).is_ok_and(|age| age >= LEFT_BEHIND_AGE) {
                std::fs::remove_file(&lock)?;
                tracing::warn!(lock = %lock.display(), "removed a lock that a killed agent has left");
            } else if !young.contains(&reference) {
                young.push(reference);
            }
        }
        self.left_behind = young;
        Ok(())
    }
}
