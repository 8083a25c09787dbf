//! Where a value stands: places in which nothing is a release field whatever it looks like, and versions of what keeps data.
//!
//! A place is told by the file's path, the whole address, and what stands around it: the key alone does not tell that
//! `remoteRef.version` is a secret's, and `spec.kafka.version` a cluster's.

use super::leaves::Text;
use super::leaves::leaf::{Leaf, LeafKind};
use super::query::is_of_query;
use super::rules::{FieldRule, Surroundings};
use super::tokens::image_parts;
use super::types::File;
use super::vocabulary::{WordRole, any, ends_in, is, words_of};
use super::words;

/// What a place means for what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The rules for values say whether it is a release field.
    Open,
    /// It is none.
    Closed,
    /// It changes what a service runs with, and does not go back by machine. The text says what it is.
    ByHand(&'static str),
}

/// What a secret's version is called, and what says which of several versions is in use.
pub(super) const SECRET_VERSION: &str = "the version of a secret";
pub(super) const SLOT: &str = "which of several versions is in use";
pub(super) const MIGRATION: &str = "the state that a schema is migrated to";

/// How the names of source code end.
const SOURCES: [&str; 22] = [
    ".rs", ".go", ".py", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".java", ".kt", ".rb", ".php", ".c", ".h",
    ".cc", ".cpp", ".cs", ".swift", ".scala", ".lua", ".ex", ".sql",
];

/// Whether a file is source code.
pub(super) fn is_source(file: &File<'_>) -> bool {
    SOURCES.iter().any(|end| file.path.ends_with(end))
}

/// How the names of files end in which a line that came or went with a version in it is one by itself.
const SETTINGS: [&str; 11] =
    [".env", ".properties", ".ini", ".toml", ".conf", ".cfg", ".tf", ".tfvars", ".hcl", ".txt", "values"];

/// Whether the lines of a file are settings, one to a line.
pub(super) fn holds_settings(file: &File<'_>) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or(file.path);
    let is_plain = !name.contains('.') && !name.contains("file");
    SETTINGS.iter().any(|end| name.ends_with(end)) || name.starts_with(".env") || is_plain
}

/// A value that is all or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// It says which of several versions is in use: a slot, a colour, the weight of a route.
    Slot,
    /// It turns something on or off.
    Flag,
}

/// Whether a value that changed is a switch.
pub(super) fn switch(leaf: &Leaf, old: &str, new: &str) -> Option<Switch> {
    const ON_OFF: [&str; 6] = ["true", "false", "yes", "no", "on", "off"];
    const COLOURS: [&str; 4] = ["blue", "green", "canary", "stable"];
    let both = |wanted: &dyn Fn(&str) -> bool| wanted(old) && wanted(new);
    let words = words_of(&leaf.key);
    if both(&|text| ON_OFF.contains(&text)) {
        let of_slot = steps(leaf.block())
            .any(|step| words_of(step).iter().any(|word| COLOURS.contains(&word.as_str())));
        return Some(if of_slot { Switch::Slot } else { Switch::Flag });
    }
    // Copies of one of two colours, and shares that are called as them.
    let is_number = both(&|text| text.parse::<f64>().is_ok());
    let of_colour = steps(leaf.block()).any(|step| COLOURS.contains(&step));
    let is_on_off = of_colour && leaf.key == "replicas" && (old == "0" || new == "0");
    if is_number && (COLOURS.contains(&leaf.key.as_str()) || is_on_off) {
        return Some(Switch::Slot);
    }
    let is_weight =
        words.last().is_some_and(|last| last == "weight") && both(&|text| text.parse::<f64>().is_ok());
    let is_slot = any(&words, WordRole::Slot)
        && both(&|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    let is_note = words.last().is_some_and(|last| matches!(last.as_str(), "tags" | "labels"));
    let is_colour = !is_note && both(&|text| COLOURS.contains(&text));
    (is_weight || is_slot && !both(&|text| text.parse::<f64>().is_ok()) || is_colour).then_some(Switch::Slot)
}

/// The steps of an address, without the brackets and dots between them.
fn steps(address: &str) -> impl Iterator<Item = &str> {
    address
        .split(['.', '[', ']', '>', ' '])
        .map(|step| step.trim_end_matches(':'))
        .filter(|step| !step.is_empty())
}

/// The kind of the document that a leaf is in; empty where that has none.
fn kind_of(leaf: &Leaf) -> &str {
    leaf.address.split_once(": ").and_then(|(name, _)| name.split('/').next()).unwrap_or("")
}

/// What a place in a file means.
pub(super) fn place(file: &File<'_>, text: &Text<'_>, leaf: &Leaf) -> Place {
    let whole = text.whole();
    let is_closed = is_about_the_file(file, whole, &leaf.address) || is_tag_of_a_resource(whole, leaf);
    if is_closed || is_prose(leaf) || is_of_query(text, leaf) {
        return Place::Closed;
    }
    if is_of_a_secret(leaf) {
        return Place::ByHand(SECRET_VERSION);
    }
    Place::Open
}

/// Versions that say how the file is to be read, or how often it was saved, and not what is deployed: of an encrypted
/// file's envelope, of Compose, of a dashboard.
fn is_about_the_file(file: &File<'_>, text: &str, address: &str) -> bool {
    let of_compose = || file.path.contains("compose") || text.contains("\nservices:");
    // Dashboards stand within other files, too.
    let of_dashboard = || {
        let key = address.rsplit([' ', '.']).next().unwrap_or(address);
        let is_dashboard = || {
            text.contains("\"schemaVersion\"") || text.contains("\"panels\"") && text.contains("\"title\"")
        };
        matches!(key, "version" | "pluginVersion" | "revision") && is_dashboard()
    };
    let of_protocol =
        ["tls.version", "ssl.version", "tls.minVersion"].iter().any(|end| address.ends_with(end));
    of_dashboard()
        || of_protocol
        || address.starts_with("sops.")
        || address.starts_with("[sops] >")
        || address == "version" && of_compose()
}

/// Whether it is a line of a description, which is for people.
fn is_prose(leaf: &Leaf) -> bool {
    leaf.kind == LeafKind::Line && steps(leaf.block()).any(|step| matches!(step, "description" | "summary"))
}

/// Whether it is the version of a secret: of an ExternalSecret, a SecretProviderClass and the like.
/// Sources: <https://external-secrets.io/latest/api/externalsecret/>,
/// <https://secrets-store-csi-driver.sigs.k8s.io/concepts.html>.
fn is_of_a_secret(leaf: &Leaf) -> bool {
    let words = words_of(&leaf.key);
    let is_version = ends_in(&words, WordRole::Version);
    let kind = kind_of(leaf);
    let is_ref =
        || steps(&leaf.address).any(|step| matches!(step, "remoteRef" | "secretKeyRef" | "secretRef"));
    is_version && (kind.contains("Secret") || words == ["object", "version"] || is_ref())
}

/// Whether it is below the `tags` that a cloud keeps beside a resource, which are notes of its owners.
fn is_tag_of_a_resource(text: &str, leaf: &Leaf) -> bool {
    // `tagging: {tagSet: [{key: …, value: …}]}`, as buckets have it.
    let is_set = |step: &str| step == "tagSet";
    let step_tags = |step: &str| {
        let words = words_of(step);
        words.last().is_some_and(|last| last == "tags") && !words.iter().any(|word| word.contains("image"))
            || is_set(step)
    };
    // The last step is the key itself, unless all of the tags stand on its line.
    let is_inline = leaf.kind == LeafKind::Line && leaf.value.contains("= {");
    let own = if is_inline { 0 } else { leaf.key.len() };
    let around = leaf.address.get(..leaf.address.len().saturating_sub(own)).unwrap_or("");
    let may_have_any = ["ags", "AGS", "tagSet"].iter().any(|part| around.contains(part));
    if !may_have_any || !steps(around).any(step_tags) {
        return false;
    }
    const CLOUDS: [&str; 9] = [
        "forProvider",
        "Properties",
        "AWSTemplateFormatVersion",
        "upbound.io",
        "crossplane",
        "amazonaws",
        "azure",
        "cnrm.cloud",
        "services.k8s.aws",
    ];
    let is_bare = steps(around).any(|step| step == "tags" || step == "Tags" || is_set(step));
    let is_of_resource = || match leaf.kind {
        LeafKind::Line => {
            ["resource ", "data ", "provider ", "module "].iter().any(|head| leaf.address.starts_with(head))
        }
        LeafKind::Scalar => CLOUDS.iter().any(|cloud| text.contains(cloud)),
    };
    !is_bare || is_of_resource()
}

/// Whether a release field that had or has one of these values is the version of something that keeps data, or of the whole platform: it
/// cannot simply go back. The key tells it, or the block around, the kind of the document, the name of the variable, or the image.
pub(super) fn is_engine(text: &Text<'_>, leaf: &Leaf, values: &[&str], rule: FieldRule) -> bool {
    super::rules::is_engine_version(&leaf.key)
        || values.iter().any(|value| is_of_kept(text, leaf, value, rule))
        || is_of_engine(text, leaf)
}

/// Whether a value is the version of something that keeps data by the image that it names, or that is named beside it or around it.
fn is_of_kept(text: &Text<'_>, leaf: &Leaf, value: &str, rule: FieldRule) -> bool {
    let is_digest = |repository: &str| matches!(repository, "sha256" | "sha512");
    let of_template = || value.split_once(":${").map(|(repository, _)| repository);
    let own = image_parts(value).map(|(repository, _)| repository).or_else(of_template);
    let own = own.filter(|own| !is_digest(own));
    let inner: Vec<&str> = steps(leaf.block()).collect();
    let is_image = matches!(rule, FieldRule::Image | FieldRule::Tag);
    // `postgresql: {image: {tag: …}}`, as in the values of a chart within a chart; `cephImage`, `redisImageTag`.
    let around = || {
        let mut steps = inner.iter().rev();
        let last = steps.next().copied().unwrap_or("");
        // `postgresql: {primary: {image: {tag: …}}}`.
        let is_part =
            |step: &&str| matches!(*step, "primary" | "replica" | "readReplicas" | "secondary" | "master");
        let mut outer = steps.copied().skip_while(is_part);
        let above = if last == "image" { outer.next().unwrap_or("") } else { last };
        [last, above].into_iter().any(|step| is_engine_image(step) || is_image_of_engine(step))
            || is_image_of_engine(&leaf.key)
    };
    let beside = || leaf.source.iter().flat_map(|source| source.split(' ')).any(is_engine_image);
    match (own, source_beside(leaf)) {
        (Some(repository), _) => is_engine_image(repository),
        (None, true) => beside(),
        (None, false) => beside() || is_image && around() || is_of_engine_chart(text, leaf),
    }
}

/// Whether a place is one for the version of something that keeps data, or of the whole platform.
fn is_of_engine(text: &Text<'_>, leaf: &Leaf) -> bool {
    let is_version = any(&words_of(&leaf.key), WordRole::Version);
    let kind = kind_of(leaf);
    let block = leaf.block();
    let parent = steps(block.rsplit(": ").next().unwrap_or(block)).last().unwrap_or("");
    // The name of an item says what it is; another key of it (`cluster=eu`) says where.
    let is_item = parent.contains('=');
    let parent = match parent.split_once('=') {
        Some(("name", name)) => name,
        Some(_) => "",
        None => parent,
    };
    let is_label = ["labels", "annotations"].iter().any(|step| block.contains(step));
    let of_kind = !is_label
        && any(&words_of(kind), WordRole::EngineVersion)
        && words_of(kind).first().is_none_or(|first| first != "cluster");
    // `spec.kafka.version`, `versions: {postgres: …}`, `variable "db_engine_version" { default = … }`.
    let of_platform =
        !is_label && is_platform(kind) && (kind != "Plan" || text.whole().contains("upgrade.cattle.io"));
    let in_block = is_version && (is_engine_name(parent, is_item) || of_kind || of_platform);
    let listed = super::rules::lists_versions(parent) && is_engine_name(&leaf.key, true);
    let variable = leaf.key == "default" && leaf.named.as_deref().is_some_and(names_engine);
    in_block || listed || variable || is_version && migrates(leaf)
}

/// What stands around a leaf that may say where a version comes from.
pub(super) fn origin<'t>(text: &Text<'_>, leaf: &'t Leaf) -> Surroundings<'t> {
    let block = leaf.block();
    let path = block.split_once(": ").map_or(block, |(_, path)| path);
    // Items of lists go by the key of the list.
    let mut inner = path.rsplit(['.', '>']).map(|step| step.trim().split('[').next().unwrap_or(""));
    let has = |keys: &[&str]| keys.iter().any(|key| !text.with_key(block, key).is_empty());
    Surroundings {
        kind: kind_of(leaf),
        block: inner.next().unwrap_or(""),
        around: if path.contains("helm_release") { "helm_release" } else { inner.next().unwrap_or("") },
        has_tag: has(&["tag", "newTag", "digest", "imageTag"]),
        has_version: has(&["version", "targetRevision", "chartVersion"]),
        is_owner: path.contains("ownerReferences") || path.contains("subjects"),
        is_in_values: ["values.", "valuesObject.", "valuesInline."]
            .iter()
            .any(|at| format!("{path}.").contains(at)),
        is_resource: path.contains("resource \"") && !path.contains("helm_release"),
    }
}

/// Whether the repository of the image stands beside its version. Then nothing else tells what it is.
fn source_beside(leaf: &Leaf) -> bool {
    leaf.source.as_deref().is_some_and(|source| source.split(' ').any(|source| source.contains('/')))
}

/// Whether a key or a block is called as the image of something that keeps data: `cephImage`, `POSTGRES_IMAGE_TAG`.
fn is_image_of_engine(name: &str) -> bool {
    let words = words_of(name);
    let is_of_image = |word: &str| word == "image" || is(word, WordRole::Tag);
    let about: Vec<&str> = words.iter().map(String::as_str).filter(|word| !is_of_image(word)).collect();
    about.len() < words.len() && is_engine_image(&about.join("-"))
}

/// Whether a leaf says that what stands in its block is from the chart of something that keeps data.
fn names_engine_chart(leaf: &Leaf) -> bool {
    if !matches!(leaf.key.as_str(), "chart" | "url" | "repoURL") {
        return false;
    }
    let source = words::value_of(leaf);
    (leaf.key == "chart" || source.starts_with("oci:")) && is_engine_image(source)
}

/// Whether the chart around a version is that of something that keeps data: of a HelmRelease, an OCIRepository, an Application, a
/// `helm_release` of Terraform. Of the values in it only those of the main image count, which stand at their top.
fn is_of_engine_chart(text: &Text<'_>, leaf: &Leaf) -> bool {
    let is_of = |block: &str| {
        let block = block.strip_suffix(".chart.spec").unwrap_or(block);
        let Some(inside) = leaf.address.strip_prefix(block) else { return false };
        let values = ["values.", "valuesObject."].iter().find_map(|at| inside.split_once(at));
        // `{name: metrics.image.tag, value: …}`.
        let by_name = leaf.named.as_deref().filter(|_| is(&leaf.key, WordRole::Value));
        let values = values.map(|(_, values)| values).or(by_name);
        let is_within = block.is_empty() || inside.starts_with(['.', ' ', '>', ':', '[']);
        is_within
            && values.is_none_or(|value| {
                let first = steps(value).next().unwrap_or("");
                first == "image" || words_of(first) == ["image", "tag"] || first == "tag"
            })
    };
    text.engine_charts(names_engine_chart).any(is_of)
}

/// Whether a block is called as something that keeps data, or as the cluster itself: all words of its name say so. `kafka-consumer` only
/// works with one. An item that is called `cluster` or `master` may be anything.
fn is_engine_name(name: &str, is_item: bool) -> bool {
    const BESIDE: [&str; 5] = ["instance", "rds", "aurora", "version", "spec"];
    let words = words_of(name);
    let tells = |word: &String| is(word, WordRole::EngineVersion);
    let allowed = |word: &String| tells(word) || BESIDE.contains(&word.as_str());
    let is_one_word = |known: &str| matches!(words.as_slice(), [only] if only == known);
    let is_vague = is_one_word("engine") || is_item && (is_one_word("cluster") || is_one_word("master"));
    words.iter().all(allowed) && words.iter().any(tells) && !is_vague || is_engine_image(name)
}

/// Whether a name is that of an engine's version: `db_engine_version`.
fn names_engine(name: &str) -> bool {
    let words = words_of(name);
    any(&words, WordRole::EngineVersion) && any(&words, WordRole::Version)
}

/// Whether documents of this kind describe a cluster or its machines. Sources: <https://cluster-api.sigs.k8s.io>,
/// <https://github.com/rancher/system-upgrade-controller>, <https://eksctl.io>.
fn is_platform(kind: &str) -> bool {
    let words = words_of(kind);
    kind == "Plan"
        || words.last().is_some_and(|last| last == "cluster")
        || words.iter().any(|word| matches!(word.as_str(), "machine" | "upgrade")) && kind != "StateMachine"
        || kind.contains("ControlPlane")
}

/// Whether an image is that of something that keeps data: `postgres`, `bitnami/postgresql`, `confluentinc/cp-kafka`. One that only
/// works with it is none: `kafka-consumer`.
pub(super) fn is_engine_image(repository: &str) -> bool {
    /// What the name of such an image may have beside that of the engine.
    const BESIDE: [&str; 24] = [
        "cp",
        "server",
        "cluster",
        "repmgr",
        "ha",
        "sharded",
        "distribution",
        "xtradb",
        "crunchy",
        "db",
        "enterprise",
        "community",
        "oss",
        "alpine",
        "stack",
        "standalone",
        "single",
        "official",
        "debian",
        "ubi",
        "cnpg",
        "core",
        "rook",
        "rs",
    ];
    let repository = repository.to_lowercase();
    let name = repository.rsplit('/').next().unwrap_or("");
    let name = match repository.rsplit('/').nth(1) {
        Some(above) if name == "server" => format!("{above}-{name}"),
        Some(_) | None => name.to_owned(),
    };
    let mut words = name.split(['-', '_']).filter(|word| !word.is_empty()).peekable();
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let mut is_engine = false;
    let all = words.peek().is_some()
        && words.all(|word| {
            let engine = is(word, WordRole::EngineImage);
            is_engine |= engine;
            engine || BESIDE.contains(&word) || is_number(word)
        });
    all && is_engine
}

/// Whether a place speaks of migrations of a schema: `migrations.version`, `flyway.target`.
pub(super) fn migrates(leaf: &Leaf) -> bool {
    let own = words_of(&leaf.key);
    let is_number = own.last().is_some_and(|last| {
        matches!(last.as_str(), "version" | "target" | "revision" | "tag" | "image" | "to")
    });
    if !is_number {
        return false;
    }
    // `schemaVersion`, `DB_SCHEMA_VERSION`.
    if own.iter().rev().take(2).map(String::as_str).eq(["version", "schema"]) {
        return true;
    }
    let block = leaf.block();
    let mut names = steps(block.rsplit(": ").next().unwrap_or(block));
    let is_migration = |step: &str| {
        let words = words_of(step);
        let first = words.first().is_some_and(|word| is(word, WordRole::Migration));
        let of_it = words
            .last()
            .is_some_and(|last| matches!(last.as_str(), "job" | "jobs" | "hook" | "init" | "image"));
        ends_in(&words, WordRole::Migration)
            || first && of_it
            || matches!(words.as_slice(), [db, schema] if db == "db" && schema == "schema")
    };
    // What a container of such a name runs is no value: it is looked for among what runs.
    own.iter().any(|word| is(word, WordRole::Migration))
        || !block.contains("ontainers[") && names.any(is_migration)
}
