//! Changes of a database schema that the manifests of a service show: what migrates when they are applied, what describes a schema, and SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::change::SchemaChange;
use super::effect::Effect;
use super::sql;
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::field::leaves::leaf::Leaf;
use crate::domain::field::leaves::yaml::leaves;

/// What a text in lower case holds if a change of a schema can be seen in it. Others are not parsed. Literals in one case are found
/// many bytes at a time; a pattern that takes both cases would go byte by byte.
static MARKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let tools = TOOLS.iter().chain(&TASKS).map(|word| regex::escape(word));
    let others = [
        "helm.sh/hook",
        "argoproj.io/hook",
        r"\.sql",
        "changelog",
        "schemahero",
        "db.atlasgo.io",
        "kind: custom",
    ];
    let all: Vec<String> = tools.chain(others.map(str::to_owned)).collect();
    Regex::new(&all.join("|")).ok()
});

/// Whether a change of a schema may be seen in a text: in no other one [`changes`] finds any.
#[must_use]
pub fn may_show(text: &str) -> bool {
    MARKS.as_ref().is_some_and(|marks| marks.is_match(&text.to_ascii_lowercase()))
}

/// The changes of a schema between two versions of a manifest of which one [`may_show`] it. `path` is where it is, for people. Either
/// version may be empty.
#[must_use]
pub fn changes(path: &str, before: &str, after: &str) -> Vec<SchemaChange> {
    if before == after {
        return Vec::new();
    }
    let (Some(old), Some(new)) = (leaves(before), leaves(after)) else {
        return template(path, before, after).into_iter().collect();
    };
    let (old, new) = (objects(&old), objects(&new));
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let nothing = Object::default();
    let pairs = names.into_iter().map(|name| (name, old.get(name), new.get(name)));
    let found = pairs.flat_map(|(name, old, new)| {
        let (before, after) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
        let whole = if after.is_empty() { before } else { after };
        let place = if name.is_empty() { path.to_owned() } else { format!("{name} in {path}") };
        let jobs = if after.is_empty() { None } else { job(before, after, &place) };
        let all = [jobs, resource(whole, before, after, &place)];
        all.into_iter().flatten().chain(config_map(whole, before, after, &place)).collect::<Vec<_>>()
    });
    found.collect()
}

/// The leaves of an object: their addresses within it, and the leaves.
type Object<'l> = Vec<(&'l str, &'l Leaf)>;

/// The objects of a file by their names.
fn objects(leaves: &[Leaf]) -> BTreeMap<&str, Object<'_>> {
    let mut objects: BTreeMap<&str, Object<'_>> = BTreeMap::new();
    for leaf in leaves {
        // `Job/web-migrate: spec.…`. An address in a text within has a colon of its own.
        let named = leaf.address.split_once(": ").filter(|(name, _)| {
            !name.contains(['[', '>']) && (name.contains('/') || name.starts_with("document "))
        });
        let (name, rest) = named.unwrap_or(("", &leaf.address));
        objects.entry(name).or_default().push((rest, leaf));
    }
    objects
}

/// The value at an address of an object.
fn text_at<'l>(object: &Object<'l>, address: &str) -> &'l str {
    object.iter().find(|(at, _)| *at == address).map_or("", |(_, leaf)| leaf.value.as_str())
}

/// The names of tools that migrate databases, and the words for what they do.
const TOOLS: [&str; 23] = [
    "migrate",
    "migrates",
    "migration",
    "migrations",
    "migrator",
    "dbmigrate",
    "flyway",
    "liquibase",
    "alembic",
    "efbundle",
    "prisma",
    "goose",
    "dbmate",
    "sqitch",
    "knex",
    "sequelize",
    "typeorm",
    "phinx",
    "skeema",
    "bytebase",
    "ghost",
    "golang-migrate",
    "rollforward",
];

/// How else they are called: with a task, as the frameworks have it.
const TASKS: [&str; 9] = [
    "db:prepare",
    "db:schema",
    "db:setup",
    "database update",
    "schema apply",
    "schema:update",
    "schema-update",
    "prisma db",
    "createtables",
];

/// Whether a text speaks of migrating a database.
fn speaks_of_migrations(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| TOOLS.contains(&word)) || TASKS.iter().any(|task| text.contains(task))
}

/// What runs before the new version of a service, or beside it, and may migrate its database.
fn job(before: &Object<'_>, after: &Object<'_>, place: &str) -> Option<SchemaChange> {
    let change = |what: String| Some(SchemaChange::unknown(SchemaDetector::Jobs, what));
    let kind = text_at(after, "kind");
    let hook = hook(after);
    let runs_once = matches!(kind, "Job" | "Pod" | "Workflow");
    let speaks = || after.iter().any(|(at, leaf)| says(at) && speaks_of_migrations(&leaf.value));
    let is_job = match hook {
        Some(Hook::Before) => true,
        Some(Hook::After) => speaks(),
        Some(Hook::No) => false,
        None => {
            runs_once && speaks()
                || matches!(kind, "Kustomization" | "HelmRelease" | "Application")
                    && speaks_of_migrations(text_at(after, "metadata.name"))
        }
    };
    if is_job {
        let of_run = |object: &Object<'_>| -> Vec<(String, String)> {
            let is_run = |at: &str| !at.contains("metadata.") && at != "apiVersion";
            let leaves = object.iter().filter(|(at, _)| is_run(at));
            leaves.map(|(at, leaf)| ((*at).to_owned(), leaf.value.clone())).collect()
        };
        let what = if hook.is_some() { "the hook" } else { "what migrates," };
        return (of_run(before) != of_run(after)).then(|| change(format!("it changed {what} {place}")))?;
    }
    let was = init_containers(before);
    let found = init_containers(after).into_iter().find(|(name, container)| {
        let speaks = container.iter().any(|(at, value)| says(at) && speaks_of_migrations(value));
        (speaks || speaks_of_migrations(name)) && was.get(name) != Some(container)
    });
    if let Some((name, _)) = found {
        return change(format!("it changed the init container {name} of {place}"));
    }
    let container = migrates_at_start(before, after)?;
    let what = if container.is_empty() { String::new() } else { format!("{container} of ") };
    change(format!("it changed what migrates when it starts, {what}{place}"))
}

/// Where the command of a container migrates before the program starts (`rails db:migrate && rails server`), and the command or the image
/// changed: the address of the container.
fn migrates_at_start<'l>(before: &Object<'l>, after: &Object<'l>) -> Option<&'l str> {
    let of_run = |object: &Object<'l>, container: &str| -> Vec<(&'l str, &'l str)> {
        let is_run = |at: &str| {
            let key = at.rsplit(['.', ']']).find(|step| !step.is_empty()).unwrap_or(at);
            at.starts_with(container)
                && (container_of(at) == Some(container)
                    || matches!(key, "image" | "tag" | "digest" | "newTag" | "version"))
        };
        let leaves = object.iter().filter(|(at, _)| is_run(at));
        leaves.map(|(at, leaf)| (*at, leaf.value.as_str())).collect()
    };
    let speaks = after.iter().filter(|(_, leaf)| speaks_of_migrations(&leaf.value));
    let mut containers = speaks.filter_map(|(at, _)| container_of(at));
    containers.find(|container| of_run(before, container) != of_run(after, container))
}

/// The container whose command stands at an address, as far as it is one.
fn container_of(address: &str) -> Option<&str> {
    let of_key = |key: &str| {
        let (container, rest) = match address.strip_prefix(key) {
            Some(rest) => ("", rest),
            None => address.split_once(&format!(".{key}"))?,
        };
        (rest.is_empty() || rest.starts_with(['[', ' '])).then_some(container)
    };
    let container = ["command", "args", "entrypoint"].iter().find_map(|key| of_key(key))?;
    Some(container.strip_suffix(".lifecycle.postStart.exec").unwrap_or(container))
}

/// Whether the value at an address says what a job does.
fn says(address: &str) -> bool {
    let key = address.rsplit(['.', ']']).find(|step| !step.is_empty()).unwrap_or(address);
    let is_list = address.contains("command[") || address.contains("args[") || address.contains("command >");
    is_list
        || matches!(key, "name" | "generateName" | "image" | "command" | "args" | "template" | "entrypoint")
}

/// When a hook runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hook {
    /// Before what it belongs to, or with it.
    Before,
    /// When that is applied.
    After,
    /// When something is removed, fails or is tested.
    No,
}

/// When an object runs as a hook of Helm or of Argo CD. Sources: <https://helm.sh/docs/topics/charts_hooks/>,
/// <https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/>.
fn hook(object: &Object<'_>) -> Option<Hook> {
    let annotation = |key: &str| {
        let at = format!("metadata.annotations[{key}]");
        object.iter().find(|(address, _)| *address == at).map(|(_, leaf)| leaf.value.as_str())
    };
    let phases = annotation("helm.sh/hook").or_else(|| annotation("argocd.argoproj.io/hook"))?;
    let has = |wanted: &[&str]| phases.split(',').any(|phase| wanted.contains(&phase.trim()));
    Some(if has(&["pre-upgrade", "pre-install", "PreSync", "Sync"]) {
        Hook::Before
    } else if has(&["post-upgrade", "post-install", "PostSync"]) {
        Hook::After
    } else {
        Hook::No
    })
}

/// The init containers of an object by their names, with what they run.
fn init_containers(object: &Object<'_>) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (at, leaf) in object {
        let item = at.split_once("initContainers[").and_then(|(_, rest)| rest.split_once(']'));
        let Some((item, rest)) = item else { continue };
        let name = item.strip_prefix("name=").unwrap_or(item);
        found.entry(name.to_owned()).or_default().push((rest.to_owned(), leaf.value.clone()));
    }
    found
}

/// The kinds that describe a schema, with how their `apiVersion` begins. Sources: <https://kubernetes.io/docs/tasks/extend-kubernetes/>,
/// <https://atlasgo.io/integrations/kubernetes/operator>, <https://schemahero.io/docs/>.
const RESOURCES: [(&str, &str); 8] = [
    ("CustomResourceDefinition", "apiextensions.k8s.io/"),
    ("AtlasSchema", "db.atlasgo.io/"),
    ("AtlasMigration", "db.atlasgo.io/"),
    ("Table", "schemas.schemahero.io/"),
    ("View", "schemas.schemahero.io/"),
    ("Function", "schemas.schemahero.io/"),
    ("DataType", "schemas.schemahero.io/"),
    ("Migration", "schemas.schemahero.io/"),
];

/// A resource that describes a schema.
fn resource(
    whole: &Object<'_>,
    before: &Object<'_>,
    after: &Object<'_>,
    place: &str,
) -> Option<SchemaChange> {
    let (kind, version) = (text_at(whole, "kind"), text_at(whole, "apiVersion"));
    let is_known = RESOURCES.iter().any(|(known, group)| *known == kind && version.starts_with(group));
    // `FlywayMigration`, `LiquibaseChangelog`: operators of one's own.
    let words = |kind: &str| {
        let spaced = |c: char| if c.is_ascii_uppercase() { format!(" {c}") } else { c.to_string() };
        kind.chars().map(spaced).collect::<String>()
    };
    let is_own = version.contains('.') && version.contains('/') && speaks_of_migrations(&words(kind));
    let said = |object: &Object<'_>| -> Vec<(String, String)> {
        let is_of_it = |at: &str| !at.starts_with("metadata.") && !at.starts_with("status.");
        let leaves = object.iter().filter(|(at, _)| is_of_it(at));
        leaves.map(|(at, leaf)| ((*at).to_owned(), leaf.value.clone())).collect()
    };
    let has_changed = (is_known || is_own) && said(before) != said(after);
    has_changed.then(|| SchemaChange::unknown(SchemaDetector::Resources, format!("it changed {place}")))
}

/// The SQL in a ConfigMap or a Secret, by the names of the files in it.
fn config_map(whole: &Object<'_>, before: &Object<'_>, after: &Object<'_>, place: &str) -> Vec<SchemaChange> {
    if !matches!(text_at(whole, "kind"), "ConfigMap" | "Secret") {
        return Vec::new();
    }
    let (old, new) = (sql_files(before), sql_files(after));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let change = |name: &String| {
        let what = |more: &str| format!("it changed {name} of {place}{more}");
        let text = new.get(name).filter(|_| !old.contains_key(name));
        let found = text.map(|text| sql::classify(text)).unwrap_or_default();
        let worst = found.into_iter().find(|one| one.effect == Effect::Contract);
        match worst {
            // What runs it, and when, nobody knows.
            None => SchemaChange::unknown(SchemaDetector::ConfigMaps, what("")),
            Some(worst) => SchemaChange {
                effect: worst.effect,
                detector: SchemaDetector::ConfigMaps,
                what: what(&format!(", {}, line {}: {}", worst.effect, worst.line, worst.why)),
            },
        }
    };
    changed.map(change).collect()
}

/// The files of SQL, and the changelogs, in the data of an object, with their texts.
fn sql_files(object: &Object<'_>) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (at, leaf) in object {
        let rest = ["data", "stringData", "binaryData"].iter().find_map(|data| at.strip_prefix(data));
        let Some(rest) = rest else { continue };
        let name = match rest.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => rest.strip_prefix('.').and_then(|rest| rest.split([' ', '.', '[']).next()),
        };
        let name = name.unwrap_or("");
        if name.ends_with(".sql") || name.to_ascii_lowercase().contains("changelog") {
            let text = found.entry(name.to_owned()).or_default();
            text.push_str(&leaf.value);
            text.push('\n');
        }
    }
    found
}

/// What is seen of a template, which cannot be parsed: that a hook, or what describes a schema, may be another one.
fn template(path: &str, before: &str, after: &str) -> Option<SchemaChange> {
    const HOOKS: [&str; 4] = ["pre-upgrade", "pre-install", "PreSync", "\"Sync\""];
    let has =
        |marks: &[&str]| [before, after].iter().any(|text| marks.iter().any(|mark| text.contains(mark)));
    let is_hook = has(&["helm.sh/hook", "argocd.argoproj.io/hook"]) && has(&HOOKS);
    let (detector, what) = if is_hook {
        (SchemaDetector::Jobs, "with a hook in it")
    } else if has(&["kind: CustomResourceDefinition"]) {
        (SchemaDetector::Resources, "with a CustomResourceDefinition in it")
    } else {
        return None;
    };
    Some(SchemaChange::unknown(detector, format!("it changed {path}, {what}, which cannot be parsed")))
}

#[cfg(test)]
mod tests;
