//! Comparing trees in the object database. Equal subtrees are skipped by their ids and equal bytes by comparing
//! memory, so that a change in a wide directory costs little more than reading that directory; libgit2's own diff
//! takes hundreds of times longer there. Directories that hold nothing of what is asked for are not read at all.

use std::cmp::Ordering;
use std::rc::Rc;

use git2::{ObjectType, Odb, Oid};
use memchr::memchr;

use super::fault::Fault;
use super::kept::Kept;
use super::packs::Packs;
use crate::domain::history::scope::{Interest, Scope};
use crate::domain::ids::{BlobId, FilePath};

/// The deepest nesting of directories that is followed.
const MAX_DEPTH: usize = 128;
/// The bytes of an id.
const ID: usize = 20;
/// How many bytes of trees are kept for the next comparison.
const KEPT_BYTES: usize = 4 << 20;

/// A path whose file differs: its blob on either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathChange {
    pub(super) path: FilePath,
    pub(super) old: Option<BlobId>,
    pub(super) new: Option<BlobId>,
    /// What stood there before and stands there now, where that is more than a file that changed, came or went.
    pub(super) turned: Option<[(Form, Oid); 2]>,
    /// Whether its bytes are asked for.
    pub(super) bytes: bool,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Nothing,
    Plain,
    Executable,
    Link,
    Submodule,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A plain or executable file.
    File,
    /// A subdirectory.
    Tree,
    /// A symbolic link or a submodule.
    Other,
}

/// One entry of a tree object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The mode's octal digits, as they are written.
    mode: &'a [u8],
    pub(super) name: &'a [u8],
    id: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads the first entry; returns it and the bytes after it. `None` at the end.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Fault> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let broken = || Fault::Damaged("a tree object is broken".to_owned());
        let space = memchr(b' ', bytes).ok_or_else(broken)?;
        let (mode, rest) = (bytes.get(..space), bytes.get(space + 1..).unwrap_or(&[]));
        let nul = memchr(0, rest).ok_or_else(broken)?;
        let (name, id, rest) = (rest.get(..nul), rest.get(nul + 1..nul + 1 + ID), rest.get(nul + 1 + ID..));
        match (mode, name, id, rest) {
            (Some(mode), Some(name), Some(id), Some(rest)) => Ok(Some((Self { mode, name, id }, rest))),
            _ => Err(broken()),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.mode {
            b"40000" | b"040000" => Kind::Tree,
            mode if mode.starts_with(b"100") => Kind::File,
            _ => Kind::Other,
        }
    }

    fn form(&self) -> Form {
        match self.mode {
            b"100755" => Form::Executable,
            b"120000" => Form::Link,
            b"160000" => Form::Submodule,
            _ => Form::Plain,
        }
    }

    pub(super) fn oid(&self) -> Result<Oid, Fault> {
        Ok(Oid::from_bytes(self.id)?)
    }

    pub(super) fn blob(&self) -> Result<BlobId, Fault> {
        let bytes: [u8; 20] =
            self.id.try_into().map_err(|_length| Fault::Damaged("a tree object is broken".to_owned()))?;
        Ok(BlobId::from_bytes(bytes))
    }

    /// Git's order: by name, with a slash after a directory's.
    fn order(&self, other: &Self) -> Ordering {
        let slash = |entry: &Self| (entry.kind() == Kind::Tree).then_some(b'/');
        self.name.iter().copied().chain(slash(self)).cmp(other.name.iter().copied().chain(slash(other)))
    }
}

/// Compares trees of one repository, keeping what it has read for the next comparison.
pub(super) struct TreeDiff<'a> {
    odb: &'a Odb<'a>,
    packs: Packs,
    kept: Kept<Oid, Rc<Vec<u8>>>,
    scope: &'a dyn Scope,
    /// The most paths that one comparison lists.
    limit: usize,
}

struct Found {
    changes: Vec<PathChange>,
    truncated: bool,
}

impl<'a> TreeDiff<'a> {
    pub(super) fn new(odb: &'a Odb<'a>, packs: Packs, scope: &'a dyn Scope, limit: usize) -> Self {
        Self { odb, packs, kept: Kept::new(KEPT_BYTES), scope, limit }
    }

    /// The files in the scope that differ between two trees in path order, and whether there were more than the limit.
    pub(super) fn compare(
        &mut self,
        old: Option<Oid>,
        new: Option<Oid>,
    ) -> Result<(Vec<PathChange>, bool), Fault> {
        let mut found = Found { changes: Vec::new(), truncated: false };
        let mut path = String::new();
        self.trees(old, new, &mut path, 0, &mut found)?;
        // Git's order of entries is the order of whole paths, so that nothing is left to sort.
        Ok((found.changes, found.truncated))
    }

    fn read(&mut self, id: Option<Oid>) -> Result<Rc<Vec<u8>>, Fault> {
        let Some(id) = id else { return Ok(Rc::default()) };
        if let Some(bytes) = self.kept.find(id) {
            return Ok(bytes);
        }
        let bytes = match self.packs.tree(id) {
            Some(bytes) => bytes,
            None => {
                let object = self.odb.read(id)?;
                if object.kind() != ObjectType::Tree {
                    return Err(Fault::Damaged(format!("{id} is not a tree")));
                }
                Rc::new(object.data().to_vec())
            }
        };
        self.kept.keep(id, Rc::clone(&bytes), bytes.len());
        Ok(bytes)
    }

    fn trees(
        &mut self,
        old: Option<Oid>,
        new: Option<Oid>,
        path: &mut String,
        depth: usize,
        found: &mut Found,
    ) -> Result<(), Fault> {
        if old == new || found.truncated {
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(Fault::broken(format!("directories are nested deeper than {MAX_DEPTH} at {path:?}")));
        }
        let (old, new) = (self.read(old)?, self.read(new)?);
        let (mut left, mut right): (&[u8], &[u8]) = (&old, &new);
        loop {
            let equal = equal_entries(left, right)?;
            left = left.get(equal..).unwrap_or(&[]);
            right = right.get(equal..).unwrap_or(&[]);
            let order = match (Entry::first(left)?, Entry::first(right)?) {
                (None, None) => return Ok(()),
                (Some((l, l_rest)), Some((r, r_rest))) => match l.order(&r) {
                    Ordering::Equal => {
                        (left, right) = (l_rest, r_rest);
                        (Some(l), Some(r))
                    }
                    Ordering::Less => {
                        left = l_rest;
                        (Some(l), None)
                    }
                    Ordering::Greater => {
                        right = r_rest;
                        (None, Some(r))
                    }
                },
                (Some((l, rest)), None) => {
                    left = rest;
                    (Some(l), None)
                }
                (None, Some((r, rest))) => {
                    right = rest;
                    (None, Some(r))
                }
            };
            self.entries(order.0, order.1, path, depth, found)?;
        }
    }

    /// Two entries of the same name and of one kind (tree or not), or one alone.
    fn entries(
        &mut self,
        old: Option<Entry<'_>>,
        new: Option<Entry<'_>>,
        path: &mut String,
        depth: usize,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let name = old.or(new).map_or(&[][..], |entry| entry.name);
        let Ok(name) = std::str::from_utf8(name) else { return Ok(()) };
        let length = path.len();
        if length > 0 {
            path.push('/');
        }
        path.push_str(name);
        let (old_tree, new_tree) = (of_kind(old, Kind::Tree), of_kind(new, Kind::Tree));
        if old_tree.is_some() || new_tree.is_some() {
            if !self.scope.directory(path) {
                path.truncate(length);
                return Ok(());
            }
            let id = |entry: Option<Entry<'_>>| entry.map(|entry| entry.oid()).transpose();
            self.trees(id(old_tree)?, id(new_tree)?, path, depth + 1, found)?;
        } else {
            let form = |entry: Option<Entry<'_>>| match entry {
                Some(entry) => Ok::<_, Fault>((entry.form(), entry.oid()?)),
                None => Ok((Form::Nothing, Oid::ZERO_SHA1)),
            };
            let turned = Some([form(old)?, form(new)?]).filter(|[old, new]| is_more([old.0, new.0]));
            let blob = |entry: Option<Entry<'_>>| entry.map(|entry| entry.blob()).transpose();
            let (old, new) = (blob(of_kind(old, Kind::File))?, blob(of_kind(new, Kind::File))?);
            let wanted = self.scope.file(path);
            if (old.is_some() || new.is_some() || turned.is_some())
                && wanted != Interest::Nothing
                && let Ok(path) = FilePath::new(path.as_str())
            {
                found.truncated = found.changes.len() >= self.limit;
                if !found.truncated {
                    found.changes.push(PathChange {
                        path,
                        old,
                        new,
                        turned,
                        bytes: wanted == Interest::Bytes,
                    });
                }
            }
        }
        path.truncate(length);
        Ok(())
    }
}

/// Whether what stood at a path and stands there now says more than the bytes of a file do.
fn is_more(forms: [Form; 2]) -> bool {
    match forms {
        // A file that came goes again as it came. One that went would come back without its mode.
        [Form::Plain, Form::Plain | Form::Nothing]
        | [Form::Executable, Form::Executable]
        | [Form::Nothing, Form::Plain | Form::Executable | Form::Nothing] => false,
        [Form::Plain | Form::Executable | Form::Link | Form::Submodule | Form::Nothing, _] => true,
    }
}

fn of_kind(entry: Option<Entry<'_>>, kind: Kind) -> Option<Entry<'_>> {
    entry.filter(|entry| entry.kind() == kind)
}

/// How many bytes at the beginning are whole entries that are equal in both.
fn equal_entries(left: &[u8], right: &[u8]) -> Result<usize, Fault> {
    let equal = equal_bytes(left, right);
    if equal == left.len() && equal == right.len() {
        return Ok(equal);
    }
    // An entry ends with a zero byte and an id, and there is no zero byte before. An id may hold any byte: so the ends can only
    // be found from the beginning.
    let mut whole = 0;
    while let Some(zero) = memchr(0, left.get(whole..).unwrap_or(&[])) {
        let end = whole + zero + 1 + ID;
        if end > equal {
            break;
        }
        whole = end;
    }
    Ok(whole)
}

/// How many bytes at the beginning are equal in both.
fn equal_bytes(left: &[u8], right: &[u8]) -> usize {
    let mut equal = 0;
    for block in [4_096, 64, 1] {
        let rest = (left.get(equal..).unwrap_or(&[]), right.get(equal..).unwrap_or(&[]));
        let blocks = rest.0.chunks_exact(block).zip(rest.1.chunks_exact(block));
        equal += blocks.take_while(|(l, r)| l == r).count() * block;
    }
    equal
}
