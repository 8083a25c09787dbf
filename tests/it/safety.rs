//! The page about the guards names each of them, in order, and only keys that a configuration can have.

use std::path::Path;

use backout::domain::decision::GUARDS;
use serde_json::Value;

/// The cells of the rows of the first table under a head that begins so.
fn rows<'t>(text: &'t str, head: &str) -> Vec<Vec<&'t str>> {
    let table = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands between backquotes.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The forms that a schema allows in one place, its references followed.
fn forms<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return forms(root, &root["$defs"][name]);
    }
    match schema["anyOf"].as_array() {
        Some(any) => any.iter().flat_map(|one| forms(root, one)).collect(),
        None => vec![schema],
    }
}

/// Whether a configuration can have this key: `policies.watch` is the key `watch` of any policy.
fn has_key(root: &Value, path: &str) -> bool {
    let mut places = vec![root];
    for (depth, name) in path.split('.').enumerate() {
        let all = places.iter().flat_map(|place| forms(root, place));
        // What has names that people choose, or is a list, is looked into.
        let inner = all.flat_map(|form| {
            let within =
                [&form["additionalProperties"], &form["items"]].into_iter().filter(|one| one.is_object());
            let within = within.flat_map(|one| forms(root, one));
            within.chain([form]).collect::<Vec<_>>()
        });
        places = inner.map(|form| &form["properties"][name]).filter(|found| !found.is_null()).collect();
        if places.is_empty() {
            assert!(depth < 10, "{path}");
            return false;
        }
    }
    true
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_page_about_the_guards_has_a_row_for_each_in_order() {
    let page = read("docs/safety.md");
    let rows = rows(&page, "| guard |");
    let names: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(names, GUARDS.map(|guard| guard.name), "docs/safety.md: the table of guards");
    for row in &rows {
        assert!(row.len() == 5 && row.iter().all(|cell| !cell.is_empty()), "docs/safety.md: {row:?}");
    }
}

#[test]
fn the_page_about_the_guards_names_only_keys_that_there_are() {
    let (page, schema) = (read("docs/safety.md"), read("schemas/config.schema.json"));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let rows = rows(&page, "| guard |");
    let keys: Vec<&str> = rows.iter().flat_map(|row| code(row[4])).collect();
    assert!(keys.len() > 20, "{keys:?}");
    let wrong: Vec<&&str> = keys.iter().filter(|key| !has_key(&schema, key)).collect();
    assert!(wrong.is_empty(), "docs/safety.md names keys that no configuration has: {wrong:?}");
    for wrong in ["policies.watched", "policy.watch", "environments.budget.max", "budget.max_reverts"] {
        assert!(!has_key(&schema, wrong), "{wrong}");
    }
}
