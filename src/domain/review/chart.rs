//! A chart of one signal around a deployment as a forge draws it: a mermaid block, or a line of blocks of text.

use super::markdown::code;
use crate::domain::chart::{Chart, seconds};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::time::Time;

/// The most points of a chart.
const MAX_POINTS: usize = 60;
/// How many points the mark of the deployment is drawn with: so many that it is a line straight up.
const MARK_POINTS: usize = 180;
/// The most characters of a line: as many as a phone shows in one.
const MAX_BLOCKS: usize = 40;

/// What a forge draws charts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartStyle {
    /// A mermaid `xychart-beta` block.
    Mermaid,
    /// Nothing: one line of block characters.
    Line,
}

/// Draws the worst of the signals that regressed and have samples.
pub(super) fn draw_worst(judgement: &Judgement, evidence: &Evidence, style: ChartStyle) -> Option<String> {
    let chart = regressed(judgement).into_iter().find_map(|finding| {
        let signal = evidence.signals.iter().find(|signal| signal.signal.name == finding.signal)?;
        Chart::of(evidence, signal, finding)?.close_up()
    })?;
    Some(match style {
        ChartStyle::Mermaid => mermaid(&chart.reduced(MAX_POINTS)),
        ChartStyle::Line => line_of_blocks(&chart.reduced(MAX_BLOCKS)),
    })
}

/// The signals that regressed, the one that has moved furthest for its size first.
pub(super) fn regressed(judgement: &Judgement) -> Vec<&Finding> {
    let mut found: Vec<&Finding> =
        judgement.findings.iter().filter(|finding| finding.verdict == Verdict::Regressed).collect();
    found.sort_by(|a, b| moved(b).total_cmp(&moved(a)));
    found
}

/// How far a signal has moved, as a multiple of the line that it should not cross, or of what it was.
fn moved(finding: &Finding) -> f64 {
    let from = finding.line.or(finding.before).unwrap_or(0.0);
    let to = finding.after.unwrap_or(from);
    // Halves, as the distance of two large numbers may not be finite.
    (to / 2.0 - from / 2.0).abs() / from.abs().max(f64::MIN_POSITIVE)
}

/// From the lowest value to the highest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn line_of_blocks(chart: &Chart<'_>) -> String {
    let values = || chart.samples.iter().map(|sample| sample.value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let block = |value: f64| {
        let height = (value - low) / (high - low);
        let places = BLOCKS.iter().enumerate().rev();
        // All values may be the same.
        let fits = |(place, _): &(usize, &char)| height * 8.0 >= f64::from(u8::try_from(*place).unwrap_or(7));
        places.into_iter().find(fits).map_or(BLOCKS[0], |(_, block)| *block)
    };
    let split = chart.samples.partition_point(|sample| sample.at < chart.deployed_at);
    let mut drawn: Vec<char> = values().map(block).collect();
    drawn.insert(split.min(drawn.len()), '|');
    let name = code(chart.finding.signal.as_str(), 80);
    let of = chart.segment.map_or(String::new(), |segment| format!(" of {}", code(segment, 60)));
    format!(
        "{name}{of}, from {} to {}, the worst value of each span of time; the upright line is the deployment:\n\n`{}`\n",
        chart.finding.show(low),
        chart.finding.show(high),
        drawn.into_iter().collect::<String>()
    )
}

fn mermaid(chart: &Chart<'_>) -> String {
    let axes = &chart.axes;
    // As much as stands above a chart of the usual width.
    let name = safe(chart.finding.signal.as_str(), 28);
    let title = match chart.segment {
        Some(segment) => format!("{name} of {}", safe(segment, 28)),
        None => format!("{name} before and after the deployment"),
    };
    let (unit, unit_secs) = unit(axes.span());
    let x = |at: Time| decimal(seconds(at.secs_since(chart.deployed_at)) / unit_secs, 1);
    let scale = Scale::of(chart);
    let line = |values: &mut dyn Iterator<Item = f64>| {
        format!("    line [{}]", values.map(|value| scale.number(value)).collect::<Vec<_>>().join(", "))
    };
    // A line along the top, where no values are, that goes down at the deployment: there is no other way to mark a time.
    // Each line has its own distance of points.
    let deployed = axes.nearest(chart.deployed_at, MARK_POINTS);
    let mark = |point| if point == deployed { axes.low } else { axes.high };
    let mut lines = vec![
        // The deployment, the values, and the level: colours that are seen on a light and on a dark page.
        "%%{init: {\"themeVariables\": {\"xyChart\": {\"plotColorPalette\": \"goldenrod, dodgerblue, crimson\"}}}}%%"
            .to_owned(),
        "xychart-beta".to_owned(),
        format!("    title \"{title}\""),
        format!("    x-axis \"{unit} since the deployment\" {} --> {}", x(axes.first), x(axes.last)),
        format!("    y-axis \"{}\" {} --> {}", scale.name, scale.number(axes.low), scale.number(axes.high)),
        line(&mut (0..MARK_POINTS).map(mark)),
        line(&mut chart.samples.iter().map(|sample| sample.value)),
    ];
    let level = chart.line.map_or(String::new(), |level| {
        lines.push(line(&mut [level, level].into_iter()));
        format!(" The level line is {}: values beyond it are bad.", chart.finding.show(level))
    });
    format!(
        "```mermaid\n{}\n```\n\nThe upright line is the deployment.{level} Each point is the worst value of its \
         time.\n",
        lines.join("\n")
    )
}

/// The unit of an axis of time that is so many seconds long, and the unit's length in seconds.
fn unit(span: i64) -> (&'static str, f64) {
    match span {
        ..21_600 => ("minutes", 60.0),
        21_600..345_600 => ("hours", 3_600.0),
        _ => ("days", 86_400.0),
    }
}

/// How the numbers along a chart are written: plain digits, whatever their size.
struct Scale {
    name: String,
    /// What the numbers are multiplied with.
    factor: f64,
    places: usize,
}

impl Scale {
    fn of(chart: &Chart<'_>) -> Self {
        let size = chart.axes.low.abs().max(chart.axes.high.abs());
        let (name, factor) = if chart.finding.percent && chart.axes.high < 1e6 {
            ("percent".to_owned(), 100.0)
        } else if size <= 0.0 || (1e-3..1e6).contains(&size) {
            ("value".to_owned(), 1.0)
        } else {
            // What is left is between 1 and 1000.
            let thousands =
                (-103_i32..=103).rev().find(|power| 1000_f64.powi(*power) <= size).unwrap_or(-103);
            let name = format!("value in units of 10 to the power of {}", thousands * 3);
            (name, 1000_f64.powi(-thousands))
        };
        // To about a thousandth of the whole height.
        let places = [(100.0, 1), (10.0, 2), (1.0, 3), (0.1, 4)];
        let places =
            places.iter().find(|(least, _)| size * factor >= *least).map_or(5, |(_, places)| *places);
        Self { name, factor, places }
    }

    fn number(&self, value: f64) -> String {
        decimal(value * self.factor, self.places)
    }
}

/// A number in plain digits, without zeros at its end.
fn decimal(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// Text for a chart: mermaid has no way to quote, so only what means nothing to it is left.
fn safe(text: &str, max: usize) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "._/".contains(c) { c } else { '-' };
    text.chars().take(max).map(kept).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::chart::tests::made;
    use crate::domain::environment::signal::SignalKind;
    use crate::domain::judge::evidence::Sample;

    fn chart(values: &[f64], deployed: i64, kind: SignalKind, line: Option<f64>) -> Option<String> {
        let samples =
            (0..).zip(values).map(|(at, value)| Sample { at: Time::from_unix(at * 60), value: *value });
        let (evidence, judgement) = made(&samples.collect::<Vec<_>>(), Time::from_unix(deployed), kind, line);
        draw_worst(&judgement, &evidence, ChartStyle::Mermaid)
    }

    /// The numbers of each line of a chart.
    fn lines(chart: &str) -> Vec<Vec<f64>> {
        let lines = chart.lines().filter_map(|line| line.trim().strip_prefix("line [")?.strip_suffix(']'));
        lines.map(|line| line.split(", ").map(|number| number.parse().unwrap()).collect()).collect()
    }

    #[test]
    fn the_worst_value_is_seen_however_many_there_are() {
        let mut values = vec![0.1; 400];
        values[390] = 7.0;
        let drawn = lines(&chart(&values, 300 * 60, SignalKind::ErrorRatio, Some(1.0)).unwrap());
        let [mark, series, level] = &drawn[..] else { panic!("{drawn:?}") };
        assert_eq!((mark.len(), series.len(), level.len()), (MARK_POINTS, MAX_POINTS, 2));
        assert!(series.contains(&7.0));
        assert_eq!(mark.iter().filter(|value| **value <= 0.0).count(), 1);
        let mut values = vec![50.0; 400];
        values[390] = 3.0;
        let drawn = lines(&chart(&values, 300 * 60, SignalKind::Traffic, None).unwrap());
        assert!(drawn[1].contains(&3.0), "{drawn:?}");
    }

    #[test]
    fn a_line_of_blocks_shows_when_it_rose() {
        let mut values = vec![0.1; 40];
        values.extend([0.5, 0.9, 0.9, 0.9]);
        let samples =
            (0..).zip(&values).map(|(at, value)| Sample { at: Time::from_unix(at * 60), value: *value });
        let samples: Vec<Sample> = samples.collect();
        for (deployed, all_the_same) in [(39 * 60 + 30, false), (0, false), (43 * 60, false), (39 * 60, true)]
        {
            let samples: Vec<Sample> = match all_the_same {
                true => samples.iter().map(|sample| Sample { value: 0.3, ..*sample }).collect(),
                false => samples.clone(),
            };
            let at = Time::from_unix(deployed);
            let (evidence, judgement) = made(&samples, at, SignalKind::ErrorRatio, None);
            let text = draw_worst(&judgement, &evidence, ChartStyle::Line).unwrap();
            let drawn = text.lines().last().unwrap().trim_matches('`').to_owned();
            assert_eq!(drawn.matches('|').count(), 1, "{text}");
            assert!(drawn.chars().count() <= MAX_BLOCKS + 1 && !text.contains("NaN"), "{text}");
            if deployed == 39 * 60 + 30 {
                let (before, after) = drawn.split_once('|').unwrap();
                assert!(before.chars().all(|block| block == '▁') && after.ends_with("██"), "{text}");
            }
        }
    }

    #[test]
    fn no_samples_no_chart() {
        assert_eq!(chart(&[], 0, SignalKind::Latency, None), None);
    }

    #[test]
    fn large_and_small_numbers_are_written_in_plain_digits() {
        for (value, name) in
            [(3e14, "10 to the power of 12"), (2e-7, "10 to the power of -9"), (12.5, "\"value\"")]
        {
            let text = chart(&[value; 30], 1_200, SignalKind::Latency, None).unwrap();
            assert!(text.contains(name), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_chart_is_plain_numbers_and_safe_words(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 1..200),
            deployed in -100_000_i64..100_000,
            line in proptest::option::of(proptest::num::f64::NORMAL),
            name in "\\PC{1,20}",
        ) {
            let Some(text) = chart(&values, deployed, SignalKind::Latency, line) else { return Ok(()) };
            if text.starts_with("```mermaid") {
                for line in lines(&text) {
                    prop_assert!(line.len() <= MARK_POINTS && line.iter().all(|number| number.abs() < 1e7));
                }
            }
            prop_assert!(text.chars().count() < 5_000, "{}", text.chars().count());
            prop_assert!(safe(&name, 60).chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c)));
        }
    }
}
