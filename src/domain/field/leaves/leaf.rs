//! A scalar or a line of a file, and where it is.

use std::ops::Range;

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
    /// How many bytes of the address are that of the block that it is in.
    pub block: usize,
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
    /// Where the `&name` before it begins, where it has one.
    pub anchor: Option<usize>,
    /// Where its value comes from, where that is another place. Then `span` is the `*name` that brings it here.
    pub brought: Option<Brought>,
}

/// How a value comes to a place by a name that YAML gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The bytes of the scalar itself.
    pub from: Range<usize>,
    /// Whether it comes with a whole mapping or list, by a merge (`<<: *name`) or by an alias of that: then nothing stands at the place
    /// itself.
    pub whole: bool,
}

impl Leaf {
    /// Whether it comes with a whole mapping or list that stands elsewhere: nothing stands at its place.
    #[must_use]
    pub fn is_within_alias(&self) -> bool {
        self.brought.as_ref().is_some_and(|brought| brought.whole)
    }

    /// Whether its value stands elsewhere, and an alias of that alone (`tag: *name`) brings it here.
    #[must_use]
    pub fn is_brought_alone(&self) -> bool {
        self.brought.as_ref().is_some_and(|brought| !brought.whole)
    }

    /// The address of the block that it is in.
    #[must_use]
    pub fn block(&self) -> &str {
        self.address.get(..self.block).unwrap_or("")
    }

    /// The leaf of a text that stands inside a scalar.
    pub(super) fn within(self, address: &str, offset: usize, sure: bool) -> Self {
        Self {
            address: format!("{address} > {}", self.address),
            block: if self.block == 0 { address.len() } else { address.len() + " > ".len() + self.block },
            span: self.span.start + offset..self.span.end + offset,
            sure: self.sure && sure,
            anchor: self.anchor.map(|at| at + offset),
            brought: self.brought.map(|brought| Brought {
                from: brought.from.start + offset..brought.from.end + offset,
                ..brought
            }),
            ..self
        }
    }
}

/// The block that an address is in: all of it up to the last key.
#[must_use]
pub fn block(address: &str) -> &str {
    if let Some(inside) = address.strip_suffix(']') {
        return inside.rfind('[').and_then(|at| address.get(..at)).unwrap_or("");
    }
    let end = [address.rfind('.'), address.rfind(" > "), address.rfind(": ")].into_iter().flatten().max();
    address.get(..end.unwrap_or(0)).unwrap_or("")
}
