//! Manifests of the forms that people write, before and after a deployment.

use super::*;

/// What a manifest is, its text with `@` for what the deployment changed, and what is found.
type Row = (&'static str, &'static str, &'static [(SchemaDetector, Effect)]);

const JOB: &[(SchemaDetector, Effect)] = &[(SchemaDetector::Jobs, Effect::Unknown)];
const RESOURCE: &[(SchemaDetector, Effect)] = &[(SchemaDetector::Resources, Effect::Unknown)];
const SQL: &[(SchemaDetector, Effect)] = &[(SchemaDetector::ConfigMaps, Effect::Unknown)];

const ROWS: [Row; 41] = [
    (
        "a Job that migrates by its arguments",
        "kind: Job\nmetadata: {name: web-setup}\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: shop/web:@\n        args: [\"db:migrate\"]\n",
        JOB,
    ),
    (
        "a Job with a version in its name",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate-@\nspec:\n  template:\n    spec:\n      containers:\n      - {name: main, image: 'shop/web:@', command: [./run]}\n",
        JOB,
    ),
    (
        "Django",
        "kind: Job\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@', command: [python, manage.py, migrate]}]}}}\n",
        JOB,
    ),
    (
        "Flyway's own image, with other arguments",
        "kind: Job\nmetadata: {name: schema}\nspec: {template: {spec: {containers: [{name: a, image: 'flyway/flyway:10', args: ['-target=@', migrate]}]}}}\n",
        JOB,
    ),
    (
        "a hook of Helm before an upgrade, whatever it runs",
        "kind: Job\nmetadata:\n  name: prepare\n  annotations:\n    helm.sh/hook: pre-install,pre-upgrade\nspec:\n  template:\n    spec:\n      containers:\n      - name: a\n        image: shop/web:@\n",
        JOB,
    ),
    (
        "a hook of Argo CD",
        "kind: Job\nmetadata:\n  name: prepare\n  annotations: {argocd.argoproj.io/hook: PreSync}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@'}]}}}\n",
        JOB,
    ),
    (
        "a hook of Argo CD beside the sync",
        "kind: Job\nmetadata:\n  generateName: prepare-\n  annotations:\n    \"argocd.argoproj.io/hook\": \"Sync\"\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@'}]}}}\n",
        JOB,
    ),
    (
        "a hook after an upgrade that migrates",
        "kind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: post-upgrade}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@'}]}}}\n",
        JOB,
    ),
    (
        "a hook after the sync that tests",
        "kind: Job\nmetadata:\n  name: smoke\n  annotations: {argocd.argoproj.io/hook: PostSync}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@'}]}}}\n",
        &[],
    ),
    (
        "a hook for a failed sync, with such a word in it",
        "kind: Job\nmetadata:\n  name: migrate-failed\n  annotations: {argocd.argoproj.io/hook: SyncFail}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@'}]}}}\n",
        &[],
    ),
    (
        "a hook of which a label changed",
        "kind: Job\nmetadata:\n  name: migrate\n  labels: {helm.sh/chart: web-@}\n  annotations: {helm.sh/hook: pre-upgrade}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:1'}]}}}\n",
        &[],
    ),
    (
        "an init container",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: migrate\n        image: shop/web:@\n      containers:\n      - name: app\n        image: shop/web:@\n",
        JOB,
    ),
    (
        "an init container by its command",
        "kind: StatefulSet\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: prepare\n        image: shop/web:@\n        command: [\"alembic\", \"upgrade\", \"head\"]\n      containers:\n      - {name: app, image: 'shop/web:@'}\n",
        JOB,
    ),
    (
        "an init container that waits",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: wait\n        image: busybox:@\n        command: [sh, -c, 'until nc -z db 5432; do sleep 1; done']\n      containers:\n      - {name: migration-ui, image: 'shop/web:@'}\n",
        &[],
    ),
    (
        "an init container that stayed",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: migrate, image: 'shop/migrate:1'}\n      containers:\n      - {name: app, image: 'shop/web:@'}\n",
        &[],
    ),
    (
        "a Deployment that speaks of it",
        "kind: Deployment\nmetadata: {name: migration-service}\nspec: {template: {spec: {containers: [{name: app, image: 'shop/migrations:@'}]}}}\n",
        &[],
    ),
    (
        "a server that migrates before it starts",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: shop/web:@\n        command: [sh, -c, 'rails db:migrate && exec rails server']\n",
        JOB,
    ),
    (
        "one whose command stands in a block of text",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: shop/web:@\n        args:\n        - -c\n        - |\n          alembic upgrade head\n          exec gunicorn app\n",
        JOB,
    ),
    (
        "one of which something else changed",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: @\n  template:\n    spec:\n      containers:\n      - name: app\n        image: shop/web:1\n        command: [sh, -c, 'rails db:migrate && exec rails server']\n",
        &[],
    ),
    (
        "another container beside it",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - {name: proxy, image: 'shop/proxy:@'}\n      - name: app\n        image: shop/web:1\n        args: [migrate-and-serve]\n",
        &[],
    ),
    (
        "a probe that asks whether it has migrated",
        "kind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: shop/web:@\n        readinessProbe: {exec: {command: [python, manage.py, migrate, --check]}}\n",
        &[],
    ),
    (
        "a service of Compose by its command",
        "services:\n  web:\n    image: shop/web:@\n    command: sh -c 'npx prisma migrate deploy && node server.js'\n",
        JOB,
    ),
    (
        "values of a chart, with the command at the top",
        "image:\n  repository: shop/web\n  tag: v@\nargs: [\"goose up && serve\"]\nreplicas: 2\n",
        JOB,
    ),
    (
        "values with such a command, of which something else changed",
        "image:\n  repository: shop/web\n  tag: v1\nargs: [\"goose up && serve\"]\nreplicas: @\n",
        &[],
    ),
    (
        "a CronJob that migrates when its time comes",
        "kind: CronJob\nmetadata: {name: nightly}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'shop/web:@', args: [migrate]}]}}}}}\n",
        JOB,
    ),
    (
        "a CronJob with such a name",
        "kind: CronJob\nmetadata: {name: migrate-old}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'shop/web:@', args: [run]}]}}}}}\n",
        &[],
    ),
    (
        "a Job that does something else",
        "kind: Job\nmetadata: {name: report}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:@', args: [immigration-report]}]}}}\n",
        &[],
    ),
    (
        "a Kustomization of Flux that others depend on",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web-migrations}\nspec:\n  path: ./migrations/@\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: web}\nspec:\n  path: ./web\n  dependsOn:\n  - name: web-migrations\n",
        JOB,
    ),
    (
        "what depends on it alone",
        "kind: Kustomization\nmetadata: {name: web}\nspec:\n  path: ./web/@\n  dependsOn:\n  - name: web-migrations\n",
        &[],
    ),
    (
        "a CustomResourceDefinition",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: orders.shop}\nspec:\n  versions:\n  - name: v@\n    served: true\n",
        RESOURCE,
    ),
    (
        "Atlas",
        "apiVersion: db.atlasgo.io/v1alpha1\nkind: AtlasSchema\nmetadata: {name: shop}\nspec:\n  schema:\n    sql: |\n      create table orders (id int, c @);\n",
        RESOURCE,
    ),
    (
        "Atlas, versioned",
        "apiVersion: db.atlasgo.io/v1alpha1\nkind: AtlasMigration\nmetadata: {name: shop}\nspec:\n  dir: {remote: {name: shop, tag: @}}\n",
        RESOURCE,
    ),
    (
        "SchemaHero",
        "apiVersion: schemas.schemahero.io/v1alpha4\nkind: Table\nmetadata: {name: orders}\nspec: {schema: {postgres: {columns: [{name: id, type: @}]}}}\n",
        RESOURCE,
    ),
    (
        "an operator of one's own",
        "apiVersion: flyway.example.com/v1\nkind: FlywayMigration\nmetadata: {name: orders}\nspec: {image: 'shop/sql:@'}\n",
        RESOURCE,
    ),
    (
        "another Table",
        "apiVersion: example.com/v1\nkind: Table\nmetadata: {name: schemahero}\nspec: {rows: @}\n",
        &[],
    ),
    (
        "the status of a definition",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: orders.shop}\nspec: {group: shop}\nstatus: {seen: @}\n",
        &[],
    ),
    (
        "SQL in a ConfigMap",
        "kind: ConfigMap\nmetadata: {name: sql}\ndata:\n  V1__a.sql: |\n    create table orders (id @);\n",
        SQL,
    ),
    (
        "a changelog in a ConfigMap",
        "kind: ConfigMap\nmetadata: {name: liquibase}\ndata:\n  changelog.yaml: |\n    databaseChangeLog:\n    - changeSet: {id: @}\n",
        SQL,
    ),
    (
        "something else in a ConfigMap",
        "kind: ConfigMap\nmetadata: {name: web}\ndata:\n  migrations.conf: |\n    x: @\n",
        &[],
    ),
    (
        "a template with a hook",
        "{{- if .Values.hook }}\nkind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: pre-upgrade\nspec: {image: 'shop/web:@'}\n{{- end }}\n",
        JOB,
    ),
    (
        "a template without one",
        "{{- if .Values.migrate }}\nkind: Deployment\nspec: {image: 'shop/web:@'}\n{{- end }}\n",
        &[],
    ),
];

fn found(before: &str, after: &str) -> Vec<(SchemaDetector, Effect)> {
    let found = if may_show(before) || may_show(after) {
        changes("apps/web/all.yaml", before, after)
    } else {
        Vec::new()
    };
    found.into_iter().map(|one| (one.detector, one.effect)).collect()
}

#[test]
fn a_change_of_a_schema_is_found_in_manifests_and_nothing_else_is() {
    for (what, text, expected) in ROWS {
        let (before, after) = (text.replace('@', "1"), text.replace('@', "2"));
        assert_eq!(found(&before, &after), expected, "{what}");
        assert_eq!(found(&before, &before), [], "{what}, unchanged");
    }
}

#[test]
fn sql_that_came_with_a_config_map_is_read() {
    let with = |files: &str| format!("kind: ConfigMap\nmetadata: {{name: sql}}\ndata:\n  a: b\n{files}");
    let (expand, contract) =
        ("  V2__b.sql: |\n    alter table a add column b int;\n", "  V3__c.sql: |\n    drop table a;\n");
    // What runs it nobody knows: what expands is no less unknown.
    assert_eq!(found(&with(""), &with(expand)), [(SchemaDetector::ConfigMaps, Effect::Unknown)]);
    assert_eq!(
        found(&with(expand), &with(&format!("{expand}{contract}"))),
        [(SchemaDetector::ConfigMaps, Effect::Contract)]
    );
    assert_eq!(found(&with(contract), &with("")), [(SchemaDetector::ConfigMaps, Effect::Unknown)]);
}

#[test]
fn what_came_with_the_deployment_counts_and_a_job_that_went_does_not() {
    let job = "kind: Job\nmetadata: {name: migrate-2}\nspec: {template: {spec: {containers: [{name: a, image: 'shop/web:2'}]}}}\n";
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b}\n";
    assert_eq!(found("", job), JOB);
    assert_eq!(found(job, ""), []);
    assert_eq!(found("", definition), RESOURCE);
    assert_eq!(found(definition, ""), RESOURCE);
}

proptest::proptest! {
    /// Whatever a repository holds.
    #[test]
    fn any_text_is_looked_at(before in "(?s).{0,60}", after in "[a-zA-Z:\\[\\]{}\\- \\n>./|'\"]{0,80}migrate") {
        let both = [changes("a.yaml", &before, &after), changes("a.yaml", &after, &before)];
        proptest::prop_assert!(both.iter().flatten().all(|one| !one.what.is_empty()));
    }
}
