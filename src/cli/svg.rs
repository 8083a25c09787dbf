//! A picture of a judgement as SVG: one panel a signal, self-contained, without scripts, light or dark as the reader's
//! system is. The same judgement gives the same bytes.

use std::fmt::Write as _;

use super::chart::{is_beyond, moment, share_of, value_range};
use super::output::plain;
use crate::domain::evidence::Sample;
use crate::domain::signal::Direction;
use crate::domain::time::Time;
use crate::domain::verdict::Verdict;

/// How wide the picture is, and where panels have their fields.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
/// A panel: its heading above the field, the field, and the times below it.
const HEADING: f64 = 66.0;
const FIELD: f64 = 170.0;
const FOOTER: f64 = 34.0;
/// How many characters of text fit into a line.
const LINE_CHARS: usize = 120;
/// The most lines of a text.
const MAX_LINES: usize = 4;
/// The most marks on an axis.
const MAX_TICKS: i64 = 8;
/// A hole in the line begins where samples are further apart than this many times their usual distance.
const HOLE: i64 = 3;

const STYLE: &str = "
  svg { --paper: #ffffff; --ink: #1f2933; --faint: #6b7785; --grid: #e4e8ec; --before: #8a96a3; --after: #2563eb;
    --bad: #dc2626; --good: #15803d; --open: #b45309; background: var(--paper); }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #14181d; --ink: #e6eaee; --faint: #93a0ad; --grid: #2a313a; --before: #7b8794; --after: #60a5fa;
      --bad: #f87171; --good: #4ade80; --open: #fbbf24; }
  }
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--faint); }
  .title { font-size: 16px; font-weight: 600; fill: var(--ink); }
  .name { font-size: 14px; font-weight: 600; fill: var(--ink); }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .paper { fill: var(--paper); } .grid { stroke: var(--grid); } .axis { stroke: var(--faint); }
  .series { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
  .before { stroke: var(--before); } .after { stroke: var(--after); }
  circle.before { fill: var(--before); stroke: none; } circle.after { fill: var(--after); stroke: none; }
  circle.bad { fill: var(--bad); }
  .usual { stroke: var(--before); stroke-dasharray: 2 4; } .limit { stroke: var(--bad); stroke-dasharray: 6 4; }
  .deployed { stroke: var(--ink); stroke-width: 1.4; } .onset { stroke: var(--bad); stroke-dasharray: 3 3; }
  text.bad { fill: var(--bad); } text.good { fill: var(--good); } text.open { fill: var(--open); }
  text.mark { fill: var(--ink); }
";

/// All that is drawn.
pub(super) struct Picture {
    /// The verdict in a sentence.
    pub(super) title: String,
    pub(super) service: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) deployed_at: Time,
    pub(super) panels: Vec<Panel>,
}

/// One signal.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    /// In time order, all finite.
    pub(super) samples: Vec<Sample>,
    /// The typical value before the deployment.
    pub(super) usual: Option<f64>,
    /// The line beyond which samples are bad …
    pub(super) line: Option<f64>,
    /// … as a person reads it …
    pub(super) line_text: String,
    /// … on this side.
    pub(super) direction: Direction,
    /// When the damage began.
    pub(super) onset: Option<Time>,
    /// Whether values are shares of 1.
    pub(super) percent: bool,
}

/// Draws it.
pub(super) fn draw(picture: &Picture) -> String {
    let title = wrapped(&picture.title, LINE_CHARS * 3 / 4);
    let top = 30.0 + lines_high(&title, 22.0);
    let panel_height = HEADING + FIELD + FOOTER + 14.0;
    #[expect(clippy::cast_precision_loss, reason = "a hundred panels at most")]
    let height = top + 24.0 + picture.panels.len() as f64 * panel_height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&picture.title)
    );
    let mut y = 32.0;
    for line in &title {
        text(&mut svg, 24.0, y, &format!("title {}", tone(&picture.verdict)), line);
        y += 22.0;
    }
    let of = picture.service.as_ref().map_or_else(String::new, |service| format!(" of {service}"));
    text(&mut svg, 24.0, y, "", &format!("deployment{of} at {}", picture.deployed_at));
    let mut y = top + 14.0;
    for panel in &picture.panels {
        draw_panel(&mut svg, panel, picture.deployed_at, y);
        y += panel_height;
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a panel's field is, and what its axes mean.
struct Field {
    top: f64,
    first: Time,
    last: Time,
    low: f64,
    high: f64,
}

impl Field {
    fn x(&self, at: Time) -> f64 {
        let share = share_of(at.secs_since(self.first), self.last.secs_since(self.first));
        LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        // Halves, as the distance of two large numbers may not be finite.
        let share = (self.high / 2.0 - value / 2.0) / (self.high / 2.0 - self.low / 2.0);
        self.top + share.clamp(0.0, 1.0) * FIELD
    }

    fn bottom(&self) -> f64 {
        self.top + FIELD
    }
}

fn draw_panel(svg: &mut String, panel: &Panel, deployed_at: Time, top: f64) {
    text(svg, 24.0, top + 18.0, "name", &cut(&panel.title, LINE_CHARS / 2));
    text(svg, WIDTH - RIGHT, top + 18.0, &format!("name end {}", tone(&panel.verdict)), panel.verdict.word());
    text(svg, 24.0, top + 37.0, "", &cut(&panel.reason, LINE_CHARS + 20));
    let values = panel.samples.iter().map(|sample| sample.value).chain(panel.line).chain(panel.usual);
    let (Some(first), Some(last), Some((low, high))) =
        (panel.samples.first(), panel.samples.last(), value_range(values))
    else {
        return text(svg, WIDTH / 2.0, top + HEADING + FIELD / 2.0, "middle", "no samples");
    };
    let (first, last) = (first.at.min(deployed_at), last.at.max(deployed_at));
    let field = Field { top: top + HEADING, first, last, low, high };
    value_axis(svg, &field, panel.percent);
    time_axis(svg, &field);
    if let Some(usual) = panel.usual {
        level(svg, &field, "usual", usual);
    }
    if let Some(line) = panel.line {
        level(svg, &field, "limit", line);
        text(svg, LEFT + 8.0, field.y(line) - 5.0, "bad", &panel.line_text);
    }
    series(svg, panel, deployed_at, &field);
    // The deployment's name on the left and the onset's on the right, as the onset is the later one.
    let left = field.x(deployed_at) > LEFT + 150.0;
    mark(svg, &field, deployed_at, ("deployed", "mark"), left);
    if let Some(onset) = panel.onset.filter(|onset| (first..=last).contains(onset)) {
        mark(svg, &field, onset, ("onset", "bad"), field.x(onset) > WIDTH - 150.0);
    }
}

/// A level over the whole width.
fn level(svg: &mut String, field: &Field, class: &str, value: f64) {
    let y = field.y(value);
    line(svg, class, (LEFT, y), (WIDTH - RIGHT, y));
}

/// A moment from top to bottom, with its name beside it.
fn mark(svg: &mut String, field: &Field, at: Time, (name, tone): (&str, &str), left: bool) {
    let x = field.x(at);
    line(svg, name, (x, field.top - 16.0), (x, field.bottom()));
    let label = format!("{name} {}", moment(at, field.first, field.last));
    let (x, class) = if left { (x - 6.0, format!("end {tone}")) } else { (x + 6.0, tone.to_owned()) };
    text(svg, x, field.top - 7.0, &class, &label);
}

/// The samples before the deployment as a grey line, those after it as a blue one, and those beyond the line in red.
fn series(svg: &mut String, panel: &Panel, deployed_at: Time, field: &Field) {
    let mut gaps: Vec<i64> = panel
        .samples
        .windows(2)
        .filter_map(|pair| Some(pair.last()?.at.secs_since(pair.first()?.at)))
        .collect();
    gaps.sort_unstable();
    let hole = gaps.get(gaps.len() / 2).map_or(i64::MAX, |usual| usual.saturating_mul(HOLE));
    let joined = |a: &Sample, b: &Sample| {
        b.at.secs_since(a.at) <= hole && (a.at <= deployed_at) == (b.at <= deployed_at)
    };
    for run in panel.samples.chunk_by(joined) {
        let class = if run.iter().all(|sample| sample.at <= deployed_at) { "before" } else { "after" };
        match run {
            [one] => dot(svg, class, field, one, 1.8),
            _ => {
                let points: Vec<String> = run
                    .iter()
                    .map(|sample| format!("{:.1},{:.1}", field.x(sample.at), field.y(sample.value)))
                    .collect();
                push(svg, &format!("<polyline class=\"series {class}\" points=\"{}\"/>\n", points.join(" ")));
            }
        }
    }
    let bad =
        |sample: &&Sample| sample.at > deployed_at && is_beyond(sample.value, panel.line, panel.direction);
    panel.samples.iter().filter(bad).for_each(|sample| dot(svg, "bad", field, sample, 3.0));
}

fn dot(svg: &mut String, class: &str, field: &Field, sample: &Sample, radius: f64) {
    let (x, y) = (field.x(sample.at), field.y(sample.value));
    push(svg, &format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>\n"));
}

/// Round values with lines at their height.
fn value_axis(svg: &mut String, field: &Field, percent: bool) {
    line(svg, "axis", (LEFT, field.top), (LEFT, field.bottom()));
    let rough = (field.high / 5.0 - field.low / 5.0).abs();
    let size = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * size).into_iter().find(|step| *step >= rough);
    let step = step.filter(|step| step.is_finite() && *step > 0.0).unwrap_or(rough);
    let first = (field.low / step).ceil();
    for index in 0..8 {
        let value = (first + f64::from(index)) * step;
        if !value.is_finite() || value > field.high + step * 1e-6 {
            break;
        }
        let y = field.y(value);
        line(svg, "grid", (LEFT, y), (WIDTH - RIGHT, y));
        text(svg, LEFT - 8.0, y + 4.0, "end", &tick(value, step, percent));
    }
}

/// A round value with as many digits as it needs.
fn tick(value: f64, step: f64, percent: bool) -> String {
    // No share is this large, and times 100 it might not be finite.
    let (value, step, unit) = if percent && value.abs() < 1e6 && step < 1e6 {
        (value * 100.0, step * 100.0, " %")
    } else {
        (value, step, "")
    };
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        return format!("{value:.1e}{unit}");
    }
    let digits: usize = [1.0, 0.1, 0.01, 0.001, 1e-4].iter().take_while(|size| step < **size * 0.999).count();
    format!("{value:.digits$}{unit}")
}

/// Round times with their marks below the field.
fn time_axis(svg: &mut String, field: &Field) {
    line(svg, "axis", (LEFT, field.bottom()), (WIDTH - RIGHT, field.bottom()));
    let span = field.last.secs_since(field.first).max(1);
    let steps = [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
    let step =
        steps.into_iter().find(|step| span / step < MAX_TICKS).unwrap_or(span.div_euclid(MAX_TICKS) + 1);
    let first = field.first.unix().div_euclid(step) + 1;
    for index in first..first + MAX_TICKS + 1 {
        let at = Time::from_unix(index.saturating_mul(step));
        if at > field.last {
            break;
        }
        let x = field.x(at);
        line(svg, "axis", (x, field.bottom()), (x, field.bottom() + 5.0));
        text(svg, x, field.bottom() + 19.0, "middle", &moment(at, field.first, field.last));
    }
    text(svg, LEFT - 8.0, field.bottom() + 19.0, "end", "UTC");
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    push(
        svg,
        &format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"),
    );
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    push(svg, &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(words)));
}

fn push(svg: &mut String, part: &str) {
    // Writing to a string cannot fail.
    let _always = svg.write_str(part);
}

fn tone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "bad",
        Verdict::Healthy => "good",
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => "open",
    }
}

/// Text for XML, from a file that may hold anything: no markup, and no character that XML does not allow.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

/// Text in lines of at most so many characters.
fn wrapped(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < chars => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, chars)),
        }
    }
    if lines.len() > MAX_LINES {
        lines.truncate(MAX_LINES);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines
}

#[expect(clippy::cast_precision_loss, reason = "a few lines")]
fn lines_high(lines: &[String], height: f64) -> f64 {
    lines.len() as f64 * height
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(title: &str, values: &[f64], line: Option<f64>, percent: bool) -> Picture {
        let at = |index: i64| Time::from_unix(1_795_144_440 + index * 60);
        let samples =
            (0..).zip(values).map(|(index, value)| Sample { at: at(index), value: *value }).collect();
        let middle = at(i64::try_from(values.len()).unwrap() / 2);
        Picture {
            title: title.to_owned(),
            service: Some(title.to_owned()),
            verdict: Verdict::Regressed,
            deployed_at: middle,
            panels: vec![Panel {
                title: title.to_owned(),
                verdict: Verdict::Inconclusive(title.to_owned()),
                reason: title.to_owned(),
                samples,
                usual: values.first().copied(),
                line,
                line_text: title.to_owned(),
                onset: Some(middle),
                direction: Direction::HigherIsWorse,
                percent,
            }],
        }
    }

    #[test]
    fn samples_are_grey_before_blue_after_and_red_beyond_the_line() {
        let svg = draw(&picture("t", &[1.0, 1.0, 1.0, 9.0, 9.0, 9.0], Some(3.0), false));
        let document = roxmltree::Document::parse(&svg).unwrap();
        let count = |name: &str, class: &str| {
            document
                .descendants()
                .filter(|n| {
                    n.has_tag_name(("http://www.w3.org/2000/svg", name))
                        && n.attribute("class") == Some(class)
                })
                .count()
        };
        assert_eq!((count("polyline", "series before"), count("polyline", "series after")), (1, 1));
        assert_eq!(count("circle", "bad"), 2, "one of the three is at the deployment itself");
        for mark in ["deployed", "onset", "limit", "usual"] {
            assert_eq!(count("line", mark), 1, "{mark}");
        }
        let texts: Vec<&str> = document.descendants().filter_map(|n| n.text()).collect();
        assert!(texts.contains(&"deployed 03:17") && texts.contains(&"03:16"), "{texts:?}");
    }

    #[test]
    fn round_values_have_the_digits_that_they_need() {
        for (value, step, percent, expected) in [
            (0.0, 1.0, false, "0"),
            (0.1 + 0.2, 0.1, false, "0.3"),
            (0.02, 0.02, true, "2 %"),
            (0.005, 0.005, true, "0.5 %"),
            (250.0, 50.0, false, "250"),
            (2e9, 1e9, false, "2.0e9"),
            (-1e-18, 0.5, false, "0.0"),
        ] {
            assert_eq!(tick(value, step, percent), expected);
        }
    }

    proptest! {
        #[test]
        fn any_picture_is_well_formed_and_holds_no_markup_of_others(
            title in any::<String>(),
            values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 0..20),
            line in prop::option::of(prop::num::f64::NORMAL),
            percent in any::<bool>(),
        ) {
            let title = format!("{title}]]><script>x</script><!--&#0;");
            let svg = draw(&picture(&title, &values, line, percent));
            let document = match roxmltree::Document::parse(&svg) {
                Ok(document) => document,
                Err(error) => panic!("{error}\n{svg}"),
            };
            let known = ["svg", "title", "style", "rect", "text", "line", "polyline", "circle"];
            for node in document.descendants().filter(|node| node.is_element()) {
                prop_assert!(known.contains(&node.tag_name().name()));
            }
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"));
            prop_assert_eq!(&svg, &draw(&picture(&title, &values, line, percent)));
        }
    }
}
