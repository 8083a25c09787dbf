//! Putting the old source text back where the fields are now, and whole stretches of lines where nothing but the
//! deployment is in them; then reading the result again.

use std::collections::BTreeSet;
use std::ops::Range;

mod identity;
mod locate;
mod spans;

use self::locate::{Located, Restore};
use self::spans::{Spans, overlaps};
use super::leaves::leaf::{self, Leaf};
use super::leaves::{Document, Text, read};
use super::lines::{Counterpart, is_trifle};
use super::pairs::compare;
use super::types::{Companion, Comparison, FieldOutcome, FieldResult, File, Refusal, Reverted, ScalarChange};
use super::words;

/// The most lines that are passed over on the way to the neighbour of a line that went.
const MAX_PASSED: usize = 16;

/// New text for a stretch of bytes.
type Edit = (Range<usize>, String);

/// A stretch of lines that goes back as a whole.
struct Hunk {
    edit: Edit,
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
    let left_behind: Vec<String> = comparison.left_behind().map(str::to_owned).collect();
    if current.text == bad.text && left_behind.is_empty() {
        fields
            .extend(comparison.companions.iter().map(|companion| result(companion, FieldOutcome::Restored)));
        // A part that was made of a file is written as that is now.
        let is_made = was.is_written_unlike(now) && !was.bytes().starts_with(&[0xff, 0xfe]);
        let bytes = if is_made { now.encoded(parent.text) } else { was.bytes().to_vec() };
        return Ok(Reverted { bytes, fields, left_behind });
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
        let outside = |edit: &Edit| !now.touch(&edit.0);
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
    verify(file, now, &text, (&located, &comparison, &fields))?;
    joined(&bad, &current, &text)?;
    Ok(Reverted { bytes: now.encoded(&text), fields, left_behind })
}

fn first_address(comparison: &Comparison) -> String {
    let changed = comparison.release_fields().map(|change| &change.address);
    let alone = comparison.alone().map(|companion| &companion.address);
    changed.chain(alone).next().cloned().unwrap_or_default()
}

/// Replaces the stretches; `None` where two of them overlap.
fn splice(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        out.push_str(text.get(at..range.start)?);
        out.push_str(&new);
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
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
        let changes = || comparison.changes.iter().filter(|change| change.rule.is_none());
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
        let edit = (range, with_line_ends(self.parent.lines.raw(old), now));
        Some(Hunk { edit, parent: self.parent.lines.span(old) })
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

    /// Takes away what the commit added beside a field, or says that it cannot be told.
    fn companion(
        &self,
        companion: &Companion,
        (before, now): (&Spans<()>, &Spans<()>),
    ) -> Result<(FieldResult, Option<Edit>), Refusal> {
        let refusal = || Refusal::Companion(companion.address.clone());
        let here = self.current.at(&companion.address);
        let leaf = match here {
            [] => None,
            [leaf] => self.current.leaves.get(*leaf),
            _ => return Err(refusal()),
        };
        let is_alias = companion.text.starts_with('*');
        let is_beneath = |leaf: &&Leaf| leaf.is_within_alias() && !is_alias;
        let beneath = leaf.filter(is_beneath).map(|leaf| leaf.value.as_str());
        let leaf = leaf.filter(|leaf| !is_beneath(leaf));
        // Something else comes by the merge now than what stood there before or came in its place.
        if leaf.is_none() && beneath != companion.beneath.as_deref() && (companion.added || beneath.is_some())
        {
            return Ok((
                result(companion, FieldOutcome::Superseded(beneath.unwrap_or_default().to_owned())),
                None,
            ));
        }
        let block = leaf::block(&companion.address);
        let is_same = || self.versions().is_same_beside(&companion.key, block, block);
        let holds = leaf.is_some_and(|leaf| self.current.get(&leaf.span) == companion.text);
        let is_other = || !is_same() || self.is_of_another(companion, leaf);
        let is_due = companion.is_alone() && holds == companion.added && self.current.text != self.bad.text;
        if is_due && is_other() {
            return Err(Refusal::OfAnother(companion.address.clone()));
        }
        let (outcome, edit) = match (companion.added, leaf) {
            (true, None) => (FieldOutcome::AlreadyBack, None),
            (true, Some(leaf)) if self.current.get(&leaf.span) != companion.text => {
                (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None)
            }
            (true, Some(leaf)) if now.touch(&leaf.span) => (FieldOutcome::Restored, None),
            (true, Some(leaf)) => {
                (FieldOutcome::Restored, Some(self.without_line(companion, leaf).ok_or_else(refusal)?))
            }
            (false, Some(leaf)) if self.current.get(&leaf.span) == companion.text => {
                (FieldOutcome::AlreadyBack, None)
            }
            (false, Some(leaf)) => (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None),
            (false, None) if before.touch(&companion.span) => (FieldOutcome::Restored, None),
            (false, None) => (FieldOutcome::Restored, Some(self.beside(companion).ok_or_else(refusal)?)),
        };
        Ok((result(companion, outcome), edit))
    }

    /// Whether what came or went would be of another thing by now, as it would be told of a value that changed there.
    fn is_of_another(&self, companion: &Companion, now: Option<&Leaf>) -> bool {
        let of = |text: &'_ Text<'_>| {
            text.at(&companion.address).first().and_then(|leaf| text.leaves.get(*leaf)).cloned()
        };
        let Some(own) = (if companion.added { of(self.bad) } else { of(self.parent) }) else { return false };
        let block = own.block().to_owned();
        // What is not there stands among the others of its block.
        let within = |text: &Text<'_>| {
            let first = text.in_block(&block).first().and_then(|leaf| text.leaves.get(*leaf));
            Leaf { span: first.map_or(0..0, |leaf| leaf.span.clone()), ..own.clone() }
        };
        let then = if companion.added { own.clone() } else { within(self.bad) };
        let here = now.cloned().unwrap_or_else(|| within(self.current));
        self.versions().is_of_another(&then, &here)
    }

    /// Puts the line of a field that the commit removed back behind the one that was above it, or before the one that was below, where
    /// that still stands in the same block.
    fn beside(&self, companion: &Companion) -> Option<Edit> {
        let line = self.parent.line_of(&companion.span);
        let body = self.parent.lines.body(line);
        let own = self.parent.on_line(line).first().and_then(|leaf| self.parent.leaves.get(*leaf))?;
        let is_whole = self.parent.on_line(line).len() == 1
            && (own.brought.is_none() || !own.is_within_alias())
            && own.address == companion.address
            && !body.trim_start().starts_with(['-', '{', '[', '"'])
            && !body.ends_with([',', '}', ']'])
            && !companion.text.contains('\n');
        if !is_whole || !companion.addressed {
            return None;
        }
        let indent = |body: &str| body.len() - body.trim_start().len();
        let found = |neighbour: usize| {
            let leaf =
                self.parent.on_line(neighbour).first().and_then(|leaf| self.parent.leaves.get(*leaf))?;
            let now = match self.current.at(&leaf.address) {
                [now] => self.current.leaves.get(*now).filter(|now| now.sure)?,
                _ => return None,
            };
            let lines =
                self.current.lines.at(now.span.start)..=self.current.lines.at(now.span.end.max(1) - 1);
            let (then, here) = (self.parent.lines.body(neighbour), self.current.lines.body(*lines.start()));
            let key =
                |body: &'_ str| body.trim_start().split([':', '=']).next().unwrap_or("").trim().to_owned();
            let is_it = leaf.block() == leaf::block(&companion.address)
                && lines.start() == lines.end()
                && indent(then) == indent(body)
                && indent(here) == indent(body)
                && key(then) == key(here);
            is_it.then_some(*lines.start())
        };
        // Those that went with it, and comments, are no neighbours.
        let is_passed = |line: &usize| {
            let body = self.parent.lines.body(*line);
            let went = |one: &Companion| !one.added && self.parent.line_of(&one.span) == *line;
            body.trim_start().starts_with('#') || self.comparison.companions.iter().any(went)
        };
        let above = (line.saturating_sub(MAX_PASSED)..line).rev().find(|line| !is_passed(line));
        let below = (line + 1..=line + MAX_PASSED).find(|line| !is_passed(line));
        let at = above.and_then(found).map(|above| above + 1).or_else(|| below.and_then(found))?;
        let near = self.current.lines.raw(&(at.checked_sub(1)?..at));
        let place = self.current.lines.span(&(at..at)).start;
        let text = with_line_ends(self.parent.lines.raw(&(line..line + 1)), near);
        near.ends_with('\n').then_some((place..place, text))
    }

    /// Takes the line of an added field away, where it is the only one on it and the line is the bad commit's.
    fn without_line(&self, companion: &Companion, leaf: &Leaf) -> Option<Edit> {
        let (now, bad) = (self.current.line_of(&leaf.span), self.bad.line_of(&companion.span));
        let alone = |text: &Text<'_>, line: usize| text.on_line(line).len() == 1;
        let same = self.current.lines.body(now).trim_start() == self.bad.lines.body(bad).trim_start();
        let body = self.current.lines.body(now);
        let next = (now + 1..self.current.lines.len()).map(|line| self.current.lines.body(line).trim_start());
        let in_brackets = body.ends_with(',') || next.take(1).any(|line| line.starts_with(['}', ']', ')']));
        let begins_item = body.trim_start().starts_with('-');
        let only = alone(self.current, now) && alone(self.bad, bad) && !in_brackets && !begins_item;
        let is_part =
            companion.is_alone() && (self.empties_its_block(now) || self.is_part_of_more(companion));
        (only && same && !is_part).then(|| (self.current.lines.range(now), String::new()))
    }
}

impl Restore<'_> {
    /// Whether a line is all that the one above it is the head of: without it that would be null.
    fn empties_its_block(&self, line: usize) -> bool {
        let indent = |line: usize| {
            let body = self.current.lines.body(line);
            body.len() - body.trim_start().len()
        };
        let content = |line: &usize| !is_trifle(self.current.lines.body(*line));
        let above = (0..line).rev().find(content);
        let below = (line + 1..self.current.lines.len()).find(content);
        let is_head = |above: usize| {
            let body = self.current.lines.body(above);
            indent(above) < indent(line) && body.ends_with([':', ']'])
        };
        above.is_some_and(is_head) && below.is_none_or(|below| indent(below) < indent(line))
    }

    /// Whether more came into its block with the same commit, which would be left without it.
    fn is_part_of_more(&self, companion: &Companion) -> bool {
        let block = leaf::block(&companion.address);
        let is_beside = |address: &str| !block.is_empty() && address.starts_with(block);
        self.comparison.others.iter().any(|(address, _, came)| *came == companion.added && is_beside(address))
    }
}

fn result(companion: &Companion, outcome: FieldOutcome) -> FieldResult {
    let (old_text, new_text) = companion.shown();
    FieldResult { address: companion.address.clone(), rule: companion.rule, old_text, new_text, outcome }
}

/// `text` with the line ends of the lines that it replaces: each its own where there are as many.
fn with_line_ends(text: &str, replaced: &str) -> String {
    let end = |line: &str| line.len() - line.trim_end_matches(['\r', '\n']).len();
    let ends: Vec<&str> =
        replaced.split_inclusive('\n').map(|line| line.get(line.len() - end(line)..).unwrap_or("")).collect();
    let lines: Vec<&str> = text.lines().collect();
    let (first, last) = (ends.first().copied().unwrap_or("\n"), ends.last().copied().unwrap_or("\n"));
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
    (located, comparison, fields): (&[Located<'_>], &Comparison, &[FieldResult]),
) -> Result<(), Refusal> {
    if now.text() == text {
        return Ok(());
    }
    let after = Document::from(text);
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let broken = now.is_yaml() && !after.is_yaml()
        || now.text().trim_start().starts_with(['{', '[']) && is_json(now.text()) && !is_json(text);
    if broken {
        return Err(Refusal::Unfaithful(first_address(comparison)));
    }
    let [before, after] = read([now, &after]);
    let found = compare(file, &before, &after);
    let wanted: BTreeSet<(&str, &str)> = located
        .iter()
        .filter(|one| one.outcome == FieldOutcome::Restored)
        .map(|one| (one.change.new_value.as_str(), one.change.old_value.as_str()))
        .collect();
    let is_wanted = |old: &str, new: &str| wanted.contains(&(old, new));
    let unwanted = |change: &&ScalarChange| !is_wanted(&change.old_value, &change.new_value);
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
