//! The parts of a file that belong to different services, and what a commit changed in one of them.

mod by_name;
mod entry;
mod extents;
mod part;

use std::collections::HashMap;
use std::fmt;

use regex::Regex;

use self::by_name::Names;
pub use self::by_name::SharedField;
use self::entry::Entry;
use self::part::{Sides, alike};
use super::leaves::{Document, Text, read};
use super::tokens::mask;
use super::vocabulary::ITEM_NAMES;

/// Where in a file the services are: the beginning of an address, as plans show it, with names in braces for what tells
/// the services apart: `images.{service}`, `Deployment/{service}`.
///
/// A step of the pattern matches a key, an item of a list by its name (`web` or `name=web`), or a document
/// (`Deployment/shop/web`). `*` stands for any text within a step.
#[derive(Clone)]
pub struct EntryPattern {
    text: String,
    steps: Vec<Regex>,
    /// The names of the captures, in order.
    names: Vec<String>,
    /// Whether the first step is a document.
    of_documents: bool,
}

/// The names of a pattern with what they stand for in an address.
type Captures = Vec<(String, String)>;

/// What a pattern captures in an address, and how many bytes of the address it matched.
type Captured = (Captures, usize);

impl EntryPattern {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// Says what is wrong with it, for people.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut names: Vec<String> = Vec::new();
        let mut cut = steps(text);
        let of_documents = cut.first().is_some_and(|first| first.text.contains('/'));
        if of_documents && cut.first().is_some_and(|first| !first.is_document) {
            // Nothing of the document is named: the dots are those of its name.
            cut = vec![Step { text, end: text.len(), is_document: true }];
        }
        let mut compiled = Vec::new();
        for step in &cut {
            let mut regex = String::from("^(?:[^=]*=)?");
            let mut rest = step.text;
            if rest.is_empty() {
                return Err("has an empty step".to_owned());
            }
            if rest.split_once('=').is_some_and(|(key, _)| !key.contains('{')) {
                regex = String::from("^");
            }
            while let Some(first) = rest.chars().next() {
                if let Some(after) = rest.strip_prefix('{') {
                    let (name, after) = after.split_once('}').ok_or("has a { without a }")?;
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    if name.is_empty() || !name.chars().all(is_name) {
                        return Err("has a {name} that is not made of letters, digits and _".to_owned());
                    }
                    if names.iter().any(|before| before == name) {
                        return Err(format!("has {{{name}}} twice"));
                    }
                    names.push(name.to_owned());
                    regex.push_str("(.+)");
                    rest = after;
                } else if let Some(after) = rest.strip_prefix('*') {
                    regex.push_str(".*");
                    rest = after;
                } else {
                    regex.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
                    rest = rest.get(first.len_utf8()..).unwrap_or("");
                }
            }
            regex.push('$');
            compiled.push(Regex::new(&regex).map_err(|e| e.to_string())?);
        }
        if names.is_empty() {
            return Err("names nothing: write {service} where the service's name stands".to_owned());
        }
        Ok(Self { text: text.to_owned(), steps: compiled, names, of_documents })
    }

    /// The names that the pattern captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What it captures in an address that begins so. With how many bytes of the address that is.
    fn captures(&self, address: &str) -> Option<Captured> {
        let mut steps = steps(address);
        if !self.of_documents && steps.first().is_some_and(|first| first.is_document) {
            steps.remove(0);
        }
        let mut captured = Vec::new();
        let mut names = self.names.iter();
        let mut end = 0;
        for (index, regex) in self.steps.iter().enumerate() {
            let step = steps.get(index)?;
            let groups = regex.captures(step.text)?;
            for group in groups.iter().skip(1) {
                captured.push((names.next()?.clone(), group?.as_str().to_owned()));
            }
            end = step.end;
        }
        Some((captured, end))
    }
}

impl PartialEq for EntryPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for EntryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for EntryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// One step of an address.
struct Step<'a> {
    text: &'a str,
    /// Where it ends in the address, brackets included.
    end: usize,
    is_document: bool,
}

/// Cuts an address, or a pattern for addresses, into its steps.
fn steps(address: &str) -> Vec<Step<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    let document = address.split_once(": ").map(|(name, _)| name);
    if let Some(name) = document.filter(|name| !name.contains('[')) {
        found.push(Step { text: name, end: name.len(), is_document: true });
        at = name.len() + ": ".len();
    }
    while let Some(rest) = address.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = rest.len() - rest.strip_prefix(" > ").or(rest.strip_prefix('.')).unwrap_or(rest).len();
        let rest = rest.get(skipped..).unwrap_or("");
        let (text, used) = match rest.strip_prefix('[') {
            Some(inside) => {
                let ends = |(at, _): &(usize, &str)| {
                    let after = inside.get(at + 1..).unwrap_or("");
                    after.is_empty() || after.starts_with(['.', '[']) || after.starts_with(" > ")
                };
                let close = inside.match_indices(']').find(ends).map_or(inside.len(), |(at, _)| at);
                (inside.get(..close).unwrap_or(inside), (close + 2).min(rest.len()))
            }
            None => {
                let end =
                    rest.find(['.', '[']).into_iter().chain(rest.find(" > ")).min().unwrap_or(rest.len());
                (rest.get(..end).unwrap_or(rest), end)
            }
        };
        if skipped + used == 0 {
            break;
        }
        at += skipped + used;
        found.push(Step { text, end: at, is_document: false });
    }
    found
}

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
    // Outside of YAML a line's address depends on the lines around it. A template in a comment is read as a line.
    let is_plain = |document: &Document| document.is_yaml() && !document.text().contains("{{");
    let are_plain = is_plain(old) && is_plain(new);
    let are_yaml = old.is_yaml() && new.is_yaml();
    let [old, new] = read([old, new]);
    let (before, after) = (entries(pattern, &old), entries(pattern, &new));
    let names = Names::of(&old, &new, &after);
    let sides = Sides::new(pattern, [&old, &new], &names, are_yaml);
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
            before: part.map(|part| part.text.into_bytes()),
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

/// The captures of all entries of a file, each once, in order.
#[must_use]
pub fn entry_names(pattern: &EntryPattern, document: &Document) -> Vec<Vec<(String, String)>> {
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

fn entries(pattern: &EntryPattern, text: &Text<'_>) -> Vec<Entry> {
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

fn leaf_text<'t>(text: &Text<'t>, leaf: usize) -> &'t str {
    text.leaves.get(leaf).map_or("", |leaf| text.get(&leaf.span))
}

#[cfg(test)]
mod tests;
