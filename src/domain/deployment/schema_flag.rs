//! What says that a deployment changed a database schema, or the version of what keeps data.

use super::compared::Changes;
use crate::domain::environment::policy::SchemaRules;
use crate::domain::field;
use crate::domain::history::snapshot::{Commit, FileDiff};
use crate::domain::history::trailers::trailer_lines;
use crate::domain::schema::Migration;

/// Whether the value of a flag says yes: anything but `false`, `no`, `none` and `0`.
fn says_yes(value: &str) -> bool {
    !["false", "no", "none", "0"].contains(&value.to_ascii_lowercase().as_str())
}

/// What says that a commit changed a schema. `files` are those of the service, `migrations` those of the whole commit.
pub(super) fn schema_flag(
    commit: &Commit,
    (files, migrations): (&[FileDiff], &[Migration]),
    rules: &SchemaRules,
) -> Option<String> {
    let messages = std::iter::once(&commit.message).chain(&commit.merged);
    for name in &rules.trailers {
        // Anywhere in the message: squashing forges put lines of their own behind the trailers.
        let set = |message: &&String| {
            trailer_lines(message).any(|(key, value)| key.eq_ignore_ascii_case(name) && says_yes(value))
        };
        if messages.clone().any(|message| set(&message)) {
            return Some(format!("commit trailer {name}"));
        }
    }
    if let Some(first) = migrations.iter().max_by_key(|one| (one.effect(), std::cmp::Reverse(&one.path))) {
        let path = &first.path;
        return Some(match &first.worst {
            Some(worst) => format!("it touches {path}, {}, line {}: {}", worst.effect, worst.line, worst.why),
            None => format!("it touches {path}"),
        });
    }
    files.iter().find_map(|file| schema_label(file, &rules.labels))
}

/// The most bytes of SQL of a commit that are read: more than people write at once. What is behind them may mean anything.
const MAX_SQL_BYTES: usize = 1 << 20;

/// The files of a commit that hold migrations. They may be another service's: whose database it is cannot be told.
pub(super) fn migrations(commit: &Commit, rules: &SchemaRules) -> Vec<Migration> {
    let files = commit.files.iter().filter(|file| rules.paths.matches(file.path.as_str()));
    let mut left = MAX_SQL_BYTES;
    let migration = |file: &FileDiff| {
        let bytes = file.new.as_ref().and_then(|new| new.bytes.as_ref()).map_or(0, |bytes| bytes.len());
        let is_within = bytes <= left;
        left = left.saturating_sub(bytes);
        if is_within { Migration::of(file) } else { Migration { path: file.path.clone(), worst: None } }
    };
    files.map(migration).collect()
}

/// How the flag of a deployment begins that changed the version of what keeps data or of a cluster.
pub(super) const ENGINE: &str = "it changed the version of ";

/// Going back to an older version of a database or of the cluster is no smaller thing than going back in a schema.
pub(super) fn engine_flag(changes: &Changes) -> Option<String> {
    if let Some(place) = &changes.migrates {
        return Some(format!("it says what the schema is to be migrated to, {place}"));
    }
    let engine = changes.fields.iter().find(|field| field.engine)?;
    Some(format!("{ENGINE}{}", engine.address))
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
