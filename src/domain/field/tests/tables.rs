//! What is a release field, what is none, and what is a person's, in the forms in which the tools write it.

use super::places::{Rows, compared};

/// Each row is looked at, and all that is wrong is told at once.
#[track_caller]
fn each<T>(rows: &[T], check: impl Fn(&T) -> Result<(), String>) {
    let wrong: Vec<String> = rows.iter().filter_map(|row| check(row).err()).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[track_caller]
fn all_are(wanted: bool, rows: Rows<'_>) {
    each(rows, |(path, text, old, new)| {
        let compared = compared(path, &text.replace('@', old), &text.replace('@', new));
        if compared.is_deployment() == wanted {
            Ok(())
        } else {
            Err(format!("{path}: {text}: {old} -> {new}"))
        }
    });
}

const COMMITS: [&str; 2] =
    ["0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"];

/// Hashes of commits where tools write them down.
const OF_COMMITS: Rows<'static> = &[
    (
        "d.yaml",
        "kind: Deployment\nmetadata: {name: web}\nspec: {template: {metadata: {annotations: {app.example.com/git-commit: \"@\"}}}}\n",
        COMMITS[0],
        COMMITS[1],
    ),
    ("d.yaml", "annotations:\r\n  example.com/git-sha: '@'\r\n", "0a1b2c3", "9f8e7d6"),
    ("d.json", "{\"metadata\": {\"annotations\": {\"commit-hash\": \"@\"}}}\n", COMMITS[0], COMMITS[1]),
    ("kustomization.yaml", "commonAnnotations:\n  app.example.com/revision: @\n", COMMITS[0], COMMITS[1]),
    ("web.tf", "annotations = {\n  \"app/commit-sha\" = \"@\"\n}\n", COMMITS[0], COMMITS[1]),
    (
        "docker-compose.yml",
        "services:\n  web:\n    labels:\n      org.opencontainers.image.revision: \"@\"\n",
        COMMITS[0],
        COMMITS[1],
    ),
];

/// Versions of four parts where tools write them down.
const OF_FOUR_PARTS: Rows<'static> = &[
    ("docker-compose.yml", "services:\n  web:\n    image: shop/web:@\n", "6.7.2.2", "6.7.2.3"),
    ("v.json", "{\"plugins\": [\"shop-@\"]}\n", "6.7.2.2", "6.7.2.3"),
    ("v.yaml", "image: {tag: \"@\"}\n", "10.0.19045.1", "10.0.19045.2"),
    ("Chart.yaml", "appVersion: '@'\n", "6.7.2.2", "6.8.0.0"),
    ("web.tf", "locals {\n  web_version = \"@\"\n}\n", "6.7.2.2", "6.7.2.3"),
    ("web.properties", "web.artifact=com.example:web:@\n", "6.7.2.2", "6.7.2.3"),
    ("app.yaml", "helm:\n  parameters:\n  - {name: web.version, value: \"@\"}\n", "6.7.2.2", "6.7.2.3"),
];

/// Words in arguments that name a tag of an image.
const OF_ARGUMENTS: Rows<'static> = &[
    ("d.yaml", "containers:\n- name: a\n  args: [serve, \"--worker-image-tag=@\"]\n", "blue", "green"),
    ("d.yaml", "command: [\"/bin/operator\", '--image-tag=@', \"--v=2\"]\n", "stable", "canary"),
    ("d.json", "{\"args\": [\"--proxy-image-tag=@\"]}\n", "blue", "green"),
    (
        "docker-compose.yml",
        "services:\n  op:\n    image: shop/op:1.0.0\n    command:\n      - \"--web-image-tag=@\"\n",
        "blue",
        "green",
    ),
    ("d.yaml", "args:\r\n- --web-image-tag=@\r\n", "blue", "green"),
    ("d.tf", "args = [\"--web-image-tag=@\"]\n", "blue", "green"),
];

/// Names of images with their tags in them.
const OF_NEW_NAMES: Rows<'static> = &[
    ("kustomization.yaml", "images: [{name: web, newName: \"registry/web:@\"}]\n", "blue", "green"),
    (
        "kustomization.yaml",
        "images:\n- name: web\n  newName: registry.example.com:5000/shop/web:@\n",
        "v1",
        "v2",
    ),
    ("kustomization.yaml", "images:\n- newName: 'registry/web:@'\n  name: web\n", "1.0.0", "1.1.0"),
    ("kustomization.yaml", "images:\r\n- name: web\r\n  newName: registry/web:@\r\n", "main", "next"),
    (
        "kustomization.json",
        "{\"images\": [{\"name\": \"web\", \"newName\": \"registry/web:@\"}]}\n",
        "blue",
        "green",
    ),
    (
        "ks.yaml",
        "kind: Kustomization\nmetadata: {name: web}\nspec:\n  images:\n  - name: web\n    newName: registry/web@\n",
        "",
        "-next:v2",
    ),
];

/// Texts in the place of an image that are none, or that were none.
const OF_BROKEN_IMAGES: Rows<'static> = &[
    ("d.yaml", "containers: [{name: a, image: \"@\"}]\n", "registry/web:v1", "registry/web:v1 v2"),
    ("d.json", "{\"image\": \"@\"}\n", "registry/web:v1", "error: no such image"),
    ("docker-compose.yml", "services:\n  web:\n    image: @\n", "registry/web:v1", "registry/web:v2:latest"),
    ("d.yaml", "image: '@'\n", "registry/web@sha256:", "registry/web:v1"),
    ("d.yaml", "image: \"@\" # of web\n", "registry/web:v1", "unable to find version"),
    ("d.yaml", "image: >-\n  @\n", "registry/web:v1", "registry/web:v1:v2"),
    ("d.yaml", "initContainers:\n- name: a\n  image: @\r\n", "registry/web:v1", "registry/web:<no value>"),
];

/// A revision in a URL, with a path that changed along.
const OF_REFS: Rows<'static> = &[
    (
        "kustomization.yaml",
        "resources: [\"https://github.com/o/r//@\"]\n",
        "base?ref=v1",
        "overlays/x?ref=v2",
    ),
    (
        "kustomization.yaml",
        "components:\n- https://github.com/o/r.git//@\n",
        "a?ref=0a1b2c3",
        "b?ref=9f8e7d6",
    ),
    (
        "main.tf",
        "module \"web\" {\n  source = \"git::ssh://github.com/o/r.git//@\"\n}\n",
        "modules/a?ref=v1.0.0",
        "modules/b?ref=v1.1.0",
    ),
    (
        "terragrunt.hcl",
        "terraform {\n  source = \"github.com/o/r//@\"\n}\n",
        "web?ref=v1.0.0",
        "web/next?ref=v1.1.0",
    ),
    ("helmfile.yaml", "bases:\n- git::https://github.com/o/r.git//@\n", "a.yaml?ref=v1", "b.yaml?ref=v2"),
    (
        "kustomization.json",
        "{\"resources\": [\"https://github.com/o/r//@\"]}\n",
        "base?ref=release-1",
        "next?ref=release-2",
    ),
];

/// Other charts and other repositories of the same version.
const OF_ORIGINS: Rows<'static> = &[
    (
        "app.yaml",
        "kind: Application\nmetadata: {name: a}\nspec:\n  sources:\n  - {chart: @, repoURL: https://c.example.com, targetRevision: 1.0.0}\n",
        "web",
        "web-next",
    ),
    (
        "hr.yaml",
        "kind: HelmRelease\nmetadata: {name: a}\nspec: {chart: {spec: {chart: \"@\", version: 1.0.0}}}\n",
        "web",
        "web-next",
    ),
    ("helmfile.yaml", "releases:\n- {name: web, chart: '@', version: 1.0.0}\n", "shop/web", "mirror/web"),
    (
        "Chart.yaml",
        "dependencies:\r\n- name: web\r\n  version: 1.0.0\r\n  repository: \"@\"\r\n",
        "https://a.example.com",
        "oci://b.example.com",
    ),
    (
        "v.json",
        "{\"web\": {\"image\": {\"repository\": \"@\", \"tag\": \"v1\"}}}\n",
        "shop/web",
        "shop/web-next",
    ),
    (
        "main.tf",
        "resource \"helm_release\" \"web\" {\n  chart   = \"@\"\n  version = \"1.0.0\"\n}\n",
        "web",
        "web-next",
    ),
    (
        "kustomization.yaml",
        "helmCharts:\n- {name: web, version: 1.0.0, repo: \"@\"}\n",
        "https://a.example.com",
        "https://b.example.com",
    ),
];

/// Entries of a block of versions, whatever the service is called.
const OF_LISTS: Rows<'static> = &[
    ("v.yaml", "versions: {token-service: @, account: 1.0.0}\n", "1.4.2", "1.5.0"),
    ("v.json", "{\"versions\": {\"policy\": \"@\"}}\n", "1.4.2", "1.5.0"),
    ("v.toml", "[versions]\nsecrets-api = \"@\"\n", "1.4.2", "1.5.0"),
    ("v.tf", "locals {\n  versions = {\n    zone = \"@\"\n  }\n}\n", "1.4.2", "1.5.0"),
    ("v.yaml", "global:\r\n  versions:\r\n    \"account\": '@'\r\n", "v3", "v4"),
    ("v.tfvars", "image_tags = {\n  policy = \"@\"\n}\n", "1.4.2", "1.5.0"),
    ("versions.yaml", "token-service: @\nzone: 1.0.0\n", "1.4.2", "1.5.0"),
    ("v.yaml", "serviceVersions:\n  password-reset: \"@\"\n", "1.4.2", "1.5.0"),
];

#[test]
fn what_is_a_release_field_is_found_in_each_form() {
    let all = [
        OF_COMMITS,
        OF_FOUR_PARTS,
        OF_ARGUMENTS,
        OF_NEW_NAMES,
        OF_BROKEN_IMAGES,
        OF_REFS,
        OF_ORIGINS,
        OF_LISTS,
    ];
    all_are(true, &all.concat());
}

/// Versions of secrets, which a person has to put back.
const OF_SECRETS: Rows<'static> = &[
    (
        "s.yaml",
        "kind: ExternalSecret\r\nmetadata: {name: a}\r\nspec:\r\n  data:\r\n  - remoteRef:\r\n      key: a\r\n      version: '@'\r\n",
        "5",
        "6",
    ),
    (
        "s.json",
        "{\"kind\": \"ExternalSecret\", \"spec\": {\"data\": [{\"remoteRef\": {\"key\": \"a\", \"version\": \"@\"}}]}}\n",
        "5",
        "6",
    ),
    (
        "s.yaml",
        "kind: ClusterExternalSecret\nmetadata: {name: a}\nspec:\n  externalSecretSpec:\n    dataFrom:\n    - extract: {key: a, version: \"@\"}\n",
        "5",
        "6",
    ),
    (
        "s.yaml",
        "kind: SecretProviderClass\nmetadata: {name: a}\nspec:\n  parameters:\n    objects: |\n      array:\n      - |\n        objectName: a\n        objectVersion: @\n",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    ),
    ("v.yaml", "externalSecrets:\n  db:\n    remoteRef: {key: a, version: \"@\"}\n", "1.0.0", "1.1.0"),
    (
        "v.yaml",
        "env:\n- name: A\n  valueFrom:\n    secretKeyRef: {name: a, key: b, version: latest-@}\n",
        "1.0.0",
        "1.1.0",
    ),
];

/// Notes of a cloud, and settings that are about tags.
const OF_NOTES: Rows<'static> = &[
    (
        "r.tf",
        "resource \"aws_instance\" \"web\" {\n  tags = { Name = \"web\", Version = \"@\" }\n}\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "r.json",
        "{\"AWSTemplateFormatVersion\": \"2010-09-09\", \"Resources\": {\"A\": {\"Properties\": {\"Tags\": [{\"Key\": \"version\", \"Value\": \"@\"}]}}}}\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "r.yaml",
        "apiVersion: s3.aws.crossplane.io/v1beta1\nkind: Bucket\nmetadata: {name: a}\nspec:\n  forProvider:\n    tagging:\n      tagSet:\n      - {key: release, value: \"@\"}\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "r.tf",
        "module \"web\" {\n  source = \"./web\"\n  default_tags = {\n    release = \"@\"\n  }\n}\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "r.yaml",
        "apiVersion: network.azure.com/v1\nkind: VirtualNetwork\nmetadata: {name: a}\nspec:\n  tags: {app-version: '@'}\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "r.yaml",
        "apiVersion: s3.services.k8s.aws/v1\nkind: Bucket\nmetadata: {name: a}\nspec:\r\n  tags:\r\n    version: @\r\n",
        "1.2.3",
        "1.2.4",
    ),
    (
        "e.json",
        "{\"rules\": [{\"selection\": {\"tagStatus\": \"@\", \"countNumber\": 5}}]}\n",
        "tagged",
        "any",
    ),
    (
        "e.tf",
        "resource \"aws_ecr_repository\" \"a\" {\n  image_tag_mutability = \"@\"\n}\n",
        "MUTABLE",
        "IMMUTABLE",
    ),
    ("e.yaml", "selection: {tagStatus: tagged, tagPatternList: [\"@\"]}\n", "v1*", "v2*"),
    ("e.json", "{\"selection\": {\"tagStatus\": \"tagged\", \"tagPrefixList\": [\"@\"]}}\n", "v1", "v2"),
    (
        "policy.yaml",
        "kind: ImagePolicy\nmetadata: {name: a}\nspec:\n  filterTags: {pattern: '^main-@'}\n",
        "a",
        "b",
    ),
    ("e.yaml", "lifecyclePolicy:\n  tagPatternList:\n  - @\n", "release-1.*", "release-2.*"),
    ("e.tf", "tag_pattern_list = [\"@\"]\n", "v1*", "v2*"),
    ("e.tf", "tag_status = \"@\"\n", "tagged", "untagged"),
];

/// Texts for people and source code.
const OF_TEXTS: Rows<'static> = &[
    ("main.go", "// see ref @ for more\nvar a = 1\n", "0a1b2c3", "9f8e7d6"),
    ("main.py", "ref = resolve(\"@\")\n", "alpha", "beta"),
    ("web.ts", "const ref = useRef<@>(null)\n", "Alpha", "Beta"),
    ("main.rs", "let by_ref @ = 1;\n", "alpha", "beta"),
    ("web.java", "    private Ref @;\n", "alpha", "beta"),
    ("web.js", "  return { ref: @ };\n", "alpha", "beta"),
    ("a.yaml", "description: >-\n  Since version @ the shop\n  takes cards.\n", "1.4", "1.5"),
    ("a.yaml", "message: \"Upgrade to ref @ soon\"\n", "main", "next"),
];

/// Addresses, and hashes in queries.
const OF_ADDRESSES: Rows<'static> = &[
    ("a.json", "{\"endpoint\": \"https://api.example.com/@/orders\"}\n", "v1", "v2"),
    ("a.env", "API_URL=https://api.example.com/@/\n", "v1", "v2"),
    ("a.tf", "webhook_url = \"https://hooks.example.com/T00/@\"\n", "0a1b2c3d4e5f6071", "9f8e7d6c5b4a3928"),
    (
        "docker-compose.yml",
        "services:\n  web:\n    environment: [\"API=https://api.example.com/@\"]\n",
        "v1",
        "v2",
    ),
    (
        "a.yaml",
        "links:\n- {title: board, url: 'https://grafana.example.com/d/@'}\n",
        "0a1b2c3d4e5f6071",
        "9f8e7d6c5b4a3928",
    ),
    ("a.yaml", "data:\n  nginx.conf: |\n    proxy_pass http://api/@/;\n", "v1", "v2"),
    ("a.env", "DNS_SERVER=@\n", "10.1.2.3", "10.1.2.4"),
    ("a.json", "{\"allow\": [\"@/24\", \"10.0.0.0/8\"]}\n", "192.168.1.0", "192.168.2.0"),
    ("a.tf", "cidr_blocks = [\"@/32\"]\n", "52.16.4.9", "52.16.4.10"),
    ("docker-compose.yml", "services:\n  web:\n    extra_hosts: [\"db:@\"]\n", "10.1.2.3", "10.1.2.4"),
    ("a.yaml", "externalIPs: ['@']\n", "52.16.4.9", "52.16.4.10"),
    (
        "a.yaml",
        "kind: Endpoints\nmetadata: {name: a}\nsubsets:\n- addresses:\n  - ip: @\n",
        "10.1.2.3",
        "10.1.2.4",
    ),
    ("a.yaml", "env:\n- name: UPSTREAM\n  value: \"@:8080\"\n", "10.1.2.3", "10.1.2.4"),
    ("a.json", "{\"roleArn\": \"arn:aws:iam::1:role/web-@\"}\n", "1.2.3", "1.2.4"),
    (
        "a.yaml",
        "annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/@'}\n",
        "web-v1",
        "web-v2",
    ),
    (
        "a.tf",
        "certificate_arn = \"arn:aws:acm:eu-west-1:1:certificate/@\"\n",
        "0a1b2c3d-4e5f",
        "9f8e7d6c-5b4a",
    ),
    ("a.env", "QUEUE=arn:aws:sqs:eu-west-1:123456789012:orders-@\n", "1.2.3", "1.2.4"),
    ("a.yaml", "layers:\n- arn:aws:lambda:eu-west-1:1:layer:web:@\n", "41", "42"),
    ("a.yaml", "kmsKey: \"arn:aws:kms:eu-west-1:1:key/@\"\n", "0a1b2c3d4e5f6071", "9f8e7d6c5b4a3928"),
    (
        "r.yaml",
        "kind: PrometheusRule\nmetadata: {name: a}\nspec:\n  groups:\n  - rules:\n    - expr: |\n        sum(rate(x{hash=\"@\"}[5m])) > 1\n",
        "0a1b2c3d4e5f6071",
        "9f8e7d6c5b4a3928",
    ),
    ("d.json", "{\"targets\": [{\"expr\": \"up{pod=\\\"web-@\\\"}\"}]}\n", "0a1b2c3d4e", "9f8e7d6c5b"),
    ("r.yaml", "query: 'sum(y{commit=\"@\"}) by (pod)'\n", "abcdef1", "1fedcba"),
    ("r.tf", "query = \"avg(last_5m):avg:errors{pod:web-@} > 1\"\n", "0a1b2c3d4e", "9f8e7d6c5b"),
    (
        "a.yaml",
        "kind: AnalysisTemplate\nmetadata: {name: a}\nspec:\n  metrics:\n  - provider: {prometheus: {query: 'x{hash=\"@\"}'}}\n",
        "0a1b2c3d4e",
        "9f8e7d6c5b",
    ),
];

/// Comments and quotes.
const OF_STYLE: Rows<'static> = &[
    ("a.yaml", "image: \"registry/web:v1\"@\n", "", " # was v0"),
    ("a.yaml", "# image: registry/web:@\nport: 1\n", "v1", "v2"),
    ("a.env", "WEB_TAG=@\n", "v1", "\"v1\""),
    ("a.tf", "// version = \"@\"\nport = 1\n", "1.0.0", "1.1.0"),
    ("a.toml", "# tag = \"@\"\nport = 1\n", "v1", "v2"),
    ("a.yaml", "image: {tag: @}\n", "'v1'", "\"v1\""),
    ("a.yaml", "image:\n  tag: @\n", "v1", "!!str v1"),
    ("a.yaml", "image: @\n", "registry/web:v1", ">-\n  registry/web:v1"),
];

#[test]
fn what_is_no_release_field_is_left_alone_in_each_form() {
    all_are(false, &[OF_SECRETS, OF_NOTES, OF_TEXTS, OF_ADDRESSES, OF_STYLE].concat());
}

/// Versions of what keeps data, and of the platform.
const OF_ENGINES: Rows<'static> = &[
    (
        "k.json",
        "{\"kind\": \"Kafka\", \"metadata\": {\"name\": \"a\"}, \"spec\": {\"kafka\": {\"version\": \"@\"}}}\n",
        "3.6.0",
        "3.7.0",
    ),
    (
        "p.yaml",
        "kind: postgresql\r\nmetadata: {name: a}\r\nspec:\r\n  postgresql:\r\n    version: '@'\r\n",
        "15",
        "16",
    ),
    (
        "c.yaml",
        "kind: Cluster\napiVersion: postgresql.cnpg.io/v1\nmetadata: {name: a}\nspec:\n  imageName: ghcr.io/cloudnative-pg/postgresql:@\n",
        "15.4",
        "16.1",
    ),
    (
        "t.yaml",
        "apiVersion: tuppr.home-operations.com/v1alpha1\nkind: TalosUpgrade\nmetadata: {name: a}\nspec: {talos: {version: \"@\"}}\n",
        "v1.6.0",
        "v1.7.0",
    ),
    (
        "t.yaml",
        "kind: KubernetesUpgrade\nmetadata: {name: a}\nspec:\n  kubernetes:\n    version: @\n",
        "v1.29.0",
        "v1.30.0",
    ),
    ("v.yaml", "versions: {web: 1.0.0, postgres: \"@\"}\n", "15.1", "16.1"),
    ("v.json", "{\"versions\": {\"mysql\": \"@\"}}\n", "8.0", "8.4"),
    ("v.tf", "variable \"db_engine_version\" {\n  type    = string\n  default = \"@\"\n}\n", "15.1", "16.1"),
    (
        "v.tf",
        "resource \"aws_db_instance\" \"a\" {\n  engine         = \"postgres\"\n  engine_version = \"@\"\n}\n",
        "15.1",
        "16.1",
    ),
    ("v.tfvars", "kubernetes_version = \"@\"\n", "1.28", "1.29"),
    ("docker-compose.yml", "services:\n  db:\n    image: \"postgres:@-alpine\"\n", "16", "17"),
    (
        "docker-compose.yml",
        "services: {search: {image: 'docker.io/opensearchproject/opensearch:@'}}\n",
        "2.6",
        "2.7",
    ),
    (
        "sts.yaml",
        "kind: StatefulSet\nmetadata: {name: db}\nspec:\n  template:\n    spec:\n      containers:\n      - name: db\n        image: docker.io/library/mongo:@\n",
        "6.0",
        "7.0",
    ),
    ("kustomization.yaml", "images:\n- {name: postgres, newTag: \"@\"}\n", "16.1", "17.0"),
    ("v.env", "POSTGRES_VERSION=@\n", "16", "17"),
    ("v.yaml", "image: {tag: v@}\nmigrations: {version: @}\n", "41", "42"),
    ("v.json", "{\"image\": {\"tag\": \"v@\"}, \"migrations\": {\"version\": @}}\n", "41", "42"),
    ("v.env", "WEB_TAG=v@\nMIGRATION_VERSION=@\n", "41", "42"),
    ("v.yaml", "image:\r\n  tag: v@\r\nflyway:\r\n  target: '@'\r\n", "41", "42"),
    ("v.tf", "web_tag = \"v@\"\nmigrations_version = \"@\"\n", "41", "42"),
    ("v.yaml", "image: {tag: v@}\nschemaVersion: @\n", "41", "42"),
    ("v.yaml", "image: {tag: v@}\nmigrate:\n  image:\n    repository: shop/web\n    tag: v@\n", "1.4", "1.5"),
    ("v.yaml", "tag: v@\nmigrate: {tag: v@, enabled: true}\n", "1.4", "1.5"),
    ("v.yaml", "image: {tag: v@}\ndbMigrate: {tag: v@}\n", "1.4", "1.5"),
    ("kustomization.yaml", "images:\n- {name: web-migrator, newTag: v@}\n", "1.4", "1.5"),
    ("kustomization.yaml", "images:\n- name: ghcr.io/shop/db-migrations\n  newTag: v@\n", "1.4", "1.5"),
    (
        "docker-compose.yml",
        "services:\n  web:\n    image: shop/web:@\n  migrate:\n    image: shop/web:@\n",
        "1.4",
        "1.5",
    ),
    ("v.env", "WEB_TAG=v@\nMIGRATOR_TAG=v@\n", "1.4", "1.5"),
    ("v.yaml", "image: {tag: v@}\ndatabase: {schemaVersion: \"@\"}\n", "41", "42"),
    ("v.env", "WEB_TAG=v@\nDB_SCHEMA_VERSION=@\n", "41", "42"),
    (
        "job.yaml",
        "kind: Deployment\nmetadata: {name: web}\nimage: r/web:v@\n---\nkind: Job\nmetadata: {name: web-migrate}\nspec: {migrations: {version: \"@\"}}\n",
        "41",
        "42",
    ),
];

#[test]
fn what_keeps_data_is_a_persons_in_each_form() {
    each(OF_ENGINES, |(path, text, old, new)| {
        let compared = compared(path, &text.replace('@', old), &text.replace('@', new));
        let kept = compared.release_fields().any(|one| one.engine) || compared.migrates.is_some();
        if compared.is_deployment() && kept {
            return Ok(());
        }
        Err(format!("{path}: {text}: deployment {}, kept {kept}", compared.is_deployment()))
    });
}
