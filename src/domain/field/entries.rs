//! The parts of a file that belong to different services, and what a commit changed in one of them.

mod both;
mod by_name;
mod empty;
mod entry;
mod extents;
mod own_lines;
mod part;
mod pattern;
mod templates;

use std::collections::HashMap;

use self::by_name::Names;
pub use self::by_name::SharedField;
use self::empty::with_empty_entries;
use self::entry::{Entry, entries, leaf_text};
use self::part::{Sides, alike};
pub use self::pattern::Captures;
pub use self::pattern::EntryPattern;
use self::templates::Templates;
use super::leaves::{Document, Text, read};
use super::restore::form;
use super::tokens::mask;
use super::vocabulary::ITEM_NAMES;

/// What a commit changed in one entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// What the pattern captured: by this the service is known.
    pub captured: Vec<(String, String)>,
    /// The file after the commit with this entry as it was before: with its source text, aliases of it that would bring something else
    /// by now written out. Where that does not read right, with its values. None where it came or went.
    pub before: Option<Vec<u8>>,
    /// The leaves of the entry before and after, where these are the same but for their values, and nothing else in it can
    /// matter. Then `before` need not be read to compare it.
    pub(super) alike: Option<Vec<(usize, usize)>>,
    /// Release fields of it or of others that changed with it, and that do not go back for one of them alone.
    pub shared: Vec<SharedField>,
}

/// The entries of a file that differ between two versions, in the order in which they stand after. None where
/// [`EntryChange::before`] of all of them would be more than `most` bytes together.
#[must_use]
pub fn changed_entries(
    pattern: &EntryPattern,
    old: &Document,
    new: &Document,
    most: usize,
) -> Option<Vec<EntryChange>> {
    if old.bytes() == new.bytes() {
        return Some(Vec::new());
    }
    if let Some((templates, masked)) = Templates::of([old, new])
        && let [masked_old, masked_new] = masked.as_slice()
        && masked.iter().any(|document| !names_in(pattern, document).is_empty())
    {
        let changes = changed_in(pattern, masked_old, masked_new, most)?;
        let restored = |change| with_templates(change, &templates, new.text());
        return Some(changes.into_iter().map(restored).collect());
    }
    changed_in(pattern, old, new, most)
}

/// A change of which the templates stand there again. Where one of them lost its beginning or its end by it, that is told.
fn with_templates(change: EntryChange, templates: &Templates, after: &str) -> EntryChange {
    let text = |text: String| templates.restored(&text);
    let captured = change.captured.into_iter().map(|(name, value)| (name, text(value))).collect();
    let before = change.before.and_then(|bytes| String::from_utf8(bytes).ok());
    let shared = change.shared.into_iter().map(|one| SharedField {
        address: text(one.address),
        old: text(one.old),
        new: text(one.new),
        ..one
    });
    let (mut shared, before): (Vec<SharedField>, _) = (shared.collect(), before.map(text));
    if before.as_ref().is_some_and(|before| !form::are_lines_kept(after, before)) {
        let (old, new) = (String::new(), String::new());
        let address = "a block of the template".to_owned();
        shared.push(SharedField { address, old, new, is_release: false, by_name: false });
    }
    EntryChange { captured, before: before.map(String::into_bytes), alike: None, shared }
}

fn changed_in(
    pattern: &EntryPattern,
    old: &Document,
    new: &Document,
    most: usize,
) -> Option<Vec<EntryChange>> {
    // Outside of YAML a line's address depends on the lines around it. A template in a comment is read as a line.
    let is_plain = |document: &Document| document.is_yaml() && !document.text().contains("{{");
    let filled = [old, new].map(|document| with_empty_entries(pattern, document));
    let have_empty = filled.iter().any(Option::is_some);
    let are_plain = is_plain(old) && is_plain(new) && !have_empty;
    let [filled_old, filled_new] = &filled;
    let documents = [filled_old.as_ref().unwrap_or(old), filled_new.as_ref().unwrap_or(new)];
    let written = new;
    let [old, new] = read(documents);
    let (before, after) = (entries(pattern, &old), entries(pattern, &new));
    let names = Names::of(&old, &new, &after);
    let sides = Sides::new(pattern, documents, [&old, &new], &names);
    let mut known: Vec<&Captures> = Vec::new();
    let mut of_name: HashMap<&Captures, (Vec<&Entry>, Vec<&Entry>)> = HashMap::new();
    for (entry, is_after) in after.iter().map(|entry| (entry, true)).chain(before.iter().map(|e| (e, false)))
    {
        let (was, is) = of_name.entry(&entry.captured).or_insert_with(|| {
            known.push(&entry.captured);
            Default::default()
        });
        if is_after { is } else { was }.push(entry);
    }
    let change = |name: &Captures| {
        let (before, after) = of_name.get(name)?;
        let said = |text: &Text<'_>, entries: &[&Entry]| -> Vec<(String, String)> {
            let leaves = entries.iter().flat_map(|entry| &entry.leaves);
            let said = |leaf: &usize| {
                // What a name of YAML brings may have changed elsewhere.
                let brought = text.leaves.get(*leaf).filter(|leaf| leaf.brought.is_some());
                let value = brought.map_or("", |leaf| leaf.value.as_str());
                (text.address(*leaf).to_owned(), format!("{} {value}", leaf_text(text, *leaf)))
            };
            leaves.map(said).collect()
        };
        if said(&old, before) == said(&new, after) {
            return None;
        }
        let whole = |text, entries: &[&Entry]| entries.first().map(|entry| whole_names(text, entry));
        let (was, is) = (whole(&old, before), whole(&new, after));
        let captured = if was == is { is } else { None };
        let part = sides.as_before(before, after);
        let is_plain = are_plain && part.as_ref().is_some_and(|part| part.is_plain);
        let shared = part.as_ref().map_or_else(Vec::new, |part| part.shared.clone());
        Some(EntryChange {
            captured: captured.unwrap_or_else(|| name.clone()),
            alike: if is_plain { alike((&old, before), (&new, after)) } else { None },
            before: part.map(|part| written.encoded(&part.text)),
            shared,
        })
    };
    let (mut changes, mut bytes) = (Vec::new(), 0);
    for entry in known.into_iter().filter_map(change) {
        bytes += entry.before.as_ref().map_or(0, Vec::len);
        if bytes > most {
            return None;
        }
        changes.push(entry);
    }
    Some(changes)
}

/// The leaves that stand alone at their addresses in both versions, and differ.
pub(super) fn changed_alone(old: &Text<'_>, new: &Text<'_>) -> Vec<(usize, usize)> {
    let differs = |leaves: &[usize]| {
        let [now] = leaves else { return None };
        let [then] = old.at(new.address(*now)) else { return None };
        let (was, is) = (old.leaves.get(*then)?, new.leaves.get(*now)?);
        let is_own = was.value != is.value && was.brought.is_none() && is.brought.is_none();
        is_own.then_some((*then, *now))
    };
    new.addresses().filter_map(differs).collect()
}

/// The captures of all entries of a file, each once, in order.
#[must_use]
pub fn entry_names(pattern: &EntryPattern, document: &Document) -> Vec<Vec<(String, String)>> {
    if let Some((templates, masked)) = Templates::of([document]) {
        let names = masked.iter().flat_map(|document| names_in(pattern, document));
        let text = |(name, value): (String, String)| (name, templates.restored(&value));
        let names: Vec<Captures> = names.map(|captured| captured.into_iter().map(text).collect()).collect();
        if !names.is_empty() {
            return names;
        }
    }
    names_in(pattern, document)
}

fn names_in(pattern: &EntryPattern, document: &Document) -> Vec<Captures> {
    let [text] = read([document]);
    let mut names = Vec::new();
    for entry in entries(pattern, &text) {
        let captured = whole_names(&text, &entry);
        if !names.contains(&captured) {
            names.push(captured);
        }
    }
    names
}

/// What was captured of an entry, with what addresses leave out of names: what looks like a version (`auth-v2`).
fn whole_names(text: &Text<'_>, entry: &Entry) -> Vec<(String, String)> {
    let is_around = |address: &str, key: &str| {
        let block = address.strip_suffix(key).and_then(|block| block.strip_suffix(['.', ' ']));
        block.is_some_and(|block| {
            let block = block.strip_suffix(':').or(block.strip_suffix(": metadata")).unwrap_or(block);
            !block.is_empty() && entry.address.starts_with(block)
        })
    };
    let names = || {
        let named = text.leaves.iter().filter(|leaf| ITEM_NAMES.contains(&leaf.key.as_str()));
        named.filter(|leaf| is_around(&leaf.address, &leaf.key)).map(|leaf| leaf.value.as_str())
    };
    let whole = |(name, captured): &(String, String)| {
        let found = captured.contains('*').then(|| names().find_map(|value| unmasked(value, captured)));
        (name.clone(), found.flatten().unwrap_or(captured).to_owned())
    };
    entry.captured.iter().map(whole).collect()
}

/// The part of a name that its mask has as `part`.
fn unmasked<'v>(value: &'v str, part: &str) -> Option<&'v str> {
    let masked = mask(value);
    let (before, after) = masked.split_once(part)?;
    let inside = value.strip_prefix(before)?.strip_suffix(after)?;
    (mask(inside) == part).then_some(inside)
}

#[cfg(test)]
mod tests;
