//! YAML as a small tree in which every node knows where it stands.
//!
//! It takes what a configuration needs: one document, plain types, no aliases and no tags, every key once. The depth
//! and the size are bounded, so that no text can make it slow or large.

use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value as Json};

use super::report::{Findings, Place};

/// The deepest nesting; a configuration needs seven levels.
const MAX_DEPTH: usize = 32;
/// The most values in one file.
const MAX_NODES: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value, typed as YAML's core schema does.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Node {
    /// The entries; none where this is no map.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The items; none where this is no list.
    pub(super) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Where the value of `key` stands, or else this one.
    pub(super) fn place_of(&self, key: &str) -> Place {
        self.get(key).map_or(self.place, |node| node.place)
    }

    /// Where the value at a path of keys stands, or else the last key on the way to it.
    pub(super) fn place_at(&self, path: &[&str]) -> Place {
        let (mut node, mut place) = (self, self.place);
        for key in path {
            // A list has its items by their number.
            if let Some(item) = key.parse().ok().and_then(|index: usize| node.items().get(index)) {
                (node, place) = (item, item.place);
                continue;
            }
            let Some(entry) = node.entry(key) else { return place };
            (node, place) = (&entry.node, entry.key_place);
        }
        if matches!(node.value, Value::Map(_)) { place } else { node.place }
    }

    /// The same without places.
    pub(super) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

/// A collection whose end has not been read yet.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<(String, Place)>,
}

/// Reads one document. An empty one is null.
///
/// Mistakes go to `findings`; without a tree there is no sense in looking for more.
pub(super) fn parse(text: &str, file: usize, findings: &mut Findings) -> Option<Node> {
    let place = |span: Span| {
        let end = span.end.byte_offset().unwrap_or(0).min(text.len());
        Place { file, start: span.start.byte_offset().unwrap_or(0).min(end), end }
    };
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder { open: Vec::new(), root: None, nodes: 0, findings };
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((event, span)) => builder.take(event, place(span)),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
                Err((Place { file, start: at, end: at }, format!("not valid YAML: {}", error.info())))
            }
        };
        if let Err((place, message)) = step {
            builder.findings.add(place, message);
            return None;
        }
    }
    let empty = Node { value: Value::Null, place: Place { file, start: 0, end: 0 } };
    Some(builder.root.unwrap_or(empty))
}

struct Builder<'f> {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    findings: &'f mut Findings,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), (Place, String)> {
        let refuse = |message: &str| Err((place, message.to_owned()));
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return refuse("too many values for a configuration");
        }
        let tagged = event.tag().is_some();
        match event {
            _ if tagged => refuse("tags are not supported here: write the plain value"),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                refuse("aliases are not supported here: write the value out, or put it into a policy")
            }
            Event::Scalar(text, style, ..) => {
                self.put(Node { value: scalar(&text, style), place });
                Ok(())
            }
            Event::SequenceStart(..) => self.start(Value::List(Vec::new()), place),
            Event::MappingStart(..) => self.start(Value::Map(Vec::new()), place),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut done) = self.open.pop() {
                    done.node.place.end = done.node.place.end.max(place.start);
                    self.put(done.node);
                }
                Ok(())
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                refuse("a second document: write each into a file of its own")
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | _ => Ok(()),
        }
    }

    fn start(&mut self, value: Value, place: Place) -> Result<(), (Place, String)> {
        if self.open.len() >= MAX_DEPTH {
            return Err((place, "nested too deeply for a configuration".to_owned()));
        }
        self.open.push(Open { node: Node { value, place }, key: None });
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.value {
            Value::List(items) => items.push(node),
            Value::Map(entries) => match open.key.take() {
                Some((key, key_place)) => entries.push(Entry { key, key_place, node }),
                None => {
                    let key = match node.value {
                        Value::Text(text) => text,
                        Value::Number(number) => number.to_string(),
                        Value::Bool(flag) => flag.to_string(),
                        Value::Null | Value::List(_) | Value::Map(_) => {
                            self.findings.add(node.place, "a key must be text");
                            String::new()
                        }
                    };
                    if entries.iter().any(|entry| entry.key == key) {
                        self.findings.add(node.place, format!("the key `{key}` stands here twice"));
                    }
                    open.key = Some((key, node.place));
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }
}

/// The value of a scalar: quoted and block scalars are text, plain ones what YAML 1.2's core schema says.
/// Source: <https://yaml.org/spec/1.2.2/#103-core-schema>.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if !matches!(style, ScalarStyle::Plain) {
        return Value::Text(text.to_owned());
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if !numeric => Value::Text(text.to_owned()),
        _ => {
            let whole = unsigned.parse::<i64>().ok().map(Number::from);
            let real = || unsigned.parse::<f64>().ok().and_then(Number::from_f64);
            whole.or_else(real).map_or_else(|| Value::Text(text.to_owned()), Value::Number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Json, usize> {
        let mut findings = Findings::default();
        let node = parse(text, 0, &mut findings);
        node.filter(|_| findings.is_empty()).map(|n| n.to_json()).ok_or(0)
    }

    #[test]
    fn scalars_have_the_types_of_yaml() {
        let json =
            read("{a: 1, b: 1.5, c: true, d: '1', e: ~, f: 5%, g: [x, 2], h: 1h30m, i: -2, j: .inf, k: no}");
        let expected = serde_json::json!({
            "a": 1, "b": 1.5, "c": true, "d": "1", "e": null, "f": "5%", "g": ["x", 2], "h": "1h30m", "i": -2,
            "j": ".inf", "k": "no",
        });
        assert_eq!(json, Ok(expected));
        assert_eq!(read(""), Ok(Json::Null));
    }

    #[test]
    fn what_a_configuration_does_not_need_is_refused() {
        let deep = "[".repeat(100);
        for bad in [
            "a: 1\na: 2",
            "a: &x 1\nb: *x",
            "a: !!str 1",
            "a: 1\n---\nb: 2",
            "? [a]\n: b",
            "a: [",
            &deep,
            "a: b: c",
        ] {
            read(bad).unwrap_err();
        }
    }

    /// The YAML blocks of the documentation and the configurations of the examples, by where they stand.
    fn documented() -> Vec<(String, String)> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let page = std::fs::read_to_string(root.join("docs/configuration.md")).unwrap();
        for (nth, block) in page.split("```yaml\n").skip(1).enumerate() {
            let text = block.split("```").next().unwrap().to_owned();
            found.push((format!("docs/configuration.md, block {}", nth + 1), text));
        }
        for entry in std::fs::read_dir(root.join("examples")).unwrap() {
            let path = entry.unwrap().path().join("backout.yaml");
            if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path.display().to_string(), text));
            }
        }
        found
    }

    /// serde-saphyr, the maintained successor of serde_yaml, is a second opinion.
    #[test]
    fn documented_configurations_are_read_as_another_reader_does() {
        let documented = documented();
        assert!(documented.len() >= 8, "{documented:?}");
        for (place, text) in documented {
            let other: Json = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{place}: {e}"));
            assert_eq!(read(&text), Ok(other), "{place}");
        }
    }
}
