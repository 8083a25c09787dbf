//! The scalars of a YAML file (and so of a JSON file) with their places in its bytes.
//!
//! A scalar is found again by its address: the document by kind and name, list items by a name or by what they are a
//! version of, and everything else by key. Block scalars that hold YAML or JSON themselves are looked into.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};

use super::super::tokens;
use super::super::vocabulary::{ENTRY_NAMES, ITEM_NAMES, SOURCES};
use super::leaf::{self, Leaf, LeafKind};
use super::outline;

/// The longest address, and all addresses of a file together, in bytes: what is longer is no environment file.
const MAX_ADDRESS: usize = 8 << 10;
const MAX_ADDRESSES: usize = 128 << 20;

/// How deep structures may nest, and how deep YAML may stand within block scalars of YAML.
const MAX_DEPTH: usize = 96;
const MAX_EMBEDDING: usize = 2;

enum Node {
    Scalar { value: String, span: Range<usize>, style: ScalarStyle },
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    Other,
}

/// The scalars of `text`, in their order, or `None` when it is no YAML (or nests too deep).
#[must_use]
pub fn leaves(text: &str) -> Option<Vec<Leaf>> {
    leaves_within(text, 0)
}

fn leaves_within(text: &str, embedding: usize) -> Option<Vec<Leaf>> {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let documents = parse(text.get(bom..)?, bom)?;
    let names = unique_names(documents.iter().map(document_name).collect());
    let mut walk =
        Walk { text, embedding, sure: true, names: Vec::new(), addresses: Some(0), out: Vec::new() };
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
        walk.node(document, &prefix, "", &Beside::default());
    }
    walk.addresses?;
    walk.out.extend(template_comments(text));
    Some(walk.out)
}

/// Parses the text, and takes what only looks like YAML for none: templates whose braces read as mappings, and jsonnet
/// and the like, which read as one mapping in braces.
fn parse(text: &str, offset: usize) -> Option<Vec<Node>> {
    let mut documents = Vec::new();
    let braces = text.trim_start().starts_with(['{', '[']);
    let mut builder = Builder { stack: Vec::new(), root: None, json_keys: braces, is_other: false };
    for next in Parser::new_from_str(text) {
        let (event, span) = next.ok()?;
        match event {
            Event::DocumentStart(..) => builder.root = None,
            Event::DocumentEnd => documents.push(builder.root.take().unwrap_or(Node::Other)),
            Event::Scalar(value, style, ..) => {
                let range = span.byte_range()?;
                let span = range.start + offset..range.end + offset;
                builder.add(Node::Scalar { value: value.into_owned(), span, style });
            }
            Event::SequenceStart(..) => builder.open(Open::List(Vec::new()))?,
            Event::MappingStart(..) => builder.open(Open::Map(Vec::new(), None))?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(),
            Event::Alias(_) | Event::UnresolvedAlias(_) => builder.add(Node::Other),
            Event::StreamStart | Event::StreamEnd | Event::Anchor(..) | _ => {}
        }
        if builder.is_other {
            return None;
        }
    }
    let one_text = |document: &Node| matches!(document, Node::Scalar { style: ScalarStyle::Plain, .. });
    (!documents.iter().any(one_text)).then_some(documents)
}

enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

/// Puts events together to nodes, without recursion.
struct Builder {
    stack: Vec<Open>,
    root: Option<Node>,
    /// Whether keys have to be quoted, as in JSON.
    json_keys: bool,
    /// Whether something was seen that no environment file in YAML has.
    is_other: bool,
}

impl Builder {
    fn open(&mut self, open: Open) -> Option<()> {
        self.stack.push(open);
        (self.stack.len() <= MAX_DEPTH).then_some(())
    }

    fn close(&mut self) {
        match self.stack.pop() {
            Some(Open::List(items)) => self.add(Node::List(items)),
            Some(Open::Map(entries, _)) => self.add(Node::Map(entries)),
            None => {}
        }
    }

    fn add(&mut self, node: Node) {
        match self.stack.last_mut() {
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map(entries, key)) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => match node {
                    Node::Scalar { value, style, .. } => {
                        self.is_other |= self.json_keys && style != ScalarStyle::DoubleQuoted;
                        *key = Some(value);
                    }
                    Node::Map(_) | Node::List(_) => self.is_other = true,
                    Node::Other => *key = Some("?".to_owned()),
                },
            },
            None => self.root = Some(node),
        }
    }
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            Self::Scalar { .. } | Self::List(_) | Self::Other => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar { value, .. } if !value.is_empty() && value.len() <= 300 => Some(value),
            Self::Scalar { .. } | Self::Map(_) | Self::List(_) | Self::Other => None,
        }
    }

    fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }
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
    if let Node::Scalar { value, .. } = item {
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
    match item {
        Node::Map(entries) => match entries.as_slice() {
            [(key, Node::Map(_) | Node::List(_))] => Some(key.clone()),
            _ => None,
        },
        Node::Scalar { .. } | Node::List(_) | Node::Other => None,
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
        let named = ENTRY_NAMES.iter().find_map(|key| map.text_at(key));
        let source = |key: &&'static str| Some((*key, versionless(map.text_at(key)?)));
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
    fn node(&mut self, node: &Node, address: &str, key: &str, beside: &Beside<'_>) {
        let bytes = self.addresses.map(|bytes| bytes + address.len());
        self.addresses = bytes.filter(|bytes| *bytes <= MAX_ADDRESSES && address.len() <= MAX_ADDRESS);
        if self.addresses.is_none() {
            return;
        }
        match node {
            Node::Scalar { value, span, style } => {
                self.scalar(value, span, *style, address, key, beside);
            }
            Node::Map(entries) => {
                let beside = Beside::of(node, key);
                for (entry_key, child) in entries {
                    self.node(child, &join(address, entry_key), entry_key, &beside);
                }
            }
            Node::List(items) => self.list(items, address, key),
            Node::Other => {}
        }
    }

    fn list(&mut self, items: &[Node], address: &str, key: &str) {
        let names = unique_names(items.iter().map(item_name).collect());
        for (index, (item, name)) in items.iter().zip(names).enumerate() {
            let (sure, depth) = (self.sure, self.names.len());
            self.sure &= name.is_some();
            // With the length, a place in a list that has grown is not taken for the one in the list before.
            let (step, whole) = name.unwrap_or_else(|| (format!("{index} of {}", items.len()), None));
            // What an item is a version of changes with it; what it is called does not.
            self.names.extend(whole.filter(|_| matches!(item, Node::Map(_))));
            self.node(item, &format!("{address}[{step}]"), key, &Beside::default());
            self.sure = sure;
            self.names.truncate(depth);
        }
    }

    fn scalar(
        &mut self,
        value: &str,
        span: &Range<usize>,
        style: ScalarStyle,
        address: &str,
        key: &str,
        beside: &Beside<'_>,
    ) {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let span = if block { block_lines(self.text, span) } else { span.clone() };
        let source_text = self.text.get(span.clone()).unwrap_or("");
        if block && let Some(inner) = self.embedded(&span, address) {
            self.out.extend(inner);
        } else if source_text.contains('\n') {
            let lines = outline::leaves(source_text).into_iter();
            self.out.extend(lines.map(|leaf| leaf.within(address, span.start, self.sure)));
        } else {
            let names = self.names.iter().map(String::as_str);
            let source: Vec<&str> = names.chain(beside.sources(key)).collect();
            self.out.push(Leaf {
                kind: LeafKind::Scalar,
                block: leaf::block(address).len(),
                address: address.to_owned(),
                key: key.to_owned(),
                named: beside.named.map(str::to_owned),
                source: (!source.is_empty()).then(|| source.join(" ")),
                span,
                value: value.to_owned(),
                sure: self.sure,
            });
        }
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

fn join(address: &str, key: &str) -> String {
    let key = if key.contains('.') { format!("[{key}]") } else { key.to_owned() };
    if address.is_empty() || address.ends_with(": ") || address.ends_with("> ") || key.starts_with('[') {
        format!("{address}{key}")
    } else {
        format!("{address}.{key}")
    }
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
