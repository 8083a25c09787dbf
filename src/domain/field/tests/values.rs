//! Values that are more than a scalar: aliases, merges, and what came or went.

use super::*;

/// What a commit changed: the release fields with their values before and after.
pub(super) fn fields(parent: &str, bad: &str) -> Vec<(String, String, String)> {
    let found = compare(parent, bad);
    let changed = found
        .release_fields()
        .map(|one| (one.address.clone(), one.old_shown().to_owned(), one.new_shown().to_owned()));
    let alone = found.alone().map(|one| (one.address.clone(), one.shown().0, one.shown().1));
    changed.chain(alone).collect()
}

/// A deployment in a file, what it changed, and the state before it in a later version of the file.
pub(super) struct ValueCase<'a> {
    pub(super) parent: &'a str,
    pub(super) bad: &'a str,
    pub(super) fields: &'a [(&'a str, &'a str, &'a str)],
    /// Put before all versions, so that the file is not as the deployment left it.
    pub(super) later: &'a str,
}

#[track_caller]
pub(super) fn goes_back(case: &ValueCase<'_>) {
    let ValueCase { parent, bad, fields: wanted, later } = case;
    let found = fields(parent, bad);
    let found: Vec<(&str, &str, &str)> =
        found.iter().map(|(address, old, new)| (address.as_str(), old.as_str(), new.as_str())).collect();
    assert_eq!(found, *wanted, "{parent}---\n{bad}");
    assert_eq!(reverted(parent, bad, bad), *parent, "{bad}");
    assert_eq!(reverted(parent, bad, &format!("{later}{bad}")), format!("{later}{parent}"), "{bad}");
    // Once more there is nothing to do.
    let again = revert(parent.as_bytes(), bad.as_bytes(), format!("{later}{parent}").as_bytes()).unwrap();
    assert!(
        again.fields.iter().all(|one| one.outcome == FieldOutcome::AlreadyBack),
        "{bad}: {:?}",
        again.fields
    );
}

pub(super) const LATER: &str = "later: 1\n";

#[test]
fn what_an_alias_stands_for_is_the_value() {
    const TWO: &str = "x: {old: &old 1.0.0, new: &new 2.0.0}\n";
    let two = |rest: &str| format!("{TWO}{rest}");
    for (parent, bad, wanted) in [
        (two("image:\n  tag: *old\n"), two("image:\n  tag: *new\n"), &[("image.tag", "1.0.0", "2.0.0")][..]),
        (two("image:\n  tag: *old\n"), two("image:\n  tag: 1.1.0\n"), &[("image.tag", "1.0.0", "1.1.0")]),
        (two("image:\n  tag: 0.9.0\n"), two("image:\n  tag: *new\n"), &[("image.tag", "0.9.0", "2.0.0")]),
        (
            two("image: {tag: *old, pull: a}\n"),
            two("image: {tag: *new, pull: a}\n"),
            &[("image.tag", "1.0.0", "2.0.0")],
        ),
        (
            "x: {one: &one {tag: v1}, two: &two {tag: v2}}\nimage: *one\n".to_owned(),
            "x: {one: &one {tag: v1}, two: &two {tag: v2}}\nimage: *two\n".to_owned(),
            &[("image.tag", "v1", "v2")],
        ),
        (
            "x: &x blue\nweb:\n  tag: *x\n".to_owned(),
            "x: &x green\nweb:\n  tag: *x\n".to_owned(),
            &[("x", "blue", "green")],
        ),
        (
            "tags:\n- &a 1.0.0\n- &b 1.1.0\nweb:\n  image:\n    tag: *a\napi:\n  image:\n    tag: *a\n"
                .to_owned(),
            "tags:\n- &a 1.0.0\n- &b 1.1.0\nweb:\n  image:\n    tag: *b\napi:\n  image:\n    tag: *a\n"
                .to_owned(),
            &[("web.image.tag", "1.0.0", "1.1.0")],
        ),
    ] {
        goes_back(&ValueCase { parent: &parent, bad: &bad, fields: wanted, later: LATER });
    }
}

#[test]
fn what_a_merge_brings_is_a_value_too() {
    const TWO: &str = "v1: &v1\n  image: a:1\n  replicas: 2\nv2: &v2\n  image: a:2\n  replicas: 2\n";
    let two = |rest: &str| format!("{TWO}{rest}");
    for (parent, bad, wanted) in [
        (two("web:\n  <<: *v1\n"), two("web:\n  <<: *v2\n"), &[("web.image", "a:1", "a:2")][..]),
        (
            two("web:\n  <<: *v1\n  port: 1\n"),
            two("web:\n  <<: *v1\n  image: a:3\n  port: 1\n"),
            &[("web.image", "a:1", "a:3")],
        ),
        (
            two("web:\n  <<: *v1\n  image: a:3\n  port: 1\n"),
            two("web:\n  <<: *v1\n  port: 1\n"),
            &[("web.image", "a:3", "a:1")],
        ),
        (
            two("web:\n  <<: [*v1]\n  port: 1\n"),
            two("web:\n  <<: [*v2, *v1]\n  port: 1\n"),
            &[("web.image", "a:1", "a:2")],
        ),
        (
            two("m: &m\n  <<: *v1\nweb:\n  <<: *m\n"),
            two("m: &m\n  <<: *v2\nweb:\n  <<: *m\n"),
            &[("m.image", "a:1", "a:2")],
        ),
    ] {
        goes_back(&ValueCase { parent: &parent, bad: &bad, fields: wanted, later: LATER });
    }
}

/// A tool has read the YAML and written it out anew.
#[test]
fn what_was_written_out_goes_back_together_or_not_at_all() {
    let parent = "global:\n  tag: &t 1.0.0\nweb:\n  tag: *t\nworker:\n  tag: *t\n";
    let bad = "global:\n  tag: 1.1.0\nweb:\n  tag: 1.1.0\nworker:\n  tag: 1.1.0\n";
    let wanted = ["global.tag", "web.tag", "worker.tag"].map(|address| (address, "1.0.0", "1.1.0"));
    goes_back(&ValueCase { parent, bad, fields: &wanted, later: LATER });
    goes_back(&ValueCase {
        parent: bad,
        bad: parent,
        fields: &wanted.map(|(address, old, new)| (address, new, old)),
        later: LATER,
    });
    // Where the name cannot come back, nothing does.
    let moved_on = bad.replacen("1.1.0", "1.2.0", 1);
    let refused = revert(parent.as_bytes(), bad.as_bytes(), moved_on.as_bytes()).unwrap_err();
    assert!(matches!(refused, Refusal::Unfaithful(_)), "{refused}");
    let parent = "base: &base\n  image: a:1\n  port: 1\nweb:\n  <<: *base\n";
    let bad = "base:\n  image: a:2\n  port: 1\nweb:\n  image: a:2\n  port: 1\n";
    let wanted = [("base.image", "a:1", "a:2"), ("web.image", "a:1", "a:2")];
    goes_back(&ValueCase { parent, bad, fields: &wanted, later: LATER });
}

/// What came with a whole mapping or list is no text that stands at one place of it.
#[test]
fn an_alias_of_a_mapping_does_not_go_into_a_field_of_it() {
    const ONE: &str = "i: &i\n  repository: r/s\n  tag: 1.0.0\n";
    const LIST: &str = "c: &c\n- {name: a, image: 'r/a:1.0.0'}\n";
    for (parent, bad) in [
        (
            format!("{ONE}web:\n  image: *i\n"),
            format!("{ONE}web:\n  image:\n    repository: r/s\n    tag: 1.1.0\n"),
        ),
        (
            format!("{ONE}web:\n  image: *i\n"),
            format!("{ONE}web:\n  image: {{repository: r/s, tag: 1.1.0}}\n"),
        ),
        (
            format!("{LIST}spec:\n  containers: *c\n"),
            format!("{LIST}spec:\n  containers: [{{name: a, image: 'r/a:1.1.0'}}]\n"),
        ),
    ] {
        assert_eq!(reverted(&parent, &bad, &bad), parent, "{bad}");
        assert_eq!(reverted(&parent, &bad, &format!("{LATER}{bad}")), format!("{LATER}{parent}"));
        for (at, more) in [
            ("    tag: 1.1.0", "    x: 1\n    tag: 1.1.0"),
            ("tag: 1.1.0}", "tag: 1.1.0, x: 1}"),
            ("1.1.0'}", "1.1.0', tty: true}"),
        ] {
            let now = bad.replace(at, more);
            if now != bad {
                let refused = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes());
                assert!(refused.is_err(), "{now}: {refused:?}");
            }
        }
    }
    // A merge that came is a deployment where a version comes with it.
    let base = "b: &b\n  tag: 1.0.0\nweb:\n  port: 1\n";
    let with = "b: &b\n  tag: 1.0.0\nweb:\n  port: 1\n  <<: *b\n";
    for (parent, bad) in [(base, with), (with, base)] {
        assert_eq!(fields(parent, bad).len(), 1, "{bad}");
        assert_eq!(reverted(parent, bad, bad), parent);
        assert_eq!(reverted(parent, bad, &format!("{LATER}{bad}")), format!("{LATER}{parent}"));
    }
}

/// Beside other things of the same commit a field that came is not cut out of what it came with.
#[test]
fn nothing_is_left_without_its_version() {
    for (parent, bad) in [
        ("replicas: 1\n", "replicas: 3\nimage:\n  tag: 1.0.1\n"),
        ("a: 1\n", "a: 1\ncart:\n  image: r/c:1.0.0\n  ports: [80]\n"),
    ] {
        let refused = revert(parent.as_bytes(), bad.as_bytes(), bad.as_bytes());
        assert!(matches!(refused, Err(Refusal::Companion(_))), "{bad}: {refused:?}");
    }
}

/// What has the name says something else by now.
#[test]
fn an_alias_whose_name_was_given_to_another_value_is_left_alone() {
    let of =
        |new: &str, tag: &str| format!("x: {{old: &old 1.0.0, new: &new {new}}}\nimage:\n  tag: *{tag}\n");
    let (parent, bad) = (of("2.0.0", "old"), of("2.0.0", "new"));
    let now = of("2.0.1", "new");
    let left = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes()).unwrap();
    assert_eq!(left.fields[0].outcome, FieldOutcome::Superseded("2.0.1".to_owned()));
    assert_eq!(left.bytes, now.as_bytes());
    let now = bad.replace("1.0.0", "1.0.1");
    let refused = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes()).unwrap_err();
    assert!(matches!(refused, Refusal::Unfaithful(_)), "{refused}");
}

#[test]
fn aliases_of_aliases_are_looked_at_so_far_and_no_further() {
    let mut text = String::from("a0: &a0 {tag: v1}\n");
    for level in 1..60 {
        text.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    }
    text.push_str("image:\n  tag: v1\n");
    let after = text.replace("image:\n  tag: v1", "image:\n  tag: v2");
    assert_eq!(fields(&text, &after), [("image.tag".to_owned(), "v1".to_owned(), "v2".to_owned())]);
    let own = "a: &a\n  b: *a\n  tag: v1\n";
    assert_eq!(fields(own, &own.replace("v1", "v2")).len(), 1);
}

#[test]
fn a_field_that_came_or_went_is_a_deployment() {
    for (without, with, address, value) in [
        (
            "resources:\n- a.yaml\n",
            "resources:\n- a.yaml\nimages:\n- name: web\n  newTag: v2\n",
            "images[name=web].newTag",
            "v2",
        ),
        ("image:\n  repository: a/b\n", "image:\n  repository: a/b\n  tag: v2\n", "image.tag", "v2"),
        ("web:\n  port: 1\n", "web:\n  port: 1\n  version: 2.1.0\n", "web.version", "2.1.0"),
        ("# none yet\n", "# none yet\nimage:\n  tag: v2\n", "image.tag", "v2"),
        ("port: 1\n", "port: 1\nimage:\n  tag: \"v2\"\n", "image.tag", "\"v2\""),
        ("A=1\n", "A=1\nWEB_TAG=v2\n", "WEB_TAG", "v2"),
        ("a:\n  b: 1\nc: 1\n", "a:\n  b: 1\n  image: a/b:v2\nc: 1\n", "a.image", "a/b:v2"),
    ] {
        goes_back(&ValueCase {
            parent: without,
            bad: with,
            fields: &[(address, "", value)],
            later: "x: 1\n",
        });
        goes_back(&ValueCase {
            parent: with,
            bad: without,
            fields: &[(address, value, "")],
            later: "x: 1\n",
        });
    }
    // Beside other fields `{}` is no mapping any more.
    let (without, with) = ("{}\n", "image:\n  tag: v2\n");
    assert_eq!(reverted(without, with, with), without);
    let refused = revert(without.as_bytes(), with.as_bytes(), b"x: 1\nimage:\n  tag: v2\n").unwrap_err();
    assert!(matches!(refused, Refusal::Unfaithful(_)), "{refused}");
}

#[test]
fn an_image_that_was_split_into_a_map_goes_back_whole() {
    let one = "image: a/b:v1\nport: 1\n";
    let two = "image:\n  repository: a/b\n  tag: v2\nport: 1\n";
    goes_back(&ValueCase {
        parent: one,
        bad: two,
        fields: &[("image", "a/b:v1", ""), ("image.tag", "", "v2")],
        later: LATER,
    });
}

/// What came in with more than a release field, and what was only put elsewhere.
#[test]
fn what_is_no_deployment_by_itself() {
    for (before, after) in [
        ("a: 1\n", "a: 1\nreplicas: 2\n"),
        ("image:\n  tag: v1\n", "web:\n  image:\n    tag: v1\n"),
        ("image: a/b:v1\n", "image:\n  repository: a/b\n  tag: v1\n"),
        (
            "kind: A\nmetadata: {name: a}\n",
            "kind: A\nmetadata: {name: a}\n---\nkind: B\nmetadata: {name: b}\nimage: a:1\n",
        ),
        ("a: 1\n", "a: 1\napiVersion: v1\n"),
        ("a: 1\n", "a: 1\npassword: v1.2.3\n"),
        ("a: 1\n", "a: 1\n# image: a:1\n"),
    ] {
        assert_eq!(fields(before, after), [], "{before}---\n{after}");
        assert_eq!(fields(after, before), [], "{after}---\n{before}");
    }
}

/// What has no name is not what had its place.
#[test]
fn documents_without_names_are_known_when_others_come_or_go() {
    let one = |name: &str, version: &str| format!("image:\n  repository: r/{name}\n  tag: {version}\n");
    let three = format!("{}---\n{}---\n{}", one("a", "1.1.0"), one("b", "1.2.0"), one("c", "1.3.0"));
    let note = format!("note: x\n---\n{three}");
    let swapped = format!("{}---\n{}---\n{}", one("b", "1.2.0"), one("a", "1.1.0"), one("c", "1.3.0"));
    for other in [&note, &swapped] {
        assert_eq!(fields(&three, other), [], "{other}");
        assert_eq!(fields(other, &three), [], "{other}");
    }
    let web = |version: &str| format!("kind: Deployment\nmetadata: {{name: web}}\nimage: r/web:{version}\n");
    let api = "kind: Deployment\nmetadata: {name: api}\nimage: r/api:1.0.0\n";
    let (first, last) = (
        format!("{api}---\n{}---\n{}", web("1.0.0"), web("2.0.0")),
        format!("{}---\n{}---\n{api}", web("1.0.0"), web("2.0.0")),
    );
    assert_eq!(fields(&first, &last), []);
    // A deployment in one of them goes back, also where another one came in front since.
    let bumped = three.replace("1.2.0", "1.2.1");
    assert_eq!(reverted(&three, &bumped, &bumped), three);
    assert_eq!(reverted(&three, &bumped, &format!("note: x\n---\n{bumped}")), note);
}

/// A mark at the end of a file, or a comment alone, is a document without anything in it.
#[test]
fn an_empty_document_costs_no_file_its_structure() {
    for (parent, bad) in [
        ("image:\n  tag: v1\n---\n", "image:\n  tag: v2\n---\n"),
        ("---\n---\nimage:\n  tag: v1\n", "---\n---\nimage:\n  tag: v2\n"),
        ("image:\n  tag: v1\n---\n# that is all\n", "image:\n  tag: v2\n---\n# that is all\n"),
        ("image:\n  tag: v1\n---\nnull\n", "image:\n  tag: v2\n---\nnull\n"),
        ("image:\n  tag: v1\n...\n---\n...\n", "image:\n  tag: v2\n...\n---\n...\n"),
    ] {
        let found = fields(parent, bad);
        assert!(matches!(found.as_slice(), [(address, ..)] if address.ends_with("image.tag")), "{found:?}");
        assert_eq!(reverted(parent, bad, bad), parent);
        let elsewhere = format!("{bad}---\nother: 1\n");
        assert_eq!(reverted(parent, bad, &elsewhere), format!("{parent}---\nother: 1\n"));
    }
}

/// Windows tools write texts so.
#[test]
fn a_text_in_utf_16_goes_back_as_it_was_written() {
    let wide = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
    };
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let of =
            |tag: &str, port: u32| wide(&format!("image:\r\n  tag: {tag}\r\nport: {port} # ü\r\n"), unit);
        let there = revert(&of("v1", 1), &of("v2", 1), &of("v2", 1)).unwrap();
        assert_eq!(there.bytes, of("v1", 1));
        assert_eq!(there.fields[0].address, "image.tag");
        let later = revert(&of("v1", 1), &of("v2", 1), &of("v2", 5)).unwrap();
        assert_eq!(later.bytes, of("v1", 5));
        // Somebody has written it otherwise since.
        let now = "image:\n  tag: v2\nport: 1 # ü\n";
        let written = revert(&of("v1", 1), &of("v2", 1), now.as_bytes()).unwrap();
        assert_eq!(written.bytes, now.replace("v2", "v1").as_bytes());
    }
    for bytes in [&b"tag: \xfc\n"[..], b"\xff\xfetag", b"\xff\xfe\x00\xd8", b"\xfe\xff\x00"] {
        assert_eq!(revert(bytes, b"tag: v2\n", b"tag: v2\n"), Err(Refusal::NotText));
    }
}

/// What a field is in got another name since, and is the same otherwise.
#[test]
fn a_field_is_followed_where_what_it_is_in_was_renamed() {
    let manifest = |name: &str, container: &str, version: &str| {
        format!(
            "kind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  containers:\n  - name: {container}\n    image: r/web:{version}\n    port: 80\n"
        )
    };
    for (name, container) in [("web-app", "web"), ("web", "main")] {
        let (parent, bad) = (manifest("web", "web", "1.0.0"), manifest("web", "web", "1.1.0"));
        let now = manifest(name, container, "1.1.0");
        assert_eq!(reverted(&parent, &bad, &now), manifest(name, container, "1.0.0"));
        let newer = manifest(name, container, "1.2.0");
        assert_eq!(reverted(&parent, &bad, &newer), newer);
    }
    let values =
        |block: &str, tag: &str| format!("{block}:\n  image:\n    repository: r/web\n    tag: {tag}\n");
    assert_eq!(
        reverted(&values("web", "v1"), &values("web", "v2"), &values("frontend", "v2")),
        values("frontend", "v1")
    );
    // Another one with the same version is not that one: it may have come with it.
    let others = "api:\n  image:\n    repository: r/api\n    tag: v2\n";
    let only = |tag: &str| format!("web:\n  tag: {tag}\n");
    for (parent, bad, now) in [
        (values("web", "v1"), values("web", "v2"), others.to_owned()),
        (only("v1"), only("v2"), "api:\n  tag: v2\n".to_owned()),
        (values("web", "v1"), values("web", "v2"), format!("{}{}", values("a", "v2"), values("b", "v2"))),
    ] {
        let left = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes()).unwrap();
        assert!(
            matches!(&left.fields[0].outcome, FieldOutcome::Gone(now) if !now.is_empty()),
            "{now}: {left:?}"
        );
        assert_eq!(left.bytes, now.as_bytes());
    }
}
