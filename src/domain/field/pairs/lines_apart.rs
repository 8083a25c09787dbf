//! What differs in lines besides the values that were paired: lines without a leaf, and the rest of a line that a release field is in.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::leaves::Text;
use super::super::leaves::leaf::LeafKind;
use super::super::lines::{hunks, is_trifle};
use super::super::types::Comparison;

/// Finds the lines of which more differs than release fields. Each of them goes back as a whole: with the old word in the new line it would
/// say what neither version said. `rests` are the lines, by leaf and address, in which anything but words differs.
pub(super) fn whole(new: &Text<'_>, rests: Vec<(usize, String)>, comparison: &mut Comparison) {
    let is_line = |leaf: &usize| new.leaves.get(*leaf).is_some_and(|leaf| leaf.kind == LeafKind::Line);
    let fields: HashSet<usize> = comparison.release_fields().map(|change| change.leaf).collect();
    let words = comparison.changes.iter().filter(|change| change.rule.is_none()).map(|change| change.leaf);
    let beside = words.chain(rests.iter().map(|(leaf, _)| *leaf));
    comparison.whole = beside.filter(|leaf| fields.contains(leaf) && is_line(leaf)).collect();
    for (index, address) in rests {
        if comparison.whole.contains(&index) {
            comparison.rests.push((index, address));
        } else if let Some(leaf) = new.leaves.get(index) {
            comparison.others.push((address, leaf.span.clone(), true));
        }
    }
}

/// Finds the stretches of lines that differ, and the lines in them that hold no leaf and are no trifles either: aliases,
/// empty mappings, anchors.
pub(super) fn find(old: &Text<'_>, new: &Text<'_>, comparison: &mut Comparison) {
    comparison.hunks = hunks(&old.lines, &new.lines);
    comparison.moved = has_moved(old, new, &comparison.hunks);
    let mut found = Vec::new();
    for (before, after) in &comparison.hunks {
        let bodies = |text: &'_ Text<'_>, lines: &Range<usize>| -> HashSet<String> {
            lines.clone().map(|line| nameless(text.lines.body(line)).to_owned()).collect()
        };
        for (text, lines, (other, its_lines), added) in
            [(old, before, (new, after), false), (new, after, (old, before), true)]
        {
            // Most lines hold a leaf.
            let others = OnceCell::new();
            for line in lines.clone() {
                let body = text.lines.body(line);
                let is_empty = !is_trifle(body) && text.on_line(line).is_empty();
                let is_there = || others.get_or_init(|| bodies(other, its_lines)).contains(nameless(body));
                if is_empty && !is_there() && !is_head(text, line) {
                    found.push((format!("line {}", text.number(line)), text.lines.range(line), added));
                }
            }
        }
        if is_reordered(old, before, new, after) {
            let address = format!("the order in line {}", new.number(after.start));
            found.push((address, new.lines.span(after), true));
        }
    }
    if comparison.moved
        && let Some((line, span)) = moved_item(old, new, &comparison.hunks)
    {
        found.push((format!("the order in line {}", new.number(line)), span, true));
    }
    comparison.others.extend(found);
}

/// The first line of an item of a list that went to another place among the items that both versions have: by its line and bytes after.
fn moved_item(
    old: &Text<'_>,
    new: &Text<'_>,
    hunks: &[(Range<usize>, Range<usize>)],
) -> Option<(usize, Range<usize>)> {
    fn items<'t>(text: &Text<'t>) -> Vec<(&'t str, Range<usize>)> {
        let of_list = text.leaves.iter().filter(|leaf| leaf.kind == LeafKind::Scalar && leaf.sure);
        let of_list = of_list.filter(|leaf| leaf.address.contains('['));
        of_list.map(|leaf| (leaf.address.as_str(), leaf.span.clone())).collect()
    }
    let (before, after) = (items(old), items(new));
    let places: HashMap<&str, usize> =
        before.iter().enumerate().map(|(place, (address, _))| (*address, place)).collect();
    let is_moved = |pair: &&[(usize, Range<usize>)]| matches!(pair, [(a, _), (b, _)] if b < a);
    let common: Vec<(usize, Range<usize>)> =
        after.iter().filter_map(|(address, span)| Some((*places.get(address)?, span.clone()))).collect();
    let (_, span) = common.windows(2).find(is_moved)?.first()?.clone();
    let line = new.line_of(&span);
    hunks.iter().any(|(_, after)| !after.is_empty()).then_some((line, span))
}

/// A line without the `&name` that it gives to what is behind it (`base: &base`), and without saying that nothing is (`image: {}`).
/// These alone change no value.
fn nameless(body: &str) -> &str {
    let body = body.strip_suffix(" {}").unwrap_or(body);
    let named = body.rsplit_once(" &").filter(|(_, name)| !name.contains(char::is_whitespace));
    named.map_or(body, |(head, _)| head.trim_end())
}

/// Whether a line only says where those behind it belong: `image:`. Where it differs, so do the addresses of these.
fn is_head(text: &Text<'_>, line: usize) -> bool {
    let indent = |line: usize| {
        let body = text.lines.body(line);
        body.len() - body.trim_start_matches([' ', '-']).len()
    };
    let mut behind = (line + 1..text.lines.len()).filter(|line| !is_trifle(text.lines.body(*line)));
    let is_deeper = |next: usize| {
        indent(next) > indent(line)
            || indent(next) == indent(line) && text.lines.body(next).trim_start().starts_with('-')
    };
    nameless(text.lines.body(line)).ends_with(':') && behind.next().is_some_and(is_deeper)
}

/// Whether a line went from one stretch to another.
fn has_moved(old: &Text<'_>, new: &Text<'_>, hunks: &[(Range<usize>, Range<usize>)]) -> bool {
    let (mut came, mut went): (HashSet<&str>, Vec<&str>) = (HashSet::new(), Vec::new());
    for (before, after) in hunks {
        let here: HashSet<&str> = after.clone().map(|line| new.lines.body(line).trim_start()).collect();
        let gone = before.clone().map(|line| old.lines.body(line).trim_start());
        went.extend(gone.filter(|line| !line.is_empty() && !here.contains(line)));
        came.extend(here);
    }
    went.iter().any(|line| came.contains(line))
}

/// Whether the leaves that both stretches hold stand in another order.
fn is_reordered(old: &Text<'_>, before: &Range<usize>, new: &Text<'_>, after: &Range<usize>) -> bool {
    let inside = |text: &'_ Text<'_>, lines: &Range<usize>| -> Vec<String> {
        let leaves = lines.clone().flat_map(|line| text.on_line(line));
        leaves.map(|leaf| text.address(*leaf).to_owned()).collect()
    };
    let (a, b) = (inside(old, before), inside(new, after));
    let (in_a, in_b): (HashSet<&String>, HashSet<&String>) = (a.iter().collect(), b.iter().collect());
    let common_a = a.iter().filter(|address| in_b.contains(address));
    !common_a.eq(b.iter().filter(|address| in_a.contains(address)))
}
