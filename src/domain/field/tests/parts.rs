//! Of a large file only parts are read, and the same is found.

use proptest::prelude::*;

use super::super::{compare_parts, compare_whole};
use super::*;

/// What is told of a comparison.
fn told(comparison: &Comparison) -> (Vec<String>, Vec<String>, Vec<String>) {
    let change = |one: &ScalarChange| {
        format!(
            "{} {:?} {} {} {} {} {:?}",
            one.address,
            one.rule,
            one.old_shown(),
            one.new_shown(),
            one.addressed,
            one.engine,
            one.by_hand
        )
    };
    let companion =
        |one: &Companion| format!("{} {:?} {:?} {:?}", one.address, one.rule, one.shown(), one.part);
    let mut left: Vec<String> = comparison.left_behind().map(str::to_owned).collect();
    left.sort();
    (
        comparison.changes.iter().map(change).collect(),
        comparison.companions.iter().map(companion).collect(),
        left,
    )
}

fn values(tags: &[u32], ports: &[u32], is_commented: bool) -> String {
    let mut text = String::from("# values\nreplicas: 2\nglobal:\n  registry: r.example.com\nname: shop\n");
    for (place, (tag, port)) in tags.iter().zip(ports).enumerate() {
        text.push_str(&format!(
            "service-{place}:\n  image:\n    repository: shop/s{place}\n    tag: 1.{tag}.0\n"
        ));
        if is_commented && place % 3 == 0 {
            text.push_str("  # a comment\n\n");
        }
        text.push_str(&format!("  ports:\n  - name: http\n    port: {port}\n  env:\n"));
        for number in 0..6 {
            text.push_str(&format!("  - name: KEY_{number}\n    value: \"{place}-{number}\"\n"));
        }
    }
    text
}

#[derive(Clone, Copy)]
enum Named {
    Alike,
    Apart,
    ByVersion,
}

fn manifests(tags: &[u32], ports: &[u32], by: Named) -> String {
    let mut text = String::new();
    for (place, (tag, port)) in tags.iter().zip(ports).enumerate() {
        let name = match by {
            Named::Alike => "web".to_owned(),
            Named::Apart => format!("web-{place}"),
            // Without their versions some have the same name.
            Named::ByVersion if place % 7 == 0 => format!("web-1.{place}.0"),
            Named::ByVersion => format!("web-{place}"),
        };
        text.push_str(&format!(
            "---\n# Source: chart\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    app.kubernetes.io/version: 1.{tag}.0\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: shop/web:1.{tag}.0\n        ports:\n        - containerPort: {port}\n"
        ));
        for number in 0..5 {
            text.push_str(&format!("        - containerPort: {}\n", 9_000 + number));
        }
        text.push_str("status:\n  ready: true\n");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn parts_tell_what_the_whole_does(
        tags in proptest::collection::vec(0_u32..4, 24..40),
        bumped in proptest::collection::vec((0_usize..40, 0_u32..4), 0..4),
        moved in proptest::collection::vec((0_usize..40, 80_u32..84), 0..3),
        form in any::<bool>(), (one, other) in (any::<bool>(), any::<bool>()),
        added in "(|image:\\n  tag: v1\\n|extra: 1\\n|---\\nkind: A\\nmetadata:\\n  name: a\\nimage: a:1\\n|tag: v2\\n)",
    ) {
        let ports = vec![80; tags.len()];
        let (mut new_tags, mut new_ports) = (tags.clone(), ports.clone());
        for (place, tag) in bumped {
            if let Some(slot) = new_tags.get_mut(place) { *slot = tag; }
        }
        for (place, port) in moved {
            if let Some(slot) = new_ports.get_mut(place) { *slot = port; }
        }
        let text = |tags: &[u32], ports: &[u32], flag: bool| if form { values(tags, ports, flag) } else { manifests(tags, ports, if !flag { Named::Alike } else if other { Named::Apart } else { Named::ByVersion }) };
        let (before, after) = (text(&tags, &ports, one), format!("{}{added}", text(&new_tags, &new_ports, if form { other } else { one })));
        let file = File { path: "apps/web/values.yaml", fields: &Selection::default() };
        let (before, after) = (Document::from(before.as_str()), Document::from(after.as_str()));
        if let Some(parts) = compare_parts(&file, &before, &after) {
            prop_assert_eq!(told(&parts), told(&compare_whole(&file, &before, &after)));
        }
    }
}

#[test]
fn a_large_file_is_cut() {
    let tags = vec![1; 40];
    let mut bumped = tags.clone();
    bumped[20] = 2;
    for text in [
        |tags: &[u32]| values(tags, &[80; 40], true),
        |tags: &[u32]| manifests(tags, &[80; 40], Named::Apart),
    ] {
        let file = File { path: "v.yaml", fields: &Selection::default() };
        let (before, after) = (text(&tags), text(&bumped));
        let (old, new) = (Document::from(before.as_str()), Document::from(after.as_str()));
        let parts = compare_parts(&file, &old, &new).expect("is plain");
        assert!(parts.is_deployment());
        assert_eq!(told(&parts), told(&compare_whole(&file, &old, &new)));
        let [old_lines, new_lines] = [&old, &new].map(|document| document.lines());
        let [cut, _] =
            sections::cut((&old_lines, old.sections().unwrap()), (&new_lines, new.sections().unwrap()))
                .unwrap();
        assert!(cut.text.len() * 4 < before.len(), "{} of {}", cut.text.len(), before.len());
        // What YAML names, templates and lines that are no entries: all of it is read.
        for other in ["x: &x 1\n", "x: *x\n", "{{ if a }}\n", "- a\n", "x: \"a\n", "x: {\n", "\tx\n"] {
            let both = [&before, &after].map(|text| Document::from(format!("{other}{text}").as_str()));
            assert!(compare_parts(&file, &both[0], &both[1]).is_none(), "{other}");
        }
    }
}
