//! Whether a text says of a service what was said of it before a commit, and of everything else what is said after it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use super::super::leaves::leaf::Leaf;
use super::super::leaves::{Document, Text, read, repeated, repeated_beyond};
use super::super::restore::form;
use super::by_name::{ByName, SharedField};
use super::entry::Parts;
use super::pattern::EntryPattern;

/// Both versions of a file, read so that what is empty can be seen in them.
pub(super) struct BothVersions<'s> {
    pattern: &'s EntryPattern,
    are_yaml: bool,
    /// The text before.
    old: &'s str,
    /// The text after.
    new: &'s str,
    documents: [Document; 2],
    /// The keys that stand twice after, looked for when it is asked for.
    repeated: OnceCell<Vec<String>>,
    /// Of each address, the length of that of the entry that it is in. Matching it takes longer than finding it again.
    entries: OnceCell<HashMap<String, Option<usize>>>,
}

impl<'s> BothVersions<'s> {
    pub(super) fn new(pattern: &'s EntryPattern, documents: [&'s Document; 2]) -> Self {
        let are_yaml = documents.iter().all(|document| document.is_yaml());
        let [old, new] = documents;
        Self {
            pattern,
            are_yaml,
            old: old.text(),
            new: new.text(),
            documents: documents.map(|document| shown(document.text(), are_yaml)),
            repeated: OnceCell::new(),
            entries: OnceCell::new(),
        }
    }

    pub(super) fn read(&self) -> [Text<'_>; 2] {
        read(self.documents.each_ref())
    }

    /// Whether a text says of a service what was said before, of everything else what is said after, no key twice, and closes what
    /// it opens.
    pub(super) fn is_right(&self, text: &str, parts: &Parts<'_>) -> bool {
        let [old, new] = &self.documents;
        let document = shown(text, self.are_yaml);
        if self.are_yaml && !document.is_yaml() {
            return false;
        }
        // It is read as these two are.
        let [old, new, read] = read([old, new, &document]);
        let [(was, _), (_, others), (inside, outside)] =
            [&old, &new, &read].map(|text| self.cut(text, parts));
        let known = || self.repeated.get_or_init(|| repeated(self.new));
        say_the_same(inside, was)
            && say_the_same(outside, others)
            && repeated_beyond(known(), text).is_none()
            && self.is_form_kept(text)
    }

    fn is_form_kept(&self, text: &str) -> bool {
        if self.are_yaml {
            return form::is_json_kept(self.new, text);
        }
        [self.old, self.new].iter().any(|version| form::are_lines_kept(version, text))
    }

    /// What a text does not say of the service as it was said before.
    pub(super) fn left(&self, text: &str, parts: &Parts<'_>) -> Vec<SharedField> {
        let [old, new] = &self.documents;
        let document = shown(text, self.are_yaml);
        let [old, read, _] = read([old, &document, new]);
        let [(was, _), (is, _)] = [&old, &read].map(|text| self.cut(text, parts));
        let [then, now] =
            [&was, &is].map(|leaves| leaves.iter().copied().map(said_of).collect::<HashSet<_>>());
        let mut found = ByName::default();
        for leaf in was.iter().filter(|leaf| !now.contains(&said_of(leaf))) {
            found.share(leaf, &leaf.value, "");
        }
        for leaf in is.iter().filter(|leaf| !then.contains(&said_of(leaf))) {
            found.share(leaf, "", &leaf.value);
        }
        for shared in &mut found.shared {
            shared.by_name = is_by_name(&old, shared) || is_by_name(&read, shared);
        }
        found.shared
    }

    /// The leaves of a text that are of the service, and those that are not.
    fn cut<'r>(&self, text: &Text<'r>, parts: &Parts<'_>) -> (Vec<&'r Leaf>, Vec<&'r Leaf>) {
        let end = |address: &str| self.pattern.captures(address).map(|(_, end)| end);
        let known = self.entries.get_or_init(|| {
            let texts = self.read();
            let leaves = texts.iter().flat_map(|text| text.leaves);
            leaves.map(|leaf| (leaf.address.clone(), end(&leaf.address))).collect()
        });
        let entries = parts.before.iter().chain(parts.after).map(|entry| entry.address.as_str());
        let entries: HashSet<&str> = entries.collect();
        let is_inside = |leaf: &&Leaf| {
            let end = known.get(&leaf.address).copied().unwrap_or_else(|| end(&leaf.address));
            end.and_then(|end| leaf.address.get(..end)).is_some_and(|address| entries.contains(address))
        };
        text.leaves.iter().partition(is_inside)
    }
}

/// Whether a name of YAML brings a value.
fn is_by_name(text: &Text<'_>, shared: &SharedField) -> bool {
    let mut leaves = text.at(&shared.address).iter().filter_map(|leaf| text.leaves.get(*leaf));
    leaves.any(|leaf| leaf.brought.is_some())
}

/// Whether a mapping or a list that is empty may stand in a text.
pub(super) fn has_empty(text: &str) -> bool {
    text.contains("{}") || text.contains("[]")
}

/// A text in which a mapping or list that is empty can be seen: it stands there as a value.
fn shown(text: &str, is_yaml: bool) -> Document {
    let is_due = is_yaml && has_empty(text);
    let shown = is_due.then(|| Document::from(text.replace("{}", "~ ").replace("[]", "''").as_str()));
    shown.filter(Document::is_yaml).unwrap_or_else(|| Document::from(text))
}

/// The address and the value of a leaf.
fn said_of(leaf: &Leaf) -> (&str, &str) {
    (&leaf.address, &leaf.value)
}

/// Whether leaves say the same, wherever they stand.
fn say_the_same(mut some: Vec<&Leaf>, mut others: Vec<&Leaf>) -> bool {
    let are_equal = |some: &[&Leaf], others: &[&Leaf]| {
        some.len() == others.len()
            && some.iter().zip(others).all(|(one, other)| said_of(one) == said_of(other))
    };
    if some.len() != others.len() || are_equal(&some, &others) {
        return some.len() == others.len();
    }
    some.sort_unstable_by_key(|leaf| said_of(leaf));
    others.sort_unstable_by_key(|leaf| said_of(leaf));
    are_equal(&some, &others)
}
