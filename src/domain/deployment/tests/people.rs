//! What is left to people, what is none of a service's, and what people are told.

use super::entries::{change_of, environment_of};
use super::whole::{World, path, planned, reverted};
use super::*;
use crate::domain::environment::policy::Mixed;
use crate::domain::field::FieldRule;
use crate::domain::history::snapshot::Content;
use crate::domain::history::snapshot::FileKind::{self, Executable, Link, Nothing, Plain, Submodule};

/// A file by its bytes, before and after.
fn bytes_of(name: &str, old: Option<&[u8]>, new: Option<&[u8]>) -> FileDiff {
    let version = |bytes: &[u8]| FileVersion { blob: BlobId::of_part(bytes), bytes: Some(Arc::from(bytes)) };
    FileDiff { path: path(name), was: None, old: old.map(version), new: new.map(version), turned: None }
}

fn turned(name: &str, old: &FileKind, new: &FileKind) -> FileDiff {
    let text = |kind: &FileKind| matches!(kind, Plain | Executable).then_some(&b"echo\n"[..]);
    FileDiff { turned: Some((old.clone(), new.clone())), ..bytes_of(name, text(old), text(new)) }
}

fn link(to: &str) -> FileKind {
    Link(to.to_owned())
}

fn of_commit(number: u8) -> FileKind {
    Submodule(CommitId::from_bytes([number; 20]))
}

/// Whether a commit deployed one service, with something that is for a person to put back.
fn is_by_hand(files: Vec<FileDiff>) -> bool {
    let found = found(vec![commit(2, "bump", files)]);
    let has_any = |one: &Deployment| one.fields.iter().any(|field| field.rule == FieldRule::ByHand);
    found.len() == 1 && found.iter().all(has_any)
}

#[test]
fn what_a_file_is_goes_back_by_a_person() {
    for (name, old, new) in [
        ("run.sh", Plain, Executable),
        ("hooks/post-start", Executable, Plain),
        ("current", link("releases/1.0.0"), link("releases/1.1.0")),
        ("values.yaml", Plain, link("../values-1.1.0.yaml")),
        ("kustomization.yaml", link("../base/kustomization.yaml"), Plain),
        ("chart", of_commit(7), of_commit(8)),
        ("chart", link("../chart"), of_commit(8)),
        ("run.sh", Executable, link("run-2.sh")),
    ] {
        let file = turned(name, &old, &new);
        assert!(is_by_hand(vec![file.clone()]), "{file:?}");
        // A link or a submodule does not go back with a version, either.
        let is_mode = matches!(&file.turned, Some((Plain | Executable, Plain | Executable)));
        assert_eq!(is_by_hand(vec![file.clone(), bump("web", "v1", "v2")]), !is_mode, "{file:?}");
    }
    for (name, old, new) in [
        ("current", link("releases/1.0.0"), Nothing),
        ("chart", Nothing, of_commit(8)),
        ("run.sh", Executable, Nothing),
    ] {
        let file = turned(name, &old, &new);
        assert!(is_by_hand(vec![file.clone(), bump("web", "v1", "v2")]), "{file:?}");
    }
}

#[test]
fn a_file_that_nobody_touched_since_goes_back_whole() {
    let of = |shop: &str| format!("a: &va v1.0.0\nb: &b\n  tag: v2.1.0\nshop:\n  {shop}\nreplicas: 1\n");
    for (old, new) in [("tag: *va", "<<: *b"), ("<<: *b", "tag: *va"), ("tag: *va", "tag: v3.0.0")] {
        let (old, new) = (of(old), of(new).replace("replicas: 1", "replicas: 2"));
        let world =
            World { what: "merge", before: &[("v.yaml", &old)], after: &[("v.yaml", &new)], since: &[] };
        let put = reverted(&world, Mixed::Deployment).unwrap();
        assert_eq!(put[&path("v.yaml")].as_deref(), Some(old.as_str()));
        // The fields alone go back, or nothing does.
        let fields = reverted(&world, Mixed::Fields);
        let wanted = old.replace("replicas: 1", "replicas: 2");
        assert!(fields.is_err() || fields.unwrap()[&path("v.yaml")].as_deref() == Some(&wanted), "{new}");
    }
}

#[test]
fn a_migration_stays_where_a_deployment_goes_back() {
    let (old, new) = ("image:\n  tag: v1\n", "image:\n  tag: v2\n");
    let (sql, more) = ("alter table a add column b int;\n", "alter table a add column c int;\n");
    for (name, was, is) in [
        ("schema/2.sql", None, Some(sql)),
        ("schema/2.sql", Some(sql), None),
        ("schema/2.sql", Some(sql), Some(more)),
        ("migrations/2.py", None, Some("import a\n")),
        ("db/migrate/2.rb", None, Some("class A\n")),
    ] {
        let before: Vec<(&str, &str)> = was.map(|text| (name, text)).into_iter().collect();
        let after: Vec<(&str, &str)> = is.map(|text| (name, text)).into_iter().collect();
        let before = [&[("values.yaml", old)], &before[..]].concat();
        let after = [&[("values.yaml", new)], &after[..]].concat();
        let world = World { what: name, before: &before, after: &after, since: &[] };
        for mixed in [Mixed::Fields, Mixed::Deployment] {
            let put = reverted(&world, mixed).unwrap();
            assert_eq!(put[&path("values.yaml")].as_deref(), Some(old), "{name}");
            assert_eq!(put[&path(name)].as_deref(), is, "{name}");
        }
    }
    // What holds the version too goes back.
    let job = |version: &str| format!("kind: Job\nmetadata: {{name: migrate}}\nimage: r/web:{version}\n");
    let (old, new) = (job("1.0.0"), job("1.1.0"));
    let world = World {
        what: "a Job",
        before: &[("migrations/job.yaml", &old)],
        after: &[("migrations/job.yaml", &new)],
        since: &[],
    };
    assert_eq!(reverted(&world, Mixed::Deployment).unwrap()[&path("migrations/job.yaml")], Some(old));
}

#[test]
fn the_mode_of_a_file_stays_where_a_version_goes_back() {
    const OLD: &[u8] = b"#!/bin/sh\nimage=shop/web:1.0.0\n";
    const NEW: &[u8] = b"#!/bin/sh\nimage=shop/web:1.1.0\n";
    for (name, old, new) in [("run.sh", Plain, Executable), ("run", Executable, Plain)] {
        let file = FileDiff { turned: Some((old, new)), ..bytes_of(name, Some(OLD), Some(NEW)) };
        let mut environment = environment();
        for mixed in [Mixed::Fields, Mixed::Deployment] {
            environment.services[0].policy.mixed = mixed;
            let deployment =
                deployments_of(&commit(2, "bump", vec![file.clone()]), &environment, &Documents::default());
            let current = BTreeMap::from([(path(name), Some(NEW.to_vec().into()))]);
            let change = planned(&environment, &deployment[0], &current).unwrap();
            assert_eq!(change.files[&path(name)].as_ref().and_then(Content::bytes), Some(OLD), "{name}");
            assert_eq!(change.left_behind, [format!("{}: {MODE}", path(name))]);
        }
    }
}

/// Texts in encodings that nobody can tell, each with a version that changed.
const UNREAD: &[(&str, &[u8], &[u8])] = &[
    ("values.yaml", b"tag: v1 # \xfcber\n", b"tag: v2 # \xfcber\n"),
    ("web.env", b"# caf\xe9\nWEB_TAG=v1\n", b"# caf\xe9\nWEB_TAG=v2\n"),
    (
        "values.json",
        b"{\"tag\": \"v1\", \"name\": \"\x83V\x83\x87\"}\n",
        b"{\"tag\": \"v2\", \"name\": \"\x83V\x83\x87\"}\n",
    ),
    ("web.properties", b"t\0a\0g\0=\x001\0\n\0", b"t\0a\0g\0=\x002\0\n\0"),
    ("main.tf", b"tag = \"v1\" # \x96\r\n", b"tag = \"v2\" # \x96\r\n"),
    ("web.ini", b"[web]\ntag = v1\n", b"[web]\ntag = v2 ; \xa9\n"),
    ("values.yml", b"tag: v1 # \xe4\n", "tag: v2 # ä\n".as_bytes()),
    ("web.toml", b"tag = \"v1\"\n", b"\xff\xfet\0a"),
];

#[test]
fn a_text_that_cannot_be_read_goes_back_by_a_person() {
    for (name, old, new) in UNREAD {
        assert!(is_by_hand(vec![bytes_of(name, Some(old), Some(new))]), "{name}");
    }
    for name in ["logo.png", "web.tgz", "keys.bin"] {
        let found =
            found(vec![commit(2, "bump", vec![bytes_of(name, Some(b"\xff1.0.0"), Some(b"\xff1.1.0"))])]);
        assert_eq!(found, [], "{name}");
    }
}

/// Files of tools in the directory of a service.
const OF_TOOLS: &[(&str, &str)] = &[
    (".github/workflows/deploy.yaml", "jobs:\n  a:\n    steps:\n    - run: deploy --image-tag=1.@.0\n"),
    (".gitlab-ci.yml", "image: shop/build:1.@.0\n"),
    (".circleci/config.yml", "jobs: {a: {docker: [{image: 'shop/build:1.@.0'}]}}\n"),
    ("renovate.json", "{\"packageRules\": [{\"allowedVersions\": \"1.@.0\", \"version\": \"1.@.0\"}]}\n"),
    ("mise.toml", "[tools]\nhelm = { version = \"3.@.0\" }\n"),
    ("README.md", "# Web\n\nRun `helm install --version 1.@.0`:\n\nimage: shop/web:1.@.0\n"),
    ("CHANGELOG.md", "## 1.@.0\n\n- Uses `shop/web:1.@.0`.\n"),
    ("docs/values.md", "---\nversion: 1.@.0\n---\n\n| image.tag | 1.@.0 |\n"),
    ("docs/install.markdown", "```yaml\nimage:\n  tag: 1.@.0\n```\n"),
    ("docs/index.rst", ".. image:: shop/web:1.@.0\n\nversion: 1.@.0\n"),
    ("NOTES.md", "[the chart](https://charts.example.com/web-1.@.0.tgz)\n"),
    ("docs/upgrade.adoc", ":version: 1.@.0\n"),
    ("README.txt", "version: 1.@.0\n"),
    ("readme.txt", "image: shop/web:1.@.0\n"),
    ("CHANGELOG", "version = 1.@.0\n"),
    ("docs/CHANGES.txt", "1.@.0\n"),
    ("NOTES.txt", "image.tag=1.@.0\n"),
    ("charts/web/README.md.gotmpl", "image:\n  tag: 1.@.0\n"),
    ("README.MD", "version: 1.@.0\n"),
    (".pre-commit-config.yaml", "repos:\n- repo: https://example.com/lint\n  rev: v1.@.0\n"),
    ("azure-pipelines.yml", "pool: {vmImage: 'ubuntu-2@.04'}\n"),
    ("Jenkinsfile", "docker.image('shop/build:1.@.0').inside {\n}\n"),
    (".tool-versions", "helm 3.@.0\n"),
    (".devcontainer/devcontainer.json", "{\"image\": \"shop/dev:1.@.0\"}\n"),
];

#[test]
fn the_files_of_tools_are_deployed_where_a_rule_says_so() {
    for (name, text) in OF_TOOLS {
        let [old, new] = ["2", "4"].map(|version| text.replace('@', version));
        let change = || commit(2, "bump", vec![file(path(name).as_str(), Some(&old), Some(&new))]);
        assert_eq!(found(vec![change()]), [], "{name}");
        let pattern = format!("apps/{{service}}/{{environment}}/{name}");
        let rule = ServiceRule::new(ServiceFiles::Pattern(PathPattern::new(&pattern).unwrap()));
        let named = Environment { services: vec![rule], ..environment() };
        let deployed = deployments_of(&change(), &named, &Documents::default());
        assert_eq!(deployed.len(), 1, "{name} by {pattern}");
    }
}

/// The three versions of a file of which nothing is reverted, and what people are told of each field.
const REFUSED: &[(&str, [&str; 3], &[&str])] = &[
    (
        "sops.json",
        [
            "{\"tag\": \"v1\", \"p\": \"a\", \"sops\": {\"mac\": \"ENC[1]\"}}\n",
            "{\"tag\": \"v2\", \"p\": \"a\", \"sops\": {\"mac\": \"ENC[2]\"}}\n",
            "{\"tag\": \"v2\", \"p\": \"b\", \"sops\": {\"mac\": \"ENC[3]\"}}\n",
        ],
        &["sops.json: the MAC of SOPS", "\n- tag: \"v1\" → \"v2\" by the deployment, v2 now"],
    ),
    (
        "slots.env",
        ["WEB_TAG=v1\nSLOT=blue\n", "WEB_TAG=v2\nSLOT=green\n", "WEB_TAG=v2\nSLOT=red\n"],
        &["does not go back in parts", "\n- WEB_TAG: v1 → v2 by the deployment"],
    ),
    (
        "app.yaml",
        [
            "source: {chart: web, repoURL: https://a, targetRevision: 1.0.0}\n",
            "source: {chart: web, repoURL: https://a, targetRevision: 1.1.0}\n",
            "source: {chart: api, repoURL: https://a, targetRevision: 1.1.0}\n",
        ],
        &[
            "may be a version of something else",
            "\n- source.targetRevision: 1.0.0 → 1.1.0 by the deployment, 1.1.0 now",
        ],
    ),
    (
        "kustomization.yaml",
        [
            "images:\n- name: web\n  newTag: v1\n- name: api\n  newTag: v1\n",
            "images:\n- name: web\n  newTag: v2\n- name: api\n  newTag: v2\n",
            "images:\n- name: web\n  newTag: v3\n- name: api\n  newTag: v2\n",
        ],
        &[
            "moved on",
            "images[name=web].newTag: v1 → v2 by the deployment, v3 now",
            "images[name=api].newTag: v1 → v2 by the deployment, v2 now",
        ],
    ),
    (
        "docker-compose.yml",
        [
            "services:\r\n  web:\r\n    image: shop/web:1\r\n",
            "services:\r\n  web:\r\n    image: shop/web:2\r\n",
            "services:\r\n  web:\r\n    build: .\r\n",
        ],
        &["services.web.image: shop/web:1 → shop/web:2 by the deployment, gone now"],
    ),
    (
        "tags.env",
        ["WEB_TAG=v1.0\nA=1\n", "WEB_TAG=v1.1\nA=1\n", "FRONTEND_TAG=v1.1\nA=1\n"],
        &["WEB_TAG: v1.0 → v1.1 by the deployment, at FRONTEND_TAG now"],
    ),
    (
        "names.yaml",
        [
            "web: {tag: &t v1}\napi: {tag: *t}\n",
            "web: {tag: v2}\napi: {tag: v2}\n",
            "web: {tag: v3}\napi: {tag: v2}\n",
        ],
        &[
            "put it back by hand",
            "\n- web.tag: v1 → v2 by the deployment, v3 now",
            "\n- api.tag: v1 → v2 by the deployment, v2 now",
        ],
    ),
    (
        "main.tf",
        ["live_slot = \"a\"\n", "live_slot = \"b\"\n", "live_slot = \"b\"\n"],
        &[
            "live_slot changed, which does not go back by machine",
            "live_slot: a → b by the deployment, b now",
        ],
    ),
];

#[test]
fn a_refusal_tells_of_each_field_what_it_was_and_is() {
    for (name, [before, after, since], told) in REFUSED {
        let world =
            World { what: name, before: &[(name, before)], after: &[(name, after)], since: &[(name, since)] };
        let refused = reverted(&world, Mixed::Fields).expect_err(name);
        for part in *told {
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }
}

/// A file, and what makes its text with a version.
type Made<'a> = (&'a str, &'a dyn Fn(&str) -> String);

/// Whoever may commit does not make what people are told longer than they read.
#[test]
fn what_a_refusal_tells_is_bounded() {
    let many = |tag: &str| (0..300).map(|n| format!("web-{n}: {{tag: {tag}}}\n")).collect::<String>();
    let long = |tag: &str| format!("image: r/web:{}{tag}\n", "x".repeat(110));
    let deep =
        |tag: &str| format!("{}tag: {tag}{}\n", "{web: ".repeat(60).replacen('{', "", 1), "}".repeat(59));
    let wide = |tag: &str| format!("images:\n- name: {}\n  newTag: {tag}\n", "ü".repeat(2_000));
    let lines = |tag: &str| (0..50).map(|n| format!("A{n}_TAG={tag}\n")).collect::<String>();
    let list = |tag: &str| format!("{{\"all\": [{}]}}\n", vec![format!("\"r/web:{tag}\""); 1].join(", "));
    let all: [Made<'_>; 6] = [
        ("a.yaml", &many),
        ("b.yaml", &long),
        ("c.yaml", &deep),
        ("d.yaml", &wide),
        ("e.env", &lines),
        ("f.json", &list),
    ];
    for (name, text) in all {
        let [before, after, since] = ["v1", "v2", "v3"].map(text);
        let world = World {
            what: name,
            before: &[(name, &before)],
            after: &[(name, &after)],
            since: &[(name, &since)],
        };
        let refused = reverted(&world, Mixed::Fields).expect_err(name);
        assert!(refused.lines().count() <= 7, "{name}: {refused}");
        assert!(refused.lines().all(|line| line.chars().count() <= 300), "{name}: {refused}");
    }
}

#[test]
fn a_text_that_is_data_is_deployed() {
    for (name, text) in [
        ("charts/web/templates/NOTES.txt", "image: shop/web:1.@.0\n"),
        ("VERSION", "1.@.0\n"),
        ("version.txt", "1.@.0\n"),
        ("image.txt", "shop/web:1.@.0\n"),
        ("news.txt", "1.@.0\n"),
        ("history", "1.@.0\n"),
        ("NOTES.yaml", "version: 1.@.0\n"),
        ("CHANGELOG.env", "TAG=1.@.0\n"),
        ("README/values.yaml", "tag: 1.@.0\n"),
    ] {
        let [old, new] = ["2", "4"].map(|version| text.replace('@', version));
        let path = format!("apps/web/production/{name}");
        let found = found(vec![commit(2, "bump", vec![file(&path, Some(&old), Some(&new))])]);
        assert_eq!(found.len(), 1, "{name}");
    }
}

/// The text of a conflict, as it was before a merge and as it was committed.
fn conflict(before: &str, ours: &str, theirs: &str) -> [String; 2] {
    let after = format!("{before}<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> main\n");
    [format!("{before}{ours}"), after]
}

#[test]
fn a_text_that_cannot_be_read_any_more_is_a_persons() {
    let yaml = conflict("a: 1\n", "image:\n  tag: v1\n", "image:\n  tag: v2\n");
    let env = conflict("A=1\n", "B=1\n", "B=2\n");
    let json = ["{\"a\": {\"b\": 1}}\n", "{\"a\": {\"b\": 1\n"].map(str::to_owned);
    let tabs = ["a:\n  b: 1\n", "a:\n\tb: 1\n"].map(str::to_owned);
    for (name, [old, new], wanted) in [
        ("values.yaml", &yaml, "with a merge conflict in it"),
        ("web.env", &env, "with a merge conflict in it"),
        ("values.json", &json, "not readable"),
        ("values.yml", &tabs, "not readable"),
    ] {
        let found = found(vec![commit(2, "merge", vec![file(path(name).as_str(), Some(old), Some(new))])]);
        let [one] = found.as_slice() else { panic!("{name}: {found:?}") };
        let told: Vec<_> = one.fields.iter().map(|field| (field.rule, field.new.as_str())).collect();
        assert_eq!(told, [(FieldRule::ByHand, wanted)], "{name}");
    }
    // A template is no broken file, nor is one that had a conflict before.
    let template = ["a:\n  b: 1\n", "a:\n{{- if .x }}\n  b: 1\n{{- end }}\n"].map(str::to_owned);
    let still = [yaml[1].clone(), yaml[1].replace("a: 1", "a: 2")];
    for (name, [old, new]) in [("values.yaml", &template), ("values.yaml", &still), ("README.md", &yaml)] {
        let of_file = file(path(name).as_str(), Some(old), Some(new));
        assert_eq!(found(vec![commit(2, "merge", vec![of_file])]), [], "{name}: {new}");
    }
}

#[test]
fn a_release_with_a_conflict_in_it_goes_back_as_one_piece() {
    let [old, new] = conflict("WEB_TAG=v1\n", "A=1\n", "A=2\n");
    let new = new.replace("WEB_TAG=v1", "WEB_TAG=v2");
    let found = found(vec![commit(2, "merge", vec![file(path("web.env").as_str(), Some(&old), Some(&new))])]);
    assert_eq!(found[0].bound.as_deref(), Some("apps/web/production/web.env has a merge conflict in it"));
    assert!(found[0].fields.iter().all(|field| field.rule != FieldRule::ByHand), "{found:?}");
}

#[test]
fn each_service_of_a_file_with_a_conflict_is_told_of() {
    let [old, new] = conflict("web:\n  tag: v1\n", "api:\n  tag: v1\n", "api:\n  tag: v2\n");
    let deployed =
        deployments_of(&change_of(&old, &new), &environment_of("{service}"), &Documents::default());
    let names: Vec<&str> = deployed.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(names, ["api", "web"]);
    for one in deployed {
        let told: Vec<_> = one.fields.iter().map(|field| (field.rule, field.address.as_str())).collect();
        assert_eq!(told, [(FieldRule::ByHand, "its text")], "{}", one.service);
    }
}
