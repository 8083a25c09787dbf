//! Finding, comparing and splicing the bytes of fields.
//!
//! [`compare`] says which scalars a commit changed in a file and which of them are release fields; [`revert`] puts
//! exactly those back in a later version of the file, where they still hold the bad value. Nothing is ever written out
//! from a parsed form: the old source text is spliced in, and every other byte stays.

pub mod lines;
pub mod rules;
pub mod yaml;

use std::collections::BTreeMap;
use std::ops::Range;

pub use rules::FieldRule;
use rules::{Candidate, release_field};
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
    structured: bool,
}

/// What a commit changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The scalars with another value, in the order of the file before.
    pub changes: Vec<ScalarChange>,
    /// Release fields that were added or removed, by address.
    pub companions: Vec<String>,
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
            None => old.iter().for_each(|leaf| comparison.add_one_sided(leaf)),
        }
    }
    for (address, leaves) in &new_map {
        if !old_map.contains_key(address) {
            leaves.iter().for_each(|leaf| comparison.add_one_sided(leaf));
        }
    }
    comparison.changes.sort_by_key(|change| change.old.start);
    comparison
}

impl Comparison {
    fn add_one_sided(&mut self, leaf: &Leaf) {
        let candidate =
            Candidate { key: &leaf.key, named: leaf.named.as_deref(), old: &leaf.value, new: &leaf.value };
        match release_field(candidate) {
            Some(_) => self.companions.push(leaf.address.clone()),
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
    if old_text == new_text {
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
        structured: true,
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
            structured: false,
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
    /// It cannot be told which of several places is meant.
    #[error("{0} cannot be told apart from others like it: put it back by hand")]
    Ambiguous(String),
}

/// Puts the release fields that a bad commit changed (`parent` → `bad`) back in `current`, wherever they still hold the
/// bad value. Where nothing else has happened to the file, that gives `parent` byte for byte.
///
/// # Errors
/// Says why it is not clear what to do; then nothing may be done.
pub fn revert(parent: &[u8], bad: &[u8], current: &[u8]) -> Result<Reverted, Refusal> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_not_utf8| Refusal::NotText);
    let (parent, bad, current) = (text(parent)?, text(bad)?, text(current)?);
    let comparison = compare(parent, bad);
    let left_behind: Vec<String> = comparison.left_behind().map(str::to_owned).collect();
    if comparison.release_fields().next().is_none() {
        return Err(Refusal::NoReleaseField);
    }
    if current == bad && left_behind.is_empty() {
        let fields =
            comparison.release_fields().map(|change| result(change, FieldOutcome::Restored)).collect();
        return Ok(Reverted { bytes: parent.as_bytes().to_vec(), fields, left_behind });
    }
    if let Some(companion) = comparison.companions.first() {
        return Err(Refusal::Companion(companion.clone()));
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
    Ok(Reverted { bytes: splice(current, edits).into_bytes(), fields, left_behind })
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

/// New text for a stretch of bytes.
type Edit = (Range<usize>, String);

/// Replaces the stretches; ones that overlap an earlier one say the same and are dropped.
fn splice(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        if range.start < at {
            continue;
        }
        out.push_str(text.get(at..range.start).unwrap_or(""));
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

struct Splicer<'a> {
    parent: &'a str,
    bad: &'a str,
    current: &'a str,
    leaves: Option<&'a [Leaf]>,
    comparison: &'a Comparison,
}

impl Splicer<'_> {
    /// Where the field is now, what became of it, and the edit that puts it back.
    fn locate(&self, change: &ScalarChange) -> Result<(FieldOutcome, Option<Edit>), Refusal> {
        match self.leaves {
            Some(leaves) if change.structured => self.locate_leaf(change, leaves),
            _ => self.locate_line(change),
        }
    }

    fn locate_leaf(
        &self,
        change: &ScalarChange,
        leaves: &[Leaf],
    ) -> Result<(FieldOutcome, Option<Edit>), Refusal> {
        let here: Vec<&Leaf> = leaves.iter().filter(|leaf| leaf.address == change.address).collect();
        let (index, count) = change.place;
        let leaf = match here.get(index) {
            None if here.is_empty() => return Ok((FieldOutcome::Gone, None)),
            Some(leaf) if here.len() == count => leaf,
            _ => return Err(Refusal::Ambiguous(change.address.clone())),
        };
        let text = self.current.get(leaf.span.clone()).unwrap_or("");
        if text == change.old_text {
            Ok((FieldOutcome::AlreadyBack, None))
        } else if text == change.new_text {
            let whole_line = self.whole_line(change, &leaf.span);
            let edit = whole_line.unwrap_or_else(|| (leaf.span.clone(), change.old_text.clone()));
            Ok((FieldOutcome::Restored, Some(edit)))
        } else if leaf.value == change.new_value {
            Ok((FieldOutcome::Restored, Some((leaf.span.clone(), change.old_text.clone()))))
        } else {
            Ok((FieldOutcome::Superseded(text.to_owned()), None))
        }
    }

    /// The parent's whole line, trailing spaces and comments with it, where the line is still the bad commit's line and
    /// the release fields are all that the commit changed in it.
    fn whole_line(&self, change: &ScalarChange, span: &Range<usize>) -> Option<Edit> {
        let here = lines::line_of(self.current, span)?;
        let bad = lines::line_of(self.bad, &change.new)?;
        let parent = lines::line_of(self.parent, &change.old)?;
        if self.current.get(here.clone())? != self.bad.get(bad.clone())? {
            return None;
        }
        let inside = |c: &&ScalarChange| bad.start <= c.new.start && c.new.end <= bad.end;
        let mut on_line = self.comparison.changes.iter().filter(inside).collect::<Vec<_>>();
        on_line.sort_by_key(|change| change.new.start);
        let all_release = on_line.iter().all(|change| change.rule.is_some());
        let rest = |text: &str, line: &Range<usize>, spans: Vec<Range<usize>>| {
            let mut pieces = Vec::new();
            let mut at = line.start;
            for span in spans {
                pieces.push(text.get(at..span.start)?.to_owned());
                at = span.end;
            }
            pieces.push(without_comment(text.get(at..line.end)?).to_owned());
            Some(pieces)
        };
        let parent_rest =
            rest(self.parent, &parent, on_line.iter().map(|change| change.old.clone()).collect())?;
        let bad_rest = rest(self.bad, &bad, on_line.iter().map(|change| change.new.clone()).collect())?;
        let mut line = self.parent.get(parent)?.to_owned();
        let followed = here.end < self.current.len();
        if followed && !line.ends_with('\n') {
            line.push_str(line_end(self.current.get(here.clone())?));
        }
        (all_release && parent_rest == bad_rest).then_some((here, line))
    }

    /// Finds a line of a text without structure: it must be the bad commit's line, and there must be no doubt which.
    fn locate_line(&self, change: &ScalarChange) -> Result<(FieldOutcome, Option<Edit>), Refusal> {
        let ambiguous = || Refusal::Ambiguous(change.address.clone());
        let line = |text: &str, span| Some(text.get(lines::line_of(text, span)?)?.trim_end().to_owned());
        let bad_line = line(self.bad, &change.new).ok_or_else(ambiguous)?;
        let parent_line = line(self.parent, &change.old).ok_or_else(ambiguous)?;
        let places = |text: &str, wanted: &str| -> Vec<Range<usize>> {
            let same =
                |range: &Range<usize>| text.get(range.clone()).is_some_and(|line| line.trim_end() == wanted);
            lines::lines(text).into_iter().filter(same).collect()
        };
        let now = places(self.current, &bad_line);
        let then = places(self.bad, &bad_line);
        let at = then.iter().position(|range| range.start <= change.new.start && change.new.end <= range.end);
        match (now.as_slice(), at) {
            ([], _) if places(self.current, &parent_line).is_empty() => Ok((FieldOutcome::Gone, None)),
            ([], _) => Ok((FieldOutcome::AlreadyBack, None)),
            (now, Some(at)) if now.len() == then.len() => {
                let here = now.get(at).ok_or_else(ambiguous)?;
                let base = then.get(at).ok_or_else(ambiguous)?;
                let span =
                    here.start + (change.new.start - base.start)..here.start + (change.new.end - base.start);
                let edit = self.whole_line(change, &span).unwrap_or_else(|| (span, change.old_text.clone()));
                Ok((FieldOutcome::Restored, Some(edit)))
            }
            _ => Err(ambiguous()),
        }
    }
}

/// The rest of a line without its trailing comment, spaces and line end.
fn without_comment(rest: &str) -> &str {
    let cut = rest.find(" #").or_else(|| rest.find("\t#")).unwrap_or(rest.len());
    rest.get(..cut).unwrap_or(rest).trim_end()
}

fn line_end(line: &str) -> &'static str {
    if line.ends_with("\r\n") {
        "\r\n"
    } else if line.ends_with('\n') {
        "\n"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests;
