//! Where in a file the services are: a pattern for addresses.

use std::fmt;

use regex::Regex;

/// Where in a file the services are: the beginning of an address, as plans show it, with names in braces for what tells
/// the services apart: `images.{service}`, `Deployment/{service}`.
///
/// A step of the pattern matches a key, an item of a list by its name (`web` or `name=web`), or a document
/// (`Deployment/shop/web`). `*` stands for any text within a step.
#[derive(Clone)]
pub struct EntryPattern {
    text: String,
    steps: Vec<Regex>,
    /// The names of the captures, in order.
    names: Vec<String>,
    /// Whether the first step is a document.
    pub(super) of_documents: bool,
}

/// The names of a pattern with what they stand for in an address.
pub type Captures = Vec<(String, String)>;

/// What a pattern captures in an address, and how many bytes of the address it matched.
pub(super) type Captured = (Captures, usize);

impl EntryPattern {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// Says what is wrong with it, for people.
    pub fn new(text: &str) -> Result<Self, String> {
        let mut names: Vec<String> = Vec::new();
        let mut cut = steps(text);
        let of_documents = cut.first().is_some_and(|first| first.text.contains('/'));
        if of_documents && cut.first().is_some_and(|first| !first.is_document) {
            // Nothing of the document is named: the dots are those of its name.
            cut = vec![AddressStep { text, end: text.len(), is_document: true }];
        }
        let mut compiled = Vec::new();
        for step in &cut {
            let mut regex = String::from("^(?:[^=]*=)?");
            let mut rest = step.text;
            if rest.is_empty() {
                return Err("has an empty step".to_owned());
            }
            if rest.split_once('=').is_some_and(|(key, _)| !key.contains('{')) {
                regex = String::from("^");
            }
            while let Some(first) = rest.chars().next() {
                if let Some(after) = rest.strip_prefix('{') {
                    let (name, after) = after.split_once('}').ok_or("has a { without a }")?;
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    if name.is_empty() || !name.chars().all(is_name) {
                        return Err("has a {name} that is not made of letters, digits and _".to_owned());
                    }
                    if names.iter().any(|before| before == name) {
                        return Err(format!("has {{{name}}} twice"));
                    }
                    names.push(name.to_owned());
                    regex.push_str("(.+)");
                    rest = after;
                } else if let Some(after) = rest.strip_prefix('*') {
                    regex.push_str(".*");
                    rest = after;
                } else {
                    regex.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
                    rest = rest.get(first.len_utf8()..).unwrap_or("");
                }
            }
            regex.push('$');
            compiled.push(Regex::new(&regex).map_err(|e| e.to_string())?);
        }
        if names.is_empty() {
            return Err("names nothing: write {service} where the service's name stands".to_owned());
        }
        Ok(Self { text: text.to_owned(), steps: compiled, names, of_documents })
    }

    /// The names that the pattern captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What it captures in an address that begins so. With how many bytes of the address that is.
    pub(in super::super) fn captures(&self, address: &str) -> Option<Captured> {
        sections(address).and_then(|steps| self.matched(steps)).or_else(|| self.matched(steps(address)))
    }

    fn matched(&self, mut steps: Vec<AddressStep<'_>>) -> Option<Captured> {
        if !self.of_documents && steps.first().is_some_and(|first| first.is_document) {
            steps.remove(0);
        }
        let mut captured = Vec::new();
        let mut names = self.names.iter();
        let mut end = 0;
        for (index, regex) in self.steps.iter().enumerate() {
            let step = steps.get(index)?;
            let groups = regex.captures(step.text)?;
            for group in groups.iter().skip(1) {
                captured.push((names.next()?.clone(), group?.as_str().to_owned()));
            }
            end = step.end;
        }
        Some((captured, end))
    }
}

impl PartialEq for EntryPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for EntryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for EntryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// One step of an address.
pub(super) struct AddressStep<'a> {
    text: &'a str,
    /// Where it ends in the address, brackets included.
    end: usize,
    pub(super) is_document: bool,
}

/// The steps of an address in a section whose name has several parts: `[shop.env] > A`. None where it is no such address.
fn sections(address: &str) -> Option<Vec<AddressStep<'_>>> {
    let (head, rest) = address.split_once("] > ")?;
    let name =
        head.strip_prefix('[').filter(|name| name.contains('.') && !name.contains(['[', '"', '\'', '=']))?;
    let begin = 1 + name.len() + "] > ".len();
    let mut at = 1;
    let mut found = Vec::new();
    for part in name.split('.') {
        at += part.len();
        found.push(AddressStep { text: part, end: at, is_document: false });
        at += 1;
    }
    let last = found.last_mut()?;
    last.end += 1;
    let inner = steps(rest).into_iter().filter(|step| !step.is_document);
    found.extend(inner.map(|step| AddressStep { end: step.end + begin, ..step }));
    Some(found)
}

/// Cuts an address, or a pattern for addresses, into its steps.
pub(super) fn steps(address: &str) -> Vec<AddressStep<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    let document = address.split_once(": ").map(|(name, _)| name);
    if let Some(name) = document.filter(|name| !name.contains('[')) {
        found.push(AddressStep { text: name, end: name.len(), is_document: true });
        at = name.len() + ": ".len();
    }
    while let Some(rest) = address.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = rest.len() - rest.strip_prefix(" > ").or(rest.strip_prefix('.')).unwrap_or(rest).len();
        let rest = rest.get(skipped..).unwrap_or("");
        let (text, used) = match rest.strip_prefix('[') {
            Some(inside) => {
                let ends = |(at, _): &(usize, &str)| {
                    let after = inside.get(at + 1..).unwrap_or("");
                    after.is_empty() || after.starts_with(['.', '[']) || after.starts_with(" > ")
                };
                let close = inside.match_indices(']').find(ends).map_or(inside.len(), |(at, _)| at);
                (inside.get(..close).unwrap_or(inside), (close + 2).min(rest.len()))
            }
            None => {
                let end =
                    rest.find(['.', '[']).into_iter().chain(rest.find(" > ")).min().unwrap_or(rest.len());
                (rest.get(..end).unwrap_or(rest), end)
            }
        };
        if skipped + used == 0 {
            break;
        }
        at += skipped + used;
        found.push(AddressStep { text, end: at, is_document: false });
    }
    found
}
