//! Finding a changed field again in a later version of its file, and putting the old source text back.

use std::ops::Range;

use super::yaml::Leaf;
use super::{Comparison, FieldOutcome, Refusal, ScalarChange, lines};

/// New text for a stretch of bytes.
pub(super) type Edit = (Range<usize>, String);

/// Replaces the stretches; ones that overlap an earlier one say the same and are dropped.
pub(super) fn splice(text: &str, mut edits: Vec<Edit>) -> String {
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

pub(super) struct Splicer<'a> {
    pub(super) parent: &'a str,
    pub(super) bad: &'a str,
    pub(super) current: &'a str,
    pub(super) leaves: Option<&'a [Leaf]>,
    pub(super) comparison: &'a Comparison,
}

impl Splicer<'_> {
    /// Where the field is now, what became of it, and the edit that puts it back.
    pub(super) fn locate(&self, change: &ScalarChange) -> Result<(FieldOutcome, Option<Edit>), Refusal> {
        match self.leaves {
            Some(leaves) if change.addressed => self.locate_leaf(change, leaves),
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
        let end = line_end(self.current.get(here.clone())?);
        let line = format!("{}{end}", self.parent.get(parent)?.trim_end_matches(['\r', '\n']));
        (all_release && parent_rest == bad_rest).then_some((here, line))
    }

    /// Follows a line from the bad commit's text to the current one. It counts as the same line only where the lines
    /// around it are the same too: lines of the same text are common (`tag = "v2"`).
    fn locate_line(&self, change: &ScalarChange) -> Result<(FieldOutcome, Option<Edit>), Refusal> {
        let ambiguous = || Refusal::Ambiguous(change.address.clone());
        let (bad, current) = (lines::lines(self.bad), lines::lines(self.current));
        let texts = |text: &str, lines: &[Range<usize>]| -> Vec<String> {
            lines.iter().map(|line| text.get(line.clone()).unwrap_or("").trim_end().to_owned()).collect()
        };
        let (bad_texts, current_texts) = (texts(self.bad, &bad), texts(self.current, &current));
        let inside = |line: &Range<usize>| line.start <= change.new.start && change.new.end <= line.end;
        let index = bad.iter().position(inside).ok_or_else(ambiguous)?;
        let ops = similar::capture_diff_slices(similar::Algorithm::Histogram, &bad_texts, &current_texts);
        let op = ops.into_iter().find(|op| op.old_range().contains(&index)).ok_or_else(ambiguous)?;
        let (old, new) = (op.old_range(), op.new_range());
        let here = new.start + (index - old.start);
        match op {
            similar::DiffOp::Equal { .. } => {
                let place = Place { index, old: &old, bad: &bad_texts, here, current: &current_texts };
                if !place.is_sure() {
                    return Err(ambiguous());
                }
                let (base, line) =
                    (bad.get(index).ok_or_else(ambiguous)?, current.get(here).ok_or_else(ambiguous)?);
                let span =
                    line.start + (change.new.start - base.start)..line.start + (change.new.end - base.start);
                let edit = self.whole_line(change, &span).unwrap_or_else(|| (span, change.old_text.clone()));
                Ok((FieldOutcome::Restored, Some(edit)))
            }
            similar::DiffOp::Replace { .. } if old.len() == new.len() => {
                let parent = lines::line_of(self.parent, &change.old).and_then(|line| self.parent.get(line));
                let now = current_texts.get(here).ok_or_else(ambiguous)?;
                let back = parent.is_some_and(|line| line.trim_end() == now);
                Ok((
                    if back {
                        FieldOutcome::AlreadyBack
                    } else {
                        FieldOutcome::Superseded(now.trim().to_owned())
                    },
                    None,
                ))
            }
            similar::DiffOp::Delete { .. } => Ok((FieldOutcome::Gone, None)),
            similar::DiffOp::Replace { .. } | similar::DiffOp::Insert { .. } => Err(ambiguous()),
        }
    }
}

/// A line in two versions of a text, as an alignment has matched them.
struct Place<'a> {
    index: usize,
    /// The stretch of equal lines around it, in the bad version.
    old: &'a Range<usize>,
    bad: &'a [String],
    here: usize,
    current: &'a [String],
}

impl Place<'_> {
    /// Whether it is the same line, and not one that happens to say the same: the lines on both sides are the same too,
    /// or the line is the only one of its text and one side is the same and tells.
    fn is_sure(&self) -> bool {
        let at_start = self.index == 0 && self.here == 0;
        let at_end = self.index + 1 == self.bad.len() && self.here + 1 == self.current.len();
        let before = at_start || self.index > self.old.start;
        let after = at_end || self.index + 1 < self.old.end;
        let tells = |index: Option<usize>| index.is_some_and(|index| self.is_unique(index));
        let before_tells = at_start || before && tells(self.index.checked_sub(1));
        let after_tells = at_end || after && tells(Some(self.index + 1));
        before && after || self.is_unique(self.index) && (before_tells || after_tells)
    }

    /// Whether a line of the bad version stands once in both, and has letters or digits.
    fn is_unique(&self, index: usize) -> bool {
        let Some(line) = self.bad.get(index) else { return false };
        let once = |lines: &[String]| lines.iter().filter(|other| *other == line).count() == 1;
        line.contains(char::is_alphanumeric) && once(self.bad) && once(self.current)
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
