//! A picture of a judgement as SVG: one panel a signal, self-contained, without scripts, light or dark as the reader's
//! system is. The same judgement gives the same bytes.

mod pen;
#[cfg(test)]
mod tests;

pub(in crate::page) use self::pen::style;
use self::pen::{escaped, line, text, wrapped};
use crate::domain::chart::{Axes, Chart, Mark, SampleKind, runs};
use crate::domain::judge::evidence::{Evidence, Sample, SignalEvidence};
use crate::domain::judge::stats::real;
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::text::cut;
use crate::domain::time::Time;

/// How wide the picture is, and where panels have their fields.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 100.0;
/// What is left empty on both sides of all.
const EDGE: f64 = 24.0;
/// A panel: its field, and the times below it.
const FIELD: f64 = 170.0;
const FOOTER: f64 = 34.0;
/// How high a line of small text is, and about how wide a character of it.
const ROW: f64 = 17.0;
const CHARACTER: f64 = 6.8;
/// How many characters fit into a line of the title, and into one of a panel's sentence.
const TITLE_CHARS: usize = 92;
const LINE_CHARS: usize = 138;
/// The most lines of the title, and of a panel's sentence.
const MAX_TITLE_LINES: usize = 4;
const MAX_LINES: usize = 3;

/// All that is drawn.
pub(crate) struct Picture<'a> {
    /// The verdict in a sentence.
    pub(crate) title: String,
    pub(crate) service: Option<&'a str>,
    pub(crate) evidence: &'a Evidence,
    pub(crate) judgement: &'a Judgement,
    /// What each signal is called.
    pub(crate) names: Vec<&'a str>,
}

/// Draws it.
pub(crate) fn draw(picture: &Picture<'_>) -> String {
    let Picture { evidence, judgement, .. } = picture;
    let mut body = String::new();
    let mut y = 32.0;
    for line in wrapped(&picture.title, TITLE_CHARS, MAX_TITLE_LINES) {
        text(&mut body, EDGE, y, &format!("title {}", tone(&judgement.verdict)), &line);
        y += 22.0;
    }
    let of = picture.service.map_or_else(String::new, |service| format!(" of {service}"));
    text(&mut body, EDGE, y, "", &format!("deployment{of} at {}", evidence.deployed_at));
    y += 12.0;
    for ((name, finding), signal) in picture.names.iter().zip(&judgement.findings).zip(&evidence.signals) {
        text(&mut body, EDGE, y + 18.0, "name", &cut(name, LINE_CHARS / 2));
        let word = finding.verdict.word();
        text(&mut body, WIDTH - EDGE, y + 18.0, &format!("name end {}", tone(&finding.verdict)), word);
        y += 20.0;
        for line in wrapped(untold(picture, finding), LINE_CHARS, MAX_LINES) {
            y += ROW;
            text(&mut body, EDGE, y, "", &line);
        }
        y = draw_signal(&mut body, evidence, signal, finding, y) + 14.0;
    }
    let (height, style) = (y + 10.0, style());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{style}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        escaped(&picture.title)
    )
}

/// What a signal's sentence says that the title does not: of a single one often nothing, or how it ends.
fn untold<'p>(picture: &'p Picture<'_>, finding: &'p Finding) -> &'p str {
    let Judgement { verdict, findings, .. } = picture.judgement;
    let told = picture.title.strip_prefix(verdict.word()).map(|told| told.trim_start_matches(": "));
    match finding.reason.strip_prefix(told.unwrap_or(&picture.title)) {
        Some(rest) if findings.len() == 1 && (rest.is_empty() || rest.starts_with(';')) => {
            rest.trim_start_matches([';', ' '])
        }
        _ => &finding.reason,
    }
}

/// Draws a signal's chart from here down, and returns where it ends.
fn draw_signal(
    svg: &mut String,
    evidence: &Evidence,
    signal: &SignalEvidence,
    finding: &Finding,
    top: f64,
) -> f64 {
    match Chart::of(evidence, signal, finding).map(Chart::compared) {
        Some(chart) => draw_chart(svg, &chart, top),
        None => {
            text(svg, WIDTH / 2.0, top + 2.0 * ROW, "middle", "no samples");
            top + 3.0 * ROW
        }
    }
}

/// One chart alone, for an HTML document that has the style sheet: see [`style`]. `name` says in words what it shows.
pub(in crate::page) fn chart(chart: &Chart<'_>, name: &str) -> String {
    let mut body = String::new();
    let height = draw_chart(&mut body, chart, 0.0) + 8.0;
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>\n",
        escaped(name)
    )
}

fn draw_chart(svg: &mut String, chart: &Chart<'_>, top: f64) -> f64 {
    let (flags, finding) = (flags(chart), chart.finding);
    let rows = flags.iter().map(|flag| flag.row).fold(0.0, f64::max) + 1.0;
    let field = Field { axes: chart.axes, top: top + 12.0 + rows * ROW };
    field.settling(svg, chart);
    field.value_axis(svg, finding.percent);
    field.time_axis(svg);
    for run in chart.behind.iter().flat_map(|other| runs(&other.samples)) {
        field.polyline(svg, "behind", run);
    }
    if let Some(usual) = finding.before {
        field.level(svg, "usual", usual);
        let words = cut(&format!("usual {}", finding.show(usual)), 14);
        text(svg, WIDTH - RIGHT + 5.0, field.y(usual) + 4.0, "", &words);
    }
    if let Some(line) = chart.line {
        field.level(svg, "limit", line);
    }
    field.series(svg, chart);
    flags.iter().for_each(|flag| field.flag(svg, flag));
    if let Some(line) = chart.line {
        text(svg, LEFT + 8.0, field.y(line) - 5.0, "bad", &finding.show(line));
    }
    let end = field.bottom() + FOOTER;
    if chart.behind.is_empty() {
        return end;
    }
    let names: Vec<&str> = chart.behind.iter().map(|other| other.name.as_str()).collect();
    let more = if chart.is_more_behind { ", …" } else { "" };
    text(svg, LEFT, end + 4.0, "", &cut(&format!("thin lines: {}{more}", names.join(", ")), LINE_CHARS));
    end + ROW
}

/// How far from the left a time stands.
fn x(axes: &Axes, at: Time) -> f64 {
    LEFT + axes.across(at) * (WIDTH - LEFT - RIGHT)
}

/// About how wide a text is.
fn width(words: &str) -> f64 {
    real(words.chars().count()) * CHARACTER
}

/// A mark with the place of its caption.
struct Flag {
    x: f64,
    mark: Mark,
    /// Whether the caption stands to the left of the mark.
    left: bool,
    /// How many lines of text are below the caption.
    row: f64,
}

impl Flag {
    fn new(mark: Mark, left: bool, axes: &Axes) -> Self {
        let (x, wide) = (x(axes, mark.at), width(&mark.caption) + 6.0);
        // On the other side where there is no room.
        let left = if left { x - wide > EDGE } else { x + wide > WIDTH - EDGE };
        Self { x, mark, left, row: 0.0 }
    }

    /// From where to where its line and its caption are.
    fn extent(&self) -> (f64, f64) {
        let wide = width(&self.mark.caption) + 6.0;
        if self.left { (self.x - wide, self.x) } else { (self.x, self.x + wide) }
    }

    /// Whether the two would overlap in one line.
    fn covers(&self, other: &Self) -> bool {
        let ((from, to), (other_from, other_to)) = (self.extent(), other.extent());
        from < other_to && other_from < to
    }
}

/// The marks of a chart. Of the deployment and the onset each has its caption on the side away from the other, or the first above the
/// second. That of a revert stands above those that it would cover.
fn flags(chart: &Chart<'_>) -> Vec<Flag> {
    let marks = chart.marks();
    let second_is_earlier = matches!(&marks[..], [first, second, ..] if second.at < first.at);
    let sides = [!second_is_earlier, second_is_earlier, false];
    let flag = |(mark, left)| Flag::new(mark, left, &chart.axes);
    let mut flags: Vec<Flag> = marks.into_iter().zip(sides).map(flag).collect();
    if let [first, second, ..] = &mut flags[..]
        && first.left == second.left
        && first.covers(second)
    {
        first.row = 1.0;
    }
    if let Some((last, others)) = flags.split_last_mut().filter(|(_, others)| others.len() > 1) {
        while others.iter().any(|other| (other.row - last.row).abs() < 0.5 && other.covers(last)) {
            last.row += 1.0;
        }
    }
    flags
}

/// Where a chart stands in the picture.
struct Field {
    axes: Axes,
    top: f64,
}

impl Field {
    fn y(&self, value: f64) -> f64 {
        self.top + self.axes.down(value) * FIELD
    }

    fn bottom(&self) -> f64 {
        self.top + FIELD
    }

    /// The stretch in which samples do not count.
    fn settling(&self, svg: &mut String, chart: &Chart<'_>) {
        const LABEL: &str = "settling";
        let (from, top) = (x(&self.axes, chart.deployed_at), self.top);
        let wide = x(&self.axes, chart.settled_at) - from;
        if wide <= 0.0 {
            return;
        }
        svg.push_str(&format!(
            "<rect class=\"settling\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{FIELD}\"/>\n"
        ));
        if wide > width(LABEL) {
            text(svg, from + wide / 2.0, self.bottom() - 6.0, "middle", LABEL);
        }
    }

    /// A level over the whole width.
    fn level(&self, svg: &mut String, class: &str, value: f64) {
        let y = self.y(value);
        line(svg, class, (LEFT, y), (WIDTH - RIGHT, y));
    }

    /// A mark, from top to bottom.
    fn flag(&self, svg: &mut String, flag: &Flag) {
        let (name, up) = (flag.mark.name, flag.row * ROW);
        line(svg, name, (flag.x, self.top - 16.0 - up), (flag.x, self.bottom()));
        let tone = if name == "onset" { "bad" } else { "mark" };
        let (x, class) =
            if flag.left { (flag.x - 6.0, format!("end {tone}")) } else { (flag.x + 6.0, tone.to_owned()) };
        text(svg, x, self.top - 7.0 - up, &class, &flag.mark.caption);
    }

    /// The samples before the deployment as a grey line, those after it as a blue one, and those that count and are
    /// beyond the line in red.
    fn series(&self, svg: &mut String, chart: &Chart<'_>) {
        let is_before = |sample: &Sample| chart.kind(sample) == SampleKind::Before;
        for run in runs(&chart.samples).flat_map(|run| run.chunk_by(|a, b| is_before(a) == is_before(b))) {
            let class = if run.iter().all(is_before) { "before" } else { "after" };
            match run {
                [one] => self.dot(svg, class, one, 1.8),
                _ => self.polyline(svg, &format!("series {class}"), run),
            }
        }
        let bad = chart.samples.iter().filter(|sample| chart.kind(sample) == SampleKind::Bad);
        bad.for_each(|sample| self.dot(svg, "bad", sample, 3.0));
    }

    fn polyline(&self, svg: &mut String, class: &str, samples: &[Sample]) {
        let point = |sample: &Sample| format!("{:.1},{:.1}", x(&self.axes, sample.at), self.y(sample.value));
        let points: Vec<String> = samples.iter().map(point).collect();
        svg.push_str(&format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" ")));
    }

    fn dot(&self, svg: &mut String, class: &str, sample: &Sample, radius: f64) {
        let (x, y) = (x(&self.axes, sample.at), self.y(sample.value));
        svg.push_str(&format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>\n"));
    }

    /// Round values with lines at their height.
    fn value_axis(&self, svg: &mut String, percent: bool) {
        line(svg, "axis", (LEFT, self.top), (LEFT, self.bottom()));
        for (value, words) in self.axes.value_ticks(percent) {
            self.level(svg, "grid", value);
            text(svg, LEFT - 8.0, self.y(value) + 4.0, "end", &words);
        }
    }

    /// Round times with their marks below the field.
    fn time_axis(&self, svg: &mut String) {
        let bottom = self.bottom();
        line(svg, "axis", (LEFT, bottom), (WIDTH - RIGHT, bottom));
        for (at, words) in self.axes.time_ticks() {
            let x = x(&self.axes, at);
            line(svg, "axis", (x, bottom), (x, bottom + 5.0));
            text(svg, x, bottom + 19.0, "middle", &words);
        }
        text(svg, LEFT - 8.0, bottom + 19.0, "end", "UTC");
    }
}

fn tone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "bad",
        Verdict::Healthy => "good",
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => "open",
    }
}
