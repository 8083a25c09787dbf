//! Scalars with their places in a text, for who writes a line beside one or puts another value in its place.

use std::collections::HashMap;
use std::ops::Range;

use super::leaves::leaf::{Leaf, LeafKind};
use super::leaves::yaml;

/// A scalar that stands in the text itself, alone at its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedScalar {
    /// Its address, as plans show it.
    pub address: String,
    /// Its value, unquoted.
    pub value: String,
    /// Its bytes in the text, quotes included.
    pub span: Range<usize>,
}

/// The scalars of a YAML or JSON text that an address finds again, in their order. Left out is what an alias brings or takes
/// elsewhere, and what stands inside of a longer text. None where it is no YAML.
#[must_use]
pub fn scalars(text: &str) -> Option<Vec<PlacedScalar>> {
    let leaves = yaml::leaves(text)?;
    let mut count: HashMap<&str, usize> = HashMap::new();
    for leaf in &leaves {
        *count.entry(leaf.address.as_str()).or_default() += 1;
    }
    let is_plain = |leaf: &&Leaf| {
        leaf.kind == LeafKind::Scalar
            && leaf.brought.is_none()
            && leaf.anchor.is_none()
            && !leaf.address.contains(" > ")
            && count.get(leaf.address.as_str()) == Some(&1)
    };
    let placed = |leaf: &Leaf| PlacedScalar {
        address: leaf.address.clone(),
        value: leaf.value.clone(),
        span: leaf.span.clone(),
    };
    Some(leaves.iter().filter(is_plain).map(placed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_their_places_and_what_has_several_is_left_out() {
        let text =
            "kind: A\nmetadata: {name: x}\nspec:\n  a: \"1\" # c\n  b: &n 2\n  c: *n\n  d: |\n    e: 3\n";
        let found = scalars(text).unwrap();
        let shown: Vec<(&str, &str, &str)> = found
            .iter()
            .map(|one| (one.address.as_str(), one.value.as_str(), &text[one.span.clone()]))
            .collect();
        assert_eq!(
            shown,
            [("A/x: kind", "A", "A"), ("A/x: metadata.name", "x", "x"), ("A/x: spec.a", "1", "\"1\"")]
        );
        assert_eq!(scalars("a: ["), None);
    }
}
