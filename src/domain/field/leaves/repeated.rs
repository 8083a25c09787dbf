//! Keys that stand more than once in one mapping: the parser takes them, and most that read the file do not.

use std::collections::HashSet;

use granit_parser::ScalarStyle;

use super::node::{Node, parse};
use super::yaml::MAX_EMBEDDING;

/// The first key of a text that stands more than once in one mapping, and does not so as often in the text before; with the keys around it.
pub(in super::super) fn repeated_since(before: &str, text: &str) -> Option<String> {
    repeated_beyond(&repeated(before), text)
}

/// The first key of a text that stands more than once in one mapping, and that is not among those that are known to.
pub(in super::super) fn repeated_beyond(known: &[String], text: &str) -> Option<String> {
    let mut known: Vec<&String> = known.iter().collect();
    repeated(text).into_iter().find(|key| {
        let at = known.iter().position(|known| *known == key);
        at.map(|at| known.swap_remove(at)).is_none()
    })
}

/// The keys of a text that stand more than once in one mapping, each with the keys around it, and as often as it stands there again.
/// None where it is no YAML.
pub(in super::super) fn repeated(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    in_text(text, "", 0, &mut found);
    found
}

fn in_text(text: &str, around: &str, embedding: usize, found: &mut Vec<String>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for document in parse(text, 0).unwrap_or_default() {
        in_node(&document, around, embedding, found);
    }
}

fn in_node(node: &Node, around: &str, embedding: usize, found: &mut Vec<String>) {
    match node {
        Node::Map(entries) => {
            let mut seen = HashSet::new();
            for (key, child) in entries {
                let address = if around.is_empty() { key.clone() } else { format!("{around}.{key}") };
                in_node(child, &address, embedding, found);
                if !seen.insert(key) {
                    found.push(address);
                }
            }
        }
        Node::List(items) => items.iter().for_each(|item| in_node(item, around, embedding, found)),
        Node::Named(node) => in_node(node, around, embedding, found),
        Node::Scalar { value, style: ScalarStyle::Literal | ScalarStyle::Folded, .. }
            if embedding < MAX_EMBEDDING =>
        {
            in_text(value, around, embedding + 1, found);
        }
        // What an alias stands for is looked at where it stands.
        Node::Scalar { .. } | Node::Alias(..) | Node::Other => {}
    }
}
