//! What a commit changed in a file: which leaves of the two versions belong together, and what differs between them.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;

mod couple;

use super::leaves::Text;
use super::leaves::leaf::{Leaf, LeafKind};
use super::lines::{Alignment, Counterpart, hunks, is_trifle};
use super::rules::{self, Candidate, FieldRule, release_field};
use super::tokens::{mask, versionless};
use super::types::{Companion, Comparison, File, ScalarChange};
use super::vocabulary::{self, WordRole};
use super::words::{self, Changed};

/// Leaves of two versions that belong together, by their indexes, and those that have no counterpart.
#[derive(Default)]
struct Pairs {
    both: Vec<(usize, usize, bool)>,
    removed: Vec<usize>,
    added: Vec<usize>,
}

/// Leaves with the same address belong together, where there are as many of them; others by their lines.
fn pair(old: &Text<'_>, new: &Text<'_>) -> Pairs {
    let mut pairs = Pairs::default();
    for run in old.addresses() {
        let here = run.first().map_or(&[][..], |leaf| new.at(old.address(*leaf)));
        if here.len() == run.len() {
            let sure = |text: &Text<'_>, leaf: usize| text.leaves.get(leaf).is_some_and(|leaf| leaf.sure);
            let both = run.iter().zip(here);
            pairs.both.extend(both.map(|(o, n)| (*o, *n, run.len() == 1 && sure(old, *o) && sure(new, *n))));
        } else {
            pairs.removed.extend(run);
        }
    }
    for run in new.addresses() {
        if run.first().is_none_or(|leaf| old.at(new.address(*leaf)).len() != run.len()) {
            pairs.added.extend(run);
        }
    }
    if !pairs.removed.is_empty() && !pairs.added.is_empty() {
        pair_by_line(old, new, &mut pairs);
    }
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
    let deployed = couple::Deployed::of(comparison.release_fields());
    for (text, leaves, added) in [(old, &pairs.removed, false), (new, &pairs.added, true)] {
        for leaf in leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)) {
            one_sided(text, leaf, added, &deployed, &mut comparison);
        }
    }
    other_lines(old, new, &mut comparison);
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
    for (o, n, sure) in both {
        let (Some(old_leaf), Some(new_leaf)) = (old.leaves.get(o), new.leaves.get(n)) else { continue };
        let (changes, others) = changes(file, old, old_leaf, new, new_leaf);
        comparison.changes.extend(changes.into_iter().map(|change| ScalarChange {
            leaf: n,
            addressed: sure,
            ..change
        }));
        if others {
            comparison.others.push((shown(new, new_leaf), new_leaf.span.clone(), true));
        }
    }
    comparison.changes.sort_by_key(|change| (change.new.start, change.old.start));
    couple::couple(file, &mut comparison.changes);
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

/// The changes between two leaves that belong together.
fn changes(
    file: &File<'_>,
    old: &Text<'_>,
    old_leaf: &Leaf,
    new: &Text<'_>,
    new_leaf: &Leaf,
) -> (Vec<ScalarChange>, bool) {
    let (a, b) = (old.get(&old_leaf.span), new.get(&new_leaf.span));
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
        let address = format!("{}{nth}", shown(new, new_leaf));
        let named = named(new, new_leaf, &key).filter(|name| !name.is_empty());
        let named = lists_versions(file).filter(|_| new_leaf.block().is_empty()).or(named);
        let candidate = Candidate { key: &key, named, old: &old_value, new: &new_value };
        let about_the_file = is_about_the_file(file, new.text, &new_leaf.address);
        let found = if about_the_file { None } else { release_field(candidate) };
        let bare = || bare_version(new, b, &n, &old_value, &new_value);
        let rule = file.fields.rule(&address, &key, found.or_else(bare));
        ScalarChange {
            rule,
            old: old_leaf.span.start + o.start..old_leaf.span.start + o.end,
            new: new_leaf.span.start + n.start..new_leaf.span.start + n.end,
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

/// The address as people read it: a line that nothing names goes by its number.
fn shown(text: &Text<'_>, leaf: &Leaf) -> String {
    let named = leaf.kind == LeafKind::Scalar || leaf.sure && leaf.address.contains(char::is_alphanumeric);
    if named && !leaf.address.is_empty() {
        leaf.address.clone()
    } else {
        format!("line {}", text.line_of(&leaf.span) + 1)
    }
}

/// Other quotes around the same value deploy nothing, unless a number became a text or a text a number.
fn is_requoted(old: &Leaf, old_text: &str, new: &Leaf, new_text: &str) -> bool {
    let number = |leaf: &Leaf, text: &str| leaf.value == text && text.parse::<f64>().is_ok();
    old.value == new.value && number(old, old_text) == number(new, new_text)
}

fn unquoted(text: &str) -> &str {
    text.trim_matches(['"', '\'', '`'])
}

/// Versions that say how the file is to be read, or how often it was saved, and not what is deployed: of an encrypted
/// file's envelope, of Compose, of a dashboard.
fn is_about_the_file(file: &File<'_>, text: &str, address: &str) -> bool {
    let versioned = || {
        file.path.contains("compose") || text.contains("\nservices:") || text.contains("\"schemaVersion\"")
    };
    address.starts_with("sops.") || address == "version" && versioned()
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

/// A release field that came or went beside one that changed belongs to the deployment, and so does what it is a version
/// of, and a checksum; anything else that came or went does not.
fn one_sided(
    text: &Text<'_>,
    leaf: &Leaf,
    added: bool,
    deployed: &couple::Deployed,
    comparison: &mut Comparison,
) {
    let value = match leaf.kind {
        LeafKind::Scalar => leaf.value.as_str(),
        LeafKind::Line => words::last(&leaf.value),
    };
    let rule = release_field(Candidate { key: &leaf.key, named: None, old: value, new: value });
    let named = rule.filter(|rule| !matches!(rule, FieldRule::VersionToken | FieldRule::Url));
    let of_it = || {
        (vocabulary::is(&leaf.key, WordRole::GoesAlong) || couple::is_hash(value))
            .then_some(FieldRule::Coupled)
    };
    match named.or_else(of_it).filter(|_| deployed.has(leaf, couple::is_hash(value))) {
        Some(rule) => comparison.companions.push(Companion {
            address: leaf.address.clone(),
            rule,
            text: text.get(&leaf.span).to_owned(),
            span: leaf.span.clone(),
            added,
        }),
        None => comparison.others.push((shown(text, leaf), leaf.span.clone(), added)),
    }
}

/// Finds the stretches of lines that differ, and the lines in them that hold no leaf and are no trifles either: aliases,
/// empty mappings, anchors.
fn other_lines(old: &Text<'_>, new: &Text<'_>, comparison: &mut Comparison) {
    comparison.hunks = hunks(&old.lines, &new.lines);
    comparison.moved = has_moved(old, new, &comparison.hunks);
    let mut found = Vec::new();
    for (before, after) in &comparison.hunks {
        let bodies = |text: &'_ Text<'_>, lines: &Range<usize>| -> HashSet<String> {
            lines.clone().map(|line| text.lines.body(line).to_owned()).collect()
        };
        let (old_bodies, new_bodies) = (bodies(old, before), bodies(new, after));
        for (text, lines, others, added) in
            [(old, before, &new_bodies, false), (new, after, &old_bodies, true)]
        {
            for line in lines.clone() {
                let body = text.lines.body(line);
                if !others.contains(body) && !is_trifle(body) && text.on_line(line).is_empty() {
                    found.push((format!("line {}", line + 1), text.lines.range(line), added));
                }
            }
        }
        if is_reordered(old, before, new, after) {
            let address = format!("the order in line {}", after.start + 1);
            found.push((address, new.lines.span(after), true));
        }
    }
    comparison.others.extend(found);
}

/// Whether a line went from one stretch to another.
fn has_moved(old: &Text<'_>, new: &Text<'_>, hunks: &[(Range<usize>, Range<usize>)]) -> bool {
    let (mut came, mut went): (HashSet<&str>, Vec<&str>) = (HashSet::new(), Vec::new());
    for (before, after) in hunks {
        let here: HashSet<&str> = after.clone().map(|line| new.lines.body(line).trim_start()).collect();
        let gone = before.clone().map(|line| old.lines.body(line).trim_start());
        went.extend(gone.filter(|line| !line.is_empty() && !here.contains(line)));
        came.extend(here);
    }
    went.iter().any(|line| came.contains(line))
}

/// Whether the leaves that both stretches hold stand in another order.
fn is_reordered(old: &Text<'_>, before: &Range<usize>, new: &Text<'_>, after: &Range<usize>) -> bool {
    let inside = |text: &'_ Text<'_>, lines: &Range<usize>| -> Vec<String> {
        let leaves = lines.clone().flat_map(|line| text.on_line(line));
        leaves.map(|leaf| text.address(*leaf).to_owned()).collect()
    };
    let (a, b) = (inside(old, before), inside(new, after));
    let (in_a, in_b): (HashSet<&String>, HashSet<&String>) = (a.iter().collect(), b.iter().collect());
    let common_a = a.iter().filter(|address| in_b.contains(address));
    !common_a.eq(b.iter().filter(|address| in_a.contains(address)))
}
