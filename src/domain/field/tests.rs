//! Tests of comparing files and of putting fields back.

mod later;
mod parts;
mod places;
mod queries;
mod since;
mod tables;
mod values;
mod written;

use super::*;

fn revert(parent: &[u8], bad: &[u8], current: &[u8]) -> Result<Reverted, Refusal> {
    super::revert(&File { path: "apps/web/values", fields: &Selection::default() }, parent, bad, current)
}

fn compare(before: &str, after: &str) -> Comparison {
    let file = File { path: "apps/web/values", fields: &Selection::default() };
    super::compare(&file, &Document::from(before), &Document::from(after))
}

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
    assert_eq!(result.fields[0].outcome, FieldOutcome::Gone(Vec::new()));
}

#[test]
fn what_came_beside_a_field_goes_with_it_where_that_is_clear() {
    let (parent, bad) = ("tag: v1\n", "tag: v2\ndigest: sha256:0000\n");
    let later = "tag: v2\ndigest: sha256:0000\nreplicas: 3\n";
    assert_eq!(outcome(parent, bad, later).unwrap(), "tag: v1\nreplicas: 3\n");
    let apart = "tag: v2\nreplicas: 3\ndigest: sha256:0000\n";
    assert_eq!(outcome(parent, bad, apart).unwrap(), "tag: v1\nreplicas: 3\n");
    let nested = |text: &str| format!("a: {{{}}}\n", text.trim_end().replace('\n', ", "));
    let (parent_inline, bad_inline) = (nested(parent), nested(bad));
    assert_eq!(outcome(&parent_inline, &bad_inline, &bad_inline).unwrap(), parent_inline);
    assert_eq!(
        outcome(&parent_inline, &bad_inline, &nested("tag: v2\ndigest: sha256:0000\nn: 3")),
        Err(Refusal::Companion("a.digest".to_owned()))
    );
    let gone = "tag: v2\nreplicas: 3\n";
    let half = revert(parent.as_bytes(), bad.as_bytes(), gone.as_bytes()).unwrap();
    assert!(is_half(&half.fields), "{half:?}");
}

#[test]
fn what_went_beside_a_field_comes_back_where_that_is_clear() {
    let (parent, bad) = ("a: 1\ntag: v1\ndigest: sha256:0000\nb: 2\n", "a: 1\ntag: v2\nb: 2\n");
    assert_eq!(
        outcome(parent, bad, "a: 0\ntag: v2\nb: 2\n").unwrap(),
        "a: 0\ntag: v1\ndigest: sha256:0000\nb: 2\n"
    );
    let moved = outcome(parent, bad, "tag: v2 # x\na: 1\nb: 2\n").unwrap();
    assert_eq!(moved, "tag: v1 # x\ndigest: sha256:0000\na: 1\nb: 2\n");
    let (parent, bad) = ("i:\n  tag: v1\n  digest: sha256:0000\n", "i:\n  tag: v2\n");
    assert_eq!(outcome(parent, bad, "i: {tag: v2}\n"), Err(Refusal::Companion("i.digest".to_owned())));
}

#[test]
fn lines_that_cannot_be_told_apart_are_refused() {
    let parent = "{{ x }}\nimage: a:1\n";
    let bad = "{{ x }}\nimage: a:2\n";
    let current = "{{ x }}\nimage: a:2\nimage: a:2\n";
    assert!(matches!(
        revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()),
        Err(Refusal::Ambiguous(_) | Refusal::OfAnother(_))
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

/// What becomes of `current`, or the reason why nothing does.
fn outcome(parent: &str, bad: &str, current: &str) -> Result<String, Refusal> {
    revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()).map(|r| String::from_utf8(r.bytes).unwrap())
}

#[test]
fn a_line_of_the_same_text_elsewhere_is_not_taken_for_the_bad_one() {
    let file = |web: &str, api: &str| {
        format!("module web {{\n  tag = \"{web}\"\n}}\nmodule api {{\n  tag = \"{api}\"\n}}\n")
    };
    let (parent, bad) = (file("v1", "v1"), file("v2", "v1"));
    assert_eq!(outcome(&parent, &bad, &file("v3", "v2")).unwrap(), file("v3", "v2"));
    assert_eq!(outcome(&parent, &bad, &file("v2", "v2")).unwrap(), file("v1", "v2"));
    let removed = "module api {\n  tag = \"v2\"\n}\n";
    assert!(!matches!(outcome(&parent, &bad, removed), Ok(text) if text != removed));
    assert!(outcome("TAG=v1\nTAG=v1\n", "TAG=v2\nTAG=v1\n", "TAG=v3\nTAG=v2\n").is_err());
    let map = |web: &str, api: &str| {
        format!(
            "data:\n  web.env: |\n    TAG={web}\n    A=b: c: d\n  api.env: |\n    TAG={api}\n    B=b: c: d\n"
        )
    };
    let (parent, bad) = (map("v1", "v1"), map("v2", "v1"));
    assert_eq!(outcome(&parent, &bad, &map("v3", "v2")).unwrap(), map("v3", "v2"));
    assert_eq!(
        outcome(&parent, &bad, &format!("# x\n{}", map("v2", "v2"))).unwrap(),
        format!("# x\n{}", map("v1", "v2"))
    );
}

#[test]
fn items_without_a_name_are_followed_and_not_counted() {
    let list = |items: &[(&str, &str)]| {
        items.iter().fold("tenants:\n".to_owned(), |text, (tenant, tag)| {
            format!("{text}- tenant: {tenant}\n  tag: {tag}\n")
        })
    };
    let parent = list(&[("acme", "v1"), ("beta", "v1")]);
    let bad = list(&[("acme", "v1"), ("beta", "v2")]);
    let moved = list(&[("new", "v2"), ("acme", "v2"), ("beta", "v2")]);
    match outcome(&parent, &bad, &moved) {
        Ok(text) => assert_eq!(text, list(&[("new", "v2"), ("acme", "v2"), ("beta", "v1")])),
        Err(refused) => {
            assert!(matches!(refused, Refusal::Ambiguous(_) | Refusal::OfAnother(_)), "{refused}")
        }
    }
}

#[test]
fn a_name_with_a_version_in_it_is_a_name() {
    let list = |name: &str, tag: &str| format!("images:\n- name: {name}\n  newTag: {tag}\n");
    let current = list("api-v2", "v2");
    assert_eq!(outcome(&list("api-v1", "v1"), &list("api-v1", "v2"), &current).unwrap(), current);
    let job = |name: &str, tag: &str| {
        format!(
            "kind: Job\nmetadata:\n  name: {name}\nspec:\n  containers:\n  - name: a\n    image: r/a:{tag}\n"
        )
    };
    let (parent, bad) = (job("migrate-v1", "v1"), job("migrate-v2", "v2"));
    assert_eq!(outcome(&parent, &bad, &bad).unwrap(), parent);
    assert_eq!(outcome(&parent, &bad, &format!("{bad}  more: 1\n")).unwrap(), format!("{parent}  more: 1\n"));
    let other = job("api-v2", "v2");
    assert_eq!(outcome(&job("api-v1", "v1"), &job("api-v1", "v2"), &other).unwrap(), other);
}

#[test]
fn a_version_does_not_go_back_without_what_it_is_a_version_of() {
    let file = |repository: &str, tag: &str| format!("image:\n  repository: {repository}\n  tag: {tag}\n");
    let (parent, bad) = (file("old.example/web", "v1"), file("new.example/web", "v2"));
    assert_eq!(outcome(&parent, &bad, &bad).unwrap(), parent);
    let rules: Vec<_> = compare(&parent, &bad).changes.iter().map(|change| change.rule).collect();
    assert_eq!(rules, [Some(FieldRule::Coupled), Some(FieldRule::Tag)]);
    // The same version of something else was never deployed before this one.
    let (v1, v2) = (file("a.example/web", "v1"), file("a.example/web", "v2"));
    let moved = file("b.example/web", "v2");
    assert_eq!(outcome(&v1, &v2, &moved), Err(Refusal::OfAnother("image.tag".to_owned())));
}

#[test]
fn what_is_no_value_stays_as_the_commit_left_it() {
    let parent = "syncPolicy:\n  automated: {}\ntargetRevision: v1\n";
    let bad = "syncPolicy:\n  manual: {}\ntargetRevision: v2\n";
    assert_eq!(outcome(parent, bad, bad).unwrap(), bad.replace("v2", "v1"));
    let reordered = ("args: [a, b]\ntag: v1\n", "args: [b, a]\ntag: v2\n");
    assert_eq!(outcome(reordered.0, reordered.1, reordered.1).unwrap(), "args: [b, a]\ntag: v1\n");
}

#[test]
fn other_quotes_deploy_nothing() {
    assert_eq!(outcome("tag: v2\n", "tag: \"v2\"\n", "tag: \"v2\"\n"), Err(Refusal::NoReleaseField));
}

#[test]
fn a_second_document_changes_no_address() {
    let (parent, bad) = ("tag: v1\n", "tag: v2\n");
    assert_eq!(outcome(parent, bad, "tag: v2\n---\nother: 1\n").unwrap(), "tag: v1\n---\nother: 1\n");
}

#[test]
fn line_ends_are_those_of_the_file_as_it_is() {
    let result = outcome("tag: v1 # a\r\nx: 1\r\n", "tag: v2 # b\nx: 1\n", "tag: v2 # b\nx: 2\n").unwrap();
    assert_eq!(result, "tag: v1 # a\nx: 2\n");
}

#[test]
fn a_digest_in_the_place_of_a_tag_makes_room_for_it_again() {
    let file =
        |entry: &str, n: u8| format!("images:\n- name: a\n  {entry}\n- name: b\n  newTag: v1\nn: {n}\n");
    let (parent, bad) = (file("newTag: v1", 1), file("digest: sha256:00ff", 1));
    assert_eq!(outcome(&parent, &bad, &bad).unwrap(), parent);
    assert_eq!(outcome(&parent, &bad, &file("digest: sha256:00ff", 2)).unwrap(), file("newTag: v1", 2));
    assert_eq!(
        outcome(&parent, &bad, &file("digest: \"sha256:00ff\" # x", 2)).unwrap(),
        file("newTag: v1 # x", 2)
    );
    for (now, wanted) in [
        ("digest: sha256:11ff", FieldOutcome::Superseded("sha256:11ff".to_owned())),
        ("newTag: v1", FieldOutcome::AlreadyBack),
        ("newTag: v3", FieldOutcome::Gone(Vec::new())),
    ] {
        let now = file(now, 2);
        let reverted = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes()).unwrap();
        assert_eq!((&reverted.fields[0].outcome, reverted.bytes), (&wanted, now.into_bytes()));
    }
}

#[test]
fn lines_that_the_commit_moved_are_neither_lost_nor_doubled() {
    for (parent, bad, later, expected) in [
        ("A_TAG=v1\nL=2\nM=3\nD=1\n", "A_TAG=v2\nD=1\nL=2\nM=3\n", "N=1\n", "A_TAG=v1\nD=1\nL=2\nM=3\nN=1\n"),
        (
            "tag: v1\nl: 2\nm: 3\nd: 1\n",
            "tag: v2\nd: 1\nl: 2\nm: 3\n",
            "n: 1\n",
            "tag: v1\nd: 1\nl: 2\nm: 3\nn: 1\n",
        ),
        ("A_TAG=v1\nD=1\nL=2\n", "x=1\nA_TAG=v2\nL=2\nD=1\n", "", "x=1\nA_TAG=v1\nL=2\nD=1\n"),
    ] {
        assert_eq!(outcome(parent, bad, &format!("{bad}{later}")).unwrap(), expected);
    }
}

/// Nothing but the file as it is, or a refusal.
fn is_left_alone(parent: &str, bad: &str, current: &str) {
    match outcome(parent, bad, current) {
        Ok(text) => assert_eq!(text, current),
        Err(Refusal::Ambiguous(_) | Refusal::OfAnother(_) | Refusal::Companion(_)) => {}
        Err(other) => panic!("{other} of\n{current}"),
    }
}

#[test]
fn the_version_of_another_thing_is_left_alone() {
    for (file, now) in [
        ("source = \"git::https://h/a.git?ref=@\"\n", "source = \"git::https://h/b.git?ref=@\"\n"),
        (
            "resource \"h\" \"x\" {\n  chart = \"a\"\n  version = \"@\"\n}\n",
            "resource \"h\" \"x\" {\n  chart = \"b\"\n  version = \"@\"\n}\n",
        ),
        ("foo = { git = \"https://x/a\", tag = \"@\" }\n", "foo = { git = \"https://x/b\", tag = \"@\" }\n"),
        ("IMAGE_REPO=a\nIMAGE_TAG=@\n", "IMAGE_REPO=b\nIMAGE_TAG=@\n"),
        (
            "set {\n  name = \"image.tag\"\n  value = \"@\"\n}\n",
            "set {\n  name = \"sidecar.tag\"\n  value = \"@\"\n}\n",
        ),
        ("{{- define \"a\" }}\ntag: @\n{{- end }}\n", "{{- define \"b\" }}\ntag: @\n{{- end }}\n"),
        ("module \"a\" {\nversion = \"@\"\n}\n", "module \"b\" {\nversion = \"@\"\n}\n"),
        ("module \"a-v1\" {\n  version = \"@\"\n}\n", "module \"a-v2\" {\n  version = \"@\"\n}\n"),
        (
            "<dep>\n  <id>a</id>\n  <version>@</version>\n</dep>\n",
            "<dep>\n  <id>b</id>\n  <version>@</version>\n</dep>\n",
        ),
        ("a: |\n  --name web\n  --tag @\n", "a: |\n  --name api\n  --tag @\n"),
        ("tags = { web = \"@\", api = \"v2.0.0\" }\n", "tags = { api = \"@\", web = \"v2.0.0\" }\n"),
        ("x: {app: web, tag: @}\n", "x: {app: api, tag: @}\n"),
        ("spec:\n  url: oci://a\n  ref: {tag: @}\n", "spec:\n  url: oci://b\n  ref: {tag: @}\n"),
        ("spec:\n  version: @\n  sourceRef: {name: a}\n", "spec:\n  version: @\n  sourceRef: {name: b}\n"),
        ("- app: a\n  rev: v1.0.0\n- app: a\n  rev: @\n", "- app: c\n  rev: @\n- app: a\n  rev: v3.0.0\n"),
        (
            "app: a\ntag: @\n---\napp: b\ntag: v9.0.0\n",
            "app: c\ntag: @\n---\napp: a\ntag: v3.0.0\n---\napp: b\ntag: v9.0.0\n",
        ),
    ] {
        let [parent, bad] = ["v1.0.0", "v2.0.0"].map(|version| file.replace('@', version));
        assert_eq!(outcome(&parent, &bad, &bad).unwrap(), parent, "at the commit");
        is_left_alone(&parent, &bad, &now.replace('@', "v2.0.0"));
    }
}

#[test]
fn what_came_with_a_version_is_not_cut_out_of_lists_and_braces() {
    let digest = "digest: sha256:00ff";
    let item = |entries: &str| format!("images:\n- name: w\n  newTag: v9\n{entries}");
    let parent = item("- name: x\n  newTag: v1\n");
    let bad = item(&format!("- {digest}\n  name: x\n  newTag: v2\n"));
    is_left_alone(&parent, &bad, &item(&format!("- {digest}\n  name: x\n  pull: y\n  newTag: v2\n")));
    let json = |tag: &str, more: &str| format!("{{\n  \"tag\":{tag}{more}\n}}\n");
    let came = ",\n  \"digest\": \"sha256:00ff\"";
    is_left_alone(&json(" \"v1\"", ""), &json(" \"v2\"", came), &json("  \"v2\"", came));
    for (parent, bad) in [
        ("WEB_TAG=v1\n", "WEB_TAG=v2\nWEB_DIGEST=sha256:00ff\n"),
        ("[a]\ntag = \"v1\"\n", "[a]\ntag = \"v2\"\ndigest = \"sha256:00ff\"\n"),
    ] {
        assert_eq!(
            outcome(parent, bad, &format!("{bad}[b]\nx = 1\n")).unwrap(),
            format!("{parent}[b]\nx = 1\n")
        );
    }
}

#[test]
fn the_old_value_takes_the_quotes_that_it_finds() {
    for (parent, bad, current, expected) in [
        ("tag: v1\n", "tag: v2\n", "tag: \"v2\"\nx: 1\n", "tag: \"v1\"\nx: 1\n"),
        ("tag: 1.10\n", "tag: 1.11\n", "tag: '1.11' # y\n", "tag: '1.10' # y\n"),
        ("a: {tag: \"v1\"}\n", "a: {tag: \"v2\"}\n", "a: {tag: v2}\nx: 1\n", "a: {tag: \"v1\"}\nx: 1\n"),
        (
            "{{ x }}\nversion: \"1.10\"\n",
            "{{ x }}\nversion: 1.11\n",
            "{{ x }}\n# y\nversion: 1.11\n",
            "{{ x }}\n# y\nversion: \"1.10\"\n",
        ),
    ] {
        assert_eq!(outcome(parent, bad, current).unwrap(), expected);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_and_a_mark_at_the_beginning_is_none() {
    assert_eq!(revert(b"tag: v1 \xff\n", b"tag: v2 \xff\n", b"tag: v2 \xff\n"), Err(Refusal::NotText));
    let marked = |tag: &str, n: u8| format!("\u{feff}tag: {tag}\nn: {n}\n");
    assert_eq!(outcome(&marked("v1", 1), &marked("v2", 1), &marked("v2", 2)).unwrap(), marked("v1", 2));
}

#[test]
fn thousands_of_fields_that_took_the_place_of_others_are_found_and_go_back() {
    let entry = |n: usize, field: &str| format!("k{n}:\n  {field}\n");
    let old: String = (0..3_000).map(|n| entry(n, &format!("newTag: v{n}"))).collect();
    let new: String = (0..3_000).map(|n| entry(n, &format!("digest: sha256:{n:064x}"))).collect();
    assert_eq!(compare(&old, &new).release_fields().count(), 3_000);
    assert_eq!(reverted(&old, &new, &format!("{new}last: 1\n")), format!("{old}last: 1\n"));
    // And where they stand on one line, in a list that has grown since.
    let list = |tag: &str, more: &str| {
        let items: Vec<String> = (0..3_000).map(|_| format!("{{\"image\": \"a:{tag}\"}}")).collect();
        format!("{{\"all\": [{}{more}]}}\n", items.join(", "))
    };
    assert_eq!(
        compare(&list("v1", ""), &list("v2", ", {\"image\": \"b:v1\"}")).release_fields().count(),
        3_000
    );
}
