//! The scalars of a YAML file (and so of a JSON file) with their places in its bytes.
//!
//! A scalar is found again by its address: the document by kind and name, list items by a name or by what they are a
//! version of, and everything else by key. Block scalars that hold YAML or JSON themselves are looked into.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};

use super::rules;

/// A scalar value and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it is in the structure, for people and for finding it again.
    pub address: String,
    /// The key that it stands under (that of the list for a list's items); empty at the top.
    pub key: String,
    /// The value of `name:` beside it.
    pub named: Option<String>,
    /// Its bytes in the file, quotes included.
    pub span: Range<usize>,
    /// Its value, unquoted.
    pub value: String,
    /// Whether a part of the address is a mere place in a list, which says nothing once the list has changed.
    pub by_index: bool,
}

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
    let mut walk = Walk { text, embedding, by_index: false, out: Vec::new() };
    for (index, (document, name)) in documents.iter().zip(names).enumerate() {
        let prefix = match name {
            Some(name) => format!("{name}: "),
            None if index > 0 => format!("document {index}: "),
            None => String::new(),
        };
        walk.node(document, &prefix, "", None);
    }
    Some(walk.out)
}

fn parse(text: &str, offset: usize) -> Option<Vec<Node>> {
    let mut documents = Vec::new();
    let mut builder = Builder { stack: Vec::new(), root: None };
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
    }
    Some(documents)
}

enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

/// Puts events together to nodes, without recursion.
struct Builder {
    stack: Vec<Open>,
    root: Option<Node>,
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
                None => {
                    *key = Some(match node {
                        Node::Scalar { value, .. } => value,
                        Node::Map(_) | Node::List(_) | Node::Other => "?".to_owned(),
                    });
                }
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
        return Some(
            rules::image_parts(value)
                .map_or_else(|| rules::mask(value), |(repository, _)| repository.to_owned()),
        );
    }
    if let Some(name) = document_name(item) {
        return Some(name);
    }
    let version_free = |key: &str| {
        let text = item.text_at(key)?;
        // A name is what it is; what holds a version is known by the rest of it.
        let versioned = matches!(key, "image" | "url" | "repoURL" | "chart" | "repository");
        let repository = || rules::image_parts(text).map(|(repository, _)| repository.to_owned());
        let name =
            if versioned { repository().unwrap_or_else(|| rules::mask(text)) } else { text.to_owned() };
        Some(format!("{key}={name}"))
    };
    let keys = [
        "name",
        "id",
        "key",
        "releaseName",
        "chart",
        "repository",
        "repoURL",
        "url",
        "image",
        "path",
        "env",
        "cluster",
    ];
    keys.into_iter().find_map(version_free)
}

/// Keeps the names that occur once.
fn unique_names(names: Vec<Option<String>>) -> Vec<Option<String>> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names.iter().flatten() {
        *counts.entry(name.clone()).or_default() += 1;
    }
    names.into_iter().map(|name| name.filter(|name| counts.get(name) == Some(&1))).collect()
}

struct Walk<'t> {
    text: &'t str,
    embedding: usize,
    by_index: bool,
    out: Vec<Leaf>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, address: &str, key: &str, named: Option<&str>) {
        match node {
            Node::Scalar { value, span, style } => self.scalar(value, span, *style, address, key, named),
            Node::Map(entries) => {
                let named = node.text_at("name");
                for (entry_key, child) in entries {
                    self.node(child, &join(address, entry_key), entry_key, named);
                }
            }
            Node::List(items) => {
                let names = unique_names(items.iter().map(item_name).collect());
                for (index, (item, name)) in items.iter().zip(names).enumerate() {
                    let before = self.by_index;
                    self.by_index |= name.is_none();
                    let step = name
                        .map_or_else(|| format!("{address}[{index}]"), |name| format!("{address}[{name}]"));
                    self.node(item, &step, key, None);
                    self.by_index = before;
                }
            }
            Node::Other => {}
        }
    }

    fn scalar(
        &mut self,
        value: &str,
        span: &Range<usize>,
        style: ScalarStyle,
        address: &str,
        key: &str,
        named: Option<&str>,
    ) {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let span = if block { block_lines(self.text, span) } else { span.clone() };
        if span.is_empty() {
            return;
        }
        if block && let Some(inner) = self.embedded(&span, address) {
            self.out.extend(inner);
            return;
        }
        let (address, key) = (address.to_owned(), key.to_owned());
        self.out.push(Leaf {
            address,
            key,
            named: named.map(str::to_owned),
            span,
            value: value.to_owned(),
            by_index: self.by_index,
        });
    }

    /// The scalars of the YAML or JSON inside a block scalar: its raw lines, indented as they are, are YAML themselves.
    fn embedded(&self, span: &Range<usize>, address: &str) -> Option<Vec<Leaf>> {
        if self.embedding >= MAX_EMBEDDING {
            return None;
        }
        let inner = leaves_within(self.text.get(span.clone())?, self.embedding + 1)?;
        let structured = inner.iter().all(|leaf| !leaf.address.is_empty());
        (structured && !inner.is_empty()).then(|| {
            let place = |leaf: Leaf| Leaf {
                address: format!("{address} > {}", leaf.address),
                span: leaf.span.start + span.start..leaf.span.end + span.start,
                by_index: leaf.by_index || self.by_index,
                ..leaf
            };
            inner.into_iter().map(place).collect()
        })
    }
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
    }

    #[test]
    fn yaml_and_json_inside_block_scalars_are_looked_into() {
        let text = "helm:\n  values: |\n    image:\n      tag: v1\n    more: x\n  next: 1\n";
        assert_eq!(found(text)[0], pair("helm.values > image.tag", "v1"));
        let json = "data:\n  c.json: |-\n    {\"image\": \"a:1\"}\n";
        assert_eq!(found(json)[0], pair("data[c.json] > image", "\"a:1\""));
        let text = "data:\n  script: |\n    echo hello: world: x\n    exit 1\n";
        assert_eq!(found(text)[0].1, "    echo hello: world: x\n    exit 1\n");
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
