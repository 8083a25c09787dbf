//! Values that entries of a file share by the names that YAML gives them: `tag: &stable v1` in one, `tag: *stable` in another.

use std::collections::HashMap;
use std::ops::Range;

use super::super::leaves::Text;
use super::super::leaves::leaf::Leaf;
use super::super::rules::{Candidate, release_field};
use super::entry::{Entry, is_simple};

/// A value that entries share, and that cannot be written out for one of them: it came with a mapping, or on several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedField {
    /// Where it is.
    pub address: String,
    /// Its value before.
    pub old: String,
    /// Its value after.
    pub new: String,
    /// Whether it is a release field.
    pub is_release: bool,
}

/// What an entry takes by a name from outside of it, and what others take from it.
#[derive(Default)]
pub(super) struct ByName {
    /// What the text after says there as if only the entry were as before: its own values are the old ones, and those of others stay.
    pub(super) edits: Vec<(Range<usize>, String)>,
    /// The values of the entry that come from outside, before or after. Their lines are not exchanged.
    pub(super) brought: Vec<Range<usize>>,
    /// What cannot be written out.
    pub(super) shared: Vec<SharedField>,
}

/// Compares an entry before and after.
pub(super) fn by_name((old, was_entry): (&Text<'_>, &Entry), (new, entry): (&Text<'_>, &Entry)) -> ByName {
    let mut found = ByName::default();
    let leaves = |text: &'_ Text<'_>, entry: &Entry| -> Vec<Leaf> {
        entry.leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)).cloned().collect()
    };
    let (then, now) = (leaves(old, was_entry), leaves(new, entry));
    let before: HashMap<&str, &Leaf> = then.iter().map(|leaf| (leaf.address.as_str(), leaf)).collect();
    for is in &now {
        let Some(was) = before.get(is.address.as_str()).copied() else { continue };
        if !is_from_outside(&then, was) && !is_from_outside(&now, is) {
            continue;
        }
        found.brought.push(is.span.clone());
        if was.value == is.value {
            continue;
        }
        match written_out(old, was).filter(|_| !is.is_within_alias()) {
            Some(text) => found.edits.push((is.span.clone(), text)),
            None => found.share(is, &was.value, &is.value),
        }
    }
    for was in then.iter().filter(|was| is_from_outside(&then, was)) {
        let is_gone = now.iter().all(|is| is.address != was.address);
        if is_gone && !is_given_still(old, was, new) {
            found.share(was, &was.value, "");
        }
    }
    for (_, leaf) in old.leaves.iter().enumerate().filter(|(index, _)| !was_entry.leaves.contains(index)) {
        let Some(from) = leaf.brought.as_ref().map(|brought| &brought.from) else { continue };
        let is_ours = then.iter().any(|own| own.brought.is_none() && own.span == *from);
        if is_ours && new.at(&leaf.address).is_empty() {
            found.share(leaf, &leaf.value, "");
        }
    }
    for (_, leaf) in new.leaves.iter().enumerate().filter(|(index, _)| !entry.leaves.contains(index)) {
        let Some(from) = leaf.brought.as_ref().map(|brought| &brought.from) else { continue };
        let Some(given) = now.iter().find(|own| own.span == *from) else { continue };
        let was = before.get(given.address.as_str()).map_or("", |was| was.value.as_str());
        if was == leaf.value {
            continue;
        }
        match written_out(new, leaf).filter(|_| !leaf.is_within_alias()) {
            Some(text) => found.edits.push((leaf.span.clone(), text)),
            None => found.share(leaf, was, &leaf.value),
        }
    }
    found
}

impl ByName {
    /// Names a value that changed for several entries at once.
    fn share(&mut self, leaf: &Leaf, old: &str, new: &str) {
        let candidate = Candidate { key: &leaf.key, named: leaf.named.as_deref(), old, new };
        let is_release = release_field(candidate).is_some();
        let (address, old, new) = (leaf.address.clone(), old.to_owned(), new.to_owned());
        self.shared.push(SharedField { address, old, new, is_release });
    }
}

/// Whether the name by which a value came still gives the same one in the version after.
fn is_given_still(old: &Text<'_>, was: &Leaf, new: &Text<'_>) -> bool {
    let Some(name) = old.get(&was.span).strip_prefix('*').filter(|_| !was.is_within_alias()) else {
        return false;
    };
    new.leaves.iter().any(|leaf| {
        let given = leaf.anchor.and_then(|at| new.text.get(at..leaf.span.start));
        let given = given.and_then(|text| text.trim().strip_prefix('&'));
        given.is_some_and(|text| text.split_whitespace().next() == Some(name)) && leaf.value == was.value
    })
}

/// Whether a value stands outside of the entry that these leaves are, and a name brings it there.
fn is_from_outside(own: &[Leaf], leaf: &Leaf) -> bool {
    let is_own = |from: &Range<usize>| own.iter().any(|own| own.brought.is_none() && own.span == *from);
    leaf.brought.as_ref().is_some_and(|brought| !is_own(&brought.from))
}

/// The value of a leaf as it can be written anywhere. None where it goes over several lines, or a tag says what it is.
fn written_out(text: &Text<'_>, leaf: &Leaf) -> Option<String> {
    let from = leaf.brought.as_ref().map_or(&leaf.span, |brought| &brought.from);
    let source = text.get(from);
    let line = text.lines.range(text.line_of(from));
    let before = text.text.get(line.start..from.start)?;
    if source.contains('\n') || before.contains('!') {
        return None;
    }
    if source.is_empty() {
        return Some("~".to_owned());
    }
    // Numbers and nothing stay what they are.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.~".contains(c);
    let is_number = source.chars().all(is_plain) && source.chars().any(|c| c != '-');
    if source.starts_with(['"', '\'']) || is_simple(source) || is_number {
        return Some(source.to_owned());
    }
    serde_json::to_string(&leaf.value).ok()
}
