//! What every step of resolving needs: where things stand, and where mistakes go.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::report::{Findings, Place, SourceFile};
use super::tree::Node;
use super::values::Duration;

/// The longest duration that makes sense anywhere: ten years.
const MAX_SECS: u32 = 3_650 * 86_400;

/// What resolving needs at every step.
pub(super) struct Context<'a> {
    pub(super) root: &'a Node,
    pub(super) files: &'a [SourceFile],
    pub(super) environment_variables: &'a dyn Fn(&str) -> Option<String>,
    pub(super) findings: Findings,
    /// Whether nothing was left out because of mistakes. If not, what is missing is no mistake of its own.
    pub(super) complete: bool,
    /// The files that the configuration names, such as those of secrets.
    pub(super) named: RefCell<BTreeSet<PathBuf>>,
}

impl Context<'_> {
    /// A mistake that consists in something missing.
    pub(super) fn missing(&mut self, place: Place, message: impl Into<String>) {
        if self.complete {
            self.findings.add(place, message);
        }
    }

    /// The node at a path of keys.
    pub(super) fn node(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self.root, |node, key| node.get(key))
    }

    /// Where the value at a path of keys stands, or else the last key on the way to it.
    pub(super) fn place(&self, path: &[&str]) -> Place {
        self.root.place_at(path)
    }

    /// A path as the configuration means it: relative ones start at the directory of the file in which they stand.
    pub(super) fn path(&self, path: &Path, place: Place) -> PathBuf {
        let directory = self.files.get(place.file).and_then(|file| file.path.parent());
        directory.map_or_else(|| path.to_path_buf(), |directory| directory.join(path))
    }

    /// The same of a file that is read when the program begins, or again when it changes.
    pub(super) fn file(&self, path: &Path, place: Place) -> PathBuf {
        let path = self.path(path, place);
        self.named.borrow_mut().insert(path.clone());
        path
    }

    /// The file at `place`, where there is one.
    pub(super) fn optional_file(&self, path: Option<&PathBuf>, place: Place) -> Option<PathBuf> {
        path.map(|path| self.file(path, place))
    }

    /// A duration in seconds, more than zero.
    pub(super) fn seconds(&mut self, value: Option<Duration>, default: u32, place: Place) -> u32 {
        let secs = self.seconds_or_zero(value, default, place);
        if secs == 0 {
            self.findings.add(place, "must be more than zero");
        }
        secs
    }

    /// A duration in seconds that may be zero.
    pub(super) fn seconds_or_zero(&mut self, value: Option<Duration>, default: u32, place: Place) -> u32 {
        let secs = value.map_or(default, |duration| duration.0);
        if secs > MAX_SECS {
            self.findings.add(place, "must be at most ten years (3650d)");
        }
        secs
    }
}
