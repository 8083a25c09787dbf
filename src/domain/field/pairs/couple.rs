//! What belongs to a version that changed: the repository beside it, its checksum, its label, and whatever else was
//! changed in the same way.
//!
//! Alone none of these is a release field. Beside one that changed they go back with it: left behind, they would name
//! what does not run.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::LazyLock;

use regex::Regex;

use super::super::leaves::leaf::{Leaf, block};
use super::super::rules::{self, FieldRule};
use super::super::tokens;
use super::super::types::{File, ScalarChange};
use super::super::vocabulary::{self, WordRole};

/// The most versions of one commit that are looked for in its other changes.
const MAX_VERSIONS: usize = 500;

/// The shortest version that is looked for in other values, in bytes.
const MIN_VERSION: usize = 3;

/// Where the release fields of a commit are, and what they are about.
pub(super) struct Deployed {
    blocks: BTreeSet<String>,
    stems: HashSet<(String, Vec<String>)>,
}

impl Deployed {
    pub(super) fn of<'c>(fields: impl Iterator<Item = &'c ScalarChange>) -> Self {
        let (mut blocks, mut stems) = (BTreeSet::new(), HashSet::new());
        for field in fields {
            let block = field.block.clone();
            blocks.insert(block.clone());
            stems.insert((block, vocabulary::stem(&field.key).0));
        }
        Self { blocks, stems }
    }

    /// Adds one that came or went.
    pub(super) fn add(&mut self, block: &str, key: &str) {
        self.blocks.insert(block.to_owned());
        self.stems.insert((block.to_owned(), vocabulary::stem(key).0));
    }

    /// Whether a leaf stands beside one of them and is about the same. A checksum may be in a list beside them, a digest
    /// in the block around theirs.
    pub(super) fn has(&self, leaf: &Leaf, is_hash: bool) -> bool {
        let (own, stem) = (leaf.block(), vocabulary::stem(&leaf.key).0);
        let digest = leaf.key.to_lowercase().ends_with("digest") && stem.is_empty();
        let around = || {
            let below = self
                .blocks
                .range::<str, _>((Bound::Included(own), Bound::Unbounded))
                .next()
                .is_some_and(|block| block.starts_with(own));
            let ends = own.char_indices().map(|(at, _)| at).chain([own.len()]);
            below || ends.filter_map(|end| own.get(..end)).any(|above| self.blocks.contains(above))
        };
        // `image: a/b` that has become `image: {repository: a/b, tag: v2}`, and the other way round.
        let is_split = self.blocks.contains(&leaf.address);
        is_split
            || self.stems.contains(&(own.to_owned(), stem))
            || is_hash && (self.blocks.contains(own) || !own.is_empty() && self.blocks.contains(block(own)))
            || digest && around()
    }
}

/// Marks the changes that belong to a release field of the same file.
pub(super) fn couple(file: &File<'_>, changes: &mut [ScalarChange]) {
    if changes.iter().all(|change| change.rule.is_some()) {
        return;
    }
    let (mut versions, mut blocks) = (BTreeSet::new(), BTreeSet::new());
    for change in changes.iter().filter(|change| change.rule.is_some()) {
        versions.extend(versions_of(change));
        blocks.insert(change.block.clone());
    }
    if blocks.is_empty() {
        return;
    }
    // A commit that moves this many versions is no single deployment: nothing is concluded from one to the other.
    let versions = if versions.len() > MAX_VERSIONS { BTreeSet::new() } else { versions };
    let open = |change: &&mut ScalarChange| change.rule.is_none() && !change.address.starts_with("sops.");
    for change in changes.iter_mut().filter(open) {
        let mut around = change.block.as_str();
        let beside = blocks.contains(around);
        while !around.is_empty() && !blocks.contains(around) {
            around = block(around);
        }
        let within = blocks.contains(around);
        let coupled = changed_alike(change, &versions)
            || vocabulary::is(&change.key, WordRole::GoesAlong) && beside
            || is_checksum(change) && within
            || is_time(change);
        let rule = coupled.then_some(FieldRule::Coupled);
        change.rule = file.fields.rule(&change.address, &change.key, rule);
    }
}

/// The versions that a release field went from and to.
fn versions_of(change: &ScalarChange) -> Vec<(String, String)> {
    let (old, new) = (change.old_value.as_str(), change.new_value.as_str());
    let rest = |text: &'_ str| {
        tokens::image_parts(text).map(|(_, rest)| rest.trim_start_matches([':', '@']).to_owned())
    };
    let whole = (old.to_owned(), new.to_owned());
    let tags = rest(old).zip(rest(new));
    let (old_tokens, new_tokens) = (tokens::version_tokens(old), tokens::version_tokens(new));
    let tokens = if old_tokens.len() == new_tokens.len() {
        old_tokens.into_iter().zip(new_tokens).collect()
    } else {
        Vec::new()
    };
    let mut versions: Vec<(String, String)> = [whole].into_iter().chain(tags).chain(tokens).collect();
    let spelled: [fn(&str) -> Option<String>; 4] = [
        major_and_minor,
        |text| text.strip_prefix('v').map(str::to_owned),
        |text| text.contains('.').then(|| text.replace('.', "-")),
        |text| text.contains('.').then(|| text.replace('.', "_")),
    ];
    for spell in spelled {
        let others: Vec<_> = versions.iter().filter_map(|(old, new)| spell(old).zip(spell(new))).collect();
        versions.extend(others);
    }
    let tells = |text: &String| text.len() >= MIN_VERSION && text.contains(|c: char| c.is_ascii_digit());
    versions.retain(|(old, new)| old != new && tells(old));
    versions
}

/// `3.6` of `3.6.1`: as a protocol or a line of releases is called.
fn major_and_minor(text: &str) -> Option<String> {
    let mut parts = text.split('.');
    let (major, minor, _) = (parts.next()?, parts.next()?, parts.next()?);
    minor.chars().all(|c| c.is_ascii_digit()).then(|| format!("{}.{minor}", major.trim_start_matches('v')))
}

/// Whether putting the new version for the old one is all that happened to the value.
fn changed_alike(change: &ScalarChange, versions: &BTreeSet<(String, String)>) -> bool {
    // `3.6` may be any number, unless it becomes just what `3.6.1` has become; the same of `LINE=3.6`.
    let assigned = |text: &'_ str| text.rsplit('=').next().unwrap_or(text).to_owned();
    let is_one = || versions.contains(&(assigned(&change.old_value), assigned(&change.new_value)));
    !rules::is_denied(&change.key)
        && (!tokens::denied_value(&change.old_value) || is_one())
        && versions.iter().any(|(old, new)| {
            replaced(&change.old_value, old, new).is_some_and(|text| text == change.new_value)
        })
}

/// `text` with each `old` that is not a part of a longer number replaced; `None` where there is none.
fn replaced(text: &str, old: &str, new: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut found = false;
    while let Some(start) = text.get(at..)?.find(old).map(|place| at + place) {
        let (before, after) = (text.get(..start)?, text.get(start + old.len()..)?);
        let longer = before.ends_with(|c: char| c.is_ascii_digit() || c == '.')
            || after.starts_with(|c: char| c.is_ascii_digit())
            || after.starts_with('.') && after.get(1..)?.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(text.get(at..start)?);
        out.push_str(if longer { old } else { new });
        found |= !longer;
        at = start + old.len();
    }
    out.push_str(text.get(at..)?);
    found.then_some(out)
}

static HASH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(?:(?:sha\d+|md5|h1|zh)[:-])?(?:[0-9a-f]{32,128}|[A-Za-z0-9+/_-]{43,88}={0,2}|[0-9a-z]{52})$",
    )
    .ok()
});

/// Whether a value is a checksum.
pub(super) fn is_hash(value: &str) -> bool {
    HASH.as_ref().is_some_and(|regex| regex.is_match(value))
}

/// Whether both values are checksums, and are called so.
pub(in super::super) fn is_checksum(change: &ScalarChange) -> bool {
    let named = format!("{} {}", change.key, change.named).to_lowercase();
    vocabulary::mentions(&named, WordRole::Checksum)
        && is_hash(&change.old_value)
        && is_hash(&change.new_value)
}

/// Whether both values are the time at which something was made.
fn is_time(change: &ScalarChange) -> bool {
    let key = change.key.to_lowercase();
    let time =
        |text: &str| text.len() >= 8 && text.chars().all(|c| c.is_ascii_digit() || "-:.+TZ ".contains(c));
    vocabulary::mentions(&key, WordRole::Time) && time(&change.old_value) && time(&change.new_value)
}
