//! Line-wise comparison, for text that is no YAML: templates, `.env`, HCL, Dockerfiles, a file that is one version.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A line that was replaced by another, and the words in them that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineChange {
    /// The bytes of the differing word before.
    pub old: Range<usize>,
    /// The bytes of the differing word after.
    pub new: Range<usize>,
    /// What stands before the word and looks like its key.
    pub key: String,
}

/// The changed lines of two texts, and how many lines were added or removed besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineComparison {
    /// Lines that were replaced one for one.
    pub changes: Vec<LineChange>,
    /// Lines that were added or removed, or replaced by another number of lines.
    pub others: usize,
}

/// The lines of `text` with their places, line ends included.
#[must_use]
pub fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end;
            range
        })
        .collect()
}

/// The line, line end included, that holds all of `span`; `None` where it spans several.
#[must_use]
pub fn line_of(text: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let inside = text.get(span.clone())?;
    if inside.contains('\n') {
        return None;
    }
    let end = text.get(span.end..)?.find('\n').map_or(text.len(), |at| span.end + at + 1);
    Some(start..end)
}

/// Compares two texts line by line.
#[must_use]
pub fn compare(old: &str, new: &str) -> LineComparison {
    let (old_lines, new_lines) = (lines(old), lines(new));
    let slices = |text: &'_ str, lines: &[Range<usize>]| -> Vec<String> {
        lines.iter().map(|range| text.get(range.clone()).unwrap_or("").to_owned()).collect()
    };
    let (old_text, new_text) = (slices(old, &old_lines), slices(new, &new_lines));
    let mut comparison = LineComparison::default();
    for op in capture_diff_slices(Algorithm::Histogram, &old_text, &new_text) {
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Replace { old_index, old_len, new_index, new_len } if old_len == new_len => {
                let pairs =
                    old_lines.iter().skip(old_index).zip(new_lines.iter().skip(new_index)).take(old_len);
                for (old_line, new_line) in pairs {
                    comparison.changes.extend(changed_word(old, old_line, new, new_line));
                }
            }
            DiffOp::Replace { old_len, new_len, .. } => comparison.others += old_len.max(new_len),
            DiffOp::Delete { old_len, .. } => comparison.others += old_len,
            DiffOp::Insert { new_len, .. } => comparison.others += new_len,
        }
    }
    comparison
}

/// The smallest stretch of whole words in which two lines differ; `None` where only their ends do.
fn changed_word(
    old: &str,
    old_line: &Range<usize>,
    new: &str,
    new_line: &Range<usize>,
) -> Option<LineChange> {
    let body = |text: &'_ str| text.trim_end_matches(['\r', '\n']).len();
    let old_line = old_line.start..old_line.start + body(old.get(old_line.clone())?);
    let new_line = new_line.start..new_line.start + body(new.get(new_line.clone())?);
    let a = old.get(old_line.clone())?;
    let b = new.get(new_line.clone())?;
    if a == b {
        return None;
    }
    let common = |x: &mut dyn Iterator<Item = (char, char)>| -> usize {
        x.take_while(|(p, q)| p == q).map(|(p, _)| p.len_utf8()).sum()
    };
    let prefix = common(&mut a.chars().zip(b.chars()));
    let (a_rest, b_rest) = (a.get(prefix..).unwrap_or(""), b.get(prefix..).unwrap_or(""));
    let suffix = common(&mut a_rest.chars().rev().zip(b_rest.chars().rev()));
    let word = |c: char| c.is_alphanumeric() || "._-+@/:~".contains(c);
    let head = a.get(..prefix).unwrap_or("");
    let back: usize = head.chars().rev().take_while(|c| word(*c)).map(char::len_utf8).sum();
    let tail = a.get(a.len() - suffix..).unwrap_or("");
    let forth: usize = tail.chars().take_while(|c| word(*c)).map(char::len_utf8).sum();
    let (start, suffix) = (prefix - back, suffix - forth);
    let key_text = a.get(..start).unwrap_or("");
    Some(LineChange {
        old: old_line.start + start..old_line.end - suffix,
        new: new_line.start + start..new_line.end - suffix,
        key: key_of(key_text),
    })
}

/// The last word before a `:` or `=`: `  image_tag: ` → `image_tag`, `FROM ` → `FROM`.
fn key_of(text: &str) -> String {
    let separators = |c: char| c.is_whitespace() || "\"':=({[,$".contains(c);
    text.split(separators).rfind(|part| !part.is_empty()).unwrap_or("").trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(old: &str, new: &str) -> (String, String, String) {
        let comparison = compare(old, new);
        let change = comparison.changes.first().expect("a change");
        (change.key.clone(), old[change.old.clone()].to_owned(), new[change.new.clone()].to_owned())
    }

    fn triple(a: &str, b: &str, c: &str) -> (String, String, String) {
        (a.to_owned(), b.to_owned(), c.to_owned())
    }

    #[test]
    fn whole_words_are_compared() {
        assert_eq!(word("TAG=v1.2.3\n", "TAG=v1.2.4\n"), triple("TAG", "v1.2.3", "v1.2.4"));
        assert_eq!(word("image_tag: v825\r\n", "image_tag: v826\r\n"), triple("image_tag", "v825", "v826"));
        assert_eq!(word("1.0", "1.1"), triple("", "1.0", "1.1"));
        assert_eq!(word("x = \"a1\" # é\n", "x = \"a2\" # é\n"), triple("x", "a1", "a2"));
        assert_eq!(word("FROM a/b:1 AS x\n", "FROM a/b:2 AS x\n"), triple("FROM", "a/b:1", "a/b:2"));
    }

    #[test]
    fn added_lines_are_counted() {
        let comparison = compare("a\nb\n", "a\nb\nc\n");
        assert_eq!((comparison.changes.len(), comparison.others), (0, 1));
    }

    proptest::proptest! {
        #[test]
        fn the_words_are_all_that_differs(old in "[ab=: \\né]{0,30}", new in "[ab=: \\né]{0,30}") {
            for change in compare(&old, &new).changes {
                let mut line = line_of(&new, &change.new).map_or_else(String::new, |l| new[l].to_owned());
                let at = change.new.start - line_of(&new, &change.new).map_or(0, |l| l.start);
                line.replace_range(at..at + change.new.len(), &old[change.old.clone()]);
                let expected = line_of(&old, &change.old).map_or_else(String::new, |l| old[l].to_owned());
                proptest::prop_assert_eq!(line.trim_end_matches('\n'), expected.trim_end_matches('\n'));
            }
        }
    }
}
