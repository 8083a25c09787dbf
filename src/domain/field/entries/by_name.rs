//! Values that entries of a file share by the names that YAML gives them: `tag: &stable v1` in one, `tag: *stable` in another.

use std::ops::Range;

use super::super::leaves::Text;
use super::super::leaves::leaf::Leaf;
use super::Entry;

/// The values that came to an entry by a name which YAML gives them elsewhere, and that changed there: the old one, written out.
pub(super) fn brought_values<'o>(
    (old, was): (&Text<'o>, &Entry),
    (new, entry): (&Text<'_>, &Entry),
) -> Vec<(Range<usize>, &'o str)> {
    let edit = |now: &usize| {
        let is = new.leaves.get(*now).filter(|leaf| leaf.is_brought_alone())?;
        let then = was
            .leaves
            .iter()
            .filter_map(|leaf| old.leaves.get(*leaf))
            .find(|leaf| leaf.address == is.address)?;
        let from = then.brought.as_ref().map_or(&then.span, |brought| &brought.from);
        let text = old.get(from);
        let is_own = entry
            .leaves
            .iter()
            .filter_map(|leaf| new.leaves.get(*leaf))
            .any(|leaf| Some(&leaf.span) == is.brought.as_ref().map(|brought| &brought.from));
        (!is_own && then.value != is.value && !text.contains('\n')).then(|| (is.span.clone(), text))
    };
    entry.leaves.iter().filter_map(edit).collect()
}

/// The values that others take by name from an entry, and that changed in it: as they are now, written out. So a revert of the entry
/// leaves them as they are.
pub(super) fn given_values<'n>(
    (old, was): (&Text<'_>, &Entry),
    (new, entry): (&Text<'n>, &Entry),
) -> Vec<(Range<usize>, &'n str)> {
    let own: Vec<&Leaf> = entry.leaves.iter().filter_map(|leaf| new.leaves.get(*leaf)).collect();
    if own.iter().all(|leaf| leaf.anchor.is_none()) {
        return Vec::new();
    }
    let edit = |(index, leaf): (usize, &Leaf)| {
        let from = &leaf.brought.as_ref().filter(|brought| !brought.whole)?.from;
        let given = own.iter().find(|own| own.span == *from && own.anchor.is_some())?;
        let is_other = !entry.leaves.contains(&index);
        let then = was
            .leaves
            .iter()
            .filter_map(|leaf| old.leaves.get(*leaf))
            .find(|leaf| leaf.address == given.address);
        let has_changed = then.is_none_or(|then| then.value != given.value);
        let text = new.get(from);
        (is_other && has_changed && !text.contains('\n')).then(|| (leaf.span.clone(), text))
    };
    new.leaves.iter().enumerate().filter_map(edit).collect()
}
