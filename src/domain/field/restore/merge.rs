//! Whether a three-way merge of lines is one of what the lines say, too.

use std::collections::{BTreeMap, BTreeSet};

use super::super::leaves::{Document, Text, read};
use super::form;

/// Whether a text that was merged line by line says what it should: of what the commit changed (`parent` → `bad`) and nobody since, what
/// was said before the commit, and of everything else what is said now. Where both have changed something, nobody can say what it should.
pub(in super::super) fn is_sound([parent, bad, now, merged]: [&Document; 4]) -> bool {
    if !form::is_kept(now, merged) {
        return false;
    }
    let texts = read([parent, bad, now, merged]);
    let [then, bad, now, merged] = texts.each_ref().map(said);
    let addresses: BTreeSet<&str> =
        [&then, &bad, &now, &merged].into_iter().flat_map(|said| said.keys().copied()).collect();
    let is_right = |address: &str| {
        let [was, is, now, merged] =
            [&then, &bad, &now, &merged].map(|said| said.get(address).map_or(&[][..], Vec::as_slice));
        let wanted = if was == is || now == was { Some(now) } else { (now == is).then_some(was) };
        wanted == Some(merged)
    };
    addresses.into_iter().all(is_right)
}

/// The values at each address, in their order.
fn said<'t>(text: &Text<'t>) -> BTreeMap<&'t str, Vec<&'t str>> {
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for leaf in text.leaves {
        said.entry(&leaf.address).or_default().push(&leaf.value);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_says_what_the_commit_and_those_since_said() {
        for (texts, is_right) in [
            (["a: 1\nb: 1\n", "a: 2\nb: 1\n", "a: 2\nb: 3\n", "a: 1\nb: 3\n"], true),
            // What somebody changed since went back, too.
            (["a: 1\nb: 1\n", "a: 2\nb: 1\n", "a: 2\nb: 3\n", "a: 1\nb: 1\n"], false),
            // Half of it stayed.
            (["a: 1\nb: 1\n", "a: 2\nb: 2\n", "a: 2\nb: 2\nc: 1\n", "a: 1\nb: 2\nc: 1\n"], false),
            // An alias came back as text, and brings something else by now.
            (["x: &x 1\na: *x\n", "x: &x 1\na: 2\n", "x: &x 3\na: 2\n", "x: &x 3\na: *x\n"], false),
            (["a: 1\nb: 1\n", "a: 2\nb: 2\n", "a: 3\nb: 2\n", "a: 1\nb: 1\n"], false),
            (
                ["a: 1\nl: [x]\n", "a: 2\nl: [x, y]\n", "a: 2\nl: [x, y]\nz: 1\n", "a: 1\nl: [x]\nz: 1\n"],
                true,
            ),
            (["A=1\nB=1\n", "A=2\n", "A=2\nC=1\n", "A=1\nB=1\nC=1\n"], true),
            (["A=1\nB=1\n", "A=2\n", "A=2\nB=1\n", "A=1\nB=1\nB=1\n"], false),
        ] {
            let documents = texts.map(Document::from);
            assert_eq!(is_sound(documents.each_ref()), is_right, "{texts:?}");
        }
    }
}
