//! Putting the old source text back where the fields are now, and whole stretches of lines where nothing but the
//! deployment is in them; then reading the result again.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

mod companions;
pub(super) mod form;
mod identity;
mod locate;
pub(super) mod merge;
pub(super) mod sound;
mod spans;
mod whole_line;

use self::locate::{Located, Restore};
use self::spans::{Spans, overlaps};
use super::leaves::leaf::{Leaf, LeafKind};
use super::leaves::{Document, Text, read};
use super::lines::{Counterpart, TextEdit, splice};
use super::pairs::compare;
use super::types::{Companion, Comparison, FieldOutcome, FieldResult, File, Refusal, Reverted, ScalarChange};
use super::words;

/// A stretch of lines that goes back as a whole.
struct Hunk {
    edit: TextEdit,
    /// Its bytes in the parent's version.
    parent: Range<usize>,
}

pub(super) fn revert(
    file: &File<'_>,
    parent: &Document,
    bad: &Document,
    now: &Document,
) -> Result<Reverted, Refusal> {
    let was = parent;
    let [parent, bad, current] = read([parent, bad, now]);
    let comparison = compare(file, &parent, &bad);
    if !comparison.is_deployment() {
        return Err(Refusal::NoReleaseField);
    }
    let restore = Restore::new([&parent, &bad, &current], &comparison);
    let located: Vec<Located<'_>> =
        comparison.release_fields().map(|change| restore.locate(change)).collect::<Result<_, _>>()?;
    let mut fields: Vec<FieldResult> = located.iter().map(Located::result).collect();
    let back = located.iter().filter(|one| one.line.is_some() && one.outcome == FieldOutcome::Restored);
    let back: HashSet<usize> = back.map(|one| one.change.leaf).collect();
    let along: Vec<String> = comparison.in_lines(&back).map(str::to_owned).collect();
    let is_along: HashSet<&str> = along.iter().map(String::as_str).collect();
    let left = comparison.left_behind().filter(|address| !is_along.contains(address));
    let left_behind: Vec<String> = left.map(str::to_owned).collect();
    if current.text == bad.text && left_behind.is_empty() {
        fields
            .extend(comparison.companions.iter().map(|companion| result(companion, FieldOutcome::Restored)));
        // A part that was made of a file is written as that is now.
        sound::keys(current.text, parent.text)?;
        let is_made = was.is_written_unlike(now) && !was.bytes().starts_with(&[0xff, 0xfe]);
        let bytes = if is_made { now.encoded(parent.text) } else { was.bytes().to_vec() };
        return Ok(Reverted { bytes, fields, left_behind, along });
    }
    let mut edits = Vec::new();
    let is_due = located.iter().any(|one| one.outcome == FieldOutcome::Restored);
    if is_due || comparison.alone().next().is_some() {
        let hunks = restore.hunks(&located);
        let now = Spans::new(hunks.iter().map(|hunk| (hunk.edit.0.clone(), ())));
        let before = Spans::new(hunks.iter().map(|hunk| (hunk.parent.clone(), ())));
        let mut companions: Vec<&Companion> = comparison.companions.iter().collect();
        companions.sort_by_key(|companion| (companion.added, companion.span.start));
        for companion in companions {
            let (result, edit) = restore.companion(companion, (&before, &now))?;
            fields.push(result);
            edits.extend(edit);
        }
        let outside = |edit: &TextEdit| !now.touch(&edit.0);
        edits.extend(located.iter().filter_map(|one| one.edit(&current)).filter(outside));
        // Whether the lines are due at all, the fields say.
        if is_due || fields.iter().any(|field| field.outcome == FieldOutcome::Restored) {
            edits.extend(hunks.into_iter().map(|hunk| hunk.edit));
        }
    }
    // Several values may come by one alias. Lines that come back at one place keep their order.
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    edits.dedup();
    let text = splice(current.text, edits).ok_or_else(|| Refusal::Ambiguous(first_address(&comparison)))?;
    verify(file, now, &text, ([&parent, &bad], &located, &comparison, &fields))?;
    joined(&bad, &current, &text)?;
    Ok(Reverted { bytes: now.encoded(&text), fields, left_behind, along })
}

fn first_address(comparison: &Comparison) -> String {
    let changed = comparison.release_fields().map(|change| &change.address);
    let alone = comparison.alone().map(|companion| &companion.address);
    changed.chain(alone).next().cloned().unwrap_or_default()
}

impl Restore<'_> {
    /// The stretches of lines that go back as a whole, spaces, line ends and comments with them: those in which the
    /// deployment is all that the commit changed, and which are still the bad commit's lines.
    fn hunks(&self, located: &[Located<'_>]) -> Vec<Hunk> {
        let hunks = &self.comparison.hunks;
        // Where lines repeat, the lines may be paired otherwise than the fields: then the fields alone go back.
        let together = |change: &ScalarChange| {
            let line = self.bad.line_of(&change.new);
            let at = hunks.partition_point(|(_, new)| new.end <= line);
            hunks.get(at).is_some_and(|(old, new)| {
                overlaps(&self.parent.lines.span(old), &change.old)
                    && overlaps(&self.bad.lines.span(new), &change.new)
            })
        };
        // And where lines moved, one stretch does not go back without the other.
        if self.comparison.moved || !self.comparison.changes.iter().all(together) {
            return Vec::new();
        }
        let (old_others, new_others) = self.others();
        let located = Spans::new(located.iter().map(|one| (one.change.new.clone(), one)));
        let is_pure = |(old, new): &&(Range<usize>, Range<usize>)| {
            !old_others.touch(&self.parent.lines.span(old)) && !new_others.touch(&self.bad.lines.span(new))
        };
        hunks.iter().filter(is_pure).filter_map(|hunk| self.hunk(hunk, &located)).collect()
    }

    /// Where anything but the deployment changed, before and after.
    fn others(&self) -> (Spans<()>, Spans<()>) {
        let comparison = self.comparison;
        let is_other =
            |change: &&ScalarChange| change.rule.is_none() && !comparison.whole.contains(&change.leaf);
        let changes = || comparison.changes.iter().filter(is_other);
        let others = |came: bool| {
            let of_side = comparison.others.iter().filter(move |(.., added)| *added == came);
            of_side.map(|(_, span, _)| (span.clone(), ()))
        };
        let old = changes().map(|change| (change.old.clone(), ())).chain(others(false));
        let new = changes().map(|change| (change.new.clone(), ())).chain(others(true));
        (Spans::new(old), Spans::new(new))
    }

    fn hunk(&self, (old, new): &(Range<usize>, Range<usize>), located: &Spans<&Located<'_>>) -> Option<Hunk> {
        let span = self.bad.lines.span(new);
        let inside: Vec<&Located<'_>> = located.touching(&span).copied().collect();
        let lines = match inside.as_slice() {
            [] => self.aligned(new)?,
            _ => self.around(&inside, new)?,
        };
        let same = lines
            .clone()
            .zip(new.clone())
            .all(|(now, bad)| self.current.lines.content(now) == self.bad.lines.content(bad));
        if !same {
            return None;
        }
        let range = self.current.lines.span(&lines);
        let now = self.current.lines.raw(&lines);
        let edit = (range, with_line_ends(self.parent.lines.raw(old), now, self.line_end()));
        Some(Hunk { edit, parent: self.parent.lines.span(old) })
    }

    /// How the lines of the current version end.
    pub(super) fn line_end(&self) -> &'static str {
        if self.current.lines.raw(&(0..1)).ends_with("\r\n") { "\r\n" } else { "\n" }
    }

    /// The lines in which the fields of a hunk stand now, where they stand to each other as they did.
    fn around(&self, inside: &[&Located<'_>], new: &Range<usize>) -> Option<Range<usize>> {
        let mut start = None;
        for one in inside {
            if one.outcome != FieldOutcome::Restored {
                return None;
            }
            let now = self.current.line_of(one.span.as_ref()?);
            let above = self.bad.line_of(&one.change.new) - new.start;
            let begins = now.checked_sub(above)?;
            if start.is_some_and(|start| start != begins) {
                return None;
            }
            start = Some(begins);
        }
        start.map(|start| start..start + new.len())
    }

    /// The lines of a hunk without fields, followed from the bad version to the current one.
    fn aligned(&self, new: &Range<usize>) -> Option<Range<usize>> {
        let same = |line: usize| match self.alignment().counterpart(line) {
            Counterpart::Same(now) => Some(now),
            Counterpart::Alike(_) | Counterpart::Replaced(_) | Counterpart::None => None,
        };
        if !new.is_empty() {
            let start = same(new.start)?;
            let contiguous = new.clone().zip(start..).all(|(line, now)| same(line) == Some(now));
            return contiguous.then(|| start..start + new.len());
        }
        // Lines that went: between two that are still neighbours, or at an end that is still one.
        let above = new.start.checked_sub(1);
        let now = above.map_or(Some(0), |above| same(above).map(|line| line + 1))?;
        let at_end = new.start == self.bad.lines.len();
        let below = if at_end { now == self.current.lines.len() } else { same(new.start) == Some(now) };
        below.then_some(now..now)
    }
}

fn result(companion: &Companion, outcome: FieldOutcome) -> FieldResult {
    let (old_text, new_text) = companion.shown();
    FieldResult { address: companion.address.clone(), rule: companion.rule, old_text, new_text, outcome }
}

/// `text` with the line ends of the lines that it replaces: each its own where there are as many. Where it replaces none, its lines end
/// as is `usual` in the file.
fn with_line_ends(text: &str, replaced: &str, usual: &str) -> String {
    let end = |line: &str| line.len() - line.trim_end_matches(['\r', '\n']).len();
    let ends: Vec<&str> =
        replaced.split_inclusive('\n').map(|line| line.get(line.len() - end(line)..).unwrap_or("")).collect();
    let lines: Vec<&str> = text.lines().collect();
    let first = ends.first().copied().filter(|end| !end.is_empty()).unwrap_or(usual);
    let last = ends.last().copied().unwrap_or(usual);
    let mut out = String::with_capacity(text.len() + lines.len());
    for (index, line) in lines.iter().enumerate() {
        let own = if ends.len() == lines.len() { ends.get(index).copied() } else { None };
        let is_last = index + 1 == lines.len();
        out.push_str(line);
        out.push_str(own.unwrap_or(if is_last { last } else { first }));
    }
    out
}

/// Reads the new text again: the restored fields hold the old values, and nothing else says anything new.
fn verify(
    file: &File<'_>,
    now: &Document,
    text: &str,
    (texts, located, comparison, fields): ([&Text<'_>; 2], &[Located<'_>], &Comparison, &[FieldResult]),
) -> Result<(), Refusal> {
    if now.text() == text {
        return Ok(());
    }
    let after = Document::from(text);
    if !form::is_kept(now, &after) {
        return Err(Refusal::Unfaithful(first_address(comparison)));
    }
    sound::keys(now.text(), text)?;
    let [before, after] = read([now, &after]);
    let [parent, bad] = texts;
    sound::once(&before, parent, &after)?;
    sound::fields([parent, bad, &after], comparison, fields)?;
    let found = compare(file, &before, &after);
    let wanted: BTreeSet<(&str, &str)> = located
        .iter()
        .filter(|one| one.outcome == FieldOutcome::Restored)
        .map(|one| (one.change.new_value.as_str(), one.change.old_value.as_str()))
        .collect();
    let is_wanted = |old: &str, new: &str| wanted.contains(&(old, new));
    let lines: HashSet<&str> = located.iter().filter_map(|one| one.line).collect();
    let is_line = |change: &ScalarChange| {
        let leaf = after.leaves.get(change.leaf).filter(|leaf| leaf.kind == LeafKind::Line);
        leaf.is_some_and(|leaf| lines.contains(after.get(&leaf.span)))
    };
    let unwanted =
        |change: &&ScalarChange| !is_wanted(&change.old_value, &change.new_value) && !is_line(change);
    if let Some(change) = found.changes.iter().find(unwanted) {
        return Err(Refusal::Unfaithful(change.address.clone()));
    }
    // What came is not there any more, and what went is there again.
    let is_restored = |companion: &&Companion| {
        let of_it = |field: &&FieldResult| field.address == companion.address;
        companion.is_alone()
            && fields.iter().find(of_it).is_some_and(|one| one.outcome == FieldOutcome::Restored)
    };
    let is_as_before = |companion: &Companion| {
        let there = after.at(&companion.address).first().and_then(|leaf| after.leaves.get(*leaf));
        let value = there.map(words::value_of);
        let wanted =
            if companion.added { companion.beneath.as_deref() } else { Some(companion.value.as_str()) };
        value == wanted
    };
    match comparison.companions.iter().filter(is_restored).find(|one| !is_as_before(one)) {
        Some(companion) => Err(Refusal::Unfaithful(companion.address.clone())),
        None => Ok(()),
    }
}

/// Refuses a revert that would change a value which a later commit made follow a restored field by an alias: the bad commit did not deploy
/// that value.
fn joined(bad: &Text<'_>, current: &Text<'_>, text: &str) -> Result<(), Refusal> {
    if current.leaves.iter().all(|leaf| leaf.brought.is_none()) {
        return Ok(());
    }
    let after = Document::from(text);
    let [after] = read([&after]);
    let only = |text: &Text<'_>, address: &str| match text.at(address) {
        [leaf] => text.leaves.get(*leaf).cloned(),
        _ => None,
    };
    let has_joined = |leaf: &&Leaf| {
        let changes = || only(&after, &leaf.address).is_some_and(|after| after.value != leaf.value);
        let was_there =
            || only(bad, &leaf.address).is_some_and(|bad| bad.brought.is_some() && bad.value == leaf.value);
        leaf.brought.is_some() && changes() && !was_there()
    };
    match current.leaves.iter().find(has_joined) {
        Some(leaf) => Err(Refusal::Shared(leaf.address.clone())),
        None => Ok(()),
    }
}
