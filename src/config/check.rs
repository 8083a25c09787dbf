//! Holds a tree against the JSON schema and collects every mistake, each with its place.
//!
//! It knows the part of JSON Schema that schemars writes for [`super::types`]: `$ref`, `type`, `properties`,
//! `required`, `additionalProperties`, `minProperties`, `items`, `minItems`, `enum`, `const`, `oneOf`, `anyOf`,
//! `minimum`, `maximum`, `minLength` and `pattern`; and two annotations: `errorMessage` says what to write instead, and
//! `writeOnly` marks secrets, which are never shown.

use serde_json::Value as Json;

use super::report::{Findings, Place, suggestion};
use super::tree::{Entry, Node, Value};
use crate::domain::text::one_line;

/// Holds `root` against `schema`.
pub(super) fn check(root: &Node, schema: &Json, findings: &mut Findings) {
    let mut checker = Checker { schema, findings };
    checker.node(root, schema, root.place);
}

struct Checker<'a> {
    schema: &'a Json,
    findings: &'a mut Findings,
}

impl<'a> Checker<'a> {
    fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        while let Some(reference) = text(schema, "$ref") {
            match reference.strip_prefix('#').and_then(|pointer| self.schema.pointer(pointer)) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    /// Whether one of the object's own properties is a secret.
    fn has_secrets(&self, schema: &'a Json) -> bool {
        let secret = |schema: &'a Json| {
            let any_of = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
            any_of.chain([schema]).any(|s| self.resolve(s).get("writeOnly").is_some())
        };
        schema.get("properties").and_then(Json::as_object).is_some_and(|all| all.values().any(secret))
    }

    /// `at` is where a mistake is shown that is about the node as a whole: its key, or itself.
    fn node(&mut self, node: &Node, schema: &'a Json, at: Place) {
        let schema = self.resolve(schema);
        let mut alternatives: Vec<&'a Json> = ["oneOf", "anyOf"]
            .iter()
            .filter_map(|key| schema.get(*key)?.as_array())
            .flatten()
            .map(|alternative| self.resolve(alternative))
            .collect();
        let nullable = alternatives.iter().any(|s| text(s, "type") == Some("null"));
        if nullable && matches!(node.value, Value::Null) {
            return;
        }
        alternatives.retain(|s| text(s, "type") != Some("null"));
        match alternatives.as_slice() {
            [] => self.plain(node, schema, at),
            [only] => self.node(node, only, at),
            _ => self.choose(node, schema, &alternatives, at),
        }
    }

    /// One of several alternatives: the one that the node seems to want is held against it.
    fn choose(&mut self, node: &Node, schema: &'a Json, alternatives: &[&'a Json], at: Place) {
        let constants: Vec<&str> = alternatives.iter().flat_map(|s| allowed(s)).collect();
        if constants.len() >= alternatives.len() {
            return self.one_of(node, &constants);
        }
        let kinds: Vec<(&str, &'a Json)> =
            alternatives.iter().filter_map(|s| Some((kind_of(s)?, *s))).collect();
        if kinds.len() == alternatives.len() {
            return self.kind(node, &kinds, at);
        }
        let fits = |s: &&'a Json| {
            let names = required(s);
            let nested = s.get("oneOf").is_some();
            (!nested || matches!(node.value, Value::Map(_)))
                && has_type(&node.value, s)
                && names.iter().all(|name| node.get(name).is_some())
        };
        match alternatives.iter().find(|s| fits(s)) {
            Some(fitting) => self.node(node, fitting, at),
            None => self.mismatch(node, schema, alternatives),
        }
    }

    fn mismatch(&mut self, node: &Node, schema: &Json, alternatives: &[&Json]) {
        if schema.get("writeOnly").is_some() || alternatives.iter().any(|s| s.get("writeOnly").is_some()) {
            self.findings.hide(node.place);
        }
        let expected: Vec<&str> = alternatives.iter().flat_map(|s| types(s)).map(in_words).collect();
        let plain = matches!(node.value, Value::Number(_) | Value::Bool(_));
        let quotes = if plain && expected.contains(&"text") { "; put it into quotes" } else { "" };
        let message = text(schema, "errorMessage").map_or_else(
            || format!("expected {}, found {}{quotes}", expected.join(" or "), describe(&node.value)),
            str::to_owned,
        );
        self.findings.add(node.place, message);
    }

    fn one_of(&mut self, node: &Node, constants: &[&str]) {
        match &node.value {
            Value::Text(value) if constants.contains(&value.as_str()) => {}
            Value::Text(value) => {
                let message =
                    format!("`{}` is not known here: {}", shown(value), suggestion(value, constants));
                self.findings.add(node.place, message);
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Map(_)) => {
                let message = format!("{}, found {}", suggestion("", constants), describe(other));
                self.findings.add(node.place, message);
            }
        }
    }

    /// Objects that tell each other apart by `kind`.
    fn kind(&mut self, node: &Node, kinds: &[(&str, &'a Json)], at: Place) {
        let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
        let kind = node.get("kind");
        let name = kind.and_then(|kind| if let Value::Text(name) = &kind.value { Some(name) } else { None });
        if let Some((_, schema)) = kinds.iter().find(|(known, _)| name.is_some_and(|name| name == known)) {
            return self.plain(node, schema, at);
        }
        if kinds.iter().any(|(_, schema)| self.has_secrets(schema)) {
            self.findings.hide(node.place); // Nobody knows which key holds one.
        }
        let (place, message) = match (&node.value, kind, name) {
            (Value::Map(_), Some(kind), Some(name)) => {
                (kind.place, format!("there is no kind `{}`: {}", shown(name), suggestion(name, &names)))
            }
            (Value::Map(_), Some(kind), None) => {
                let found = describe(&kind.value);
                (kind.place, format!("expected a kind, found {found}: {}", suggestion("", &names)))
            }
            (Value::Map(_), None, _) => (at, format!("`kind` is missing: {}", suggestion("", &names))),
            (other, ..) => (node.place, format!("expected a map with a `kind`, found {}", describe(other))),
        };
        self.findings.add(place, message);
    }

    /// A schema without alternatives.
    fn plain(&mut self, node: &Node, schema: &'a Json, at: Place) {
        if !has_type(&node.value, schema) {
            return self.wrong_type(node, schema, at);
        }
        let constants = allowed(schema);
        if !constants.is_empty() {
            return self.one_of(node, &constants);
        }
        match &node.value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.number(node, schema, number.as_f64().unwrap_or(f64::NAN)),
            Value::Text(value) => self.text(node, schema, value),
            Value::List(items) => {
                if items.is_empty() && schema.get("minItems").is_some() {
                    self.findings.add(at, "the list must not be empty");
                }
                if let Some(schema) = schema.get("items") {
                    items.iter().for_each(|item| self.node(item, schema, item.place));
                }
            }
            Value::Map(entries) => self.map(entries, schema, at),
        }
    }

    fn wrong_type(&mut self, node: &Node, schema: &Json, at: Place) {
        let expected: Vec<&str> = types(schema).into_iter().filter(|t| *t != "null").map(in_words).collect();
        let expected = expected.join(" or ");
        let found = describe(&node.value);
        let hint = match (&node.value, text(schema, "errorMessage")) {
            (_, Some(message)) => format!("; {message}"),
            (Value::Number(_) | Value::Bool(_), None) if types(schema).contains(&"string") => {
                "; put it into quotes".to_owned()
            }
            _ => String::new(),
        };
        let place = if matches!(node.value, Value::Null) { at } else { node.place };
        self.findings.add(place, format!("expected {expected}, found {found}{hint}"));
    }

    fn number(&mut self, node: &Node, schema: &Json, number: f64) {
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let whole = types(schema).contains(&"integer");
        if bound("minimum").is_some_and(|min| number < min) {
            let min = bound("minimum").unwrap_or_default();
            self.findings.add(node.place, format!("{number} is too small: at least {min}"));
        } else if bound("maximum").is_some_and(|max| number > max) || (whole && number > f64::from(u32::MAX))
        {
            self.findings.add(node.place, format!("{number} is too large"));
        }
    }

    fn text(&mut self, node: &Node, schema: &Json, value: &str) {
        if value.is_empty() && schema.get("minLength").is_some() {
            let hint = text(schema, "errorMessage").map_or_else(String::new, |hint| format!(": {hint}"));
            return self.findings.add(node.place, format!("must not be empty{hint}"));
        }
        let Some(pattern) = text(schema, "pattern") else { return };
        let matches = regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(value));
        if !matches {
            let hint = text(schema, "errorMessage").unwrap_or("it has not the form that is needed here");
            self.findings.add(node.place, format!("cannot read `{}`: {hint}", shown(value)));
        }
    }

    fn map(&mut self, entries: &[Entry], schema: &'a Json, at: Place) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others = schema.get("additionalProperties");
        let known: Vec<&str> = properties.iter().flat_map(|p| p.keys().map(String::as_str)).collect();
        if entries.is_empty() && schema.get("minProperties").is_some() {
            self.findings.add(at, "the map must not be empty");
        }
        let secrets = self.has_secrets(schema);
        for entry in entries {
            if let Some(schema) = properties.and_then(|p| p.get(&entry.key)) {
                self.node(&entry.node, schema, entry.key_place);
            } else if others == Some(&Json::Bool(false)) {
                if secrets {
                    self.findings.hide(entry.node.place); // Perhaps a secret under a misspelt key.
                }
                let missing: Vec<&str> =
                    known.iter().copied().filter(|k| !entries.iter().any(|e| e.key == *k)).collect();
                let message =
                    format!("unknown key `{}`: {}", shown(&entry.key), suggestion(&entry.key, &missing));
                self.findings.add(entry.key_place, message);
            } else if let Some(schema) = others.filter(|o| o.is_object()) {
                self.node(&entry.node, schema, entry.key_place);
            }
        }
        for name in required(schema) {
            if !entries.iter().any(|entry| entry.key == name) {
                self.findings.add(at, format!("`{name}` is missing"));
            }
        }
    }
}

fn text<'j>(schema: &'j Json, key: &str) -> Option<&'j str> {
    schema.get(key)?.as_str()
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn required(schema: &Json) -> Vec<&str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

/// The texts that the schema allows, where it lists them.
fn allowed(schema: &Json) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
    listed.chain(schema.get("const")).filter_map(Json::as_str).collect()
}

fn kind_of(schema: &Json) -> Option<&str> {
    schema.pointer("/properties/kind/const")?.as_str()
}

fn has_type(value: &Value, schema: &Json) -> bool {
    let types = types(schema);
    let whole = |n: &serde_json::Number| n.as_f64().is_some_and(|f| f.fract().abs() < f64::EPSILON);
    types.is_empty()
        || types.iter().any(|t| match value {
            Value::Null => *t == "null",
            Value::Bool(_) => *t == "boolean",
            Value::Number(number) => *t == "number" || (*t == "integer" && whole(number)),
            Value::Text(_) => *t == "string",
            Value::List(_) => *t == "array",
            Value::Map(_) => *t == "object",
        })
}

fn in_words(name: &str) -> &str {
    match name {
        "object" => "a map",
        "array" => "a list",
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        other => other,
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::Text(_) => "text".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    }
}

/// Text as it may stand in a message: short, on one line.
fn shown(text: &str) -> String {
    one_line(text, 60)
}
