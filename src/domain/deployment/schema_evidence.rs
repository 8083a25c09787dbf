//! What says that a deployment changed a database schema, or the version of what keeps data.

use super::compared::{Changes, Documents};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::{SchemaDetector, SchemaRules};
use crate::domain::field;
use crate::domain::history::snapshot::{Commit, FileDiff, FileVersion};
use crate::domain::history::trailers::trailer_lines;
use crate::domain::ids::ServiceName;
use crate::domain::schema::Migration;
use crate::domain::schema::change::SchemaChange;
use crate::domain::schema::files::is_migration;
use crate::domain::schema::manifests;

/// Whether the value of a flag says yes: anything but `false`, `no`, `none` and `0`.
fn says_yes(value: &str) -> bool {
    !["false", "no", "none", "0"].contains(&value.to_ascii_lowercase().as_str())
}

/// All that says so, the worst first. `files` are those of the service with `changes` in them, `migrations` those of the whole commit.
pub(super) fn schema_changes(
    commit: &Commit,
    (files, changes, migrations): (&[FileDiff], &Changes, &[Migration]),
    rules: &SchemaRules,
    documents: &Documents,
) -> Vec<SchemaChange> {
    let of = |detector| move |what: String| SchemaChange::unknown(detector, what);
    let mut found: Vec<SchemaChange> = Vec::new();
    found.extend(by_trailer(commit, &rules.trailers).map(of(SchemaDetector::Trailers)));
    let labels = files.iter().filter_map(|file| schema_label(file, &rules.labels));
    found.extend(labels.map(of(SchemaDetector::Labels)));
    found.extend(migrations.iter().filter_map(Migration::change));
    found.extend(files.iter().flat_map(|file| in_manifest(file, documents)));
    let migrated = |place: &String| format!("it says what the schema is to be migrated to, {place}");
    found.extend(changes.migrates.iter().map(migrated).map(of(SchemaDetector::Values)));
    let engines = changes.fields.iter().filter(|field| field.engine).map(|field| field.address.clone());
    found.extend(engines.map(of(SchemaDetector::Engines)));
    found.retain(|one| rules.detectors.contains(&one.detector));
    // What nobody can tell is worse than what expands; of two alike the detectors' order counts.
    found.sort_by(|a, b| b.effect.cmp(&a.effect).then(a.detector.cmp(&b.detector)));
    found.truncate(MAX_CHANGES);
    found
}

/// How many changes of a schema are kept of a deployment: of more nobody reads.
const MAX_CHANGES: usize = 50;

fn by_trailer(commit: &Commit, names: &[String]) -> Option<String> {
    let messages = std::iter::once(&commit.message).chain(&commit.merged);
    // Anywhere in the message: squashing forges put lines of their own behind the trailers.
    let set = |name: &str, message: &&String| {
        trailer_lines(message).any(|(key, value)| key.eq_ignore_ascii_case(name) && says_yes(value))
    };
    let name = names.iter().find(|name| messages.clone().any(|message| set(name, &message)))?;
    Some(format!("commit trailer {name}"))
}

fn in_manifest(file: &FileDiff, documents: &Documents) -> Vec<SchemaChange> {
    let mut versions = [&file.new, &file.old].into_iter().flatten();
    if !versions.any(|version| documents.may_show_schema(version)) {
        return Vec::new();
    }
    let [old, new] = [&file.old, &file.new].map(|version| version.as_ref().and_then(FileVersion::text));
    manifests::changes(file.path.as_str(), old.unwrap_or_default(), new.unwrap_or_default())
}

/// The most bytes of SQL of a commit that are read: more than people write at once. What is behind them may mean anything.
const MAX_SQL_BYTES: usize = 1 << 20;

/// The files of a commit that hold migrations by the configured paths. They may be another service's: whose database it is cannot be told.
pub(super) fn migrations_by_path(commit: &Commit, rules: &SchemaRules) -> Vec<Migration> {
    read(commit.files.iter().filter(|file| rules.paths.matches(file.path.as_str())))
}

/// The files of a service that hold migrations by their names, and are none by the configured paths.
pub(super) fn migrations_by_name(files: &[FileDiff], rules: &SchemaRules) -> Vec<Migration> {
    let is_one = |path: &str| is_migration(path) && !rules.paths.matches(path);
    read(files.iter().filter(|file| is_one(file.path.as_str())))
}

/// The changes of a schema that a commit brought for a service without deploying it: migrations in its files, and such as are of no service
/// by their paths, whose database may be any.
pub(super) fn beside(commit: &Commit, environment: &Environment, service: &ServiceName) -> Vec<SchemaChange> {
    let mut is_its = false;
    let mut files = Vec::new();
    for file in &commit.files {
        let path = file.path.as_str();
        let is_named = |rules: &SchemaRules| {
            rules.detectors.contains(&SchemaDetector::Files) && rules.paths.matches(path)
        };
        let is_migration = match environment.rule_of(path) {
            None => environment.services.iter().any(|rule| is_named(&rule.policy.schema)),
            Some(found) => {
                let rules = &found.rule.policy.schema;
                let is_own = found.service(&[]).is_some_and(|found| found.name == *service);
                is_its |= is_own;
                let by_name = rules.detectors.contains(&SchemaDetector::Files) && is_migration(path);
                is_own && (by_name || is_named(rules))
            }
        };
        if is_migration {
            files.push(file);
        }
    }
    let rules = environment.services.iter().map(|rule| &rule.policy.schema);
    let mut trailers = rules.filter(|rules| rules.detectors.contains(&SchemaDetector::Trailers));
    let trailer = trailers.find_map(|rules| by_trailer(commit, &rules.trailers)).filter(|_| is_its);
    let trailer = trailer.map(|what| SchemaChange::unknown(SchemaDetector::Trailers, what));
    read(files.into_iter()).iter().filter_map(Migration::change).chain(trailer).take(MAX_CHANGES).collect()
}

fn read<'f>(files: impl Iterator<Item = &'f FileDiff>) -> Vec<Migration> {
    let mut left = MAX_SQL_BYTES;
    let migration = |file: &FileDiff| {
        let bytes = file.new.as_ref().and_then(|new| new.bytes.as_ref()).map_or(0, |bytes| bytes.len());
        let is_within = bytes <= left;
        left = left.saturating_sub(bytes);
        if is_within { Migration::of(file) } else { Migration { path: file.path.clone(), worst: None } }
    };
    files.map(migration).collect()
}

/// The label of a schema change in a manifest. In a file that is no YAML, a template say, any line with the label counts
/// that does not say no.
fn schema_label(file: &FileDiff, labels: &[String]) -> Option<String> {
    let text = file.new.as_ref()?.text()?;
    let found = |label: &&String| {
        text.contains(label.as_str())
            && match field::leaves::yaml::leaves(text) {
                Some(leaves) => leaves.iter().any(|leaf| leaf.key == **label && says_yes(&leaf.value)),
                None => text
                    .lines()
                    .filter_map(|line| line.split_once(label.as_str()))
                    .any(|(_, value)| says_yes(value.trim_matches(|c: char| !c.is_alphanumeric()))),
            }
    };
    labels.iter().find(found).map(|label| format!("{label} in {}", file.path))
}
