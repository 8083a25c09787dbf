//! `tests/data/reverts`: invented commits in the shapes that environment repos have, and what must come of a revert.
//!
//! A line is a case. `bad` is the file after the commit, as edits of `parent`: from which line to which, and the text that
//! stands there instead. In `later.jsonl`, `now` is the file later, as edits of the bad one, and `expected` what a revert
//! makes of it, as edits of `now`; what is not said is unchanged.

use std::collections::HashMap;
use std::fs;

use backout::domain::field::{File, Refusal, Reverted, Selection, is_half, revert};
use serde::Deserialize;

type Edits = Vec<(usize, usize, String)>;

#[derive(Deserialize)]
struct Commit {
    id: String,
    /// `pure`: it changed release fields and what goes along, `none`: no release field, `mixed`: both.
    kind: String,
    path: String,
    parent: String,
    bad: Edits,
    #[serde(default)]
    expected: Edits,
}

#[derive(Deserialize)]
struct Base {
    base: String,
    path: String,
    parent: String,
    bad: Edits,
}

#[derive(Deserialize)]
struct Later {
    id: String,
    of: String,
    /// `clean`: all fields still hold the bad value; anything else is not for a machine.
    outcome: String,
    now: Edits,
    #[serde(default)]
    expected: Edits,
    /// Others that are right as well, such as the old value in today's quotes.
    #[serde(default)]
    also: Vec<Edits>,
}

fn edited(text: &str, edits: &Edits) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (from, to, new) in edits.iter().rev() {
        lines.splice(from..to, [new.as_str()]);
    }
    lines.concat()
}

fn lines(name: &str) -> Vec<String> {
    let path = format!("{}/tests/data/reverts/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn reverted(path: &str, [parent, bad, now]: [&str; 3]) -> Result<Reverted, Refusal> {
    let fields = Selection::default();
    revert(&File { path, fields: &fields }, parent.as_bytes(), bad.as_bytes(), now.as_bytes())
}

/// Fails where the findings are not those that are known.
#[track_caller]
fn only(findings: &[(String, String)], known: &[(&str, &str)]) {
    let new: Vec<String> = findings
        .iter()
        .filter(|(id, _)| known.iter().all(|(known, _)| known != id))
        .map(|(id, what)| format!("{id}: {what}"))
        .collect();
    assert!(new.is_empty(), "{} of them:\n{}", new.len(), new.join("\n"));
    let healed: Vec<&str> =
        known.iter().map(|(id, _)| *id).filter(|id| findings.iter().all(|(found, _)| found != id)).collect();
    assert!(healed.is_empty(), "right by now, to be taken off the list: {}", healed.join(", "));
}

/// What does not come out as it should, and why.
const KNOWN_COMMITS: &[(&str, &str)] = &[
    ("mixed/comment-only-change", "a comment right beside the field goes back with it, whatever it says"),
    ("none/color", "a colour of seven hex digits, as a short commit id has"),
    ("none/env-big", "an id in hex, beside which nothing says what it is"),
];

#[test]
fn a_commit_is_undone_as_far_as_it_is_a_deployment() {
    let mut findings = Vec::new();
    for line in lines("at_commit") {
        let case: Commit = serde_json::from_str(&line).unwrap();
        let bad = edited(&case.parent, &case.bad);
        let result = reverted(&case.path, [&case.parent, &bad, &bad]);
        let expected = match case.kind.as_str() {
            "pure" => Ok(case.parent),
            "none" => Err(Refusal::NoReleaseField),
            _ => Ok(edited(&bad, &case.expected)),
        };
        let result = result.map(|reverted| String::from_utf8(reverted.bytes).unwrap());
        if result != expected {
            findings.push((case.id, format!("{result:?} instead of {expected:?}")));
        }
    }
    only(&findings, KNOWN_COMMITS);
}

/// What comes out wrong later, and why.
const KNOWN_LATER: &[(&str, &str)] = &[];

/// How many that could be undone are refused or flagged as half: a person has to. Never more than now.
const REFUSED: usize = 1;

#[test]
fn later_a_file_is_put_right_or_left_alone() {
    let (mut bases, mut findings) = (HashMap::new(), Vec::new());
    let (mut refused, mut clean) = (Vec::new(), 0);
    for line in lines("later") {
        if let Ok(base) = serde_json::from_str::<Base>(&line) {
            bases.insert(base.base.clone(), base);
            continue;
        }
        let case: Later = serde_json::from_str(&line).unwrap();
        let base = &bases[&case.of];
        let bad = edited(&base.parent, &base.bad);
        let now = edited(&bad, &case.now);
        let expected = edited(&now, &case.expected);
        let result = reverted(&base.path, [&base.parent, &bad, &now]);
        if case.outcome == "clean" {
            clean += 1;
        }
        let by_hand = match result {
            Err(refusal) => Some(refusal.to_string()),
            Ok(reverted) => {
                let text = String::from_utf8(reverted.bytes).unwrap();
                // What only got another name may be followed, or left alone.
                let followed = case.id.contains("/item_renamed/") && text == edited(&base.parent, &case.now);
                let also = case.also.iter().any(|also| text == edited(&now, also));
                let right = text == expected || also || followed;
                let half = is_half(&reverted.fields);
                if !right && !half {
                    findings.push((
                        case.id.clone(),
                        format!("{}\n{text:?} instead of\n{expected:?}", case.outcome),
                    ));
                }
                (!right && half).then(|| "only a part would go back".to_owned())
            }
        };
        if let Some(reason) = by_hand.filter(|_| case.outcome == "clean") {
            refused.push(format!("{}: {reason}", case.id));
        }
    }
    only(&findings, KNOWN_LATER);
    assert!(refused.len() <= REFUSED, "{} of {clean} are refused:\n{}", refused.len(), refused.join("\n"));
}
