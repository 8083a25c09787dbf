//! Finding the changed fields again in a later version of their file, and what became of them.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use super::super::leaves::Text;
use super::super::leaves::leaf::{Leaf, LeafKind};
use super::super::lines::{Alignment, Counterpart};
use super::super::pairs::entry;
use super::super::rules::{Candidate, FieldRule, release_field};
use super::super::tokens::{self, versionless};
use super::super::types::{Comparison, FieldOutcome, FieldResult, Refusal, ScalarChange};
use super::super::vocabulary::{WordRole, is};
use super::super::words;
use super::identity::Versions;

/// The three versions of a file, and what the bad commit changed in it.
pub(super) struct Restore<'t> {
    pub(super) parent: &'t Text<'t>,
    pub(super) bad: &'t Text<'t>,
    pub(super) current: &'t Text<'t>,
    pub(super) comparison: &'t Comparison,
    alignment: OnceCell<Alignment<'t>>,
    bad_shapes: Shapes,
    current_shapes: Shapes,
    bad_places: Places<'t>,
    current_places: Places<'t>,
    /// Which lists and blocks are as they were in the bad version.
    untouched: RefCell<HashMap<String, bool>>,
    /// The leaves of the current version by their values, but for what aliases bring.
    by_value: OnceCell<HashMap<&'t str, Vec<&'t Leaf>>>,
    /// The lines of the current version that hold what the bad commit added.
    pub(super) going: OnceCell<HashSet<usize>>,
}

/// Where a leaf of the bad version is now.
enum Whereabouts<'t> {
    Here(&'t Leaf),
    Gone,
    Unclear,
}

/// A changed field as it is now.
pub(super) struct Located<'t> {
    pub(super) change: &'t ScalarChange,
    pub(super) outcome: FieldOutcome,
    /// Its bytes in the current version, where it is there.
    pub(super) span: Option<Range<usize>>,
    /// The old line, where all of the line goes back.
    pub(super) line: Option<&'t str>,
}

impl Located<'_> {
    pub(super) fn result(&self) -> FieldResult {
        FieldResult {
            address: self.change.address.clone(),
            rule: self.change.rule.unwrap_or(FieldRule::VersionToken),
            old_text: self.change.old_shown().to_owned(),
            new_text: self.change.new_shown().to_owned(),
            outcome: self.outcome.clone(),
        }
    }

    /// The old source text; in the quotes of now, where somebody has put the value into others than the commit did.
    pub(super) fn edit(&self, current: &Text<'_>) -> Option<(Range<usize>, String)> {
        let restored = self.outcome == FieldOutcome::Restored;
        let span = self.span.clone().filter(|_| restored)?;
        if let Some(line) = self.line {
            return Some((span, line.to_owned()));
        }
        let now = current.get(&span);
        let value = &self.change.old_value;
        let text = match now.chars().next() {
            _ if is_in_block(current, &span) => value.clone(),
            _ if now == self.change.new_text || self.change.was.is_some() => self.change.old_text.clone(),
            Some('"') => serde_json::to_string(value).ok()?,
            Some('\'') => format!("'{}'", value.replace('\'', "''")),
            _ => self.change.old_text.clone(),
        };
        Some((span, text))
    }
}

impl<'t> Restore<'t> {
    pub(super) fn new([parent, bad, current]: [&'t Text<'t>; 3], comparison: &'t Comparison) -> Self {
        Self {
            parent,
            bad,
            current,
            comparison,
            alignment: OnceCell::new(),
            bad_shapes: Shapes::default(),
            current_shapes: Shapes::default(),
            bad_places: Places::default(),
            current_places: Places::default(),
            untouched: RefCell::default(),
            by_value: OnceCell::new(),
            going: OnceCell::new(),
        }
    }

    /// How the bad version's lines align with the current ones.
    pub(super) fn alignment(&self) -> &Alignment<'t> {
        self.alignment.get_or_init(|| Alignment::new(&self.bad.lines, &self.current.lines, versionless))
    }

    pub(super) fn versions(&self) -> Versions<'t> {
        Versions { bad: self.bad, current: self.current }
    }

    pub(super) fn locate(&self, change: &'t ScalarChange) -> Result<Located<'t>, Refusal> {
        let ambiguous = || Refusal::Ambiguous(change.address.clone());
        let bad = self.bad.leaves.get(change.leaf).ok_or_else(ambiguous)?;
        let leaf = match self.place_of(change.leaf, bad) {
            Whereabouts::Here(leaf) => leaf,
            Whereabouts::Gone => match self.renamed(change, bad) {
                Some(leaf) => {
                    let outcome = scalar_outcome(change, leaf, self.current.get(&leaf.span));
                    return Ok(Located { change, outcome, span: Some(leaf.span.clone()), line: None });
                }
                None => {
                    let outcome = self.gone(change, bad);
                    return Ok(Located { change, outcome, span: None, line: None });
                }
            },
            Whereabouts::Unclear => return Err(ambiguous()),
        };
        let text = self.current.get(&leaf.span);
        let is_whole = self.comparison.whole.contains(&change.leaf);
        let (outcome, span) = match leaf.kind {
            LeafKind::Scalar | LeafKind::Line if is_whole => self.whole_line(change, bad, leaf)?,
            LeafKind::Scalar if bad.is_within_alias() != leaf.is_within_alias() => {
                // Somebody has written over what the merge brings, or has taken that away.
                let is_old = leaf.value == change.old_value;
                let superseded = || FieldOutcome::Superseded(text.to_owned());
                (if is_old { FieldOutcome::AlreadyBack } else { superseded() }, None)
            }
            LeafKind::Scalar if change.was.is_some() => {
                let span = entry(self.current, leaf).ok_or_else(ambiguous)?;
                let holds = leaf.value == change.new_value;
                let superseded = || FieldOutcome::Superseded(text.to_owned());
                (if holds { FieldOutcome::Restored } else { superseded() }, Some(span))
            }
            LeafKind::Scalar => (scalar_outcome(change, leaf, text), Some(self.with_name(change, leaf))),
            LeafKind::Line => self.line_outcome(change, bad, leaf),
        };
        let is_origin = change.rule == Some(FieldRule::Origin)
            || is(&bad.key, WordRole::GoesAlong) && tokens::image_parts(&change.new_value).is_none();
        let is_other = || {
            self.versions().is_of_another(bad, leaf)
                || is_origin && !self.versions().is_same_around(bad, leaf)
        };
        if outcome == FieldOutcome::Restored && is_other() {
            return Err(Refusal::OfAnother(change.address.clone()));
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
        let line = if is_whole { self.old_line(change) } else { None };
        Ok(Located { change, outcome, span, line })
    }

    /// The bytes of a field now: with the `&name` that the bad commit gave it, which goes with the value.
    fn with_name(&self, change: &ScalarChange, leaf: &Leaf) -> Range<usize> {
        let whole = leaf.anchor.unwrap_or(leaf.span.start)..leaf.span.end;
        match self.current.get(&whole) == change.new_text {
            true => whole,
            false => leaf.span.clone(),
        }
    }

    /// The words of a line that the bad commit changed, by their places in it.
    fn words_of(&self, leaf: usize, start: usize) -> Vec<Range<usize>> {
        let changes = &self.comparison.changes;
        let first = changes.partition_point(|change| change.new.start < start);
        let of_line = changes.iter().skip(first).take_while(|change| change.leaf == leaf);
        of_line.map(|change| change.new.start - start..change.new.end - start).collect()
    }

    /// What a field that is not there any more has become: the one whose place it took may be back.
    fn gone(&self, change: &'t ScalarChange, bad: &'t Leaf) -> FieldOutcome {
        let before = change.was.as_deref().map_or(&[][..], |was| self.current.at(was));
        let back =
            |leaf: &usize| self.current.leaves.get(*leaf).is_some_and(|leaf| leaf.value == change.old_value);
        if before.iter().any(back) {
            return FieldOutcome::AlreadyBack;
        }
        let place = |leaf: &Leaf| leaf.address.clone();
        let now: Vec<String> = self.elsewhere(change, bad).take(MAX_PLACES).map(place).collect();
        let now = if now.is_empty() { self.under_other_keys(change).map(place).collect() } else { now };
        FieldOutcome::Gone(now)
    }

    /// The new places at which another key holds the bad value, and would be a release field by it.
    fn under_other_keys(&self, change: &'t ScalarChange) -> impl Iterator<Item = &'t Leaf> {
        let by_value = self.by_value.get_or_init(|| {
            let mut by_value: HashMap<&str, Vec<&Leaf>> = HashMap::new();
            for leaf in self.current.leaves.iter().filter(|leaf| leaf.brought.is_none()) {
                by_value.entry(words::value_of(leaf)).or_default().push(leaf);
            }
            by_value
        });
        let before = self.bad;
        let is_field = move |leaf: &&Leaf| {
            let (key, named) = (leaf.key.as_str(), leaf.named.as_deref());
            let candidate = Candidate { key, named, old: &change.old_value, new: &change.new_value };
            before.at(&leaf.address).is_empty() && release_field(candidate).is_some()
        };
        let holding = by_value.get(change.new_value.as_str()).map_or(&[][..], Vec::as_slice);
        holding.iter().copied().take(MAX_HOLDING).filter(is_field).take(MAX_PLACES)
    }

    /// The new places at which the key of a field holds the bad value.
    fn elsewhere(&self, change: &'t ScalarChange, bad: &'t Leaf) -> impl Iterator<Item = &'t Leaf> {
        let (current, before) = (self.current, self.bad);
        let holds = move |leaf: &&Leaf| {
            leaf.key == bad.key && leaf.value == change.new_value && leaf.brought.is_none()
        };
        current.leaves.iter().filter(holds).filter(move |leaf| before.at(&leaf.address).is_empty())
    }

    /// The field where what it is in was renamed since, and nothing else: one step of its address is another, and all that stands under that
    /// step is what stood under the old one. What the version is of has to stand there too, and nowhere else: what is only called otherwise
    /// has kept its image or its chart.
    fn renamed(&self, change: &'t ScalarChange, bad: &'t Leaf) -> Option<&'t Leaf> {
        let mut places = self.elsewhere(change, bad);
        let (leaf, None) = (places.next()?, places.next()) else { return None };
        if !leaf.sure || leaf.kind != LeafKind::Scalar {
            return None;
        }
        let (then, now) = renamed_block(&bad.address, &leaf.address)?;
        let under = |text: &'t Text<'t>, block: &str| -> Vec<(&'t str, &'t str)> {
            let leaves = text.under(block).iter().filter_map(|leaf| text.leaves.get(*leaf));
            let mut all: Vec<_> = leaves
                .filter(|leaf| !is(&leaf.key, WordRole::LineName))
                .map(|leaf| (leaf.address.get(block.len()..).unwrap_or(""), leaf.value.as_str()))
                .collect();
            all.sort_unstable();
            all
        };
        let (before, after) = (under(self.bad, then), under(self.current, now));
        let is_clear = before == after && before.len() > 1 && self.current.under(then).is_empty();
        let says_of_what = |(place, _): &(&str, &str)| {
            [".repository", ".chart"].iter().any(|key| place.ends_with(key))
                && !then.contains("dependencies[")
        };
        let of_image = tokens::image_parts(&change.new_value).map(|_| versionless(&change.new_value));
        let of_what = before.iter().find(|one| says_of_what(one)).map(|(_, value)| (*value).to_owned());
        let of = of_image.or(of_what)?;
        // Where another one is of the same, the one that came may be one more of that.
        let is_of_it = |leaf: &&Leaf| leaf.kind == LeafKind::Scalar && versionless(&leaf.value) == of;
        let is_only_one = |text: &Text<'_>| text.leaves.iter().filter(is_of_it).count() == 1;
        (is_clear && is_only_one(self.bad) && is_only_one(self.current)).then_some(leaf)
    }

    pub(super) fn line_outcome(
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
    fn place_of(&self, index: usize, bad: &Leaf) -> Whereabouts<'t> {
        let here = self.current.at(&bad.address);
        let only = |leaves: &[usize]| match leaves {
            [leaf] => self.current.leaves.get(*leaf),
            _ => None,
        };
        if bad.sure && self.bad.at(&bad.address) == [index] {
            if here.is_empty() {
                return Whereabouts::Gone;
            }
            if let Some(leaf) = only(here).filter(|leaf| leaf.sure) {
                return Whereabouts::Here(leaf);
            }
        }
        if self.is_untouched(bad) {
            let nth = self.bad.at(&bad.address).iter().position(|leaf| *leaf == index);
            let leaf = nth.and_then(|nth| here.get(nth)).and_then(|leaf| self.current.leaves.get(*leaf));
            return leaf.map_or(Whereabouts::Unclear, Whereabouts::Here);
        }
        let line = self.bad.line_of(&bad.span);
        match self.alignment().counterpart(line) {
            Counterpart::Same(_) if self.is_one_of_several(bad) => Whereabouts::Unclear,
            Counterpart::Same(now) => {
                self.leaf_on(now, index, bad).map_or(Whereabouts::Unclear, Whereabouts::Here)
            }
            Counterpart::Replaced(now) => match self.leaf_on(now, index, bad) {
                Some(leaf) if self.current.get(&leaf.span) != self.bad.get(&bad.span) => {
                    Whereabouts::Here(leaf)
                }
                _ => Whereabouts::Unclear,
            },
            Counterpart::None if self.current_shapes.counts(self.current, bad).same_value == 0 => {
                Whereabouts::Gone
            }
            Counterpart::Alike(_) | Counterpart::None => Whereabouts::Unclear,
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

    /// The leaf on a line of the current version that a leaf of the bad one is there.
    fn leaf_on(&self, line: usize, index: usize, bad: &Leaf) -> Option<&'t Leaf> {
        let shape = (bad.key.as_str(), without_indexes(&bad.address));
        let before = self.bad_places.on(self.bad, self.bad.line_of(&bad.span), &shape)?;
        let nth = before.binary_search(&index).ok()?;
        self.current.leaves.get(*self.current_places.on(self.current, line, &shape)?.get(nth)?)
    }
}

/// The leaves of each line that was asked about, by their keys and their addresses without the mere places in these.
#[derive(Default)]
struct Places<'t> {
    lines: RefCell<HashMap<usize, Rc<ByShape<'t>>>>,
}

type Shape<'t> = (&'t str, String);
type ByShape<'t> = HashMap<Shape<'t>, Rc<[usize]>>;

impl<'t> Places<'t> {
    /// The leaves on a line that have this shape, in their order.
    fn on(&self, text: &'t Text<'t>, line: usize, shape: &Shape<'_>) -> Option<Rc<[usize]>> {
        let known = self.lines.borrow().get(&line).cloned();
        let by_shape = known.unwrap_or_else(|| {
            let mut found: HashMap<Shape<'t>, Vec<usize>> = HashMap::new();
            for index in text.on_line(line) {
                if let Some(leaf) = text.leaves.get(*index) {
                    found.entry((&leaf.key, without_indexes(&leaf.address))).or_default().push(*index);
                }
            }
            let found: ByShape<'t> =
                found.into_iter().map(|(shape, leaves)| (shape, leaves.into())).collect();
            let found = Rc::new(found);
            self.lines.borrow_mut().insert(line, Rc::clone(&found));
            found
        });
        by_shape.get(shape).cloned()
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

/// Whether it stands below the head of a block of lines (`>-`), in which quotes are a part of the value.
fn is_in_block(text: &Text<'_>, span: &Range<usize>) -> bool {
    let above = text.get(&(0..span.start)).rsplit_once('\n').filter(|(_, own)| own.trim().is_empty());
    let head = above.and_then(|(above, _)| above.trim_end().rsplit([' ', '\n']).next());
    head.is_some_and(|head| head.starts_with(['|', '>']) && head.len() <= 3)
}

/// The most places at which a value stands now that are told.
const MAX_PLACES: usize = 3;
/// How many leaves that hold one value are looked at.
const MAX_HOLDING: usize = 100;

/// Of two addresses that differ in one step what leads up to that and the step itself, each with what ends it.
fn renamed_block<'a>(then: &'a str, now: &'a str) -> Option<(&'a str, &'a str)> {
    let ends = |c: char| ".[]:>".contains(c);
    let same = then.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
    let start = then.get(..same)?.rfind(ends).map_or(0, |at| at + 1);
    let step = |address: &'a str| {
        let rest = address.get(start..)?;
        let at = rest.find(ends)?;
        Some((address.get(..=start + at)?, rest.get(at..)?))
    };
    let ((old, old_rest), (new, new_rest)) = (step(then)?, step(now)?);
    let is_place = |address: &str| address.ends_with(']') && address.contains(" of ");
    let is_named = !is_place(old) && !is_place(new);
    (old_rest == new_rest && is_named).then_some((old, new))
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
    let mut rest = match address.split_once(": ") {
        Some((name, rest)) if name.starts_with("document ") => rest,
        Some(_) | None => address,
    };
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
    // What an alias stands for counts, and not its name.
    if leaf.brought.is_some() && leaf.value != change.new_value && leaf.value != change.old_value {
        FieldOutcome::Superseded(leaf.value.clone())
    } else if text == change.old_text {
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
