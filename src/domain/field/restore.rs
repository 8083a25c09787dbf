//! Finding the changed fields again in a later version of their file, and putting the old source text back.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::compare::{compare, entry};
use super::leaf::{Document, Leaf, LeafKind, Text, read};
use super::lines::{Alignment, Counterpart, comment_start};
use super::rules::{self, Candidate, FieldRule, release_field};
use super::tokens::versionless;
use super::{
    Companion, Comparison, FieldOutcome, FieldResult, File, Refusal, Reverted, ScalarChange, couple, words,
};

/// The most fields beside one that are looked at.
const MAX_SIBLINGS: usize = 1_000;
/// How many blocks around a field are looked at.
const MAX_DEPTH: usize = 32;
/// The keys that say, in the block around, where what a version is of is to be found.
const LOCATIONS: [&str; 7] = ["url", "repo", "repository", "repoURL", "chart", "git", "uri"];

/// New text for a stretch of bytes.
type Edit = (Range<usize>, String);

/// The three versions of a file, and what the bad commit changed in it.
struct Restore<'t> {
    parent: &'t Text<'t>,
    bad: &'t Text<'t>,
    current: &'t Text<'t>,
    comparison: &'t Comparison,
    alignment: OnceCell<Alignment<'t>>,
    bad_shapes: Shapes,
    current_shapes: Shapes,
    /// Which lists and blocks are as they were in the bad version.
    untouched: RefCell<HashMap<String, bool>>,
}

/// A stretch of lines that goes back as a whole.
struct Hunk {
    edit: Edit,
    /// Its bytes in the parent's version.
    parent: Range<usize>,
}

/// Where a leaf of the bad version is now.
enum Place<'t> {
    Here(&'t Leaf),
    Gone,
    Unclear,
}

/// A changed field as it is now.
struct Located<'t> {
    change: &'t ScalarChange,
    outcome: FieldOutcome,
    /// Its bytes in the current version, where it is there.
    span: Option<Range<usize>>,
}

pub(super) fn revert(
    file: &File<'_>,
    parent: &Document,
    bad: &Document,
    now: &Document,
) -> Result<Reverted, Refusal> {
    let [parent, bad, current] = read([parent, bad, now]);
    let comparison = compare(file, &parent, &bad);
    if comparison.release_fields().next().is_none() {
        return Err(Refusal::NoReleaseField);
    }
    let restore = Restore {
        parent: &parent,
        bad: &bad,
        current: &current,
        comparison: &comparison,
        alignment: OnceCell::new(),
        bad_shapes: Shapes::default(),
        current_shapes: Shapes::default(),
        untouched: RefCell::default(),
    };
    let located: Vec<Located<'_>> =
        comparison.release_fields().map(|change| restore.locate(change)).collect::<Result<_, _>>()?;
    let mut fields: Vec<FieldResult> = located.iter().map(Located::result).collect();
    let left_behind: Vec<String> = comparison.left_behind().map(str::to_owned).collect();
    if current.text == bad.text && left_behind.is_empty() {
        fields
            .extend(comparison.companions.iter().map(|companion| result(companion, FieldOutcome::Restored)));
        return Ok(Reverted { bytes: parent.text.as_bytes().to_vec(), fields, left_behind });
    }
    let mut edits = Vec::new();
    if located.iter().any(|one| one.outcome == FieldOutcome::Restored) {
        let hunks = restore.hunks(&located);
        for companion in &comparison.companions {
            let (result, edit) = restore.companion(companion, &hunks)?;
            fields.push(result);
            edits.extend(edit);
        }
        let in_hunk = |span: &Range<usize>| hunks.iter().any(|hunk| overlaps(&hunk.edit.0, span));
        let outside = |edit: &Edit| !in_hunk(&edit.0);
        edits.extend(located.iter().filter_map(|one| one.edit(&current)).filter(outside));
        edits.extend(hunks.into_iter().map(|hunk| hunk.edit));
    }
    let text = splice(current.text, edits).ok_or_else(|| Refusal::Ambiguous(first_address(&comparison)))?;
    verify(file, now, &text, &located)?;
    Ok(Reverted { bytes: text.into_bytes(), fields, left_behind })
}

fn first_address(comparison: &Comparison) -> String {
    comparison.release_fields().next().map(|change| change.address.clone()).unwrap_or_default()
}

/// Whether two stretches share a byte, or one is an empty one inside the other.
fn overlaps(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end || a.is_empty() && b.start < a.start && a.start < b.end
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

impl Located<'_> {
    fn result(&self) -> FieldResult {
        FieldResult {
            address: self.change.address.clone(),
            rule: self.change.rule.unwrap_or(FieldRule::VersionToken),
            old_text: self.change.old_text.clone(),
            new_text: self.change.new_text.clone(),
            outcome: self.outcome.clone(),
        }
    }

    /// The old source text; in the quotes of now, where somebody has put the value into others than the commit did.
    fn edit(&self, current: &Text<'_>) -> Option<Edit> {
        let restored = self.outcome == FieldOutcome::Restored;
        let span = self.span.clone().filter(|_| restored)?;
        let now = current.get(&span);
        let value = &self.change.old_value;
        let text = match now.chars().next() {
            _ if now == self.change.new_text || self.change.was.is_some() => self.change.old_text.clone(),
            Some('"') => serde_json::to_string(value).ok()?,
            Some('\'') => format!("'{}'", value.replace('\'', "''")),
            _ => self.change.old_text.clone(),
        };
        Some((span, text))
    }
}

impl<'t> Restore<'t> {
    /// How the bad version's lines align with the current ones.
    fn alignment(&self) -> &Alignment<'t> {
        self.alignment.get_or_init(|| Alignment::new(&self.bad.lines, &self.current.lines, versionless))
    }

    fn locate(&self, change: &'t ScalarChange) -> Result<Located<'t>, Refusal> {
        let ambiguous = || Refusal::Ambiguous(change.address.clone());
        let bad = self.bad.leaves.get(change.leaf).ok_or_else(ambiguous)?;
        let leaf = match self.place_of(change.leaf, bad) {
            Place::Here(leaf) => leaf,
            Place::Gone => return Ok(Located { change, outcome: self.gone(change), span: None }),
            Place::Unclear => return Err(ambiguous()),
        };
        let text = self.current.get(&leaf.span);
        let (outcome, span) = match leaf.kind {
            LeafKind::Scalar if change.was.is_some() => {
                let span = entry(self.current, leaf).ok_or_else(ambiguous)?;
                let holds = leaf.value == change.new_value;
                let superseded = || FieldOutcome::Superseded(text.to_owned());
                (if holds { FieldOutcome::Restored } else { superseded() }, Some(span))
            }
            LeafKind::Scalar => (scalar_outcome(change, leaf, text), Some(leaf.span.clone())),
            LeafKind::Line => self.line_outcome(change, bad, leaf),
        };
        if outcome == FieldOutcome::Restored && self.is_of_another(bad, leaf) {
            return Err(ambiguous());
        }
        // The same version of something else is another deployment.
        let other_thing = outcome == FieldOutcome::Restored && leaf.source != bad.source;
        let outcome = if other_thing {
            FieldOutcome::Superseded(format!(
                "{text} of {}",
                leaf.source.as_deref().unwrap_or("something else")
            ))
        } else {
            outcome
        };
        Ok(Located { change, outcome, span })
    }

    /// The words of a line that the bad commit changed, by their places in it.
    fn words_of(&self, leaf: usize, start: usize) -> Vec<Range<usize>> {
        let changes = &self.comparison.changes;
        let first = changes.partition_point(|change| change.new.start < start);
        let of_line = changes.iter().skip(first).take_while(|change| change.leaf == leaf);
        of_line.map(|change| change.new.start - start..change.new.end - start).collect()
    }

    /// What a field that is not there any more has become: the one whose place it took may be back.
    fn gone(&self, change: &ScalarChange) -> FieldOutcome {
        let before = change.was.as_deref().map_or(&[][..], |was| self.current.at(was));
        let back =
            |leaf: &usize| self.current.leaves.get(*leaf).is_some_and(|leaf| leaf.value == change.old_value);
        if before.iter().any(back) { FieldOutcome::AlreadyBack } else { FieldOutcome::Gone }
    }

    fn line_outcome(
        &self,
        change: &ScalarChange,
        bad: &Leaf,
        leaf: &Leaf,
    ) -> (FieldOutcome, Option<Range<usize>>) {
        let (line, now) = (self.bad.get(&bad.span), self.current.get(&leaf.span));
        let word = change.new.start - bad.span.start..change.new.end - bad.span.start;
        let others: Vec<Range<usize>> = self.words_of(change.leaf, bad.span.start);
        let place = if line == now { Some(word) } else { words::same_place(line, &word, &others, now) };
        let Some(place) = place else { return (FieldOutcome::Superseded(now.to_owned()), None) };
        let span = leaf.span.start + place.start..leaf.span.start + place.end;
        let text = self.current.get(&span);
        let outcome = match text {
            _ if text == change.new_text || text == change.new_value => FieldOutcome::Restored,
            _ if text == change.old_text || text == change.old_value => FieldOutcome::AlreadyBack,
            _ => FieldOutcome::Superseded(text.to_owned()),
        };
        (outcome, Some(span))
    }

    /// Finds a leaf of the bad version in the current one: by its address where that is sure, and otherwise by following
    /// its line.
    fn place_of(&self, index: usize, bad: &Leaf) -> Place<'t> {
        let here = self.current.at(&bad.address);
        let only = |leaves: &[usize]| match leaves {
            [leaf] => self.current.leaves.get(*leaf),
            _ => None,
        };
        if bad.sure && self.bad.at(&bad.address) == [index] {
            if here.is_empty() {
                return Place::Gone;
            }
            if let Some(leaf) = only(here).filter(|leaf| leaf.sure) {
                return Place::Here(leaf);
            }
        }
        if self.is_untouched(bad) {
            let nth = self.bad.at(&bad.address).iter().position(|leaf| *leaf == index);
            let leaf = nth.and_then(|nth| here.get(nth)).and_then(|leaf| self.current.leaves.get(*leaf));
            return leaf.map_or(Place::Unclear, Place::Here);
        }
        let line = self.bad.line_of(&bad.span);
        match self.alignment().counterpart(line) {
            Counterpart::Same(_) if self.is_one_of_several(bad) => Place::Unclear,
            Counterpart::Same(now) => self.leaf_on(now, index, bad).map_or(Place::Unclear, Place::Here),
            Counterpart::Replaced(now) => match self.leaf_on(now, index, bad) {
                Some(leaf) if self.current.get(&leaf.span) != self.bad.get(&bad.span) => Place::Here(leaf),
                _ => Place::Unclear,
            },
            Counterpart::None if self.current_shapes.counts(self.current, bad).same_value == 0 => Place::Gone,
            Counterpart::Alike(_) | Counterpart::None => Place::Unclear,
        }
    }

    /// Whether the whole list or block around a leaf says what it said in the bad version: then places still count.
    fn is_untouched(&self, bad: &Leaf) -> bool {
        let around = around(bad);
        if let Some(known) = self.untouched.borrow().get(around) {
            return *known;
        }
        let values = |text: &'t Text<'t>| {
            let mut under = text.under(around).to_vec();
            under.sort_unstable();
            let leaves = under.into_iter().filter_map(|leaf| text.leaves.get(leaf));
            leaves.map(|leaf| (leaf.address.as_str(), leaf.value.as_str()))
        };
        let untouched = values(self.bad).eq(values(self.current));
        self.untouched.borrow_mut().insert(around.to_owned(), untouched);
        untouched
    }

    /// Whether others at the same address hold the same value, and some came or went since.
    fn is_one_of_several(&self, bad: &Leaf) -> bool {
        let (then, now) =
            (self.bad_shapes.counts(self.bad, bad), self.current_shapes.counts(self.current, bad));
        then.same_value != now.same_value || then.same_value > 1 && then.all != now.all
    }

    /// Whether what stands beside a field names another thing by now: the same version of that is another deployment. Of
    /// a field without a sure address, all texts beside it have to be the same.
    fn is_of_another(&self, bad: &Leaf, now: &Leaf) -> bool {
        let (then, here) = (bad.block(), now.block());
        let siblings = self.bad.in_block(then);
        if !bad.sure && siblings.len() > MAX_SIBLINGS {
            return true;
        }
        let (stem, _) = rules::stem(&bad.key);
        let labels = ["labels", "matchLabels", "annotations"].iter().any(|block| then.ends_with(block));
        let tells = |sibling: &Leaf| {
            let (of, names) = rules::stem(&sibling.key);
            names && of == stem && !labels
        };
        let differs = |sibling: &Leaf| {
            (!bad.sure || tells(sibling)) && self.says_another(sibling, (then, here), (bad, now))
        };
        let outer = couple::block(then);
        let located = |leaf: &&Leaf| LOCATIONS.contains(&leaf.key.as_str());
        let above = || {
            self.leaves(outer)
                .filter(located)
                .any(|leaf| self.says_another(leaf, (outer, couple::block(here)), (bad, now)))
        };
        // The head of a list's item stands for the whole item.
        let inside = || {
            self.leaves(&bad.address)
                .any(|leaf| tells(leaf) && self.says_another(leaf, (&bad.address, &now.address), (bad, now)))
        };
        let beside = || self.leaves(then).filter(|leaf| leaf.key != bad.key).take(MAX_SIBLINGS).any(differs);
        beside() || inside() || above() || self.refers_elsewhere(then, here)
    }

    fn leaves(&self, block: &str) -> impl Iterator<Item = &'t Leaf> {
        self.bad.in_block(block).iter().filter_map(|leaf| self.bad.leaves.get(*leaf))
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
            (then, here) = (couple::block(then), couple::block(here));
        }
        false
    }

    /// Whether a leaf beside a field has another text by now. What is gone says nothing, and numbers name no thing.
    fn says_another(&self, sibling: &Leaf, (then, here): (&str, &str), (bad, field): (&Leaf, &Leaf)) -> bool {
        // Of several the nearest is the one beside the field.
        let nearest = |text: &'t Text<'t>, block: &str, of: &Leaf| {
            let leaves = text.in_block(block).iter().filter_map(|leaf| text.leaves.get(*leaf));
            let line = text.line_of(&of.span);
            leaves
                .filter(|leaf| leaf.key == sibling.key && !leaf.key.is_empty())
                .min_by_key(|leaf| text.line_of(&leaf.span).abs_diff(line))
        };
        if nearest(self.bad, then, bad).is_none_or(|leaf| leaf.span != sibling.span) {
            return false;
        }
        let Some(now) = nearest(self.current, here, field) else { return false };
        let text = |leaf: &Leaf| match leaf.kind {
            LeafKind::Scalar => versionless(&leaf.value),
            LeafKind::Line => versionless(leaf.value.get(..comment_start(&leaf.value)).unwrap_or("")),
        };
        let is_text = sibling.value.contains(char::is_alphabetic)
            && !matches!(sibling.value.as_str(), "true" | "false");
        let release =
            release_field(Candidate { key: &sibling.key, named: None, old: &sibling.value, new: &now.value });
        let (_, names) = rules::stem(&sibling.key);
        is_text && (names || release.is_none()) && text(sibling) != text(now)
    }

    /// The leaf on a line of the current version that a leaf of the bad one is there.
    fn leaf_on(&self, line: usize, index: usize, bad: &Leaf) -> Option<&'t Leaf> {
        let shape = without_indexes(&bad.address);
        let same = |leaf: &Leaf| leaf.key == bad.key && without_indexes(&leaf.address) == shape;
        let on = |text: &'t Text<'t>, line: usize| {
            text.on_line(line).iter().filter_map(|index| Some((*index, text.leaves.get(*index)?)))
        };
        let mut before = on(self.bad, self.bad.line_of(&bad.span)).filter(|(_, leaf)| same(leaf));
        let nth = before.position(|(other, _)| other == index)?;
        on(self.current, line).map(|(_, leaf)| leaf).filter(|leaf| same(leaf)).nth(nth)
    }
}

/// How many leaves of a text have, but for places in lists, the same address; by their value, and in all.
#[derive(Default)]
struct Shapes {
    counted: OnceCell<HashMap<String, HashMap<String, usize>>>,
}

#[derive(Clone, Copy)]
struct Counts {
    same_value: usize,
    all: usize,
}

impl Shapes {
    fn counts(&self, text: &Text<'_>, leaf: &Leaf) -> Counts {
        let count = || {
            let mut counted: HashMap<String, HashMap<String, usize>> = HashMap::new();
            for leaf in text.leaves {
                let values = counted.entry(without_indexes(&leaf.address)).or_default();
                *values.entry(leaf.value.clone()).or_default() += 1;
            }
            counted
        };
        let values = self.counted.get_or_init(count).get(&without_indexes(&leaf.address));
        let same_value = values.and_then(|values| values.get(&leaf.value)).copied().unwrap_or(0);
        Counts { same_value, all: values.map_or(0, |values| values.values().sum()) }
    }
}

/// The address of the outermost list of which a leaf has only its place, or of its block.
fn around(leaf: &Leaf) -> &str {
    let index = leaf
        .address
        .match_indices('[')
        .map(|(at, _)| at)
        .find(|at| leaf.address.get(*at..).is_some_and(|step| without_indexes(step).starts_with("[]")));
    index.and_then(|at| leaf.address.get(..at)).unwrap_or_else(|| leaf.block())
}

/// An address without the mere places in it.
fn without_indexes(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(open) = rest.find('[') {
        let inside = rest.get(open + 1..).unwrap_or("");
        let close = inside.find(']').unwrap_or(inside.len());
        let step = inside.get(..close).unwrap_or("");
        let place = step
            .split_once(" of ")
            .is_some_and(|(at, len)| at.parse::<usize>().is_ok() && len.parse::<usize>().is_ok());
        out.push_str(rest.get(..=open).unwrap_or(""));
        if !place {
            out.push_str(step);
        }
        rest = inside.get(close..).unwrap_or("");
    }
    out + rest
}

fn scalar_outcome(change: &ScalarChange, leaf: &Leaf, text: &str) -> FieldOutcome {
    if text == change.old_text {
        FieldOutcome::AlreadyBack
    } else if text == change.new_text
        || leaf.value == change.new_value && change.old_value != change.new_value
    {
        FieldOutcome::Restored
    } else if leaf.value == change.old_value {
        FieldOutcome::AlreadyBack
    } else {
        FieldOutcome::Superseded(text.to_owned())
    }
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
        hunks
            .iter()
            .filter(|(old, new)| self.is_pure(old, new))
            .filter_map(|hunk| self.hunk(hunk, located))
            .collect()
    }

    fn is_pure(&self, old: &Range<usize>, new: &Range<usize>) -> bool {
        let (old_span, new_span) = (self.parent.lines.span(old), self.bad.lines.span(new));
        let comparison = self.comparison;
        let mut changes = comparison.changes.iter().filter(|change| change.rule.is_none());
        !changes.any(|change| overlaps(&old_span, &change.old) || overlaps(&new_span, &change.new))
            && !comparison
                .others
                .iter()
                .any(|(_, span, added)| overlaps(if *added { &new_span } else { &old_span }, span))
    }

    fn hunk(&self, (old, new): &(Range<usize>, Range<usize>), located: &[Located<'_>]) -> Option<Hunk> {
        let span = self.bad.lines.span(new);
        let inside: Vec<&Located<'_>> =
            located.iter().filter(|one| overlaps(&span, &one.change.new)).collect();
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
        hunks: &[Hunk],
    ) -> Result<(FieldResult, Option<Edit>), Refusal> {
        let refusal = || Refusal::Companion(companion.address.clone());
        let here = self.current.at(&companion.address);
        let leaf = match here {
            [] => None,
            [leaf] => self.current.leaves.get(*leaf),
            _ => return Err(refusal()),
        };
        let (outcome, edit) = match (companion.added, leaf) {
            (true, None) => (FieldOutcome::AlreadyBack, None),
            (true, Some(leaf)) if self.current.get(&leaf.span) != companion.text => {
                (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None)
            }
            (true, Some(leaf)) if hunks.iter().any(|hunk| overlaps(&hunk.edit.0, &leaf.span)) => {
                (FieldOutcome::Restored, None)
            }
            (true, Some(leaf)) => {
                (FieldOutcome::Restored, Some(self.without_line(companion, leaf).ok_or_else(refusal)?))
            }
            (false, Some(leaf)) if self.current.get(&leaf.span) == companion.text => {
                (FieldOutcome::AlreadyBack, None)
            }
            (false, Some(leaf)) => (FieldOutcome::Superseded(self.current.get(&leaf.span).to_owned()), None),
            (false, None) if hunks.iter().any(|hunk| overlaps(&hunk.parent, &companion.span)) => {
                (FieldOutcome::Restored, None)
            }
            (false, None) => return Err(refusal()),
        };
        Ok((result(companion, outcome), edit))
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
        (only && same).then(|| (self.current.lines.range(now), String::new()))
    }
}

fn result(companion: &Companion, outcome: FieldOutcome) -> FieldResult {
    let (text, none) = (companion.text.clone(), String::new());
    let (old_text, new_text) = if companion.added { (none, text) } else { (text, none) };
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
fn verify(file: &File<'_>, now: &Document, text: &str, located: &[Located<'_>]) -> Result<(), Refusal> {
    if now.text() == text {
        return Ok(());
    }
    let after = Document::from(text);
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let broken = now.is_yaml() && !after.is_yaml()
        || now.text().trim_start().starts_with(['{', '[']) && is_json(now.text()) && !is_json(text);
    if broken {
        let first = located.first().map(|one| one.change.address.clone());
        return Err(Refusal::Unfaithful(first.unwrap_or_default()));
    }
    let [before, after] = read([now, &after]);
    let found = compare(file, &before, &after);
    let wanted: BTreeSet<(&str, &str)> = located
        .iter()
        .filter(|one| one.outcome == FieldOutcome::Restored)
        .map(|one| (one.change.new_value.as_str(), one.change.old_value.as_str()))
        .collect();
    let unwanted =
        |change: &&ScalarChange| !wanted.contains(&(change.old_value.as_str(), change.new_value.as_str()));
    match found.changes.iter().find(unwanted) {
        Some(change) => Err(Refusal::Unfaithful(change.address.clone())),
        None => Ok(()),
    }
}
