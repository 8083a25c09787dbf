//! Lines as words: which words of a line were replaced by others.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::leaves::leaf::{Leaf, LeafKind};
use super::lines::comment_start;
use super::tokens::versionless;

/// The most words, of both lines together, that are compared: a longer line is data, of which no word is a field.
const MAX_WORDS: usize = 4_000;

/// What a version, an image reference or a path is made of.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "._-+@/:~".contains(c)
}

/// The words of a line up to its comment, by their bytes.
fn words(line: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, c) in line.get(..comment_start(line)).unwrap_or(line).char_indices() {
        if is_word(c) {
            let end = at + c.len_utf8();
            match words.last_mut() {
                Some(word) if word.end == at => word.end = end,
                _ => words.push(at..end),
            }
        }
    }
    words
}

/// What stands between the words: spaces count as one, and quotes as nothing.
fn between(line: &str, words: &[Range<usize>]) -> Vec<String> {
    let ends = words.iter().map(|word| word.start).chain([comment_start(line)]);
    let starts = [0].into_iter().chain(words.iter().map(|word| word.end));
    let gap = |(from, to): (usize, usize)| {
        let text = line.get(from..to).unwrap_or("").replace(['"', '\''], " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    starts.zip(ends).map(gap).collect()
}

/// What differs between two lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Words that were replaced by others, one for one.
    pub(super) words: Vec<(Range<usize>, Range<usize>)>,
    /// Whether anything else changed, but for spaces, quotes and the comment.
    pub(super) others: bool,
}

/// The words in which two lines differ.
pub(super) fn changed(old: &str, new: &str) -> Changed {
    let (old_words, new_words) = (words(old), words(new));
    if old_words.len() + new_words.len() > MAX_WORDS {
        return Changed { words: Vec::new(), others: true };
    }
    if let Some(word) = filled(old, &old_words, new) {
        return Changed { words: vec![(word.clone(), word.start..word.start)], others: false };
    }
    if let Some(word) = filled(new, &new_words, old) {
        return Changed { words: vec![(word.start..word.start, word)], others: false };
    }
    let built_alike =
        old_words.len() == new_words.len() && between(old, &old_words) == between(new, &new_words);
    let mut changed = if built_alike {
        in_place((old, &old_words), (new, &new_words))
    } else {
        aligned(old, &old_words, new, &new_words)
    };
    for (a, b) in &mut changed.words {
        // With other quotes a version may be a number, or a number a version.
        if quoted(old, a).is_some() != quoted(new, b).is_some() {
            *a = quoted(old, a).unwrap_or_else(|| a.clone());
            *b = quoted(new, b).unwrap_or_else(|| b.clone());
        }
    }
    changed
}

/// The last word of a line, where another line is the same without it, and the word is all of a value: `TAG=1.0` beside `TAG=`.
fn filled(line: &str, words: &[Range<usize>], empty: &str) -> Option<Range<usize>> {
    let word = words.last()?;
    let (before, after) = (line.get(..word.start)?, line.get(word.end..)?);
    let is_value = before.trim_end_matches(['"', '\'', ' ']).ends_with(['=', ':']);
    let is_same = empty.strip_prefix(before).is_some_and(|rest| rest == after);
    (is_value && is_same).then(|| word.clone())
}

/// The words that were replaced in lines that are built alike. Where some only changed places, as flags do, those belong together that stand
/// behind the same word.
fn in_place((old, old_words): (&str, &[Range<usize>]), (new, new_words): (&str, &[Range<usize>])) -> Changed {
    fn text<'l>(line: &'l str, words: &[Range<usize>], index: Option<usize>) -> &'l str {
        index.and_then(|index| line.get(words.get(index)?.clone())).unwrap_or("")
    }
    let then = |index: usize| text(old, old_words, Some(index));
    let now = |index: usize| text(new, new_words, Some(index));
    let differing: Vec<usize> = (0..old_words.len()).filter(|index| then(*index) != now(*index)).collect();
    let pair = |(a, b): (usize, usize)| old_words.get(a).cloned().zip(new_words.get(b).cloned());
    let pairs = |all: Vec<(usize, usize)>| all.into_iter().filter_map(pair).collect();
    let placed: Vec<(usize, usize)> = differing.iter().map(|index| (*index, *index)).collect();
    let came: HashSet<&str> = differing.iter().map(|index| now(*index)).collect();
    if differing.iter().all(|index| !came.contains(then(*index))) {
        return Changed { words: pairs(placed), others: false };
    }
    let behind = |line: &'_ str, words: &[Range<usize>]| {
        let mut behind: HashMap<String, Vec<usize>> = HashMap::new();
        for index in &differing {
            behind.entry(text(line, words, index.checked_sub(1)).to_owned()).or_default().push(*index);
        }
        behind
    };
    let (went, came) = (behind(old, old_words), behind(new, new_words));
    let is_key = |word: &str| went.contains_key(word) && came.contains_key(word);
    let mut found = Vec::new();
    for (word, places) in &went {
        if let ([a], Some([b])) = (places.as_slice(), came.get(word).map(Vec::as_slice))
            && !is_key(then(*a))
            && then(*a) != now(*b)
        {
            found.push((*a, *b));
        }
    }
    found.sort_unstable();
    let others = found != placed;
    Changed { words: pairs(found), others }
}

/// A word with the quotes around it, where it stands in quotes alone.
fn quoted(line: &str, word: &Range<usize>) -> Option<Range<usize>> {
    let quote = line.get(..word.start)?.chars().next_back().filter(|c| matches!(c, '"' | '\''))?;
    line.get(word.end..)?.starts_with(quote).then(|| word.start - 1..word.end + 1)
}

/// The words that were replaced in lines that are built differently.
fn aligned(old: &str, old_words: &[Range<usize>], new: &str, new_words: &[Range<usize>]) -> Changed {
    let texts = |line: &'_ str, words: &[Range<usize>]| -> Vec<String> {
        words.iter().map(|word| line.get(word.clone()).unwrap_or("").to_owned()).collect()
    };
    let mut changed = Changed { words: Vec::new(), others: true };
    let (old_texts, new_texts) = (texts(old, old_words), texts(new, new_words));
    for op in capture_diff_slices(Algorithm::Myers, &old_texts, &new_texts) {
        let (a, b) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Replace { .. }) {
            let alike = a.len() == b.len();
            let mut next = b.start;
            for index in a {
                let same = |other: &usize| {
                    let text = |texts: &'_ [String], index: usize| {
                        versionless(texts.get(index).map_or("", String::as_str))
                    };
                    alike || text(&old_texts, index) == text(&new_texts, *other)
                };
                let found = (next..b.end).find(same);
                let pair = found.and_then(|found| old_words.get(index).zip(new_words.get(found)));
                next = found.map_or(next, |found| found + 1);
                changed.words.extend(pair.map(|(a, b)| (a.clone(), b.clone())));
            }
        }
    }
    changed
}

/// Where `span` of `line` is in `other`: a line that is built like it, and says the same but for the words in `spans`,
/// for numbers, and for its comment.
pub(super) fn same_place(
    line: &str,
    span: &Range<usize>,
    spans: &[Range<usize>],
    other: &str,
) -> Option<Range<usize>> {
    let (words, other_words) = (words(line), words(other));
    let bare = unquoted_span(line, span);
    let index = words.iter().position(|word| *word == bare)?;
    if words.len() != other_words.len() || between(line, &words) != between(other, &other_words) {
        return None;
    }
    let changed =
        |word: &Range<usize>| spans.iter().any(|span| span.start <= word.start && word.end <= span.end);
    let number = |text: &str| text.parse::<f64>().is_ok();
    let same = words.iter().zip(&other_words).all(|(word, other_word)| {
        let (a, b) = (line.get(word.clone()).unwrap_or(""), other.get(other_word.clone()).unwrap_or(""));
        a == b || changed(word) || number(a) && number(b)
    });
    let found = other_words.get(index).filter(|_| same)?;
    // Where the quotes were a part of the change, they are a part of what is looked at.
    Some(if bare == *span { found.clone() } else { quoted(other, found).unwrap_or_else(|| found.clone()) })
}

fn unquoted_span(line: &str, span: &Range<usize>) -> Range<usize> {
    let text = line.get(span.clone()).unwrap_or("");
    let quotes = |c: char| matches!(c, '"' | '\'');
    if text.len() >= 2 && text.starts_with(quotes) && text.ends_with(quotes) {
        span.start + 1..span.end - 1
    } else {
        span.clone()
    }
}

/// The value of a leaf: of a line its last word.
pub(super) fn value_of(leaf: &Leaf) -> &str {
    match leaf.kind {
        LeafKind::Scalar => &leaf.value,
        LeafKind::Line => last(&leaf.value),
    }
}

/// The last word of a line.
pub(super) fn last(line: &str) -> &str {
    words(line).pop().and_then(|word| line.get(word)).unwrap_or("")
}

/// The word before a value that looks like its key: `  image_tag: ` → `image_tag`, `FROM ` → `FROM`.
pub(super) fn key_before(text: &str) -> Option<&str> {
    let separators = |c: char| c.is_whitespace() || "\"'`:=({[,;$?&<>~^|!".contains(c);
    let key = text.split(separators).rfind(|part| part.contains(char::is_alphabetic))?;
    Some(key.trim_matches(|c: char| !c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs<'t>(old: &'t str, new: &'t str) -> Vec<(&'t str, &'t str)> {
        changed(old, new).words.into_iter().map(|(a, b)| (&old[a], &new[b])).collect()
    }

    #[test]
    fn whole_words_are_compared() {
        assert_eq!(pairs("TAG=v1.2.3", "TAG=v1.2.4"), [("v1.2.3", "v1.2.4")]);
        assert_eq!(pairs("1.0", "1.1"), [("1.0", "1.1")]);
        assert_eq!(pairs("x = \"a1\" # é", "x = \"a2\" # b"), [("a1", "a2")]);
        assert_eq!(pairs("FROM a/b:1 AS x-1", "FROM a/b:2 AS x-2"), [("a/b:1", "a/b:2"), ("x-1", "x-2")]);
        assert_eq!(pairs("a:  v1", "a: 'v2'"), [("v1", "'v2'")]);
        assert_eq!(pairs("a: x y", "a: x z w"), []);
        assert_eq!(pairs("FROM a:1", "FROM --x=y a:2 AS b"), [("a:1", "a:2")]);
        assert_eq!(pairs("--version 1.0 -q", "--version 1.1 -q --atomic"), [("1.0", "1.1")]);
        assert!(changed("--version 1.0", "--version 1.1 --atomic").others);
        assert_eq!(pairs("a: x  # v1", "a: x # v2"), []);
    }

    #[test]
    fn words_that_changed_places_are_found_behind_the_same_word() {
        let is = |old: &str, new: &str, expected: &[(&str, &str)], others: bool| {
            assert_eq!(pairs(old, new), expected, "{old} -> {new}");
            assert_eq!(changed(old, new).others, others, "{old} -> {new}");
        };
        let flags = [("v1.0", "v1.1"), ("a", "b")];
        is("run --tag=v1.0 --mode=a", "run --mode=b --tag=v1.1", &flags, true);
        is("run --tag=v1 --mode=a", "run --mode=a --tag=v1", &[], true);
        is("{a = v1, b = v2}", "{a = v2, b = v3}", &[("v1", "v2"), ("v2", "v3")], false);
        is("{a = v1, b = v2}", "{a = v2, b = v1}", &[("v1", "v2"), ("v2", "v1")], false);
        is("a: v1 v2", "a: v2 v3", &[("v1", "v2")], true);
    }

    #[test]
    fn keys_are_the_words_before() {
        for (text, key) in [
            ("  image_tag: ", Some("image_tag")),
            ("FROM ", Some("FROM")),
            ("source = \"git::https://h/m//x?ref=", Some("ref")),
            ("  version = \"~> ", Some("version")),
            ("{{ $tag := \"", Some("tag")),
            ("", None),
        ] {
            assert_eq!(key_before(text), key, "{text}");
        }
    }

    #[test]
    fn a_word_is_found_in_a_line_that_is_built_alike() {
        let place =
            |line, span: Range<usize>, other| same_place(line, &span, std::slice::from_ref(&span), other);
        assert_eq!(place("a = v1 # x", 4..6, "  a = \"v33\""), Some(7..10));
        assert_eq!(place("a = v1", 4..6, "a = b v1"), None);
        assert_eq!(place("{a = v2, b = v3}", 5..7, "{b = v2, a = v3}"), None);
        assert_eq!(place("{a = v2, b = 3}", 5..7, "{a = v2, b = 4}"), Some(5..7));
    }

    proptest::proptest! {
        #[test]
        fn putting_the_old_words_back_gives_the_old_line(old in "[ab=: 1.é]{0,30}", new in "[ab=: 1.é]{0,30}") {
            let mut text = new.clone();
            let changed = changed(&old, &new);
            if changed.others {
                return Ok(());
            }
            for (old_word, new_word) in changed.words.into_iter().rev() {
                text.replace_range(new_word, &old[old_word]);
            }
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            proptest::prop_assert_eq!(plain(&text), plain(&old));
        }
    }
}
