//! Schemas of OpenAPI 3.0 and Swagger 2.0 as JSON Schema, and closed: an object may have the properties that are
//! declared and no others, unless `additionalProperties` says so.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

use super::shorten;

/// The language of a description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenApi30,
    Swagger20,
}

/// The keywords that mean the same in JSON Schema.
const SAME: [&str; 15] = [
    "type",
    "enum",
    "required",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "const",
];

/// The formats that are checked. The others are a forge's own, or ones that its own answers do not keep to.
const FORMATS: [&str; 4] = ["date-time", "date", "uri", "uuid"];

/// What a reference such as `#/components/schemas/issue` points at.
fn pointed_at<'d>(description: &'d Value, reference: &str) -> &'d Value {
    let pointer = reference.strip_prefix('#').expect("references are local");
    description.pointer(pointer).unwrap_or_else(|| panic!("the description has no {reference}"))
}

/// What a value stands for, if it is a reference.
pub(super) fn resolve<'d>(description: &'d Value, value: &'d Value) -> &'d Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => resolve(description, pointed_at(description, reference)),
        None => value,
    }
}

/// A schema of a description as a JSON schema that stands alone: with the schemas that it refers to, and no others.
///
/// In an answer in Swagger 2.0, which has no word for it, each property that is not required may be null: that is how
/// Go writes what is not set.
pub(super) fn json_schema(description: &Value, dialect: Dialect, schema: &Value, answer: bool) -> Value {
    let nulls = answer && dialect == Dialect::Swagger20;
    let mut translation = Translation { nulls, references: Vec::new() };
    let root = translation.schema(schema, false);
    let mut definitions = Map::new();
    let mut next = 0;
    while let Some((reference, open)) = translation.references.get(next).cloned() {
        let definition = translation.schema(pointed_at(description, &reference), open);
        definitions.insert(next.to_string(), definition);
        next += 1;
    }
    json!({"allOf": [root], "$defs": definitions})
}

struct Translation {
    nulls: bool,
    /// The references that were met, each with whether it is left open.
    references: Vec<(String, bool)>,
}

impl Translation {
    /// Translates a schema. One that is left open says nothing of properties that it does not declare: it is a part
    /// of another, which does.
    fn schema(&mut self, schema: &Value, open: bool) -> Value {
        let Some(schema) = schema.as_object() else { return schema.clone() };
        let mut translated = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => Map::from_iter([("$ref".to_owned(), self.reference(reference, open))]),
            None => self.object(schema, open),
        };
        if schema.get("nullable") != Some(&Value::Bool(true)) {
            return Value::Object(translated);
        }
        if let Some(Value::Array(values)) = translated.get_mut("enum") {
            values.push(Value::Null);
        }
        let simple = ["$ref", "allOf", "anyOf"].iter().all(|key| !translated.contains_key(*key));
        match translated.get_mut("type") {
            Some(kind) if simple => {
                *kind = json!([kind, "null"]);
                Value::Object(translated)
            }
            None if simple => Value::Object(translated),
            _ => json!({"anyOf": [translated, {"type": "null"}]}),
        }
    }

    fn reference(&mut self, reference: &str, open: bool) -> Value {
        let wanted = (reference.to_owned(), open);
        let known = self.references.iter().position(|known| *known == wanted);
        let index = known.unwrap_or_else(|| {
            self.references.push(wanted);
            self.references.len() - 1
        });
        format!("#/$defs/{index}").into()
    }

    fn object(&mut self, schema: &Map<String, Value>, open: bool) -> Map<String, Value> {
        let has_properties = schema.contains_key("properties");
        let combined = ["allOf", "anyOf", "oneOf"].iter().any(|key| schema.contains_key(*key));
        // The parts of an object are closed together, alternatives each by itself.
        let together = open || has_properties || schema.contains_key("allOf");
        let mut translated = Map::new();
        for (key, value) in schema {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    let properties = self.properties(properties, schema.get("required"));
                    translated.insert(key.clone(), properties);
                }
                ("items" | "additionalProperties", Value::Object(_)) => {
                    translated.insert(key.clone(), self.schema(value, false));
                }
                ("additionalProperties", Value::Bool(_)) if !open => {
                    translated.insert(key.clone(), value.clone());
                }
                // Descriptions say `oneOf` also where more than one fits.
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                    let key = if key == "allOf" { "allOf" } else { "anyOf" };
                    let parts = parts.iter().map(|part| self.schema(part, together)).collect();
                    assert!(translated.insert(key.to_owned(), parts).is_none(), "both anyOf and oneOf");
                }
                ("not", _) => {
                    translated.insert(key.clone(), self.schema(value, true));
                }
                ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                    translated.insert(key.clone(), value.clone());
                }
                // Swagger's own type for what is uploaded.
                ("type", Value::String(kind)) if kind == "file" => {}
                (same, _) if SAME.contains(&same) => {
                    translated.insert(key.clone(), value.clone());
                }
                _ => {}
            }
        }
        let says = schema.contains_key("additionalProperties");
        if !open && !says && (has_properties || combined && together) {
            let key = if combined { "unevaluatedProperties" } else { "additionalProperties" };
            translated.insert(key.to_owned(), Value::Bool(false));
        }
        translated
    }

    fn properties(&mut self, properties: &Map<String, Value>, required: Option<&Value>) -> Value {
        let is_required = |name: &String| {
            required.and_then(Value::as_array).is_some_and(|names| names.contains(&json!(name)))
        };
        let translate = |(name, property): (&String, &Value)| {
            let translated = self.schema(property, false);
            let nullable = self.nulls && !is_required(name);
            let either = |schema| json!({"anyOf": [schema, {"type": "null"}]});
            (name.clone(), if nullable { either(translated) } else { translated })
        };
        Value::Object(properties.iter().map(translate).collect())
    }
}

/// What is wrong, and where. Of alternatives it is what is wrong with the one that fits best.
pub(super) fn explain(error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::AnyOf { context } = error.kind() {
        // An alternative of another type fits worst, and one with a problem further in fits better.
        let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
        let fit = |errors: &&Vec<ValidationError<'_>>| {
            let other_type = errors.iter().any(|inner| {
                matches!(inner.kind(), ValidationErrorKind::Type { .. })
                    && inner.instance_path() == error.instance_path()
            });
            (!other_type, errors.iter().map(depth).max(), std::cmp::Reverse(errors.len()))
        };
        if let Some(inner) = context.iter().max_by_key(fit).and_then(|errors| errors.first()) {
            return explain(inner);
        }
    }
    shorten(&format!("at `{}`: {error}", error.instance_path()))
}
