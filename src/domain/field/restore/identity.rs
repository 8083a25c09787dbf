//! Whether what is found at a field's place is still a version of the same thing: the texts beside and around it say so.

use std::collections::HashMap;

use super::super::leaves::Text;
use super::super::leaves::leaf::{Leaf, LeafKind, block};
use super::super::lines::comment_start;
use super::super::rules::{Candidate, release_field};
use super::super::tokens::{keeps_copies, versionless};
use super::super::vocabulary::{self, WordRole, stem};

/// The most fields beside one that are looked at.
const MAX_SIBLINGS: usize = 1_000;
/// How many blocks around a field are looked at.
const MAX_DEPTH: usize = 32;
/// The versions of a file in which the texts around a field are compared.
pub(super) struct Versions<'t> {
    pub(super) bad: &'t Text<'t>,
    pub(super) current: &'t Text<'t>,
}

impl<'t> Versions<'t> {
    /// Whether what stands beside a field names another thing by now: the same version of that is another deployment. Of
    /// a field without a sure address, all texts beside it have to be the same.
    pub(super) fn is_of_another(&self, bad: &Leaf, now: &Leaf) -> bool {
        let (then, here) = (bad.block(), now.block());
        let another = |leaves: &[usize], (then, here): (&str, &str)| {
            // Of each key the nearest counts, and is looked for once.
            let mut nearest: HashMap<&str, Option<&Leaf>> = HashMap::new();
            let mut leaves = leaves.iter().filter_map(|leaf| self.bad.leaves.get(*leaf));
            leaves.any(|leaf| {
                let nearest =
                    *nearest.entry(&leaf.key).or_insert_with(|| nearest_of(self.bad, then, &leaf.key, bad));
                leaf.key != bad.key
                    && nearest.is_some_and(|nearest| nearest.span == leaf.span)
                    && self.says_another(leaf, here, now)
            })
        };
        let siblings = self.bad.in_block(then);
        if !bad.sure && (siblings.len() > MAX_SIBLINGS || another(siblings, (then, here))) {
            return true;
        }
        let (stem, _) = stem(&bad.key);
        let labels = vocabulary::with(WordRole::Labels).any(|block| then.ends_with(block));
        let outer = (block(then), block(here));
        !labels && another(self.bad.things(then, &stem), (then, here))
            // The head of a list's item stands for the whole item.
            || another(self.bad.things(&bad.address, &stem), (&bad.address, &now.address))
            || vocabulary::with(WordRole::Location).any(|key| another(self.bad.with_key(outer.0, key), outer))
            || self.refers_elsewhere(then, here)
    }

    /// Whether what stands beside a place is what stood there: each version, and each name of what a version is of, that could be about the
    /// same as `key`. What came since could say otherwise what the field said, or be a version of something else.
    pub(super) fn is_same_beside(&self, key: &str, then: &str, here: &str) -> bool {
        let (about, _) = stem(key);
        let tells = |leaf: &Leaf| {
            let candidate = Candidate { key: &leaf.key, named: None, old: &leaf.value, new: &leaf.value };
            vocabulary::is(&leaf.key, WordRole::GoesAlong)
                || leaf.key == "path"
                || release_field(candidate).is_some()
        };
        let was_there = |leaf: &Leaf| {
            let same = self.bad.with_key(then, &leaf.key).iter();
            same.filter_map(|same| self.bad.leaves.get(*same)).any(|same| same.value == leaf.value)
        };
        let leaves = self.current.in_block(here);
        let mut leaves = leaves.iter().filter_map(|leaf| self.current.leaves.get(*leaf));
        // Beside a reference to a source stands the path in it.
        let is_about = |leaf: &Leaf| stem(&leaf.key).0 == about || key.is_empty() && leaf.key == "path";
        leaves.all(|leaf| leaf.key == key || !is_about(leaf) || !tells(leaf) || was_there(leaf))
    }

    /// The same for what says where a version comes from: around a reference to a source, too.
    pub(super) fn is_same_around(&self, bad: &Leaf, now: &Leaf) -> bool {
        let (then, here) = (bad.block(), now.block());
        let is_reference = ["sourceRef", "chartRef"].iter().any(|key| then.ends_with(key));
        // The version of a source stands in a block of its own, and beside a path or a place.
        let within = |block: &str| format!("{block}.ref");
        self.is_same_beside(&bad.key, then, here)
            && self.is_same_beside("", &within(then), &within(here))
            && (!matches!(bad.key.as_str(), "path" | "repo") || self.is_same_beside("", then, here))
            && (!is_reference || self.is_same_beside("", block(then), block(here)))
    }

    /// Whether a block around a field refers to another source or target by now.
    fn refers_elsewhere(&self, mut then: &str, mut here: &str) -> bool {
        for _ in 0..MAX_DEPTH {
            for reference in ["sourceRef.name", "target.name"] {
                let text = |text: &'t Text<'t>, block: &str| match text.at(&format!("{block}.{reference}")) {
                    [leaf] => text.leaves.get(*leaf).map(|leaf| leaf.value.as_str()),
                    _ => None,
                };
                if text(self.bad, then).zip(text(self.current, here)).is_some_and(|(then, now)| then != now) {
                    return true;
                }
            }
            if then.is_empty() {
                return false;
            }
            (then, here) = (block(then), block(here));
        }
        false
    }

    /// Whether a leaf beside a field, the nearest of its key, has another text by now. What is gone says nothing, and numbers
    /// name no thing.
    fn says_another(&self, sibling: &Leaf, here: &str, field: &Leaf) -> bool {
        let Some(now) = nearest_of(self.current, here, &sibling.key, field) else { return false };
        let text = |leaf: &Leaf| match leaf.kind {
            LeafKind::Scalar => versionless(&leaf.value),
            LeafKind::Line => versionless(leaf.value.get(..comment_start(&leaf.value)).unwrap_or("")),
        };
        let is_text = sibling.value.contains(char::is_alphabetic)
            && !matches!(sibling.value.as_str(), "true" | "false");
        let release =
            release_field(Candidate { key: &sibling.key, named: None, old: &sibling.value, new: &now.value });
        let (_, names) = stem(&sibling.key);
        let around = sibling.block().rsplit(['.', ' ', '[']).next().unwrap_or("");
        if sibling.key == "repository" && keeps_copies(around, &sibling.value) {
            return false;
        }
        is_text && (names || release.is_none()) && text(sibling) != text(now)
    }
}

/// Of several leaves of a block that stand under a key, the one nearest to another leaf: it is the one beside it.
fn nearest_of<'t>(text: &'t Text<'_>, block: &str, key: &str, of: &Leaf) -> Option<&'t Leaf> {
    if key.is_empty() {
        return None;
    }
    let line = text.line_of(&of.span);
    let same = text.with_key(block, key).iter().filter_map(|leaf| text.leaves.get(*leaf));
    same.min_by_key(|leaf| text.line_of(&leaf.span).abs_diff(line))
}
