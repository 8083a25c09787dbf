//! Documents of YAML that go by their places: those without a kind and a name, and those of which several have the same.

use std::collections::BTreeMap;

use super::super::leaves::Text;

/// Whether an address is in a document that has no name of its own: `document 2: tag`, or `tag` in the first.
pub(super) fn is_by_place(address: &str) -> bool {
    document_of(address).is_some()
}

/// The document of an address, where that has no name of its own: empty for the first.
fn document_of(address: &str) -> Option<&str> {
    match address.split_once(": ") {
        Some((name, _)) if name.starts_with("document ") => Some(name),
        Some((name, _)) if name.contains('/') && !name.contains('[') => None,
        Some(_) | None => Some(""),
    }
}

/// Whether one of these documents has another place in the version after: one came or went before it, or it was moved.
pub(super) fn have_moved(old: &Text<'_>, new: &Text<'_>) -> bool {
    let (before, after) = (documents(old), documents(new));
    if before.len() < 2 && after.len() < 2 {
        return false;
    }
    if !before.keys().eq(after.keys()) {
        return true;
    }
    before.iter().any(|(name, content)| {
        let is_elsewhere = |(other, there): (&&str, &Vec<_>)| other != name && there == content;
        after.get(name) != Some(content) && after.iter().any(is_elsewhere)
    })
}

/// What each of these documents says.
fn documents<'t>(text: &Text<'t>) -> BTreeMap<&'t str, Vec<(&'t str, &'t str)>> {
    let mut documents: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for leaf in text.leaves {
        if let Some(name) = document_of(&leaf.address) {
            let rest = leaf.address.get(name.len()..).unwrap_or("").trim_start_matches(": ");
            documents.entry(name).or_default().push((rest, leaf.value.as_str()));
        }
    }
    documents
}
