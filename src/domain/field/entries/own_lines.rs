//! The lines in which two versions of a file differ, shared out by whose they are.

use std::collections::HashMap;
use std::ops::Range;

use super::super::leaves::Text;
use super::super::lines::{Lines, TextEdit, hunks};
use super::entry::Entry;
use super::pattern::Captures;
use super::templates::is_end;

/// Whose a line is: a service, by its number. None where it is nobody's, or that of several.
type Owner = Option<usize>;

/// Lines of one owner that stand together.
struct Run {
    owner: Owner,
    lines: Range<usize>,
}

/// Lines of one owner that differ: before, and after.
struct Stretch {
    owner: Owner,
    then: Range<usize>,
    now: Range<usize>,
}

/// All lines in which two versions of a file differ.
pub(super) struct ChangedLines {
    numbers: HashMap<Captures, usize>,
    stretches: Vec<Stretch>,
}

/// One version of a file, and whose each of its lines is.
struct Version<'s, 't> {
    text: &'s Text<'t>,
    /// Of each line, the entry that it belongs to, by its place among all entries of this version: [`NOBODY`] for what is nobody's or
    /// several's, and None where nothing stands on it.
    lines: Vec<Option<usize>>,
    /// Of each entry, its service and its address.
    entries: Vec<(usize, &'s str)>,
}

/// Stands for an entry, where a line is nobody's or several's.
const NOBODY: usize = usize::MAX;

impl ChangedLines {
    pub(super) fn of((old, before): (&Text<'_>, &[Entry]), (new, after): (&Text<'_>, &[Entry])) -> Self {
        let mut numbers: HashMap<Captures, usize> = HashMap::new();
        for entry in before.iter().chain(after) {
            let next = numbers.len();
            numbers.entry(entry.captured.clone()).or_insert(next);
        }
        let (then, now) = (Version::of(old, before, &numbers), Version::of(new, after, &numbers));
        // So no line is taken for one of another entry that reads the same.
        let (a, b) = (then.with_owners(), now.with_owners());
        let found = hunks(&Lines::new(&a), &Lines::new(&b)).into_iter();
        let stretches = found.flat_map(|(was, is)| pair(&then.runs(&was), &now.runs(&is), is.end)).collect();
        Self { numbers, stretches }
    }

    /// Whether a line of one service that differs, before or after, has such a text; or one that is of several.
    pub(super) fn have(&self, captured: &Captures, [old, new]: [&Text<'_>; 2], is: fn(&str) -> bool) -> bool {
        let number = self.numbers.get(captured);
        let may_be_own = |owner: &Owner| owner.is_none() || owner.as_ref() == number;
        let mut own = self.stretches.iter().filter(|stretch| may_be_own(&stretch.owner));
        own.any(|stretch| is(old.lines.raw(&stretch.then)) || is(new.lines.raw(&stretch.now)))
    }

    /// Edits of the version after, which put the lines of one service back.
    pub(super) fn edits(&self, captured: &Captures, old: &Text<'_>, new: &Text<'_>) -> Vec<TextEdit> {
        let Some(number) = self.numbers.get(captured) else { return Vec::new() };
        let own = self.stretches.iter().filter(|stretch| stretch.owner == Some(*number));
        own.map(|stretch| {
            let span = new.lines.span(&stretch.now);
            let mut text = old.lines.raw(&stretch.then).to_owned();
            let is_last = span.end == new.text.len();
            if !text.is_empty() && !text.ends_with('\n') && !is_last {
                text.push('\n');
            }
            let is_behind_an_open_line = span.is_empty() && is_last && !new.text.ends_with('\n');
            if is_behind_an_open_line && !new.text.is_empty() {
                text.insert(0, '\n');
            }
            (span, text)
        })
        .collect()
    }
}

/// Pairs the runs of a hunk by their owners, in their order. What has no partner came, or went: it goes back in front of what
/// followed it.
fn pair(was: &[Run], is: &[Run], end: usize) -> Vec<Stretch> {
    let owners = |runs: &[Run]| runs.iter().map(|run| format!("{:?}\n", run.owner)).collect::<String>();
    let (a, b) = (owners(was), owners(is));
    let mut differing = hunks(&Lines::new(&a), &Lines::new(&b));
    differing.push((was.len()..was.len(), is.len()..is.len()));
    let mut found = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for (went, came) in differing {
        let alike = was.get(at_old..went.start).into_iter().flatten();
        let alike = alike.zip(is.get(at_new..came.start).into_iter().flatten());
        found.extend(alike.map(|(was, is)| Stretch {
            owner: was.owner,
            then: was.lines.clone(),
            now: is.lines.clone(),
        }));
        let place = is.get(came.start).map_or(end, |run| run.lines.start);
        let gone = |run: &Run| Stretch { owner: run.owner, then: run.lines.clone(), now: place..place };
        found.extend(was.get(went.clone()).into_iter().flatten().map(gone));
        let new = |run: &Run| Stretch { owner: run.owner, then: 0..0, now: run.lines.clone() };
        found.extend(is.get(came.clone()).into_iter().flatten().map(new));
        (at_old, at_new) = (went.end, came.end);
    }
    found
}

impl<'s, 't> Version<'s, 't> {
    fn of(text: &'s Text<'t>, entries: &'s [Entry], numbers: &HashMap<Captures, usize>) -> Self {
        let leaves = |(at, entry): (usize, &'s Entry)| entry.leaves.iter().map(move |leaf| (*leaf, at));
        let of_leaf: HashMap<usize, usize> = entries.iter().enumerate().flat_map(leaves).collect();
        let owner = |line: usize| {
            let mut owners = text.on_line(line).iter().map(|leaf| of_leaf.get(leaf).copied());
            let first = owners.next()?;
            Some(first.filter(|_| owners.all(|other| other == first)).unwrap_or(NOBODY))
        };
        let mut lines: Vec<Option<usize>> = (0..text.lines.len()).map(owner).collect();
        // What stands between two lines of an entry is of the entry.
        let mut last: Option<(usize, usize)> = None;
        for at in 0..lines.len() {
            let Some(entry) = lines.get(at).copied().flatten() else { continue };
            if let Some((line, _)) = last.filter(|(_, before)| *before == entry && entry != NOBODY) {
                lines.get_mut(line..at).into_iter().flatten().for_each(|between| *between = Some(entry));
            }
            last = Some((at, entry));
        }
        // An empty line goes with what is before it, also within a text, and so does the end of a template's block.
        let goes_on = |body: &str| body.is_empty() || is_end(body.trim_start());
        for at in (1..lines.len()).filter(|at| goes_on(text.lines.body(*at))) {
            if let [before, empty @ None] = lines.get_mut(at - 1..=at).unwrap_or_default() {
                *empty = *before;
            }
        }
        // The mark between documents goes with the one that it begins.
        for at in (0..lines.len()).filter(|at| text.lines.body(*at) == "---") {
            let next = lines.get(at..).and_then(|rest| rest.iter().flatten().next().copied());
            lines.get_mut(at..=at).into_iter().flatten().for_each(|mark| *mark = next);
        }
        let entry = |entry: &'s Entry| Some((*numbers.get(&entry.captured)?, entry.address.as_str()));
        Self { text, lines, entries: entries.iter().filter_map(entry).collect() }
    }

    /// The text, each line with the address of the entry that it belongs to.
    fn with_owners(&self) -> String {
        let written = |(at, entry): (usize, &Option<usize>)| {
            let address = entry.and_then(|entry| self.entries.get(entry)).map_or("", |(_, address)| address);
            format!("{address}\t{}\n", self.text.lines.content(at))
        };
        self.lines.iter().enumerate().map(written).collect()
    }

    /// Stretches of lines by their owners. A line on which nothing stands, such as the head of a block, belongs to what follows,
    /// and one that closes something to what is before it.
    fn runs(&self, lines: &Range<usize>) -> Vec<Run> {
        let own = |line: usize| self.lines.get(line).copied().flatten();
        let all_before = |line: usize| self.lines.get(..line).unwrap_or_default();
        let before = |line: usize| all_before(line).iter().rev().flatten().next().copied();
        let after = |line: usize| self.lines.get(line..).into_iter().flatten().flatten().next().copied();
        let mut runs: Vec<Run> = Vec::new();
        for line in lines.clone() {
            let body = self.text.lines.body(line).trim_start();
            let closes = body.is_empty()
                || body.starts_with(['}', ']', ')'])
                || ["\"\"\"", "'''"].iter().any(|quote| body.starts_with(quote))
                || is_end(body);
            let beside = || match closes {
                true => before(line).or_else(|| after(line)),
                false => after(line).or_else(|| before(line)),
            };
            let entry = own(line).or_else(beside);
            let owner = entry.and_then(|entry| self.entries.get(entry)).map(|(service, _)| *service);
            match runs.last_mut().filter(|run| run.owner == owner) {
                Some(run) => run.lines.end = line + 1,
                None => runs.push(Run { owner, lines: line..line + 1 }),
            }
        }
        runs
    }
}
