//! Queries of metrics, of logs and of databases: a version in one deploys nothing.

use super::places::{Rows, all_are};

const QUERIES: Rows<'static> = &[
    (
        "m.tf",
        "resource \"datadog_monitor\" \"a\" {\n  query = \"avg(last_5m):avg:trace{version:@} > 1\"\n}\n",
        "0a1b",
        "1c2d",
    ),
    (
        "m.tf",
        "resource \"datadog_monitor\" \"a\" {\n  query = <<EOT\navg(last_5m):avg:trace{version:@} > 1\nEOT\n}\n",
        "0a1b",
        "1c2d",
    ),
    (
        "m.tf",
        "a {\n  query = <<-\"EOT\"\n    avg:trace{\n      image:shop/web:@,\n    }\n  EOT\n}\n",
        "v1",
        "v2",
    ),
    ("m.tf", "a {\n  q = \"sum:x{service:web,version:@}\"\n}\n", "1.2.3", "1.2.4"),
    ("m.tf", "a {\n  queries = [\"sum:x{version:@}\"]\n}\n", "1.2.3", "1.2.4"),
    ("m.tf", "a {\n  sql = \"SELECT * FROM x WHERE version = '@'\"\n}\n", "1.2.3", "1.2.4"),
    ("m.tf", "a {\n  nrql {\n    query = \"SELECT count(*) FROM T WHERE tag = '@'\"\n  }\n}\n", "v1", "v2"),
    ("r.yaml", "rules:\n- expr: sum(rate(x{version=\"@\"}[5m])) > 1\n", "1.2.3", "1.2.4"),
    (
        "r.yaml",
        "rules:\n- expr: |\n    sum(rate(x{\n      version=\"@\",\n    }[5m])) > 1\n",
        "1.2.3",
        "1.2.4",
    ),
    ("r.yaml", "rules:\n- expr: >-\n    sum(rate(x{image=\"shop/web:@\"}[5m]))\n    > 1\n", "1.2.3", "1.2.4"),
    ("r.yaml", "rules:\r\n- expr: |\r\n    sum(x{tag=\"@\"})\r\n    > 1\r\n", "v1", "v2"),
    ("r.yaml", "rules:\n- expr: sum(\n    x{version=\"@\"})\n", "1.2.3", "1.2.4"),
    ("r.yaml", "logql: '{app=\"web\"} | version=\"@\"'\n", "1.2.3", "1.2.4"),
    ("r.yaml", "nrql: SELECT count(*) FROM T WHERE version = '@'\n", "1.2.3", "1.2.4"),
    ("r.yaml", "rawSql: |\n  SELECT *\n  FROM x WHERE image = 'shop/web:@'\n", "1.2.3", "1.2.4"),
    ("r.json", "{\"requests\": [{\"q\": \"avg:x{version:@}\"}]}\n", "1.2.3", "1.2.4"),
    ("r.json", "{\"query\": \"avg:x{version:@} by {pod}\"}\n", "1.2.3", "1.2.4"),
    ("r.yaml", "{{ if x }}\nexpr: |\n  sum(x{version=\"@\"})\n{{ end }}\n", "1.2.3", "1.2.4"),
];

const NO_QUERIES: Rows<'static> = &[
    ("m.tf", "a {\n  query = \"quay.io/thanos/thanos:@\"\n}\n", "v0.31.0", "v0.32.0"),
    ("m.tf", "images = {\n  query = { image = \"thanos/query:@\" }\n}\n", "v0.31.0", "v0.32.0"),
    ("m.tf", "module \"query\" {\n  query {\n    image = \"thanos/query:@\"\n  }\n}\n", "v0.31.0", "v0.32.0"),
    ("m.tf", "a {\n  query = <<EOT\nsum(x)\nEOT\n  image = \"shop/web:@\"\n}\n", "v1", "v2"),
    ("v.yaml", "thanos:\n  query:\n    image:\n      tag: @\n", "v0.31.0", "v0.32.0"),
    ("v.yaml", "{{ if x }}\nquery:\n  image:\n    tag: @\n{{ end }}\n", "v0.31.0", "v0.32.0"),
    ("v.yaml", "query: quay.io/thanos/thanos:@\n", "v0.31.0", "v0.32.0"),
    ("v.yaml", "versions:\n  query: @\n  sql: 1.0.0\n", "v0.31.0", "v0.32.0"),
    ("v.yaml", "SQL_PROXY_VERSION: @\n", "1.33.0", "1.33.1"),
    ("v.yaml", "data:\n  web.env: |\n    QUERY=sum(x)\n    WEB_TAG=@\n", "v1", "v2"),
    ("v.yaml", "expr: |\n  sum(x)\nimage: shop/web:@\n", "v1", "v2"),
];

#[test]
fn a_version_in_a_query_is_no_release_field() {
    all_are(false, QUERIES);
}

#[test]
fn what_is_only_called_as_a_query_is_a_release_field() {
    all_are(true, NO_QUERIES);
}
