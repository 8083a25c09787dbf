//! Charts of a signal for a terminal: small bars, and a larger plot around a deployment.

use super::output::coloured;
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::Sample;
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

/// How many lines high a plot is.
const PLOT_ROWS: usize = 9;
/// A character of Braille is this many dots wide and high.
const DOTS: (usize, usize) = (2, 4);
/// A hole in the line begins where samples are further apart than this many times their usual distance.
const HOLE: i64 = 3;

/// What is plotted.
pub(super) struct Plot<'a> {
    /// In time order, all finite.
    pub(super) samples: &'a [Sample],
    pub(super) deployed_at: Time,
    /// When the damage began.
    pub(super) onset: Option<Time>,
    /// The line beyond which a sample is bad.
    pub(super) line: Option<f64>,
    /// On which side of the line that is.
    pub(super) direction: Direction,
}

/// What a dot belongs to; of several in one character the last wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Ink {
    #[default]
    None,
    Before,
    After,
    Bad,
}

impl Ink {
    fn colour(self) -> &'static str {
        match self {
            Self::None | Self::Before => "2",
            Self::After => "34",
            Self::Bad => "31;1",
        }
    }
}

/// One character: its dots, and what they belong to.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    dots: u8,
    ink: Ink,
}

/// Whether a value is bad.
pub(super) fn is_beyond(value: f64, line: Option<f64>, direction: Direction) -> bool {
    line.is_some_and(|line| match direction {
        Direction::HigherIsWorse => value > line,
        Direction::LowerIsWorse => value < line,
    })
}

/// The lowest and the highest value of an axis for these values. It begins at zero unless they are far from it.
pub(super) fn value_range(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    // Halves, as the distance of two large numbers may not be finite.
    let half = high / 2.0 - low / 2.0;
    if !half.is_finite() {
        return None;
    }
    if low >= 0.0 && low <= half {
        return Some((0.0, if high > 0.0 { high } else { 1.0 }));
    }
    let around = if half <= 0.0 { low.abs() / 10.0 } else { half / 5.0 };
    Some(((low - around).max(f64::MIN), (high + around).min(f64::MAX)))
}

/// The time of day in UTC: `03:14`.
pub(super) fn time_of_day(at: Time) -> String {
    let minute = at.unix().rem_euclid(86_400) / 60;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The same with the day, `11-20 03:14`, where a chart shows more than one of them.
pub(super) fn moment(at: Time, first: Time, last: Time) -> String {
    let several = last.secs_since(first) > 86_400;
    let text = at.to_string();
    match text.get(5..10).filter(|_| several) {
        Some(day) => format!("{day} {}", time_of_day(at)),
        None => time_of_day(at),
    }
}

/// A share of the whole as a number from 0 to `most`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a float becomes the nearest number in range, and the range is small"
)]
fn scaled(share: f64, most: usize) -> usize {
    ((share.clamp(0.0, 1.0) * most as f64).round() as usize).min(most)
}

/// A distance in time as a share of another.
#[expect(clippy::cast_precision_loss, reason = "seconds")]
pub(super) fn share_of(part: i64, whole: i64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Plots samples as a line, with the deployment, the onset and the line beyond which samples are bad. Plain text but for
/// colours on a terminal that shows them; at most 80 characters wide as long as `format_value` keeps to nine.
pub(super) fn plot(plot: &Plot<'_>, format_value: impl Fn(f64) -> String) -> Vec<String> {
    let Some(canvas) = Canvas::new(plot) else { return vec!["(nothing to show)".to_owned()] };
    let cells = canvas.draw(plot);
    let deployed = canvas.column(plot.deployed_at);
    let line_row = plot.line.map(|line| canvas.row(line) / DOTS.1);
    let mut labels = vec![String::new(); PLOT_ROWS];
    let mut label = |row: usize, value: f64| {
        if let Some(label) = labels.get_mut(row) {
            *label = format_value(value);
        }
    };
    label(0, canvas.high);
    label(PLOT_ROWS - 1, canvas.low);
    if let (Some(row), Some(line)) = (line_row, plot.line) {
        label(row, line);
    }
    let margin = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = Vec::new();
    for (row, (cells, label)) in cells.iter().zip(&labels).enumerate() {
        let mut text = format!("{label:>margin$} ┤");
        let mut run = (Ink::None, String::new());
        for (column, cell) in cells.iter().enumerate() {
            let braille = char::from_u32(0x2800 + u32::from(cell.dots)).filter(|_| cell.dots != 0);
            let empty = match (deployed == Some(column), line_row == Some(row)) {
                (true, _) => '┊',
                (false, true) => '╌',
                (false, false) => ' ',
            };
            if cell.ink != run.0 {
                text.push_str(&inked(&run));
                run = (cell.ink, String::new());
            }
            run.1.push(braille.unwrap_or(empty));
        }
        text.push_str(&inked(&run));
        lines.push(text.trim_end().to_owned());
    }
    let axis: String =
        (0..MAX_COLUMNS).map(|column| if deployed == Some(column) { '┴' } else { '─' }).collect();
    lines.push(format!("{:>margin$} └{axis}", ""));
    let shown = |at: Time| moment(at, canvas.first, canvas.last);
    let ends = [shown(canvas.first), format!("{} UTC", shown(canvas.last))];
    let between = MAX_COLUMNS.saturating_sub(ends.iter().map(String::len).sum());
    lines.push(format!("{:margin$}  {}", "", ends.join(&" ".repeat(between))));
    let marks = [("deployed", Some(plot.deployed_at)), ("onset", plot.onset)];
    for (name, at) in marks.into_iter().filter_map(|(name, at)| Some((name, at?))) {
        if let Some(column) = canvas.column(at) {
            lines.push(format!("{:margin$}  {}", "", pointed_at(column, &format!("{name} {}", shown(at)))));
        }
    }
    lines
}

/// Characters in their colour; spaces in none, so that nothing stands at the end of a line.
fn inked((ink, text): &(Ink, String)) -> String {
    if text.trim().is_empty() { text.clone() } else { coloured(ink.colour(), text) }
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

/// The field that dots are put on.
struct Canvas {
    first: Time,
    last: Time,
    low: f64,
    high: f64,
}

impl Canvas {
    fn new(plot: &Plot<'_>) -> Option<Self> {
        let (first, last) = (plot.samples.first()?.at, plot.samples.last()?.at);
        let (low, high) = value_range(plot.samples.iter().map(|sample| sample.value).chain(plot.line))?;
        Some(Self { first: first.min(plot.deployed_at), last: last.max(plot.deployed_at), low, high })
    }

    /// How many dots from the left a time is.
    fn across(&self, at: Time) -> usize {
        let share = share_of(at.secs_since(self.first), self.last.secs_since(self.first));
        scaled(share, MAX_COLUMNS * DOTS.0 - 1)
    }

    /// Which column of characters a time is in, if any.
    fn column(&self, at: Time) -> Option<usize> {
        (self.first <= at && at <= self.last).then(|| self.across(at) / DOTS.0)
    }

    /// How many dots from the top a value is.
    fn row(&self, value: f64) -> usize {
        // Halves, as above.
        let share = (self.high / 2.0 - value / 2.0) / (self.high / 2.0 - self.low / 2.0);
        scaled(share, PLOT_ROWS * DOTS.1 - 1)
    }

    fn draw(&self, plot: &Plot<'_>) -> Vec<Vec<Cell>> {
        let mut cells = vec![vec![Cell::default(); MAX_COLUMNS]; PLOT_ROWS];
        let mut gaps: Vec<i64> = plot
            .samples
            .windows(2)
            .filter_map(|pair| Some(pair.last()?.at.secs_since(pair.first()?.at)))
            .collect();
        gaps.sort_unstable();
        let hole = gaps.get(gaps.len() / 2).map_or(i64::MAX, |usual| usual.saturating_mul(HOLE));
        let mut last: Option<(Time, usize, usize)> = None;
        for sample in plot.samples {
            let ink = if sample.at <= plot.deployed_at {
                Ink::Before
            } else if is_beyond(sample.value, plot.line, plot.direction) {
                Ink::Bad
            } else {
                Ink::After
            };
            let (x, y) = (self.across(sample.at), self.row(sample.value));
            match last.filter(|(at, _, _)| sample.at.secs_since(*at) <= hole) {
                Some((_, from_x, from_y)) => stroke(&mut cells, (from_x, from_y), (x, y), ink),
                None => dot(&mut cells, x, y, ink),
            }
            last = Some((sample.at, x, y));
        }
        cells
    }
}

/// A line from one dot to another, without the first.
fn stroke(cells: &mut [Vec<Cell>], from: (usize, usize), to: (usize, usize), ink: Ink) {
    let steps = to.0.abs_diff(from.0).max(to.1.abs_diff(from.1)).max(1);
    let between = |a: usize, b: usize, step: usize| {
        let moved = b.abs_diff(a) * step / steps;
        if b >= a { a + moved } else { a - moved }
    };
    for step in 1..=steps {
        dot(cells, between(from.0, to.0, step), between(from.1, to.1, step), ink);
    }
}

fn dot(cells: &mut [Vec<Cell>], x: usize, y: usize, ink: Ink) {
    // Source: Unicode, "Braille Patterns": dots 1 to 3 and 4 to 6 go down the columns, 7 and 8 are below them.
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let bit = BITS.get(x % DOTS.0).and_then(|column| column.get(y % DOTS.1)).copied().unwrap_or(0);
    if let Some(cell) = cells.get_mut(y / DOTS.1).and_then(|row| row.get_mut(x / DOTS.0)) {
        cell.dots |= bit;
        cell.ink = cell.ink.max(ink);
    }
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

    fn plotted(values: &[f64], line: Option<f64>) -> Vec<String> {
        let samples = samples(values);
        let at = |index: i64| Time::from_unix(index * 60);
        let middle = i64::try_from(values.len()).unwrap() / 2;
        plot(
            &Plot {
                samples: &samples,
                deployed_at: at(middle),
                onset: Some(at(middle + 1)),
                line,
                direction: Direction::HigherIsWorse,
            },
            |value| format!("{value:.1}"),
        )
    }

    #[test]
    fn a_plot_shows_the_deployment_the_onset_and_the_line() {
        let lines = plotted(&[1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0], Some(3.0));
        assert_eq!(lines.len(), PLOT_ROWS + 4);
        assert!(lines[0].starts_with("9.0 ┤") && lines[0].contains('┊'), "{}", lines.join("\n"));
        assert!(lines[5].starts_with("3.0 ┤╌╌") || lines[6].starts_with("3.0 ┤╌╌"), "{}", lines.join("\n"));
        assert!(lines[PLOT_ROWS - 1].starts_with("0.0 ┤"), "{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.ends_with("▲ deployed 00:04")), "{}", lines.join("\n"));
        assert!(lines.iter().any(|line| line.ends_with("▲ onset 00:05")), "{}", lines.join("\n"));
    }

    #[test]
    fn an_axis_begins_at_zero_unless_that_is_far() {
        assert_eq!(value_range([1.0, 9.0].into_iter()), Some((0.0, 9.0)));
        assert_eq!(value_range([0.0, 0.0].into_iter()), Some((0.0, 1.0)));
        let (low, high) = value_range([100.0, 110.0].into_iter()).unwrap();
        assert!((98.0..100.0).contains(&low) && (110.0..112.0).contains(&high));
        assert!(value_range([-5.0, -5.0].into_iter()).is_some_and(|(low, high)| low < -5.0 && high > -5.0));
        assert!(value_range([f64::MIN, f64::MAX].into_iter()).is_some());
        assert_eq!(value_range(std::iter::empty()), None);
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
        let (day, later) = (Time::from_unix(1_795_144_440), Time::from_unix(1_795_144_440 + 90_000));
        assert_eq!(moment(day, day, later), "11-20 03:14");
        assert_eq!(moment(day, day, day), "03:14");
        assert_eq!(pointed_at(60, "deployed 00:00"), format!("{:>59} ▲", "deployed 00:00"));
    }
}
