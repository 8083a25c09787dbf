//! Aliases, lines that came or went, empty documents and new names, in the forms in which people and tools write them.

use super::values::{LATER, ValueCase, fields, goes_back};
use super::*;

/// Two versions of a file, and one release field that differs: its address and its values.
type Rows<'a> = &'a [(&'a str, &'a str, (&'a str, &'a str, &'a str))];

/// Values that come by an alias or by a merge.
const BY_NAME: Rows<'static> = &[
    (
        "x-image: {old: &old \"shop/web:1\", new: &new 'shop/web:2'}\nservices:\n  web:\n    image: *old\n    ports: ['80']\n",
        "x-image: {old: &old \"shop/web:1\", new: &new 'shop/web:2'}\nservices:\n  web:\n    image: *new\n    ports: ['80']\n",
        ("services.web.image", "shop/web:1", "shop/web:2"),
    ),
    (
        "x: {old: &old 1.0.0, new: &new 2.0.0}\r\nimage:\r\n  tag: *old # now\r\n",
        "x: {old: &old 1.0.0, new: &new 2.0.0}\r\nimage:\r\n  tag: *new # now\r\n",
        ("image.tag", "1.0.0", "2.0.0"),
    ),
    (
        "x: &old 1.0.0\nimages:\n- {name: web, newTag: *old}\n- {name: api, newTag: *old}\n",
        "x: &old 1.0.0\nimages:\n- {name: web, newTag: 1.1.0}\n- {name: api, newTag: *old}\n",
        ("images[name=web].newTag", "1.0.0", "1.1.0"),
    ),
    (
        "x: &a {image: {tag: v1}, port: 1}\ny: &b {image: {tag: v2}, port: 1}\nweb: {<<: *a, name: web}\n",
        "x: &a {image: {tag: v1}, port: 1}\ny: &b {image: {tag: v2}, port: 1}\nweb: {<<: *b, name: web}\n",
        ("web.image.tag", "v1", "v2"),
    ),
    (
        "x: &a {tag: v1, port: 1}\ny: &b {tag: v2, port: 1}\nweb:\n  <<: [*a, *b]\n",
        "x: &a {tag: v1, port: 1}\ny: &b {tag: v2, port: 1}\nweb:\n  <<: [*b, *a]\n",
        ("web.tag", "v1", "v2"),
    ),
    (
        "x-web: &web\n  image: shop/web:1\n  restart: always\nservices:\n  web:\n    <<: *web\n    ports: ['80']\n",
        "x-web: &web\n  image: shop/web:1\n  restart: always\nservices:\n  web:\n    <<: *web\n    image: shop/web:2\n    ports: ['80']\n",
        ("services.web.image", "shop/web:1", "shop/web:2"),
    ),
    (
        "kind: A\nmetadata: {name: a}\nx: &v v1\n---\nkind: Deployment\nmetadata: {name: web}\nx: {old: &v r/web:1, new: &w r/web:2}\nimage: *v\n",
        "kind: A\nmetadata: {name: a}\nx: &v v1\n---\nkind: Deployment\nmetadata: {name: web}\nx: {old: &v r/web:1, new: &w r/web:2}\nimage: *w\n",
        ("Deployment/web: image", "r/web:1", "r/web:2"),
    ),
    (
        "{\"x\": {\"a\": &a v1, \"b\": &b v2}, \"image\": {\"tag\": *a , \"port\": 1}}\n",
        "{\"x\": {\"a\": &a v1, \"b\": &b v2}, \"image\": {\"tag\": *b , \"port\": 1}}\n",
        ("image.tag", "v1", "v2"),
    ),
];

#[test]
fn a_value_that_comes_by_a_name_goes_back_in_each_form() {
    for (parent, bad, field) in BY_NAME {
        let later = if parent.starts_with('{') { "" } else { LATER };
        let later = if parent.contains("\r\n") { "later: 1\r\n" } else { later };
        goes_back(&ValueCase { parent, bad, fields: &[*field], later });
    }
}

/// A value with a name that a tool wrote out everywhere it stood.
#[test]
fn a_name_that_was_dropped_comes_back_with_all_that_it_stood_for_in_each_form() {
    const DROPPED: &[(&str, &str)] = &[
        (
            "global: {tag: &t v1}\nweb: {tag: *t}\nworker: {tag: *t}\n",
            "global: {tag: v2}\nweb: {tag: v2}\nworker: {tag: v2}\n",
        ),
        (
            "images:\n- name: web\n  newTag: &t \"v1\"\n- name: api\n  newTag: *t\n",
            "images:\n- name: web\n  newTag: \"v2\"\n- name: api\n  newTag: \"v2\"\n",
        ),
        (
            "x: &i r/web:1\ncontainers:\n- name: a\n  image: *i\ninitContainers:\n- name: b\n  image: *i\n",
            "x: r/web:2\ncontainers:\n- name: a\n  image: r/web:2\ninitContainers:\n- name: b\n  image: r/web:2\n",
        ),
        (
            "x: &d\n  tag: v1\nweb:\n  <<: *d\napi:\n  <<: *d\n",
            "x:\n  tag: v2\nweb:\n  tag: v2\napi:\n  tag: v2\n",
        ),
        (
            "web:\r\n  tag: &t v1\r\napi:\r\n  tag: *t\r\nmail:\r\n  tag: *t\r\n",
            "web:\r\n  tag: v2\r\napi:\r\n  tag: v2\r\nmail:\r\n  tag: v2\r\n",
        ),
        (
            "web:\n  version: &v v1\n  image: {tag: *v}\n  label: *v\n",
            "web:\n  version: v2\n  image: {tag: v2}\n  label: v2\n",
        ),
    ];
    for (parent, bad) in DROPPED {
        assert!(!fields(parent, bad).is_empty(), "{bad}");
        assert_eq!(reverted(parent, bad, bad), *parent);
        let later = format!("later: 1\n{bad}");
        assert_eq!(reverted(parent, bad, &later), format!("later: 1\n{parent}"), "{bad}");
        // All of them or none.
        let moved_on = bad.replacen("v2", "v3", 1).replacen("r/web:2", "r/web:3", 1);
        let put = outcome(parent, bad, &moved_on);
        assert!(put.is_err() || put.as_deref() == Ok(moved_on.as_str()), "{moved_on}gives {put:?}");
    }
}

/// The file without a field, and with it; what the field is, and its value.
const CAME: &[(&str, &str, &str, &str)] = &[
    (
        "resources: [d.yaml]\nnamespace: shop\n",
        "resources: [d.yaml]\nnamespace: shop\nimages: [{name: web, newTag: \"v2\"}]\n",
        "images[name=web].newTag",
        "\"v2\"",
    ),
    (
        "image:\r\n  repository: a/b\r\nport: 1\r\n",
        "image:\r\n  repository: a/b\r\n  tag: v2\r\nport: 1\r\n",
        "image.tag",
        "v2",
    ),
    (
        "dependencies:\n- name: web\n  repository: https://c.example.com\n",
        "dependencies:\n- name: web\n  version: 1.2.0\n  repository: https://c.example.com\n",
        "dependencies[name=web].version",
        "1.2.0",
    ),
    (
        "containers:\n- name: web\n  ports: []\n",
        "containers:\n- name: web\n  image: r/web:2\n  ports: []\n",
        "containers[name=web].image",
        "r/web:2",
    ),
    (
        "kind: HelmRelease\nmetadata: {name: web}\nspec:\n  chart:\n    spec:\n      chart: web\n",
        "kind: HelmRelease\nmetadata: {name: web}\nspec:\n  chart:\n    spec:\n      chart: web\n      version: 1.2.0\n",
        "HelmRelease/web: spec.chart.spec.version",
        "1.2.0",
    ),
    ("", "image:\n  tag: v2\n", "image.tag", "v2"),
    ("---\n", "---\nimage:\n  tag: v2\n", "image.tag", "v2"),
    ("{\n  \"port\": 1\n}\n", "{\n  \"port\": 1,\n  \"tag\": \"v2\"\n}\n", "tag", "\"v2\""),
];

#[test]
fn a_field_that_came_or_went_goes_back_in_each_form() {
    for (without, with, address, value) in CAME {
        for (parent, bad, field) in
            [(without, with, (*address, "", *value)), (with, without, (*address, *value, ""))]
        {
            let found = fields(parent, bad);
            let found: Vec<_> = found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
            assert_eq!(found, [field], "{parent}---\n{bad}");
            assert_eq!(reverted(parent, bad, bad), *parent);
        }
    }
}

/// An image in one line that was split into a map, or a map that became one line.
#[test]
fn an_image_that_was_split_goes_back_whole_in_each_form() {
    const SPLIT: &[(&str, &str)] = &[
        (
            "web:\n  image: \"a/b:v1\"\n  port: 1\n",
            "web:\n  image:\n    repository: a/b\n    tag: \"v2\"\n  port: 1\n",
        ),
        ("image: a/b:v1\n", "image: {repository: a/b, tag: v2}\n"),
        (
            "image: a/b:v1\r\nport: 1\r\n",
            "image:\r\n  registry: r\r\n  repository: a/b\r\n  tag: v2\r\nport: 1\r\n",
        ),
        (
            "containers:\n- image: a/b:v1\n  name: a\n",
            "containers:\n- image:\n    repository: a/b\n    tag: v2\n  name: a\n",
        ),
        (
            "{\"image\": \"a/b:v1\", \"port\": 1}\n",
            "{\"image\": {\"repository\": \"a/b\", \"tag\": \"v2\"}, \"port\": 1}\n",
        ),
        ("web: {image: a/b:v1, port: 1}\n", "web: {image: {repository: a/b, tag: v2}, port: 1}\n"),
        ("items:\n- image:\n  name: a\n", "items:\n- image: a/b:v2\n  name: a\n"),
    ];
    for (one, two) in SPLIT {
        for (parent, bad) in [(one, two), (two, one)] {
            assert!(!fields(parent, bad).is_empty(), "{parent}---\n{bad}");
            assert_eq!(reverted(parent, bad, bad), **parent);
        }
    }
}

/// What is in a file besides the one document that counts.
#[test]
fn an_empty_document_costs_no_file_its_structure_in_each_form() {
    const EMPTY: &[&str] = &[
        "image:\n  tag: @\n---\n---\n",
        "---\n# one\n---\n# two\n---\nimage: {tag: \"@\"}\n",
        "%YAML 1.2\n---\nimage:\n  tag: @\n...\n---\n~\n",
        "image:\r\n  tag: @\r\n---\r\n",
        "---\n\n---\nkind: Deployment\nmetadata: {name: web}\nspec:\n  image: {tag: @}\n---\n",
        "image:\n  tag: @\n--- # nothing\n",
        "--- {}\n---\nimage:\n  tag: @\n",
        "image:\n  tag: @\n---\n\"\"\n",
    ];
    for text in EMPTY {
        let [parent, bad] = ["v1", "v2"].map(|version| text.replace('@', version));
        let found = fields(&parent, &bad);
        assert!(
            matches!(found.as_slice(), [(address, ..)] if address.ends_with("image.tag")),
            "{text}: {found:?}"
        );
        assert_eq!(reverted(&parent, &bad, &bad), parent);
        let later = |text: &str| format!("{text}---\nother: 1\n");
        assert_eq!(reverted(&parent, &bad, &later(&bad)), later(&parent), "{text}");
    }
}

/// The file at the deployment with `@` for its version, and how it is called since.
#[test]
fn a_field_is_followed_under_a_new_name_in_each_form() {
    const RENAMED: &[(&str, [&str; 2])] = &[
        (
            "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers: [{name: app, image: \"r/web:@\", tty: true}]\n",
            ["name: app", "name: main"],
        ),
        (
            "kind: Deployment\r\nmetadata:\r\n  name: web\r\nspec:\r\n  image: r/web:@\r\n",
            ["name: web", "name: shop-web"],
        ),
        (
            "{\"services\": {\"web\": {\"image\": \"r/web:@\", \"port\": 80}}}\n",
            ["\"web\": {", "\"frontend\": {"],
        ),
        ("services:\n  web:\n    image: r/web:@\n    ports: ['80']\n", ["  web:\n", "  frontend:\n"]),
        ("releases:\n- name: web\n  chart: shop/web\n  version: @\n", ["name: web\n", "name: frontend\n"]),
        (
            "web:\n  image:\n    repository: r/web\n    tag: @\n  port: 80\n",
            ["web:\n  image", "shopWeb:\n  image"],
        ),
    ];
    for (text, [was, is]) in RENAMED {
        let [parent, bad] = ["1.0.0", "1.1.0"].map(|version| text.replace('@', version));
        let renamed = text.replacen(was, is, 1);
        assert_ne!(renamed, **text);
        let [wanted, now, newer] = ["1.0.0", "1.1.0", "1.2.0"].map(|version| renamed.replace('@', version));
        assert_eq!(reverted(&parent, &bad, &now), wanted);
        is_left_alone(&parent, &bad, &newer);
    }
}

/// A name that is not clear: nothing is done, and the place is named that has the value now.
#[test]
fn a_new_name_that_is_not_clear_is_told_in_each_form() {
    const UNCLEAR: &[(&str, &str, &str)] = &[
        ("web:\n  tag: @\n", "api:\n  tag: @\n", "api.tag"),
        ("web: {image: {tag: @}}\n", "shop: {image: {tag: @, more: 1}}\n", "shop.image.tag"),
        ("WEB_TAG=@\nPORT=1\n", "FRONTEND_TAG=@\nPORT=1\n", "FRONTEND_TAG"),
        (
            "kind: A\nmetadata: {name: web}\nimage: r/web:@\n",
            "kind: A\nmetadata: {name: a}\nimage: r/web:@\n---\nkind: A\nmetadata: {name: b}\nimage: r/web:@\n",
            "image",
        ),
        ("images:\n- name: web\n  newTag: @\n", "images:\n- name: shop\n  newTag: @\n", "newTag"),
        ("{\"web\": {\"tag\": \"@\"}}\n", "{\"shop\": {\"tag\": \"@\"}}\n", "shop.tag"),
    ];
    for (then, now, place) in UNCLEAR {
        let [parent, bad] = ["1.0.0", "1.1.0"].map(|version| then.replace('@', version));
        let now = now.replace('@', "1.1.0");
        let left = revert(parent.as_bytes(), bad.as_bytes(), now.as_bytes()).unwrap();
        assert_eq!(left.bytes, now.as_bytes());
        let FieldOutcome::Gone(places) = &left.fields[0].outcome else { panic!("{now}: {left:?}") };
        assert!(places.iter().any(|known| known.contains(place)), "{now}: {places:?}");
    }
}

/// Where the copies of data go is changed since, in the files of the tools that make them.
#[test]
fn the_repository_of_a_backup_is_no_source_in_each_form() {
    const BACKUPS: &[&str] = &[
        "kind: ReplicationSource\nmetadata: {name: web}\nspec:\n  restic: {repository: \"#\", image: {tag: @}}\n",
        "restic:\r\n  repository: '#'\r\n  tag: @\r\n",
        "{\"backup\": {\"repository\": \"#\", \"tag\": \"@\"}}\n",
        "kopia: {repository: \"#\", version: @}\n",
        "volsync:\n  restic:\n    repository: \"#\"\n    image:\n      tag: @\n",
        "velero:\n  backupStorage: {repository: \"#\"}\n  image: {tag: @}\n",
        "postgres:\n  backup:\n    repository: \"#\"\n    schedule: daily\n  image: {repository: a/b, tag: @}\n",
    ];
    for text in BACKUPS {
        let of = |repository: &str, tag: &str| text.replace('#', repository).replace('@', tag);
        let (old, new) = ("s3:s3.example.com/a", "s3:s3.example.com/b");
        assert_eq!(reverted(&of(old, "1.0.0"), &of(old, "1.1.0"), &of(new, "1.1.0")), of(new, "1.0.0"));
    }
}

/// Items that only another key than `name` tells apart.
#[test]
fn items_are_known_by_other_keys_in_each_form() {
    const ITEMS: &[(&str, &str)] = &[
        ("[", "{\"display_name\": \"$\", \"version\": \"@\"}, "),
        ("items: [", "{\"title\": \"$\", \"version\": \"@\"}, "),
        ("apps:\n", "- version: @\n  display_name: \"$\"\n"),
        ("apps:\r\n", "- displayName: '$'\r\n  image:\r\n    tag: @\r\n"),
        ("spec:\n  apps:\n", "  - app: $\n    settings: {port: 1}\n    version: @\n"),
        ("services:\n", "- host: $.example.com\n  tag: @\n"),
    ];
    for (head, item) in ITEMS {
        let of = |items: &[(&str, &str)]| {
            let items: String =
                items.iter().map(|(name, tag)| item.replace('$', name).replace('@', tag)).collect();
            format!("{head}{items}{}", if head.ends_with('[') { "]\n" } else { "" })
        };
        let parent = of(&[("api", "1.1.0"), ("web", "1.0.0")]);
        let bad = of(&[("api", "1.1.0"), ("web", "1.1.0")]);
        let now = of(&[("shop", "1.1.0"), ("web", "1.1.0"), ("api", "1.1.0")]);
        assert_ne!(compare(&parent, &bad).release_fields().count(), 0, "{parent}---\n{bad}");
        assert_eq!(
            reverted(&parent, &bad, &now),
            of(&[("shop", "1.1.0"), ("web", "1.0.0"), ("api", "1.1.0")])
        );
    }
}

/// A word that stands in a block of lines goes back as that word, whatever the style before and since.
#[test]
fn a_word_in_a_block_of_lines_goes_back_in_each_form() {
    for (before, after, since, wanted) in [
        (
            "image: >-\n  r/web:v1\nx: 1\n",
            "image: >-\n  r/web:v2\nx: 1\n",
            "image: >-\n  r/web:v2\nx: 2\n",
            "image: >-\n  r/web:v1\nx: 2\n",
        ),
        (
            "image: r/web:v1\nx: 1\n",
            "image: >-\n  r/web:v2\nx: 1\n",
            "image: >-\n  r/web:v2\nx: 2\n",
            "image: >-\n  r/web:v1\nx: 2\n",
        ),
        (
            "image: \"r/web:v1\"\nx: 1\n",
            "image: |\n  r/web:v2\nx: 1\n",
            "image: |\n  r/web:v2\nx: 2\n",
            "image: |\n  r/web:v1\nx: 2\n",
        ),
        (
            "image: |-\n  r/web:v1\nx: 1\n",
            "image: 'r/web:v2'\nx: 1\n",
            "image: 'r/web:v2'\nx: 2\n",
            "image: r/web:v1\nx: 2\n",
        ),
        ("tag: 'v1'\nx: 1\n", "tag: 'v2'\nx: 1\n", "tag: |+2\n  v2\nx: 2\n", "tag: |+2\n  v1\nx: 2\n"),
        (
            "- name: VERSION\r\n  value: >-\r\n    v1\r\n",
            "- name: VERSION\r\n  value: >-\r\n    v2\r\n",
            "- name: VERSION\r\n  value: >-\r\n    v2\r\n  x: 1\r\n",
            "- name: VERSION\r\n  value: >-\r\n    v1\r\n  x: 1\r\n",
        ),
    ] {
        assert_eq!(fields(before, after).len(), 1, "{after}");
        assert_eq!(reverted(before, after, since), wanted);
        assert!(outcome(before, after, after).is_ok(), "{after}");
    }
}

/// The name of an image that came or went while no version did, with its address and its values.
const OF_NAMES: Rows<'static> = &[
    (
        "images:\n- name: web\n",
        "images:\n- name: web\n  newName: shop/web\n",
        ("images[name=web].newName", "", "shop/web"),
    ),
    (
        "images:\n- name: web\n  newTag: v1\n",
        "images:\n- name: web\n  newName: shop/web\n  newTag: v1\n",
        ("images[name=web].newName", "", "shop/web"),
    ),
    (
        "image:\n  repository: shop/web\n  pullPolicy: Always\n",
        "image:\n  pullPolicy: Always\n",
        ("image.repository", "shop/web", ""),
    ),
    ("image: {tag: v1}\n", "image: {tag: v1, registry: quay.io}\n", ("image.registry", "", "quay.io")),
    (
        "global:\r\n  env: a\r\n",
        "global:\r\n  env: a\r\n  imageRegistry: mirror.example.com\r\n",
        ("global.imageRegistry", "", "mirror.example.com"),
    ),
];

#[test]
fn the_name_of_an_image_that_came_or_went_goes_back() {
    for (parent, bad, field) in OF_NAMES {
        let later = if parent.contains("\r\n") { "later: 1\r\n" } else { LATER };
        goes_back(&ValueCase { parent, bad, fields: &[*field], later });
    }
    for (before, after) in [
        // What belongs to a version that came or went, and what names no image.
        ("a: 1\n", "a: 1\nimage:\n  repository: shop/web\n  tag: v1\n"),
        ("image: shop/web:v1\n", "image:\n  repository: shop/web\n  tag: v1\n"),
        ("backup: {size: 1}\n", "backup: {size: 1, repository: s3/a}\n"),
        ("imageCache: {size: 1}\n", "imageCache: {size: 1, repository: /var/a}\n"),
        ("imagePullSecret: {name: a}\n", "imagePullSecret: {name: a, registry: quay.io}\n"),
        ("users:\n- id: a\n", "users:\n- id: a\n  newName: ann\n"),
    ] {
        let found = fields(before, after);
        let is_name = |(address, ..): &(String, String, String)| {
            ["repository", "registry", "newName"].iter().any(|key| address.ends_with(key))
        };
        assert!(!found.iter().any(is_name), "{found:?}: {after}");
    }
}
