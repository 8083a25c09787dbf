//! Reading the notes on commits.

use std::collections::BTreeMap;

use super::context::Pass;
use crate::domain::ids::CommitId;
use crate::ports::RepositoryError;
use crate::record::{self, Record};

/// What the notes say about these commits.
pub(in crate::agent) async fn read_records(
    pass: &Pass<'_>,
    commits: Vec<CommitId>,
) -> Result<BTreeMap<CommitId, Vec<Record>>, RepositoryError> {
    // Most environments of a pass are quiet: nothing is opened for them.
    if commits.is_empty() {
        return Ok(BTreeMap::new());
    }
    let notes = pass.git(move |repository| repository.notes(&commits)).await?;
    Ok(notes.into_iter().map(|(commit, note)| (commit, record::read(&note))).collect())
}
