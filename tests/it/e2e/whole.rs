//! Deployments that are more than a scalar, through Git: what a person is asked about, archives, links, and what came or went.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::stage::{BOT, Stage, item, text, words};
use super::table::{self, Rules};

/// A stage with what `before` makes, then what `after` makes of it, twelve minutes ago; since a minute later `web` fails.
fn deployed(before: impl Fn(&Path), after: impl Fn(&Path)) -> (Stage, String) {
    let stage = table::stage(
        &Rules::new(r#"[{pattern: "apps/{service}/**"}]"#),
        &[("apps/api/values.yaml", "tag: v1\n")],
    );
    let directory = stage.clone_of_people().join("apps/web");
    std::fs::create_dir_all(&directory).unwrap();
    before(&directory);
    stage.commit(-90, BOT, "Set up web");
    after(&directory);
    let bad = stage.commit(-12, BOT, "Deploy web");
    stage.push();
    table::errors(&stage, &[("web", &[(-11, 99)]), ("api", table::FINE)]);
    (stage, bad)
}

fn put(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A person is asked once, and nothing is changed.
#[track_caller]
fn is_for_a_person((stage, bad): (Stage, String), why: &str) {
    let report = stage.pass(4);
    let web = item(&report, "web");
    assert_eq!(words(web), "regressed escalate", "{report:#}");
    assert!(text(web, "why").contains(why), "{why}: {}", text(web, "why"));
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// The tree of the service is what it was.
#[track_caller]
fn is_back((stage, bad): (Stage, String)) {
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    let tree = |commit: &str| stage.remote(&["ls-tree", "-r", commit, "apps/web"]);
    assert_eq!(tree("main"), tree(&format!("{bad}^")));
    stage.nothing_more();
}

#[test]
fn what_a_file_is_can_change_what_runs() {
    let run = |directory: &Path, mode: u32| {
        put(directory, "run.sh", "exec web\n");
        std::fs::set_permissions(directory.join("run.sh"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    is_for_a_person(
        deployed(|at| run(at, 0o755), |at| run(at, 0o644)),
        "what it is: an executable file → a plain file by the deployment",
    );
    let link = |directory: &Path, to: &str| {
        drop(std::fs::remove_file(directory.join("current")));
        symlink(to, directory.join("current")).unwrap();
    };
    is_for_a_person(
        deployed(|at| link(at, "releases/1"), |at| link(at, "releases/2")),
        "what it is: a link to releases/1 → a link to releases/2 by the deployment",
    );
    is_for_a_person(
        deployed(
            |at| link(at, "releases/1"),
            |at| {
                std::fs::remove_file(at.join("current")).unwrap();
                put(at, "current", "tag: v1\n");
            },
        ),
        "what it is: a link to releases/1 → a plain file by the deployment",
    );
    // What is gone would come back without its mode, and a link not at all.
    let beside = |at: &Path, version: &str| put(at, "values.yaml", format!("image:\n  tag: {version}\n"));
    is_for_a_person(
        deployed(
            |at| {
                beside(at, "v1");
                run(at, 0o755);
            },
            |at| {
                beside(at, "v2");
                std::fs::remove_file(at.join("run.sh")).unwrap();
            },
        ),
        "what it is: an executable file → nothing by the deployment",
    );
    is_for_a_person(
        deployed(
            |at| beside(at, "v1"),
            |at| {
                beside(at, "v2");
                link(at, "releases/2");
            },
        ),
        "what it is: nothing → a link to releases/2 by the deployment",
    );
    // A tag that changed with it does not go back alone.
    let both = |at: &Path, version: &str| {
        link(at, version);
        put(at, "values.yaml", format!("image:\n  tag: {version}\n"));
    };
    is_for_a_person(deployed(|at| both(at, "v1"), |at| both(at, "v2")), "apps/web/current: what it is");
}

#[test]
fn a_file_that_became_executable_stays_so() {
    let both = |at: &Path, tag: &str, mode: u32| {
        put(at, "values.yaml", format!("image:\n  tag: {tag}\n"));
        put(at, "run.sh", "exec web\n");
        std::fs::set_permissions(at.join("run.sh"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let (stage, _) = deployed(|at| both(at, "v1", 0o644), |at| both(at, "v2", 0o755));
    let report = stage.pass(3);
    assert_eq!(stage.file("main", "web"), "image:\n  tag: v1\n");
    assert!(stage.remote(&["ls-tree", "main", "apps/web/run.sh"]).starts_with("100755"), "{report:#}");
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("stays as it is:\n\n- apps/web/run.sh: its mode"), "{message}");
    stage.nothing_more();
}

#[test]
fn a_text_that_cannot_be_read_is_named() {
    let latin =
        |tag: &str| -> Vec<u8> { [b"image:\n  tag: ", tag.as_bytes(), b"\nowner: J\xfcrgen\n"].concat() };
    is_for_a_person(
        deployed(|at| put(at, "values.yaml", latin("v1")), |at| put(at, "values.yaml", latin("v2"))),
        "its text, which is neither UTF-8 nor UTF-16 with its mark, changed",
    );
    let wide = |tag: &str| -> Vec<u8> {
        format!("\u{feff}image:\n  tag: {tag}\n").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    is_back(deployed(|at| put(at, "values.yaml", wide("v1")), |at| put(at, "values.yaml", wide("v2"))));
}

#[test]
fn what_belongs_to_a_version_comes_back_with_it() {
    let archive =
        |version: &str| -> Vec<u8> { (0..=255_u8).chain(version.bytes()).cycle().take(3_000).collect() };
    let vendored = |at: &Path, version: &str| {
        drop(std::fs::remove_dir_all(at.join("charts")));
        put(
            at,
            "Chart.yaml",
            format!(
                "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- name: cd\n  version: {version}\n"
            ),
        );
        put(at, &format!("charts/cd-{version}.tgz"), archive(version));
    };
    is_back(deployed(|at| vendored(at, "5.19.8"), |at| vendored(at, "5.19.9")));
    let named = |at: &Path, version: &str| {
        drop(std::fs::remove_dir_all(at.join("releases")));
        put(at, "kustomization.yaml", format!("resources:\n- releases/{version}\n"));
        put(at, &format!("releases/{version}/kustomization.yaml"), "resources:\n- web.yaml\n");
        put(at, &format!("releases/{version}/web.yaml"), format!("image: shop/web:{version}\n"));
    };
    is_back(deployed(|at| named(at, "1.0.0"), |at| named(at, "1.0.1")));
}

/// More bytes than are read of a file.
fn large(version: &str) -> Vec<u8> {
    [0].into_iter().chain(version.bytes()).cycle().take((4 << 20) + 1).collect()
}

#[test]
fn a_file_that_is_not_read_comes_back_by_its_id() {
    let chart = |at: &Path, archive: &str, version: &str, with: &[u8]| {
        drop(std::fs::remove_dir_all(at.join("charts")));
        put(at, "Chart.yaml", format!("dependencies:\n- name: cd\n  version: {version}\n"));
        put(at, &format!("charts/{archive}"), with);
    };
    let (one, two, three) = (large("1"), large("2"), large("3"));
    // Another name, the same name, one that grew, and one that shrank.
    for (then, now, old, new) in [
        ("cd-1.0.0.tgz", "cd-1.0.1.tgz", &one[..], &two[..]),
        ("cd.tgz", "cd.tgz", &one, &two),
        ("cd.tgz", "cd.tgz", b"small", &two),
        ("cd.tgz", "cd.tgz", &one, b"small"),
    ] {
        is_back(deployed(|at| chart(at, then, "1.0.0", old), |at| chart(at, now, "1.0.1", new)));
    }
    // It came, it went, or it was moved, beside the version.
    let tag = |at: &Path, tag: &str| put(at, "values.yaml", format!("image:\n  tag: {tag}\n"));
    let with = |at: &Path, version: &str, name: Option<&str>| {
        drop(std::fs::remove_dir_all(at.join("models")));
        tag(at, version);
        if let Some(name) = name {
            put(at, &format!("models/{name}"), &one);
        }
    };
    for (then, now) in [(None, Some("a.onnx")), (Some("a.onnx"), None), (Some("a.onnx"), Some("b.onnx"))] {
        is_back(deployed(|at| with(at, "v1", then), |at| with(at, "v2", now)));
    }
    // Somebody replaced it since: nobody knows what is in it.
    let (stage, _) =
        deployed(|at| chart(at, "cd.tgz", "1.0.0", &one), |at| chart(at, "cd.tgz", "1.0.1", &two));
    put(&stage.clone_of_people().join("apps/web"), "charts/cd.tgz", &three);
    let last = stage.commit(-3, BOT, "Another archive");
    stage.push();
    let report = stage.pass(4);
    assert!(text(item(&report, "web"), "why").contains("it changed the archive"), "{report:#}");
    assert_eq!(stage.tip(), last);
    stage.nothing_more();
}

/// A file cannot come back where a directory stands by now: that is said once, and is no trouble of the pass.
#[test]
fn a_file_whose_place_is_taken_does_not_come_back() {
    let tag = |at: &Path, tag: &str| put(at, "values.yaml", format!("image:\n  tag: {tag}\n"));
    let with_conf = |at: &Path| {
        tag(at, "v1");
        put(at, "conf", "a\n");
    };
    let (stage, _) = deployed(with_conf, |at| {
        tag(at, "v2");
        std::fs::remove_file(at.join("conf")).unwrap();
    });
    put(&stage.clone_of_people().join("apps/web"), "conf/new", "b\n");
    let last = stage.commit(-3, BOT, "Split it");
    stage.push();
    let report = stage.pass(4);
    assert!(text(item(&report, "web"), "why").contains("stands in its place by now"), "{report:#}");
    assert_eq!(stage.tip(), last);
    stage.nothing_more();
    is_for_a_person(
        deployed(with_conf, |at| {
            tag(at, "v2");
            std::fs::remove_file(at.join("conf")).unwrap();
            put(at, "conf/new", "b\n");
        }),
        "stands in its place by now",
    );
}

/// A file that the deployment added is needed by now: by a kustomization of the service, or by another one.
#[test]
fn a_file_that_something_needs_is_not_removed() {
    let made = |at: &Path, version: &str, with: bool| {
        put(at, "kustomization.yaml", "resources:\n- web.yaml\n");
        put(
            at,
            "web.yaml",
            format!("kind: Deployment\nmetadata: {name}\nimage: shop/web:{version}\n", name = "{name: web}"),
        );
        if with {
            put(at, "extra.yaml", "kind: ConfigMap\nmetadata: {name: extra}\n");
        }
    };
    for (path, names_it) in [
        ("apps/web/kustomization.yaml", "resources:\n- web.yaml\npatches:\n- path: extra.yaml\n"),
        ("clusters/one/kustomization.yaml", "resources:\n- ../../apps/web/extra.yaml\n"),
    ] {
        let (stage, _) = deployed(|at| made(at, "v1", false), |at| made(at, "v2", true));
        stage.write(path, names_it);
        let last = stage.commit(-3, BOT, "Use it");
        stage.push();
        let report = stage.pass(4);
        let why = text(item(&report, "web"), "why");
        assert!(why.contains(&format!("apps/web/extra.yaml: {path} names it")), "{report:#}");
        assert_eq!(stage.tip(), last);
        stage.nothing_more();
    }
    is_back(deployed(|at| made(at, "v1", false), |at| made(at, "v2", true)));
}

#[test]
fn what_came_or_went_is_taken_back() {
    for (before, after) in [
        ("resources: [base]\n", "resources: [base]\nimages:\n- name: web\n  newTag: v2\n"),
        ("image:\n  tag: v1\n", "image: {}\n"),
        ("image:\n  tag: v1\n", "# nothing here\n"),
        ("x: {a: &a v1, b: &b v2}\ntag: *a\n", "x: {a: &a v1, b: &b v2}\ntag: *b\n"),
    ] {
        is_back(deployed(|at| put(at, "values.yaml", before), |at| put(at, "values.yaml", after)));
    }
}
