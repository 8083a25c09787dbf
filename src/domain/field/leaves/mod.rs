//! What a file is made of: its scalars or, where it has no structure that is known, its lines.
//!
//! [`leaf`] says what one is. [`yaml`] finds the scalars, `outline` the lines; a [`Document`] is read by one of them.

pub mod leaf;
mod node;
pub(super) mod outline;
mod repeated;
pub mod yaml;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use self::leaf::{Leaf, LeafKind};
pub(super) use self::repeated::{repeated, repeated_beyond, repeated_since};
use super::lines::{self, Lines};
use super::sections::Sections;
use super::vocabulary::stem;

/// A version of a file, which is read once however often it is compared.
#[derive(Debug)]
pub struct Document {
    bytes: Arc<[u8]>,
    /// Its text, where the bytes are UTF-16.
    wide: Option<Wide>,
    yaml: OnceLock<Option<Leaves>>,
    outline: OnceLock<Leaves>,
    lines: OnceLock<Vec<Range<usize>>>,
    sections: OnceLock<Option<Sections>>,
}

/// Whether bytes are UTF-8 text. UTF-16 without its mark would pass for it, with a zero in each letter.
fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && memchr::memchr(0, bytes).is_none()
}

/// A text that is written as UTF-16.
#[derive(Debug)]
struct Wide {
    text: String,
    little_endian: bool,
}

impl Document {
    /// `None` where the bytes are neither UTF-8 nor UTF-16 with a mark at the beginning.
    #[must_use]
    pub fn new(bytes: Arc<[u8]>) -> Option<Self> {
        let wide = if is_utf8(&bytes) { None } else { Some(Wide::of(&bytes)?) };
        Some(Self::of(bytes, wide, OnceLock::new()))
    }

    fn of(bytes: Arc<[u8]>, wide: Option<Wide>, yaml: OnceLock<Option<Leaves>>) -> Self {
        let (outline, lines, sections) = Default::default();
        Self { bytes, wide, yaml, outline, lines, sections }
    }

    /// Whether the bytes of a file can be read as text.
    #[must_use]
    pub fn is_text(bytes: &[u8]) -> bool {
        is_utf8(bytes) || Wide::of(bytes).is_some()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(super) fn text(&self) -> &str {
        match &self.wide {
            Some(wide) => &wide.text,
            None => std::str::from_utf8(&self.bytes).unwrap_or(""),
        }
    }

    /// Another text in the encoding of this one.
    pub(super) fn encoded(&self, text: &str) -> Vec<u8> {
        let Some(Wide { little_endian, .. }) = self.wide else { return text.as_bytes().to_vec() };
        let bytes = |unit: u16| if little_endian { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    /// Whether it is written otherwise than another one.
    pub(super) fn is_written_unlike(&self, other: &Self) -> bool {
        self.wide.as_ref().map(|wide| wide.little_endian)
            != other.wide.as_ref().map(|wide| wide.little_endian)
    }

    /// Its leaves as YAML. That a text can be parsed proves little; a parse that finds texts without any structure counts for nothing,
    /// unless these texts are empty.
    fn yaml(&self) -> Option<&Leaves> {
        let is_nothing = |leaf: &Leaf| matches!(leaf.value.as_str(), "" | "~" | "null");
        let structured = |leaves: &Vec<Leaf>| {
            leaves.iter().all(is_nothing) || leaves.iter().any(|leaf| !leaf.key.is_empty())
        };
        let read = || yaml::leaves(self.text()).filter(structured).map(Leaves::new);
        self.yaml.get_or_init(read).as_ref()
    }

    /// Whether it is read as YAML where all versions are.
    #[must_use]
    pub fn is_yaml(&self) -> bool {
        self.yaml().is_some()
    }

    /// The same document with more leaves of YAML: what holds none, but has to be seen.
    pub(super) fn with_more(&self, more: Vec<Leaf>) -> Option<Self> {
        let wide = self.wide.as_ref();
        let wide = wide.map(|wide| Wide { text: wide.text.clone(), little_endian: wide.little_endian });
        let leaves = self.yaml()?.leaves.iter().cloned().chain(more).collect();
        let yaml = OnceLock::from(Some(Leaves::new(leaves)));
        Some(Self::of(Arc::clone(&self.bytes), wide, yaml))
    }

    /// Its lines.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines::at_places(self.text(), self.lines.get_or_init(|| lines::ranges(self.text())))
    }

    /// What its lines alone show of it. None where they do not, or it is small.
    pub(super) fn sections(&self) -> Option<&Sections> {
        self.sections.get_or_init(|| Sections::of(&self.lines())).as_ref()
    }

    /// About how many bytes of memory it takes, with what was read of it.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let of_leaf = |leaf: &Leaf| size_of::<Leaf>() + 2 * (leaf.address.len() + leaf.value.len());
        let read = [self.yaml.get().and_then(Option::as_ref), self.outline.get()];
        let leaves: usize = read.into_iter().flatten().flat_map(|read| &read.leaves).map(of_leaf).sum();
        let lines = self.lines.get().map_or(0, Vec::len) * size_of::<Range<usize>>();
        self.bytes.len() + self.wide.as_ref().map_or(0, |wide| wide.text.len()) + leaves + lines
    }

    fn outline(&self) -> &Leaves {
        self.outline.get_or_init(|| Leaves::new(outline::leaves(self.text())))
    }
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self::of(Arc::from(text.as_bytes()), None, OnceLock::new())
    }
}

impl Wide {
    /// None where there is no mark at the beginning, or something else than UTF-16 behind it.
    fn of(bytes: &[u8]) -> Option<Self> {
        let little_endian = match bytes {
            [0xff, 0xfe, ..] => true,
            [0xfe, 0xff, ..] => false,
            _ => return None,
        };
        let (pairs, rest) = bytes.as_chunks::<2>();
        let unit = |pair: &[u8; 2]| {
            if little_endian { u16::from_le_bytes(*pair) } else { u16::from_be_bytes(*pair) }
        };
        let units: Vec<u16> = pairs.iter().map(unit).collect();
        let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty())?;
        Some(Self { text, little_endian })
    }
}

#[derive(Debug)]
struct Leaves {
    leaves: Vec<Leaf>,
    /// The leaves by address, and by place for the same address.
    by_address: Vec<usize>,
}

impl Leaves {
    fn new(leaves: Vec<Leaf>) -> Self {
        let mut by_address: Vec<usize> = (0..leaves.len()).collect();
        let address = |index: &usize| leaves.get(*index).map_or("", |leaf| leaf.address.as_str());
        by_address.sort_by(|a, b| address(a).cmp(address(b)).then(a.cmp(b)));
        Self { leaves, by_address }
    }
}

/// A text with its leaves and lines.
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) lines: Lines<'t>,
    pub(super) leaves: &'t [Leaf],
    by_address: &'t [usize],
    /// The lines that leaves stand on, and the leaves on them.
    by_line: OnceCell<(Vec<usize>, Vec<usize>)>,
    by_block: OnceCell<HashMap<String, Block>>,
    engine_charts: OnceCell<Vec<usize>>,
    /// The whole text, where this is a part of it, and the number in that of each line.
    part_of: Option<(&'t str, &'t [usize])>,
}

/// What stands in one block.
#[derive(Default)]
struct Block {
    leaves: Vec<usize>,
    by_key: HashMap<String, Vec<usize>>,
    /// The leaves that name things, by what these are about.
    things: HashMap<Vec<String>, Vec<usize>>,
}

impl<'t> Text<'t> {
    fn new(document: &'t Document, leaves: &'t Leaves) -> Self {
        let text = document.text();
        Self {
            text,
            lines: document.lines(),
            leaves: &leaves.leaves,
            by_address: &leaves.by_address,
            by_line: OnceCell::new(),
            by_block: OnceCell::new(),
            engine_charts: OnceCell::new(),
            part_of: None,
        }
    }

    /// The text that it is a part of, or itself.
    pub(super) fn whole(&self) -> &'t str {
        self.part_of.map_or(self.text, |(whole, _)| whole)
    }

    /// The number of a line for people, from 1.
    pub(super) fn number(&self, line: usize) -> usize {
        self.part_of.and_then(|(_, numbers)| numbers.get(line).copied()).unwrap_or(line) + 1
    }

    pub(super) fn get(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or("")
    }

    pub(super) fn address(&self, leaf: usize) -> &'t str {
        self.leaves.get(leaf).map_or("", |leaf| leaf.address.as_str())
    }

    /// The leaves at an address, in their order.
    pub(super) fn at(&self, address: &str) -> &'t [usize] {
        let start = self.by_address.partition_point(|leaf| self.address(*leaf) < address);
        let end = self.by_address.partition_point(|leaf| self.address(*leaf) <= address);
        self.by_address.get(start..end).unwrap_or(&[])
    }

    /// The leaves whose address begins so, by address.
    pub(super) fn under(&self, prefix: &str) -> &'t [usize] {
        let start = self.by_address.partition_point(|leaf| self.address(*leaf) < prefix);
        let rest = self.by_address.get(start..).unwrap_or(&[]);
        rest.get(..rest.partition_point(|leaf| self.address(*leaf).starts_with(prefix))).unwrap_or(&[])
    }

    /// The leaves that stand on a line, or go over it, in their order.
    pub(super) fn on_line(&self, line: usize) -> &[usize] {
        let index = || {
            let mut placed: Vec<(usize, usize)> = Vec::with_capacity(self.leaves.len());
            for (index, leaf) in self.leaves.iter().enumerate() {
                let last = self.lines.at(leaf.span.end.saturating_sub(1).max(leaf.span.start));
                placed.extend((self.line_of(&leaf.span)..=last).map(|line| (line, index)));
            }
            placed.sort_unstable();
            placed.into_iter().unzip()
        };
        let (lines, leaves) = self.by_line.get_or_init(index);
        let (start, end) =
            (lines.partition_point(|other| *other < line), lines.partition_point(|other| *other <= line));
        leaves.get(start..end).unwrap_or(&[])
    }

    /// The leaves that stand in a block themselves, and in none within it.
    pub(super) fn in_block(&self, block: &str) -> &[usize] {
        self.block(block).map_or(&[], |block| &block.leaves)
    }

    /// Those of them that stand under a key.
    pub(super) fn with_key(&self, block: &str, key: &str) -> &[usize] {
        self.block(block).and_then(|block| block.by_key.get(key)).map_or(&[], Vec::as_slice)
    }

    /// Those of them that name a thing: what a version of this stem is a version of.
    pub(super) fn things(&self, block: &str, stem: &[String]) -> &[usize] {
        self.block(block).and_then(|block| block.things.get(stem)).map_or(&[], Vec::as_slice)
    }

    /// The blocks with a leaf that says that they are from the chart of something that keeps data, looked for once.
    pub(super) fn engine_charts(&self, says: fn(&Leaf) -> bool) -> impl Iterator<Item = &'t str> {
        let found =
            || (0..self.leaves.len()).filter(|leaf| self.leaves.get(*leaf).is_some_and(says)).collect();
        self.engine_charts
            .get_or_init(found)
            .iter()
            .filter_map(|leaf| self.leaves.get(*leaf))
            .map(Leaf::block)
    }

    fn block(&self, block: &str) -> Option<&Block> {
        let index = || {
            let mut blocks: HashMap<String, Block> = HashMap::new();
            for (index, leaf) in self.leaves.iter().enumerate() {
                let block = blocks.entry(leaf.block().to_owned()).or_default();
                block.leaves.push(index);
                block.by_key.entry(leaf.key.clone()).or_default().push(index);
                if let (stem, true) = stem(&leaf.key) {
                    block.things.entry(stem).or_default().push(index);
                }
            }
            blocks
        };
        self.by_block.get_or_init(index).get(block)
    }

    /// The runs of leaves with one address.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &'t [usize]> {
        self.by_address.chunk_by(|a, b| self.address(*a) == self.address(*b))
    }

    /// The address of a leaf as people read it: a line that nothing names goes by its number.
    pub(super) fn shown(&self, leaf: &Leaf) -> String {
        let named =
            leaf.kind == LeafKind::Scalar || leaf.sure && leaf.address.contains(char::is_alphanumeric);
        if named && !leaf.address.is_empty() {
            leaf.address.clone()
        } else {
            format!("line {}", self.number(self.line_of(&leaf.span)))
        }
    }

    /// The line that a leaf begins on.
    pub(super) fn line_of(&self, span: &Range<usize>) -> usize {
        self.lines.at(span.start)
    }
}

/// Reads parts of two versions of a file. None where one of them is no YAML.
pub(super) fn read_parts<'t>(
    parts: [&'t Document; 2],
    wholes: [&'t Document; 2],
    numbers: [&'t [usize]; 2],
) -> Option<[Text<'t>; 2]> {
    let [before, after] = parts;
    if !before.is_yaml() || !after.is_yaml() {
        return None;
    }
    let [mut old, mut new] = read([before, after]);
    let [old_whole, new_whole] = wholes;
    let [old_numbers, new_numbers] = numbers;
    old.part_of = Some((old_whole.text(), old_numbers));
    new.part_of = Some((new_whole.text(), new_numbers));
    Some([old, new])
}

/// Reads versions of one file: as YAML where all of them are, and as lines otherwise.
pub(super) fn read<const N: usize>(documents: [&Document; N]) -> [Text<'_>; N] {
    if documents.iter().all(|document| document.yaml().is_some()) {
        return documents
            .map(|document| Text::new(document, document.yaml().unwrap_or_else(|| document.outline())));
    }
    documents.map(|document| Text::new(document, document.outline()))
}
