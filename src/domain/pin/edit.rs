//! Edits of whole lines, checked by reading the result.

use std::ops::Range;

use super::types::NoPin;
use crate::domain::field::place::{PlacedScalar, scalars};

/// Whole lines of a text, and what comes in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinEdit {
    /// The bytes of the lines. Empty where lines come between two others.
    pub lines: Range<usize>,
    /// The new lines, with their line ends.
    pub new: String,
}

impl PinEdit {
    /// The text with the edit.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let (before, after) = (text.get(..self.lines.start), text.get(self.lines.end..));
        [before.unwrap_or(text), &self.new, after.unwrap_or("")].concat()
    }
}

/// Refuses with a reason.
pub(super) fn unsure<T>(why: impl Into<String>) -> Result<T, NoPin> {
    Err(NoPin::Unsure(why.into()))
}

/// The comment that stands above a pin. Its commit says the rest, and until when.
fn comment(versions: &[String]) -> String {
    format!("# backout keeps {} out: it was backed out, see the commit of this line", versions.join(" and "))
}

/// The line around a byte, with its line end.
pub(super) fn line_at(text: &str, at: usize) -> Range<usize> {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let end = text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |end| at + end + 1);
    start..end
}

/// The line end of a line; that of the text where it is the last and has none.
pub(super) fn line_end<'t>(text: &'t str, line: &Range<usize>) -> &'t str {
    let raw = text.get(line.clone()).unwrap_or("");
    match (raw.ends_with("\r\n"), raw.ends_with('\n')) {
        (true, _) => "\r\n",
        (false, true) => "\n",
        (false, false) if text.contains("\r\n") => "\r\n",
        (false, false) => "\n",
    }
}

/// The spaces that a line begins with.
pub(super) fn indent<'t>(text: &'t str, line: &Range<usize>) -> &'t str {
    let raw = text.get(line.clone()).unwrap_or("");
    raw.get(..raw.len() - raw.trim_start_matches([' ', '\t']).len()).unwrap_or("")
}

/// Puts another value in the place of a scalar. A comment above its line names the versions, where there are any.
pub(super) fn replace(
    text: &str,
    scalar: &PlacedScalar,
    value: &str,
    versions: &[String],
) -> Result<PinEdit, NoPin> {
    let line = line_at(text, scalar.span.start);
    if scalar.span.end > line.end || scalar.span.is_empty() {
        return unsure(format!("{} is not written on one line", scalar.address));
    }
    let source = text.get(scalar.span.clone()).unwrap_or("");
    let quote = if source.starts_with('\'') { '\'' } else { '"' };
    let is_word = matches!(value, "true" | "false");
    if value.contains(['\'', '"', '\\']) {
        return unsure(format!("{} holds quotes", scalar.address));
    }
    let written = if is_word { value.to_owned() } else { format!("{quote}{value}{quote}") };
    let before = text.get(line.start..scalar.span.start).unwrap_or("");
    let after = text.get(scalar.span.end..line.end).unwrap_or("");
    let (margin, end) = (indent(text, &line), line_end(text, &line));
    let told =
        if versions.is_empty() { String::new() } else { format!("{margin}{}{end}", comment(versions)) };
    let new = format!("{told}{before}{written}{after}");
    let edit = PinEdit { lines: line, new };
    checked(text, edit, &scalar.address, value)
}

/// Adds `key: value` to the mapping in which a scalar stands, below its line, with a comment above.
pub(super) fn insert_below(
    text: &str,
    beside: &PlacedScalar,
    (block, key): (&str, &str),
    value: &str,
    versions: &[String],
) -> Result<PinEdit, NoPin> {
    let line = line_at(text, beside.span.start);
    let own_key = beside.address.strip_prefix(block).unwrap_or("");
    let in_brackets = own_key.strip_prefix('[').and_then(|key| key.strip_suffix(']'));
    let own_key = in_brackets.unwrap_or_else(|| own_key.trim_start_matches('.'));
    let begun = text.get(line.start..beside.span.start).unwrap_or("").trim();
    let is_alone = [format!("{own_key}:"), format!("\"{own_key}\":"), format!("'{own_key}':")];
    let rest = text.get(beside.span.end..line.end).unwrap_or("").trim();
    if !is_alone.iter().any(|known| begun == known) || !(rest.is_empty() || rest.starts_with('#')) {
        return unsure(format!("{} does not stand on a line of its own", beside.address));
    }
    let written = if matches!(value, "true" | "false") { value.to_owned() } else { format!("\"{value}\"") };
    let (margin, end) = (indent(text, &line), line_end(text, &line));
    let is_last = !text.get(line.clone()).is_some_and(|line| line.ends_with('\n'));
    let own = format!("{margin}{}{end}{margin}{key}: {written}", comment(versions));
    let edit = if is_last {
        // The file ends without a line end, and does so afterwards.
        let raw = text.get(line.clone()).unwrap_or("");
        PinEdit { new: format!("{raw}{end}{own}"), lines: line }
    } else {
        PinEdit { lines: line.end..line.end, new: format!("{own}{end}") }
    };
    let address = if key.contains('.') { format!("{block}[{key}]") } else { format!("{block}.{key}") };
    checked(text, edit, &address, value)
}

/// The edit, where the text reads the same with it but for one scalar, which has this value.
pub(super) fn checked(text: &str, edit: PinEdit, address: &str, value: &str) -> Result<PinEdit, NoPin> {
    let read = |text: &str| -> Option<Vec<(String, String)>> {
        Some(scalars(text)?.into_iter().map(|one| (one.address, one.value)).collect())
    };
    let (before, after) = (read(text), read(&edit.apply(text)));
    let Some((before, after)) = before.zip(after) else { return unsure("the file is no YAML with the pin") };
    let others = |all: &[(String, String)]| -> Vec<(String, String)> {
        all.iter().filter(|(at, _)| at != address).cloned().collect()
    };
    let is_set = after.iter().any(|(at, is)| at == address && is == value);
    if !is_set || others(&before) != others(&after) {
        return unsure(format!("{address} does not read right with the pin"));
    }
    Ok(edit)
}

/// A comment above a line, with the line. That is without its margin, and with its line end where it has one.
pub(super) fn commented(margin: &str, line: &str, end: &str, versions: &[String]) -> String {
    format!("{margin}{}{end}{margin}{line}", comment(versions))
}
