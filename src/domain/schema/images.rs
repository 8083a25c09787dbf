//! What the labels of images say about the schema that they need.

use std::collections::BTreeMap;

use super::change::SchemaChange;
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::text::one_line;

/// The labels of an image and the annotations of its manifest, by their keys; untrusted texts.
pub type ImageLabels = BTreeMap<String, String>;

/// The changes of a schema between two images: each is the image in words, and its labels. A label that neither has says nothing.
#[must_use]
pub fn label_changes(
    keys: &[String],
    (old, before): (&str, &ImageLabels),
    (new, after): (&str, &ImageLabels),
) -> Vec<SchemaChange> {
    let shown = |value: Option<&String>| value.map_or("none".to_owned(), |value| one_line(value, 60));
    let changed = keys.iter().filter(|key| before.get(*key) != after.get(*key));
    let change = |key: &String| {
        let (was, is) = (shown(before.get(key)), shown(after.get(key)));
        let what = format!("the label {key} is {is} in {new}, and {was} in {old}");
        SchemaChange::unknown(SchemaDetector::Images, what)
    };
    changed.map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_with_another_value_is_another_schema() {
        let labels = |pairs: &[(&str, &str)]| -> ImageLabels {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let keys = ["schema".to_owned(), "other".to_owned()];
        let found = |before: &[(&str, &str)], after: &[(&str, &str)]| {
            let changes = label_changes(&keys, ("app:v1", &labels(before)), ("app:v2", &labels(after)));
            changes.into_iter().map(|change| change.what).collect::<Vec<_>>()
        };
        assert!(found(&[], &[]).is_empty());
        assert!(found(&[("schema", "41")], &[("schema", "41")]).is_empty());
        assert!(found(&[("revision", "a")], &[("revision", "b")]).is_empty());
        assert_eq!(
            found(&[("schema", "41")], &[("schema", "42")]),
            ["the label schema is 42 in app:v2, and 41 in app:v1"]
        );
        assert_eq!(
            found(&[], &[("other", "1\n2")]),
            ["the label other is 1 2 in app:v2, and none in app:v1"]
        );
    }
}
