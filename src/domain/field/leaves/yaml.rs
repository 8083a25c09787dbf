//! The scalars of a YAML file (and so of a JSON file) with their places in its bytes.
//!
//! A scalar is found again by its address: the document by kind and name, list items by a name or by what they are a
//! version of, and everything else by key. Block scalars that hold YAML or JSON themselves are looked into.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::super::tokens;
use super::super::vocabulary::{ENTRY_NAMES, ITEM_NAMES, SOURCES};
use super::leaf::{self, Brought, Leaf, LeafKind};
use super::node::{MERGE, Node, parse};
use super::outline;

/// The longest address, and all addresses of a file together, in bytes: what is longer is no environment file.
const MAX_ADDRESS: usize = 8 << 10;
const MAX_ADDRESSES: usize = 128 << 20;

/// How deep YAML may stand within block scalars of YAML.
pub(super) const MAX_EMBEDDING: usize = 2;
/// How many nodes of a file are looked at through aliases: each alias repeats what it stands for, and aliases of aliases do so without
/// end. What is beyond counts as unknown.
const MAX_BROUGHT: usize = 50_000;

/// The scalars of `text`, in their order, or `None` when it is no YAML (or nests too deep).
#[must_use]
pub fn leaves(text: &str) -> Option<Vec<Leaf>> {
    leaves_within(text, 0)
}

fn leaves_within(text: &str, embedding: usize) -> Option<Vec<Leaf>> {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let documents = parse(text.get(bom..)?, bom)?;
    let names = unique_names(documents.iter().map(document_name).collect());
    let mut walk = Walk {
        text,
        embedding,
        sure: true,
        names: Vec::new(),
        addresses: Some(0),
        brought: None,
        brought_nodes: 0,
        out: Vec::new(),
    };
    for (index, (document, name)) in documents.iter().zip(names).enumerate() {
        walk.names.clear();
        let prefix = match name {
            Some((name, whole)) => {
                walk.names.extend(whole);
                format!("{name}: ")
            }
            None if index > 0 => format!("document {index}: "),
            None => String::new(),
        };
        walk.sure = !prefix.starts_with("document ");
        walk.node(document, prefix, "", &Beside::default());
    }
    walk.addresses?;
    walk.out.extend(template_comments(text));
    Some(walk.out)
}

/// `Deployment/shop/web` for a Kubernetes object.
fn document_name(node: &Node) -> Option<String> {
    let kind = node.text_at("kind")?;
    let metadata = node.get("metadata")?;
    let name = metadata.text_at("name").or_else(|| metadata.text_at("generateName"))?;
    Some(
        metadata
            .text_at("namespace")
            .map_or_else(|| format!("{kind}/{name}"), |ns| format!("{kind}/{ns}/{name}")),
    )
}

/// By what a list item is found again when its place in the list has changed.
fn item_name(item: &Node) -> Option<String> {
    if let Node::Scalar { value, .. } = item.itself() {
        // `IMAGE=registry/app:1.2` is known by what is assigned.
        let assigned = value.split_once('=').filter(|(name, _)| !name.contains([' ', '/', '?']));
        return Some(match (assigned, tokens::image_parts(value)) {
            (Some((name, _)), _) => format!("{name}="),
            (None, Some((repository, _))) => repository.to_owned(),
            (None, None) => value.clone(),
        });
    }
    if let Some(name) = document_name(item) {
        return Some(name);
    }
    let named = |key: &&str| Some(format!("{key}={}", versionless(item.text_at(key)?)));
    ITEM_NAMES.iter().find_map(named).or_else(|| only_key(item))
}

/// The key of an item that says by it what it is, as generators and sources do (`- git: …`).
fn only_key(item: &Node) -> Option<String> {
    let Node::Map(entries) = item.itself() else { return None };
    match entries.as_slice() {
        [(key, node)] if matches!(node.itself(), Node::Map(_) | Node::List(_)) => Some(key.clone()),
        _ => None,
    }
}

/// An image reference without its tag; any other text as it is.
fn versionless(text: &str) -> &str {
    tokens::image_parts(text).map_or(text, |(repository, _)| repository)
}

/// A step of an address, and the whole name where the step leaves its version out.
type Name = (String, Option<String>);

/// Keeps the names that occur once: without their versions where that is enough to tell them apart, so that a name which
/// holds the version (`migrate-v1.2.3`) is still the same after a deployment.
fn unique_names(names: Vec<Option<String>>) -> Vec<Option<Name>> {
    let masked = once(names.iter().map(|name| name.as_deref().map(tokens::mask)).collect());
    let step = |(name, masked): (Option<String>, Option<String>)| match (name, masked) {
        (Some(name), Some(masked)) if masked == name => Some((name, None)),
        (Some(name), Some(masked)) => Some((masked, Some(name))),
        (name, None) => name.map(|name| (name, None)),
        (None, Some(_)) => None,
    };
    once(names).into_iter().zip(masked).map(step).collect()
}

fn once(names: Vec<Option<String>>) -> Vec<Option<String>> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in names.iter().flatten() {
        *counts.entry(name.clone()).or_default() += 1;
    }
    names.into_iter().map(|name| name.filter(|name| counts.get(name) == Some(&1))).collect()
}

struct Walk<'t> {
    text: &'t str,
    embedding: usize,
    sure: bool,
    /// The whole names of the steps that leave a version out.
    names: Vec<String>,
    /// The bytes of all addresses so far; `None` once there are too many.
    addresses: Option<usize>,
    /// The alias by which one came to where one is, and whether that brings a whole mapping or list.
    brought: Option<(Range<usize>, bool)>,
    /// How many nodes were looked at through aliases.
    brought_nodes: usize,
    out: Vec<Leaf>,
}

/// What a mapping says of the scalars in it.
#[derive(Default)]
struct Beside<'n> {
    /// The name of the entry, for a `value:`.
    named: Option<&'n str>,
    /// What versions in it are versions of: the keys and their texts.
    sources: Vec<(&'n str, &'n str)>,
}

impl<'n> Beside<'n> {
    /// `key` is that of the mapping: it names what is in it where nothing inside does.
    fn of(map: &'n Node, key: &'n str) -> Self {
        // In `versions: {key: v3}` it is the name of a service, and no name of an entry.
        let is_name = |text: &&str| tokens::mask(text) != "*";
        let named = ENTRY_NAMES.iter().find_map(|key| map.text_at(key).filter(is_name));
        let source = |source: &&'static str| {
            let is_other = |text: &&str| *source == "repository" && tokens::keeps_copies(key, text);
            Some((*source, versionless(map.text_at(source).filter(|text| !is_other(text))?)))
        };
        Self {
            named: named.or(Some(key).filter(|key| !key.is_empty())),
            sources: SOURCES.iter().filter_map(source).collect(),
        }
    }

    /// What a version under `key` is a version of.
    fn sources(&self, key: &str) -> impl Iterator<Item = &'n str> {
        self.sources.iter().filter(move |(source, _)| *source != key).map(|(_, text)| *text)
    }
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, address: String, key: &str, beside: &Beside<'_>) {
        let bytes = self.addresses.map(|bytes| bytes + address.len());
        self.addresses = bytes.filter(|bytes| *bytes <= MAX_ADDRESSES && address.len() <= MAX_ADDRESS);
        if self.addresses.is_none() {
            return;
        }
        if self.brought.is_some() {
            self.brought_nodes += 1;
            if self.brought_nodes > MAX_BROUGHT {
                return;
            }
        }
        match node {
            Node::Scalar { value, span, style } => {
                self.scalar(value, span, *style, address, key, beside);
            }
            Node::Map(entries) => {
                let beside = Beside::of(node, key);
                let merges = node.merges();
                for (entry_key, child) in entries {
                    if entry_key != MERGE || merges.is_empty() {
                        self.node(child, join(&address, entry_key), entry_key, &beside);
                    }
                }
                self.merged(entries, merges, &address, &beside);
            }
            Node::List(items) => self.list(items, &address, key),
            Node::Named(node) => self.node(node, address, key, beside),
            Node::Alias(at, node) => self.through((at, false), node, address, key, beside),
            Node::Other => {}
        }
    }

    /// What a mapping takes from others and does not say itself. Of several the first counts.
    fn merged(
        &mut self,
        own: &[(String, Node)],
        merges: Vec<(&Range<usize>, &Node)>,
        address: &str,
        beside: &Beside<'_>,
    ) {
        let mut said: HashSet<&str> = own.iter().map(|(key, _)| key.as_str()).collect();
        let mut left: Vec<(&Range<usize>, &Node)> = merges.into_iter().rev().collect();
        while let Some((at, taken)) = left.pop() {
            self.brought_nodes += 1;
            if self.brought_nodes > MAX_BROUGHT {
                return;
            }
            // What one of them takes itself comes by the same alias.
            left.extend(taken.merges().into_iter().rev().map(|(_, further)| (at, further)));
            let Node::Map(entries) = taken.itself() else { continue };
            for (key, child) in entries.iter().filter(|(key, _)| key != MERGE) {
                if said.insert(key) {
                    self.through((at, true), child, join(address, key), key, beside);
                }
            }
        }
    }

    /// Looks at a node by way of an alias. Of aliases within aliases the outermost counts: it is what stands in the text here.
    fn through(
        &mut self,
        (at, is_merge): (&Range<usize>, bool),
        node: &Node,
        address: String,
        key: &str,
        beside: &Beside<'_>,
    ) {
        let outer = self.brought.clone();
        let is_whole = is_merge || !matches!(node.itself(), Node::Scalar { .. });
        self.brought.get_or_insert_with(|| (at.clone(), is_whole));
        self.node(node, address, key, beside);
        self.brought = outer;
    }

    fn list(&mut self, items: &[Node], address: &str, key: &str) {
        let names = unique_names(items.iter().map(item_name).collect());
        for (index, (item, name)) in items.iter().zip(names).enumerate() {
            let (sure, depth) = (self.sure, self.names.len());
            self.sure &= name.is_some();
            // With the length, a place in a list that has grown is not taken for the one in the list before.
            let (step, whole) = name.unwrap_or_else(|| (format!("{index} of {}", items.len()), None));
            // What an item is a version of changes with it; what it is called does not.
            self.names.extend(whole.filter(|_| matches!(item.itself(), Node::Map(_))));
            self.node(item, format!("{address}[{step}]"), key, &Beside::default());
            self.sure = sure;
            self.names.truncate(depth);
        }
    }

    fn scalar(
        &mut self,
        value: &str,
        span: &Range<usize>,
        style: ScalarStyle,
        address: String,
        key: &str,
        beside: &Beside<'_>,
    ) {
        if let Some((at, whole)) = self.brought.clone() {
            let brought = Brought { from: span.clone(), whole };
            return self.leaf(value, at, address, (key, beside), None, Some(brought));
        }
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let span = if block { block_lines(self.text, span) } else { span.clone() };
        let source_text = self.text.get(span.clone()).unwrap_or("");
        if block && let Some(inner) = self.embedded(&span, &address) {
            self.out.extend(inner);
        } else if source_text.contains('\n') {
            let lines = outline::leaves(source_text);
            // One word is the value itself, whatever the lines around it. A number is left: elsewhere it would be no text.
            let is_word = |text: &str| {
                text.contains(char::is_alphabetic)
                    && !text.contains(char::is_whitespace)
                    && text == value.trim()
            };
            if let [word] = lines.as_slice()
                && block
                && word.key.is_empty()
                && is_word(&word.value)
            {
                let span = span.start + word.span.start..span.start + word.span.end;
                return self.leaf(&word.value, span, address, (key, beside), None, None);
            }
            self.out.extend(lines.into_iter().map(|leaf| leaf.within(&address, span.start, self.sure)));
        } else {
            let anchor = anchor_before(self.text, span.start);
            self.leaf(value, span, address, (key, beside), anchor, None);
        }
    }

    fn leaf(
        &mut self,
        value: &str,
        span: Range<usize>,
        address: String,
        (key, beside): (&str, &Beside<'_>),
        anchor: Option<usize>,
        brought: Option<Brought>,
    ) {
        let names = self.names.iter().map(String::as_str);
        let source: Vec<&str> = names.chain(beside.sources(key)).collect();
        self.out.push(Leaf {
            kind: LeafKind::Scalar,
            block: leaf::block(&address).len(),
            address,
            key: key.to_owned(),
            named: beside.named.map(str::to_owned),
            source: (!source.is_empty()).then(|| source.join(" ")),
            span,
            value: value.to_owned(),
            sure: self.sure,
            anchor,
            brought,
        });
    }

    /// The scalars of the YAML or JSON inside a block scalar: its raw lines, indented as they are, are YAML themselves.
    fn embedded(&self, span: &Range<usize>, address: &str) -> Option<Vec<Leaf>> {
        if self.embedding >= MAX_EMBEDDING {
            return None;
        }
        let inner = leaves_within(self.text.get(span.clone())?, self.embedding + 1)?;
        let structured = inner.iter().all(|leaf| !leaf.address.is_empty());
        (structured && !inner.is_empty())
            .then(|| inner.into_iter().map(|leaf| leaf.within(address, span.start, self.sure)).collect())
    }
}

/// Comments in which a template stands run like any other line of it.
fn template_comments(text: &str) -> impl Iterator<Item = Leaf> {
    let in_comment = |leaf: &Leaf| leaf.value.starts_with('#');
    let leaves = if text.contains("{{") { outline::leaves(text) } else { Vec::new() };
    leaves.into_iter().filter(in_comment).map(|leaf| Leaf { sure: false, ..leaf })
}

/// The whole lines of a block scalar's content: the parser's span begins after the first line's indent and ends within
/// the indent of the line that follows.
fn block_lines(text: &str, span: &Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let inside = text.get(start..span.end).unwrap_or("");
    let end =
        if span.end == text.len() { span.end } else { inside.rfind('\n').map_or(start, |at| start + at + 1) };
    start..end.max(start)
}

/// Where the `&name` begins that stands right before a scalar.
fn anchor_before(text: &str, scalar: usize) -> Option<usize> {
    let before = text.get(..scalar)?;
    let name = before.trim_end_matches([' ', '\t']);
    let start = name.rfind(|c: char| c.is_whitespace() || "[{,".contains(c)).map_or(0, |at| at + 1);
    (name.len() < before.len() && name.get(start..)?.starts_with('&')).then_some(start)
}

fn join(address: &str, key: &str) -> String {
    let is_first = address.is_empty() || address.ends_with(": ") || address.ends_with("> ");
    let (before, after) = match key.contains('.') {
        true => ("[", "]"),
        false if is_first || key.starts_with('[') => ("", ""),
        false => (".", ""),
    };
    [address, before, key, after].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String)> {
        let leaves = leaves(text).expect("is YAML");
        leaves.into_iter().map(|leaf| (leaf.address, text[leaf.span].to_owned())).collect()
    }

    fn pair(address: &str, text: &str) -> (String, String) {
        (address.to_owned(), text.to_owned())
    }

    #[test]
    fn scalars_are_found_with_their_bytes() {
        let text = "kind: Deployment\nmetadata: {name: web}\nspec:\n  containers:\n  - name: app\n    image: \"a/b:1\" # c\n";
        let found = found(text);
        assert!(
            found.contains(&pair("Deployment/web: spec.containers[name=app].image", "\"a/b:1\"")),
            "{found:?}"
        );
    }

    #[test]
    fn documents_and_items_have_names_that_do_not_depend_on_their_place() {
        let text =
            "images:\n- name: x\n  newTag: v1\n- name: y\n  newTag: v2\n---\nkind: A\nmetadata:\n  name: b\n";
        let found = found(text);
        assert!(found.contains(&pair("images[name=y].newTag", "v2")), "{found:?}");
        assert!(found.contains(&pair("A/b: kind", "A")), "{found:?}");
        let urls = "resources:\n- https://a/b?ref=v1.0\n- https://a/c?ref=v2.0\n";
        assert!(self::found(urls)[0].0.contains("https://a/b?ref="), "{urls}");
        let job = "kind: Job\nmetadata:\n  name: migrate-v1.2.3\n";
        assert_eq!(self::found(job)[0].0, "Job/migrate-*: kind");
    }

    #[test]
    fn yaml_and_json_inside_block_scalars_are_looked_into() {
        let text = "helm:\n  values: |\n    image:\n      tag: v1\n    more: x\n  next: 1\n";
        assert_eq!(found(text)[0], pair("helm.values > image.tag", "v1"));
        let json = "data:\n  c.json: |-\n    {\"image\": \"a:1\"}\n";
        assert_eq!(found(json)[0], pair("data[c.json] > image", "\"a:1\""));
        let text = "data:\n  script: |\n    echo hello: world: x\n    exit 1\n";
        assert_eq!(found(text)[1], pair("data.script > exit 1", "exit 1"));
    }

    #[test]
    fn what_is_no_yaml_is_none() {
        assert_eq!(leaves("a: b: c: ["), None);
        assert_eq!(leaves(&"[".repeat(100_000)), None);
    }

    proptest::proptest! {
        #[test]
        fn spans_are_always_inside_the_text(text in "[a-z:\\- \\n|>\"'{}\\[\\],&*#é]{0,80}") {
            for leaf in leaves(&text).unwrap_or_default() {
                proptest::prop_assert!(text.get(leaf.span.clone()).is_some());
            }
        }
    }
}
