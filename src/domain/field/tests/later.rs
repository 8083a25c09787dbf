//! What has happened to a file since the deployment, and what of it is in the way.

use super::*;

/// Items of a list are known by what names them, whatever key that stands under.
#[test]
fn items_are_known_by_names_under_many_keys() {
    let keys =
        ["display_name", "displayName", "title", "service", "app", "component", "module", "host", "slug"];
    for key in keys {
        let item = |name: &str, version: &str| format!("- {key}: {name}\n  version: {version}\n");
        let (web, bad) = (item("web", "1.0.0"), item("web", "1.1.0"));
        let parent = format!("items:\n{}{web}", item("api", "1.1.0"));
        let deployed = format!("items:\n{}{bad}", item("api", "1.1.0"));
        let current = format!("items:\n{}{bad}{}", item("shop", "1.1.0"), item("api", "1.1.0"));
        let expected = format!("items:\n{}{web}{}", item("shop", "1.1.0"), item("api", "1.1.0"));
        assert_eq!(reverted(&parent, &deployed, &current), expected, "{key}");
    }
}

/// Where the copies of data go is not where an image comes from: it may change without being in the way.
#[test]
fn the_repository_of_a_backup_is_no_source() {
    for (block, old, new) in [
        ("backup", "s3:s3.example.com/a", "s3:s3.example.com/b"),
        ("restic", "shop-secret-a", "shop-secret-b"),
        ("volsync", "rest:https://r.example.com/a", "rest:https://r.example.com/b"),
        ("backups", "shop-a", "shop-b"),
        ("store", "/srv/a", "/srv/b"),
        ("snapshots", "repo-a", "repo-b"),
    ] {
        let text =
            |repository: &str, tag: &str| format!("{block}:\n  repository: {repository}\n  tag: {tag}\n");
        assert_eq!(
            reverted(&text(old, "v1"), &text(old, "v2"), &text(new, "v2")),
            text(new, "v1"),
            "{block}"
        );
        let around = |repository: &str, tag: &str| {
            format!("{block}:\n  repository: {repository}\n  image:\n    tag: {tag}\n")
        };
        assert_eq!(
            reverted(&around(old, "v1"), &around(old, "v2"), &around(new, "v2")),
            around(new, "v1"),
            "{block}"
        );
    }
    // Of an image it is.
    for (block, old, new) in
        [("image", "shop/web", "shop/api"), ("restic", "restic/restic", "shop/restic-next")]
    {
        let text =
            |repository: &str, tag: &str| format!("{block}:\n  repository: {repository}\n  tag: {tag}\n");
        let [parent, bad, current] = [text(old, "v1"), text(old, "v2"), text(new, "v2")];
        assert!(revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()).is_err(), "{block}");
    }
}

/// A line that came or went, and what stands beside it by now: another thing, or another version.
const BESIDE_OTHERS: &[(&str, &str, &str)] = &[
    (
        "web:\n  repository: a/web\n  tag: v1\n  p: 1\n",
        "web:\n  repository: a/web\n  p: 1\n",
        "web:\n  repository: a/other\n  p: 1\n",
    ),
    (
        "module \"web\" {\n  source = \"x/y\"\n  version = \"1.0.0\"\n}\n",
        "module \"web\" {\n  source = \"x/y\"\n}\n",
        "module \"web\" {\n  source = \"./local\"\n}\n",
    ),
    (
        "image:\n  repository: a/web\n  tag: v1\n",
        "image:\n  repository: a/web\n",
        "image:\n  repository: a/web:v3\n",
    ),
    (
        "image:\n  repository: a/web\n  digest: sha256:0000\n",
        "image:\n  repository: a/web\n",
        "image:\n  repository: a/web\n  tag: v2\n",
    ),
    (
        "d: &d\n  tag: v4\nweb:\n  <<: *d\n  tag: v1\n",
        "d: &d\n  tag: v4\nweb:\n  <<: *d\n",
        "d: &d\n  tag: v5\nweb:\n  <<: *d\n",
    ),
    (
        "image:\n  repository: a/web\n",
        "image:\n  repository: a/web\n  tag: v1\n",
        "image:\n  repository: a/web\n  tag: v1\n  digest: sha256:0000\n",
    ),
    (
        "image:\n  repository: a/web\n",
        "image:\n  repository: a/web\n  tag: v1\n",
        "image:\n  repository: b/web\n  tag: v1\n",
    ),
    (
        "source:\n  repoURL: https://g.example.com/a\n  targetRevision: 1.0.0\n",
        "source:\n  repoURL: https://g.example.com/b\n  targetRevision: 1.0.0\n",
        "source:\n  repoURL: https://g.example.com/b\n  targetRevision: 1.1.0\n",
    ),
    (
        "image:\n  repository: a/web\n  tag: v1\n",
        "image:\n  repository: b/web\n  tag: v1\n",
        "image:\n  repository: b/web\n  tag: v2\n",
    ),
    (
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      version: 1.0.0\n      sourceRef:\n        name: a\n",
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      version: 1.0.0\n      sourceRef:\n        name: b\n",
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      version: 1.1.0\n      sourceRef:\n        name: b\n",
    ),
    (
        "kind: Kustomization\nspec:\n  path: ./v1\n  sourceRef:\n    name: a\n",
        "kind: Kustomization\nspec:\n  path: ./v1\n  sourceRef:\n    name: b\n",
        "kind: Kustomization\nspec:\n  path: ./v2\n  sourceRef:\n    name: b\n",
    ),
    (
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/a\n  ref:\n    tag: v1\n    x: 1\n",
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/a\n  ref:\n    x: 1\n",
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/b\n  ref:\n    x: 1\n",
    ),
    (
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/a\n  ref:\n    tag: v1\n",
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/b\n  ref:\n    tag: v1\n",
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://r/b\n  ref:\n    tag: v2\n",
    ),
    (
        "helmCharts:\n- name: web\n  repo: https://a\n  version: 1.0.0\n",
        "helmCharts:\n- name: web\n  repo: https://b\n  version: 1.0.0\n",
        "helmCharts:\n- name: web\n  repo: https://b\n  version: 1.1.0\n",
    ),
    (
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      version: 1.0.0\n      sourceRef:\n        name: a\n",
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      sourceRef:\n        name: a\n",
        "kind: HelmRelease\nspec:\n  chart:\n    spec:\n      sourceRef:\n        name: b\n",
    ),
];

#[test]
fn a_line_goes_back_only_beside_what_it_stood_beside() {
    for (parent, bad, now) in BESIDE_OTHERS {
        let put = outcome(parent, bad, now);
        assert!(put.is_err() || put.as_deref() == Ok(*now), "{bad}then\n{now}gives\n{put:?}");
    }
}

/// Several lines that went come back in their order, over comments and over each other.
#[test]
fn lines_that_went_come_back_in_their_order() {
    let head = "image:\n  repository: a/web\n";
    for lines in [
        "  tag: v1\n  digest: sha256:0000\n",
        "  registry: r.example.com\n  tag: v1\n  digest: sha256:0000\n",
        "  # the tag\n  tag: v1\n",
    ] {
        let text = |lines: &str, pull: &str| format!("{head}{lines}  pull: {pull}\n");
        let put = outcome(&text(lines, "a"), &text("", "a"), &text("", "b")).unwrap();
        let without_comments: String =
            lines.split_inclusive('\n').filter(|line| !line.contains('#')).collect();
        assert!([text(lines, "b"), text(&without_comments, "b")].contains(&put), "{put}");
    }
}

/// Whoever takes a value by its name since then would get a version that nobody gave it.
#[test]
fn a_value_that_another_takes_by_name_since_does_not_go_back() {
    let (parent, bad) = ("cart: {tag: &v v1}\nadm: {tag: v9}\n", "cart: {tag: &v v2}\nadm: {tag: v9}\n");
    for now in
        ["cart: {tag: &v v2}\nadm: {tag: *v}\n", "cart: {tag: &v v2}\nadm: {tag: v9}\nnew: {tag: *v}\n"]
    {
        assert!(matches!(outcome(parent, bad, now), Err(Refusal::Shared(_))), "{now}");
    }
    let (parent, bad) = ("cart: {tag: &v v1}\nadm: {tag: *v}\n", "cart: {tag: &v v2}\nadm: {tag: *v}\n");
    let now = "cart: {tag: &v v2}\nadm: {tag: *v}\nmore: 1\n";
    assert_eq!(outcome(parent, bad, now).unwrap(), now.replace("v2", "v1"));
}

/// The line of a setting comes back beside another one whose value has changed.
#[test]
fn settings_come_back_beside_their_neighbours() {
    let file = |path: &'static str, lines: [&str; 3]| {
        let fields = Selection::default();
        let [parent, bad, now] = lines.map(str::as_bytes);
        let put = super::super::revert(&File { path, fields: &fields }, parent, bad, now).unwrap();
        String::from_utf8(put.bytes).unwrap()
    };
    let env = file("web.env", ["A=1\nWEB_TAG=v1\nB=1\n", "A=1\nB=1\n", "A=2\nB=2\n"]);
    assert_eq!(env, "A=2\nWEB_TAG=v1\nB=2\n");
    let toml = ["[web]\na = 1\ntag = \"v1\"\nb = 1\n", "[web]\na = 1\nb = 1\n", "[web]\na = 2\nb = 2\n"];
    assert_eq!(file("web.toml", toml), "[web]\na = 2\ntag = \"v1\"\nb = 2\n");
}

/// The parent, the deployment, what is there by now, and what goes back.
const OF_LINE_ENDS: &[[&str; 4]] = &[
    [
        "a: 1\r\nb: 1\r\ntag: v1\r\nc: 1\r\n",
        "a: 2\r\nb: 1\r\nc: 1\r\n",
        "a: 2\r\nb: 1\r\nc: 1\r\n",
        "a: 2\r\nb: 1\r\ntag: v1\r\nc: 1\r\n",
    ],
    [
        "a: 1\r\ntag: v1\r\ndigest: sha256:0000\r\nb: 2\r\n",
        "a: 2\r\ntag: v2\r\nb: 2\r\n",
        "a: 2\r\ntag: v2\r\nb: 2\r\nlater: 1\r\n",
        "a: 2\r\ntag: v1\r\ndigest: sha256:0000\r\nb: 2\r\nlater: 1\r\n",
    ],
    // Somebody has changed the line ends since.
    ["a: 1\ntag: v1\nb: 1\n", "a: 1\nb: 1\n", "a: 1\r\nb: 1\r\n", "a: 1\r\ntag: v1\r\nb: 1\r\n"],
    ["a: 1\r\ntag: v1\r\nb: 1\r\n", "a: 1\r\nb: 1\r\n", "a: 1\nb: 1\n", "a: 1\ntag: v1\nb: 1\n"],
    ["TAG=v1\r\nA=1\r\n", "A=1\r\n", "A=1\r\nB=1\r\n", "TAG=v1\r\nA=1\r\nB=1\r\n"],
];

#[test]
fn a_line_that_comes_back_ends_as_the_others_of_the_file() {
    for [parent, bad, current, wanted] in OF_LINE_ENDS {
        let file = File { path: "a.env", fields: &Selection::default() };
        let back = super::super::revert(&file, parent.as_bytes(), bad.as_bytes(), current.as_bytes());
        let text = back.map(|back| String::from_utf8(back.bytes).unwrap());
        assert_eq!(text.as_deref(), Ok(*wanted), "{parent:?}");
    }
}
