//! Entries of a file that are empty as a whole: `api: {}`. No scalar stands in one, and yet it is there.

use super::super::leaves::leaf::Leaf;
use super::super::leaves::{Document, read};
use super::pattern::EntryPattern;

/// How a mapping is written that is empty, and a value of the same length that stands for it.
const EMPTY: &str = "{}";
const STAND_IN: &str = "~ ";

/// The document with a leaf for each entry that is empty as a whole. None where there is none.
pub(super) fn with_empty_entries(pattern: &EntryPattern, document: &Document) -> Option<Document> {
    let text = document.text();
    if !document.is_yaml() || !text.contains(EMPTY) {
        return None;
    }
    let filled = Document::from(text.replace(EMPTY, STAND_IN).as_str());
    if !filled.is_yaml() {
        return None;
    }
    let [read] = read([&filled]);
    let is_empty = |leaf: &&Leaf| {
        leaf.brought.is_none()
            && text.get(leaf.span.start..leaf.span.start + EMPTY.len()) == Some(EMPTY)
            && pattern.captures(&leaf.address).is_some_and(|(_, end)| end == leaf.address.len())
    };
    let empty = |leaf: &Leaf| Leaf {
        span: leaf.span.start..leaf.span.start + EMPTY.len(),
        value: EMPTY.to_owned(),
        ..leaf.clone()
    };
    let found: Vec<Leaf> = read.leaves.iter().filter(is_empty).map(empty).collect();
    if found.is_empty() { None } else { document.with_more(found) }
}
