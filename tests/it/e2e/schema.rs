//! Changes of a database schema in environment repositories as people have them, and what follows from them by policy.

use super::stage::{BOT, POLICY, Stage, item, text, words};
use super::table::{self, Files, Rules};

const SERVICES: &str = r#"[{pattern: "apps/{service}/**"}]"#;

/// A deployment of `web` and files beside it, each before and after, twelve minutes ago; then the commits of other people. `web` fails since.
fn deployed(schema: &str, files: &[(&str, &str, &str)], since: &[Files<'_>]) -> Stage {
    let policy = format!("{POLICY}, schema: {schema}");
    let rules = Rules { policy: &policy, ..Rules::new(SERVICES) };
    let of = |tag: &'static str| ("apps/web/values.yaml", tag);
    let pick = |after: bool| {
        files
            .iter()
            .map(move |(path, old, new)| (*path, if after { *new } else { *old }))
            .filter(|(_, text)| !text.is_empty())
    };
    let before: Vec<(&str, &str)> = std::iter::once(of("image:\n  tag: v1\n"))
        .chain([("apps/api/values.yaml", "image:\n  tag: v1\n")])
        .chain(pick(false))
        .collect();
    let after: Vec<(&str, &str)> = std::iter::once(of("image:\n  tag: v2\n")).chain(pick(true)).collect();
    let stage = table::stage(&rules, &before);
    table::deploy(&stage, &after, -12);
    for (minute, files) in (-8..).zip(since) {
        table::commit(&stage, files, minute, BOT);
    }
    table::errors(&stage, &[("web", table::LATELY), ("api", table::FINE)]);
    stage
}

#[track_caller]
fn is_for_a_person(stage: &Stage, why: &str) {
    let tip = stage.tip();
    let report = stage.pass(4);
    let web = item(&report, "web");
    assert_eq!(words(web), "regressed escalate", "{report:#}");
    assert!(text(web, "why").contains(why), "{why}: {}", text(web, "why"));
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

#[track_caller]
fn is_reverted(stage: &Stage) {
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    assert_eq!(table::file(stage, "apps/web/values.yaml").as_deref(), Some("image:\n  tag: v1\n"));
    stage.nothing_more();
}

/// What a repository holds, before and after; what detects it, and what is told.
const EVIDENCE: [(&str, &str, &str, &str, &str); 6] = [
    (
        "apps/web/migrate.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: web-migrate\n  annotations:\n    helm.sh/hook: pre-upgrade\nspec:\n  template:\n    spec:\n      containers:\n      - name: migrate\n        image: shop/web:1.0.0\n",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: web-migrate\n  annotations:\n    helm.sh/hook: pre-upgrade\nspec:\n  template:\n    spec:\n      containers:\n      - name: migrate\n        image: shop/web:1.1.0\n",
        "jobs",
        "it changed the hook Job/web-migrate in apps/web/migrate.yaml",
    ),
    (
        "apps/web/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: schema\n        image: shop/web:1.0.0\n        command: [\"alembic\", \"upgrade\", \"head\"]\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: schema\n        image: shop/web:1.1.0\n        command: [\"alembic\", \"upgrade\", \"head\"]\n",
        "jobs",
        "it changed the init container schema of Deployment/web",
    ),
    (
        "apps/web/crd.yaml",
        "",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: orders.shop.example.com\nspec:\n  group: shop.example.com\n",
        "resources",
        "it changed CustomResourceDefinition/orders.shop.example.com",
    ),
    (
        "apps/web/sql.yaml",
        "kind: ConfigMap\nmetadata:\n  name: sql\ndata:\n  V1__a.sql: |\n    CREATE TABLE a (id int);\n",
        "kind: ConfigMap\nmetadata:\n  name: sql\ndata:\n  V1__a.sql: |\n    CREATE TABLE a (id int);\n  V2__b.sql: |\n    ALTER TABLE a DROP COLUMN id;\n",
        "config-maps",
        "it changed V2__b.sql of ConfigMap/sql in apps/web/sql.yaml, contract, line 1",
    ),
    (
        "apps/web/sql/V2__orders.sql",
        "",
        "ALTER TABLE orders DROP COLUMN total;\n",
        "files",
        "it touches apps/web/sql/V2__orders.sql, contract, line 1",
    ),
    ("apps/web/flyway.yaml", "flyway:\n  target: 41\n", "flyway:\n  target: 42\n", "values", "flyway.target"),
];

#[test]
fn each_detector_finds_its_evidence_and_can_be_switched_off() {
    for (path, before, after, detector, why) in EVIDENCE {
        is_for_a_person(&deployed("{}", &[(path, before, after)], &[]), why);
        let others = ["trailers", "labels", "files", "jobs", "resources", "config-maps", "values", "engines"];
        let others: Vec<&str> = others.into_iter().filter(|other| *other != detector).collect();
        // A value that a schema is migrated to is no release field: it is a person's to put back, whoever looks.
        if detector != "values" {
            let schema = format!("{{detectors: [{}]}}", others.join(", "));
            is_reverted(&deployed(&schema, &[(path, before, after)], &[]));
        }
    }
}

#[test]
fn the_policy_lets_a_release_go_back_under_a_schema_that_only_grew() {
    let (grown, narrowed) = ("ALTER TABLE orders ADD COLUMN place text;\n", "DROP TABLE orders;\n");
    let sql = |text| [("apps/web/sql/V2__orders.sql", "", text)];
    let stage = deployed("{policy: allow-expand}", &sql(grown), &[]);
    is_reverted(&stage);
    // What has run stays where it is.
    assert_eq!(table::file(&stage, "apps/web/sql/V2__orders.sql").as_deref(), Some(grown));
    is_for_a_person(&deployed("{policy: allow-expand}", &sql(narrowed), &[]), "contract, line 1");
    let stage = deployed("{policy: ignore}", &sql(narrowed), &[]);
    is_reverted(&stage);
    assert_eq!(table::file(&stage, "apps/web/sql/V2__orders.sql").as_deref(), Some(narrowed));
}

/// Many migrate first, and deploy when that is done.
#[test]
fn a_revert_does_not_cross_a_change_of_the_schema_that_the_old_release_was_not_tried_with() {
    let rules = Rules::new(SERVICES);
    let of = |minutes: i64, deployed_before: i64| {
        let v1 = [
            ("apps/web/values.yaml", "image:\n  tag: v1\n"),
            ("apps/api/values.yaml", "image:\n  tag: v1\n"),
        ];
        let stage = table::stage(&rules, &[("apps/web/values.yaml", "image:\n  tag: v0\n"), v1[1]]);
        table::deploy(&stage, &[v1[0]], deployed_before);
        table::commit(&stage, &[("apps/web/sql/V3__a.sql", "ALTER TABLE a DROP COLUMN b;\n")], minutes, BOT);
        table::deploy(&stage, &[("apps/web/values.yaml", "image:\n  tag: v2\n")], -12);
        table::errors(&stage, &[("web", table::LATELY), ("api", table::FINE)]);
        stage
    };
    is_for_a_person(&of(-13, -500), "after the release that would run again was deployed");
    is_for_a_person(&of(-30, -500), "after the release that would run again was deployed");
    // It ran for hours on the new schema.
    is_reverted(&of(-300, -500));
}

#[test]
fn a_revert_does_not_cross_a_later_change_of_the_schema() {
    let (narrowed, grown) = ("ALTER TABLE a DROP COLUMN b;\n", "ALTER TABLE a ADD COLUMN c int;\n");
    let own: Files<'_> = &[("apps/web/sql/V3__a.sql", narrowed)];
    is_for_a_person(
        &deployed("{}", &[], &[own]),
        "changed a database schema (it touches apps/web/sql/V3__a.sql",
    );
    // Nobody can say whose database this one is of.
    let shared: Files<'_> = &[("db/migrations/3.sql", narrowed)];
    let paths = "paths: [\"db/migrations/**\"]";
    is_for_a_person(&deployed(&format!("{{{paths}}}"), &[], &[shared]), "it touches db/migrations/3.sql");
    // Another service's.
    let others: Files<'_> = &[("apps/api/sql/V3__a.sql", narrowed)];
    is_reverted(&deployed("{}", &[], &[others]));
    let further: Files<'_> = &[("apps/web/sql/V4__a.sql", narrowed)];
    // The release before runs on it.
    let expanding: Files<'_> = &[("apps/web/sql/V3__a.sql", grown)];
    is_reverted(&deployed("{policy: allow-expand}", &[], &[expanding]));
    is_for_a_person(&deployed("{policy: allow-expand}", &[], &[expanding, further]), "contract, line 1");
}
