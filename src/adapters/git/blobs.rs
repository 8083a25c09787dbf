//! The bytes of files, each version read once as long as its neighbours in history are near.

use std::sync::Arc;

use git2::{ObjectType, Odb, Oid};

use super::fault::Fault;
use super::kept::Kept;
use crate::domain::history::snapshot::{FileVersion, MAX_FILE_BYTES};
use crate::domain::ids::BlobId;
use crate::domain::text::one_line;

/// How many bytes of files a walk remembers: a version is the new one of its commit, and then the old one of the next.
const NEAR_BYTES: usize = 8 << 20;
/// The most bytes of files that are read for what is held all at once. The newest commits come first.
const MAX_ALL_BYTES: usize = 1 << 30;
/// The longest path of a link that is read, in bytes: Linux follows no longer one.
const MAX_LINK: usize = 4_096;
/// What a version costs besides its bytes.
const OVERHEAD: usize = 64;

/// Reads blobs.
pub(super) struct Blobs<'a> {
    odb: &'a Odb<'a>,
    kept: Kept<BlobId, Option<Arc<[u8]>>>,
    bytes_left: usize,
}

impl<'a> Blobs<'a> {
    /// For a walk that lets go of what it has seen.
    pub(super) fn passing(odb: &'a Odb<'a>) -> Self {
        Self { odb, kept: Kept::new(NEAR_BYTES), bytes_left: usize::MAX }
    }

    /// For a history that is held: every version is there once, and there is an end to what is read.
    pub(super) fn held(odb: &'a Odb<'a>) -> Self {
        Self { odb, kept: Kept::new(usize::MAX), bytes_left: MAX_ALL_BYTES }
    }

    /// One side of a change, with its bytes where they are wanted and no more than are read.
    pub(super) fn version(
        &mut self,
        blob: Option<BlobId>,
        wanted: bool,
    ) -> Result<Option<FileVersion>, Fault> {
        let Some(blob) = blob else { return Ok(None) };
        let bytes = if wanted { self.bytes(blob)? } else { None };
        Ok(Some(FileVersion { blob, bytes }))
    }

    /// The path that a symbolic link leads to, in one line.
    pub(super) fn link(&self, id: Oid) -> Result<String, Fault> {
        let (size, _) = self.odb.read_header(id)?;
        if size > MAX_LINK {
            return Ok("a path that is too long".to_owned());
        }
        Ok(one_line(&String::from_utf8_lossy(self.odb.read(id)?.data()), MAX_LINK))
    }

    fn bytes(&mut self, id: BlobId) -> Result<Option<Arc<[u8]>>, Fault> {
        if let Some(known) = self.kept.find(id) {
            return Ok(known);
        }
        let bytes = self.read(id)?;
        self.kept.keep(id, bytes.clone(), OVERHEAD + bytes.as_ref().map_or(0, |bytes| bytes.len()));
        Ok(bytes)
    }

    fn read(&mut self, id: BlobId) -> Result<Option<Arc<[u8]>>, Fault> {
        let oid = Oid::from_bytes(id.as_bytes())?;
        // The header alone tells the size, and costs a fraction of what a large file would.
        let (size, kind) = self.odb.read_header(oid)?;
        if kind != ObjectType::Blob || size > MAX_FILE_BYTES {
            return Ok(None);
        }
        let Some(left) = self.bytes_left.checked_sub(size) else {
            tracing::warn!(blob = %id, limit = MAX_ALL_BYTES, "a file is not read: the history has too many bytes");
            return Ok(None);
        };
        self.bytes_left = left;
        Ok(Some(Arc::from(self.odb.read(oid)?.data())))
    }
}
