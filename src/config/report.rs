//! Mistakes in the configuration, each with its place, as people and machines see them.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use crate::domain::text::flat;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The line with a mark below the place, without secrets; empty where there is no line.
    #[serde(skip)]
    snippet: String,
}

/// Every mistake that was found, in the order of their places; at least one. Shown, it is what a person reads;
/// serialised, it is a list of file, line, column and message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The mistakes, in the order of their places.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            let ConfigError { file, line, column, message, snippet } = error;
            write!(f, "{gap}{}:{line}:{column}: {message}{snippet}", file.display())?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Where something stands: bytes of one of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which file, from 0.
    pub(super) file: usize,
    /// The first byte.
    pub(super) start: usize,
    /// The byte after the last.
    pub(super) end: usize,
}

impl Place {
    /// The place as text, for messages about another place.
    pub(super) fn show(self, files: &[SourceFile]) -> String {
        let Some(file) = files.get(self.file) else { return String::new() };
        let (line, column) = line_and_column(&file.text, self.start);
        format!("{}:{line}:{column}", file.path.display())
    }
}

/// A file of the configuration.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// More mistakes than this are not told at once.
const MAX_ERRORS: usize = 100;

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<(Place, String)>,
    /// Text that nobody may see: secrets that stand where they must not.
    hidden: Vec<Place>,
}

impl Findings {
    pub(super) fn add(&mut self, place: Place, message: impl Into<String>) {
        self.found.push((place, message.into()));
    }

    pub(super) fn hide(&mut self, place: Place) {
        self.hidden.push(place);
    }

    /// Whether something has been found that begins in this place.
    pub(super) fn within(&self, place: Place) -> bool {
        self.found
            .iter()
            .any(|(at, _)| at.file == place.file && (place.start..=place.end).contains(&at.start))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The findings with their places in `files`, in order; the same one is not told twice.
    pub(super) fn into_errors(self, files: &[SourceFile]) -> ConfigErrors {
        let mut found = self.found;
        found.sort();
        found.dedup();
        let masked = |(index, file): (usize, &SourceFile)| {
            mask(&file.text, self.hidden.iter().filter(|h| h.file == index).map(|h| h.start..h.end))
        };
        let masked: Vec<String> = files.iter().enumerate().map(masked).collect();
        let error = |(place, message): (Place, String)| {
            let file = files.get(place.file);
            let (text, path) = file.map_or(("", PathBuf::new()), |f| (f.text.as_str(), f.path.clone()));
            let shown = masked.get(place.file).map_or("", String::as_str);
            let (line, column) = line_and_column(text, place.start);
            ConfigError {
                file: path,
                line,
                column,
                message,
                snippet: snippet(shown, line, column, text, place),
            }
        };
        ConfigErrors { errors: found.into_iter().take(MAX_ERRORS).map(error).collect() }
    }
}

/// Where the line that holds byte `at` begins, and its number from 1.
fn line_start(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..floor_boundary(text, at)).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (start, before.matches('\n').count() + 1)
}

/// Line and column of a byte, both from 1. A byte past the end counts as the last one, so that the line exists.
fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let at = floor_boundary(text, at.min(text.trim_end().len()));
    let (start, line) = line_start(text, at);
    let column = text.get(start..at).unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

/// `text` with the characters of the ranges, and of whatever else looks like a secret, replaced one by one; line
/// breaks stay.
fn mask(text: &str, hidden: impl Iterator<Item = Range<usize>>) -> String {
    // Where the text cannot be parsed nobody knows what is a secret, so its key decides.
    static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let key = r#"(?i)(?:auth|token|password|passphrase|secret|authorization|cookie|api[_-]?key)["']?\s*:\s*([^\s{,\[][^\n]*)"#;
        let in_url = r"[a-z]+://([^/@\s]+)@";
        Regex::new(&format!("{key}|{in_url}")).ok()
    });
    let mut ranges: Vec<Range<usize>> = hidden.collect();
    for captures in SECRET.iter().flat_map(|regex| regex.captures_iter(text)) {
        ranges.extend(captures.iter().skip(1).flatten().map(|group| group.range()));
    }
    let hide =
        |(at, c): (usize, char)| if c != '\n' && ranges.iter().any(|r| r.contains(&at)) { '*' } else { c };
    text.char_indices().map(hide).collect()
}

/// The longest part of a line that is shown.
const SHOWN_CHARS: usize = 120;

fn snippet(shown: &str, line: u32, column: u32, text: &str, place: Place) -> String {
    let (line_index, column_index) = (line.saturating_sub(1), column.saturating_sub(1));
    let Some(shown) = usize::try_from(line_index).ok().and_then(|index| shown.split('\n').nth(index)) else {
        return String::new();
    };
    let column_index = usize::try_from(column_index).unwrap_or(0);
    let long = shown.chars().count() > SHOWN_CHARS;
    let skipped = if long { column_index.saturating_sub(SHOWN_CHARS / 2) } else { 0 };
    let shown = flat(&shown.chars().skip(skipped).take(SHOWN_CHARS).collect::<String>());
    if shown.trim().is_empty() {
        return String::new();
    }
    let marked = text.get(place.start..place.end).unwrap_or("").lines().next().unwrap_or("").trim_end();
    let room = SHOWN_CHARS.saturating_sub(column_index - skipped).max(1);
    let carets = "^".repeat(marked.chars().count().clamp(1, room));
    let (number, indent) = (line.to_string(), " ".repeat(column_index - skipped));
    let margin = " ".repeat(number.len());
    format!("\n{margin} |\n{number} | {}\n{margin} | {indent}{carets}", shown.trim_end())
}

/// The one of `known` that `name` was probably meant to be.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let bound = (name.chars().count() / 3).clamp(1, 3);
    known.map(|k| (distance(name, k), k)).filter(|(d, _)| *d <= bound).min().map(|(_, k)| k)
}

/// `known` as a list for people, with the nearest one to `name` in front.
pub(super) fn suggestion(name: &str, known: &[&str]) -> String {
    match (nearest(name, known.iter().copied()), known) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "none is defined".to_owned(),
        (None, _) => {
            let listed: Vec<String> = known.iter().take(20).map(|k| format!("`{k}`")).collect();
            format!("expected one of {}", listed.join(", "))
        }
    }
}

/// How many characters to insert, delete, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().take(64).collect(), b.to_lowercase().chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&row, j) + usize::from(ca != cb)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(cb) && b.get(j - 1) == Some(ca);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["settle", "watch", "baseline"];
        assert_eq!(nearest("setle", known.into_iter()), Some("settle"));
        assert_eq!(nearest("wacth", known.into_iter()), Some("watch"));
        assert_eq!(nearest("Watch", known.into_iter()), Some("watch"));
        assert_eq!(nearest("cooldown", known.into_iter()), None);
    }

    #[test]
    fn what_looks_like_a_secret_is_masked() {
        let masked = mask(
            "token: hunter2\nurl: https://me:pw@host/x\ntoken: {env: T}\nname: x",
            std::iter::once(0..2),
        );
        assert_eq!(masked, "**ken: *******\nurl: https://*****@host/x\ntoken: {env: T}\nname: x");
    }

    #[test]
    fn a_place_past_the_end_is_the_last_line() {
        assert_eq!(line_and_column("a: b\nc: d\n", 99), (2, 5));
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("é: b", 1), (1, 1));
    }
}
