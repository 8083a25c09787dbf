//! The words that keys are made of, and what each means to the engine.
//!
//! [`WORDS`] has each word once, with all of its roles: a new word is a new line. What follows from the roles of a key is
//! in `rules`, `leaves`, `pairs` and `restore`.

use std::sync::LazyLock;

use WordRole::{
    AboutTags, Checksum, Denied, Detail, EndsRelease, EngineImage, EngineVersion, EntryName, GoesAlong,
    Image, ImagePart, ItemName, Labels, LineName, Listing, Location, Migration, Numbered, OtherVersion,
    Query, ReleaseId, Revision, Slot, Source, SpeaksOfVersion, Tag, Thing, Time, Vague, VagueYetAlong, Value,
    Version,
};

/// What a word means to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WordRole {
    // The whole key, as it is written in the file.
    /// Its value is the name by which an item of a list is found again. An item goes by the key with the lowest number.
    ItemName(u8),
    /// Its value says what the `value:` beside it is. The key with the lowest number counts.
    EntryName(u8),
    /// A line that assigns it is known by its value, too.
    LineName,
    /// Its value says what a version in the same YAML mapping is a version of. The numbers give the order of the values.
    Source(u8),
    /// It belongs to the version beside it, and goes back with that.
    GoesAlong,
    /// In the block around a version, its value says where that comes from.
    Location,
    /// The block under it (or under a key that ends in it) holds labels, which name no source of a version.
    Labels,

    // One of the words of a key, in lower case.
    /// What stands under it is never deployed, unless the key ends in a word with the role [`EndsRelease`].
    Denied,
    /// Hashes, numbers and dates of many kinds stand under it: only what is surely a version counts there.
    Vague,
    /// It is vague as well, yet a value under it goes back with a version that changed in the same way.
    VagueYetAlong,
    /// It names a kind of thing: the value is the name of the thing that a version is of.
    Thing,
    /// It speaks of a version or a value, and does not tell one thing from another.
    Detail,
    /// A tag or a digest stands under it. The same holds for each longer word that ends in `tag`, but for `hashtag`.
    Tag,
    /// An image stands under it. The same holds for each word with `image` in it.
    Image,
    /// A version stands under it.
    Version,
    /// Before `version`, as a word of its own or joined with it: the version is of something else than what is deployed.
    OtherVersion,
    /// Before `version`, in the same two ways: the version is of something that keeps data, or of the whole cluster.
    EngineVersion,
    /// An image of this name keeps data.
    EngineImage,
    /// It speaks of migrations of a schema.
    Migration,
    /// Under it stands which of several versions is in use.
    Slot,
    /// Before the word `id`, `hash` or `sha` at the end of a key: that is the one of a release.
    ReleaseId,

    // The last of the words of a key, in lower case.
    /// What stands under the key is deployed, in spite of words before it that are denied or vague.
    EndsRelease,
    /// In a key that speaks of an image, it says which image that is.
    ImagePart,
    /// What stands under the key is a version if it has a digit.
    Numbered,
    /// In a key that speaks of a tag, it says something about tags: `tagStatus`, `imageTagMutability`.
    AboutTags,
    /// A query of metrics, of logs or of a database stands under the key.
    Query,
    /// A branch, a tag or a commit stands under the key.
    Revision,
    /// What stands under the key is named by another key beside it.
    Value,
    /// The block under the key (or the file of that name) holds the versions of the things that the keys in it name.
    Listing,

    // Anywhere in a text, in lower case, be it within a longer word.
    /// A name with it speaks of a version: that of the `value:` beside the name.
    SpeaksOfVersion,
    /// A checksum stands under the key.
    Checksum,
    /// The time at which something was made stands under the key.
    Time,
}

/// A word and its roles.
type Word = (&'static str, &'static [WordRole]);

/// Each word with its roles, in the order of the bytes: the look-up is a binary search.
const WORDS: &[Word] = &[
    ("account", &[Vague]),
    ("active", &[Slot]),
    ("address", &[Denied]),
    ("addresses", &[Denied]),
    ("age", &[AboutTags]),
    ("alias", &[ItemName(26), Thing]),
    ("ami", &[Denied]),
    ("amis", &[Denied]),
    ("annotations", &[Labels]),
    ("api", &[OtherVersion]),
    ("apigroups", &[Denied]),
    ("app", &[ItemName(15), Thing]),
    ("application", &[ItemName(16), Thing]),
    ("appversion", &[Version]),
    ("arangodb", &[EngineImage]),
    ("arn", &[Vague]),
    ("artifact", &[Thing]),
    ("branch", &[Detail, Revision]),
    ("bucket", &[Vague]),
    ("build", &[ReleaseId, Numbered]),
    ("buildversion", &[Version]),
    ("cassandra", &[EngineVersion, EngineImage]),
    ("ceph", &[EngineImage]),
    ("cert", &[Vague]),
    ("certificate", &[Vague]),
    ("chart", &[ItemName(5), Source(6), GoesAlong, Location, Thing]),
    ("chartversion", &[Version]),
    ("checksum", &[Vague, VagueYetAlong]),
    ("cidr", &[Denied]),
    ("cidrs", &[Denied]),
    ("clickhouse", &[EngineVersion, EngineImage]),
    ("cluster", &[ItemName(14), Thing, EngineVersion]),
    ("cockroach", &[EngineImage]),
    ("cockroachdb", &[EngineImage, EngineVersion]),
    ("codename", &[Thing]),
    ("color", &[Vague, Slot]),
    ("colour", &[Vague, Slot]),
    ("commit", &[Detail, ReleaseId, Revision, SpeaksOfVersion]),
    ("component", &[ItemName(18), Thing]),
    ("config", &[OtherVersion]),
    ("consul", &[EngineImage]),
    ("container", &[Thing]),
    ("content", &[OtherVersion]),
    ("controlplane", &[EngineVersion]),
    ("cost", &[Vague]),
    ("couchbase", &[EngineImage]),
    ("couchdb", &[EngineImage, EngineVersion]),
    ("count", &[Vague, AboutTags]),
    ("cpu", &[Vague]),
    ("crd", &[OtherVersion]),
    ("created", &[Time]),
    ("credential", &[Denied]),
    ("credentials", &[Denied]),
    ("cron", &[Vague]),
    ("database", &[EngineVersion]),
    ("date", &[Vague, Time]),
    ("db", &[EngineVersion]),
    ("default", &[Detail, Value]),
    ("deployed", &[Time]),
    ("deployment", &[ReleaseId]),
    ("description", &[Denied]),
    ("dgraph", &[EngineImage]),
    ("digest", &[Detail, Tag, EndsRelease, ImagePart, SpeaksOfVersion, Checksum]),
    ("displayName", &[ItemName(21)]),
    ("display_name", &[ItemName(22)]),
    ("dns", &[Vague]),
    ("domain", &[ItemName(29), Vague]),
    ("dragonfly", &[EngineImage]),
    ("elasticsearch", &[EngineVersion, EngineImage]),
    ("email", &[Vague]),
    ("endpoint", &[Vague]),
    ("engine", &[EngineVersion]),
    ("env", &[ItemName(12)]),
    ("environment", &[ItemName(13)]),
    ("etag", &[Vague]),
    ("etcd", &[EngineVersion, EngineImage]),
    ("expiration", &[Vague]),
    ("expires", &[Vague]),
    ("expiry", &[Vague]),
    ("expr", &[Denied, Query]),
    ("expression", &[Denied, Query]),
    ("file", &[ItemName(11)]),
    ("filter", &[AboutTags]),
    ("filters", &[AboutTags]),
    ("fingerprint", &[Denied]),
    ("flyway", &[Migration]),
    ("format", &[OtherVersion, AboutTags]),
    ("from", &[Image]),
    ("function", &[Thing]),
    ("generated", &[Time]),
    ("gid", &[Vague]),
    ("git", &[Location, Thing]),
    ("group", &[Thing]),
    ("guid", &[Vague]),
    ("h1", &[Checksum]),
    ("hash", &[Vague, VagueYetAlong, Checksum]),
    ("host", &[ItemName(28), Vague]),
    ("hostname", &[ItemName(27), Vague]),
    ("http", &[OtherVersion]),
    ("id", &[ItemName(2), LineName, Vague, VagueYetAlong, Thing]),
    ("ids", &[Vague]),
    ("image", &[ItemName(9), Source(7), GoesAlong, Thing, ReleaseId, EndsRelease, SpeaksOfVersion]),
    ("images", &[Listing]),
    ("imagetags", &[Listing]),
    ("imageversion", &[Version]),
    ("immutability", &[AboutTags]),
    ("influxdb", &[EngineImage, EngineVersion]),
    ("integrity", &[Checksum]),
    ("interval", &[Vague]),
    ("ip", &[Denied, OtherVersion]),
    ("ips", &[Denied]),
    ("issuer", &[Vague]),
    ("k8s", &[EngineVersion]),
    ("kafka", &[EngineVersion, EngineImage]),
    ("key", &[ItemName(3), EntryName(2), LineName, Vague, AboutTags]),
    ("keydb", &[EngineImage]),
    ("keys", &[Vague, AboutTags]),
    ("kind", &[Thing]),
    ("kql", &[Query]),
    ("kube", &[OtherVersion]),
    ("kubernetes", &[EngineVersion]),
    ("label", &[ItemName(25)]),
    ("labels", &[Labels]),
    ("limit", &[Vague]),
    ("liquibase", &[Migration]),
    ("list", &[AboutTags]),
    ("live", &[Slot]),
    ("logql", &[Query]),
    ("longhorn", &[EngineImage]),
    ("mariadb", &[EngineVersion, EngineImage]),
    ("master", &[EngineVersion]),
    ("matchLabels", &[Labels]),
    ("max", &[OtherVersion]),
    ("md5", &[Vague, Checksum]),
    ("memgraph", &[EngineImage]),
    ("memory", &[Vague]),
    ("metricsql", &[Query]),
    ("migrate", &[Migration]),
    ("migration", &[Migration]),
    ("migrations", &[Migration]),
    ("migrator", &[Migration]),
    ("milvus", &[EngineImage]),
    ("min", &[OtherVersion]),
    ("minimum", &[OtherVersion]),
    ("minio", &[EngineImage]),
    ("model", &[ReleaseId]),
    ("modified", &[Time]),
    ("module", &[ItemName(19), Thing]),
    ("mongo", &[EngineVersion, EngineImage]),
    ("mongodb", &[EngineVersion, EngineImage]),
    ("mssql", &[EngineImage]),
    ("mutability", &[AboutTags]),
    ("mysql", &[EngineVersion, EngineImage]),
    ("name", &[ItemName(1), EntryName(1), LineName, Source(8), GoesAlong, Thing, ImagePart]),
    ("names", &[AboutTags]),
    ("namespace", &[Thing]),
    ("nats", &[EngineImage]),
    ("neo4j", &[EngineImage, EngineVersion]),
    ("new", &[Detail]),
    ("newName", &[Source(3), GoesAlong]),
    ("newtag", &[Detail]),
    ("nodeport", &[Vague]),
    ("nonce", &[Vague]),
    ("nrql", &[Query]),
    ("openapi", &[Denied]),
    ("opensearch", &[EngineVersion, EngineImage]),
    ("oracle", &[EngineImage]),
    ("package", &[ItemName(20), Thing]),
    ("parameter", &[EntryName(4)]),
    ("passwd", &[Denied]),
    ("password", &[Denied, OtherVersion]),
    ("path", &[ItemName(10), EntryName(3)]),
    ("pattern", &[AboutTags]),
    ("patterns", &[AboutTags]),
    ("percent", &[Vague]),
    ("percona", &[EngineImage]),
    ("pg", &[EngineVersion]),
    ("pgvecto", &[EngineImage]),
    ("pgvector", &[EngineImage]),
    ("phone", &[Denied]),
    ("pin", &[Vague]),
    ("policy", &[Vague, OtherVersion, AboutTags]),
    ("port", &[Vague]),
    ("ports", &[Vague]),
    ("postgis", &[EngineImage]),
    ("postgres", &[EngineVersion, EngineImage]),
    ("postgresql", &[EngineVersion, EngineImage]),
    ("prefix", &[AboutTags]),
    ("prefixes", &[AboutTags]),
    ("price", &[Vague]),
    ("project", &[ItemName(31), Thing]),
    ("promql", &[Denied, Query]),
    ("protocol", &[OtherVersion]),
    ("pulsar", &[EngineImage]),
    ("q", &[Query]),
    ("qdrant", &[EngineImage]),
    ("queries", &[Query]),
    ("query", &[Denied, Query]),
    ("questdb", &[EngineImage]),
    ("rabbitmq", &[EngineImage, EngineVersion]),
    ("ratio", &[Vague]),
    ("record", &[Vague]),
    ("redis", &[EngineVersion, EngineImage]),
    ("redpanda", &[EngineImage]),
    ("ref", &[Detail, EndsRelease, ImagePart, Revision]),
    ("regex", &[AboutTags]),
    ("registry", &[Source(2), GoesAlong, Thing]),
    ("release", &[Detail, ReleaseId, Numbered]),
    ("releaseName", &[ItemName(4)]),
    ("released", &[Time]),
    ("releaseversion", &[Version]),
    ("replicas", &[Denied]),
    ("repo", &[Location, Thing]),
    ("repoURL", &[ItemName(7), Source(4), GoesAlong, Location]),
    ("repository", &[ItemName(6), Source(1), GoesAlong, Location, Thing, ImagePart]),
    ("required", &[OtherVersion]),
    ("resource", &[OtherVersion]),
    ("rethinkdb", &[EngineImage]),
    ("rev", &[Revision]),
    ("revision", &[Detail, EndsRelease, ImagePart, Revision, SpeaksOfVersion]),
    ("salt", &[Vague]),
    ("schedule", &[Vague]),
    ("schema", &[OtherVersion]),
    ("scylla", &[EngineImage, EngineVersion]),
    ("scylladb", &[EngineImage, EngineVersion]),
    ("secret", &[Denied, OtherVersion]),
    ("secrets", &[Denied]),
    ("selector", &[AboutTags]),
    ("service", &[ItemName(17), Thing]),
    ("sha", &[Detail, EndsRelease, ImagePart, Revision, Checksum]),
    ("signature", &[Vague]),
    ("size", &[Vague]),
    ("slot", &[Slot]),
    ("slug", &[ItemName(23), Thing]),
    ("solr", &[EngineImage]),
    ("sops", &[OtherVersion]),
    ("source", &[GoesAlong, Thing]),
    ("spilo", &[EngineImage]),
    ("sql", &[Query]),
    ("ssl", &[OtherVersion]),
    ("state", &[OtherVersion]),
    ("status", &[AboutTags]),
    ("storage", &[Vague]),
    ("strategy", &[AboutTags]),
    ("subnet", &[Vague]),
    ("subnets", &[Vague]),
    ("sum", &[Vague, Checksum]),
    ("summary", &[Denied]),
    ("svc", &[Thing]),
    ("swagger", &[Denied]),
    ("tag", &[Detail, Tag, EndsRelease, ImagePart, SpeaksOfVersion]),
    ("tags", &[Listing]),
    ("talos", &[EngineVersion]),
    ("target", &[Thing]),
    ("targetversion", &[Version]),
    ("tenant", &[ItemName(30), Thing]),
    ("threshold", &[Vague]),
    ("thumbprint", &[Denied]),
    ("tidb", &[EngineImage]),
    ("tikv", &[EngineImage]),
    ("time", &[Time]),
    ("timeout", &[Vague]),
    ("timescaledb", &[EngineImage]),
    ("timestamp", &[Vague, Time]),
    ("title", &[ItemName(24), Thing]),
    ("tls", &[OtherVersion]),
    ("token", &[Denied]),
    ("traceql", &[Query]),
    ("uid", &[Vague]),
    ("updated", &[Time]),
    ("uri", &[Location, Thing, EndsRelease, ImagePart]),
    ("url", &[ItemName(8), Source(5), GoesAlong, Location, Thing, EndsRelease, ImagePart]),
    ("useragent", &[Denied]),
    ("uuid", &[Vague]),
    ("validuntil", &[Denied]),
    ("valkey", &[EngineImage, EngineVersion]),
    ("value", &[Detail, Value]),
    ("vault", &[EngineImage]),
    ("version", &[Detail, Version, ReleaseId, EndsRelease, ImagePart, SpeaksOfVersion]),
    ("versions", &[Version, Listing]),
    ("vitess", &[EngineImage]),
    ("vpc", &[Vague]),
    ("weaviate", &[EngineImage]),
    ("weight", &[Vague]),
    ("workload", &[Thing]),
    ("yugabyte", &[EngineImage]),
    ("yugabytedb", &[EngineImage]),
    ("zh", &[Checksum]),
    ("zone", &[Vague]),
    ("zookeeper", &[EngineImage, EngineVersion]),
];

/// The keys that name an item of a list, the surest first.
pub(super) static ITEM_NAMES: LazyLock<Vec<&str>> =
    LazyLock::new(|| ordered(|role| if let ItemName(rank) = role { Some(rank) } else { None }));

/// The keys that name the `value:` beside them, the surest first.
pub(super) static ENTRY_NAMES: LazyLock<Vec<&str>> =
    LazyLock::new(|| ordered(|role| if let EntryName(rank) = role { Some(rank) } else { None }));

/// The keys that say what a version beside them is a version of.
pub(super) static SOURCES: LazyLock<Vec<&str>> =
    LazyLock::new(|| ordered(|role| if let Source(rank) = role { Some(rank) } else { None }));

/// The words with a role that has ranks, in their order.
fn ordered(rank: fn(WordRole) -> Option<u8>) -> Vec<&'static str> {
    let ranked = |(word, roles): &(&'static str, &[WordRole])| {
        roles.iter().find_map(|role| rank(*role)).map(|rank| (rank, *word))
    };
    let mut words: Vec<(u8, &str)> = WORDS.iter().filter_map(ranked).collect();
    words.sort_unstable();
    words.into_iter().map(|(_, word)| word).collect()
}

/// The words by their first byte. Most keys are asked about many roles, and most of their words have none.
static BY_FIRST: LazyLock<Vec<&[Word]>> = LazyLock::new(|| {
    let begin = |first: u8| WORDS.partition_point(|(word, _)| word.bytes().next() < Some(first));
    let alike = |first: u8| WORDS.get(begin(first)..begin(first + 1)).unwrap_or_default();
    (0..u8::MAX).map(alike).collect()
});

/// The words with a role.
pub(super) fn with(role: WordRole) -> impl Iterator<Item = &'static str> {
    WORDS.iter().filter(move |(_, roles)| roles.contains(&role)).map(|(word, _)| *word)
}

/// Whether a word has a role.
pub(super) fn is(word: &str, role: WordRole) -> bool {
    let first = word.bytes().next();
    let alike = first.and_then(|first| BY_FIRST.get(usize::from(first))).copied().unwrap_or_default();
    let found = alike.binary_search_by(|(known, _)| (*known).cmp(word)).ok();
    found.and_then(|at| alike.get(at)).is_some_and(|(_, roles)| roles.contains(&role))
}

/// Whether one of the words of a key has a role.
pub(super) fn any(words: &[String], role: WordRole) -> bool {
    words.iter().any(|word| is(word, role))
}

/// Whether the last of the words of a key has a role.
pub(super) fn ends_in(words: &[String], role: WordRole) -> bool {
    words.last().is_some_and(|last| is(last, role))
}

/// Whether a word with a role stands anywhere in a text.
pub(super) fn mentions(text: &str, role: WordRole) -> bool {
    with(role).any(|word| text.contains(word))
}

/// `imageTag`, `image_tag`, `IMAGE-TAG`, `app.kubernetes.io/version` → lower-case words.
pub(super) fn words_of(key: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut previous_lower = false;
    for c in key.chars() {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && previous_lower);
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        match c {
            'a'..='z' | '0'..='9' => word.push(c),
            _ if c.is_alphanumeric() => word.extend(c.to_lowercase()),
            _ => {}
        }
        previous_lower = c.is_lowercase() || c.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What a key is about besides what it says of it: `web` of `WEB_IMAGE_TAG`, nothing of `tag`; and whether it names a
/// thing (`WEB_IMAGE_REPO`, `chart`).
pub(super) fn stem(key: &str) -> (Vec<String>, bool) {
    let words = words_of(key);
    let names = ends_in(&words, Thing);
    (words.into_iter().filter(|word| !is(word, Thing) && !is(word, Detail)).collect(), names)
}

#[cfg(test)]
mod tests;
