//! The parts of an SVG document: its colours, its lines and its texts.

use std::fmt::Write as _;

use crate::cli::output::plain;

/// What is what, apart from colours.
const SHAPES: &str = "
  text { font: 12px ui-sans-serif, system-ui, sans-serif; paint-order: stroke; stroke-width: 3px; stroke-linejoin: round; }
  .title { font-size: 16px; font-weight: 600; } .name { font-size: 14px; font-weight: 600; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .series { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
  .behind { fill: none; stroke-width: 1; stroke-linejoin: round; opacity: 0.55; } .settling { opacity: 0.12; }
  .usual { stroke-dasharray: 2 4; } .limit { stroke-dasharray: 6 4; }
  .deployed { stroke-width: 1.4; } .onset { stroke-dasharray: 3 3; }";

struct Colours {
    paper: &'static str,
    ink: &'static str,
    faint: &'static str,
    grid: &'static str,
    before: &'static str,
    after: &'static str,
    bad: &'static str,
    good: &'static str,
    open: &'static str,
}

const LIGHT: Colours = Colours {
    paper: "#ffffff",
    ink: "#1f2933",
    faint: "#6b7785",
    grid: "#e4e8ec",
    before: "#8a96a3",
    after: "#2563eb",
    bad: "#dc2626",
    good: "#15803d",
    open: "#b45309",
};

const DARK: Colours = Colours {
    paper: "#14181d",
    ink: "#e6eaee",
    faint: "#93a0ad",
    grid: "#2a313a",
    before: "#7b8794",
    after: "#60a5fa",
    bad: "#f87171",
    good: "#4ade80",
    open: "#fbbf24",
};

/// The style sheet. Colours stand in each rule and not in variables: viewers that know no variables draw all in black,
/// and those that know no media queries either are left with the light ones.
pub(super) fn style() -> String {
    format!("{SHAPES}\n{}  @media (prefers-color-scheme: dark) {{\n{}  }}\n", rules(&LIGHT), rules(&DARK))
}

fn rules(colours: &Colours) -> String {
    let Colours { paper, ink, faint, grid, before, after, bad, good, open } = colours;
    format!(
        "  svg {{ background: {paper}; }} .paper {{ fill: {paper}; }}
  text {{ fill: {faint}; stroke: {paper}; }} text.title, text.name, text.mark {{ fill: {ink}; }}
  .grid {{ stroke: {grid}; }} .axis, .behind {{ stroke: {faint}; }} .settling {{ fill: {faint}; }}
  polyline.before, .usual {{ stroke: {before}; }} polyline.after {{ stroke: {after}; }}
  circle.before {{ fill: {before}; }} circle.after {{ fill: {after}; }} circle.bad {{ fill: {bad}; }}
  line.limit, line.onset {{ stroke: {bad}; }} line.deployed {{ stroke: {ink}; }}
  text.bad {{ fill: {bad}; }} text.good {{ fill: {good}; }} text.open {{ fill: {open}; }}
"
    )
}

/// A straight line.
pub(super) fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    push(
        svg,
        &format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"),
    );
}

/// A line of text.
pub(super) fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    push(svg, &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(words)));
}

/// Markup as it is.
pub(super) fn push(svg: &mut String, part: &str) {
    // Writing to a string cannot fail.
    let _always = svg.write_str(part);
}

/// Text for XML, from a file that may hold anything: no markup, and no character that XML does not allow.
pub(super) fn escaped(text: &str) -> String {
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

/// The beginning of a text that is longer than so many characters.
pub(super) fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

/// Text in so many lines at most, each of at most so many characters.
pub(super) fn wrapped(text: &str, chars: usize, most: usize) -> Vec<String> {
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
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines
}
