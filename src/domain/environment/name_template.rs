//! Templates for the names of services: `{{ service }}-{{ cluster }}`.

use std::collections::BTreeMap;
use std::fmt;

use super::pattern::InvalidPattern;
use crate::domain::ids::{EnvironmentName, ServiceName};

/// A name with places for captures. A capture stands in one pair of braces or in two, with or without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Capture(String),
}

impl NameTemplate {
    /// Reads the template.
    ///
    /// # Errors
    /// When a brace is not closed, or what stands in braces is no name.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |problem: &str| InvalidPattern::new(text, problem);
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (open, close) = after.strip_prefix('{').map_or((after, "}"), |inside| (inside, "}}"));
            let (name, after) = open.split_once(close).ok_or_else(|| invalid("has a { without a }"))?;
            let name = name.trim();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(invalid("has something in braces that is not made of letters, digits and _"));
            }
            pieces.push(Piece::Capture(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The captures that it names, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Capture(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The name with these captures; none where one is missing.
    #[must_use]
    pub fn fill(&self, captured: &[&(String, String)]) -> Option<String> {
        let mut name = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => name.push_str(text),
                Piece::Capture(wanted) => {
                    name.push_str(&captured.iter().find(|(name, _)| name == wanted)?.1);
                }
            }
        }
        Some(name)
    }

    /// The text for a service in an environment, with its labels. None where the template names what is not there.
    #[must_use]
    pub fn fill_for(
        &self,
        service: &ServiceName,
        environment: &EnvironmentName,
        labels: &BTreeMap<String, String>,
    ) -> Option<String> {
        let own = [("service", service.as_str()), ("environment", environment.as_str())];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels = labels.iter().map(|(name, value)| (name.clone(), value.clone()));
        let captured: Vec<(String, String)> = labels.chain(own).collect();
        self.fill(&captured.iter().collect::<Vec<_>>())
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_filled_in() {
        let captured = [("cluster", "eu"), ("service", "web")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        for (template, name) in [
            ("{{ service }}-{{cluster}}", Some("web-eu")),
            ("{service}.{cluster}", Some("web.eu")),
            ("fixed", Some("fixed")),
            ("{{ region }}", None),
        ] {
            let filled = NameTemplate::new(template).unwrap().fill(&captured.iter().collect::<Vec<_>>());
            assert_eq!(filled.as_deref(), name, "{template}");
        }
        for broken in ["{{ service", "{ser vice}", "{}", "{{ a | upper }}"] {
            NameTemplate::new(broken).unwrap_err();
        }
    }
}
