//! A file after a commit with one entry as it was before.

use std::cell::OnceCell;
use std::ops::Range;

use super::super::leaves::leaf::{Leaf, LeafKind};
use super::super::leaves::{Document, Text};
use super::super::lines::{Lines, TextEdit, hunks, is_trifle, splice};
use super::both::{BothVersions, has_empty};
use super::by_name::{ByName, Names, SharedField, by_name, written_out};
use super::entry::{Entry, Pair, Parts, entries, is_simple, leaf_text};
use super::extents::Extents;
use super::own_lines::ChangedLines;
use super::pattern::{EntryPattern, steps};

/// The text after, with some entries as they were before.
pub(super) struct AsBefore {
    pub(super) text: String,
    /// Whether the lines that were exchanged differ in leaves and comments only.
    pub(super) is_plain: bool,
    pub(super) shared: Vec<SharedField>,
}

/// Both versions of a file, and what is known of them together.
pub(super) struct Sides<'s, 't> {
    pattern: &'s EntryPattern,
    old: &'s Text<'t>,
    new: &'s Text<'t>,
    names: &'s Names,
    /// Whether both are read as YAML.
    are_yaml: bool,
    both: BothVersions<'s>,
    /// Where the parts of both stand, looked for when it is asked for.
    extents: [OnceCell<Option<Extents>>; 2],
    /// The lines in which they differ, looked for when it is asked for.
    changed_lines: OnceCell<ChangedLines>,
}

impl<'s, 't> Sides<'s, 't> {
    pub(super) fn new(
        pattern: &'s EntryPattern,
        documents: [&'s Document; 2],
        [old, new]: [&'s Text<'t>; 2],
        names: &'s Names,
    ) -> Self {
        let are_yaml = documents.iter().all(|document| document.is_yaml());
        let extents = [OnceCell::new(), OnceCell::new()];
        let both = BothVersions::new(pattern, documents);
        Self { pattern, old, new, names, are_yaml, both, extents, changed_lines: OnceCell::new() }
    }

    /// The text after, with all of a service as it was before: with the lines that are its own, else with the source text of each entry,
    /// else value by value. The first of these counts that reads of the service as before and of everything else as after. Where
    /// none does, what does not go back is for a person.
    pub(super) fn as_before(&self, before: &[&Entry], after: &[&Entry]) -> Option<AsBefore> {
        if before.is_empty() || after.is_empty() {
            return None;
        }
        let was = |is: &&Entry| before.iter().find(|was| was.address == is.address).copied();
        let pairs = after.iter().filter_map(|is| Some((was(is)?, *is))).collect();
        let parts = Parts { before, after, pairs };
        let differs_in_values = || parts.pairs.iter().all(|pair| self.differs_in_values(pair));
        if parts.are_paired() && !self.differs_in_empty(&parts) && differs_in_values() {
            return self.by_value(&parts.pairs);
        }
        let sources = || self.with_sources(&parts);
        if let Some(text) = self.with_own_lines(&parts).or_else(sources) {
            return Some(AsBefore { text, is_plain: false, shared: Vec::new() });
        }
        let nothing = || AsBefore { text: self.new.text.to_owned(), is_plain: false, shared: Vec::new() };
        let mut part = self.by_value(&parts.pairs).unwrap_or_else(nothing);
        if self.both.is_right(&part.text, &parts) {
            return Some(part);
        }
        let mut left = self.both.left(&part.text, &parts);
        left.retain(|left| part.shared.iter().all(|shared| shared.address != left.address));
        part.shared.extend(left);
        (part.text != self.new.text || !part.shared.is_empty()).then_some(part)
    }

    /// The text after with the lines of a service as they were before. None where it does not read right.
    fn with_own_lines(&self, parts: &Parts<'_>) -> Option<String> {
        let captured = &parts.after.first()?.captured;
        let edits = self.changed_lines().edits(captured, self.old, self.new).into_iter();
        let edits = edits.map(|(at, text)| (at, self.with_line_ends(text))).collect();
        splice(self.new.text, edits).filter(|text| text != self.new.text && self.both.is_right(text, parts))
    }

    fn changed_lines(&self) -> &ChangedLines {
        self.changed_lines.get_or_init(|| {
            let [old, new] = self.both.read();
            let (before, after) = (entries(self.pattern, &old), entries(self.pattern, &new));
            ChangedLines::of((&old, &before), (&new, &after))
        })
    }

    /// Old text with the line ends of the version after.
    fn with_line_ends(&self, text: String) -> String {
        let ends = |text: &str| if text.contains("\r\n") { "\r\n" } else { "\n" };
        let ends_now = ends(self.new.text);
        if ends(self.old.text) == ends_now {
            text
        } else {
            text.replace("\r\n", "\n").replace('\n', ends_now)
        }
    }

    /// Whether what is empty may have come or gone.
    fn differs_in_empty(&self, parts: &Parts<'_>) -> bool {
        let may = self.are_yaml && [self.old.text, self.new.text].into_iter().any(has_empty);
        let captured = parts.after.first().map(|entry| &entry.captured);
        may && captured
            .is_some_and(|captured| self.changed_lines().have(captured, [self.old, self.new], has_empty))
    }

    /// Whether an entry has the same leaves before and after, which go back as values: simple ones that stand in it, or such as came
    /// otherwise by its unchanged text.
    fn differs_in_values(&self, (was, is): &Pair<'_>) -> bool {
        if !self.have_same_leaves((was, is)) {
            return false;
        }
        if !self.are_yaml {
            return self.lines_to_exchange((was, is)).is_some();
        }
        let named = by_name(self.names, (self.old, was), (self.new, is));
        if named == ByName::default() && alike((self.old, &[*was]), (self.new, &[*is])).is_some() {
            return match self.lines_to_exchange((was, is)) {
                Some((then, now)) => differ_plainly((self.old, &then), (self.new, &now)),
                None => true,
            };
        }
        self.stretches((was, is)).is_some_and(|(then, now)| self.old.get(&then) == self.new.get(&now))
    }

    /// Whether an entry has leaves at the same addresses before and after.
    fn have_same_leaves(&self, (was, is): Pair<'_>) -> bool {
        let addresses = |text: &'s Text<'t>, entry: &Entry| -> Vec<&str> {
            entry.leaves.iter().map(|leaf| text.address(*leaf)).collect()
        };
        addresses(self.old, was) == addresses(self.new, is)
    }

    /// The lines of an entry before and after, where those of before can stand in the place of the others.
    fn lines_to_exchange(&self, (was, is): Pair<'_>) -> Option<(Range<usize>, Range<usize>)> {
        let (then, now) = own_lines(self.old, was).zip(own_lines(self.new, is))?;
        is_exchangeable(self.old.lines.raw(&then), self.new.lines.raw(&now)).then_some((then, now))
    }

    /// Line by line or value by value.
    fn by_value(&self, pairs: &[Pair<'_>]) -> Option<AsBefore> {
        let (old, new) = (self.old, self.new);
        let mut edits: Vec<TextEdit> = Vec::new();
        let (mut is_plain, mut shared) = (true, Vec::new());
        for (was, is) in pairs {
            let named = by_name(self.names, (old, was), (new, is));
            is_plain = is_plain && named.brought.is_empty() && named.edits.is_empty();
            edits.extend(named.edits);
            shared.extend(named.shared);
            // Where leaves came or went, so did lines that hold none, and nobody can say which.
            let is_alike = named.brought.is_empty() && self.have_same_leaves((was, is));
            let lines = self.lines_to_exchange((was, is)).filter(|_| is_alike);
            match lines {
                Some((then, now)) => {
                    is_plain = is_plain && differ_plainly((old, &then), (new, &now));
                    edits.push((new.lines.span(&now), old.lines.raw(&then).to_owned()));
                }
                None => {
                    let own = values((old, was), (new, is)).into_iter();
                    let own = own.filter(|(span, _)| !named.brought.contains(span));
                    edits.extend(own.map(|(span, text)| (span, text.to_owned())));
                }
            }
        }
        if edits.is_empty() && shared.is_empty() {
            return None;
        }
        Some(AsBefore { text: splice(new.text, edits)?, is_plain, shared })
    }

    /// The text after with the source texts that the entries had before. None where it does not read right: aliases of it that would
    /// bring something else by now are written out, and so are those of others that it would change.
    fn with_sources(&self, parts: &Parts<'_>) -> Option<String> {
        if !self.are_yaml || !parts.are_paired() {
            return None;
        }
        let pairs = &parts.pairs;
        let stretches: Vec<_> = pairs.iter().map(|pair| self.stretches(*pair)).collect::<Option<_>>()?;
        let source = |(then, now): &(Range<usize>, Range<usize>), edits: Vec<TextEdit>| {
            let within = |(at, text): TextEdit| (at.start - then.start..at.end - then.start, text);
            let text = splice(self.old.get(then), edits.into_iter().map(within).collect())?;
            Some((now.clone(), self.with_line_ends(text)))
        };
        let reads_right = |text: &String| text != self.new.text && self.both.is_right(text, parts);
        let edits = stretches.iter().map(|stretch| source(stretch, Vec::new())).collect::<Option<_>>()?;
        if let Some(text) = splice(self.new.text, edits).filter(reads_right) {
            return Some(text);
        }
        let mut edits: Vec<TextEdit> = Vec::new();
        for ((was, is), stretch) in pairs.iter().zip(&stretches) {
            edits.push(source(stretch, self.aliases_written_out(was, &stretch.0))?);
            let named = by_name(self.names, (self.old, was), (self.new, is)).edits.into_iter();
            let is_inside =
                |at: &Range<usize>| stretches.iter().any(|(_, now)| at.start < now.end && now.start < at.end);
            edits.extend(named.filter(|(at, _)| !is_inside(at)));
        }
        splice(self.new.text, edits).filter(reads_right)
    }

    /// The aliases of an entry before that would bring something else by now, each with what it brought.
    fn aliases_written_out(&self, was: &Entry, within: &Range<usize>) -> Vec<TextEdit> {
        let leaves = was.leaves.iter().filter_map(|leaf| self.old.leaves.get(*leaf));
        let is_due = |leaf: &&Leaf| {
            let is_outside = |from: &Range<usize>| from.end <= within.start || within.end <= from.start;
            leaf.is_brought_alone()
                && leaf.brought.as_ref().is_some_and(|brought| is_outside(&brought.from))
                && !self.names.is_given_still(self.old, leaf, self.new)
        };
        let written = |leaf: &Leaf| Some((leaf.span.clone(), written_out(self.old, leaf)?));
        leaves.filter(is_due).filter_map(written).collect()
    }

    /// Where an entry stands before and after, from its key or the beginning of its item on: whole lines, where it has these for itself.
    fn stretches(&self, (was, is): Pair<'_>) -> Option<(Range<usize>, Range<usize>)> {
        let [of_old, of_new] = &self.extents;
        let (then, now) = (self.stretch(self.old, of_old, was)?, self.stretch(self.new, of_new, is)?);
        match (with_lines(self.old, &then), with_lines(self.new, &now)) {
            (Some((before, lines_then)), Some((after, lines_now))) if before == after => {
                Some((lines_then, lines_now))
            }
            (Some(_) | None, Some(_) | None) => Some((then, now)),
        }
    }

    /// Where an entry stands in a text, from its key or the beginning of its item on.
    fn stretch(
        &self,
        text: &Text<'_>,
        extents: &OnceCell<Option<Extents>>,
        entry: &Entry,
    ) -> Option<Range<usize>> {
        if entry.address.contains(" > ") {
            return None;
        }
        let extents = extents.get_or_init(|| Extents::of(text.text)).as_ref()?;
        let is_document = self.pattern.of_documents && !entry.address.contains(": ");
        let deep = || steps(&entry.address).iter().filter(|step| !step.is_document).count();
        let depth = if is_document { 0 } else { deep() };
        let leaves = entry.leaves.iter().filter_map(|leaf| text.leaves.get(*leaf));
        let mut found = leaves.map(|leaf| extents.around(&leaf.span, depth));
        let first = found.next()??;
        found.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }
}

/// The lines of a stretch up to the end of the last, where nothing else stands on them but dashes before it; with what is before it.
fn with_lines<'t>(text: &Text<'t>, stretch: &Range<usize>) -> Option<(&'t str, Range<usize>)> {
    let (first, last) = (text.lines.at(stretch.start), text.lines.at(stretch.end.checked_sub(1)?));
    let start = text.lines.range(first).start;
    let before = text.text.get(start..stretch.start)?;
    let line_end = text.lines.range(last).end;
    let after = text.text.get(stretch.end..line_end)?;
    let rest = after.trim_end_matches(['\r', '\n']);
    let is_alone = before.chars().all(|c| " -".contains(c))
        && (rest.trim().is_empty() || rest.trim_start().starts_with('#'));
    is_alone.then(|| (before, start..stretch.end + rest.len()))
}

/// Whether stretches of lines differ in leaves and comments only: in no anchor, alias, tag or mark between documents, by which
/// what stands elsewhere could be read otherwise.
fn differ_plainly((old, then): (&Text<'_>, &Range<usize>), (new, now): (&Text<'_>, &Range<usize>)) -> bool {
    let is_plain = |text: &Text<'_>, line: usize| {
        let body = text.lines.body(line);
        let is_mark = ["---", "...", "%"].iter().any(|mark| body.starts_with(mark));
        !is_mark && !body.contains(['&', '*', '!']) && (is_trifle(body) || !text.on_line(line).is_empty())
    };
    hunks(&Lines::new(old.lines.raw(then)), &Lines::new(new.lines.raw(now))).into_iter().all(
        |(before, after)| {
            before.into_iter().all(|line| is_plain(old, then.start + line))
                && after.into_iter().all(|line| is_plain(new, now.start + line))
        },
    )
}

/// The leaves of entries before and after that belong together, where there are the same before and after, in the same order,
/// and those that differ are simple values.
pub(super) fn alike(
    (old, before): (&Text<'_>, &[&Entry]),
    (new, after): (&Text<'_>, &[&Entry]),
) -> Option<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    if before.len() != after.len() {
        return None;
    }
    for (was, is) in before.iter().zip(after) {
        if was.address != is.address || was.leaves.len() != is.leaves.len() {
            return None;
        }
        pairs.extend(was.leaves.iter().copied().zip(is.leaves.iter().copied()));
    }
    let is_alike = |(then, now): &(usize, usize)| {
        let (Some(was), Some(is)) = (old.leaves.get(*then), new.leaves.get(*now)) else { return false };
        let (then, now) = (old.get(&was.span), new.get(&is.span));
        let is_line = |leaf: &Leaf, text: &str| leaf.kind == LeafKind::Scalar && !text.contains('\n');
        was.address == is.address
            && !is.address.contains(" > ")
            && old.at(&was.address).len() == 1
            && new.at(&is.address).len() == 1
            && is_line(was, then)
            && is_line(is, now)
            && (then == now || is_simple(then) && is_simple(now))
    };
    pairs.iter().all(is_alike).then_some(pairs)
}

/// The lines from the first to the last of an entry, if nothing else stands on them.
fn own_lines(text: &Text<'_>, entry: &Entry) -> Option<Range<usize>> {
    let spans = entry.leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)).map(|leaf| &leaf.span);
    let first = spans.clone().map(|span| text.lines.at(span.start)).min()?;
    let last = spans.map(|span| text.lines.at(span.end.saturating_sub(1).max(span.start))).max()?;
    let is_own = |line: usize| text.on_line(line).iter().all(|leaf| entry.leaves.contains(leaf));
    (first..=last).all(is_own).then_some(first..last + 1)
}

/// Whether lines can stand in the place of others: they are indented the same, and as much of what is around them is closed
/// and goes on behind them.
fn is_exchangeable(then: &str, now: &str) -> bool {
    let shape = |lines: &str| {
        let net = |open: char, close: char| {
            let signed = lines.chars().map(|c| i32::from(c == open) - i32::from(c == close));
            signed.sum::<i32>()
        };
        let indent = lines.len() - lines.trim_start_matches(' ').len();
        (net('{', '}'), net('[', ']'), indent, lines.trim_end().ends_with(','), lines.ends_with('\n'))
    };
    shape(then) == shape(now)
}

/// The old value of each leaf that was there before.
fn values<'o>(
    (old, was): (&Text<'o>, &Entry),
    (new, entry): (&Text<'_>, &Entry),
) -> Vec<(Range<usize>, &'o str)> {
    let edit = |now: &usize| {
        let address = new.address(*now);
        let mut same = was.leaves.iter().filter(|then| old.address(**then) == address);
        let (Some(then), None) = (same.next(), same.next()) else { return None };
        let is_only = entry.leaves.iter().filter(|other| new.address(**other) == address).count() == 1;
        let span = new.leaves.get(*now)?.span.clone();
        is_only.then(|| (span, leaf_text(old, *then)))
    };
    entry.leaves.iter().filter_map(edit).collect()
}
