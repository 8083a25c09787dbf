//! What came or went: release fields that are deployments by themselves, what belongs to one that changed, and the rest.

use std::collections::{HashMap, HashSet};

use super::super::context::{self, Place};
use super::super::leaves::Text;
use super::super::leaves::leaf::{Leaf, LeafKind};
use super::super::rules::{Candidate, FieldRule, is_surely_version, names_release, release_field};
use super::super::tokens::version_of;
use super::super::types::{Companion, Comparison, File, PartOf};
use super::super::vocabulary::{self, WordRole};
use super::super::words;
use super::couple::{Deployed, is_hash};

/// A leaf that only one of two versions has.
struct OneSided<'t> {
    leaf: &'t Leaf,
    value: &'t str,
    added: bool,
    /// Why it would count as a release field.
    rule: Option<FieldRule>,
    /// Whether it is a deployment by itself.
    alone: bool,
    /// Whether it would be one if no other release field of the file had changed.
    beside: bool,
}

/// Adds what came or went: `removed` are leaves of the version before, `added` of the one after.
///
/// A release field that came or went is a deployment where no other one changed in the file, unless it was only put elsewhere or its
/// whole document came or went. Where another one changed, the deployment is one piece. Beside one belong what it is a version of, and checksums. Anything else that came or went does not.
pub(super) fn find(
    file: &File<'_>,
    (old, removed): (&Text<'_>, &[usize]),
    (new, added): (&Text<'_>, &[usize]),
    comparison: &mut Comparison,
) {
    if removed.is_empty() && added.is_empty() {
        return;
    }
    let mut all: Vec<OneSided<'_>> = Vec::new();
    for (text, other, leaves, added) in [(old, new, removed, false), (new, old, added, true)] {
        let leaves = leaves.iter().filter_map(|leaf| text.leaves.get(*leaf));
        all.extend(leaves.map(|leaf| one_sided(file, (text, other), leaf, added)));
    }
    leave_moved(&mut all);
    // Beside a field that changed they may be a part of something new: that goes back with the rest of the deployment.
    let is_beside = comparison.release_fields().next().is_some();
    // The name of an image is a part of the version that came or went with it.
    let versions = all.iter().filter(|one| one.rule.is_some_and(|rule| rule != FieldRule::Origin));
    let versions: HashSet<String> = versions.map(|one| one.leaf.block().to_owned()).collect();
    for one in &mut all {
        let is_part = one.rule == Some(FieldRule::Origin) && versions.contains(one.leaf.block());
        one.beside = one.alone && is_beside && !is_part;
        one.alone &= !is_beside && !is_part;
        one.rule = one.rule.filter(|rule| one.alone || *rule != FieldRule::Origin);
    }
    let mut deployed = Deployed::of(comparison.release_fields());
    for one in all.iter().filter(|one| one.alone) {
        deployed.add(one.leaf.block(), &one.leaf.key);
    }
    let migration = all.iter().find(|one| one.added && context::migrates(one.leaf));
    comparison.migrates = comparison.migrates.take().or(migration.map(|one| one.leaf.address.clone()));
    for one in &all {
        let text = if one.added { new } else { old };
        let is_hash = is_hash(one.value);
        let goes_along = vocabulary::is(&one.leaf.key, WordRole::GoesAlong) || is_hash;
        let rule = one.rule.or(goes_along.then_some(FieldRule::Coupled));
        match rule.filter(|_| one.alone || deployed.has(one.leaf, is_hash)) {
            Some(rule) => comparison.companions.push(Companion {
                address: one.leaf.address.clone(),
                rule,
                key: one.leaf.key.clone(),
                text: text.get(&one.leaf.span).to_owned(),
                value: one.value.to_owned(),
                added: one.added,
                part: match one.alone {
                    true => PartOf::Alone { engine: context::is_engine(text, one.leaf, &[one.value], rule) },
                    false => PartOf::Beside,
                },
                addressed: one.leaf.sure,
                beneath: None,
                span: one.leaf.span.clone(),
            }),
            None => {
                comparison.others.push((text.shown(one.leaf), one.leaf.span.clone(), one.added));
                if one.beside {
                    comparison.came_or_went.get_or_insert_with(|| one.leaf.address.clone());
                }
            }
        }
    }
}

/// The versions that a text holds, each with its address: what would be a deployment by itself if it came.
pub(in super::super) fn versions(file: &File<'_>, text: &Text<'_>) -> Vec<(String, String)> {
    let present = text.leaves.iter().map(|leaf| one_sided(file, (text, text), leaf, true));
    let is_version = |rule: FieldRule| {
        !matches!(rule, FieldRule::Origin | FieldRule::Coupled | FieldRule::Configured | FieldRule::ByHand)
    };
    let versions = present.filter(|one| one.alone && one.rule.is_some_and(is_version));
    versions.map(|one| (one.leaf.address.clone(), one.value.to_owned())).collect()
}

/// What was written over what a merge brings, or is not any more.
pub(super) fn overridden(
    file: &File<'_>,
    (old, new): (&Text<'_>, &Text<'_>),
    over: &[(usize, usize)],
    comparison: &mut Comparison,
) {
    for (o, n) in over {
        let (Some(was), Some(is)) = (old.leaves.get(*o), new.leaves.get(*n)) else { continue };
        if was.value == is.value {
            continue;
        }
        let (text, leaf, other, added) = match was.is_within_alias() {
            true => (new, is, was, true),
            false => (old, was, is, false),
        };
        let candidate =
            Candidate { key: &leaf.key, named: leaf.named.as_deref(), old: &was.value, new: &is.value };
        match file.fields.rule(&leaf.address, &leaf.key, release_field(candidate)) {
            Some(rule) => comparison.companions.push(Companion {
                address: leaf.address.clone(),
                rule,
                text: text.get(&leaf.span).to_owned(),
                added,
                addressed: leaf.sure,
                part: PartOf::Alone { engine: context::is_engine(text, leaf, &[&was.value], rule) },
                key: leaf.key.clone(),
                value: leaf.value.clone(),
                beneath: Some(other.value.clone()),
                span: leaf.span.clone(),
            }),
            None => comparison.others.push((text.shown(leaf), leaf.span.clone(), added)),
        }
    }
}

fn one_sided<'t>(
    file: &File<'_>,
    (text, other): (&Text<'t>, &Text<'_>),
    leaf: &'t Leaf,
    added: bool,
) -> OneSided<'t> {
    let value = words::value_of(leaf);
    let named = leaf.named.as_deref().filter(|_| leaf.kind == LeafKind::Scalar);
    let found = release_field(Candidate { key: &leaf.key, named, old: value, new: value });
    // A version that only its look tells may be anything where there is nothing to hold it against.
    let named = found.filter(|rule| !matches!(rule, FieldRule::VersionToken | FieldRule::Url));
    let named = named.or_else(|| names_image(text, leaf));
    let rule = match context::place(file, text, leaf) {
        Place::Open => file.fields.rule(&leaf.address, &leaf.key, named),
        Place::Closed | Place::ByHand(_) => None,
    };
    let is_setting = leaf.kind == LeafKind::Scalar || context::holds_settings(file);
    // A branch may be anything, where there is no other one to hold it against.
    let is_version = rule != Some(FieldRule::Revision) || is_surely_version(value) || is_hash(value);
    let is_known = !leaf.key.is_empty() && leaf.sure && is_setting && is_version && is_in_both(leaf, other);
    OneSided { leaf, value, added, rule, alone: rule.is_some() && is_known, beside: false }
}

/// Whether a leaf says which image is deployed: its repository, its registry, its `newName`.
fn names_image(text: &Text<'_>, leaf: &Leaf) -> Option<FieldRule> {
    let words = vocabulary::words_of(&leaf.key);
    let is_name = leaf.key == "newName"
        || words.last().is_some_and(|last| matches!(last.as_str(), "repository" | "registry"));
    let (named, value) = (leaf.named.as_deref(), leaf.value.as_str());
    let candidate = Candidate { key: &leaf.key, named, old: value, new: value };
    let is_scalar = leaf.kind == LeafKind::Scalar;
    (is_scalar && is_name).then(|| names_release(candidate, &context::origin(text, leaf))).flatten()
}

/// Whether the document that a leaf is in is in the other version, too.
fn is_in_both(leaf: &Leaf, other: &Text<'_>) -> bool {
    let document = leaf.address.split_once(": ").map(|(name, _)| name).filter(|name| !name.contains('['));
    document.is_none_or(|name| leaf.kind == LeafKind::Line || !other.under(&format!("{name}: ")).is_empty())
}

/// What stands elsewhere now was not deployed: of what came and went with the same version neither is a deployment by itself.
fn leave_moved(all: &mut [OneSided<'_>]) {
    let mut versions: HashMap<&str, (usize, usize)> = HashMap::new();
    for one in all.iter() {
        let (went, came) = versions.entry(version_of(one.value)).or_default();
        *if one.added { came } else { went } += 1;
    }
    for one in all.iter_mut() {
        let (went, came) = versions.get(version_of(one.value)).copied().unwrap_or_default();
        one.alone &= went == 0 || came == 0;
    }
}
