//! What `backout check` says of a configuration that matches nothing or has no effect.

use super::stage::{Config, PERSON, Stage};

/// The version of a service of Flux.
const FLUX: &str =
    "image: {repository: shop/web, tag: 1.4.2} # {\"$imagepolicy\": \"flux-system:web:tag\"}\n";
const POLICY: &str = "kind: ImagePolicy\nmetadata: {name: web, namespace: flux-system}\nspec: {policy: {semver: {range: 1.x}}}\n";
const AUTOMATION: &str = "kind: ImageUpdateAutomation\nmetadata: {name: all, namespace: flux-system}\nspec:\n  interval: 5m\n  update: {path: ./apps}\n";
const APPLICATION: &str = "kind: Application\nmetadata:\n  name: web\n  annotations:\n    argocd-image-updater.argoproj.io/image-list: app=shop/web\nspec: {source: {path: apps/web}}\n";

/// A repository with these files beside the service `web`.
fn stage(files: &[(&str, &str)]) -> Stage {
    let stage = Stage::on_path();
    for (path, text) in [("apps/web/values.yaml", FLUX)].iter().chain(files) {
        stage.write(path, text);
    }
    stage.commit(-180, PERSON, "Set the shop up");
    stage.push();
    stage
}

/// The findings of `backout check` that name a place of the configuration are these: each where this piece of it begins, with these words first.
#[track_caller]
fn tells(files: &[(&str, &str)], rest: &str, expected: &[(&str, &str)]) {
    let stage = stage(files);
    let text = format!(
        "repository: {{url: {}, cache: cache}}
metrics: {{prom: {{kind: prometheus, url: \"{}\"}}}}
signals: {{errors: {{query: 'errors{{app=\"{{{{ service }}}}\"}}', kind: error-ratio}}}}
{rest}",
        stage.bare.display(),
        stage.metrics_url()
    );
    stage.write_config(&text);
    let checked = stage.run(&["check"]).ended(1).stdout;
    let found = told(&stage, &checked);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (piece, words) in expected {
        let before = &text[..text.find(piece).unwrap()];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().len() + 1;
        let start = format!("{line}:{column}: {words}");
        let own = found.iter().find(|(_, told, _)| told.starts_with(&start));
        // What only matches nothing today may be meant.
        let is_today = ["`schema.paths`", "`pin`"].iter().any(|key| words.starts_with(key));
        let mark = if is_today { "note" } else { "FAIL" };
        let is_right = |(own, _, fix): &(&str, &str, &str)| *own == mark && fix.starts_with("     fix: ");
        assert!(own.is_some_and(is_right), "{mark} {start}\n{found:#?}");
    }
}

/// What the text of `backout check` tells of places of the configuration: the mark, the place with the words, and the line after it.
fn told<'c>(stage: &Stage, checked: &'c str) -> Vec<(&'c str, &'c str, &'c str)> {
    let start = format!("{}/backout.yaml:", stage.home.path().display());
    let lines: Vec<&str> = checked.lines().collect();
    let found = lines.windows(2).filter_map(|pair| {
        let (mark, rest) = pair[0].split_once(' ')?;
        Some((mark, rest.strip_prefix(&start)?, pair[1]))
    });
    found.collect()
}

const ENVIRONMENT: &str = "environments: {production: {branch: main}}\n";

#[test]
fn a_glob_a_name_and_a_source_that_mean_nothing_are_told_with_their_places() {
    let rest = format!(
        "{ENVIRONMENT}policies:
  default:
    elsewhere: block
    schema: {{paths: [\"db/*.sql\", \"apps/**\", \"sql/**\"], source: \"https://git.example.com/acme/{{service}}\"}}
sources: [{{url: \"https://git.example.com/amce\"}}]
services:
  - {{pattern: \"apps/{{service}}/*\", depends_on: [web, payments]}}
"
    );
    tells(
        &[],
        &rest,
        &[
            ("payments]", "`depends_on` names payments, and production has no such service"),
            ("block", "`elsewhere: block` has no effect in production: its repository has no forge"),
            (
                "\"https://git.example.com/acme/{service}",
                "`schema.source` gives https://git.example.com/acme/web for web, which is not in `sources`",
            ),
        ],
    );
    // Where nobody looks into the source of the application, `schema.paths` is about this repository alone.
    let alone = rest.replace("    schema: {", "    schema: {detectors: [files], ");
    tells(
        &[],
        &alone,
        &[
            ("payments]", "`depends_on`"),
            ("block", "`elsewhere"),
            ("\"db/*.sql", "`schema.paths` has `db/*.sql`, and no file of main matches it"),
            ("\"sql/**", "`schema.paths` has `sql/**`, and no file of main matches it"),
            ("\"https://git.example.com/acme/{service}", "`schema.source`"),
        ],
    );
    let right = alone.replace("amce", "acme").replace("    elsewhere: block\n", "").replace(", payments", "");
    let files = [("db/1.sql", "SELECT 1;\n"), ("sql/a/b", "x\n")];
    tells(&files, &right, &[]);
}

/// What is kept for what comes does not fail the check of a repository of configurations; what can never have an effect does.
#[test]
fn what_only_matches_nothing_today_is_a_note() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.policy.push_str(", schema: {detectors: [files], paths: [\"db/*.sql\"]}, pin: {renovate: true}");
    stage.configure(&config);
    let checked = stage.run(&["check"]).ended(0).stdout;
    let found = told(&stage, &checked);
    assert_eq!(found.len(), 2, "{checked}");
    assert!(found.iter().all(|(mark, _, fix)| *mark == "note" && fix.starts_with("     fix: ")), "{checked}");
    let json = stage.run(&["check", "--format", "json"]).ended(0).json();
    let notes = json["checks"].as_array().unwrap().iter().filter(|one| one["note"] == true);
    assert_eq!(notes.filter(|one| one["fix"].is_string()).count(), 2, "{json:#}");

    let line = config.services.replace("labels:", "depends_on: [payments], labels:");
    stage.configure(&Config { services: line, ..config });
    let checked = stage.run(&["check"]).ended(1).stdout;
    let marks: Vec<&str> = told(&stage, &checked).iter().map(|(mark, _, _)| *mark).collect();
    assert_eq!((marks.len(), marks.iter().filter(|mark| **mark == "FAIL").count()), (3, 1), "{checked}");
    let json = stage.run(&["check", "--format", "json"]).ended(1).json();
    let failed = json["checks"].as_array().unwrap().iter().filter(|one| one["fix"].is_string());
    assert_eq!(failed.filter(|one| one["note"].is_null()).count(), 1, "{json:#}");
}

/// What two environments share is told where it means something in neither.
#[test]
fn what_means_something_in_one_environment_is_not_told() {
    let rest = |name: &str| {
        format!(
            "environments: {{production: {{branch: main, paths: [\"apps/**\"]}}, staging: {{branch: main, paths: [\"staging/**\"]}}}}
services:
  - {{pattern: \"*/{{service}}/values.yaml\", depends_on: [{name}]}}
"
        )
    };
    let files = [("staging/payments/values.yaml", "tag: 1.0.0\n")];
    tells(&files, &rest("payments"), &[]);
    tells(&files, &rest("payment"), &[("payment]", "`depends_on` names payment, and ")]);
}

#[test]
fn a_freeze_that_never_ends_is_told() {
    let rest = |windows: &str| {
        format!(
            "environments:\n  production:\n    branch: main\n    freeze: [{windows}]\nservices: [{{pattern: \"apps/{{service}}/*\"}}]\n"
        )
    };
    let told = ("[{schedule", "the windows of `freeze` are open all the year round");
    let week = r#"{schedule: "0 0 * * MON-FRI", duration: 24h, why: the week}"#;
    let weekend = r#"{schedule: "0 0 * * SAT", duration: 48h, why: the weekend}"#;
    tells(&[], &rest(&format!("{week}, {weekend}")), &[told]);
    tells(&[], &rest(r#"{schedule: "0 16 * * FRI", duration: 7d, why: the weekend}"#), &[told]);
    tells(&[], &rest(weekend), &[]);
    tells(&[], &rest(r#"{schedule: "0 8 * * *", duration: 23h, why: all but an hour}"#), &[]);
}

#[test]
fn a_pin_without_a_place_is_told_for_each_tool() {
    let rest = |pin: &str| {
        format!(
            "{ENVIRONMENT}policies: {{default: {{pin: {{{pin}}}}}}}\nservices: [{{pattern: \"apps/{{service}}/*\"}}]\n"
        )
    };
    let own = r#"field: {file: "freeze/{service}.yaml", key: frozen}"#;
    let start = |tool: &str| format!("`pin` would find no place for 1 of 1 services (web): {tool}: ");
    for (pin, piece, why) in [
        ("flux: exclude", "exclude", start("flux-exclude") + "there is no ImagePolicy flux-system/web"),
        (
            "flux: suspend",
            "suspend",
            start("flux-suspend") + "there is no ImageUpdateAutomation of the namespace flux-system",
        ),
        ("argocd_image_updater: true", "true}", start("argocd-image-updater") + "there is no Application"),
        ("renovate: true", "true}", start("renovate") + "there is no configuration of Renovate"),
        (own, "field:", start("field") + "there is no file freeze/web.yaml"),
    ] {
        tells(&[], &rest(pin), &[(piece, &why)]);
        let files = [
            ("flux/policy.yaml", POLICY),
            ("flux/automation.yaml", AUTOMATION),
            ("argocd/web.yaml", APPLICATION),
            ("renovate.json", "{}\n"),
            ("freeze/web.yaml", "frozen: []\n"),
        ];
        tells(&files, &rest(pin), &[]);
    }
}
