//! What is one piece, in the forms in which the tools write it.

use super::whole::{World, goes_back_whole, is_refused};

/// A file with a version in it, before and after a deployment: its name, its text, and the two versions.
type Rows<'a> = &'a [(&'a str, &'a str, [&'a str; 2])];

/// The deployment goes back whole, and does not once somebody has changed the file again.
#[track_caller]
fn is_one_piece(row: &(&str, &str, [&str; 2]), since: (&str, &str), why: &str) {
    let (name, text, [old, new]) = row;
    let [before, after] = [old, new].map(|version| text.replace('@', version));
    let plain = World { what: text, before: &[(name, &before)], after: &[(name, &after)], since: &[] };
    goes_back_whole(&plain);
    let changed = after.replace(since.0, since.1);
    assert_ne!(changed, after, "{text}");
    is_refused(&World { since: &[(name, &changed)], ..plain }, why);
}

/// Texts of SOPS and of OpenPGP. `@` is in each value that the deployment changed.
const COVERED: Rows<'static> = &[
    (
        "crlf.yaml",
        "image:\r\n    tag: v@\r\npassword: ENC[a]\r\nsops:\r\n    lastmodified: \"2026-11-2@T10:00:00Z\"\r\n    mac: ENC[m@]\r\n",
        ["1", "2"],
    ),
    (
        "quoted.yaml",
        "image:\n  tag: \"v@\"\npassword: \"ENC[a]\"\nsops:\n  age:\n  - recipient: age1\n    enc: |\n      -----BEGIN AGE ENCRYPTED FILE-----\n      abc\n      -----END AGE ENCRYPTED FILE-----\n  lastmodified: '2026-11-2@T10:00:00Z'\n  mac: 'ENC[m@]'\n",
        ["1", "2"],
    ),
    (
        "documents.yaml",
        "kind: Deployment\nmetadata: {name: web}\nimage: r/web:v@\nsops: &s\n    lastmodified: \"2026-11-2@T10:00:00Z\"\n    mac: ENC[m@]\n---\nkind: Secret\nmetadata: {name: web}\nstringData: {password: 'ENC[a]'}\nsops:\n    lastmodified: \"2026-11-2@T10:00:00Z\"\n    mac: ENC[m@]\n",
        ["1", "2"],
    ),
    (
        "compact.json",
        "{\"image\":{\"tag\":\"v@\"},\"password\":\"ENC[a]\",\"sops\":{\"lastmodified\":\"2026-11-2@T10:00:00Z\",\"mac\":\"ENC[m@]\",\"version\":\"3.8.1\"}}\n",
        ["1", "2"],
    ),
    (
        "flow.yaml",
        "image: {tag: v@}\npassword: ENC[a]\nsops: {lastmodified: \"2026-11-2@T10:00:00Z\", mac: \"ENC[m@]\", version: 3.8.1}\n",
        ["1", "2"],
    ),
    (
        "quoted.env",
        "# of web\nexport WEB_TAG=\"v@\"\nPASSWORD=ENC[a]\nsops_lastmodified=\"2026-11-2@T10:00:00Z\"\nsops_mac=\"ENC[m@]\"\n",
        ["1", "2"],
    ),
    (
        "sections.ini",
        "[image]\ntag=v@\n[db]\npassword=ENC[a]\n[sops]\nlastmodified=2026-11-2@T10:00:00Z\nmac=ENC[m@]\n",
        ["1", "2"],
    ),
    (
        "values.yaml.txt",
        "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\nimage:\r\n  tag: v@\r\npassword: ENC[a]\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\nab@\r\n-----END PGP SIGNATURE-----\r\n",
        ["1", "2"],
    ),
];

#[test]
fn a_deployment_in_a_covered_text_is_one_piece_in_each_form() {
    for row in COVERED {
        is_one_piece(row, ("ENC[a]", "ENC[b]"), "covers all of it");
    }
}

/// Files of many kinds, each with the file that signs it or sums it up.
#[test]
fn the_text_and_what_signs_it_go_back_together_in_each_form() {
    const SIGNED: &[(&str, &str, &str, [&str; 2])] = &[
        (
            "docker-compose.yml",
            ".sha512",
            "services:\n  web:\n    image: shop/web:@\n    ports: ['80']\n",
            ["4f0a\n", "5b1c\n"],
        ),
        ("web.env", ".sha256sum", "WEB_TAG=@\nPORT=80\n", ["4f0a  web.env\n", "5b1c  web.env\n"]),
        (
            "main.tf",
            ".sha1",
            "module \"web\" {\n  source = \"git::https://example.com/web.git?ref=@\"\n  port   = 80\n}\n",
            ["4f0a\n", "5b1c\n"],
        ),
        (
            "values.json",
            ".sig",
            "{\"image\": {\"tag\": \"@\"}, \"port\": 80}\n",
            [
                "-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n",
                "-----BEGIN SSH SIGNATURE-----\nU1NJ\n-----END SSH SIGNATURE-----\n",
            ],
        ),
        (
            "helmfile.yaml",
            ".asc",
            "releases:\n- name: web\n  chart: shop/web\n  version: @\n  port: 80\n",
            [
                "-----BEGIN PGP SIGNATURE-----\n\nab\n-----END PGP SIGNATURE-----\n",
                "-----BEGIN PGP SIGNATURE-----\n\ncd\n-----END PGP SIGNATURE-----\n",
            ],
        ),
        (
            "Chart.yaml",
            ".prov",
            "apiVersion: v2\nname: web\nversion: @\ntype: application # 80\n",
            ["files: {web.tgz: 'sha256:4f0a'}\n", "files: {web.tgz: 'sha256:5b1c'}\n"],
        ),
        (
            "kustomization.yaml",
            ".minisig",
            "images:\n- {name: web, newTag: \"@\"}\nnamePrefix: p80-\n",
            ["untrusted comment: signature\nRUQ4\n", "untrusted comment: signature\nRUQ5\n"],
        ),
    ];
    for (name, end, text, [sum, new_sum]) in SIGNED {
        let [before, after] = ["1.0.0", "1.1.0"].map(|version| text.replace('@', version));
        let aside = format!("{name}{end}");
        let (old, new) =
            ([(*name, before.as_str()), (&aside, *sum)], [(*name, after.as_str()), (&aside, *new_sum)]);
        let plain = World { what: name, before: &old, after: &new, since: &[] };
        goes_back_whole(&plain);
        let since = after.replace("80", "81");
        is_refused(&World { since: &[(name, &since)], ..plain }, name);
    }
}

/// Pointers of Git LFS, and what else stands for a file that is kept elsewhere.
#[test]
fn a_pointer_goes_back_whole_in_each_form() {
    let oid = |digit: char| digit.to_string().repeat(64);
    let pointer = |address: &str, more: &str, digit: char, size: u32| {
        format!("version https://{address}\n{more}oid sha256:{}\nsize {size}\n", oid(digit))
    };
    const V1: &str = "git-lfs.github.com/spec/v1";
    let extended = format!("ext-0-case sha256:{}\n", oid('e'));
    let rows = [
        ("values.yaml", pointer(V1, "", 'a', 1_200), pointer(V1, "", 'b', 1_200)),
        ("charts/web.tgz", pointer(V1, "", 'a', 1_200), pointer(V1, "", 'b', 48_311)),
        ("release.tar", pointer(V1, &extended, 'a', 9), pointer(V1, &extended, 'b', 10)),
        (
            "values.json",
            pointer("hawser.github.com/spec/v1", "", 'a', 9),
            pointer("hawser.github.com/spec/v1", "", 'b', 10),
        ),
        ("models/web", pointer("hawser.github.com/spec/v1", "", 'a', 9), pointer(V1, "", 'b', 10)),
        ("web.env", pointer(V1, "", 'a', 99), pointer(V1, "", 'b', 100)),
    ];
    for (name, old, new) in &rows {
        let plain = World { what: name, before: &[(name, old)], after: &[(name, new)], since: &[] };
        goes_back_whole(&plain);
        let since = pointer(V1, "", 'c', 7);
        is_refused(&World { since: &[(name, &since)], ..plain }, "b");
    }
}

/// A text that names a file by its version, and that file.
const NAMING: &[(&str, &str, &str)] = &[
    ("kustomization.yaml", "resources: [\"web-@.yaml\", ns.yaml]\n", "web-@.yaml"),
    (
        "kustomization.yaml",
        "patches:\n- path: \"patches/web-@.yaml\"\n  target: {kind: Deployment}\n",
        "patches/web-@.yaml",
    ),
    (
        "kustomization.yaml",
        "configMapGenerator:\n- name: web\n  files:\n  - web.yaml=configs/web-@.yaml\n",
        "configs/web-@.yaml",
    ),
    (
        "app.yaml",
        "kind: Application\nmetadata: {name: web}\nspec:\n  source:\n    repoURL: https://git.example.com/env.git\n    path: apps/web/production/releases/@\n",
        "releases/@/web.yaml",
    ),
    (
        "ks.yaml",
        "kind: Kustomization\nmetadata: {name: web}\nspec:\n  path: ./apps/web/production/releases/@\n  prune: true\n",
        "releases/@/web.yaml",
    ),
    (
        "helmfile.yaml",
        "releases:\n- name: web\n  chart: ./charts/web\n  values:\n  - values-@.yaml\n",
        "values-@.yaml",
    ),
    (
        "docker-compose.yml",
        "services:\n  web:\n    extends: {file: base-@.yml, service: web}\n",
        "base-@.yml",
    ),
    ("main.tf", "module \"web\" {\n  source = \"./modules/web-@\"\n}\n", "modules/web-@/main.yaml"),
    ("skaffold.json", "{\"manifests\": {\"rawYaml\": [\"k8s/web-@.yaml\"]}}\n", "k8s/web-@.yaml"),
    (
        "Chart.yaml",
        "name: web\nversion: 0.1.0\ndependencies:\n- name: shop\n  version: @\n  repository: file://charts/shop-@\n",
        "charts/shop-@/values.yaml",
    ),
];

#[test]
fn what_a_value_names_goes_back_with_it_in_each_form() {
    for (name, text, file) in NAMING {
        let of = |version: &str| {
            let image = format!("kind: Deployment\nmetadata: {{name: web}}\nimage: r/web:{version}\n");
            (text.replace('@', version), file.replace('@', version), image)
        };
        let ((old, old_name, was), (new, new_name, is)) = (of("1.0.0"), of("1.0.1"));
        goes_back_whole(&World {
            what: text,
            before: &[(name, &old), (&old_name, &was)],
            after: &[(name, &new), (&new_name, &is)],
            since: &[],
        });
    }
}

/// What says which of several versions is in use, beside a version: before, after, and what somebody made of it since.
const SWITCHED: &[(&str, &str, &str, &str)] = &[
    (
        "web.env",
        "WEB_TAG=v1\nACTIVE_SLOT=blue\n",
        "WEB_TAG=v2\nACTIVE_SLOT=green\n",
        "WEB_TAG=v2\nACTIVE_SLOT=canary\n",
    ),
    (
        "web.tfvars",
        "image_tag    = \"v1\"\nactive_color = \"blue\"\n",
        "image_tag    = \"v2\"\nactive_color = \"green\"\n",
        "image_tag    = \"v2\"\nactive_color = \"red\"\n",
    ),
    (
        "web.json",
        "{\"web\": {\"tag\": \"v1\", \"activeSlot\": \"a\"}}\n",
        "{\"web\": {\"tag\": \"v2\", \"activeSlot\": \"b\"}}\n",
        "{\"web\": {\"tag\": \"v2\", \"activeSlot\": \"c\"}}\n",
    ),
    (
        "istio.yaml",
        "kind: VirtualService\nmetadata: {name: web}\nspec:\n  http:\n  - route:\n    - destination: {host: web, subset: v1}\n      weight: 100\n    - destination: {host: web, subset: v2}\n      weight: 0\n---\nkind: Deployment\nmetadata: {name: web-green}\nimage: r/web:1.0.0\n",
        "kind: VirtualService\nmetadata: {name: web}\nspec:\n  http:\n  - route:\n    - destination: {host: web, subset: v1}\n      weight: 0\n    - destination: {host: web, subset: v2}\n      weight: 100\n---\nkind: Deployment\nmetadata: {name: web-green}\nimage: r/web:1.1.0\n",
        "kind: VirtualService\nmetadata: {name: web}\nspec:\n  http:\n  - route:\n    - destination: {host: web, subset: v1}\n      weight: 50\n    - destination: {host: web, subset: v2}\n      weight: 50\n---\nkind: Deployment\nmetadata: {name: web-green}\nimage: r/web:1.1.0\n",
    ),
    (
        "gateway.yaml",
        "tag: v1\nbackendRefs: [{name: web-a, port: 80, weight: 1}, {name: web-b, port: 80, weight: 0}]\n",
        "tag: v2\nbackendRefs: [{name: web-a, port: 80, weight: 0}, {name: web-b, port: 80, weight: 1}]\n",
        "tag: v2\nbackendRefs: [{name: web-a, port: 80, weight: 5}, {name: web-b, port: 80, weight: 5}]\n",
    ),
    (
        "ingress.yaml",
        "kind: Ingress\nmetadata:\n  name: web\n  annotations:\n    nginx.ingress.kubernetes.io/canary-weight: \"0\"\n---\nkind: Deployment\nmetadata: {name: web}\nimage: r/web:1.0.0\n",
        "kind: Ingress\nmetadata:\n  name: web\n  annotations:\n    nginx.ingress.kubernetes.io/canary-weight: \"100\"\n---\nkind: Deployment\nmetadata: {name: web}\nimage: r/web:1.1.0\n",
        "kind: Ingress\nmetadata:\n  name: web\n  annotations:\n    nginx.ingress.kubernetes.io/canary-weight: \"50\"\n---\nkind: Deployment\nmetadata: {name: web}\nimage: r/web:1.1.0\n",
    ),
    (
        "config.yaml",
        "image: r/web:1.0.0\nenv:\n- name: FEATURE_CART\n  value: \"false\"\n",
        "image: r/web:1.1.0\nenv:\n- name: FEATURE_CART\n  value: \"true\"\n",
        "image: r/web:1.1.0\nenv:\n- name: FEATURE_CART\n  value: \"maybe\"\n",
    ),
    (
        "weights.tf",
        "locals {\n  image_tag = \"v1\"\n  blue_weight = 100\n  green_weight = 0\n}\n",
        "locals {\n  image_tag = \"v2\"\n  blue_weight = 0\n  green_weight = 100\n}\n",
        "locals {\n  image_tag = \"v2\"\n  blue_weight = 10\n  green_weight = 90\n}\n",
    ),
];

#[test]
fn a_switch_goes_back_with_the_version_in_each_form() {
    for (name, before, after, since) in SWITCHED {
        let plain = World { what: name, before: &[(name, before)], after: &[(name, after)], since: &[] };
        goes_back_whole(&plain);
        is_refused(&World { since: &[(name, since)], ..plain }, "does not go back in parts");
    }
}

/// One version that is written in two ways.
const WRITTEN: &[(&str, &str, &str)] = &[
    (
        "kafka.yaml",
        "kind: Kafka\nmetadata: {name: web}\nspec:\n  kafka:\n    version: 3.6.1\n    config: {inter.broker.protocol.version: \"3.6\", log.message.format.version: '3.6'}\n",
        "kind: Kafka\nmetadata: {name: web}\nspec:\n  kafka:\n    version: 3.7.0\n    config: {inter.broker.protocol.version: \"3.7\", log.message.format.version: '3.7'}\n",
    ),
    (
        "v.json",
        "{\"image\": {\"tag\": \"v1.4.2\"}, \"sentryRelease\": \"web@1.4.2\"}\n",
        "{\"image\": {\"tag\": \"v1.5.0\"}, \"sentryRelease\": \"web@1.5.0\"}\n",
    ),
    (
        "d.yaml",
        "kind: Deployment\nmetadata:\n  name: web\n  labels: {helm.sh/chart: web-1.4.2, app.kubernetes.io/version: 1.4.2}\nimage: r/web:v1.4.2\n",
        "kind: Deployment\nmetadata:\n  name: web\n  labels: {helm.sh/chart: web-1.5.0, app.kubernetes.io/version: 1.5.0}\nimage: r/web:v1.5.0\n",
    ),
    ("web.env", "WEB_TAG=1.4.2\nWEB_ASSETS=web_1_4_2\n", "WEB_TAG=1.5.0\nWEB_ASSETS=web_1_5_0\n"),
    (
        "main.tf",
        "image_tag = \"v1.4.2\"\nbundle    = \"s3://b/web/1.4.2/web.zip\"\n",
        "image_tag = \"v1.5.0\"\nbundle    = \"s3://b/web/1.5.0/web.zip\"\n",
    ),
    (
        "docker-compose.yml",
        "services:\n  web:\n    image: shop/web:1.4.2\n    environment: [RELEASE=v1.4.2, LINE=1.4]\n",
        "services:\n  web:\n    image: shop/web:1.5.0\n    environment: [RELEASE=v1.5.0, LINE=1.5]\n",
    ),
    (
        "crlf.yaml",
        "image:\r\n  tag: 1.4.2-alpine\r\nappVersion: \"1.4.2\"\r\n",
        "image:\r\n  tag: 1.5.0-alpine\r\nappVersion: \"1.5.0\"\r\n",
    ),
    (
        "k8s.yaml",
        "k3s:\n  version: v1.28.4+k3s1\n  channel: v1.28\n",
        "k3s:\n  version: v1.29.0+k3s1\n  channel: v1.29\n",
    ),
];

#[test]
fn one_version_in_two_ways_of_writing_goes_back_together_in_each_form() {
    for (name, before, after) in WRITTEN {
        goes_back_whole(&World {
            what: name,
            before: &[(name, before)],
            after: &[(name, after)],
            since: &[],
        });
    }
}

/// A file that can be read, the same with something in it that nobody can read, and what somebody did since.
const BROKEN: &[(&str, &str, &str)] = &[
    ("tab.yaml", "image:\n  tag: v1\n  port: 1\n", "image:\n  tag: v2\n\tport: 1\n"),
    ("quote.yaml", "image:\n  tag: \"v1\"\nport: 1\n", "image:\n  tag: \"v2\nport: 1\n"),
    ("flow.yaml", "image: {tag: v1, port: 1}\n", "image: {tag: v2, port: 1\n"),
    (
        "comma.json",
        "{\n  \"image\": {\"tag\": \"v1\"},\n  \"port\": 1\n}\n",
        "{\n  \"image\": {\"tag\": \"v2\"},\n  \"port\": 1,,\n}\n",
    ),
    (
        "brace.json",
        "{\"image\": {\"tag\": \"v1\"}, \"port\": 1}\n",
        "{\"image\": {\"tag\": \"v2\"}, \"port\": 1\n",
    ),
    ("indent.yaml", "image:\n  tag: v1\n  port: 1\n", "image:\n  tag: v2\n port: 1\n"),
    (
        "template.yml",
        "image:\n  tag: v1\nport: 1\n",
        "image:\n  tag: v2\n{{- if .Values.port }}\nport: 1\n{{- end }}\n",
    ),
    ("alias.yaml", "x: &x v1\nimage:\n  tag: *x\nport: 1\n", "x: v2\nimage:\n  tag: *x\nport: 1\n"),
];

#[test]
fn what_cannot_be_read_goes_back_whole_in_each_form() {
    for (name, good, broken) in BROKEN {
        goes_back_whole(&World { what: name, before: &[(name, good)], after: &[(name, broken)], since: &[] });
        goes_back_whole(&World { what: name, before: &[(name, broken)], after: &[(name, good)], since: &[] });
    }
}
