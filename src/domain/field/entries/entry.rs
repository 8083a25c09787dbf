//! One entry of a file, and values that can stand anywhere in one.

use std::collections::HashMap;

use super::super::leaves::Text;
use super::pattern::{Captures, EntryPattern};

/// One entry of a file.
pub(super) struct Entry {
    pub(super) captured: Captures,
    pub(super) address: String,
    pub(super) leaves: Vec<usize>,
}

/// An entry before, and the same after.
pub(super) type Pair<'e> = (&'e Entry, &'e Entry);

/// What a service had before, and what it has after.
pub(super) struct Parts<'e> {
    pub(super) before: &'e [&'e Entry],
    pub(super) after: &'e [&'e Entry],
    /// What it had before and has after at the same place.
    pub(super) pairs: Vec<Pair<'e>>,
}

impl Parts<'_> {
    /// Whether nothing of the service came or went.
    pub(super) fn are_paired(&self) -> bool {
        self.pairs.len() == self.before.len() && self.pairs.len() == self.after.len()
    }
}

/// The entries of a text, in their order.
pub(super) fn entries(pattern: &EntryPattern, text: &Text<'_>) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut places: HashMap<(&str, Captures), usize> = HashMap::new();
    for (index, leaf) in text.leaves.iter().enumerate() {
        let Some((captured, end)) = pattern.captures(&leaf.address) else { continue };
        let address = leaf.address.get(..end).unwrap_or("");
        let place = *places.entry((address, captured.clone())).or_insert(found.len());
        match found.get_mut(place) {
            Some(entry) => entry.leaves.push(index),
            None => found.push(Entry { captured, address: address.to_owned(), leaves: vec![index] }),
        }
    }
    found
}

/// Whether a value reads the same wherever a value may stand.
pub(super) fn is_simple(text: &str) -> bool {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || "._/:@+-".contains(c);
    let (text, is_quoted) = match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inside) => (inside, true),
        None => (text, false),
    };
    let ends = text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.ends_with(':');
    text.chars().all(is_simple) && (is_quoted || ends)
}

/// The source text of a leaf.
pub(super) fn leaf_text<'t>(text: &Text<'t>, leaf: usize) -> &'t str {
    text.leaves.get(leaf).map_or("", |leaf| text.get(&leaf.span))
}
