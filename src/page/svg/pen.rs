//! The parts of an SVG document: its colours, its lines and its texts.

use crate::domain::text::{cut, flat};

/// What is what, apart from colours.
const SHAPES: &str = "
  text { font: 12px ui-sans-serif, system-ui, sans-serif; paint-order: stroke; stroke-width: 3px; stroke-linejoin: round; }
  .title { font-size: 16px; font-weight: 600; } .name { font-size: 14px; font-weight: 600; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .series { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
  .behind { fill: none; stroke-width: 1; stroke-linejoin: round; opacity: 0.55; } .settling { opacity: 0.12; }
  .usual { stroke-dasharray: 2 4; } .limit { stroke-dasharray: 6 4; }
  .deployed, .reverted { stroke-width: 1.4; } .onset { stroke-dasharray: 3 3; }";

/// The colours of the paper, the ink, what is faint, the grid, what was before and came after the deployment, and of what
/// is bad, good and open.
type Colours = [&'static str; 9];
const LIGHT: Colours =
    ["#ffffff", "#1f2933", "#6b7785", "#e4e8ec", "#8a96a3", "#2563eb", "#dc2626", "#15803d", "#b45309"];
const DARK: Colours =
    ["#14181d", "#e6eaee", "#93a0ad", "#2a313a", "#7b8794", "#60a5fa", "#f87171", "#4ade80", "#fbbf24"];

/// The style sheet. Colours stand in each rule and not in variables: viewers that know no variables draw all in black,
/// and those that know no media queries either are left with the light ones.
pub(in crate::page) fn style() -> String {
    format!("{SHAPES}\n{}  @media (prefers-color-scheme: dark) {{\n{}  }}\n", rules(&LIGHT), rules(&DARK))
}

fn rules(colours: &Colours) -> String {
    let [paper, ink, faint, grid, before, after, bad, good, open] = colours;
    format!(
        "  svg {{ background: {paper}; }} .paper {{ fill: {paper}; }}
  text {{ fill: {faint}; stroke: {paper}; }} text.title, text.name, text.mark {{ fill: {ink}; }}
  .grid {{ stroke: {grid}; }} .axis, .behind {{ stroke: {faint}; }} .settling {{ fill: {faint}; }}
  polyline.before, .usual {{ stroke: {before}; }} polyline.after {{ stroke: {after}; }}
  circle.before {{ fill: {before}; }} circle.after {{ fill: {after}; }} circle.bad {{ fill: {bad}; }}
  line.limit, line.onset {{ stroke: {bad}; }} line.deployed, line.reverted {{ stroke: {ink}; }}
  text.bad {{ fill: {bad}; }} text.good {{ fill: {good}; }} text.open {{ fill: {open}; }}
"
    )
}

/// A straight line.
pub(super) fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    svg.push_str(&format!(
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
    ));
}

/// A line of text.
pub(super) fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    svg.push_str(&format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(words)));
}

/// Text for XML, from a file that may hold anything: no markup, and no character that XML does not allow.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in flat(text).chars() {
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
