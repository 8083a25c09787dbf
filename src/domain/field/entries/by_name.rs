//! Values that entries of a file share by the names that YAML gives them: `tag: &stable v1` in one, `tag: *stable` in another.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::leaves::Text;
use super::super::leaves::leaf::Leaf;
use super::super::rules::{Candidate, release_field};
use super::entry::{Entry, is_simple};

/// A value that does not go back for one entry alone.
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
    /// Whether entries share it by a name of YAML, and it cannot be written out for one of them: it came with a mapping, or on several
    /// lines.
    pub by_name: bool,
}

/// What an entry takes by a name from outside of it, and what others take from it.
#[derive(Default, PartialEq, Eq)]
pub(super) struct ByName {
    /// What the text after says there as if only the entry were as before: its own values are the old ones, and those of others stay.
    pub(super) edits: Vec<(Range<usize>, String)>,
    /// The values of the entry that come from outside, before or after. Their lines are not exchanged.
    pub(super) brought: Vec<Range<usize>>,
    /// What cannot be written out.
    pub(super) shared: Vec<SharedField>,
}

/// Which leaves of two versions of a file take their values by names, by where these stand. Read once for all entries.
#[derive(Default)]
pub(super) struct Names {
    old: HashMap<Range<usize>, Vec<usize>>,
    new: HashMap<Range<usize>, Vec<usize>>,
    /// Where the values stand in the version before that are not brought.
    origins: HashMap<Range<usize>, usize>,
    /// The values of the version after that stand in an entry.
    in_entries: HashSet<Range<usize>>,
}

impl Names {
    pub(super) fn of(before: &Text<'_>, new: &Text<'_>, entries: &[Entry]) -> Self {
        let takers = |text: &Text<'_>| {
            let mut takers: HashMap<Range<usize>, Vec<usize>> = HashMap::new();
            for (index, leaf) in text.leaves.iter().enumerate() {
                if let Some(brought) = &leaf.brought {
                    takers.entry(brought.from.clone()).or_default().push(index);
                }
            }
            takers
        };
        let (old, of_new) = (takers(before), takers(new));
        if old.is_empty() && of_new.is_empty() {
            return Self::default();
        }
        let in_entries = entries.iter().flat_map(|entry| &entry.leaves);
        let in_entries = in_entries.filter_map(|leaf| new.leaves.get(*leaf)).map(|leaf| leaf.span.clone());
        let own = before.leaves.iter().enumerate().filter(|(_, leaf)| leaf.brought.is_none());
        let origins = own.map(|(index, leaf)| (leaf.span.clone(), index)).collect();
        Self { old, new: of_new, origins, in_entries: in_entries.collect() }
    }

    /// Whether what a name brought before stands there still, with the same value.
    pub(super) fn is_given_still(&self, old: &Text<'_>, was: &Leaf, new: &Text<'_>) -> bool {
        let from = was.brought.as_ref().map_or(&was.span, |brought| &brought.from);
        let origin = self.origins.get(from).and_then(|leaf| old.leaves.get(*leaf));
        let now = origin.map_or(&[][..], |origin| new.at(&origin.address));
        let now: Vec<&Leaf> = now.iter().filter_map(|leaf| new.leaves.get(*leaf)).collect();
        matches!(now.as_slice(), [now] if now.value == was.value && now.brought.is_none())
    }
}

/// One version of an entry.
struct Side<'t> {
    text: &'t Text<'t>,
    leaves: HashSet<usize>,
    /// The values that stand in it.
    own: HashSet<Range<usize>>,
    takers: &'t HashMap<Range<usize>, Vec<usize>>,
}

impl<'t> Side<'t> {
    fn of(text: &'t Text<'t>, entry: &Entry, takers: &'t HashMap<Range<usize>, Vec<usize>>) -> Self {
        let leaves: HashSet<usize> = entry.leaves.iter().copied().collect();
        let own =
            leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)).filter(|leaf| leaf.brought.is_none());
        Self { text, own: own.map(|leaf| leaf.span.clone()).collect(), leaves, takers }
    }

    /// Whether a value stands outside of the entry, and a name brings it there.
    fn is_from_outside(&self, leaf: &Leaf) -> bool {
        leaf.brought.as_ref().is_some_and(|brought| !self.own.contains(&brought.from))
    }

    /// Leaves outside of the entry that take a value of it by a name, with where that stands.
    fn given(&self) -> impl Iterator<Item = (&'t Leaf, &Range<usize>)> {
        self.own.iter().flat_map(|from| {
            let takers =
                self.takers.get(from).into_iter().flatten().filter(|leaf| !self.leaves.contains(leaf));
            takers.filter_map(|leaf| self.text.leaves.get(*leaf)).map(move |leaf| (leaf, from))
        })
    }
}

/// Compares an entry before and after.
pub(super) fn by_name(
    names: &Names,
    (old, was): (&Text<'_>, &Entry),
    (new, is): (&Text<'_>, &Entry),
) -> ByName {
    let mut found = ByName::default();
    if names.old.is_empty() && names.new.is_empty() {
        return found;
    }
    let (then, now) = (Side::of(old, was, &names.old), Side::of(new, is, &names.new));
    let leaves_of = |text: &'_ Text<'_>, entry: &Entry| -> Vec<Leaf> {
        entry.leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)).cloned().collect()
    };
    let (before, after) = (leaves_of(old, was), leaves_of(new, is));
    let at: HashMap<&str, &Leaf> = before.iter().map(|leaf| (leaf.address.as_str(), leaf)).collect();
    for is in &after {
        let Some(was) = at.get(is.address.as_str()).copied() else { continue };
        let (came, comes) = (then.is_from_outside(was), now.is_from_outside(is));
        // What is written in the entry itself changed, and nothing elsewhere: `*old` becomes `*new`.
        let is_own_change = old.get(&was.span) != new.get(&is.span)
            && (!came || names.is_given_still(old, was, new))
            && was.value != is.value;
        if !came && !comes || is_own_change {
            continue;
        }
        found.brought.push(is.span.clone());
        if was.value == is.value {
            continue;
        }
        match written_out(old, was).filter(|_| !is.is_within_alias()) {
            // Nobody else takes it: it goes back where it stands, and the alias stays.
            Some(text) if is_alone(names, &now, (old, was), (new, is)) => {
                let from = is.brought.as_ref().map_or(&is.span, |brought| &brought.from);
                found.edits.push((from.clone(), text));
            }
            Some(text) => found.edits.push((is.span.clone(), text)),
            None => found.share(is, &was.value, &is.value),
        }
    }
    let still: HashSet<&str> = after.iter().map(|leaf| leaf.address.as_str()).collect();
    for was in before.iter().filter(|was| then.is_from_outside(was)) {
        if !still.contains(was.address.as_str()) && !names.is_given_still(old, was, new) {
            found.share(was, &was.value, "");
        }
    }
    for (leaf, _) in then.given().filter(|(leaf, _)| new.at(&leaf.address).is_empty()) {
        found.share(leaf, &leaf.value, "");
    }
    let own: HashMap<&Range<usize>, &Leaf> = after.iter().map(|leaf| (&leaf.span, leaf)).collect();
    for (leaf, from) in now.given() {
        let given = own.get(from).and_then(|given| at.get(given.address.as_str()));
        let was = given.map_or("", |was| was.value.as_str());
        if was == leaf.value {
            continue;
        }
        match written_out(new, leaf).filter(|_| !leaf.is_within_alias()) {
            Some(text) => found.edits.push((leaf.span.clone(), text)),
            None => found.share(leaf, was, &leaf.value),
        }
    }
    found.edits.sort_by(|(a, one), (b, other)| (a.start, a.end, one).cmp(&(b.start, b.end, other)));
    found.edits.dedup();
    found.shared.sort_by(|a, b| a.address.cmp(&b.address));
    found.shared.dedup();
    found
}

/// Whether a value came by the same alias before and after, and its anchor stands outside of all entries, for this one alone.
fn is_alone(
    names: &Names,
    now: &Side<'_>,
    (old, was): (&Text<'_>, &Leaf),
    (new, is): (&Text<'_>, &Leaf),
) -> bool {
    let Some(from) = is.brought.as_ref().map(|brought| &brought.from) else { return false };
    let takers = names.new.get(from).into_iter().flatten();
    was.is_brought_alone()
        && old.get(&was.span) == new.get(&is.span)
        && !names.in_entries.contains(from)
        && takers.into_iter().all(|leaf| now.leaves.contains(leaf))
}

impl ByName {
    /// Names a value that changed for several entries at once.
    pub(super) fn share(&mut self, leaf: &Leaf, old: &str, new: &str) {
        let candidate = Candidate { key: &leaf.key, named: leaf.named.as_deref(), old, new };
        let is_release = release_field(candidate).is_some();
        let (address, old, new) = (leaf.address.clone(), old.to_owned(), new.to_owned());
        self.shared.push(SharedField { address, old, new, is_release, by_name: true });
    }
}

/// The value of a leaf as it can be written anywhere. None where it goes over several lines, or a tag says what it is.
pub(super) fn written_out(text: &Text<'_>, leaf: &Leaf) -> Option<String> {
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
