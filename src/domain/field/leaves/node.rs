//! YAML as a tree: mappings, lists and scalars with their places in the text, and what the names in it stand for.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle};

/// How deep structures may nest.
const MAX_DEPTH: usize = 96;
/// The key of a mapping by which it takes what other mappings hold. Source: <https://yaml.org/type/merge.html>.
pub(super) const MERGE: &str = "<<";

/// A part of a document.
pub(super) enum Node {
    Scalar {
        value: String,
        span: Range<usize>,
        style: ScalarStyle,
    },
    Map(Vec<(String, Node)>),
    List(Vec<Node>),
    /// What has a name (`&name`).
    Named(Rc<Node>),
    /// `*name`, and what has that name.
    Alias(Range<usize>, Rc<Node>),
    Other,
}

/// Parses the text, and takes what only looks like YAML for none: templates whose braces read as mappings, and jsonnet
/// and the like, which read as one mapping in braces.
pub(super) fn parse(text: &str, offset: usize) -> Option<Vec<Node>> {
    let mut documents = Vec::new();
    let braces = text.trim_start().starts_with(['{', '[']);
    let mut builder =
        Builder { stack: Vec::new(), named: HashMap::new(), root: None, json_keys: braces, is_other: false };
    for next in Parser::new_from_str(text) {
        let (event, span) = next.ok()?;
        let range = || span.byte_range().map(|range| range.start + offset..range.end + offset);
        match event {
            Event::DocumentStart(..) => builder.root = None,
            Event::DocumentEnd => documents.push(builder.root.take().unwrap_or(Node::Other)),
            Event::Scalar(value, style, name, _) => {
                builder.add(Node::Scalar { value: value.into_owned(), span: range()?, style }, name);
            }
            Event::SequenceStart(_, name, _) => builder.open(Open::List(Vec::new()), name)?,
            Event::MappingStart(_, name, _) => builder.open(Open::Map(Vec::new(), None), name)?,
            Event::SequenceEnd | Event::MappingEnd => builder.close(),
            Event::Alias(name) => {
                let node = match builder.named.get(&name) {
                    Some(node) => Node::Alias(range()?, Rc::clone(node)),
                    // What is named is not complete yet: it holds itself.
                    None => Node::Other,
                };
                builder.add(node, 0);
            }
            Event::UnresolvedAlias(_) => builder.add(Node::Other, 0),
            Event::StreamStart | Event::StreamEnd | Event::Anchor(..) | _ => {}
        }
        if builder.is_other {
            return None;
        }
    }
    // An empty document is no text: a mark at the end of a file makes one, and so does a comment alone.
    let is_text = |document: &Node| match document {
        Node::Scalar { style: ScalarStyle::Plain, value, .. } => !matches!(value.as_str(), "" | "~" | "null"),
        Node::Scalar { .. } | Node::Map(_) | Node::List(_) => false,
        Node::Named(_) | Node::Alias(..) | Node::Other => false,
    };
    (!documents.iter().any(is_text)).then_some(documents)
}

enum Open {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

/// Puts events together to nodes, without recursion.
struct Builder {
    /// With the number of its name, or 0.
    stack: Vec<(Open, usize)>,
    /// What has a name, by the number of that.
    named: HashMap<usize, Rc<Node>>,
    root: Option<Node>,
    /// Whether keys have to be quoted, as in JSON.
    json_keys: bool,
    /// Whether something was seen that no environment file in YAML has.
    is_other: bool,
}

impl Builder {
    fn open(&mut self, open: Open, name: usize) -> Option<()> {
        self.stack.push((open, name));
        (self.stack.len() <= MAX_DEPTH).then_some(())
    }

    fn close(&mut self) {
        match self.stack.pop() {
            Some((Open::List(items), name)) => self.add(Node::List(items), name),
            Some((Open::Map(entries, _), name)) => self.add(Node::Map(entries), name),
            None => {}
        }
    }

    /// `name` is the number of its name, or 0.
    fn add(&mut self, node: Node, name: usize) {
        let is_key = matches!(self.stack.last(), Some((Open::Map(_, None), _)));
        let node = match name {
            0 => node,
            _ => {
                let node = Rc::new(node);
                self.named.insert(name, Rc::clone(&node));
                Node::Named(node)
            }
        };
        match self.stack.last_mut() {
            Some((Open::List(items), _)) => items.push(node),
            Some((Open::Map(entries, key), _)) if !is_key => {
                entries.push((key.take().unwrap_or_default(), node));
            }
            Some((Open::Map(_, key), _)) => match node.into_key() {
                Key::Text(value, style) => {
                    self.is_other |= self.json_keys && style != ScalarStyle::DoubleQuoted;
                    *key = Some(value);
                }
                Key::Structure => self.is_other = true,
                Key::Unknown => *key = Some("?".to_owned()),
            },
            None => self.root = Some(node),
        }
    }
}

/// What a node is as a key.
enum Key {
    Text(String, ScalarStyle),
    Structure,
    Unknown,
}

impl Node {
    fn into_key(self) -> Key {
        match self {
            Self::Scalar { value, style, .. } => Key::Text(value, style),
            Self::Map(_) | Self::List(_) => Key::Structure,
            Self::Named(node) | Self::Alias(_, node) => match &*node {
                Self::Scalar { value, style, .. } => Key::Text(value.clone(), *style),
                Self::Map(_) | Self::List(_) => Key::Structure,
                Self::Named(_) | Self::Alias(..) | Self::Other => Key::Unknown,
            },
            Self::Other => Key::Unknown,
        }
    }

    /// What it is without its name, or what its alias stands for.
    pub(super) fn itself(&self) -> &Node {
        match self {
            Self::Named(node) | Self::Alias(_, node) => node,
            Self::Scalar { .. } | Self::Map(_) | Self::List(_) | Self::Other => self,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match self.itself() {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            Self::Scalar { .. } | Self::List(_) | Self::Named(_) | Self::Alias(..) | Self::Other => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self.itself() {
            Self::Scalar { value, .. } if !value.is_empty() && value.len() <= 300 => Some(value),
            Self::Scalar { .. } | Self::Map(_) | Self::List(_) => None,
            Self::Named(_) | Self::Alias(..) | Self::Other => None,
        }
    }

    /// The aliases of the mappings that a mapping takes under [`MERGE`], in their order.
    pub(super) fn merges(&self) -> Vec<(&Range<usize>, &Node)> {
        let taken = match self.get(MERGE) {
            Some(one @ Self::Alias(..)) => std::slice::from_ref(one),
            Some(Self::List(several)) => several,
            _ => &[],
        };
        let mut merges = Vec::new();
        for node in taken {
            // A mapping that is written there is a merge too, and has no name by which another one could take its place.
            let Self::Alias(at, of) = node else { return Vec::new() };
            merges.push((at, of.as_ref()));
        }
        merges
    }

    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }
}
