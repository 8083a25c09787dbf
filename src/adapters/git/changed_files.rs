//! The files that commits changed, with their bytes.

use git2::{Odb, Oid, Repository};

use super::blobs::Blobs;
use super::commit_object::Header;
use super::fault::Fault;
use super::names::commit_id;
use super::packs::Packs;
use super::tree_diff::{Form, TreeDiff};
use crate::domain::history::scope::Scope;
use crate::domain::history::snapshot::{FileDiff, FileKind, MAX_CHANGED_FILES};

/// Reads which files commits changed.
pub(super) struct ChangedFiles<'a> {
    blobs: Blobs<'a>,
    pub(super) diff: TreeDiff<'a>,
}

impl<'a> ChangedFiles<'a> {
    /// In a scope.
    pub(super) fn new(
        repository: &Repository,
        odb: &'a Odb<'a>,
        blobs: Blobs<'a>,
        scope: &'a dyn Scope,
    ) -> Self {
        Self { blobs, diff: TreeDiff::new(odb, Packs::of(repository), scope, MAX_CHANGED_FILES) }
    }

    /// The files that a commit changed. `parent` is its first parent's tree.
    pub(super) fn of(&mut self, commit: &Header, parent: Option<Oid>) -> Result<Vec<FileDiff>, Fault> {
        let (changes, truncated) = self.diff.compare(parent, Some(commit.tree))?;
        if truncated {
            tracing::warn!(commit = %commit.id, files = MAX_CHANGED_FILES, "the commit changed more files than are listed");
        }
        let mut files = Vec::with_capacity(changes.len());
        for change in changes {
            // The first commit of all puts everything there and deploys nothing: there is no way back from it.
            let bytes = change.bytes && parent.is_some();
            let (old, new) = (self.blobs.version(change.old, bytes)?, self.blobs.version(change.new, bytes)?);
            let turned = match change.turned.filter(|_| bytes) {
                Some([old, new]) => Some((self.kind(old)?, self.kind(new)?)),
                None => None,
            };
            // A link of which only the name is asked for says nothing.
            if old.is_some() || new.is_some() || turned.is_some() {
                files.push(FileDiff { path: change.path, was: None, old, new, turned });
            }
        }
        Ok(files)
    }

    fn kind(&self, (form, id): (Form, Oid)) -> Result<FileKind, Fault> {
        Ok(match form {
            Form::Nothing => FileKind::Nothing,
            Form::Plain => FileKind::Plain,
            Form::Executable => FileKind::Executable,
            Form::Link => FileKind::Link(self.blobs.link(id)?),
            Form::Submodule => FileKind::Submodule(commit_id(id)),
        })
    }
}
