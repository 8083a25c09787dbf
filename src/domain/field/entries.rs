//! The parts of a file that belong to different services, and what a commit changed in one of them.

use std::fmt;
use std::ops::Range;

use regex::Regex;

use super::leaves::{Document, Text, read};

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
    of_documents: bool,
}

/// What a pattern captures in an address, and how many bytes of the address it matched.
type Captured = (Vec<(String, String)>, usize);

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
            cut = vec![Step { text, end: text.len(), is_document: true }];
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
    fn captures(&self, address: &str) -> Option<Captured> {
        let mut steps = steps(address);
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
struct Step<'a> {
    text: &'a str,
    /// Where it ends in the address, brackets included.
    end: usize,
    is_document: bool,
}

/// Cuts an address, or a pattern for addresses, into its steps.
fn steps(address: &str) -> Vec<Step<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    let document = address.split_once(": ").map(|(name, _)| name);
    if let Some(name) = document.filter(|name| !name.contains('[')) {
        found.push(Step { text: name, end: name.len(), is_document: true });
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
        found.push(Step { text, end: at, is_document: false });
    }
    found
}

/// What a commit changed in one entry of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// What the pattern captured: by this the service is known.
    pub captured: Vec<(String, String)>,
    /// The file after the commit with this entry as it was before. None where the entry cannot be told from others, as
    /// they stand on the same lines, or where it came or went.
    pub before: Option<Vec<u8>>,
}

/// The entries of a file that differ between two versions, in the order in which they stand after.
#[must_use]
pub fn changed_entries(pattern: &EntryPattern, old: &Document, new: &Document) -> Vec<EntryChange> {
    if old.bytes() == new.bytes() {
        return Vec::new();
    }
    let [old, new] = read([old, new]);
    let (before, after) = (entries(pattern, &old), entries(pattern, &new));
    let mut names: Vec<&Vec<(String, String)>> = Vec::new();
    for entry in after.iter().chain(&before) {
        if !names.contains(&&entry.captured) {
            names.push(&entry.captured);
        }
    }
    let of = |entries: &[Entry], name: &Vec<(String, String)>| -> Vec<Entry> {
        entries.iter().filter(|entry| entry.captured == *name).cloned().collect()
    };
    let change = |name: &Vec<(String, String)>| {
        let (before, after) = (of(&before, name), of(&after, name));
        let said = |text: &Text<'_>, entries: &[Entry]| -> Vec<(String, String)> {
            let leaves = entries.iter().flat_map(|entry| &entry.leaves);
            leaves.map(|leaf| (text.address(*leaf).to_owned(), leaf_text(text, *leaf).to_owned())).collect()
        };
        (said(&old, &before) != said(&new, &after)).then(|| EntryChange {
            captured: name.clone(),
            before: as_before((&old, &before), (&new, &after)).map(String::into_bytes),
        })
    };
    names.into_iter().filter_map(change).collect()
}

/// The captures of all entries of a file, each once, in order.
#[must_use]
pub fn entry_names(pattern: &EntryPattern, document: &Document) -> Vec<Vec<(String, String)>> {
    let [text] = read([document]);
    let mut names = Vec::new();
    for entry in entries(pattern, &text) {
        if !names.contains(&entry.captured) {
            names.push(entry.captured);
        }
    }
    names
}

/// One entry of a file.
#[derive(Clone)]
struct Entry {
    captured: Vec<(String, String)>,
    address: String,
    leaves: Vec<usize>,
}

fn entries(pattern: &EntryPattern, text: &Text<'_>) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    for (index, leaf) in text.leaves.iter().enumerate() {
        let Some((captured, end)) = pattern.captures(&leaf.address) else { continue };
        let address = leaf.address.get(..end).unwrap_or("");
        match found.iter_mut().rev().find(|entry| entry.address == address && entry.captured == captured) {
            Some(entry) => entry.leaves.push(index),
            None => found.push(Entry { captured, address: address.to_owned(), leaves: vec![index] }),
        }
    }
    found
}

fn leaf_text<'t>(text: &Text<'t>, leaf: usize) -> &'t str {
    text.leaves.get(leaf).map_or("", |leaf| text.get(&leaf.span))
}

/// The text after, with these entries as they were before: line by line where an entry has its lines for itself, else value
/// by value.
fn as_before((old, before): (&Text<'_>, &[Entry]), (new, after): (&Text<'_>, &[Entry])) -> Option<String> {
    if before.len() != after.len() {
        return None;
    }
    let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
    for entry in after {
        let was = before.iter().find(|was| was.address == entry.address)?;
        match (own_lines(old, was), own_lines(new, entry)) {
            (Some(then), Some(now)) => edits.push((new.lines.span(&now), old.lines.raw(&then))),
            _ => edits.extend(values((old, was), (new, entry))?),
        }
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = String::with_capacity(new.text.len());
    let mut at = 0;
    for (range, text) in edits {
        out.push_str(new.text.get(at..range.start)?);
        out.push_str(text);
        at = range.end;
    }
    out.push_str(new.text.get(at..)?);
    Some(out)
}

/// The lines from the first to the last of an entry, if nothing else stands on them.
fn own_lines(text: &Text<'_>, entry: &Entry) -> Option<Range<usize>> {
    let spans = entry.leaves.iter().filter_map(|leaf| text.leaves.get(*leaf)).map(|leaf| &leaf.span);
    let first = spans.clone().map(|span| text.lines.at(span.start)).min()?;
    let last = spans.map(|span| text.lines.at(span.end.saturating_sub(1).max(span.start))).max()?;
    let is_own = |line: usize| text.on_line(line).iter().all(|leaf| entry.leaves.contains(leaf));
    (first..=last).all(is_own).then_some(first..last + 1)
}

/// The old value of each leaf, where the entry has the same leaves as before.
fn values<'o>(
    (old, was): (&Text<'o>, &Entry),
    (new, entry): (&Text<'_>, &Entry),
) -> Option<Vec<(Range<usize>, &'o str)>> {
    if was.leaves.len() != entry.leaves.len() {
        return None;
    }
    let mut edits = Vec::new();
    for (then, now) in was.leaves.iter().zip(&entry.leaves) {
        if old.address(*then) != new.address(*now) {
            return None;
        }
        edits.push((new.leaves.get(*now)?.span.clone(), leaf_text(old, *then)));
    }
    Some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pattern: &str, old: &str, new: &str) -> Vec<(String, Option<String>)> {
        let pattern = EntryPattern::new(pattern).unwrap();
        let all = changed_entries(&pattern, &Document::from(old), &Document::from(new));
        let shown = |change: EntryChange| {
            let names: Vec<String> = change.captured.into_iter().map(|(_, text)| text).collect();
            (names.join("/"), change.before.map(|bytes| String::from_utf8(bytes).unwrap()))
        };
        all.into_iter().map(shown).collect()
    }

    fn one(name: &str, before: &str) -> Vec<(String, Option<String>)> {
        vec![(name.to_owned(), Some(before.to_owned()))]
    }

    #[test]
    fn an_entry_is_taken_back_and_the_others_stay() {
        let file = |cart: &str, web: &str| {
            format!(
                "# all\nimages:\n- name: shop/cart\n  newTag: {cart}\n- name: shop/web\n  newTag: {web}\n"
            )
        };
        let (old, new) = (file("v1", "v1"), file("v2", "v3"));
        for pattern in ["images.{service}", "images[name={service}]", "images[{service}]"] {
            let found = changed(pattern, &old, &new);
            assert_eq!(found.len(), 2, "{pattern}: {found:?}");
            assert_eq!(found[0], ("shop/cart".to_owned(), Some(file("v1", "v3"))), "{pattern}");
            assert_eq!(found[1], ("shop/web".to_owned(), Some(file("v2", "v1"))), "{pattern}");
        }
        assert_eq!(changed("images.shop/{service}", &old, &file("v2", "v1")), one("cart", &file("v1", "v1")));
    }

    #[test]
    fn all_of_an_entry_belongs_to_it() {
        let file = |cart: &str| format!("cart:\n{cart}web:\n  tag: v1\n");
        let (old, new) = (file("  tag: v1\n  host: a\n"), file("  tag: v2\n  host: b\n  mode: x\n"));
        assert_eq!(changed("{service}", &old, &new), one("cart", &old));
    }

    #[test]
    fn entries_on_one_line_go_back_by_their_values() {
        let file = |cart: &str, web: &str| {
            format!("{{\"cart\": {{\"tag\": \"{cart}\"}}, \"web\": {{\"tag\": \"{web}\"}}}}\n")
        };
        let found = changed("{service}", &file("v1", "v1"), &file("v2", "v2"));
        assert_eq!(found[0], ("cart".to_owned(), Some(file("v1", "v2"))));
        assert_eq!(found[1], ("web".to_owned(), Some(file("v2", "v1"))));
        let grown = "{\"cart\": {\"tag\": \"v2\", \"n\": 1}, \"web\": {\"tag\": \"v1\"}}\n";
        assert_eq!(changed("{service}", &file("v1", "v1"), grown), [("cart".to_owned(), None)]);
    }

    #[test]
    fn documents_are_entries_too() {
        let document = |name: &str, tag: &str| {
            format!(
                "kind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  image: a/{name}:{tag}\n"
            )
        };
        let file = |cart: &str, web: &str| format!("{}---\n{}", document("cart", cart), document("web", web));
        let (old, new) = (file("v1", "v1"), file("v1", "v2"));
        assert_eq!(changed("Deployment/shop/{service}", &old, &new), one("web", &old));
        assert_eq!(changed("*/{namespace}/{service}", &old, &new), one("shop/web", &old));
        assert_eq!(changed("spec.{service}", &old, &new).len(), 1, "documents are passed over");
    }

    #[test]
    fn elements_of_an_application_set_and_releases_of_a_helmfile() {
        let set = |tag: &str| {
            format!(
                "kind: ApplicationSet\nmetadata: {{name: all}}\nspec:\n  generators:\n  - list:\n      elements:\n      - name: cart\n        tag: {tag}\n      - name: web\n        tag: v1\n"
            )
        };
        let found = changed("spec.generators.list.list.elements.{service}", &set("v1"), &set("v2"));
        assert_eq!(found, one("cart", &set("v1")));
        let helmfile = |version: &str| {
            format!(
                "releases:\n  - name: cart\n    chart: x/cart\n    version: {version}\n  - name: web\n    chart: x/web\n    version: 1.0.0\n"
            )
        };
        assert_eq!(
            changed("releases.{service}", &helmfile("1.2.0"), &helmfile("1.3.0")),
            one("cart", &helmfile("1.2.0"))
        );
    }

    #[test]
    fn what_came_or_went_is_told_without_a_way_back() {
        let found = changed("{service}", "web:\n  tag: v1\n", "web:\n  tag: v1\ncart:\n  tag: v1\n");
        assert_eq!(found, [("cart".to_owned(), None)]);
    }

    #[test]
    fn patterns_that_name_nothing_or_are_broken_are_refused() {
        for broken in ["images", "images.{service", "images.{}", "a..{service}", "{a}.{a}", ""] {
            EntryPattern::new(broken).unwrap_err();
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_without_harm(
            pattern in "[a-z{}.*/\\[\\]=: é]{0,20}", old in "[a-z:\\- \\n{},\"é]{0,60}", new in "[a-z:\\- \\n{},\"é]{0,60}",
        ) {
            if let Ok(pattern) = EntryPattern::new(&pattern) {
                drop(changed_entries(&pattern, &Document::from(old.as_str()), &Document::from(new.as_str())));
            }
        }
    }
}
