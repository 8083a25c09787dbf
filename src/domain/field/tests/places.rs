//! What is a release field where, and what is not.

use super::*;

pub(super) fn compared(path: &str, before: &str, after: &str) -> Comparison {
    let file = File { path, fields: &Selection::default() };
    super::super::compare(&file, &Document::from(before), &Document::from(after))
}

/// The addresses of the release fields in which two versions differ.
fn found(path: &str, before: &str, after: &str) -> Vec<String> {
    let compared = compared(path, before, after);
    let alone = compared.alone().map(|one| one.address.clone());
    compared.release_fields().map(|one| one.address.clone()).chain(alone).collect()
}

/// Each is one value before and after, put into a text at the mark.
pub(super) type Rows<'a> = &'a [(&'a str, &'a str, &'a str, &'a str)];

#[track_caller]
pub(super) fn all_are(wanted: bool, rows: Rows<'_>) {
    for (path, text, old, new) in rows {
        let found = found(path, &text.replace('@', old), &text.replace('@', new));
        assert_eq!(!found.is_empty(), wanted, "{path}: {text}: {old} -> {new}: {found:?}");
    }
}

const COMMITS: [&str; 2] =
    ["0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"];

const FOUND: Rows<'static> = &[
    (
        "a.yaml",
        "metadata:\n  annotations:\n    shop.example.com/app-commit-hash: @\n",
        COMMITS[0],
        COMMITS[1],
    ),
    ("a.yaml", "annotations:\n  app-commit-sha: @\n", COMMITS[0], COMMITS[1]),
    ("a.yaml", "podAnnotations:\n  build-hash: @\n", COMMITS[0], COMMITS[1]),
    ("a.yaml", "commitHash: @\n", COMMITS[0], COMMITS[1]),
    ("a.yaml", "release-id: @\n", COMMITS[0], COMMITS[1]),
    ("a.yaml", "bundle: app-@\n", "6.7.2.2", "6.7.2.3"),
    ("a.yaml", "release: @\n", "6.7.2.2", "6.7.2.3"),
    ("a.env", "PLUGIN=@\n", "6.7.2.2", "6.7.3.0"),
    ("a.yaml", "plugins:\n- name@\n", "-2.0.1.4", "-2.0.1.5"),
    ("a.yaml", "url: https://get.example.com/app/@/app.tgz\n", "6.7.2.2", "6.7.2.3"),
    ("a.yaml", "args:\n- --web-image-tag=@\n", "blue", "green"),
    ("a.yaml", "args: [\"--image-tag=@\"]\n", "stable", "edge"),
    ("a.yaml", "args:\n- --sidecar-image-version=@\n", "blue", "green"),
    ("a.yaml", "args:\n- --proxy-image-digest=@\n", "abc", "def"),
    ("a.yaml", "command:\n- run\n- --migrator-image-tag=@\n", "x1", "x2"),
    ("kustomization.yaml", "images:\n- name: web\n  newName: @\n", "registry/web:blue", "registry/web:green"),
    ("kustomization.yaml", "images:\n- name: web\n  newName: @\n", "registry/web", "mirror/web"),
    ("a.yaml", "image: @\n", "registry/web:v1", "Pushing image to the registry"),
    ("a.yaml", "image: @\n", "registry/web:v1", "registry/web:v1:v2"),
    ("a.yaml", "image: @\n", "Error, no such tag", "registry/web:v2"),
    ("a.yaml", "image: \"@\"\n", "registry/web:v1", "registry/web:"),
    ("a.yaml", "containers:\n- name: a\n  image: @\n", "registry/web:v1", "null value found"),
    ("k.yaml", "resources:\n- https://github.com/o/r//base/v1?ref=@\n", "v1.2.0", "v1.3.0"),
    (
        "m.tf",
        "module \"a\" {\n  source = \"git::https://example.com/m.git//@\"\n}\n",
        "a?ref=v1.2.0",
        "b?ref=v1.3.0",
    ),
    ("k.yaml", "resources:\n- https://github.com/o/r//@\n", "base?ref=v1", "overlays/x?ref=v2"),
    ("k.yaml", "bases:\n- github.com/o/r//@\n", "a?ref=main", "b?ref=next"),
    (
        "k.yaml",
        "resources:\n- https://github.com/o/r//@\n",
        "old/deploy?ref=0a1b2c3",
        "new/deploy?ref=9f8e7d6",
    ),
    ("a.yaml", "source:\n  chart: @\n", "shop", "shop-next"),
    ("a.yaml", "spec:\n  chart:\n    spec:\n      chart: @\n", "nginx", "nginx-unprivileged"),
    ("v.yaml", "image:\n  repository: @\n  tag: v1\n", "registry/web", "registry/web-next"),
    ("v.yaml", "webImage:\n  repository: @\n", "registry/web", "registry/other"),
    ("h.yaml", "releases:\n- name: a\n  chart: @\n", "x/a", "y/a"),
    ("v.yaml", "image:\n  registry: @\n  repository: web\n", "ghcr.io", "quay.io"),
    (
        "a.yaml",
        "kind: Application\nmetadata: {name: a}\nspec:\n  source:\n    repoURL: @\n    path: web\n",
        "https://git.example.com/a.git",
        "https://git.example.com/b.git",
    ),
    (
        "r.yaml",
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart:\n    spec:\n      sourceRef:\n        name: @\n",
        "stable",
        "edge",
    ),
    (
        "r.yaml",
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chartRef:\n    kind: OCIRepository\n    name: @\n",
        "web",
        "web-next",
    ),
    (
        "k.yaml",
        "kind: Kustomization\nmetadata: {name: a}\nspec:\n  sourceRef: {kind: GitRepository, name: @}\n",
        "a",
        "b",
    ),
    ("v.yaml", "web:\n  repository: @\n  tag: v1\n", "shop/web", "shop/web2"),
    ("v.yaml", "web:\n  registry: @\n  repository: web\n  tag: v1\n", "ghcr.io", "quay.io"),
    ("v.yaml", "global:\n  imageRegistry: @\n", "ghcr.io", "quay.io"),
    ("v.yaml", "image:\n  name: @\n  tag: v1\n", "web", "web-next"),
    (
        "o.yaml",
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: @\n",
        "oci://r.example.com/a",
        "oci://r.example.com/b",
    ),
    (
        "o.yaml",
        "kind: GitRepository\nmetadata: {name: a}\nspec:\n  url: @\n",
        "https://g.example.com/a",
        "https://g.example.com/b",
    ),
    (
        "o.yaml",
        "kind: GitRepository\nmetadata: {name: a}\nspec:\n  ref:\n    name: @\n",
        "refs/heads/main",
        "refs/heads/next",
    ),
    (
        "r.yaml",
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart:\n    spec:\n      sourceRef:\n        namespace: @\n",
        "flux",
        "shop",
    ),
    (
        "m.tf",
        "resource \"helm_release\" \"web\" {\n  repository = \"@\"\n  chart = \"web\"\n}\n",
        "https://charts.example.com",
        "https://other.example.com",
    ),
    (
        "k.yaml",
        "helmCharts:\n- name: web\n  repo: @\n",
        "https://charts.example.com",
        "https://other.example.com",
    ),
    ("d.yaml", "image: shop/web:${TAG:-@}\n", "16", "17"),
    ("d.yaml", "image: \"{{ .Values.r }}:@\"\n", "v1", "v2"),
    (
        "a.yaml",
        "kind: Application\nmetadata: {name: a}\nspec:\n  source:\n    path: @\n",
        "deploy/web",
        "deploy/web2",
    ),
    (
        "a.yaml",
        "kind: Kustomization\nmetadata: {name: a}\nspec:\n  path: @\n",
        "./deploy/web",
        "./deploy/web2",
    ),
    (
        "c.yaml",
        "dependencies:\n- name: web\n  version: 1.0.0\n  repository: @\n",
        "https://a.example.com",
        "https://b.example.com",
    ),
    (
        "c.yaml",
        "kind: HelmChart\nmetadata: {name: a}\nspec:\n  repo: @\n",
        "https://a.example.com",
        "https://b.example.com",
    ),
    ("v.yaml", "image:\n  repo: @\n  tag: v1\n", "r/a", "r/b"),
    ("a.env", "API_VERSION=@\n", "1.4.2", "1.5.0"),
    ("a.env", "DB_API_VERSION=@\n", "1.4.2", "1.5.0"),
    (
        "a.yaml",
        "kind: Shop\nmetadata: {name: a}\nspec:\n  image:\n    repository: @\n",
        "shop/web",
        "shop/web2",
    ),
];

#[test]
fn what_is_a_release_field() {
    let map = |name: &str| format!("versions:\n  {name}: @\n");
    let services = ["token-service", "account", "policy", "zone", "secrets-api", "port", "key", "storage"];
    for text in services.map(map) {
        all_are(true, &[("v.yaml", &text, "1.4.2", "1.5.0"), ("v.yaml", &text, "v3", "v4")]);
    }
    all_are(true, FOUND);
}

const HASHES: [&str; 2] = ["0a1b2c3d4e5f6071", "9f8e7d6c5b4a3928"];

const NOT_FOUND: Rows<'static> = &[
    (
        "s.yaml",
        "kind: ExternalSecret\nmetadata: {name: a}\nspec:\n  data:\n  - secretKey: p\n    remoteRef: {key: a, version: @}\n",
        "5",
        "6",
    ),
    ("s.yaml", "spec:\n  data:\n  - remoteRef:\n      key: a\n      version: \"@\"\n", "5", "6"),
    (
        "s.yaml",
        "kind: SecretProviderClass\nmetadata: {name: a}\nspec:\n  parameters:\n    objectVersion: @\n",
        "1.2.3",
        "1.2.4",
    ),
    ("s.yaml", "kind: VaultStaticSecret\nmetadata: {name: a}\nspec:\n  version: @\n", "5", "6"),
    ("s.yaml", "env:\n  secretKeyRef: {name: a, version: @}\n", "5", "6"),
    (
        "r.yaml",
        "apiVersion: ec2.aws.upbound.io/v1\nspec:\n  forProvider:\n    tags:\n      Version: @\n",
        "1.2.3",
        "1.2.4",
    ),
    ("r.tf", "resource \"a\" \"b\" {\n  tags = {\n    Version = \"@\"\n  }\n}\n", "1.2.3", "1.2.4"),
    ("r.yaml", "additionalTags:\n  release: @\n", "1.2.3", "1.2.4"),
    (
        "c.yaml",
        "AWSTemplateFormatVersion: a\nResources:\n  A:\n    Properties:\n      Tags:\n        app-version: @\n",
        "1.2.3",
        "1.2.4",
    ),
    ("r.tf", "locals {\n  common_tags = {\n    image_tag = \"@\"\n  }\n}\n", "v1", "v2"),
    ("e.yaml", "selection:\n  tagStatus: @\n", "tagged", "untagged"),
    ("e.yaml", "selection:\n  tagPatternList: @\n", "v1", "v2"),
    ("e.yaml", "imageTagMutability: @\n", "MUTABLE", "IMMUTABLE"),
    ("e.yaml", "tagPrefix: @\n", "v", "r"),
    ("e.yaml", "tagFilter: @\n", "v1", "v2"),
    ("e.yaml", "image-tag-policy: @\n", "latest", "semver"),
    ("n.yaml", "hook: https://hooks.example.com/services/@\n", HASHES[0], HASHES[1]),
    ("n.yaml", "link: https://grafana.example.com/d/@/shop\n", HASHES[0], HASHES[1]),
    ("n.yaml", "api: https://api.example.com/@/orders\n", "v1", "v2"),
    ("n.yaml", "upstream: http://@:8080/x\n", "10.0.0.1", "10.0.0.2"),
    ("n.yaml", "webhook: https://discord.example.com/api/webhooks/@\n", "1234567890", "9876543210"),
    ("n.yaml", "servers:\n- @\n", "10.1.2.3", "10.1.2.4"),
    ("n.yaml", "servers:\n- @\n", "192.168.1.3", "192.168.1.4"),
    ("n.yaml", "resolvers:\n- @\n", "8.8.8.8", "8.8.4.4"),
    ("n.yaml", "role: @\n", "arn:aws:iam::1:role/a-v1.2.3", "arn:aws:iam::1:role/a-v1.2.4"),
    ("n.yaml", "allow: @/32\n", "52.16.4.9", "52.16.4.10"),
    ("p.yaml", "expr: sum(rate(x{hash=\"@\"}[5m]))\n", HASHES[0], HASHES[1]),
    ("p.yaml", "expr: up{pod=~\"a-@-.*\"}\n", "0a1b2c3d4e", "9f8e7d6c5b"),
    ("p.yaml", "query: avg by (id) (y{commit=\"@\"} > 1)\n", "abcdef1", "1fedcba"),
    ("i.json", "{\"Version\": \"@\", \"Statement\": []}\n", "2008-10-17", "2012-10-17"),
    ("t.yaml", "tags:\n  owner: @\n", "team-a", "team-b"),
    ("r.yaml", "annotations:\n  runbook_url: https://docs.example.com/@/run\n", "v1.2", "v1.3"),
    ("p.yaml", "expr: up{version=\"@\"} == 0\n", "1.0.0", "1.1.0"),
    ("d.json", "{\"schemaVersion\": 39, \"version\": @, \"title\": \"a\"}\n", "41", "42"),
    ("d.yaml", "data:\n  d.json: |\n    {\"schemaVersion\": 39, \"version\": @}\n", "41", "42"),
    ("d.json", "{\"panels\": [], \"title\": \"a\", \"version\": @}\n", "41", "42"),
    ("o.yaml", "openapi: @\n", "3.0.0", "3.1.0"),
    ("o.yaml", "configMapRef:\n  name: @\n", "a", "b"),
    ("o.yaml", "registry: @\n", "a.example.com", "b.example.com"),
    ("o.yaml", "description: Shop v@ rollout\n", "1.0.0", "1.1.0"),
    ("o.yaml", "userAgent: Mozilla/@\n", "5.0.1", "5.0.2"),
    ("o.yaml", "phone: \"@\"\n", "1.800.555", "1.800.556"),
    ("o.yaml", "$schema: https://x/schema-@.json\n", "1.0.0", "1.1.0"),
    ("c.yaml", "image: a:1 # @\n", "one", "two"),
    ("c.yaml", "tag: @\n", "v1", "\"v1\""),
    ("c.env", "A_TAG=v1 # @\n", "one", "two"),
    ("g.yaml", "dashboard:\n  chart: @\n", "bar", "line"),
    ("g.yaml", "panels:\n- name: a\n  chart: @\n", "bar", "line"),
    ("g.yaml", "docs:\n  repoURL: @\n", "https://a.example.com", "https://b.example.com"),
    ("g.yaml", "imagePullSecret:\n  registry: @\n", "a.example.com", "b.example.com"),
    ("g.yaml", "imageCredentials:\n  registry: @\n", "a.example.com", "b.example.com"),
    ("g.yaml", "imageCache:\n  repository: @\n", "/var/a", "/var/b"),
    ("g.yaml", "users:\n- id: a\n  newName: @\n", "ann", "bob"),
    ("g.yaml", "tls:\n  version: \"@\"\n", "1.2", "1.3"),
    ("g.yaml", "metadata:\n  ownerReferences:\n  - kind: a\n    sourceRef:\n      name: @\n", "a", "b"),
    (
        "a.yaml",
        "kind: Application\nmetadata: {name: a}\nspec:\n  source:\n    helm:\n      valuesObject:\n        source:\n          chart: @\n",
        "bar",
        "line",
    ),
    ("b.yaml", "kind: Component\nmetadata: {name: a}\nspec:\n  chart: @\n", "bar", "line"),
    (
        "b.yaml",
        "kind: BackupRepository\nmetadata: {name: a}\nspec:\n  url: @\n",
        "https://a.example.com",
        "https://b.example.com",
    ),
    ("b.yaml", "kind: Role\nmetadata: {name: a}\nchartRef:\n  name: @\n", "a", "b"),
    ("b.yaml", "kind: ExternalSecret\nmetadata: {name: a}\nspec:\n  sourceRef:\n    name: @\n", "a", "b"),
    ("a.env", "API_VERSION=@\n", "v1", "v2"),
    ("a.yaml", "apiVersion: @\n", "1.4.2", "1.5.0"),
];

#[test]
fn what_is_no_release_field() {
    all_are(false, NOT_FOUND);
}

/// It changes what runs, and a person has to say what becomes of it.
#[test]
fn what_is_left_to_a_person_is_named() {
    for (text, old, new) in [
        ("spec:\n  data:\n  - remoteRef: {key: a, version: @}\n", "5", "6"),
        ("productionSlot: @\n", "blue", "green"),
        ("activeColor: @\n", "blue", "green"),
        ("routes:\n- name: blue\n  weight: @\n", "100", "0"),
        ("blue:\n  enabled: @\n", "true", "false"),
        ("service:\n  selector:\n    slot: @\n", "a", "b"),
    ] {
        let compared = compared("v.yaml", &text.replace('@', old), &text.replace('@', new));
        assert!(!compared.is_deployment(), "{text}");
        assert_eq!(compared.changes.iter().filter(|one| one.by_hand.is_some()).count(), 1, "{text}");
    }
    for (text, old, new) in [
        ("replicas: @\n", "2", "3"),
        ("feature:\n  enabled: @\n", "true", "false"),
        ("color: @\n", "f00", "0f0 0"),
    ] {
        let compared = compared("v.yaml", &text.replace('@', old), &text.replace('@', new));
        assert!(compared.changes.iter().all(|one| one.by_hand.is_none()), "{text}");
    }
}

type Texts<'a> = &'a [(&'a str, &'a str, &'a str)];

const KEPT: Texts<'static> = &[
    ("spec:\n  kafka:\n    version: @\n", "3.6.0", "3.7.0"),
    ("spec:\n  postgresql:\n    version: \"@\"\n", "15", "16"),
    ("kind: TalosUpgrade\nmetadata: {name: a}\nspec:\n  version: @\n", "v1.6.0", "v1.7.0"),
    ("versions:\n  postgres: @\n", "15.1", "16.1"),
    ("variable \"db_engine_version\" {\n  default = \"@\"\n}\n", "15.1", "16.1"),
    ("image: postgres:@\n", "16", "17"),
    ("image: docker.io/opensearchproject/opensearch:@\n", "2.6.0", "2.7.0"),
    ("image:\n  repository: bitnami/postgresql\n  tag: @\n", "15.1.0", "16.1.0"),
    ("images:\n- name: mysql\n  newTag: \"@\"\n", "8.0", "8.4"),
    ("image: confluentinc/cp-kafka:@\n", "7.5.0", "7.6.0"),
    ("kind: Kafka\nmetadata: {name: a}\nspec:\n  version: @\n", "3.6.0", "3.7.0"),
    ("engineVersion: @\n", "15.1", "16.1"),
    ("postgresql:\n  image:\n    tag: \"@\"\n", "14.1", "15.1"),
    ("redis:\n  image:\n    tag: \"@\"\n", "7.0", "7.2"),
    ("chart: {spec: {chart: postgresql, version: @}}\n", "12.0.0", "13.0.0"),
    ("source: {chart: redis, targetRevision: @}\n", "17.0.0", "18.0.0"),
    ("image: percona/percona-xtradb-cluster:@\n", "8.0.31", "8.0.32"),
    ("image: zalando/spilo-15:@\n", "3.0.1", "3.0.2"),
    ("image: mcr.microsoft.com/mssql/server:@\n", "2019-latest", "2022-latest"),
    ("image: crunchydata/crunchy-postgres:@\n", "15.1-0", "16.0-0"),
    ("cluster_version: \"@\"\n", "1.28", "1.29"),
    ("min_master_version: \"@\"\n", "1.28", "1.29"),
    ("kind: KubeadmControlPlane\nmetadata: {name: a}\nspec: {version: @}\n", "v1.28.0", "v1.29.0"),
    ("kind: Cluster\nmetadata: {name: a}\nspec: {topology: {version: @}}\n", "v1.28.0", "v1.29.0"),
    (
        "apiVersion: upgrade.cattle.io/v1\nkind: Plan\nmetadata: {name: a}\nspec: {version: @}\n",
        "v1.28.0",
        "v1.29.0",
    ),
    ("cephImage:\n  tag: @\n", "v18.2.0", "v19.2.0"),
    ("redisImageTag: @\n", "7.0", "7.2"),
    ("env:\n- {name: A, value: b}\nPOSTGRES_IMAGE_TAG: \"@\"\n", "15.1", "16.1"),
    (
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://registry.example.com/charts/postgresql\n  ref: {tag: @}\n",
        "15.0.0",
        "16.0.0",
    ),
    (
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart: {spec: {chart: mariadb}}\n  values:\n    image: {tag: @}\n",
        "10.6",
        "11.2",
    ),
    (
        "kind: Application\nmetadata: {name: a}\nspec:\n  source:\n    chart: mongodb\n    helm: {valuesObject: {image: {tag: @}}}\n",
        "6.0",
        "7.0",
    ),
    (
        "resource \"helm_release\" \"a\" {\n  chart = \"postgresql\"\n  version = \"@\"\n}\n",
        "15.0.0",
        "16.0.0",
    ),
    (
        "resource \"helm_release\" \"a\" {\n  version = \"@\"\n  chart   = \"bitnami/kafka\"\n}\n",
        "25.0.0",
        "26.0.0",
    ),
    ("image:\n  tag: @\nmigrations:\n  version: @\n", "41", "42"),
    ("image:\n  tag: @\nflyway:\n  target: \"@\"\n", "41", "42"),
    ("image:\n  tag: @\nliquibase:\n  tag: @\n", "v41", "v42"),
    ("image:\n  tag: @\njobs:\n  migration:\n    image: a/b:@\n", "v41", "v42"),
    ("image:\n  tag: @\ndbSchema:\n  version: @\n", "41", "42"),
    (
        "images:\n- name: postgres\n  digest: sha256:@\n",
        "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    (
        "postgresql:\n  image:\n    digest: sha256:@\n",
        "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ),
    (
        "source: {repoURL: https://charts.example.com, chart: @, targetRevision: 1.0.0}\n",
        "postgresql",
        "postgresql-ha",
    ),
    ("image:\n  repository: @\n  tag: \"8\"\n", "library/mysql", "library/mariadb"),
    ("image: @\n", "shop/db:1", "postgres:16"),
    ("image:\n  registry: @\n  repository: bitnami/postgresql\n  tag: \"16\"\n", "docker.io", "quay.io"),
    ("POSTGRES_TAG: \"@\"\n", "15.1", "16.1"),
    ("versions:\n  postgresql-ha: @\n", "15.1.0", "16.1.0"),
    ("image: postgres:${PG_TAG:-@}\n", "16", "17"),
    ("postgresql:\n  primary:\n    image:\n      tag: @\n", "15.1.0", "16.1.0"),
    ("image: redpandadata/redpanda:@\n", "v23.1.0", "v24.1.0"),
];

const NOT_KEPT: Texts<'static> = &[
    ("image: shop/kafka-consumer:@\n", "1.0.0", "1.1.0"),
    ("image: shop/postgres-exporter:@\n", "1.0.0", "1.1.0"),
    ("postgresClientImage:\n  tag: @\n", "1.0.0", "1.1.0"),
    ("database:\n  url: postgres://db.example.com/postgres\nimage:\n  tag: @\n", "1.0.0", "1.1.0"),
    (
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart: {spec: {chart: mariadb}}\n  values:\n    metrics:\n      image: {tag: @}\n",
        "0.14.0",
        "0.15.0",
    ),
    (
        "kind: HelmRelease\nmetadata: {name: a}\nspec:\n  chart: {spec: {chart: postgresql}}\n  values:\n    image: {repository: shop/web, tag: @}\n",
        "0.14.0",
        "0.15.0",
    ),
    (
        "kind: OCIRepository\nmetadata: {name: a}\nspec:\n  url: oci://registry.example.com/charts/postgres-operator\n  ref: {tag: @}\n",
        "1.0.0",
        "1.1.0",
    ),
    ("resource \"helm_release\" \"a\" {\n  chart = \"web\"\n  version = \"@\"\n}\n", "1.0.0", "1.1.0"),
    ("containers:\n- name: kafka\n  image: r/orders:@\n", "1.0.0", "1.1.0"),
    ("engine:\n  version: @\n", "1.0.0", "1.1.0"),
    ("searchEngineVersion: @\n", "1.0.0", "1.1.0"),
    ("migration-service:\n  image:\n    tag: @\n", "1.0.0", "1.1.0"),
    ("kafka:\n  consumer:\n    image:\n      tag: @\n", "1.0.0", "1.1.0"),
    ("image:\n  repository: shop/web\n  tag: @\n", "v1", "v2"),
    ("versions:\n  checkout: @\n", "1.0.0", "1.1.0"),
    ("spec:\n  web:\n    version: @\n", "1.0.0", "1.1.0"),
    ("variable \"web_version\" {\n  default = \"@\"\n}\n", "1.0.0", "1.1.0"),
    ("elements:\n- cluster: us\n  version: @\n- cluster: eu\n  version: 1.0.0\n", "1.0.0", "1.1.0"),
    ("releases:\n- name: kafka-consumer\n  chart: shop/consumer\n  version: @\n", "1.0.0", "1.1.0"),
    ("redis-ui:\n  version: @\n", "1.0.0", "1.1.0"),
    ("db-api:\n  version: @\n", "1.0.0", "1.1.0"),
    ("shop-db-sync:\n  version: @\n", "1.0.0", "1.1.0"),
    ("master-data:\n  version: @\n", "1.0.0", "1.1.0"),
    ("redis:\n  exporter:\n    tag: @\n", "1.0.0", "1.1.0"),
    ("kafka:\n  ui:\n    tag: @\n", "1.0.0", "1.1.0"),
    ("vault:\n  agent:\n    tag: @\n", "1.0.0", "1.1.0"),
    (
        "kind: Application\nmetadata: {name: a}\nspec:\n  source:\n    chart: postgresql\n    helm:\n      parameters:\n      - name: metrics.image.tag\n        value: @\n",
        "1.0.0",
        "1.1.0",
    ),
    ("kind: ClusterWorkflowTemplate\nmetadata: {name: a}\nspec:\n  version: @\n", "1.0.0", "1.1.0"),
    ("kind: ClusterIssuer\nmetadata:\n  name: a\n  labels: {version: @}\n", "1.0.0", "1.1.0"),
    ("clusters:\n- cluster: kafka\n  version: @\n- cluster: web\n  version: 1.0.0\n", "1.0.0", "1.1.0"),
    ("kind: KafkaTopic\nmetadata:\n  name: a\n  labels: {version: @}\n", "1.0.0", "1.1.0"),
    ("kind: StateMachine\nmetadata: {name: a}\nspec: {version: @}\n", "1.0.0", "1.1.0"),
    ("kind: Plan\nmetadata: {name: a}\nspec: {version: @}\n", "1.0.0", "1.1.0"),
];

#[test]
fn versions_of_what_keeps_data_are_known_by_their_place() {
    let is_engine = |text: &str, old: &str, new: &str| {
        let compared = compared("v.yaml", &text.replace('@', old), &text.replace('@', new));
        assert!(compared.is_deployment(), "{text}");
        compared.release_fields().any(|one| one.engine) || compared.migrates.is_some()
    };
    for (text, old, new) in KEPT {
        assert!(is_engine(text, old, new), "{text}");
    }
    for (text, old, new) in NOT_KEPT {
        assert!(!is_engine(text, old, new), "{text}");
    }
}
