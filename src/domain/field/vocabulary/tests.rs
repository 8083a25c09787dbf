//! The words of each role as a list: a change of the table shows here what it does to a role.

use super::*;

#[test]
fn each_word_stands_once_and_in_its_place() {
    for pair in WORDS.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} stands before {}", pair[0].0, pair[1].0);
    }
}

#[test]
fn ranked_words_come_in_their_order() {
    assert_eq!(
        *ITEM_NAMES,
        [
            "name",
            "id",
            "key",
            "releaseName",
            "chart",
            "repository",
            "repoURL",
            "url",
            "image",
            "path",
            "file",
            "env",
            "environment",
            "cluster",
            "app",
            "application",
            "service",
            "component",
            "module",
            "package",
            "displayName",
            "display_name",
            "slug",
            "title",
            "label",
            "alias",
            "hostname",
            "host",
            "domain",
            "tenant",
            "project"
        ]
    );
    assert_eq!(*ENTRY_NAMES, ["name", "key", "path", "parameter"]);
    assert_eq!(*SOURCES, ["repository", "registry", "newName", "repoURL", "url", "chart", "image", "name"]);
}

/// The words that have a role, written apart by spaces, are these and no others.
#[track_caller]
fn has(role: WordRole, words: &str) {
    let mut words: Vec<&str> = words.split_whitespace().collect();
    words.sort_unstable();
    assert_eq!(with(role).collect::<Vec<_>>(), words, "{role:?}");
    assert!(words.iter().all(|word| is(word, role)), "{role:?}");
    let others = WORDS.iter().filter(|(word, _)| !words.contains(word));
    assert!(others.into_iter().all(|(word, _)| !is(word, role)), "{role:?}");
}

#[test]
fn keys_as_they_are_written() {
    has(LineName, "name id key");
    has(GoesAlong, "repository registry newName repoURL url chart name image source");
    has(Location, "url repo repository repoURL chart git uri");
    has(Labels, "labels matchLabels annotations");
}

#[test]
fn words_of_keys_that_are_denied_or_vague() {
    has(
        Denied,
        "password passwd secret secrets token credential credentials cidr cidrs ip ips address addresses \
         ami amis fingerprint thumbprint replicas expr query promql expression description phone summary openapi \
         swagger useragent validuntil apigroups",
    );
    has(
        Vague,
        "id ids key keys hash checksum sum md5 nonce port ports nodeport memory cpu size storage timeout \
         interval schedule cron subnet subnets vpc account uid gid email etag signature certificate cert \
         pin expires expiry expiration weight timestamp policy arn uuid guid date cost price count limit \
         threshold percent ratio zone host hostname domain endpoint issuer dns record bucket color \
         colour salt",
    );
    has(VagueYetAlong, "checksum hash id");
}

#[test]
fn words_of_keys_that_name_things_and_versions() {
    has(
        Thing,
        "title alias slug codename name app application service svc component repo repository image \
         chart url uri git registry source project module id target kind namespace tenant package \
         artifact group function cluster container workload",
    );
    has(Detail, "new tag version digest revision ref sha commit branch value default release newtag");
    has(Tag, "tag digest");
    has(Image, "from");
    has(
        Version,
        "version versions appversion chartversion imageversion targetversion releaseversion buildversion",
    );
    has(
        OtherVersion,
        "api schema kube crd protocol tls ssl ip resource min minimum max config format secret password \
         policy http content required state sops",
    );
    has(
        EngineVersion,
        "engine postgres postgresql pg mysql mariadb mongo mongodb kafka redis elasticsearch opensearch \
         cassandra etcd clickhouse db database kubernetes k8s talos rabbitmq zookeeper cockroachdb couchdb neo4j \
         influxdb scylla scylladb valkey cluster master controlplane",
    );
    has(
        EngineImage,
        "cassandra clickhouse elasticsearch etcd mariadb mongo mongodb mysql opensearch postgres postgresql redis \
         kafka postgis timescaledb percona cockroach cockroachdb couchdb couchbase neo4j influxdb rabbitmq \
         zookeeper valkey keydb minio scylla scylladb vitess arangodb spilo rethinkdb solr memgraph questdb \
         weaviate qdrant milvus dgraph tidb tikv yugabyte yugabytedb consul vault nats pulsar \
         pgvector pgvecto redpanda longhorn oracle ceph mssql dragonfly",
    );
    has(Migration, "migrate migration migrations migrator flyway liquibase");
    has(Slot, "slot active color colour live");
    has(ReleaseId, "build release commit version image model deployment");
}

#[test]
fn words_at_the_end_of_keys() {
    has(EndsRelease, "tag version image digest revision sha ref uri url");
    has(ImagePart, "tag version digest name uri url ref sha revision repository");
    has(Numbered, "release build");
    has(
        AboutTags,
        "status pattern patterns list prefix prefixes mutability immutability filter filters regex policy strategy \
         format key keys count age selector names",
    );
    has(Revision, "revision rev ref sha commit branch");
    has(Value, "value default");
    has(Listing, "versions tags images imagetags");
}

#[test]
fn words_anywhere_in_texts() {
    has(SpeaksOfVersion, "image tag version revision digest commit");
    has(Checksum, "sha sum hash digest md5 h1 zh integrity");
    has(Time, "generated updated modified created timestamp date time deployed released");
}
