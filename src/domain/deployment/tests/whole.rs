//! What belongs to a value goes back with it, or nothing does.

use super::*;
use crate::domain::change::plan::{Target, plan};
use crate::domain::change::{Asked, Change, Motive};
use crate::domain::environment::policy::Mixed;
use crate::domain::history::snapshot::Content;

/// Files of `apps/web/production`, with their texts.
pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

/// A deployment, and what somebody changed since.
pub(super) struct World<'a> {
    pub(super) what: &'a str,
    pub(super) before: Files<'a>,
    pub(super) after: Files<'a>,
    pub(super) since: Files<'a>,
}

pub(super) fn path(name: &str) -> FilePath {
    FilePath::new(format!("apps/web/production/{name}")).unwrap()
}

pub(super) fn text<'t>(files: Files<'t>, name: &str) -> Option<&'t str> {
    files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The revert of a deployment where the files are these, or why there is none.
pub(super) fn planned(
    environment: &Environment,
    deployment: &Deployment,
    current: &BTreeMap<FilePath, Option<Content>>,
) -> Result<Change, String> {
    let branch = BranchName::new("main").unwrap();
    let target = Target {
        branch: &branch,
        head: CommitId::from_bytes([9; 20]),
        current,
        policy: &environment.services[0].policy,
        moved: &BTreeMap::new(),
        now: Time::from_unix(9_000),
    };
    let motive = Motive::Request(Asked { who: "dana", why: None });
    plan(deployment, motive, &target).map_err(|none| none.to_string())
}

/// The files after a revert that belong to the deployment, or why there is none. With `mixed` for what else it changed.
pub(super) fn reverted(
    world: &World<'_>,
    mixed: Mixed,
) -> Result<BTreeMap<FilePath, Option<String>>, String> {
    let names: BTreeSet<&str> = world.before.iter().chain(world.after).map(|(name, _)| *name).collect();
    let (before, after) = (|name: &str| text(world.before, name), |name: &str| text(world.after, name));
    let files = names.iter().filter(|name| before(name) != after(name));
    let files: Vec<FileDiff> =
        files.map(|name| file(path(name).as_str(), before(name), after(name))).collect();
    let mut environment = environment();
    environment.services[0].policy.mixed = mixed;
    let commit = commit(2, "bump", files);
    let mut found = deployments_of(&commit, &environment, &Documents::default());
    assert_eq!(found.len(), 1, "{}: {found:#?}", world.what);
    let deployment = found.remove(0);
    let now = |name: &str| text(world.since, name).or(after(name));
    let all = names.iter().map(|name| (path(name), now(name).map(|text| text.as_bytes().to_vec().into())));
    let current: BTreeMap<FilePath, Option<Content>> = all.collect();
    let change = planned(&environment, &deployment, &current)?;
    let mut put: BTreeMap<FilePath, Option<Content>> = current.clone();
    put.extend(change.files);
    let shown = |content: Content| String::from_utf8(content.bytes().unwrap().to_vec()).unwrap();
    Ok(put.into_iter().map(|(path, bytes)| (path, bytes.map(shown))).collect())
}

/// All of it is as it was, whatever the policy says of the rest of a commit.
#[track_caller]
pub(super) fn goes_back_whole(world: &World<'_>) {
    for mixed in [Mixed::Fields, Mixed::Deployment] {
        let put = reverted(world, mixed).unwrap_or_else(|why| panic!("{}, {mixed:?}: {why}", world.what));
        for (path, text_now) in put {
            let name = path.as_str().rsplit("production/").next().unwrap();
            assert_eq!(text_now.as_deref(), text(world.before, name), "{}, {mixed:?}: {path}", world.what);
        }
    }
}

#[track_caller]
pub(super) fn is_refused(world: &World<'_>, why: &str) {
    for mixed in [Mixed::Fields, Mixed::Deployment] {
        let refused = reverted(world, mixed).expect_err(world.what);
        assert!(refused.contains(why), "{}, {mixed:?}: {refused}", world.what);
    }
}

/// A file of SOPS in one of its forms: the tag, a secret, and what was written at which time.
fn sops(form: &str, tag: &str, secret: &str, written: u32) -> String {
    match form {
        "yaml" => format!(
            "image:\n    tag: {tag}\npassword: ENC[AES256_GCM,data:{secret}]\nsops:\n    kms: []\n    lastmodified: \"2026-11-2{written}T10:00:00Z\"\n    mac: ENC[AES256_GCM,data:{tag}{secret}{written}]\n    version: 3.8.1\n"
        ),
        "json" => format!(
            "{{\n\t\"image\": {{\n\t\t\"tag\": \"{tag}\"\n\t}},\n\t\"password\": \"ENC[AES256_GCM,data:{secret}]\",\n\t\"sops\": {{\n\t\t\"lastmodified\": \"2026-11-2{written}T10:00:00Z\",\n\t\t\"mac\": \"ENC[AES256_GCM,data:{tag}{secret}{written}]\",\n\t\t\"version\": \"3.8.1\"\n\t}}\n}}\n"
        ),
        "env" => format!(
            "WEB_TAG={tag}\nPASSWORD=ENC[AES256_GCM,data:{secret}]\nsops_lastmodified=2026-11-2{written}T10:00:00Z\nsops_mac=ENC[AES256_GCM,data:{tag}{secret}{written}]\nsops_version=3.8.1\n"
        ),
        _ => format!(
            "[image]\ntag = {tag}\npassword = ENC[AES256_GCM,data:{secret}]\n\n[sops]\nlastmodified = 2026-11-2{written}T10:00:00Z\nmac = ENC[AES256_GCM,data:{tag}{secret}{written}]\nversion = 3.8.1\n"
        ),
    }
}

#[test]
fn what_a_mac_covers_goes_back_whole_or_not() {
    for (form, name) in
        [("yaml", "values.yaml"), ("json", "values.json"), ("env", "web.env"), ("ini", "web.ini")]
    {
        let (old, new) = (sops(form, "v1.0.0", "a", 1), sops(form, "v1.1.0", "a", 2));
        let plain = World { what: form, before: &[(name, &old)], after: &[(name, &new)], since: &[] };
        goes_back_whole(&plain);
        let secret = sops(form, "v1.1.0", "b", 2);
        is_refused(&World { after: &[(name, &secret)], ..plain }, "the MAC of SOPS covers all of it");
        let since = sops(form, "v1.1.0", "c", 3);
        is_refused(&World { since: &[(name, &since)], ..plain }, "the MAC of SOPS covers all of it");
        let newer = new.replace("3.8.1", "3.9.0");
        is_refused(&World { after: &[(name, &newer)], ..plain }, "the MAC of SOPS covers all of it");
    }
    // Of the values in the clear this one says nothing.
    let free = |tag: &str, secret: &str| {
        sops("yaml", tag, secret, 1)
            .replace(&format!("{tag}{secret}1]"), &format!("{secret}]\n    mac_only_encrypted: true"))
    };
    let (old, new, since) = (free("v1.0.0", "a"), free("v1.1.0", "a"), free("v1.1.0", "b"));
    let world = World {
        what: "encrypted only",
        before: &[("v.yaml", &old)],
        after: &[("v.yaml", &new)],
        since: &[("v.yaml", &since)],
    };
    let put = reverted(&world, Mixed::Fields).unwrap();
    assert_eq!(put[&path("v.yaml")].as_deref(), Some(free("v1.0.0", "b").as_str()));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever happened to a file that is covered as a whole: nobody sees a text of it that nobody has covered.
    #[test]
    fn what_is_covered_is_as_somebody_left_it(
        form in 0..4_usize,
        with_secret in proptest::bool::ANY,
        since in proptest::option::of((0..3_usize, 0..3_usize, 3..5_u32)),
        is_aside in proptest::bool::ANY,
    ) {
        let (form, name) =
            [("yaml", "values.yaml"), ("json", "values.json"), ("env", "web.env"), ("ini", "web.ini")][form];
        let secret = if with_secret { "b" } else { "a" };
        let (old, new) = (sops(form, "v1.0.0", "a", 1), sops(form, "v1.1.0", secret, 2));
        let later = since.map(|(tag, secret, written)| {
            let tag = ["v1.0.0", "v1.1.0", "v1.2.0"][tag];
            sops(form, tag, ["a", "b", "c"][secret], written)
        });
        let (aside, aside_after) = ("tag: v1.0.0\nport: 1\n", "tag: v1.1.0\nport: 1\n");
        let (mut before, mut after) = (vec![(name, old.as_str())], vec![(name, new.as_str())]);
        if is_aside {
            before.push(("plain.yaml", aside));
            after.push(("plain.yaml", aside_after));
        }
        let now: Vec<(&str, &str)> = later.iter().map(|text| (name, text.as_str())).collect();
        let world = World { what: "made up", before: &before, after: &after, since: &now };
        for mixed in [Mixed::Fields, Mixed::Deployment] {
            let Ok(put) = reverted(&world, mixed) else { continue };
            let text_now = put[&path(name)].as_deref();
            let is_left = text_now == later.as_deref();
            assert!(is_left || text_now == Some(&old), "{form}, {since:?}, {mixed:?}: {text_now:?}");
            if is_aside && !is_left {
                assert_eq!(put[&path("plain.yaml")].as_deref(), Some(aside), "{form}, {since:?}");
            }
        }
    }
}

#[test]
fn what_is_signed_goes_back_with_its_signature() {
    let clear = |tag: &str, by: &str| {
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\n\nimage:\n  tag: {tag}\n-----BEGIN PGP SIGNATURE-----\n{by}\n-----END PGP SIGNATURE-----\n"
        )
    };
    let (old, new) = (clear("v1.0.0", "abcd"), clear("v1.1.0", "bcde"));
    let plain = World {
        what: "clear text",
        before: &[("v.asc.txt", &old)],
        after: &[("v.asc.txt", &new)],
        since: &[],
    };
    goes_back_whole(&plain);
    let since = clear("v1.1.0", "cdef");
    is_refused(&World { since: &[("v.asc.txt", &since)], ..plain }, "a signature covers all of it");
    for name in
        ["values.yaml.sig", "values.yaml.asc", "values.yaml.sha256", "values.yaml.minisig", "values.yaml.md5"]
    {
        let (before, after) = (
            [("values.yaml", "tag: v1\nport: 1\n"), (name, "one\n")],
            [("values.yaml", "tag: v2\nport: 1\n"), (name, "two\n")],
        );
        goes_back_whole(&World { what: name, before: &before, after: &after, since: &[] });
        let since = [("values.yaml", "tag: v2\nport: 2\n")];
        is_refused(&World { what: name, before: &before, after: &after, since: &since }, "values.yaml");
    }
}

#[test]
fn a_pointer_goes_back_with_all_of_its_lines() {
    let pointer = |oid: char, size: u32| {
        format!(
            "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {size}\n",
            oid.to_string().repeat(64)
        )
    };
    let (old, new, third) = (pointer('a', 1_200), pointer('b', 1_311), pointer('c', 1_400));
    let plain =
        World { what: "pointer", before: &[("v.yaml", &old)], after: &[("v.yaml", &new)], since: &[] };
    goes_back_whole(&plain);
    let both = World {
        what: "beside others",
        before: &[("v.yaml", &old), ("w.yaml", "tag: v1\nport: 1\n")],
        after: &[("v.yaml", &new), ("w.yaml", "tag: v2\nport: 1\n")],
        since: &[],
    };
    goes_back_whole(&both);
    assert!(reverted(&World { since: &[("v.yaml", &third)], ..plain }, Mixed::Fields).is_err());
    assert!(reverted(&World { since: &[("v.yaml", &third)], ..both }, Mixed::Fields).is_err());
}

#[test]
fn what_a_value_names_goes_back_with_it() {
    let at = |version: &str| format!("kind: Deployment\nmetadata: {{name: web}}\nimage: r/web:{version}\n");
    let (one, two) = (at("1.0.0"), at("1.0.1"));
    let lists = |name: &str| format!("resources:\n- {name}\n");
    for (old, new) in [
        ("web-1.0.0.yaml", "web-1.0.1.yaml"),
        ("releases/1.0.0/web.yaml", "releases/1.0.1/web.yaml"),
        ("v1.0.0.yaml", "v1.0.1.yaml"),
        ("base/1.0.0.yaml", "base/1.0.1.yaml"),
        ("app_1.0.0/all.yaml", "app_1.0.1/all.yaml"),
    ] {
        goes_back_whole(&World {
            what: old,
            before: &[("kustomization.yaml", &lists(old)), (old, &one)],
            after: &[("kustomization.yaml", &lists(new)), (new, &two)],
            since: &[],
        });
    }
    for archive in ["web-1.0.0.tgz", "web-1.0.0.tar.gz", "web-1.0.0.zip", "web-1.0.0.jar", "web-1.0.0.whl"] {
        let (old, new) =
            (format!("charts/{archive}"), format!("charts/{}", archive.replace("1.0.0", "1.0.1")));
        let chart = |version: &str| format!("dependencies:\n- name: web\n  version: {version}\n");
        goes_back_whole(&World {
            what: archive,
            before: &[("Chart.yaml", &chart("1.0.0")), (&old, "\u{1}\u{2}old")],
            after: &[("Chart.yaml", &chart("1.0.1")), (&new, "\u{1}\u{3}new and longer")],
            since: &[],
        });
    }
    // The same name, another archive.
    goes_back_whole(&World {
        what: "replaced",
        before: &[
            ("Chart.yaml", "dependencies:\n- name: web\n  version: 1.0.0\n"),
            ("charts/web.tgz", "\u{1}old"),
        ],
        after: &[
            ("Chart.yaml", "dependencies:\n- name: web\n  version: 1.0.1\n"),
            ("charts/web.tgz", "\u{1}new"),
        ],
        since: &[],
    });
}

#[test]
fn a_switch_goes_back_with_the_version() {
    for (what, old, new) in [
        (
            "slot",
            "blue: {tag: v1}\ngreen: {tag: v0}\nproductionSlot: blue\n",
            "blue: {tag: v1}\ngreen: {tag: v2}\nproductionSlot: green\n",
        ),
        (
            "weights",
            "one: {tag: v1}\ntwo: {tag: v0}\nroutes:\n- name: one\n  weight: 100\n- name: two\n  weight: 0\n",
            "one: {tag: v1}\ntwo: {tag: v2}\nroutes:\n- name: one\n  weight: 0\n- name: two\n  weight: 100\n",
        ),
        (
            "colours",
            "blue:\n  enabled: true\n  tag: v1\ngreen:\n  enabled: false\n  tag: v0\n",
            "blue:\n  enabled: false\n  tag: v1\ngreen:\n  enabled: true\n  tag: v2\n",
        ),
        ("flag", "tag: v1\nfeatures:\n  cart: false\n", "tag: v2\nfeatures:\n  cart: true\n"),
        (
            "selector",
            "tag: v1\nservice:\n  selector:\n    slot: a\n",
            "tag: v2\nservice:\n  selector:\n    slot: b\n",
        ),
        ("colour", "tag: v1\nactiveColor: green\n", "tag: v2\nactiveColor: blue\n"),
    ] {
        let world = World { what, before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] };
        goes_back_whole(&world);
    }
    let (old, new) = ("tag: v1\nactiveSlot: blue\n", "tag: v2\nactiveSlot: green\n");
    let since = World {
        what: "since",
        before: &[("v.yaml", old)],
        after: &[("v.yaml", new)],
        since: &[("v.yaml", "tag: v2\nactiveSlot: canary\n")],
    };
    is_refused(&since, "does not go back in parts");
}

#[test]
fn versions_that_are_written_differently_go_back_together() {
    for (what, old, new) in [
        (
            "protocol",
            "version: 3.6.0\nconfig:\n  inter.broker.protocol.version: \"3.6\"\n",
            "version: 3.7.0\nconfig:\n  inter.broker.protocol.version: \"3.7\"\n",
        ),
        ("line", "tag: 3.6.1\nline: \"3.6\"\n", "tag: 3.7.0\nline: \"3.7\"\n"),
        ("dashes", "tag: 3.6.1\nname: web-3-6-1\n", "tag: 3.7.0\nname: web-3-7-0\n"),
        ("prefix", "tag: v3.6.1\nplain: 3.6.1\n", "tag: v3.7.0\nplain: 3.7.0\n"),
        ("major", "image: r/web:3.6.1\nseries: \"3.6\"\n", "image: r/web:3.7.0\nseries: \"3.7\"\n"),
    ] {
        let world = World { what, before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] };
        goes_back_whole(&world);
    }
}

#[test]
fn what_cannot_be_read_any_more_goes_back_whole_or_not() {
    let (old, new) = ("image:\n  tag: v1\nport: 1\n", "image:\n  tag: v2\nport: 1\n  : broken [\n");
    let world = World { what: "broken", before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] };
    goes_back_whole(&world);
    let mended = World { what: "mended", before: &[("v.yaml", new)], after: &[("v.yaml", old)], since: &[] };
    assert!(reverted(&mended, Mixed::Fields).is_ok());
}

/// Argo CD's Image Updater writes such a file, and removes it.
#[test]
fn a_file_of_overrides_that_came_or_went_is_a_deployment() {
    const OVERRIDES: &str =
        "helm:\n  parameters:\n  - name: image.tag\n    value: 1.0.1\n    forcestring: true\n";
    let name = ".argocd-source-web.yaml";
    let (with, without) = ([(name, OVERRIDES), ("values.yaml", "a: 1\n")], [("values.yaml", "a: 1\n")]);
    goes_back_whole(&World { what: "came", before: &without, after: &with, since: &[] });
    goes_back_whole(&World { what: "went", before: &with, after: &without, since: &[] });
    let newer = OVERRIDES.replace("1.0.1", "1.0.2");
    is_refused(
        &World { what: "since", before: &without, after: &with, since: &[(name, &newer)] },
        "another text now",
    );
}

/// Several services are in one file, and one stamp covers them all.
#[test]
fn a_part_of_what_is_stamped_does_not_go_back() {
    use crate::domain::field::entries::EntryPattern;
    let of = |web: &str, written: u32| {
        format!(
            "web:\n    tag: {web}\napi:\n    tag: v1\nsops:\n    lastmodified: \"2026-11-2{written}T10:00:00Z\"\n    mac: ENC[AES256_GCM,data:{web}{written}]\n"
        )
    };
    let mut environment = environment();
    environment.services[0] = ServiceRule {
        each: Some(EntryPattern::new("{service}").unwrap()),
        ..ServiceRule::new(ServiceFiles::Shared(PathGlobs::new(vec!["all.yaml".to_owned()]).unwrap()))
    };
    let (old, new) = (of("v1", 1), of("v2", 2));
    let commit = commit(2, "bump", vec![file("all.yaml", Some(&old), Some(&new))]);
    let found = deployments_of(&commit, &environment, &Documents::default());
    assert_eq!(found.len(), 1, "{found:#?}");
    let current = BTreeMap::from([(FilePath::new("all.yaml").unwrap(), Some(new.into_bytes().into()))]);
    let refused = planned(&environment, &found[0], &current).unwrap_err();
    assert!(refused.contains("the MAC of SOPS covers all of it"), "{refused}");
}

/// What was switched is not only what is called a switch.
#[test]
fn copies_and_shares_of_two_colours_go_back_together() {
    for (what, old, new) in [
        (
            "copies",
            "blue: {replicas: 3, tag: 1.0.0}\ngreen: {replicas: 0, tag: 0.9.0}\n",
            "blue: {replicas: 0, tag: 1.0.0}\ngreen: {replicas: 3, tag: 1.1.0}\n",
        ),
        (
            "shares",
            "trafficSplit: {stable: 100, canary: 0}\ncanary: {tag: 0.9.0}\n",
            "trafficSplit: {stable: 0, canary: 100}\ncanary: {tag: 1.1.0}\n",
        ),
    ] {
        goes_back_whole(&World { what, before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] });
    }
    let chart = |version: &str| format!("version: {version}\n");
    goes_back_whole(&World {
        what: "a copied chart",
        before: &[
            ("Chart.yaml", &chart("1.0.0")),
            ("charts/web/Chart.yaml", &chart("1.0.0")),
            ("charts/web/templates/d.yaml", "a: 1\n"),
        ],
        after: &[
            ("Chart.yaml", &chart("1.0.1")),
            ("charts/web/Chart.yaml", &chart("1.0.1")),
            ("charts/web/templates/d.yaml", "a: 2\n"),
            ("charts/web/templates/n.yaml", "b: 1\n"),
        ],
        since: &[],
    });
}

#[test]
fn what_is_a_persons_to_put_back_is_no_revert() {
    for (what, old, new) in [
        ("slot alone", "productionSlot: blue\n", "productionSlot: green\n"),
        (
            "secret",
            "spec:\n  remoteRef: {key: a, version: \"5\"}\n",
            "spec:\n  remoteRef: {key: a, version: \"6\"}\n",
        ),
        ("migration", "flyway:\n  target: \"5\"\n", "flyway:\n  target: \"6\"\n"),
        (
            "weight",
            "routes:\n- name: a\n  weight: 90\n- name: b\n  weight: 10\n",
            "routes:\n- name: a\n  weight: 10\n- name: b\n  weight: 90\n",
        ),
    ] {
        let world = World { what, before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] };
        is_refused(&world, "does not go back by machine");
    }
    // Beside a tag it stays, and is named.
    let (old, new) =
        ("tag: v1\nremoteRef: {key: a, version: \"5\"}\n", "tag: v2\nremoteRef: {key: a, version: \"6\"}\n");
    let world = World { what: "beside", before: &[("v.yaml", old)], after: &[("v.yaml", new)], since: &[] };
    let put = reverted(&world, Mixed::Fields).unwrap();
    assert_eq!(put[&path("v.yaml")].as_deref(), Some("tag: v1\nremoteRef: {key: a, version: \"6\"}\n"));
}
