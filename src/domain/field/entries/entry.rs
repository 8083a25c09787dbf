//! One entry of a file, and values that can stand anywhere in one.

use super::super::leaves::Text;

/// One entry of a file.
pub(super) struct Entry {
    pub(super) captured: Vec<(String, String)>,
    pub(super) address: String,
    pub(super) leaves: Vec<usize>,
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
