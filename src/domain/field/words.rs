//! Lines as words: which words of a line were replaced by others.

use std::ops::Range;

use super::lines::comment_start;

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

/// The words in which two lines differ. Where the lines are built alike these are pairs of words; otherwise one stretch
/// of whole words. Nothing where they differ in spaces, quotes or their comment only.
pub(super) fn changed(old: &str, new: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let (old_words, new_words) = (words(old), words(new));
    if old_words.len() == new_words.len() && between(old, &old_words) == between(new, &new_words) {
        let differs = |(a, b): &(Range<usize>, Range<usize>)| old.get(a.clone()) != new.get(b.clone());
        return old_words.into_iter().zip(new_words).filter(differs).collect();
    }
    stretch(old, new).into_iter().collect()
}

/// The smallest stretch of whole words in which two lines differ.
fn stretch(old: &str, new: &str) -> Option<(Range<usize>, Range<usize>)> {
    let (a, b) = (old.get(..comment_start(old))?.trim_end(), new.get(..comment_start(new))?.trim_end());
    if a == b {
        return None;
    }
    let common = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(p, q)| p == q).map(|(p, _)| p.len_utf8()).sum()
    };
    let prefix = common(&mut a.chars().zip(b.chars()));
    let (a_rest, b_rest) = (a.get(prefix..)?, b.get(prefix..)?);
    let suffix = common(&mut a_rest.chars().rev().zip(b_rest.chars().rev()));
    let back: usize = a.get(..prefix)?.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
    let forth: usize =
        a.get(a.len() - suffix..)?.chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
    let (start, suffix) = (prefix - back, suffix - forth);
    Some((start..a.len() - suffix, start..b.len() - suffix))
}

/// Where `span` of `line` is in `other`, a line that is built like it, if it is.
pub(super) fn same_place(line: &str, span: &Range<usize>, other: &str) -> Option<Range<usize>> {
    let (words, other_words) = (words(line), words(other));
    let index = words.iter().position(|word| word == span)?;
    let alike = words.len() == other_words.len() && between(line, &words) == between(other, &other_words);
    if alike { other_words.get(index).cloned() } else { None }
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
        changed(old, new).into_iter().map(|(a, b)| (&old[a], &new[b])).collect()
    }

    #[test]
    fn whole_words_are_compared() {
        assert_eq!(pairs("TAG=v1.2.3", "TAG=v1.2.4"), [("v1.2.3", "v1.2.4")]);
        assert_eq!(pairs("1.0", "1.1"), [("1.0", "1.1")]);
        assert_eq!(pairs("x = \"a1\" # é", "x = \"a2\" # b"), [("a1", "a2")]);
        assert_eq!(pairs("FROM a/b:1 AS x-1", "FROM a/b:2 AS x-2"), [("a/b:1", "a/b:2"), ("x-1", "x-2")]);
        assert_eq!(pairs("a:  v1", "a: 'v2'"), [("v1", "v2")]);
        assert_eq!(pairs("a: x y", "a: x z w"), [("y", "z w")]);
        assert_eq!(pairs("a: x  # v1", "a: x # v2"), []);
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
        assert_eq!(same_place("a = v1 # x", &(4..6), "  a = \"v33\""), Some(7..10));
        assert_eq!(same_place("a = v1", &(4..6), "a = b v1"), None);
    }

    proptest::proptest! {
        #[test]
        fn putting_the_old_words_back_gives_the_old_line(old in "[ab=: 1.é]{0,30}", new in "[ab=: 1.é]{0,30}") {
            let mut text = new.clone();
            for (old_word, new_word) in changed(&old, &new).into_iter().rev() {
                text.replace_range(new_word, &old[old_word]);
            }
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            proptest::prop_assert_eq!(plain(&text), plain(&old));
        }
    }
}
