//! Fields that the configuration adds to those that the rules find, or takes away.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::FieldRule;

/// Which fields count besides the rules, and in spite of them. Each entry is a key (`replicas`) or an address, as plans
/// show them, in which `*` stands for any text (`spec.values.*.replicas`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Selection {
    /// Fields that count as release fields although no rule says so.
    pub add: Vec<String>,
    /// Fields that never count. They win over `add`.
    pub exclude: Vec<String>,
}

impl Selection {
    /// The rule of a field, once the configuration has had its say.
    #[must_use]
    pub fn rule(&self, address: &str, key: &str, found: Option<FieldRule>) -> Option<FieldRule> {
        let listed = |patterns: &[String]| patterns.iter().any(|p| p == key || matches_wildcard(p, address));
        if listed(&self.exclude) {
            None
        } else if found.is_none() && listed(&self.add) {
            Some(FieldRule::Configured)
        } else {
            found
        }
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text, empty too.
fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b.c", true),
            ("*.b", "a.b", true),
            ("a.*.c", "a.c", false),
            ("a*c", "abcbc", true),
            ("a*b*c", "abc", true),
            ("a", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(matches_wildcard(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn exclusion_wins() {
        let selection = Selection { add: vec!["replicas".into()], exclude: vec!["*.sidecar.*".into()] };
        assert_eq!(selection.rule("a.replicas", "replicas", None), Some(FieldRule::Configured));
        assert_eq!(selection.rule("a.sidecar.replicas", "replicas", None), None);
        assert_eq!(selection.rule("a.sidecar.tag", "tag", Some(FieldRule::Tag)), None);
        assert_eq!(selection.rule("a.tag", "tag", Some(FieldRule::Tag)), Some(FieldRule::Tag));
    }
}
