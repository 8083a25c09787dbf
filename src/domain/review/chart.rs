//! A chart of one signal around a deployment, for a forge: a mermaid block, or a table of values.

use super::markdown::{code, table_head, table_row};
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::time::{Time, human_secs};

/// The most points of a chart.
const MAX_POINTS: usize = 60;
/// How many points the mark of the deployment is drawn with: so many that it is a line straight up.
const MARK_POINTS: usize = 180;
/// How much is shown before the deployment: so many times what there is after it, …
const TIMES_BEFORE: i64 = 3;
/// … and at least so many samples.
const LEAST_BEFORE: i64 = 20;
/// The most rows of a table on either side of the deployment.
const MAX_ROWS: [usize; 2] = [6, 9];

/// What a forge draws charts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartStyle {
    /// A mermaid `xychart-beta` block.
    Mermaid,
    /// Nothing: a table of the values.
    Table,
}

/// A signal that is worth a chart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel<'a> {
    pub(super) finding: &'a Finding,
    signal: &'a SignalEvidence,
    samples: &'a [Sample],
    /// The name of the part of the signal that is shown.
    segment: Option<&'a str>,
    deployed_at: Time,
}

impl<'a> Panel<'a> {
    /// The worst of the signals that regressed and have samples.
    pub(super) fn worst(judgement: &'a Judgement, evidence: &'a Evidence) -> Option<Self> {
        regressed(judgement).into_iter().find_map(|finding| Self::of(finding, evidence))
    }

    fn of(finding: &'a Finding, evidence: &'a Evidence) -> Option<Self> {
        let signal = evidence.signals.iter().find(|signal| signal.signal.name == finding.signal)?;
        let whole = match &signal.found {
            Found::Samples(samples) => Some((None, samples.as_slice())),
            Found::Gap(_) => None,
        };
        // Of the parts of a signal the one that is worst since the deployment.
        let since = |samples: &[Sample]| {
            let after = samples.iter().filter(|sample| sample.at > evidence.deployed_at);
            worst_of(after, signal.signal.direction).map_or(f64::NEG_INFINITY, |value| {
                match signal.signal.direction {
                    Direction::HigherIsWorse => value,
                    Direction::LowerIsWorse => -value,
                }
            })
        };
        let segments = signal.segments.iter().filter(|segment| !segment.samples.is_empty());
        let worst = segments.max_by(|a, b| since(&a.samples).total_cmp(&since(&b.samples)));
        let (segment, samples) =
            worst.map(|segment| (Some(segment.name.as_str()), segment.samples.as_slice())).or(whole)?;
        let after = samples.last()?.at.secs_since(evidence.deployed_at).max(0);
        let before =
            (after.saturating_mul(TIMES_BEFORE)).max(i64::from(signal.signal.step_secs) * LEAST_BEFORE);
        let begin = evidence.deployed_at.minus_secs(before);
        let samples = samples.get(samples.partition_point(|sample| sample.at < begin)..)?;
        (!samples.is_empty()).then_some(Self {
            finding,
            signal,
            samples,
            segment,
            deployed_at: evidence.deployed_at,
        })
    }

    /// The chart.
    pub(super) fn draw(&self, style: ChartStyle) -> String {
        match style {
            ChartStyle::Mermaid => self.mermaid(),
            ChartStyle::Table => self.table(),
        }
    }

    fn worst_value(&self, samples: &[Sample]) -> Option<f64> {
        worst_of(samples.iter(), self.signal.signal.direction)
    }

    fn table(&self) -> String {
        let split = self.samples.partition_point(|sample| sample.at < self.deployed_at);
        let (before, after) = self.samples.split_at(split);
        let mut text = table_head(&["when", "value"]);
        for (samples, most) in [before, after].into_iter().zip(MAX_ROWS) {
            for part in samples.chunks(samples.len().div_ceil(most).max(1)) {
                let (Some(first), Some(worst)) = (part.first(), self.worst_value(part)) else { continue };
                let distance = first.at.secs_since(self.deployed_at);
                let side = if distance < 0 { "before" } else { "after" };
                let when = format!("{} {side}", human_secs(distance.saturating_abs()));
                text.push_str(&table_row(&[when, self.finding.show(worst)]));
            }
            if most == MAX_ROWS[0] {
                let deployed = format!("**deployed** {}", self.deployed_at);
                text.push_str(&table_row(&[deployed, String::new()]));
            }
        }
        format!("{}, the worst value of each span of time:\n\n{text}", self.name_in_code())
    }

    fn name_in_code(&self) -> String {
        let name = code(self.finding.signal.as_str(), 80);
        self.segment.map_or(name.clone(), |segment| format!("{name} of {}", code(segment, 60)))
    }

    fn mermaid(&self) -> String {
        let Some(plot) = Plot::of(self) else { return self.table() };
        // As much as stands above a chart of the usual width.
        let name = safe(self.finding.signal.as_str(), 28);
        let title = match self.segment {
            Some(segment) => format!("{name} of {}", safe(segment, 28)),
            None => format!("{name} before and after the deployment"),
        };
        let (unit, unit_secs) = plot.unit();
        let x = |at: Time| decimal(as_f64(at.secs_since(self.deployed_at)) / unit_secs, 1);
        let values =
            |values: &[f64]| values.iter().map(|value| plot.number(*value)).collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            // The deployment, the values, and the level: colours that are seen on a light and on a dark page.
            "%%{init: {\"themeVariables\": {\"xyChart\": {\"plotColorPalette\": \"goldenrod, dodgerblue, crimson\"}}}}%%"
                .to_owned(),
            "xychart-beta".to_owned(),
            format!("    title \"{title}\""),
            format!("    x-axis \"{unit} since the deployment\" {} --> {}", x(plot.first), x(plot.last)),
            format!(
                "    y-axis \"{}\" {} --> {}",
                plot.scale_name(self.finding.percent),
                plot.number(plot.low),
                plot.number(plot.high)
            ),
            format!("    line [{}]", values(&plot.mark(self.deployed_at))),
            format!("    line [{}]", values(&plot.values)),
        ];
        let line = self.finding.line.filter(|line| (plot.low..=plot.high).contains(line));
        let level = line.map_or(String::new(), |line| {
            lines.push(format!("    line [{}]", values(&[line, line])));
            format!(" The level line is {}: values beyond it are bad.", self.finding.show(line))
        });
        format!(
            "```mermaid\n{}\n```\n\nThe upright line is the deployment.{level} Each point is the worst value of its \
             time.\n",
            lines.join("\n")
        )
    }
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

/// The worst of some samples.
fn worst_of<'s>(samples: impl Iterator<Item = &'s Sample>, direction: Direction) -> Option<f64> {
    let worse = |a: f64, b: f64| match direction {
        Direction::HigherIsWorse => a.max(b),
        Direction::LowerIsWorse => a.min(b),
    };
    samples.map(|sample| sample.value).reduce(worse)
}

/// Values at equal distances, as a chart of mermaid's has them.
struct Plot {
    first: Time,
    last: Time,
    values: Vec<f64>,
    low: f64,
    high: f64,
    /// The power of ten that is left out of the numbers.
    exponent: i32,
    /// What they are multiplied with.
    factor: f64,
}

impl Plot {
    fn of(panel: &Panel<'_>) -> Option<Self> {
        let (first, last) = (panel.samples.first()?.at, panel.samples.last()?.at);
        let (first, last) = (first.min(panel.deployed_at), last.max(panel.deployed_at));
        let span = last.secs_since(first);
        // No more points than there are samples, so that a gap is one.
        let step = i64::from(panel.signal.signal.step_secs.max(1));
        let points = usize::try_from(span / step + 1).unwrap_or(MAX_POINTS).clamp(2, MAX_POINTS);
        let point = |at: Time| nearest(at.secs_since(first), span, points);
        let mut parts: Vec<Option<f64>> = vec![None; points];
        for sample in panel.samples {
            if let Some(part) = parts.get_mut(point(sample.at)) {
                let known = part.map(|value| Sample { at: sample.at, value });
                *part = worst_of(known.iter().chain([sample]), panel.signal.signal.direction);
            }
        }
        // A chart of mermaid's has no gaps: the line stays level until there is a value again.
        let mut level = parts.iter().copied().flatten().next()?;
        let values: Vec<f64> = parts
            .into_iter()
            .map(|value| {
                level = value.unwrap_or(level);
                level
            })
            .collect();
        let (low, high) = range(&values, panel.finding.line)?;
        let percent = panel.finding.percent && high < 1e6;
        let (exponent, factor) = if percent { (0, 100.0) } else { scale(low.abs().max(high.abs())) };
        Some(Self { first, last, values, low, high, exponent, factor })
    }

    /// A line along the top, where no values are, that goes down at the deployment: there is no other way to mark a time.
    /// Each line has its own distance of points.
    fn mark(&self, at: Time) -> Vec<f64> {
        let deployed = nearest(at.secs_since(self.first), self.last.secs_since(self.first), MARK_POINTS);
        (0..MARK_POINTS).map(|point| if point == deployed { self.low } else { self.high }).collect()
    }

    /// The unit of the time axis, and its length in seconds.
    fn unit(&self) -> (&'static str, f64) {
        match self.last.secs_since(self.first) {
            ..21_600 => ("minutes", 60.0),
            21_600..345_600 => ("hours", 3_600.0),
            _ => ("days", 86_400.0),
        }
    }

    fn scale_name(&self, percent: bool) -> String {
        match (percent, self.exponent) {
            (true, 0) => "percent".to_owned(),
            (_, 0) => "value".to_owned(),
            (_, exponent) => format!("value in units of 10 to the power of {exponent}"),
        }
    }

    /// A value in the chart's scale, to about a thousandth of the whole height.
    fn number(&self, value: f64) -> String {
        let top = self.low.abs().max(self.high.abs()) * self.factor;
        let places = [(100.0, 1), (10.0, 2), (1.0, 3), (0.1, 4)];
        let places = places.iter().find(|(least, _)| top >= *least).map_or(5, |(_, places)| *places);
        decimal(value * self.factor, places)
    }
}

/// Which of some points, at equal distances over a span of time, is nearest to a part of it.
fn nearest(part: i64, span: i64, points: usize) -> usize {
    let last = i64::try_from(points).unwrap_or(i64::MAX).saturating_sub(1);
    let doubled = part.clamp(0, span).saturating_mul(last).saturating_mul(2).saturating_add(span);
    usize::try_from(doubled / span.saturating_mul(2).max(1)).unwrap_or(0).min(points.saturating_sub(1))
}

/// The lowest and the highest value of the axis, with room above the values; it begins at zero unless the values are far from it.
fn range(values: &[f64], line: Option<f64>) -> Option<(f64, f64)> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // A line that is far away would leave nothing to be seen of the values.
    let near =
        |line: &f64| (line - low).abs() <= 2.0 * (high - low) || (line - high).abs() <= 2.0 * (high - low);
    let (low, high) = line.filter(near).map_or((low, high), |line| (low.min(line), high.max(line)));
    let span = high - low;
    if !span.is_finite() || !(high + span).is_finite() || !(low - span).is_finite() {
        return None;
    }
    if low >= 0.0 && low <= span {
        return Some((0.0, if high > 0.0 { high * 1.1 } else { 1.0 }));
    }
    let around = if span > 0.0 { span / 10.0 } else { low.abs() / 10.0 };
    Some((low - around, high + around))
}

/// The power of ten, and its inverse, that bring a size to between a thousandth and a million.
fn scale(size: f64) -> (i32, f64) {
    if size <= 0.0 || (1e-3..1e6).contains(&size) {
        return (0, 1.0);
    }
    let thousands = (-103_i32..=103).rev().find(|power| 1000_f64.powi(*power) <= size).unwrap_or(-103);
    (thousands * 3, 1000_f64.powi(-thousands))
}

/// A number in plain digits, without zeros at its end.
fn decimal(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[expect(clippy::cast_precision_loss, reason = "seconds, and numbers of points")]
fn as_f64(number: i64) -> f64 {
    number as f64
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
    use crate::domain::environment::policy::Policy;
    use crate::domain::environment::signal::{Signal, SignalKind};
    use crate::domain::ids::{SignalName, SourceName};

    fn chart(values: &[f64], deployed: i64, kind: SignalKind, line: Option<f64>) -> Option<String> {
        let name = SignalName::new("errors").unwrap();
        let samples =
            (0..).zip(values).map(|(at, value)| Sample { at: Time::from_unix(at * 60), value: *value });
        let signal = Signal::new(name.clone(), SourceName::new("p").unwrap(), "q", kind);
        let signals = vec![SignalEvidence::new(signal, "q".to_owned(), Found::Samples(samples.collect()))];
        let deployed = Time::from_unix(deployed);
        let evidence = Evidence::new(deployed, deployed, &Policy::default(), signals);
        let finding = Finding {
            signal: name,
            percent: false,
            verdict: Verdict::Regressed,
            before: Some(1.0),
            after: Some(2.0),
            since: None,
            line,
            coincidence: None,
            reason: String::new(),
        };
        let findings = vec![finding];
        let judgement =
            Judgement { verdict: Verdict::Regressed, since: None, reason: String::new(), findings };
        Panel::worst(&judgement, &evidence).map(|panel| panel.draw(ChartStyle::Mermaid))
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
