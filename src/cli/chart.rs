//! A small chart of a signal for a terminal.

use crate::domain::evidence::Sample;
use crate::domain::time::Time;

/// How many samples are shown side by side; with the axis the chart is at most 80 characters wide.
const MAX_COLUMNS: usize = 64;
/// How many lines high the bars are.
const ROWS: usize = 4;
/// Bars that fill no, one, … eight eighths of a character.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A moment that is pointed out under the chart.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// When.
    pub(super) at: Time,
    /// What happened, in a word.
    pub(super) label: String,
}

/// Draws samples (in time order) as bars from zero, with the marks under it. Plain text, one line a row, at most 80
/// characters wide as long as `format_value` keeps to nine. Where there are more samples than columns, a column is the
/// worst (the highest) of its samples.
pub(super) fn chart(samples: &[Sample], marks: &[Mark], format_value: impl Fn(f64) -> String) -> Vec<String> {
    let per_column = samples.len().div_ceil(MAX_COLUMNS).max(1);
    // Few samples are drawn twice as wide.
    let wide = if samples.len() * 2 <= MAX_COLUMNS { 2 } else { 1 };
    let columns: Vec<&[Sample]> =
        samples.chunks(per_column).flat_map(|column| std::iter::repeat_n(column, wide)).collect();
    let heights: Vec<f64> = columns.iter().map(|column| highest(column)).collect();
    let top = heights.iter().copied().fold(0.0, f64::max);
    if columns.is_empty() || top <= 0.0 {
        return vec!["(nothing to show)".to_owned()];
    }
    let eighths: Vec<usize> = heights.iter().map(|height| in_eighths(height / top)).collect();
    let labels = [format_value(top), format_value(0.0)];
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = (0..ROWS)
        .map(|row| {
            let below = (ROWS - 1 - row) * 8;
            let bars: String =
                eighths.iter().filter_map(|full| EIGHTHS.get(full.saturating_sub(below).min(8))).collect();
            let label = if row == 0 { labels.first().map_or("", String::as_str) } else { "" };
            format!("{label:>margin$} ┤{}", bars.trim_end())
        })
        .collect();
    let zero = labels.last().map_or("", String::as_str);
    lines.push(format!("{zero:>margin$} ┼{}", "─".repeat(columns.len())));
    lines.extend(mark_lines(&columns, marks).into_iter().map(|line| format!("{:margin$}  {line}", "")));
    lines
}

fn highest(column: &[Sample]) -> f64 {
    column.iter().map(|sample| sample.value).fold(0.0, f64::max)
}

/// A share of the whole height as eighths of a line; the smallest value above zero is still seen.
fn in_eighths(share: f64) -> usize {
    let whole = u8::try_from(ROWS * 8).unwrap_or(u8::MAX);
    let reached = (1..=whole).take_while(|step| f64::from(*step) <= share * f64::from(whole) + 0.5).count();
    if share > 0.0 { reached.max(1) } else { 0 }
}

/// The marks under their columns: an arrow and the label, on a line of its own where two would overlap.
fn mark_lines(columns: &[&[Sample]], marks: &[Mark]) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = Vec::new();
    for mark in marks {
        let Some(column) = columns.iter().position(|column| is_reached(column, mark.at)) else { continue };
        let text: Vec<char> = format!("▲ {}", mark.label).chars().collect();
        let free = lines.iter().position(|line| line.len() < column);
        let line = free.unwrap_or(lines.len());
        if free.is_none() {
            lines.push(Vec::new());
        }
        if let Some(line) = lines.get_mut(line) {
            line.resize(column, ' ');
            line.extend(text);
        }
    }
    lines.into_iter().map(|line| line.into_iter().take(MAX_COLUMNS + 4).collect()).collect()
}

fn is_reached(column: &[Sample], at: Time) -> bool {
    column.last().is_some_and(|sample| sample.at >= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Vec<Sample> {
        (0..).zip(values).map(|(i, value)| Sample { at: Time::from_unix(i * 60), value: *value }).collect()
    }

    fn mark(at: i64, label: &str) -> Mark {
        Mark { at: Time::from_unix(at), label: label.to_owned() }
    }

    #[test]
    fn bars_reach_as_high_as_their_values_and_marks_stand_under_them() {
        let lines =
            chart(&samples(&[0.0, 1.0, 20.0, 40.0]), &[mark(60, "a"), mark(180, "b")], |v| format!("{v:.0}"));
        let expected =
            ["40 ┤      ██", "   ┤      ██", "   ┤    ████", "   ┤  ▁▁████", " 0 ┼────────", "      ▲ a ▲ b"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let many: Vec<f64> = (0..1_000).map(f64::from).collect();
        let marks = [mark(59_940, "a rather long word at the end"), mark(0, "x"), mark(10_000_000, "later")];
        for line in chart(&samples(&many), &marks, |value| format!("{value:>9.0}")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(chart(&[], &[], |_| String::new()), ["(nothing to show)"]);
        assert_eq!(chart(&samples(&[0.0, 0.0]), &[], |_| String::new()), ["(nothing to show)"]);
    }
}
