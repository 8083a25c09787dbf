//! Several files as one tree: maps are merged, lists joined, and nothing may be defined twice.

use super::report::{Findings, Place, SourceFile};
use super::tree::{Entry, Node, Value};

/// The sections that one file alone may have.
pub(super) const SINGLE: [&str; 4] = ["repository", "forge", "run", "record"];

/// Joins the files' trees. A file without content adds nothing. Without a map in each file there is nothing to look at.
pub(super) fn merge(roots: Vec<Node>, files: &[SourceFile], findings: &mut Findings) -> Option<Node> {
    let place = roots.first().map_or(Place::default(), |root| root.place);
    let mut sections: Vec<Entry> = Vec::new();
    for root in roots {
        let entries = match root.value {
            Value::Map(entries) => entries,
            Value::Null => continue,
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => {
                findings.add(root.place, "expected a map with `repository`, `environments` and so on");
                return None;
            }
        };
        for entry in entries {
            match sections.iter_mut().find(|section| section.key == entry.key) {
                None => sections.push(entry),
                Some(section) => join(section, entry, files, findings),
            }
        }
    }
    Some(Node { value: Value::Map(sections), place })
}

fn join(section: &mut Entry, other: Entry, files: &[SourceFile], findings: &mut Findings) {
    if section.key_place.file == other.key_place.file {
        return; // The same key twice in one file, which has been told.
    }
    let twice = |findings: &mut Findings, what: &str, first: Place, second: Place| {
        findings.add(second, format!("{what} is defined twice: the other is at {}", first.show(files)));
        findings.add(first, format!("{what} is defined twice: the other is at {}", second.show(files)));
    };
    if SINGLE.contains(&section.key.as_str()) {
        return twice(findings, &format!("`{}`", section.key), section.key_place, other.key_place);
    }
    match (&mut section.node.value, other.node.value) {
        (Value::List(items), Value::List(more)) => items.extend(more),
        (Value::Map(entries), Value::Map(more)) => {
            for entry in more {
                match entries.iter().find(|known| known.key == entry.key) {
                    None => entries.push(entry),
                    Some(known) => {
                        let what = format!("`{}` in `{}`", entry.key, section.key);
                        twice(findings, &what, known.key_place, entry.key_place);
                    }
                }
            }
        }
        (_, Value::Null) => {}
        (value @ Value::Null, more) => {
            *value = more;
            section.node.place = other.node.place;
        }
        _ => findings.add(other.node.place, format!("`{}` is of another type in another file", section.key)),
    }
}
