//! The looks at a branch that other agents have recorded in the notes on its newest commits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use git2::{Oid, Repository};

use super::fault::Fault;
use super::names::commit_id;
use super::notes::{Dated, Months, Note, note};
use crate::domain::history::landing::Sighting;
use crate::domain::ids::BranchName;
use crate::domain::time::Time;
use crate::record::keys::RecordKeys;
use crate::record::{MAX_LOOKS, look_lines, looks};

/// After how many bytes of notes no more are searched.
const MAX_TOLD_BYTES: usize = 64 << 20;

/// The lines of notes that tell where branches were seen, by the commit and the blob. A blob never changes: a process reads each
/// once.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<(Oid, Oid), Arc<str>>>);

/// Of how many notes these lines are kept: mostly there are none.
const MAX_KEPT: usize = 100_000;

impl Told {
    fn lines(
        &self,
        key: (Oid, Oid),
        read: impl FnOnce() -> Result<String, Fault>,
    ) -> Result<Arc<str>, Fault> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = known().get(&key) {
            return Ok(Arc::clone(lines));
        }
        let lines: String = look_lines(&read()?).flat_map(|line| [line, "\n"]).collect();
        let lines: Arc<str> = lines.into();
        let mut known = known();
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        known.insert(key, Arc::clone(&lines));
        Ok(lines)
    }
}

/// The looks at a branch that the notes on these commits record. It stops reading after [`MAX_TOLD_BYTES`] of notes or
/// [`MAX_LOOKS`] looks.
pub(super) fn looks_in(
    repository: &Repository,
    (keys, told): (&RecordKeys, &Told),
    commits: &[Dated],
    branch: &BranchName,
    now: Time,
) -> Result<Vec<Sighting>, Fault> {
    let mut months = Months::of(repository, keys)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    for commit in commits {
        for blob in months.blobs(commit)? {
            let lines = told.lines((commit.commit, blob), || {
                let Note::Text(text) = note(&months.odb, blob)? else { return Ok(String::new()) };
                bytes += text.len();
                Ok(keys.proven(commit_id(commit.commit), text))
            })?;
            found.extend(looks(&lines, branch, now));
        }
        if bytes >= MAX_TOLD_BYTES || found.len() >= MAX_LOOKS {
            break;
        }
    }
    Ok(found)
}
