//! What must hold of every revert.

use std::collections::HashSet;
use std::ops::Range;

use similar::{Algorithm, capture_diff_slices};

use crate::field::{FieldOutcome, File, Refusal, Reverted, compare, is_half, revert};
use crate::input::Case;

/// Panics where something does not hold.
pub(crate) fn check(case: &Case) {
    let file = File { path: case.path, fields: &case.fields };
    let (parent, bad, current) = (&case.parent, &case.bad, &case.current);
    let again = |current: &[u8]| revert(&file, parent, bad, current);
    let result = again(current);
    assert_eq!(result, again(current), "another time, something else comes out\n{}", shown(case));
    let texts = (std::str::from_utf8(parent), std::str::from_utf8(bad), std::str::from_utf8(current));
    let (Ok(parent), Ok(bad), Ok(current)) = texts else {
        assert_eq!(result, Err(Refusal::NotText));
        return;
    };
    spans(&file, parent, bad);
    let Ok(reverted) = result else { return };
    let Ok(text) = std::str::from_utf8(&reverted.bytes) else { panic!("no text comes out\n{}", shown(case)) };
    let story = || {
        let (fields, left) = (&reverted.fields, &reverted.left_behind);
        format!("{fields:#?}\nleft behind: {left:?}\n{}-- result\n{text}", shown(case))
    };

    if current == parent {
        assert!(text == parent, "the parent itself changes\n{}", story());
    }
    if current == bad && reverted.left_behind.is_empty() {
        assert!(text == parent, "the parent does not come back\n{}", story());
    }
    if !reverted.fields.iter().any(|field| field.outcome == FieldOutcome::Restored) {
        assert!(text == current, "something changes although nothing goes back\n{}", story());
    }
    elsewhere(&reverted, [parent, bad, current, text], &story);
    // Of half a revert, which is for a person, the rest may be found once the half is back.
    let whole = !is_half(&reverted.fields);
    if let Some(second) = again(text.as_bytes()).ok().filter(|_| whole) {
        assert!(second.bytes == text.as_bytes(), "it goes back twice: {:#?}\n{}", second.fields, story());
    }
}

/// The spans that [`compare`] names hold the texts that it names, in both versions, and do not overlap.
fn spans(file: &File<'_>, parent: &str, bad: &str) {
    let comparison = compare(file, &parent.into(), &bad.into());
    for change in &comparison.changes {
        assert_eq!(parent.get(change.old.clone()), Some(change.old_text.as_str()), "{change:?}");
        assert_eq!(bad.get(change.new.clone()), Some(change.new_text.as_str()), "{change:?}");
    }
}

/// Each line that changed is one that the bad commit changed, or holds a field that went back.
fn elsewhere(reverted: &Reverted, [parent, bad, current, text]: [&str; 4], story: &dyn Fn() -> String) {
    // Where the commit is all that happened, the whole file is the parent's.
    if current == bad && text == parent {
        return;
    }
    let [parent, bad, current, text] = [parent, bad, current, text].map(lines);
    let restored = || reverted.fields.iter().filter(|field| field.outcome == FieldOutcome::Restored);
    // A word that came or went has no text on one side: then any line may be the one.
    let parts =
        |text: &'_ str| -> Vec<String> { text.split('\n').map(|line| line.trim().to_owned()).collect() };
    let new: Vec<Vec<String>> = restored()
        .flat_map(|f| [parts(&f.new_text), parts(f.new_text.trim_matches(['"', '\'', '`']))])
        .collect();
    let old: Vec<Vec<String>> = restored().map(|field| parts(&field.old_text)).collect();
    let mut went: HashSet<&str> = HashSet::new();
    let mut came: HashSet<&str> = HashSet::new();
    for algorithm in [Algorithm::Myers, Algorithm::Patience, Algorithm::Histogram] {
        for (old, new) in differences(algorithm, &parent, &bad) {
            came.extend(parent[old].iter().map(|line| line.trim_end()));
            went.extend(bad[new].iter().map(|line| line.trim_end()));
        }
    }
    let holds = |fields: &[Vec<String>], line: &str| {
        fields.iter().flatten().any(|part| line.contains(part.as_str()))
            || line.trim().is_empty() && fields.iter().any(|parts| parts.len() > 1)
    };
    for (before, after) in differences(Algorithm::Myers, &current, &text) {
        for line in current[before].iter().filter(|line| !went.contains(line.trim_end())) {
            assert!(holds(&new, line), "{line:?} went, which is none of ours\n{}", story());
        }
        for line in text[after].iter().filter(|line| !came.contains(line.trim_end())) {
            assert!(holds(&old, line), "{line:?} came, which is none of ours\n{}", story());
        }
    }
    // A line that the commit only moved neither goes nor comes.
    let counts = |lines: &[&str], line: &str| -> i64 {
        lines.iter().map(|other| i64::from(other.trim_end() == line)).sum()
    };
    for line in current.iter().chain(&text).map(|line| line.trim_end()).collect::<HashSet<_>>() {
        let ours = counts(&parent, line) - counts(&bad, line);
        let now = counts(&text, line) - counts(&current, line);
        let expected = ours.min(0)..=ours.max(0);
        let field = holds(&new, line) || holds(&old, line) || line.is_empty();
        assert!(field || expected.contains(&now), "{line:?}: {now} of {expected:?}\n{}", story());
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn differences(algorithm: Algorithm, old: &[&str], new: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let operations = capture_diff_slices(algorithm, old, new);
    let changed = |o: &similar::DiffOp| !matches!(o, similar::DiffOp::Equal { .. });
    operations.iter().filter(|o| changed(o)).map(|o| (o.old_range(), o.new_range())).collect()
}

fn shown(case: &Case) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (parent, bad, current) = (text(&case.parent), text(&case.bad), text(&case.current));
    format!(
        "{} {:?}\n-- parent\n{parent}\n-- bad\n{bad}\n-- current\n{current}\n== {parent:?}\n== {bad:?}\n== {current:?}\n",
        case.path, case.fields
    )
}
