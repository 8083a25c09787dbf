//! A picture of a judgement as SVG: one panel a signal, self-contained, without scripts, light or dark as the reader's
//! system is. The same judgement gives the same bytes.

mod pen;
#[cfg(test)]
mod tests;

use self::pen::{cut, escaped, line, push, style, text, wrapped};
use super::chart::{is_beyond, moment, share_of, value_range};
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::Sample;
use crate::domain::judge::verdict::Verdict;
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
/// The most series that are drawn behind the own one.
const MAX_BEHIND: usize = 8;
/// The most marks on an axis.
const MAX_TICKS: i64 = 8;
/// A hole in the line begins where samples are further apart than this many times their usual distance.
const HOLE: i64 = 3;

/// All that is drawn.
pub(super) struct Picture {
    /// The verdict in a sentence.
    pub(super) title: String,
    pub(super) service: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) deployed_at: Time,
    /// How long after the deployment samples do not count.
    pub(super) settle_secs: u32,
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
    /// … as a person reads it.
    pub(super) usual_text: String,
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
    /// What it is compared with.
    pub(super) behind: Vec<Behind>,
}

/// A series that is drawn faintly behind the own one: another service's, or the own some time before.
pub(super) struct Behind {
    pub(super) name: String,
    /// In time order, all finite, moved to the time of the own.
    pub(super) samples: Vec<Sample>,
}

/// Draws it.
pub(super) fn draw(picture: &Picture) -> String {
    let title = wrapped(&picture.title, TITLE_CHARS, MAX_TITLE_LINES);
    let mut body = String::new();
    let mut y = 32.0;
    for line in &title {
        text(&mut body, EDGE, y, &format!("title {}", tone(&picture.verdict)), line);
        y += 22.0;
    }
    let of = picture.service.as_ref().map_or_else(String::new, |service| format!(" of {service}"));
    text(&mut body, EDGE, y, "", &format!("deployment{of} at {}", picture.deployed_at));
    y += 12.0;
    for panel in &picture.panels {
        y = draw_panel(&mut body, picture, panel, y) + 14.0;
    }
    let (height, style) = (y + 10.0, style());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{}</title>\n<style>{style}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        escaped(&picture.title)
    )
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
    /// The field for a panel with samples, its top still open.
    fn of(panel: &Panel, deployed_at: Time) -> Option<Self> {
        let own = panel.samples.iter().map(|sample| sample.value).chain(panel.line).chain(panel.usual);
        let (least, most) =
            (own.clone().fold(f64::INFINITY, f64::min), own.clone().fold(f64::NEG_INFINITY, f64::max));
        // What is far from the own is not worth a field in which the own is flat.
        let around = least - (most - least)..=most + (most - least);
        let others = panel.behind.iter().take(MAX_BEHIND).flat_map(|other| &other.samples);
        let others = others.map(|sample| sample.value).filter(|value| around.contains(value));
        let (first, last) = (panel.samples.first()?.at, panel.samples.last()?.at);
        let (low, high) = value_range(own.chain(others))?;
        Some(Self { top: 0.0, first: first.min(deployed_at), last: last.max(deployed_at), low, high })
    }

    fn holds(&self, sample: &Sample) -> bool {
        (self.first..=self.last).contains(&sample.at) && (self.low..=self.high).contains(&sample.value)
    }

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

/// Draws a panel from here down, and returns where it ends.
fn draw_panel(svg: &mut String, picture: &Picture, panel: &Panel, top: f64) -> f64 {
    text(svg, EDGE, top + 18.0, "name", &cut(&panel.title, LINE_CHARS / 2));
    text(svg, WIDTH - EDGE, top + 18.0, &format!("name end {}", tone(&panel.verdict)), panel.verdict.word());
    let reason = wrapped(untold(picture, panel), LINE_CHARS, MAX_LINES);
    let mut y = top + 20.0;
    for line in &reason {
        y += ROW;
        text(svg, EDGE, y, "", line);
    }
    let Some(mut field) = Field::of(panel, picture.deployed_at) else {
        text(svg, WIDTH / 2.0, y + 2.0 * ROW, "middle", "no samples");
        return y + 3.0 * ROW;
    };
    let marks = marks(panel, picture.deployed_at, &field);
    let rows = marks.iter().map(|mark| mark.row).fold(0.0, f64::max) + 1.0;
    field.top = y + 12.0 + rows * ROW;
    settling(svg, picture, &field);
    value_axis(svg, &field, panel.percent);
    time_axis(svg, &field);
    let key = behind(svg, panel, &field);
    if let Some(usual) = panel.usual {
        level(svg, &field, "usual", usual);
        let words = cut(&format!("usual {}", panel.usual_text), 14);
        text(svg, WIDTH - RIGHT + 5.0, field.y(usual) + 4.0, "", &words);
    }
    if let Some(line) = panel.line {
        level(svg, &field, "limit", line);
    }
    series(svg, picture, panel, &field);
    marks.iter().for_each(|mark| draw_mark(svg, mark, &field));
    if let Some(line) = panel.line {
        text(svg, LEFT + 8.0, field.y(line) - 5.0, "bad", &panel.line_text);
    }
    let end = field.bottom() + FOOTER;
    match key {
        Some(key) => {
            text(svg, LEFT, end + 4.0, "", &cut(&key, LINE_CHARS));
            end + ROW
        }
        None => end,
    }
}

/// What a panel's sentence says that the title does not: of a single one often nothing, or how it ends.
fn untold<'p>(picture: &'p Picture, panel: &'p Panel) -> &'p str {
    let told = picture.title.strip_prefix(picture.verdict.word()).map(|told| told.trim_start_matches(": "));
    match panel.reason.strip_prefix(told.unwrap_or(&picture.title)) {
        Some(rest) if picture.panels.len() == 1 && (rest.is_empty() || rest.starts_with(';')) => {
            rest.trim_start_matches([';', ' '])
        }
        _ => &panel.reason,
    }
}

/// The stretch in which samples do not count.
fn settling(svg: &mut String, picture: &Picture, field: &Field) {
    const LABEL: &str = "settling";
    let from = field.x(picture.deployed_at);
    let wide = field.x(picture.deployed_at.plus_secs(picture.settle_secs.into())) - from;
    if wide <= 0.0 {
        return;
    }
    let top = field.top;
    push(
        svg,
        &format!(
            "<rect class=\"settling\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{FIELD}\"/>\n"
        ),
    );
    if wide > width(LABEL) {
        text(svg, from + wide / 2.0, field.bottom() - 6.0, "middle", LABEL);
    }
}

/// What the series is compared with; returns the words that say so.
fn behind(svg: &mut String, panel: &Panel, field: &Field) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for other in panel.behind.iter().take(MAX_BEHIND) {
        let seen = other.samples.iter().filter(|sample| field.holds(sample));
        let samples: Vec<Sample> = seen.copied().collect();
        let hole = hole(&samples);
        let runs = samples.chunk_by(|a, b| b.at.secs_since(a.at) <= hole);
        runs.for_each(|run| polyline(svg, "behind", field, run));
        if samples.len() > 1 {
            names.push(&other.name);
        }
    }
    let more = if panel.behind.len() > MAX_BEHIND { ", …" } else { "" };
    (!names.is_empty()).then(|| format!("thin lines: {}{more}", names.join(", ")))
}

/// About how wide a text is.
#[expect(clippy::cast_precision_loss, reason = "a few words")]
fn width(words: &str) -> f64 {
    words.chars().count() as f64 * CHARACTER
}

/// A level over the whole width.
fn level(svg: &mut String, field: &Field, class: &str, value: f64) {
    let y = field.y(value);
    line(svg, class, (LEFT, y), (WIDTH - RIGHT, y));
}

/// A moment with its name beside it.
struct Mark {
    x: f64,
    class: &'static str,
    tone: &'static str,
    label: String,
    left: bool,
    /// How many lines of text are below its name.
    row: f64,
}

impl Mark {
    fn new(at: Time, (class, tone): (&'static str, &'static str), left: bool, field: &Field) -> Self {
        let label = format!("{class} {}", moment(at, field.first, field.last));
        let (x, wide) = (field.x(at), width(&label) + 6.0);
        // On the other side where there is no room.
        let left = if left { x - wide > EDGE } else { x + wide > WIDTH - EDGE };
        Self { x, class, tone, label, left, row: 0.0 }
    }

    /// From where to where its line and its name are.
    fn extent(&self) -> (f64, f64) {
        let wide = width(&self.label) + 6.0;
        if self.left { (self.x - wide, self.x) } else { (self.x, self.x + wide) }
    }
}

/// The deployment, and the onset where it is seen: each name on the side away from the other, or above it.
fn marks(panel: &Panel, deployed_at: Time, field: &Field) -> Vec<Mark> {
    let onset = panel.onset.filter(|onset| (field.first..=field.last).contains(onset));
    let earlier = onset.is_some_and(|onset| onset < deployed_at);
    let mut deployed = Mark::new(deployed_at, ("deployed", "mark"), !earlier, field);
    let onset = onset.map(|onset| Mark::new(onset, ("onset", "bad"), earlier, field));
    if let Some(onset) = &onset {
        let ((from, to), (other_from, other_to)) = (deployed.extent(), onset.extent());
        if deployed.left == onset.left && from < other_to && other_from < to {
            deployed.row = 1.0;
        }
    }
    std::iter::once(deployed).chain(onset).collect()
}

/// From top to bottom.
fn draw_mark(svg: &mut String, mark: &Mark, field: &Field) {
    let Mark { x, class, tone, label, left, row } = mark;
    let up = row * ROW;
    line(svg, class, (*x, field.top - 16.0 - up), (*x, field.bottom()));
    let (x, class) = if *left { (x - 6.0, format!("end {tone}")) } else { (x + 6.0, (*tone).to_owned()) };
    text(svg, x, field.top - 7.0 - up, &class, label);
}

/// Beyond which distance samples are not joined.
fn hole(samples: &[Sample]) -> i64 {
    let pairs = samples.windows(2);
    let mut gaps: Vec<i64> =
        pairs.filter_map(|pair| Some(pair.last()?.at.secs_since(pair.first()?.at))).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).map_or(i64::MAX, |usual| usual.saturating_mul(HOLE))
}

/// The samples before the deployment as a grey line, those after it as a blue one, and those that count and are beyond
/// the line in red.
fn series(svg: &mut String, picture: &Picture, panel: &Panel, field: &Field) {
    let (deployed_at, hole) = (picture.deployed_at, hole(&panel.samples));
    let joined = |a: &Sample, b: &Sample| {
        b.at.secs_since(a.at) <= hole && (a.at <= deployed_at) == (b.at <= deployed_at)
    };
    for run in panel.samples.chunk_by(joined) {
        let class = if run.iter().all(|sample| sample.at <= deployed_at) { "before" } else { "after" };
        match run {
            [one] => dot(svg, class, field, one, 1.8),
            _ => polyline(svg, &format!("series {class}"), field, run),
        }
    }
    let settled_at = deployed_at.plus_secs(picture.settle_secs.into());
    let counts = |sample: &Sample| sample.at > deployed_at && sample.at >= settled_at;
    let bad = |sample: &&Sample| counts(sample) && is_beyond(sample.value, panel.line, panel.direction);
    panel.samples.iter().filter(bad).for_each(|sample| dot(svg, "bad", field, sample, 3.0));
}

fn polyline(svg: &mut String, class: &str, field: &Field, samples: &[Sample]) {
    let point = |sample: &Sample| format!("{:.1},{:.1}", field.x(sample.at), field.y(sample.value));
    let points: Vec<String> = samples.iter().map(point).collect();
    push(svg, &format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" ")));
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

fn tone(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Regressed => "bad",
        Verdict::Healthy => "good",
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => "open",
    }
}
