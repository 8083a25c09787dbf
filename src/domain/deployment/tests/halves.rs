//! No half of a deployment goes back: neither of a line, nor of its fields, nor without the names of its files.

use super::whole::{World, goes_back_whole, is_refused, path, planned, reverted};
use super::*;
use crate::domain::environment::policy::Mixed;
use crate::domain::history::snapshot::Content;

const DIGEST: &str = "@sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// Lines of which more changed than a version, each beside a line that changed too: `%` is what that says.
const LINES: &[(&str, &str, &str)] = &[
    (
        "helmfile.yaml.gotmpl",
        "releases:\n- name: web\n  on: {{ .on }}\n  version: 1.0.0\n  timeout: %\n",
        "releases:\n- name: web\n  on: {{ .on }}\n  version: {{ .Values.web.version }}\n  timeout: %\n",
    ),
    ("v.tf", "image_tag = \"v1.0.0\"\ntimeout = %\n", "image_tag = \"v1${var.suffix}\"\ntimeout = %\n"),
    ("v.env", "TAG=v1.0.0\nTIMEOUT=%\n", "TAG=${TAG:-v1}\nTIMEOUT=%\n"),
    ("w.env", "IMAGE=r/web:${TAG:-v1.0.0}\nTIMEOUT=%\n", "IMAGE=r/web:${TAG:-v1.1.0}DIGEST\nTIMEOUT=%\n"),
    (
        "v.conf",
        "command = run --tag=v1.0.0 --mode=a\ntimeout = %\n",
        "command = run --mode=b --tag=v1.1.0\ntimeout = %\n",
    ),
    (
        "v.toml",
        "web = {tag = \"v1\", mode = \"a\"}\ntimeout = %\n",
        "web = {tag = \"v2\", mode = \"b\"}\ntimeout = %\n",
    ),
    (
        "Dockerfile",
        "FROM r/web:1.0.0\nENV TIMEOUT=%\n",
        "FROM --platform=linux/arm64 r/web:1.1.0 AS web\nENV TIMEOUT=%\n",
    ),
    (
        "run.sh",
        "docker run r/web:1.0.0 # now\nsleep %\n",
        "docker run --rm r/web:1.1.0 --debug # then\nsleep %\n",
    ),
];

#[test]
fn of_a_line_all_goes_back() {
    for (name, before, after) in LINES {
        let [before, kept, later] = ["1", "2", "3"].map(|beside| before.replace('%', beside));
        let after = |beside: &str| after.replace("DIGEST", DIGEST).replace('%', beside);
        let (after, since) = (after("2"), after("3"));
        let world = World { what: name, before: &[(name, &before)], after: &[(name, &after)], since: &[] };
        let put = reverted(&world, Mixed::Fields).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(put[&path(name)].as_deref(), Some(kept.as_str()), "{name}");
        // The other line was changed again since.
        let world = World { since: &[(name, &since)], ..world };
        for mixed in [Mixed::Fields, Mixed::Deployment] {
            let put = reverted(&world, mixed).unwrap_or_else(|why| panic!("{name}, {mixed:?}: {why}"));
            assert_eq!(put[&path(name)].as_deref(), Some(later.as_str()), "{name}, {mixed:?}");
        }
    }
}

#[test]
fn a_line_that_was_changed_again_does_not_go_back_in_parts() {
    let world = World {
        what: "again",
        before: &[("v.conf", "command = run --tag=v1.0.0 -n 1\n")],
        after: &[("v.conf", "command = run --tag=v1.1.0 --debug -n 1\n")],
        since: &[("v.conf", "command = run --tag=v1.1.0 --debug -n 2\n")],
    };
    is_refused(&world, "changed more of the line of");
    let back = [("v.conf", "command = run --tag=v1.0.0 -n 1\n")];
    assert!(
        reverted(&World { since: &back, ..world }, Mixed::Fields).unwrap_err().contains("good value already")
    );
}

#[test]
fn where_a_file_became_a_template_since_the_whole_value_goes_back() {
    let (old, new) = ("image: r/web:${TAG:-v1.0.0}", format!("image: r/web:${{TAG:-v1.1.0}}{DIGEST}"));
    let text = |image: &str, end: &str| format!("a: 1\n{image}\nn: 1\n{end}");
    let world = World {
        what: "template",
        before: &[("v.yaml", &text(old, ""))],
        after: &[("v.yaml", &text(&new, ""))],
        since: &[("v.yaml", &text(&new, "{{- if .x }}\nz: 1\n{{- end }}\n"))],
    };
    for mixed in [Mixed::Fields, Mixed::Deployment] {
        let put = reverted(&world, mixed).unwrap();
        let wanted = text(old, "{{- if .x }}\nz: 1\n{{- end }}\n");
        assert_eq!(put[&path("v.yaml")].as_deref(), Some(wanted.as_str()), "{mixed:?}");
    }
}

#[test]
fn fields_that_came_or_went_go_back_with_those_that_changed() {
    for (what, before, after) in [
        (
            "a text that became a map",
            "image: r/web:1.0.0\nside:\n  image: r/side:3.0.0\nreplicas: 1\n",
            "image:\n  repository: r/web\n  tag: 1.1.0\nside:\n  image: r/side:3.1.0\nreplicas: 2\n",
        ),
        (
            "a map that became a text",
            "image:\n  repository: r/web\n  tag: 1.0.0\nside:\n  image: r/side:3.0.0\nreplicas: 1\n",
            "image: r/web:1.1.0\nside:\n  image: r/side:3.1.0\nreplicas: 2\n",
        ),
        (
            "a tag that came",
            "web:\n  image:\n    repository: r/web\nside:\n  image: r/side:3.0.0\nreplicas: 1\n",
            "web:\n  image:\n    repository: r/web\n    tag: 1.1.0\nside:\n  image: r/side:3.1.0\nreplicas: 2\n",
        ),
        (
            "an entry that came",
            "images:\n- name: side\n  newTag: 3.0.0\nreplicas: 1\n",
            "images:\n- name: side\n  newTag: 3.1.0\n- name: web\n  newTag: 1.1.0\nreplicas: 2\n",
        ),
        (
            "a variable that went",
            "SIDE_TAG=v3.0.0\nWEB_TAG=v1.0.0\nREPLICAS=1\n",
            "SIDE_TAG=v3.1.0\nREPLICAS=2\n",
        ),
    ] {
        let name = if after.contains('=') { "v.env" } else { "v.yaml" };
        let world = World { what, before: &[(name, before)], after: &[(name, after)], since: &[] };
        goes_back_whole(&world);
        let since = after.replace("2\n", "3\n");
        is_refused(&World { since: &[(name, &since)], ..world }, "does not go back in parts");
    }
}

#[test]
fn a_file_that_was_only_renamed_gets_its_name_back() {
    let bump = |old: &str, new: &str| {
        let text = |tag: &str| format!("image:\n  tag: {tag}\n");
        file(path("values.yaml").as_str(), Some(&text(old)), Some(&text(new)))
    };
    let job = "kind: CronJob\nmetadata: {name: x}\n";
    for (was, is) in
        [("cronjob.yaml", "cronjob.yaml.disabled"), ("job.yaml", "jobs/job.yaml"), ("_job.yaml", "job.yaml")]
    {
        let renamed = FileDiff { was: Some(path(was)), ..file(path(is).as_str(), Some(job), Some(job)) };
        let commit = commit(2, "bump", vec![bump("v1", "v2"), renamed]);
        let mut environment = environment();
        let current: BTreeMap<FilePath, Option<Content>> = commit
            .files
            .iter()
            .map(|file| (file.path.clone(), file.new.as_ref().map(Content::from)))
            .chain([(path(was), None)])
            .collect();
        let name = format!("{}: its name, which was {}", path(is), path(was));
        for mixed in [Mixed::Deployment, Mixed::Fields] {
            environment.services[0].policy.mixed = mixed;
            let deployment = deployments_of(&commit, &environment, &Documents::default()).remove(0);
            let change = planned(&environment, &deployment, &current).unwrap();
            let put = (change.files.get(&path(was)), change.files.get(&path(is)));
            if mixed == Mixed::Deployment {
                assert_eq!(put, (Some(&Some(job.as_bytes().to_vec().into())), Some(&None)), "{is}");
                assert_eq!(change.along, [name.as_str()]);
            } else {
                assert_eq!(put, (None, None), "{is}");
                assert_eq!(change.left_behind, [name.as_str()]);
            }
        }
    }
}

#[test]
fn what_covers_a_file_and_was_not_written_anew_is_told_as_it_is() {
    let text =
        |tag: &str| format!("image:\n  tag: {tag}\ndb: ENC[a]\nsops:\n  mac: ENC[m1]\n  version: 3.8.1\n");
    let (old, new) = (text("v1.0.0"), text("v1.1.0"));
    let world = World { what: "stale", before: &[("v.yaml", &old)], after: &[("v.yaml", &new)], since: &[] };
    is_refused(&world, "the commit changed the file without writing that anew");
    let since = text("v1.1.0").replace("ENC[a]", "ENC[b]");
    is_refused(&World { since: &[("v.yaml", &since)], ..world }, "more of it has changed");
}
