//! Texts as lines: where they are, how two texts align, and which lines are content at all.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The most lines, of both texts together, that are aligned with care. What differs between longer ones counts as one
/// stretch: aligning takes quadratic time in the worst case.
const MAX_ALIGNED: usize = 40_000;

/// New text for a stretch of bytes.
pub(super) type TextEdit = (Range<usize>, String);

/// Replaces the stretches; `None` where two of them overlap.
pub(super) fn splice(text: &str, mut edits: Vec<TextEdit>) -> Option<String> {
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

/// The places of the lines of a text, line ends included.
pub(super) fn ranges(text: &str) -> Vec<Range<usize>> {
    // Most lines of configuration are longer.
    let mut ranges = Vec::with_capacity(text.len() / 16);
    let mut start = 0;
    for at in memchr::memchr_iter(b'\n', text.as_bytes()) {
        ranges.push(start..at + 1);
        start = at + 1;
    }
    if start < text.len() {
        ranges.push(start..text.len());
    }
    ranges
}

/// A text cut into lines.
#[derive(Clone, Debug)]
pub(super) struct Lines<'t> {
    text: &'t str,
    ranges: Cow<'t, [Range<usize>]>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, ranges: Cow::Owned(ranges(text)) }
    }

    /// With the places of its lines, which [`ranges`] found.
    pub(super) fn at_places(text: &'t str, ranges: &'t [Range<usize>]) -> Self {
        Self { text, ranges: Cow::Borrowed(ranges) }
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The bytes of a line, line end included; empty behind the last.
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        self.ranges.get(index).cloned().unwrap_or(self.text.len()..self.text.len())
    }

    /// The bytes of a stretch of lines.
    pub(super) fn span(&self, lines: &Range<usize>) -> Range<usize> {
        let start = self.range(lines.start).start;
        if lines.is_empty() { start..start } else { start..self.range(lines.end - 1).end }
    }

    /// A line without its end and the spaces before that.
    pub(super) fn body(&self, index: usize) -> &'t str {
        self.text.get(self.range(index)).unwrap_or("").trim_end()
    }

    /// A line without its end.
    pub(super) fn content(&self, index: usize) -> &'t str {
        self.text.get(self.range(index)).unwrap_or("").trim_end_matches(['\r', '\n'])
    }

    /// Lines, line ends included.
    pub(super) fn raw(&self, lines: &Range<usize>) -> &'t str {
        self.text.get(self.span(lines)).unwrap_or("")
    }

    /// The line that holds a byte.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.ranges.partition_point(|range| range.end <= offset).min(self.len().saturating_sub(1))
    }

    fn bodies(&self) -> Vec<&'t str> {
        (0..self.len()).map(|index| self.body(index)).collect()
    }

    fn contents(&self) -> Vec<&'t str> {
        (0..self.len()).map(|index| self.content(index)).collect()
    }
}

/// The stretches in which two texts differ, trailing spaces counted but not line ends: line ranges before and after.
pub(super) fn hunks(old: &Lines<'_>, new: &Lines<'_>) -> Vec<(Range<usize>, Range<usize>)> {
    let (old, new) = (old.contents(), new.contents());
    if let Some(hunks) = in_place(&old, &new) {
        return hunks.into_iter().map(|lines| (lines.clone(), lines)).collect();
    }
    let ops = diff(&old, &new);
    let differs = |op: &DiffOp| !matches!(op, DiffOp::Equal { .. });
    ops.into_iter().filter(differs).map(|op| (op.old_range(), op.new_range())).collect()
}

/// The stretches in which two texts of the same length differ, line by line. None where a line that differs in one stands among those
/// that differ in the other: else no alignment has more lines in common, as each line that both have is at its place.
fn in_place(old: &[&str], new: &[&str]) -> Option<Vec<Range<usize>>> {
    if old.len() != new.len() {
        return None;
    }
    let mut stretches: Vec<Range<usize>> = Vec::new();
    let (mut went, mut came) = (HashSet::new(), HashSet::new());
    for (index, (a, b)) in old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b) {
        went.insert(*a);
        came.insert(*b);
        match stretches.last_mut() {
            Some(last) if last.end == index => last.end = index + 1,
            Some(_) | None => stretches.push(index..index + 1),
        }
    }
    went.is_disjoint(&came).then_some(stretches)
}

/// Aligns two slices, keeping the effort bounded.
fn diff(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (old.get(prefix..).unwrap_or(&[]), new.get(prefix..).unwrap_or(&[]));
    let suffix = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    if old_rest.len() + new_rest.len() - 2 * suffix <= MAX_ALIGNED {
        return capture_diff_slices(Algorithm::Histogram, old, new);
    }
    let (old_len, new_len) = (old_rest.len() - suffix, new_rest.len() - suffix);
    vec![
        DiffOp::Equal { old_index: 0, new_index: 0, len: prefix },
        DiffOp::Replace { old_index: prefix, old_len, new_index: prefix, new_len },
        DiffOp::Equal { old_index: prefix + old_len, new_index: prefix + new_len, len: suffix },
    ]
}

/// Where a line of one text is in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counterpart {
    /// The same line, and the lines around it say so too.
    Same(usize),
    /// A line with the same text that could be another one.
    Alike(usize),
    /// A line that stands in its place.
    Replaced(usize),
    /// No line.
    None,
}

/// How the lines of one text align with those of another. Line ends and trailing spaces do not count.
pub(super) struct Alignment<'t> {
    old: Vec<&'t str>,
    new: Vec<&'t str>,
    /// For each line of the old text: its counterpart, and whether it is equal.
    pairs: Vec<Option<(usize, bool)>>,
    old_counts: HashMap<&'t str, usize>,
    new_counts: HashMap<&'t str, usize>,
}

impl<'t> Alignment<'t> {
    /// `key` maps a line to what it is apart from its version: lines of a replaced stretch are paired by it, and by
    /// their place where there are as many on both sides.
    pub(super) fn new(old: &Lines<'t>, new: &Lines<'t>, key: impl Fn(&str) -> String) -> Self {
        let (old, new) = (old.bodies(), new.bodies());
        let mut pairs = vec![None; old.len()];
        for op in diff(&old, &new) {
            match op {
                DiffOp::Equal { old_index, new_index, len } => {
                    for step in 0..len {
                        set(&mut pairs, old_index + step, (new_index + step, true));
                    }
                }
                DiffOp::Replace { .. } => {
                    pair_replaced(&old, &new, &op.old_range(), &op.new_range(), &key, &mut pairs);
                }
                DiffOp::Delete { .. } | DiffOp::Insert { .. } => {}
            }
        }
        let (old_counts, new_counts) = (counts(&old), counts(&new));
        Self { old, new, pairs, old_counts, new_counts }
    }

    pub(super) fn counterpart(&self, index: usize) -> Counterpart {
        match self.pairs.get(index).copied().flatten() {
            None => Counterpart::None,
            Some((new, false)) => Counterpart::Replaced(new),
            Some((new, true)) if self.is_sure(index, new) => Counterpart::Same(new),
            Some((new, true)) => Counterpart::Alike(new),
        }
    }

    /// Whether it is the same line, and not one that happens to say the same: the lines on both sides are the same too,
    /// or the line is the only one of its text and one side is the same and tells.
    fn is_sure(&self, index: usize, new: usize) -> bool {
        let equal = |old: Option<usize>, new: Option<usize>| match (old, new) {
            (Some(old), Some(new)) => self.pairs.get(old).copied().flatten() == Some((new, true)),
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
        };
        let next = |index: usize, len: usize| Some(index + 1).filter(|next| *next < len);
        let (old_after, new_after) = (next(index, self.old.len()), next(new, self.new.len()));
        let before = equal(index.checked_sub(1), new.checked_sub(1));
        let after = equal(old_after, new_after);
        let tells = |index: Option<usize>| index.is_none_or(|index| self.is_unique(index));
        before && after
            || self.is_unique(index) && (before && tells(index.checked_sub(1)) || after && tells(old_after))
    }

    /// Whether a line of the old text stands once in both, and has letters or digits.
    fn is_unique(&self, index: usize) -> bool {
        let Some(line) = self.old.get(index) else { return false };
        line.contains(char::is_alphanumeric)
            && self.old_counts.get(line) == Some(&1)
            && self.new_counts.get(line) == Some(&1)
    }
}

fn set(pairs: &mut [Option<(usize, bool)>], index: usize, pair: (usize, bool)) {
    if let Some(slot) = pairs.get_mut(index) {
        *slot = Some(pair);
    }
}

fn counts<'t>(lines: &[&'t str]) -> HashMap<&'t str, usize> {
    let mut counts = HashMap::with_capacity(lines.len());
    for line in lines {
        *counts.entry(*line).or_default() += 1;
    }
    counts
}

fn pair_replaced(
    old: &[&str],
    new: &[&str],
    old_range: &Range<usize>,
    new_range: &Range<usize>,
    key: &impl Fn(&str) -> String,
    pairs: &mut [Option<(usize, bool)>],
) {
    if old_range.len() == new_range.len() {
        for (old, new) in old_range.clone().zip(new_range.clone()) {
            set(pairs, old, (new, false));
        }
        return;
    }
    let keys = |lines: &[&str], range: &Range<usize>| -> Vec<String> {
        lines.get(range.clone()).unwrap_or(&[]).iter().map(|line| key(line)).collect()
    };
    let (old_keys, new_keys) = (keys(old, old_range), keys(new, new_range));
    let ops = if old_keys.len() + new_keys.len() <= MAX_ALIGNED {
        capture_diff_slices(Algorithm::Histogram, &old_keys, &new_keys)
    } else {
        Vec::new()
    };
    for op in ops {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for step in 0..len {
                set(pairs, old_range.start + old_index + step, (new_range.start + new_index + step, false));
            }
        }
    }
}

/// Whether a line holds nothing that could matter: it is empty, a comment, or only brackets and dashes. A comment with a template in it is content: the template runs.
pub(super) fn is_trifle(line: &str) -> bool {
    let line = line.trim();
    let comment = ["#", "//", ";", "/*"].iter().any(|mark| line.starts_with(mark));
    comment && !line.contains("{{") || !line.contains(|c: char| c.is_alphanumeric())
}

/// Where the comment at the end of a line begins, or its length.
pub(super) fn comment_start(line: &str) -> usize {
    let marks = [" #", "\t#", " //", "\t//"];
    let start = line.trim_start();
    if (start.starts_with('#') || start.starts_with("//")) && !line.contains("{{") {
        return line.len() - start.len();
    }
    let in_quotes = |at: usize| line.get(..at).is_some_and(|before| before.matches('"').count() % 2 == 1);
    let comment = |mark: &&str| line.find(*mark).filter(|at| !in_quotes(*at));
    marks.iter().filter_map(comment).min().unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(old: &str, new: &str, line: usize) -> Counterpart {
        Alignment::new(&Lines::new(old), &Lines::new(new), str::to_owned).counterpart(line)
    }

    #[test]
    fn a_line_is_the_same_where_the_lines_around_it_are() {
        assert_eq!(aligned("a\nb\nc\n", "x\na\nb\nc\n", 1), Counterpart::Same(2));
        assert_eq!(aligned("a\nb\nc\n", "a\nd\nc\n", 1), Counterpart::Replaced(1));
        assert_eq!(aligned("a\nb\nc\n", "a\nc\n", 1), Counterpart::None);
        assert_eq!(aligned("{\nb\n}\nb\n", "{\nx\nb\ny\n}\n", 1), Counterpart::Alike(2));
    }

    /// How many lines two texts have in common at most, in their order.
    fn most_in_common(old: &[&str], new: &[&str]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut diagonal = 0;
            for (place, b) in new.iter().enumerate() {
                let above = row[place + 1];
                row[place + 1] = if a == b { diagonal + 1 } else { above.max(row[place]) };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    proptest::proptest! {
        #[test]
        fn lines_compared_in_place_have_as_many_in_common_as_any_alignment(
            pairs in proptest::collection::vec(("[a-d]", "[a-f]"), 0..12),
        ) {
            let (old, new): (Vec<&str>, Vec<&str>) = pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
            if let Some(hunks) = in_place(&old, &new) {
                let differing: usize = hunks.iter().map(ExactSizeIterator::len).sum();
                proptest::prop_assert_eq!(old.len() - differing, most_in_common(&old, &new));
            }
        }
    }

    #[test]
    fn hunks_count_spaces_and_no_line_ends() {
        let of = |old, new| hunks(&Lines::new(old), &Lines::new(new));
        assert_eq!(of("a\nb\n", "a\nb \n"), [(1..2, 1..2)]);
        assert_eq!(of("a\r\n", "a\n"), []);
        assert_eq!(of("a\n", "a\nb\n"), [(1..1, 1..2)]);
        assert_eq!(of("a\n", "a\n"), []);
    }

    #[test]
    fn comments_and_brackets_are_trifles_and_templates_are_not() {
        for trifle in ["", "  # x", "// x", "---", "}", "  - ["] {
            assert!(is_trifle(trifle), "{trifle}");
        }
        for content in ["a: 1", "# {{ $x := 1 }}", "x: {}", "FROM a", "- b"] {
            assert!(!is_trifle(content), "{content}");
        }
        assert_eq!(comment_start("a: 1 # b"), 4);
        assert_eq!(comment_start("https://x/#y"), 12);
        assert_eq!(comment_start("a: \"b #v1\""), 10);
    }

    #[test]
    fn texts_of_any_length_are_aligned_in_bounded_time() {
        let long = |word: &str| (0..60_000).map(|n| format!("{word}{n}\n")).collect::<String>();
        let (old, new) = (format!("x\n{}y\n", long("a")), format!("x\n{}y\n", long("b")));
        assert_eq!(hunks(&Lines::new(&old), &Lines::new(&new)), [(1..60_001, 1..60_001)]);
    }
}
