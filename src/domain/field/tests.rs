//! Tests of comparing files and of putting fields back.

use super::*;

fn reverted(parent: &str, bad: &str, current: &str) -> String {
    let reverted = revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()).expect("is clear");
    String::from_utf8(reverted.bytes).expect("is text")
}

#[test]
fn at_the_bad_commit_the_parent_comes_back() {
    for (parent, bad) in [
        ("image: a:1 # old\r\nx: 1\r\n", "image: a:2   \r\nx: 1\r\n"),
        ("v825", "v826\n"),
        ("{{ if x }}\nimage: a:1\n{{ end }}\n", "{{ if x }}\nimage: a:2\n{{ end }}\n"),
        ("tag: v1\n", "tag: v2\ndigest: sha256:0000\n"),
        ("a:\n  helm:\n    values: |\n      tag: 1.2\n", "a:\n  helm:\n    values: |\n      tag: 1.3\n"),
    ] {
        assert_eq!(reverted(parent, bad, bad), parent);
    }
}

#[test]
fn later_the_bad_fields_alone_go_back() {
    let parent = "image: a:1 # c\nreplicas: 2\n";
    let bad = "image: a:2 # d\nreplicas: 2\n";
    assert_eq!(reverted(parent, bad, "image: a:2 # d\nreplicas: 5\n"), "image: a:1 # c\nreplicas: 5\n");
    assert_eq!(reverted(parent, bad, "image: a:2 # e\nreplicas: 5\n"), "image: a:1 # e\nreplicas: 5\n");
    assert_eq!(reverted(parent, bad, "image: a:3\nreplicas: 5\n"), "image: a:3\nreplicas: 5\n");
}

#[test]
fn other_changes_of_the_commit_stay_behind_and_are_named() {
    let parent = "image: a:1\nreplicas: 2\n";
    let bad = "image: a:2\nreplicas: 3\n";
    let reverted = revert(parent.as_bytes(), bad.as_bytes(), bad.as_bytes()).unwrap();
    assert_eq!(reverted.bytes, b"image: a:1\nreplicas: 3\n");
    assert_eq!(reverted.left_behind, ["replicas"]);
}

#[test]
fn items_that_moved_are_followed() {
    let parent = "images:\n- name: x\n  newTag: v1\n- name: y\n  newTag: v1\n";
    let bad = "images:\n- name: x\n  newTag: v1\n- name: y\n  newTag: v2\n";
    let current = "images:\n- name: w\n  newTag: v2\n- name: y\n  newTag: v2\n- name: x\n  newTag: v1\n";
    let expected = "images:\n- name: w\n  newTag: v2\n- name: y\n  newTag: v1\n- name: x\n  newTag: v1\n";
    assert_eq!(reverted(parent, bad, current), expected);
}

#[test]
fn an_item_that_is_gone_is_left_alone() {
    let parent = "images:\n- name: x\n  newTag: v1\n";
    let bad = "images:\n- name: x\n  newTag: v2\n";
    let result = revert(parent.as_bytes(), bad.as_bytes(), b"images: []\n").unwrap();
    assert_eq!(result.bytes, b"images: []\n");
    assert_eq!(result.fields[0].outcome, FieldOutcome::Gone);
}

#[test]
fn a_companion_is_refused_once_the_file_has_moved_on() {
    let (parent, bad) = ("tag: v1\n", "tag: v2\ndigest: sha256:0000\n");
    let current = "tag: v2\ndigest: sha256:0000\nreplicas: 3\n";
    let refusal = revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()).unwrap_err();
    assert_eq!(refusal, Refusal::Companion("digest".to_owned()));
}

#[test]
fn lines_that_cannot_be_told_apart_are_refused() {
    let parent = "{{ x }}\nimage: a:1\n";
    let bad = "{{ x }}\nimage: a:2\n";
    let current = "{{ x }}\nimage: a:2\nimage: a:2\n";
    assert!(matches!(
        revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()),
        Err(Refusal::Ambiguous(_))
    ));
}

mod property {
    use proptest::prelude::*;

    use super::*;

    fn environment_file() -> impl Strategy<Value = (String, String, String)> {
        let version = || "v[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}";
        let eol = prop_oneof![Just("\n"), Just("\r\n")];
        let template = prop_oneof![
            Just("image:@  repository: a/b@  tag: {}  # keep@  pull: Always@"),
            Just("kind: A@metadata:@  name: n@spec:@  containers:@  - name: c@    image: \"r/a:{}\"@"),
            Just("images: [{name: x, newTag: {}}]@more: 1@"),
            Just("spec:@  source:@    helm:@      values: |@        image:@          tag: {}@        n: 1@"),
            Just("{{ template }}@image_tag: {}@{{ end }}@"),
            Just("TAG={}@OTHER=1@"),
            Just("{}"),
            Just("{ \"version\": \"{}\" }@"),
        ];
        (template, version(), version(), eol).prop_map(|(template, old, new, eol)| {
            let template = template.replace('@', eol);
            (template.replace("{}", &old), template.replace("{}", &new), old)
        })
    }

    proptest! {
        #[test]
        fn revert_undoes_deploy((parent, bad, _) in environment_file()) {
            if parent != bad {
                prop_assert_eq!(reverted(&parent, &bad, &bad), parent);
            }
        }

        #[test]
        fn nothing_but_the_bad_field_moves((parent, bad, _) in environment_file(), tail in "[a-z]{1,5}") {
            if parent != bad && bad.ends_with('\n') && !bad.contains("values: |") {
                let extra = format!("{tail}-extra: 1\n");
                prop_assert_eq!(
                    reverted(&parent, &bad, &format!("{bad}{extra}")),
                    format!("{parent}{extra}")
                );
            }
        }

        #[test]
        fn any_bytes_are_taken_without_panic(
            parent in ".{0,60}", bad in ".{0,60}", current in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let _result = revert(parent.as_bytes(), bad.as_bytes(), &current);
        }
    }
}
