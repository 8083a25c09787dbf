//! Whether what a revert makes of a file is sound: each key once, and each field that goes back as it was.

use std::collections::HashSet;

use super::super::leaves::leaf::LeafKind;
use super::super::leaves::{Text, repeated_since};
use super::super::types::{Comparison, FieldOutcome, FieldResult, Refusal};

/// Refuses a text in which a key stands twice in one mapping, and does not so now.
pub(in super::super) fn keys(now: &str, text: &str) -> Result<(), Refusal> {
    repeated_since(now, text).map_or(Ok(()), |key| Err(Refusal::Repeated(key)))
}

/// Refuses a text in which more stands at an address than now, and than before the commit.
pub(super) fn once(now: &Text<'_>, parent: &Text<'_>, after: &Text<'_>) -> Result<(), Refusal> {
    let is_more = |leaves: &&[usize]| {
        let address = leaves.first().map_or("", |leaf| after.address(*leaf));
        leaves.len() > 1 && leaves.len() > now.at(address).len().max(parent.at(address).len())
    };
    match after.addresses().find(is_more).and_then(<[usize]>::first) {
        Some(leaf) => Err(Refusal::Repeated(after.address(*leaf).to_owned())),
        None => Ok(()),
    }
}

/// Refuses a text in which a scalar that goes back does not read as it did: another value stands at its address, or a mapping or list where
/// a scalar stood, or a scalar where one of these did.
pub(super) fn fields(
    [parent, bad, after]: [&Text<'_>; 3],
    comparison: &Comparison,
    fields: &[FieldResult],
) -> Result<(), Refusal> {
    let restored = fields.iter().filter(|field| field.outcome == FieldOutcome::Restored);
    let restored: HashSet<&str> = restored.map(|field| field.address.as_str()).collect();
    let is_scalar = |text: &Text<'_>, address: &str| match text.at(address) {
        [leaf] => text.leaves.get(*leaf).is_some_and(|leaf| leaf.kind == LeafKind::Scalar && leaf.sure),
        _ => false,
    };
    let values = |text: &Text<'_>, address: &str| -> Vec<String> {
        let leaves = text.at(address).iter().filter_map(|leaf| text.leaves.get(*leaf));
        leaves.map(|leaf| leaf.value.clone()).collect()
    };
    let changed = comparison.release_fields().filter(|change| change.addressed && change.was.is_none());
    // What has another place since is followed there, and nothing stands at this one.
    let is_there = |address: &&String| {
        let within = |next: char| !after.under(&format!("{address}{next}")).is_empty();
        !after.at(address).is_empty() || within('.') || within('[')
    };
    let changed = changed.map(|change| &change.address).filter(is_there);
    let companions = comparison.companions.iter().filter(|companion| companion.addressed);
    let came_or_went = companions.map(|companion| &companion.address);
    let is_off = |address: &&String| {
        restored.contains(address.as_str())
            && (is_scalar(parent, address) || is_scalar(bad, address))
            && values(parent, address) != values(after, address)
    };
    match changed.chain(came_or_went).find(is_off) {
        Some(address) => Err(Refusal::Unfaithful(address.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::leaves::{Document, read};
    use super::super::super::pairs::compare;
    use super::super::super::rules::FieldRule;
    use super::super::super::selection::Selection;
    use super::super::super::types::File;
    use super::*;

    #[test]
    fn no_key_stands_twice_that_stood_once() {
        for (now, text, key) in [
            ("a:\n  image: {}\n", "a:\n  image: {}\n  image: {tag: v1}\n", Some("a.image")),
            ("x: &x {}\na: {<<: *x}\n", "x: &x {}\na: {<<: *x, <<: *x}\n", Some("a.<<")),
            ("a:\n- b: 1\n", "a:\n- b: 1\n  b: 2\n", Some("a.b")),
            ("a: |\n  b: 1\n", "a: |\n  b: 1\n  b: 2\n", Some("a.b")),
            ("{\"a\": 1}", "{\"a\": 1, \"a\": 2}", Some("a")),
            // It stands twice already.
            ("a: 1\na: 2\nb: 1\n", "a: 1\na: 2\nb: 2\n", None),
            ("a: 1\na: 2\n", "a: 1\na: 2\na: 3\n", Some("a")),
            ("a:\n- b: 1\n", "a:\n- b: 1\n- b: 2\n", None),
            ("[a]\nb = 1\n", "[a]\nb = 1\nb = 1\n", None),
        ] {
            let wanted = key.map_or(Ok(()), |key| Err(Refusal::Repeated(key.to_owned())));
            assert_eq!(keys(now, text), wanted, "{text}");
        }
    }

    #[test]
    fn a_field_reads_as_it_did_before() {
        let file = File { path: "values.yaml", fields: &Selection::default() };
        for (before, after, put, is_right) in [
            ("image: r/a:v1\n", "image: r/a:v2\n", "image: r/a:v1\n", true),
            ("image: r/a:v1\n", "image: r/a:v2\n", "image: 'r/a:v1'\n", true),
            ("image: r/a:v1\n", "image: r/a:v2\n", "image: {tag: v1}\n", false),
            ("image: r/a:v1\n", "image: r/a:v2\n", "image: [v1]\n", false),
            ("image: r/a:v1\n", "image: r/a:v2\n", "image: r/a:v3\n", false),
            ("image: {tag: v1}\nr: 1\n", "image: {}\nr: 1\n", "image: v1\nr: 1\n", false),
            ("image: {tag: v1}\nr: 1\n", "image: {}\nr: 1\n", "image:\n  tag: v1\nr: 1\n", true),
            ("r: 1\n", "r: 1\ntag: v2\n", "r: 1\n", true),
            ("r: 1\n", "r: 1\ntag: v2\n", "r: 1\ntag:\n", false),
        ] {
            let all = [before, after, put].map(Document::from);
            let [parent, bad, put_back] = read([&all[0], &all[1], &all[2]]);
            let comparison = compare(&file, &parent, &bad);
            let changed = comparison.release_fields().map(|one| (&one.address, one.rule.unwrap()));
            let alone = comparison.companions.iter().map(|one| (&one.address, one.rule));
            let field = |(address, rule): (&String, FieldRule)| FieldResult {
                address: address.clone(),
                rule,
                old_text: String::new(),
                new_text: String::new(),
                outcome: FieldOutcome::Restored,
            };
            let restored: Vec<FieldResult> = changed.chain(alone).map(field).collect();
            assert!(!restored.is_empty(), "{after}");
            let found = fields([&parent, &bad, &put_back], &comparison, &restored);
            assert_eq!(found.is_ok(), is_right, "{put}");
        }
    }
}
