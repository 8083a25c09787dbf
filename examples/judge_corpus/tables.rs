//! Scores as tables for people.
#![expect(clippy::print_stdout, reason = "printing the scores is what this program is for")]

use crate::scores::{Scored, Share, Summary, sources};

/// The columns after the one that says which cases.
const COLUMNS: [&str; 9] = [
    "rule",
    "recall",
    "false, healthy",
    "false, preexist.",
    "precision at 5 %",
    "min from deploy",
    "min from onset",
    "inconclusive",
    "µs/judgement",
];

/// Prints the scores of each rule for each source and for all.
pub(crate) fn by_source(scored: &[Scored], rules: &[&str]) {
    let mut rows = Vec::new();
    for source in sources(scored) {
        rows.extend(rows_of(source, scored, rules, |case| case.source == source));
    }
    rows.extend(rows_of("all", scored, rules, |_| true));
    print("source", rows);
}

/// Prints the scores of each rule over all sources but one, for each source. The rules have fixed constants, so nothing
/// is fitted to the rest: it shows whether one source carries the score.
pub(crate) fn leave_one_out(scored: &[Scored], rules: &[&str]) {
    if sources(scored).len() < 2 {
        return;
    }
    println!("\nAll sources but one:\n");
    let rows = sources(scored).into_iter().flat_map(|left_out| {
        rows_of(&format!("all but {left_out}"), scored, rules, |case| case.source != left_out)
    });
    print("sources", rows.collect());
}

/// How many cases of each label ended with which verdict, for one rule.
pub(crate) fn by_label(scored: &[Scored], rule: &str) {
    println!();
    let mut counts = std::collections::BTreeMap::<_, usize>::new();
    for case in scored.iter().filter(|case| case.outcome.rule == rule) {
        *counts.entry((case.label.word(), case.outcome.verdict.word())).or_default() += 1;
    }
    for ((label, verdict), count) in counts {
        println!("labelled {label}, last judged {verdict}: {count}");
    }
}

fn rows_of(
    name: &str,
    scored: &[Scored],
    rules: &[&str],
    wanted: impl Fn(&Scored) -> bool,
) -> Vec<Vec<String>> {
    let row = |rule: &&str| {
        let mine = scored.iter().filter(|case| case.outcome.rule == *rule && wanted(case));
        let summary = Summary::of(mine);
        vec![
            name.to_owned(),
            (*rule).to_owned(),
            share(summary.recall),
            share(summary.false_alarms_healthy),
            share(summary.false_alarms_preexisting),
            summary.precision_at_5_percent.map_or_else(absent, percent),
            number(summary.median_minutes_from_deploy),
            number(summary.median_minutes_from_onset),
            summary.inconclusive.fraction().map_or_else(absent, percent),
            number(summary.microseconds_per_judgement),
        ]
    };
    rules.iter().map(row).collect()
}

fn absent() -> String {
    "-".to_owned()
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(absent, |value| format!("{value:.1}"))
}

fn share(share: Share) -> String {
    share.fraction().map_or_else(absent, |part| format!("{} ({}/{})", percent(part), share.hits, share.of))
}

/// Prints rows under the heading of [`COLUMNS`], with an empty line between cases of different names.
fn print(first: &str, rows: Vec<Vec<String>>) {
    let heading: Vec<String> = std::iter::once(first).chain(COLUMNS).map(str::to_owned).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    aligned(&rows, true);
}

/// Prints rows of cells, each column as wide as its widest cell; if wanted, with an empty line where the first cell
/// changes.
pub(crate) fn aligned(rows: &[Vec<String>], in_groups: bool) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut last = None;
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        if in_groups && last.is_some_and(|last| last != row.first()) {
            println!();
        }
        println!("{}", cells.join("  ").trim_end());
        last = Some(row.first());
    }
}
