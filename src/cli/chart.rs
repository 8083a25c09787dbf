//! Charts for a terminal: small bars, and a larger plot of a signal around a deployment.

use super::output::{coloured, plain};
use crate::domain::chart::{Chart, SampleKind, runs};
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::stats::real;
use crate::domain::text::cut;
use crate::domain::time::Time;

/// How many samples are shown side by side; with the axis the chart is at most 80 characters wide.
const MAX_COLUMNS: usize = 64;
/// How many lines high the bars are.
const ROWS: usize = 4;
/// Bars that fill no, one, … eight eighths of a character.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws samples (in time order) as bars from zero, with moments and what happened then under it. Plain text, one line a
/// row, at most 80 characters wide as long as `format_value` keeps to nine. Where there are more samples than columns, a
/// column is the worst (the highest) of its samples.
pub(super) fn bars(
    samples: &[Sample],
    marks: &[(Time, &str)],
    format_value: impl Fn(f64) -> String,
) -> Vec<String> {
    let per_column = samples.len().div_ceil(MAX_COLUMNS).max(1);
    // Few samples are drawn twice as wide.
    let wide = if samples.len() * 2 <= MAX_COLUMNS { 2 } else { 1 };
    let columns: Vec<&[Sample]> =
        samples.chunks(per_column).flat_map(|column| std::iter::repeat_n(column, wide)).collect();
    let highest = |column: &&[Sample]| column.iter().map(|sample| sample.value).fold(0.0, f64::max);
    let heights: Vec<f64> = columns.iter().map(highest).collect();
    let top = heights.iter().copied().fold(0.0, f64::max);
    if columns.is_empty() || top <= 0.0 {
        return vec!["(nothing to show)".to_owned()];
    }
    // The smallest value above zero is still seen.
    let eighths = |height: &f64| steps(height / top, ROWS * 8).max(usize::from(*height > 0.0));
    let eighths: Vec<usize> = heights.iter().map(eighths).collect();
    let (top, zero) = (format_value(top), format_value(0.0));
    let margin = top.chars().count().max(zero.chars().count());
    let mut lines: Vec<String> = (0..ROWS)
        .map(|row| {
            let below = (ROWS - 1 - row) * 8;
            let bars: String =
                eighths.iter().filter_map(|full| EIGHTHS.get(full.saturating_sub(below).min(8))).collect();
            let label = if row == 0 { top.as_str() } else { "" };
            format!("{label:>margin$} ┤{}", bars.trim_end())
        })
        .collect();
    lines.push(format!("{zero:>margin$} ┼{}", "─".repeat(columns.len())));
    lines.extend(mark_lines(&columns, marks).into_iter().map(|line| format!("{:margin$}  {line}", "")));
    lines
}

/// How many of so many steps come nearest to a share of the whole.
fn steps(share: f64, whole: usize) -> usize {
    (0..whole).take_while(|step| real(*step) + 0.5 <= share * real(whole)).count()
}

/// The marks under their columns: an arrow and the label, on a line of its own where two would overlap.
fn mark_lines(columns: &[&[Sample]], marks: &[(Time, &str)]) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new(); marks.len()];
    for (at, label) in marks {
        let is_reached = |column: &&[Sample]| column.last().is_some_and(|sample| sample.at >= *at);
        let Some(column) = columns.iter().position(is_reached) else { continue };
        if let Some(line) = lines.iter_mut().find(|line| line.is_empty() || line.len() < column) {
            line.resize(column, ' ');
            line.extend(format!("▲ {label}").chars());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.into_iter().map(|line| line.into_iter().take(MAX_COLUMNS + 4).collect()).collect()
}

/// How many lines high a plot is.
const PLOT_ROWS: usize = 9;
/// A character of Braille is this many dots wide and high.
const DOTS: (usize, usize) = (2, 4);

/// One character: its dots, and what they stand for; of several the last wins.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    dots: u8,
    kind: Option<SampleKind>,
}

/// Draws a chart: the samples as a line, with the deployment, the onset and the line beyond which samples are bad. Plain
/// text but for colours on a terminal that shows them; at most 80 characters wide as long as values keep to nine.
pub(super) fn plot(chart: &Chart<'_>) -> Vec<String> {
    let axes = &chart.axes;
    let column = |at: Time| axes.nearest(at, MAX_COLUMNS * DOTS.0) / DOTS.0;
    let deployed = column(chart.deployed_at);
    let line_row = chart.line.map(|line| down(chart, line) / DOTS.1);
    let mut labels = vec![String::new(); PLOT_ROWS];
    let ends = [(Some(0), Some(axes.high)), (Some(PLOT_ROWS - 1), Some(axes.low)), (line_row, chart.line)];
    for (row, value) in ends.into_iter().filter_map(|(row, value)| Some((row?, value?))) {
        labels.get_mut(row).into_iter().for_each(|label| *label = chart.finding.show(value));
    }
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let under = |text: &str| format!("{:margin$}  {text}", "");
    let of = chart.segment.map(|name| under(&format!("of {}", cut(&plain(name), MAX_COLUMNS - 3))));
    let mut lines: Vec<String> = of.into_iter().collect();
    for (row, (cells, label)) in cells(chart).iter().zip(&labels).enumerate() {
        let char_at = |column: usize, cell: &Cell| match char::from_u32(0x2800 + u32::from(cell.dots)) {
            Some(braille) if cell.dots != 0 => braille,
            _ if column == deployed => '┊',
            _ if line_row == Some(row) => '╌',
            _ => ' ',
        };
        let cells: Vec<(usize, &Cell)> = cells.iter().enumerate().collect();
        let runs = cells.chunk_by(|(_, a), (_, b)| a.kind == b.kind);
        let drawn = runs.map(|run| {
            let text: String = run.iter().map(|(column, cell)| char_at(*column, cell)).collect();
            inked(run.first().and_then(|(_, cell)| cell.kind), text)
        });
        let text = format!("{label:>margin$} ┤{}", drawn.collect::<String>());
        lines.push(text.trim_end().to_owned());
    }
    let axis: String = (0..MAX_COLUMNS).map(|column| if column == deployed { '┴' } else { '─' }).collect();
    lines.push(format!("{:>margin$} └{axis}", ""));
    let (first, last) = (axes.moment(axes.first), format!("{} UTC", axes.moment(axes.last)));
    lines.push(under(&format!("{first}{last:>width$}", width = MAX_COLUMNS - first.len())));
    lines.extend(chart.marks().iter().map(|mark| under(&pointed_at(column(mark.at), &mark.caption))));
    lines
}

/// Characters in the colour of what they stand for; spaces in none, so that nothing stands at the end of a line.
fn inked(kind: Option<SampleKind>, text: String) -> String {
    let colour = match kind {
        None | Some(SampleKind::Before) => "2",
        Some(SampleKind::After) => "34",
        Some(SampleKind::Bad) => "31;1",
    };
    if text.trim().is_empty() { text } else { coloured(colour, &text) }
}

/// A text beside an arrow at a column, on the side where there is room.
fn pointed_at(column: usize, text: &str) -> String {
    let width = text.chars().count() + 2;
    if column + width > MAX_COLUMNS && column > width {
        format!("{:>column$} ▲", text, column = column - 1)
    } else {
        format!("{:column$}▲ {text}", "")
    }
}

/// How many dots from the top a value is.
fn down(chart: &Chart<'_>, value: f64) -> usize {
    steps(chart.axes.down(value), PLOT_ROWS * DOTS.1 - 1)
}

/// The field with the dots of the samples.
fn cells(chart: &Chart<'_>) -> Vec<Vec<Cell>> {
    let mut cells = vec![vec![Cell::default(); MAX_COLUMNS]; PLOT_ROWS];
    for run in runs(&chart.samples) {
        let mut last = None;
        for sample in run {
            let to = (chart.axes.nearest(sample.at, MAX_COLUMNS * DOTS.0), down(chart, sample.value));
            stroke(&mut cells, last.unwrap_or(to), to, chart.kind(sample));
            last = Some(to);
        }
    }
    cells
}

/// A line from one dot to another, without the first.
fn stroke(cells: &mut [Vec<Cell>], from: (usize, usize), to: (usize, usize), kind: SampleKind) {
    let steps = to.0.abs_diff(from.0).max(to.1.abs_diff(from.1)).max(1);
    let between = |a: usize, b: usize, step: usize| {
        let moved = b.abs_diff(a) * step / steps;
        if b >= a { a + moved } else { a - moved }
    };
    for step in 1..=steps {
        dot(cells, between(from.0, to.0, step), between(from.1, to.1, step), kind);
    }
}

fn dot(cells: &mut [Vec<Cell>], x: usize, y: usize, kind: SampleKind) {
    // Source: Unicode, "Braille Patterns": dots 1 to 3 and 4 to 6 go down the columns, 7 and 8 are below them.
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let bit = BITS.get(x % DOTS.0).and_then(|column| column.get(y % DOTS.1)).copied().unwrap_or(0);
    if let Some(cell) = cells.get_mut(y / DOTS.1).and_then(|row| row.get_mut(x / DOTS.0)) {
        cell.dots |= bit;
        cell.kind = cell.kind.max(Some(kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::chart::tests::made;
    use crate::domain::environment::signal::SignalKind;
    use crate::domain::judge::evidence::Segment;

    fn at(secs: i64) -> Time {
        Time::from_unix(secs)
    }

    fn samples(values: &[f64]) -> Vec<Sample> {
        (0..).zip(values).map(|(i, value)| Sample { at: at(i * 60), value: *value }).collect()
    }

    fn plotted(values: &[f64], line: Option<f64>) -> Vec<String> {
        let middle = at(i64::try_from(values.len()).unwrap() / 2 * 60);
        let (evidence, mut judgement) = made(&samples(values), middle, SignalKind::Latency, line);
        let finding = &mut judgement.findings[0];
        (finding.before, finding.since) = (None, Some(middle.plus_secs(60)));
        Chart::of(&evidence, &evidence.signals[0], finding).map_or_else(Vec::new, |chart| plot(&chart))
    }

    #[test]
    fn bars_reach_as_high_as_their_values_and_marks_stand_under_them() {
        let lines =
            bars(&samples(&[0.0, 1.0, 20.0, 40.0]), &[(at(60), "a"), (at(180), "b")], |v| format!("{v:.0}"));
        let expected =
            ["40 ┤      ██", "   ┤      ██", "   ┤    ████", "   ┤  ▁▁████", " 0 ┼────────", "      ▲ a ▲ b"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let many: Vec<f64> = (0..1_000).map(f64::from).collect();
        let marks = [(at(59_940), "a rather long word at the end"), (at(0), "x"), (at(10_000_000), "later")];
        for line in bars(&samples(&many), &marks, |value| format!("{value:>9.0}")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(bars(&[], &[], |_| String::new()), ["(nothing to show)"]);
        assert_eq!(bars(&samples(&[0.0, 0.0]), &[], |_| String::new()), ["(nothing to show)"]);
    }

    #[test]
    fn a_plot_shows_the_deployment_the_onset_and_the_line() {
        let lines = plotted(&[1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0], Some(3.0));
        assert_eq!(lines.len(), PLOT_ROWS + 4);
        assert!(lines[0].starts_with("9 ┤") && lines[0].contains('┊'), "{}", lines.join("\n"));
        assert!(lines[5].starts_with("3 ┤╌╌") || lines[6].starts_with("3 ┤╌╌"), "{}", lines.join("\n"));
        assert!(lines[PLOT_ROWS - 1].starts_with("0 ┤"), "{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.ends_with("▲ deployed 00:04")), "{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.ends_with("▲ onset 00:05")), "{}", lines.join("\n"));
    }

    #[test]
    fn any_samples_can_be_plotted() {
        for values in [
            vec![],
            vec![1.0],
            vec![0.0; 3],
            vec![f64::MAX, f64::MIN, 0.0],
            vec![-1.0, 1.0],
            vec![1e-300; 200],
        ] {
            for line in plotted(&values, Some(f64::MAX)).into_iter().chain(plotted(&values, None)) {
                let (_, drawn) = line.split_once(['┤', '└']).unwrap_or(("", ""));
                assert!(drawn.chars().count() <= MAX_COLUMNS, "{line}");
            }
        }
        assert_eq!(pointed_at(60, "deployed 00:00"), format!("{:>59} ▲", "deployed 00:00"));
    }

    #[test]
    fn a_plot_names_the_part_of_a_signal_that_it_shows() {
        let values = samples(&[1.0, 1.0, 1.0, 1.0]);
        let (mut evidence, judgement) = made(&values, at(60), SignalKind::Latency, None);
        let part = |name: &str, value| {
            let samples = values.iter().map(|sample| Sample { value, ..*sample }).collect();
            Segment { name: name.to_owned(), samples, seasonal: Vec::new() }
        };
        evidence.signals[0].segments = vec![part("eu", 1.0), part("us\u{1b}", 7.0), part("asia", 3.0)];
        let chart = Chart::of(&evidence, &evidence.signals[0], &judgement.findings[0]).unwrap();
        assert_eq!(plot(&chart)[0].trim(), "of us");
    }
}
