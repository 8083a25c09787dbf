//! What a commit changed in a file: which leaves of the two versions belong together, and what differs between them.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;

pub(super) mod couple;
mod documents;
mod lines_apart;
pub(super) mod one_sided;

use super::context::{self, Place, Switch};
use super::leaves::Text;
use super::leaves::leaf::{Leaf, LeafKind};
use super::lines::{Alignment, Counterpart};
use super::rules::{self, Candidate, FieldRule, release_field};
use super::tokens::{mask, versionless};
use super::types::{Comparison, File, ScalarChange};
use super::vocabulary::{self, WordRole};
use super::words::{self, Changed};

/// Leaves of two versions that belong together, by their indexes, and those that have no counterpart.
#[derive(Default)]
struct Pairs {
    both: Vec<(usize, usize, bool)>,
    /// What stands at a place in one version, and comes there with a whole mapping or list in the other.
    over: Vec<(usize, usize)>,
    removed: Vec<usize>,
    added: Vec<usize>,
}

/// Leaves with the same address belong together, where there are as many of them; others by their lines.
fn pair(old: &Text<'_>, new: &Text<'_>) -> Pairs {
    let mut pairs = Pairs::default();
    // Then a document is not the one that had its number.
    let have_moved = documents::have_moved(old, new);
    let by_place = |text: &Text<'_>, run: &[usize]| {
        have_moved && run.first().is_some_and(|leaf| documents::is_by_place(text.address(*leaf)))
    };
    let mut came = new.addresses().peekable();
    for went in old.addresses() {
        let here = went.first().map_or("", |leaf| old.address(*leaf));
        let address = |run: &[usize]| run.first().map_or("", |leaf| new.address(*leaf));
        while let Some(run) = came.next_if(|run| address(run) < here) {
            pairs.added.extend(run);
        }
        let run = came.next_if(|run| address(run) == here);
        match run.filter(|run| run.len() == went.len() && !by_place(old, went)) {
            Some(run) => {
                let sure = |text: &Text<'_>, leaf: usize| text.leaves.get(leaf).is_some_and(|leaf| leaf.sure);
                let both = went.iter().zip(run);
                pairs
                    .both
                    .extend(both.map(|(o, n)| (*o, *n, run.len() == 1 && sure(old, *o) && sure(new, *n))));
            }
            None => {
                pairs.removed.extend(went);
                pairs.added.extend(run.unwrap_or(&[]));
            }
        }
    }
    pairs.added.extend(came.flatten());
    if !pairs.removed.is_empty() && !pairs.added.is_empty() {
        pair_by_line(old, new, &mut pairs);
    }
    let merged = |text: &Text<'_>, leaf: usize| text.leaves.get(leaf).is_some_and(Leaf::is_within_alias);
    let over = pairs.both.extract_if(.., |(o, n, _)| merged(old, *o) != merged(new, *n));
    pairs.over = over.map(|(o, n, _)| (o, n)).collect();
    pairs
}

fn pair_by_line(old: &Text<'_>, new: &Text<'_>, pairs: &mut Pairs) {
    let alignment = Alignment::new(&old.lines, &new.lines, versionless);
    let mut added: BTreeSet<usize> = std::mem::take(&mut pairs.added).into_iter().collect();
    pairs.removed.sort_unstable();
    // Thousands of leaves may stand on one line: those that were taken are not looked at again.
    let mut on_lines: HashMap<usize, HashMap<&str, VecDeque<usize>>> = HashMap::new();
    let on_line = |line: usize| {
        let mut by_key: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for other in new.on_line(line) {
            if let Some(leaf) = new.leaves.get(*other) {
                by_key.entry(&leaf.key).or_default().push_back(*other);
            }
        }
        by_key
    };
    let counterpart = |leaf: &Leaf| match alignment.counterpart(old.line_of(&leaf.span)) {
        Counterpart::Same(line) | Counterpart::Alike(line) | Counterpart::Replaced(line) => Some(line),
        Counterpart::None => None,
    };
    pairs.removed.retain(|index| {
        let Some(leaf) = old.leaves.get(*index) else { return false };
        let Some(line) = counterpart(leaf) else { return true };
        let alike = on_lines.entry(line).or_insert_with(|| on_line(line)).get_mut(leaf.key.as_str());
        let Some(found) = alike.and_then(|alike| first_of(alike, &added)) else { return true };
        added.remove(&found);
        pairs.both.push((*index, found, false));
        false
    });
    pairs.added = added.into_iter().collect();
}

/// The first that is still in the set. Those before it have left it for good.
fn first_of(alike: &mut VecDeque<usize>, still: &BTreeSet<usize>) -> Option<usize> {
    while let Some(next) = alike.pop_front() {
        if still.contains(&next) {
            return Some(next);
        }
    }
    None
}

/// Compares two versions of a file.
pub(super) fn compare(file: &File<'_>, old: &Text<'_>, new: &Text<'_>) -> Comparison {
    let mut comparison = Comparison::default();
    if old.text == new.text {
        return comparison;
    }
    let mut pairs = pair(old, new);
    comparison.changes = renamed(file, old, new, &mut pairs);
    compare_pairs(file, old, new, pairs.both, &mut comparison);
    one_sided::overridden(file, (old, new), &pairs.over, &mut comparison);
    one_sided::find(file, (old, &pairs.removed), (new, &pairs.added), &mut comparison);
    lines_apart::find(old, new, &mut comparison);
    comparison
}

/// Compares those leaves of two versions that are given, of which each has its address for itself. They are what differs.
pub(super) fn compare_alike(
    file: &File<'_>,
    old: &Text<'_>,
    new: &Text<'_>,
    alike: &[(usize, usize)],
) -> Comparison {
    let sure = |text: &Text<'_>, leaf: usize| text.leaves.get(leaf).is_some_and(|leaf| leaf.sure);
    let both = alike.iter().map(|(o, n)| (*o, *n, sure(old, *o) && sure(new, *n)));
    let mut comparison = Comparison::default();
    compare_pairs(file, old, new, both.collect(), &mut comparison);
    comparison
}

/// Adds what differs between leaves that belong together.
fn compare_pairs(
    file: &File<'_>,
    old: &Text<'_>,
    new: &Text<'_>,
    both: Vec<(usize, usize, bool)>,
    comparison: &mut Comparison,
) {
    let (mut named, mut rests, mut asked) = (Vec::new(), Vec::new(), Asked::default());
    for (o, n, sure) in both {
        let (Some(old_leaf), Some(new_leaf)) = (old.leaves.get(o), new.leaves.get(n)) else { continue };
        named.extend(by_name(file, (old, old_leaf), (new, new_leaf)));
        if old_leaf.value != new_leaf.value && context::migrates(new_leaf) {
            comparison.migrates.get_or_insert_with(|| new_leaf.address.clone());
        }
        let (changes, others) = changes(file, (old, old_leaf), (new, new_leaf), &mut asked);
        comparison.changes.extend(changes.into_iter().map(|change| ScalarChange {
            leaf: n,
            addressed: sure,
            ..change
        }));
        if others {
            rests.push((n, new.shown(new_leaf)));
        }
    }
    for change in comparison.changes.iter_mut().filter(|change| change.rule.is_none()) {
        let of_it =
            named.iter().find(|(old, new, _)| ends_alike(old, &change.old) && ends_alike(new, &change.new));
        change.rule =
            of_it.and_then(|(.., rule)| file.fields.rule(&change.address, &change.key, Some(*rule)));
    }
    comparison.changes.sort_by_key(|change| (change.new.start, change.old.start));
    couple::couple(file, &mut comparison.changes);
    for change in comparison.changes.iter_mut().filter(|change| change.rule.is_none()) {
        let Some(leaf) = new.leaves.get(change.leaf) else { continue };
        let (key, named) = (change.key.as_str(), Some(change.named.as_str()));
        let candidate = Candidate { key, named, old: &change.old_value, new: &change.new_value };
        let Some(rule) = rules::names_release(candidate, &context::origin(new, leaf)) else { continue };
        change.rule = file.fields.rule(&change.address, &change.key, Some(rule));
        let values = [change.old_value.as_str(), &change.new_value];
        let is_engine = context::is_engine(new, leaf, &values, rule)
            || values.iter().any(|value| context::is_engine_image(value));
        change.engine = change.rule.is_some() && is_engine;
        change.switch &= change.rule.is_none();
    }
    lines_apart::whole(new, rests, comparison);
}

/// Whether two stretches are of the same scalar, with its name or without.
fn ends_alike(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end == b.end
}

/// Where a value of the release field at an alias comes from, before and after, when it changed there: what it is called there need
/// not tell that it is one.
fn by_name(
    file: &File<'_>,
    (old, was): (&Text<'_>, &Leaf),
    (new, is): (&Text<'_>, &Leaf),
) -> Option<(Range<usize>, Range<usize>, FieldRule)> {
    let (from, to) = was.brought.as_ref().zip(is.brought.as_ref())?;
    if was.value == is.value || old.get(&was.span) != new.get(&is.span) {
        return None;
    }
    let candidate = Candidate { key: &is.key, named: is.named.as_deref(), old: &was.value, new: &is.value };
    let rule = file.fields.rule(&is.address, &is.key, release_field(candidate))?;
    Some((from.from.clone(), to.from.clone(), rule))
}

/// Release fields that took another's place in their block, a `digest` that of a `newTag`: the whole entries are changes.
fn renamed(file: &File<'_>, old: &Text<'_>, new: &Text<'_>, pairs: &mut Pairs) -> Vec<ScalarChange> {
    let names_release = |leaf: &Leaf| {
        let candidate = Candidate { key: &leaf.key, named: None, old: &leaf.value, new: &leaf.value };
        release_field(candidate).filter(|rule| *rule == FieldRule::Tag && leaf.kind == LeafKind::Scalar)
    };
    let in_block = |text: &Text<'_>, leaves: &[usize]| -> HashMap<String, Vec<usize>> {
        let mut blocks: HashMap<String, Vec<usize>> = HashMap::new();
        for index in leaves {
            if let Some(leaf) = text.leaves.get(*index).filter(|leaf| names_release(leaf).is_some()) {
                blocks.entry(leaf.block().to_owned()).or_default().push(*index);
            }
        }
        blocks
    };
    let (went, came) = (in_block(old, &pairs.removed), in_block(new, &pairs.added));
    let mut found = Vec::new();
    let (mut old_taken, mut new_taken) = (HashSet::new(), HashSet::new());
    for (block, removed) in &went {
        let (Some([o]), Some([n])) = (Some(removed.as_slice()), came.get(block).map(Vec::as_slice)) else {
            continue;
        };
        let change = || {
            let (old_leaf, new_leaf) = (old.leaves.get(*o)?, new.leaves.get(*n)?);
            let (old_entry, new_entry) = (entry(old, old_leaf)?, entry(new, new_leaf)?);
            Some(ScalarChange {
                address: new_leaf.address.clone(),
                rule: file.fields.rule(&new_leaf.address, &new_leaf.key, names_release(new_leaf)),
                old_text: old.get(&old_entry).to_owned(),
                new_text: new.get(&new_entry).to_owned(),
                old: old_entry,
                new: new_entry,
                old_value: old_leaf.value.clone(),
                new_value: new_leaf.value.clone(),
                addressed: new_leaf.sure,
                engine: context::is_engine(new, new_leaf, &[&old_leaf.value], FieldRule::Tag),
                by_hand: None,
                switch: false,
                key: new_leaf.key.clone(),
                block: new_leaf.block().to_owned(),
                named: String::new(),
                was: Some(old_leaf.address.clone()),
                leaf: *n,
            })
        };
        if let Some(change) = change() {
            found.push(change);
            old_taken.insert(*o);
            new_taken.insert(*n);
        }
    }
    pairs.removed.retain(|index| !old_taken.contains(index));
    pairs.added.retain(|index| !new_taken.contains(index));
    found
}

/// The bytes of a block mapping's entry, key and value, where it has its line for itself.
pub(super) fn entry(text: &Text<'_>, leaf: &Leaf) -> Option<Range<usize>> {
    let line = text.lines.range(text.line_of(&leaf.span));
    let before = text.text.get(line.start..leaf.span.start)?;
    let start = before.find(|c: char| !c.is_whitespace() && c != '-')?;
    let key = before.get(start..)?.trim_end().strip_suffix(':')?.trim_matches(['"', '\'']);
    (key == leaf.key).then_some(line.start + start..leaf.span.end)
}

/// What was asked last, and the answer: a new version of a chart changes the same label in each document.
#[derive(Default)]
struct Asked {
    /// The key, the values, and the name.
    of: Option<([String; 3], Option<String>)>,
    answer: Option<FieldRule>,
}

impl Asked {
    fn release_field(&mut self, candidate: Candidate<'_>) -> Option<FieldRule> {
        let Candidate { key, named, old, new } = candidate;
        let is_same = |(texts, name): &([String; 3], Option<String>)| {
            texts.iter().eq([key, old, new]) && name.as_deref() == named
        };
        if !self.of.as_ref().is_some_and(is_same) {
            self.of = Some(([key, old, new].map(str::to_owned), named.map(str::to_owned)));
            self.answer = release_field(candidate);
        }
        self.answer
    }
}

/// The changes between two leaves that belong together.
fn changes(
    file: &File<'_>,
    (old, old_leaf): (&Text<'_>, &Leaf),
    (new, new_leaf): (&Text<'_>, &Leaf),
    asked: &mut Asked,
) -> (Vec<ScalarChange>, bool) {
    let [was, is] = with_names((old, old_leaf), (new, new_leaf));
    let (a, b) = (old.get(&was), new.get(&is));
    if a == b {
        return (Vec::new(), false);
    }
    let whole = (0..a.len(), 0..b.len());
    let Changed { words, others } = match (old_leaf.kind, new_leaf.kind) {
        (LeafKind::Scalar, LeafKind::Scalar) if is_requoted(old_leaf, a, new_leaf, b) => Changed::default(),
        (LeafKind::Scalar, LeafKind::Scalar) => Changed { words: vec![whole], others: false },
        _ => words::changed(a, b),
    };
    let several = words.len() > 1;
    let change = |(index, (o, n)): (usize, (Range<usize>, Range<usize>))| {
        let line = new_leaf.kind == LeafKind::Line;
        let text = |text: &str, range: &Range<usize>| text.get(range.clone()).unwrap_or("").to_owned();
        let (old_text, new_text) = (text(a, &o), text(b, &n));
        let (old_value, new_value) = if line {
            (unquoted(&old_text).to_owned(), unquoted(&new_text).to_owned())
        } else {
            (old_leaf.value.clone(), new_leaf.value.clone())
        };
        let key = if line { key_of(file, new, new_leaf, b, &n) } else { new_leaf.key.clone() };
        let nth = if several { format!(" (word {})", index + 1) } else { String::new() };
        let address = format!("{}{nth}", new.shown(new_leaf));
        let named = named(new, new_leaf, &key).filter(|name| !name.is_empty());
        let named = lists_versions(file).filter(|_| new_leaf.block().is_empty()).or(named);
        let candidate = Candidate { key: &key, named, old: &old_value, new: &new_value };
        let place = context::place(file, new, new_leaf);
        let found = if place == Place::Open { asked.release_field(candidate) } else { None };
        // In a program `ref` is a word like any other.
        let is_sure = |rule: &FieldRule| {
            *rule != FieldRule::Revision
                || !context::is_source(file)
                || rules::is_surely_version(&old_value) && rules::is_surely_version(&new_value)
        };
        let found = found.filter(is_sure);
        let bare = || bare_version(new, b, &n, &old_value, &new_value);
        let rule = file.fields.rule(&address, &key, found.or_else(bare));
        let switch = context::switch(new_leaf, &old_value, &new_value);
        let by_hand = match place {
            Place::ByHand(what) => Some(what),
            Place::Open if switch == Some(Switch::Slot) => Some(context::SLOT),
            Place::Open if context::migrates(new_leaf) => Some(context::MIGRATION),
            Place::Open | Place::Closed => None,
        };
        ScalarChange {
            rule,
            engine: rule
                .is_some_and(|rule| context::is_engine(new, new_leaf, &[&old_value, &new_value], rule)),
            by_hand: by_hand.filter(|_| rule.is_none()),
            switch: switch.is_some() && rule.is_none(),
            old: was.start + o.start..was.start + o.end,
            new: is.start + n.start..is.start + n.end,
            old_text,
            new_text,
            old_value,
            new_value,
            key,
            block: new_leaf.block().to_owned(),
            named: named.unwrap_or_default().to_owned(),
            address,
            leaf: 0,
            was: None,
            addressed: false,
        }
    };
    (words.into_iter().enumerate().map(change).collect(), others)
}

/// The bytes of two leaves: with the `&name` before them where not both have the same.
fn with_names((old, was): (&Text<'_>, &Leaf), (new, is): (&Text<'_>, &Leaf)) -> [Range<usize>; 2] {
    let whole = |leaf: &Leaf| leaf.anchor.unwrap_or(leaf.span.start)..leaf.span.end;
    let name = |text: &'_ Text<'_>, leaf: &Leaf| {
        leaf.anchor.map(|at| text.get(&(at..leaf.span.start)).trim_end().to_owned())
    };
    match name(old, was) == name(new, is) {
        true => [was.span.clone(), is.span.clone()],
        false => [whole(was), whole(is)],
    }
}

/// The name that tells what a value is of: that of the entry or of the block; of a line's the one in the line beside it.
fn named<'t>(text: &'t Text<'_>, leaf: &'t Leaf, key: &str) -> Option<&'t str> {
    let beside = || {
        let first = text.with_key(leaf.block(), "name").first();
        first.and_then(|leaf| text.leaves.get(*leaf)).map(|leaf| leaf.value.as_str())
    };
    let is_line = leaf.kind == LeafKind::Line;
    if is_line && !leaf.key.is_empty() && key != leaf.key {
        return Some(&leaf.key);
    }
    let by_line = is_line && vocabulary::is(key, WordRole::Value);
    by_line.then(beside).flatten().or(leaf.named.as_deref())
}

/// A name by which everything in a file is a version: `versions.yaml`, `image-tags.env`.
fn lists_versions<'p>(file: &File<'p>) -> Option<&'p str> {
    let name = file.path.rsplit('/').next().unwrap_or("");
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    Some(stem).filter(|stem| rules::lists_versions(stem))
}

/// Other quotes around the same value deploy nothing, unless a number became a text or a text a number.
fn is_requoted(old: &Leaf, old_text: &str, new: &Leaf, new_text: &str) -> bool {
    let by_name = old.brought.is_some() || new.brought.is_some();
    let number = |leaf: &Leaf, text: &str| leaf.value == text && text.parse::<f64>().is_ok();
    old.value == new.value && (by_name || number(old, old_text) == number(new, new_text))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\'', '`'])
}

/// Whether the word is all that the file holds.
fn is_bare(text: &Text<'_>, line: &str, word: &Range<usize>) -> bool {
    text.leaves.len() == 1 && unquoted(text.text.trim()) == unquoted(line.get(word.clone()).unwrap_or(""))
}

/// The rule of a file that is nothing but a version, whatever it is called.
fn bare_version(text: &Text<'_>, line: &str, word: &Range<usize>, old: &str, new: &str) -> Option<FieldRule> {
    let is_versions = || {
        let masked = mask(old);
        masked == mask(new) && masked != old
    };
    (is_bare(text, line, word) && is_versions()).then_some(FieldRule::Version)
}

/// The key of a word in a line: the word before it, else what the line assigns. A file that is nothing but a word has its
/// path for a key.
fn key_of(file: &File<'_>, text: &Text<'_>, leaf: &Leaf, line: &str, word: &Range<usize>) -> String {
    if is_bare(text, line, word) {
        return file.path.to_owned();
    }
    let before = line.get(..word.start).unwrap_or("");
    let assigned = before.trim_end_matches([' ', '\t', '"', '\'', '`']).ends_with(['=', ':']);
    if leaf.key.is_empty() || assigned {
        words::key_before(before).unwrap_or(&leaf.key).to_owned()
    } else {
        leaf.key.clone()
    }
}
