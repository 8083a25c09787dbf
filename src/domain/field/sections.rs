//! What of two versions of a large YAML file has to be read to compare them: the top-level entries in which a line differs, and what
//! gives documents and top-level values their names. The rest is equal in both, and parsing it takes hundreds of times longer than seeing
//! that.

use std::collections::HashSet;
use std::ops::Range;

use super::lines::Lines;
use super::tokens::mask;

/// The smallest file that is cut, in bytes: parsing a smaller one costs next to nothing.
const MIN_BYTES: usize = 4 << 10;

/// A part of a text.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) text: String,
    /// The number in the whole text of each line of it, from 0.
    pub(super) lines: Vec<usize>,
}

/// What the lines of a large YAML file alone show of it.
#[derive(Debug)]
pub(super) struct Sections {
    documents: Vec<Document>,
    /// Whether a document has a name that it also has where others are left out.
    are_told_apart: bool,
}

impl Sections {
    /// None where the lines alone do not show it, or the file is small.
    pub(super) fn of(lines: &Lines<'_>) -> Option<Self> {
        if lines.text().len() < MIN_BYTES || !is_plain(lines.text()) {
            return None;
        }
        let documents = documents(lines)?;
        let are_told_apart = are_told_apart(&names(lines, &documents)?);
        Some(Self { documents, are_told_apart })
    }
}

/// The parts of two versions of a file that have to be compared. None where it is not sure that they say all.
pub(super) fn cut(
    (old, before): (&Lines<'_>, &Sections),
    (new, after): (&Lines<'_>, &Sections),
) -> Option<[Cut; 2]> {
    // Documents without names of their own go by their places.
    if before.documents.len() != after.documents.len() {
        return None;
    }
    let are_told_apart = before.are_told_apart && after.are_told_apart;
    let mut cuts =
        [Cut { text: String::new(), lines: Vec::new() }, Cut { text: String::new(), lines: Vec::new() }];
    for (a, b) in before.documents.iter().zip(&after.documents) {
        // Then another document goes by the same name without this one.
        if are_told_apart && old.raw(&a.all()) == new.raw(&b.all()) {
            continue;
        }
        let keys = differing(old, a, new, b)?;
        // What differs on one line at the top has the other lines there beside it.
        let has_scalar = [(a, old), (b, new)].iter().any(|(document, lines)| {
            let differs = |entry: &&Range<usize>| keys.contains(key_of(lines, entry));
            document.entries.iter().filter(differs).any(|entry| is_scalar(lines, entry))
        });
        for (document, lines, cut) in [(a, old, 0), (b, new, 1)] {
            let cut = cuts.get_mut(cut)?;
            // Its mark; what else stands there are comments.
            cut.add(lines, &(document.head.start..document.head.end.min(document.head.start + 1)));
            for entry in &document.entries {
                let key = key_of(lines, entry);
                // What is said of the document may say what its versions are of.
                let is_beside =
                    key == "metadata:" && !keys.is_empty() || has_scalar && is_scalar(lines, entry);
                if key == "kind:" || keys.contains(key) || is_beside {
                    cut.add(lines, entry);
                } else if key == "metadata:" {
                    cut.add_names(lines, entry);
                }
            }
        }
    }
    let [one, other] = &cuts;
    // Where nearly all of it is left the whole is as quick.
    let (part, whole) = (one.text.len() + other.text.len(), old.text().len() + new.text().len());
    (part < whole / 10 * 9).then_some(cuts)
}

/// A document: its first lines as far as they belong to no entry, and its entries.
#[derive(Debug)]
struct Document {
    head: Range<usize>,
    entries: Vec<Range<usize>>,
}

impl Document {
    fn all(&self) -> Range<usize> {
        self.head.start..self.entries.last().map_or(self.head.end, |last| last.end)
    }
}

/// The keys of the entries that differ between two versions of a document. None where they stand in another order, or one stands twice.
fn differing<'t>(
    old: &Lines<'t>,
    before: &Document,
    new: &Lines<'t>,
    after: &Document,
) -> Option<HashSet<&'t str>> {
    if old.raw(&before.all()) == new.raw(&after.all()) {
        return Some(HashSet::new());
    }
    let entries = |lines: &Lines<'t>, document: &Document| -> Vec<(&'t str, &'t str)> {
        document.entries.iter().map(|entry| (key_of(lines, entry), lines.raw(entry))).collect()
    };
    let (was, is) = (entries(old, before), entries(new, after));
    let keys = |entries: &[(&'t str, &'t str)]| -> Vec<&'t str> {
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    };
    let is_twice = |keys: &[&str]| keys.windows(2).any(|pair| pair.first() == pair.last());
    let differ = |pair: &(&(&'t str, &'t str), &(&'t str, &'t str))| pair.0 != pair.1;
    let old_keys = keys(&was);
    if is_twice(&old_keys) {
        return None;
    }
    if was.iter().map(|(key, _)| key).eq(is.iter().map(|(key, _)| key)) {
        return Some(was.iter().zip(&is).filter(differ).map(|((key, _), _)| *key).collect());
    }
    let new_keys = keys(&is);
    if is_twice(&new_keys) {
        return None;
    }
    let in_both = |entries: &[(&'t str, &'t str)], others: &[&str]| -> Vec<(&'t str, &'t str)> {
        entries.iter().filter(|(key, _)| others.binary_search(key).is_ok()).copied().collect()
    };
    let (then, now) = (in_both(&was, &new_keys), in_both(&is, &old_keys));
    if !then.iter().map(|(key, _)| key).eq(now.iter().map(|(key, _)| key)) {
        return None;
    }
    let changed = then.iter().zip(&now).filter(differ).map(|((key, _), _)| *key);
    let went = old_keys.iter().filter(|key| new_keys.binary_search(key).is_err()).copied();
    let came = new_keys.iter().filter(|key| old_keys.binary_search(key).is_err()).copied();
    Some(changed.chain(went).chain(came).collect())
}

impl Cut {
    fn add(&mut self, lines: &Lines<'_>, range: &Range<usize>) {
        self.text.push_str(lines.raw(range));
        self.lines.extend(range.clone());
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// The lines of `metadata:` by which the document has its name.
    fn add_names(&mut self, lines: &Lines<'_>, entry: &Range<usize>) {
        self.add(lines, &(entry.start..entry.start + 1));
        let indent = |line: usize| lines.body(line).len() - lines.body(line).trim_start().len();
        let within = entry.start + 1..entry.end;
        let first = within
            .clone()
            .find(|line| !lines.body(*line).trim_start().starts_with('#') && !lines.body(*line).is_empty());
        let depth = first.map_or(0, indent);
        for line in within.filter(|line| indent(*line) == depth) {
            let body = lines.body(line).trim_start();
            if ["name:", "namespace:", "generateName:"].iter().any(|key| body.starts_with(key)) {
                self.add(lines, &(line..line + 1));
            }
        }
    }
}

/// Whether an entry is a value on one line: it stands beside whatever else does at the top.
fn is_scalar(lines: &Lines<'_>, entry: &Range<usize>) -> bool {
    let has_value = !lines.body(entry.start).ends_with(':');
    let mut below = (entry.start + 1..entry.end).map(|line| lines.body(line).trim_start());
    has_value && below.all(|body| body.is_empty() || body.starts_with('#'))
}

/// The lines by which each document has its name, sorted. None where there are several documents with anything in them, and one has no
/// kind and no name, or two have the same.
fn names(lines: &Lines<'_>, documents: &[Document]) -> Option<Vec<String>> {
    let filled = documents.iter().filter(|document| !document.entries.is_empty());
    let mut names: Vec<String> = Vec::new();
    for document in filled {
        let mut cut = Cut { text: String::new(), lines: Vec::new() };
        for entry in &document.entries {
            match key_of(lines, entry) {
                "kind:" => cut.add(lines, entry),
                "metadata:" => cut.add_names(lines, entry),
                _ => {}
            }
        }
        names.push(cut.text);
    }
    let is_name = |name: &String| name.contains("kind:") && name.contains("name:");
    let count = names.len();
    let are_names = names.iter().all(is_name);
    names.sort_unstable();
    names.dedup();
    (count < 2 || are_names && names.len() == count).then_some(names)
}

/// Whether each of several documents has a name that it also has where others are left out: it is written in plain letters, and is another
/// one without its version too.
fn are_told_apart(names: &[String]) -> bool {
    let is_plain = |line: &str| {
        let value = line.split_once(':').map_or("", |(_, value)| value.trim());
        line == "metadata:" || value.starts_with(|c: char| c.is_ascii_alphanumeric()) && value != "null"
    };
    let mut masked: Vec<String> = names.iter().map(|name| mask(name)).collect();
    masked.sort_unstable();
    masked.dedup();
    names.len() > 1 && masked.len() == names.len() && names.iter().all(|name| name.lines().all(is_plain))
}

/// The key of an entry, with its colon.
fn key_of<'t>(lines: &Lines<'t>, entry: &Range<usize>) -> &'t str {
    let body = lines.body(entry.start);
    body.find(':').and_then(|at| body.get(..=at)).unwrap_or(body)
}

/// Whether the lines of a text alone show where its top-level entries are: no names that YAML gives, no templates, no directives.
fn is_plain(text: &str) -> bool {
    const OTHERWISE: [&str; 12] =
        [": &", "- &", ": *", "- *", "[*", "[&", ", *", "<<", "{{", "\t", "\r", "\u{feff}"];
    let has = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    !OTHERWISE.iter().any(|mark| has(mark)) && !text.starts_with('%') && !has("\n%")
}

/// The documents of a text. None where one of them is no mapping in block style.
fn documents(lines: &Lines<'_>) -> Option<Vec<Document>> {
    let mut documents = vec![Document { head: 0..0, entries: Vec::new() }];
    for line in 0..lines.len() {
        let entry = documents.last_mut().and_then(|document| document.entries.last_mut());
        if let Some(entry) = entry.filter(|_| lines.raw(&(line..line + 1)).starts_with(' ')) {
            entry.end = line + 1;
            continue;
        }
        let body = lines.body(line);
        if body == "---" || body.starts_with("--- #") {
            documents.push(Document { head: line..line + 1, entries: Vec::new() });
            continue;
        }
        let document = documents.last_mut()?;
        let is_within =
            body.is_empty() || body.starts_with([' ', '#']) || body.starts_with("- ") || body == "-";
        match document.entries.last_mut() {
            Some(entry) if is_within => entry.end = line + 1,
            None if body.is_empty() || body.starts_with('#') => document.head.end = line + 1,
            _ if is_entry(body) => document.entries.push(line..line + 1),
            _ => return None,
        }
    }
    Some(documents)
}

/// Whether a line begins an entry of a mapping: `key:` or `key: value`, with a key of plain letters.
fn is_entry(body: &str) -> bool {
    let Some((key, value)) = body.split_once(':') else { return false };
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let is_value = value.is_empty() || value.starts_with(' ');
    // What begins in quotes or brackets may go on at the margin.
    let value = value.trim();
    let is_whole = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value.len() > 1 && value.ends_with(quote),
        Some('{') => value.ends_with('}'),
        Some('[') => value.ends_with(']'),
        Some(_) | None => true,
    };
    !key.is_empty() && key.chars().all(is_letter) && is_value && is_whole
}
