//! What a file is made of: its scalars or, where it has no structure that is known, its lines.

use std::ops::Range;

use super::lines::Lines;
use super::{outline, yaml};

/// What a [`Leaf`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafKind {
    /// A scalar: all of it is the value.
    Scalar,
    /// A line: some of its words may be values.
    Line,
}

/// A scalar or a line, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What it is.
    pub kind: LeafKind,
    /// Where it is in the structure, for people and for finding it again.
    pub address: String,
    /// The key that it stands under (that of the list for a list's items); empty at the top.
    pub key: String,
    /// The value of `name:` beside it.
    pub named: Option<String>,
    /// What a version here is a version of: the repository, chart and the like beside it.
    pub source: Option<String>,
    /// Its bytes in the file, quotes included.
    pub span: Range<usize>,
    /// Its value, unquoted.
    pub value: String,
    /// Whether the address finds it again. A mere place in a list does not, once the list has changed.
    pub sure: bool,
}

impl Leaf {
    /// The leaf of a text that stands inside a scalar.
    pub(super) fn within(self, address: &str, offset: usize, sure: bool) -> Self {
        Self {
            address: format!("{address} > {}", self.address),
            span: self.span.start + offset..self.span.end + offset,
            sure: self.sure && sure,
            ..self
        }
    }
}

/// A text with its leaves and lines.
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) lines: Lines<'t>,
    pub(super) leaves: Vec<Leaf>,
    /// The leaves by address, and by place for the same address.
    by_address: Vec<usize>,
}

impl<'t> Text<'t> {
    fn new(text: &'t str, leaves: Vec<Leaf>) -> Self {
        let mut by_address: Vec<usize> = (0..leaves.len()).collect();
        let address = |index: &usize| leaves.get(*index).map_or("", |leaf| leaf.address.as_str());
        by_address.sort_by(|a, b| address(a).cmp(address(b)).then(a.cmp(b)));
        Self { text, lines: Lines::new(text), leaves, by_address }
    }

    pub(super) fn get(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or("")
    }

    pub(super) fn address(&self, leaf: usize) -> &str {
        self.leaves.get(leaf).map_or("", |leaf| leaf.address.as_str())
    }

    /// The leaves at an address, in their order.
    pub(super) fn at(&self, address: &str) -> &[usize] {
        let start = self.by_address.partition_point(|leaf| self.address(*leaf) < address);
        let end = self.by_address.partition_point(|leaf| self.address(*leaf) <= address);
        self.by_address.get(start..end).unwrap_or(&[])
    }

    /// The runs of leaves with one address.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &[usize]> {
        self.by_address.chunk_by(|a, b| self.address(*a) == self.address(*b))
    }

    /// The line that a leaf begins on.
    pub(super) fn line_of(&self, span: &Range<usize>) -> usize {
        self.lines.at(span.start)
    }
}

/// Reads versions of one file: as YAML where all of them are, and as lines otherwise. That a text can be parsed proves
/// little; a parse that finds no structure counts for nothing.
pub(super) fn read<const N: usize>(texts: [&str; N]) -> [Text<'_>; N] {
    let structured = |leaves: &Vec<Leaf>| leaves.iter().any(|leaf| !leaf.key.is_empty());
    let parsed: Vec<Vec<Leaf>> =
        texts.iter().map_while(|text| yaml::leaves(text).filter(structured)).collect();
    if parsed.len() == N {
        let mut parsed = parsed.into_iter();
        return texts.map(|text| Text::new(text, parsed.next().unwrap_or_default()));
    }
    texts.map(|text| Text::new(text, outline::leaves(text)))
}
