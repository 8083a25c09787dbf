//! Of two values that a deployment changed, a person changed one again since: that one is left alone, or nothing is done.

use super::whole::{World, path, reverted};
use crate::domain::environment::policy::Mixed;

/// How a file is written with two values.
type Text = fn(&str, &str) -> String;

/// What becomes of a file in which a person put these two values, where a deployment had changed both.
fn put(name: &str, text: Text, [old, new, third]: [&str; 3]) -> Vec<Result<String, String>> {
    let (before, after) = (text("v1", old), text("v2", new));
    let since =
        [("v2", third), ("v3", new), ("v3", third), ("v2", old), ("v1", new), ("v1", third), ("v3", old)];
    let mut all = Vec::new();
    for (tag, value) in since {
        let since = text(tag, value);
        let world = World {
            what: name,
            before: &[(name, &before)],
            after: &[(name, &after)],
            since: &[(name, &since)],
        };
        for mixed in [Mixed::Fields, Mixed::Deployment] {
            let put = reverted(&world, mixed);
            all.push(put.map(|files| files.get(&path(name)).cloned().flatten().unwrap_or_default()));
        }
    }
    all
}

#[test]
fn what_a_person_set_since_stays_while_the_version_goes_back() {
    let texts: [(&str, Text); 4] = [
        ("a.yaml", |tag, count| format!("image:\n  tag: {tag}\nreplicas: {count}\n")),
        ("b.yaml", |tag, count| format!("image:\n  tag: {tag}\na: 1\nb: 1\nc: 1\nreplicas: {count}\n")),
        ("c.yaml", |tag, count| format!("web: {{tag: {tag}, replicas: {count}}}\n")),
        ("d.tf", |tag, count| format!("a {{\n  tag = \"{tag}\"\n  count = {count}\n}}\n")),
    ];
    for (name, text) in texts {
        for (index, put) in put(name, text, ["2", "3", "7"]).into_iter().enumerate() {
            // The version goes back where it still is the bad one, and the number stays as the person set it.
            let wanted = match index / 2 {
                0 => Some(text("v1", "7")),
                3 => Some(text("v1", "2")),
                _ => None,
            };
            assert_eq!(put.ok(), wanted, "{name}, {index}");
        }
    }
}

#[test]
fn two_versions_go_back_together_or_not_at_all() {
    let texts: [(&str, Text); 3] = [
        ("a.yaml", |web, api| format!("web:\n  image: r/web:{web}\napi:\n  image: r/api:{api}\n")),
        ("b.yaml", |web, api| format!("newTag: {web}\nlabels:\n  version: {api}\n")),
        ("c.yaml", |web, api| format!("- name: WEB_TAG\n  value: {web}\n- name: API_TAG\n  value: {api}\n")),
    ];
    for (name, text) in texts {
        assert!(put(name, text, ["v1", "v2", "v3"]).iter().all(Result::is_err), "{name}");
    }
}
