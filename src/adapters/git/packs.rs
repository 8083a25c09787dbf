//! Reading trees from packs. A tree is stored as the difference to a neighbour in history, so that one that was just read
//! is most of the next. libgit2 forgets all of them whenever it has kept 16 MiB, and then works through whole chains of
//! differences for each of some wide directories in turn; here the lately used ones stay.
//!
//! What is not found here, or is not as it should be, is left to libgit2. Format: <https://git-scm.com/docs/gitformat-pack>.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::{Decompress, FlushDecompress, Status};
use git2::{Oid, Repository};

use super::kept::Kept;

/// How many bytes of trees are kept as bases of others.
const KEPT_BYTES: usize = 16 << 20;
/// The largest tree that is read here.
const MAX_BYTES: usize = 64 << 20;
/// The most packs that are opened, the largest first: each takes two of the process's open files.
const MAX_PACKS: usize = 32;
/// The longest chain of differences; Git's own limit.
const MAX_CHAIN: usize = 4_095;
/// How much of a pack is read at a time.
const CHUNK: usize = 4_096;
/// The bytes of an id.
const ID: usize = 20;
/// How many ids of an index are read at a time. Of 10,000 evenly spread ones each lies within 256 of where it should be, nearly
/// always: the standard deviation is half the square root of their number.
const IDS_AT_ONCE: usize = 512;
/// Where the ids begin in an index: behind the magic number, the version, and 256 counts.
const IDS: u64 = 8 + 256 * 4;

/// The packs of a repository, as they were at the beginning.
pub(super) struct Packs {
    packs: Vec<Pack>,
    /// By pack and offset.
    kept: Kept<(usize, u64), Rc<Vec<u8>>>,
}

struct Pack {
    index: File,
    pack: File,
    /// How many objects have an id whose first byte is at most this.
    counts: Vec<u64>,
    /// Made when the first object is read: of many packs most are only asked what they hold, and each takes 47 KB.
    inflate: RefCell<Option<Decompress>>,
}

/// One stored object.
struct Stored {
    what: What,
    /// A tree, or a difference.
    bytes: Vec<u8>,
}

enum What {
    Tree,
    /// The difference to what is at that offset.
    Delta(u64),
}

/// The ids of a pack's objects, from its index. None where that is no index of version 2.
pub(super) fn ids_of(index: &Path) -> Option<Vec<Oid>> {
    let pack = Pack::open(index)?;
    // A broken index may count more than it holds.
    pack.index.metadata().ok().filter(|about| about.len() >= IDS + pack.count() * 24)?;
    let mut ids = vec![[0; ID]; usize::try_from(pack.count()).ok()?];
    pack.index.read_exact_at(ids.as_flattened_mut(), IDS).ok()?;
    ids.iter().map(|id| Oid::from_bytes(id).ok()).collect()
}

impl Packs {
    pub(super) fn of(repository: &Repository) -> Self {
        let directory = repository.commondir().join("objects/pack");
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let indices = entries.map(|entry| entry.path());
        let indices = indices.filter(|path| path.extension().is_some_and(|extension| extension == "idx"));
        let mut indices: Vec<(u64, PathBuf)> =
            indices.filter_map(|path| Some((path.metadata().ok()?.len(), path))).collect();
        // Most of the history is in the largest.
        indices.sort_by(|a, b| b.cmp(a));
        let packs = indices.iter().take(MAX_PACKS).filter_map(|(_, path)| Pack::open(path)).collect();
        Self { packs, kept: Kept::new(KEPT_BYTES) }
    }

    /// A tree's bytes.
    pub(super) fn tree(&mut self, id: Oid) -> Option<Rc<Vec<u8>>> {
        let found = |(number, pack): (usize, &Pack)| Some((number, pack.find(id.as_bytes())?));
        let (number, offset) = self.packs.iter().enumerate().find_map(found)?;
        self.unpack(number, offset)
    }

    fn unpack(&mut self, number: usize, offset: u64) -> Option<Rc<Vec<u8>>> {
        let pack = self.packs.get(number)?;
        let mut deltas = Vec::new();
        let mut at = offset;
        // Down to something whole, and up again.
        let mut bytes = loop {
            if let Some(known) = self.kept.find((number, at)) {
                break known;
            }
            let stored = pack.stored(at)?;
            match stored.what {
                What::Tree => {
                    let bytes: Rc<Vec<u8>> = Rc::new(stored.bytes);
                    self.kept.keep((number, at), Rc::clone(&bytes), bytes.len());
                    break bytes;
                }
                What::Delta(base) => {
                    deltas.push((at, stored.bytes));
                    at = base;
                }
            }
            if deltas.len() > MAX_CHAIN {
                return None;
            }
        };
        for (at, delta) in deltas.into_iter().rev() {
            bytes = Rc::new(apply(&bytes, &delta)?);
            self.kept.keep((number, at), Rc::clone(&bytes), bytes.len());
        }
        Some(bytes)
    }
}

impl Pack {
    /// Opens the pack of an index of version 2.
    fn open(index: &Path) -> Option<Self> {
        let (index, pack) = (File::open(index).ok()?, File::open(index.with_extension("pack")).ok()?);
        let mut head = [0; 8 + 256 * 4];
        index.read_exact_at(&mut head, 0).ok()?;
        let (magic, counts) = head.split_at_checked(8)?;
        let counts: Vec<u64> =
            counts.as_chunks().0.iter().map(|c| u64::from(u32::from_be_bytes(*c))).collect();
        let inflate = RefCell::new(None);
        (magic == b"\xfftOc\0\0\0\x02" && counts.is_sorted()).then_some(Self { index, pack, counts, inflate })
    }

    fn count(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Where the object is in the pack.
    fn find(&self, id: &[u8]) -> Option<u64> {
        let first = usize::from(*id.first()?);
        let from = first.checked_sub(1).and_then(|below| self.counts.get(below)).copied().unwrap_or(0);
        let place = self.place(id, from, *self.counts.get(first)?)?;
        // Behind the ids are four bytes of checksum for each, and then the offsets.
        let offsets = IDS + self.count() * 24;
        let mut offset = [0; 4];
        let at = offsets + place * 4;
        self.index.read_exact_at(&mut offset, at).ok()?;
        let offset = u32::from_be_bytes(offset);
        if offset >> 31 == 0 {
            return Some(u64::from(offset));
        }
        // In a large pack it is the place of an offset of eight bytes.
        let mut long = [0; 8];
        let place = u64::from(offset & 0x7fff_ffff);
        self.index.read_exact_at(&mut long, offsets + self.count() * 4 + place * 8).ok()?;
        Some(u64::from_be_bytes(long))
    }

    /// The place of an id in the index, where it is between these two. The ids are sorted, and spread evenly: the first look is
    /// where it should be, and most often finds it. After that each look halves what is left.
    fn place(&self, id: &[u8], mut low: u64, mut high: u64) -> Option<u64> {
        let part = u64::from(u32::from_be_bytes(*id.get(1..)?.first_chunk()?));
        let mut guess = low + (high.checked_sub(low)?.checked_mul(part)? >> 32);
        let mut ids = [[0; ID]; IDS_AT_ONCE];
        while low < high {
            let many = usize::try_from(high - low).unwrap_or(usize::MAX).min(IDS_AT_ONCE);
            let (ids, length) = (ids.get_mut(..many)?, u64::try_from(many).ok()?);
            let start = guess.saturating_sub(length / 2).clamp(low, high - length);
            self.index.read_exact_at(ids.as_flattened_mut(), IDS + start * 20).ok()?;
            if id < ids.first()?.as_slice() {
                high = start;
            } else if id > ids.last()?.as_slice() {
                low = start + length;
            } else {
                let found = ids.binary_search_by(|other| other.as_slice().cmp(id)).ok()?;
                return Some(start + u64::try_from(found).ok()?);
            }
            guess = low + (high - low) / 2;
        }
        None
    }

    /// The tree or the difference at an offset.
    fn stored(&self, offset: u64) -> Option<Stored> {
        let mut chunk = [0; CHUNK];
        let filled = self.pack.read_at(&mut chunk, offset).ok()?;
        let mut bytes = chunk.get(..filled)?.iter().copied();
        let mut byte = bytes.next()?;
        let kind = (byte >> 4) & 7;
        let mut size = usize::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            byte = bytes.next()?;
            size |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 32)?;
            shift += 7;
        }
        let what = match kind {
            2 => What::Tree,
            6 => {
                let mut byte = bytes.next()?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = bytes.next()?;
                    back = back.checked_add(1)?.checked_mul(128)? | u64::from(byte & 0x7f);
                }
                What::Delta(offset.checked_sub(back).filter(|base| *base < offset)?)
            }
            7 => {
                let id: Vec<u8> = bytes.by_ref().take(ID).collect();
                What::Delta(self.find(&id)?)
            }
            _ => return None,
        };
        let start = filled.checked_sub(bytes.len())?;
        let bytes = self.inflate(offset, &chunk, start, filled, size)?;
        Some(Stored { what, bytes })
    }

    /// Inflates an object of this size, whose beginning is between `start` and `filled` of the chunk read at `offset`.
    fn inflate(
        &self,
        offset: u64,
        chunk: &[u8],
        start: usize,
        filled: usize,
        size: usize,
    ) -> Option<Vec<u8>> {
        if size > MAX_BYTES {
            return None;
        }
        let mut inflate = self.inflate.borrow_mut();
        let inflate = inflate.get_or_insert_with(|| Decompress::new(true));
        inflate.reset(true);
        // One more, so that there is room left when the end and its checksum are read.
        let mut out = Vec::with_capacity(size + 1);
        let mut next = offset + u64::try_from(filled).ok()?;
        let mut more = [0; CHUNK];
        let mut input = chunk.get(start..filled)?;
        loop {
            let (read, had) = (inflate.total_in(), out.len());
            let status = inflate.decompress_vec(input, &mut out, FlushDecompress::None).ok()?;
            if status == Status::StreamEnd {
                return (out.len() == size).then_some(out);
            }
            let read = usize::try_from(inflate.total_in() - read).ok()?;
            input = input.get(read..)?;
            if input.is_empty() {
                let filled = self.pack.read_at(&mut more, next).ok().filter(|filled| *filled > 0)?;
                next += u64::try_from(filled).ok()?;
                input = more.get(..filled)?;
            } else if read == 0 && out.len() == had {
                return None;
            }
        }
    }
}

/// What the difference makes of its base.
fn apply(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut rest = delta;
    if length(&mut rest)? != base.len() {
        return None;
    }
    let size = length(&mut rest).filter(|size| *size <= MAX_BYTES)?;
    let mut out = Vec::with_capacity(size);
    while let Some((op, after)) = rest.split_first() {
        rest = after;
        let piece = if op & 0x80 != 0 {
            let from = number(*op, 4, &mut rest)?;
            let many = number(op >> 4, 3, &mut rest)?;
            base.get(from..from.checked_add(if many == 0 { 0x1_0000 } else { many })?)?
        } else {
            let (new, after) = rest.split_at_checked(usize::from(*op)).filter(|_| *op != 0)?;
            rest = after;
            new
        };
        if out.len() + piece.len() > size {
            return None;
        }
        out.extend_from_slice(piece);
    }
    (out.len() == size).then_some(out)
}

/// A length, seven bits a byte, the lowest first.
fn length(rest: &mut &[u8]) -> Option<usize> {
    let (mut length, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 32)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
}

/// A number of up to `bytes` bytes, the lowest first: those that are not 0, by the bits of `which`.
fn number(which: u8, bytes: u32, rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for place in (0..bytes).filter(|place| which >> place & 1 == 1) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= usize::from(*byte) << (8 * place);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use git2::{ObjectType, Signature};

    use super::*;

    /// A repository with one pack of the trees of some commits, with its trees.
    fn packed(directory: &Path) -> (Repository, Vec<Oid>) {
        let repository = Repository::init_bare(directory).unwrap();
        let mut trees = Vec::new();
        let mut names = Vec::new();
        for number in 0..60_u32 {
            names.push(format!("f{:04}", number.wrapping_mul(2_654_435_761) % 9_973));
            let mut builder = repository.treebuilder(None).unwrap();
            for name in &names {
                let blob = repository.blob(format!("{name} {}", number / 7).as_bytes()).unwrap();
                builder.insert(name, blob, 0o100_644).unwrap();
            }
            trees.push(builder.write().unwrap());
        }
        let mut builder = repository.packbuilder().unwrap();
        for tree in &trees {
            builder.insert_object(*tree, None).unwrap();
        }
        let by = Signature::now("a", "a@b").unwrap();
        let tree = repository.find_tree(trees[0]).unwrap();
        let commit = repository.commit(None, &by, &by, "x", &tree, &[]).unwrap();
        builder.insert_commit(commit).unwrap();
        builder.write(&directory.join("objects/pack"), 0o600).unwrap();
        drop(tree);
        drop(builder);
        (repository, trees)
    }

    #[test]
    fn trees_are_what_libgit2_reads() {
        let directory = tempfile::tempdir().unwrap();
        let (repository, trees) = packed(directory.path());
        let odb = repository.odb().unwrap();
        let mut packs = Packs::of(&repository);
        assert_eq!(packs.packs.len(), 1);
        let mut deltas = 0;
        for tree in &trees {
            let offset = packs.packs[0].find(tree.as_bytes()).unwrap();
            deltas += usize::from(matches!(packs.packs[0].stored(offset).unwrap().what, What::Delta(_)));
            assert_eq!(packs.tree(*tree).unwrap().as_ref(), odb.read(*tree).unwrap().data());
        }
        assert!(deltas > 10, "only {deltas} differences: the test shows less than it says");
        // A blob is none, and neither is what is not there.
        let blob = Oid::hash_object(ObjectType::Blob, b"f0000 0").unwrap();
        assert_eq!(packs.tree(blob), None);
        assert_eq!(packs.tree(Oid::ZERO_SHA1), None);
    }

    #[test]
    fn every_object_of_a_large_index_is_found_however_the_ids_are_spread() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pack-1.idx");
        std::fs::write(path.with_extension("pack"), "").unwrap();
        let mut random = fastrand::Rng::with_seed(3);
        // Evenly, all behind one value, and all before another.
        for second in [0..=255, 0..=0, 255..=255] {
            let mut ids: Vec<[u8; ID]> = std::iter::repeat_with(|| {
                let mut id = [0; ID];
                random.fill(&mut id);
                (id[0], id[1]) = (5 + random.u8(0..2), random.u8(second.clone()));
                id
            })
            .take(6_000)
            .collect();
            ids.sort_unstable();
            let count = |first: u8| ids.iter().filter(|id| id[0] <= first).count();
            let mut index = b"\xfftOc\0\0\0\x02".to_vec();
            index.extend((0..=255).flat_map(|first| u32::try_from(count(first)).unwrap().to_be_bytes()));
            index.extend(ids.as_flattened());
            index.extend(vec![0; 4 * ids.len()]);
            index.extend((0..6_000_u32).flat_map(u32::to_be_bytes));
            std::fs::write(&path, index).unwrap();
            let pack = Pack::open(&path).unwrap();
            for (place, id) in (0..).zip(&ids) {
                assert_eq!(pack.find(id), Some(place));
                let mut other = *id;
                other[19] ^= 1;
                assert_eq!(pack.find(&other), None);
            }
            assert_eq!((pack.find(&[4; ID]), pack.find(&[5; ID]), pack.find(&[7; ID])), (None, None, None));
        }
    }

    #[test]
    fn a_damaged_pack_gives_nothing_or_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let (repository, trees) = packed(directory.path());
        let odb = repository.odb().unwrap();
        let truth: Vec<Vec<u8>> = trees.iter().map(|id| odb.read(*id).unwrap().data().to_vec()).collect();
        let files = std::fs::read_dir(directory.path().join("objects/pack")).unwrap().flatten();
        let pack = files.map(|file| file.path()).find(|path| path.extension().unwrap() == "pack").unwrap();
        let sound = std::fs::read(&pack).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..300 {
            let mut bytes = sound.clone();
            if round % 3 == 0 {
                bytes.truncate(random.usize(..bytes.len()));
            } else {
                let at = random.usize(..bytes.len());
                bytes[at] ^= 1 << random.u8(..8);
            }
            std::fs::remove_file(&pack).unwrap();
            std::fs::write(&pack, bytes).unwrap();
            let mut packs = Packs::of(&repository);
            for (id, truth) in trees.iter().zip(&truth) {
                // A changed header can make it another object, whose differences then do not fit.
                if let Some(bytes) = packs.tree(*id) {
                    assert!(bytes.as_ref() == truth.as_slice() || round % 3 != 0, "{id}");
                }
            }
        }
    }
}
