//! Finding, comparing and splicing the bytes of fields.
//!
//! [`compare`] says which scalars a commit changed in a file and which of them are release fields; [`revert`] puts
//! exactly those back in a later version of the file, where they still hold the bad value. Nothing is ever written out
//! from a parsed form: the old source text is spliced in, and every other byte stays.

pub mod lines;
pub mod rules;
mod splice;
pub mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;

pub use rules::FieldRule;
use rules::{Candidate, release_field};
use splice::{Splicer, splice};
use yaml::Leaf;

/// A scalar that a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalarChange {
    /// Where it is, for people and for finding it again.
    pub address: String,
    /// The rule that makes it a release field, if one does.
    pub rule: Option<FieldRule>,
    /// Its bytes in the file before.
    pub old: Range<usize>,
    /// Its bytes in the file after.
    pub new: Range<usize>,
    /// Its source text before, quotes included.
    pub old_text: String,
    /// Its source text after, quotes included.
    pub new_text: String,
    /// Its value after, without quotes.
    new_value: String,
    /// Which of the scalars with the same address it is in the file after, and of how many.
    place: (usize, usize),
    /// Whether the address finds it again in any version of the file. A line or a mere place in a list does not: those are
    /// followed from version to version.
    pub addressed: bool,
}

/// A release field that was added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Where it is.
    pub address: String,
    /// Its bytes in the file before, if it was removed, or after, if it was added.
    span: Range<usize>,
    added: bool,
}

/// What a commit changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The scalars with another value, in the order of the file before.
    pub changes: Vec<ScalarChange>,
    /// Release fields that were added or removed, by address.
    pub companions: Vec<Companion>,
    /// Anything else that was added or removed, by address.
    pub others: Vec<String>,
}

impl Comparison {
    /// The changed release fields.
    pub fn release_fields(&self) -> impl Iterator<Item = &ScalarChange> {
        self.changes.iter().filter(|change| change.rule.is_some())
    }

    /// The addresses of what else changed.
    pub fn left_behind(&self) -> impl Iterator<Item = &str> {
        let scalars =
            self.changes.iter().filter(|change| change.rule.is_none()).map(|change| change.address.as_str());
        scalars.chain(self.others.iter().map(String::as_str))
    }
}

/// Compares two versions of a file: as YAML where both are, and line by line otherwise.
#[must_use]
pub fn compare(before: &str, after: &str) -> Comparison {
    match (yaml::leaves(before), yaml::leaves(after)) {
        (Some(old), Some(new)) if has_structure(&old) && has_structure(&new) => {
            compare_leaves(before, &old, after, &new)
        }
        _ => compare_lines(before, after, 0, 0, ""),
    }
}

/// Whether the parse found more than one bare text, which every file is.
fn has_structure(leaves: &[Leaf]) -> bool {
    leaves.iter().any(|leaf| !leaf.key.is_empty())
}

fn by_address(leaves: &[Leaf]) -> BTreeMap<&str, Vec<&Leaf>> {
    let mut map: BTreeMap<&str, Vec<&Leaf>> = BTreeMap::new();
    for leaf in leaves {
        map.entry(&leaf.address).or_default().push(leaf);
    }
    map
}

fn compare_leaves(before: &str, old: &[Leaf], after: &str, new: &[Leaf]) -> Comparison {
    let (old_map, new_map) = (by_address(old), by_address(new));
    let mut comparison = Comparison::default();
    for (address, old) in &old_map {
        match new_map.get(address) {
            Some(new) if new.len() == old.len() => {
                let count = new.len();
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    compare_pair(before, old, after, new, (index, count), &mut comparison);
                }
            }
            Some(new) => comparison.others.extend(new.iter().map(|leaf| leaf.address.clone())),
            None => old.iter().for_each(|leaf| comparison.add_one_sided(leaf, false)),
        }
    }
    for (address, leaves) in &new_map {
        if !old_map.contains_key(address) {
            leaves.iter().for_each(|leaf| comparison.add_one_sided(leaf, true));
        }
    }
    comparison.changes.sort_by_key(|change| change.old.start);
    comparison
}

impl Comparison {
    fn add_one_sided(&mut self, leaf: &Leaf, added: bool) {
        let candidate =
            Candidate { key: &leaf.key, named: leaf.named.as_deref(), old: &leaf.value, new: &leaf.value };
        match release_field(candidate) {
            Some(_) => {
                let (address, span) = (leaf.address.clone(), leaf.span.clone());
                self.companions.push(Companion { address, span, added });
            }
            None => self.others.push(leaf.address.clone()),
        }
    }
}

fn compare_pair(
    before: &str,
    old: &Leaf,
    after: &str,
    new: &Leaf,
    place: (usize, usize),
    comparison: &mut Comparison,
) {
    let old_text = before.get(old.span.clone()).unwrap_or("");
    let new_text = after.get(new.span.clone()).unwrap_or("");
    let one_line = !old_text.contains('\n') && !new_text.contains('\n');
    // Other quotes around the same value deploy nothing.
    if old_text == new_text || one_line && old.value == new.value {
        return;
    }
    if old_text.contains('\n') || new_text.contains('\n') {
        let lines = compare_lines(old_text, new_text, old.span.start, new.span.start, &old.address);
        comparison.changes.extend(lines.changes);
        comparison.others.extend(lines.others);
        return;
    }
    comparison.changes.push(ScalarChange {
        address: old.address.clone(),
        rule: release_field(Candidate {
            key: &new.key,
            named: new.named.as_deref(),
            old: &old.value,
            new: &new.value,
        }),
        old: old.span.clone(),
        new: new.span.clone(),
        old_text: old_text.to_owned(),
        new_text: new_text.to_owned(),
        new_value: new.value.clone(),
        place,
        addressed: !old.by_index && !new.by_index,
    });
}

fn compare_lines(before: &str, after: &str, old_base: usize, new_base: usize, within: &str) -> Comparison {
    let found = lines::compare(before, after);
    let mut comparison = Comparison::default();
    for change in found.changes {
        let old_text = before.get(change.old.clone()).unwrap_or("").to_owned();
        let new_text = after.get(change.new.clone()).unwrap_or("").to_owned();
        let number = after.get(..change.new.start).unwrap_or("").matches('\n').count() + 1;
        let place = if change.key.is_empty() {
            format!("line {number}")
        } else {
            format!("line {number} ({})", change.key)
        };
        comparison.changes.push(ScalarChange {
            address: if within.is_empty() { place } else { format!("{within} > {place}") },
            rule: release_field_of_line(&change.key, &old_text, &new_text),
            old: change.old.start + old_base..change.old.end + old_base,
            new: change.new.start + new_base..change.new.end + new_base,
            new_value: new_text.clone(),
            old_text,
            new_text,
            place: (0, 1),
            addressed: false,
        });
    }
    if found.others > 0 {
        comparison.others.push(format!(
            "{within}{}{} lines",
            if within.is_empty() { "" } else { " > " },
            found.others
        ));
    }
    comparison
}

/// A line has no structure to tell its key, so a bare version counts as well: a file that is nothing but a version.
fn release_field_of_line(key: &str, old: &str, new: &str) -> Option<FieldRule> {
    let bare = key.is_empty() && rules::mask(old) == rules::mask(new);
    release_field(Candidate { key, named: None, old, new }).or_else(|| {
        let candidate = Candidate { key: "version", named: None, old, new };
        if bare && !old.contains(char::is_whitespace) { release_field(candidate) } else { None }
    })
}

/// What became of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldOutcome {
    /// It held the bad value and holds the old one now.
    Restored,
    /// It held the old value already.
    AlreadyBack,
    /// It holds a third value; left alone.
    Superseded(String),
    /// It is not in the file any more; left alone.
    Gone,
}

/// One field of a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldResult {
    /// Where it is.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// Its source text before the bad commit.
    pub old_text: String,
    /// Its source text after the bad commit.
    pub new_text: String,
    /// What became of it.
    pub outcome: FieldOutcome,
}

/// A file with the bad fields put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Every release field that the bad commit changed in it.
    pub fields: Vec<FieldResult>,
    /// The addresses of what else the bad commit changed here, and what stays as it is.
    pub left_behind: Vec<String>,
}

/// Why a file is not reverted by machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// The bad commit changed no release field in it.
    #[error("the commit changed no release field in it")]
    NoReleaseField,
    /// The bad commit added or removed a release field besides, and the file has changed since.
    #[error("the commit also added or removed {0}, and the file holds other changes: put it back by hand")]
    Companion(String),
    /// The bad commit changed what the version is of, too: the old version of the new thing was never deployed.
    #[error(
        "the commit also changed {0}, and the old version of what that names now was never deployed: put it back by hand"
    )]
    Identity(String),
    /// It cannot be told which of several places is meant.
    #[error("{0} cannot be told apart from others like it: put it back by hand")]
    Ambiguous(String),
}

/// Puts the release fields that a bad commit changed (`parent` → `bad`) back in `current`, wherever they still hold the
/// bad value. Where nothing else has happened to the file, and the commit changed nothing else in it, that gives `parent`
/// byte for byte.
///
/// # Errors
/// Says why it is not clear what to do; then nothing may be done.
pub fn revert(parent: &[u8], bad: &[u8], current: &[u8]) -> Result<Reverted, Refusal> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_not_utf8| Refusal::NotText);
    let (parent, bad, current) = (text(parent)?, text(bad)?, text(current)?);
    let comparison = compare(parent, bad);
    let mut left_behind: Vec<String> = comparison.left_behind().map(str::to_owned).collect();
    if comparison.release_fields().next().is_none() {
        return Err(Refusal::NoReleaseField);
    }
    if let Some(address) = changed_identity(&comparison) {
        return Err(Refusal::Identity(address));
    }
    let leaves = yaml::leaves(current);
    let splicer = Splicer { parent, bad, current, leaves: leaves.as_deref(), comparison: &comparison };
    let mut fields = Vec::new();
    let mut edits = Vec::new();
    for change in comparison.release_fields() {
        let (outcome, edit) = splicer.locate(change)?;
        edits.extend(edit);
        fields.push(result(change, outcome));
    }
    let spliced = splice(current, edits);
    if current == bad && left_behind.is_empty() {
        if only_trifles(&spliced, parent, &companion_lines(parent, bad, &comparison)) {
            return Ok(Reverted { bytes: parent.as_bytes().to_vec(), fields, left_behind });
        }
        left_behind.push("lines that hold no value of their own".to_owned());
    }
    match comparison.companions.first() {
        Some(companion) => Err(Refusal::Companion(companion.address.clone())),
        None => Ok(Reverted { bytes: spliced.into_bytes(), fields, left_behind }),
    }
}

/// What a version beside it is of: where that changed in the same commit, the old version does not fit any more.
fn changed_identity(comparison: &Comparison) -> Option<String> {
    const NAMES: [&str; 7] = ["repository", "registry", "newName", "repoURL", "url", "chart", "name"];
    let parts = |address: &'_ str| address.rsplit_once('.').map(|(of, key)| (of.to_owned(), key.to_owned()));
    let split = |address: &str| parts(address).unwrap_or_else(|| (String::new(), address.to_owned()));
    let places: Vec<String> = comparison.release_fields().map(|change| split(&change.address).0).collect();
    let others = comparison.changes.iter().filter(|change| change.rule.is_none());
    let identity = |change: &&ScalarChange| {
        let (of, key) = split(&change.address);
        NAMES.contains(&key.as_str()) && places.contains(&of)
    };
    others.into_iter().find(identity).map(|change| change.address.clone())
}

/// The lines of the release fields that the bad commit added or removed.
fn companion_lines(parent: &str, bad: &str, comparison: &Comparison) -> Vec<String> {
    let line = |companion: &Companion| {
        let text = if companion.added { bad } else { parent };
        Some(text.get(lines::line_of(text, &companion.span)?)?.trim().to_owned())
    };
    comparison.companions.iter().filter_map(line).collect()
}

/// Whether two texts differ in nothing but line ends, comments, empty lines and the lines that are `known`.
fn only_trifles(one: &str, other: &str, known: &[String]) -> bool {
    let texts =
        |text: &'_ str| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
    let (one, other) = (texts(one), texts(other));
    let trifle = |line: &String| {
        let line = line.trim();
        line.is_empty()
            || line.starts_with('#')
            || line.starts_with("//")
            || known.iter().any(|known| known == line)
    };
    let of = |lines: &[String], from: usize, count: usize| lines.iter().skip(from).take(count).all(trifle);
    let ops = similar::capture_diff_slices(similar::Algorithm::Histogram, &one, &other);
    ops.into_iter().all(|op| {
        let (_, one_range, other_range) = op.as_tag_tuple();
        matches!(op, similar::DiffOp::Equal { .. })
            || of(&one, one_range.start, one_range.len()) && of(&other, other_range.start, other_range.len())
    })
}

fn result(change: &ScalarChange, outcome: FieldOutcome) -> FieldResult {
    FieldResult {
        address: change.address.clone(),
        rule: change.rule.unwrap_or(FieldRule::VersionToken),
        old_text: change.old_text.clone(),
        new_text: change.new_text.clone(),
        outcome,
    }
}

#[cfg(test)]
mod tests;
