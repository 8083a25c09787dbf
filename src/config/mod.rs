//! From `backout.yaml` to the types of the domain.
//!
//! The text goes through four steps, each of which collects every mistake it finds: `tree` reads the YAML and
//! remembers where everything stands (`merge` makes one tree of several files), `check` holds it against the JSON
//! schema of `types`, `forms` and `references` look for names that are missing and names that nobody defines, and
//! `resolve` turns it into the domain's types and checks what no schema can say.

mod access_types;
mod address;
mod artifact_types;
mod check;
mod connections;
mod context;
mod estates;
mod forge;
mod forms;
mod freeze;
mod groups;
mod lease;
mod merge;
mod pins;
mod references;
mod registries;
mod report;
mod resolve;
mod rule_types;
mod rules;
mod secrets;
mod server;
mod services;
mod settings;
mod tree;
mod types;
mod values;
mod written;

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use sha2::{Digest as _, Sha256};

use self::context::Context;
use self::report::{Findings, Place, SourceFile};

pub use report::{ConfigError, ConfigErrors};
pub use settings::{EstateSettings, Settings};
pub use written::Written;

/// The seconds of a duration as it is written here: `60s`, `1h30m`.
pub(crate) fn duration_secs(text: &str) -> Option<u32> {
    values::Duration::parse(text).map(|duration| duration.0)
}

/// A number, or a share in percent: `5%` is 0.05.
pub(crate) fn ratio(text: &str) -> Option<f64> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.or_else(|| values::Ratio::parse(text).map(|ratio| ratio.0))
}

/// The largest configuration file.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads the configuration from one or more files.
///
/// Maps are merged and lists of services joined; a name that two files define is an error. Secrets are read through
/// `environment_variables` and from the files that the configuration names. Relative paths start at the directory of
/// the file in which they stand.
///
/// # Errors
/// Every mistake that was found, each with its place.
pub fn load(
    paths: &[PathBuf],
    environment_variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigErrors> {
    let mut findings = Findings::default();
    let mut files = Vec::new();
    if paths.is_empty() {
        findings.add(Place::default(), "no configuration file is named");
    }
    for (file, path) in paths.iter().enumerate() {
        let text = read(path).unwrap_or_else(|reason| {
            findings
                .add(Place { file, start: 0, end: 0 }, format!("cannot read the configuration: {reason}"));
            String::new()
        });
        files.push(SourceFile { path: path.clone(), text });
    }
    if !findings.is_empty() {
        return Err(findings.into_errors(&files));
    }
    parse(&files, environment_variables)
}

/// The same from texts that have been read.
fn parse(
    files: &[SourceFile],
    environment_variables: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, ConfigErrors> {
    let mut findings = Findings::default();
    let trees: Vec<Option<tree::Node>> =
        files.iter().enumerate().map(|(index, file)| tree::parse(&file.text, index, &mut findings)).collect();
    // A file that is no YAML hides names from the others.
    let Some(roots) = trees.into_iter().collect::<Option<Vec<_>>>() else {
        return Err(findings.into_errors(files));
    };
    let Some(root) = merge::merge(roots, files, &mut findings) else {
        return Err(findings.into_errors(files));
    };
    check::check(&root, &schema(), &mut findings);
    forms::check(&root, &mut findings);
    references::check(&root, &mut findings);
    // The rules are held against what is well formed, so that one mistake does not hide the others.
    let complete = findings.is_empty();
    let sound = if complete { root } else { sound_part(&root, &findings) };
    let config = match types::Config::deserialize(sound.to_json()) {
        Ok(config) => config,
        Err(error) => {
            if complete {
                findings.add(sound.place, format!("cannot be understood: {error}"));
            }
            return Err(findings.into_errors(files));
        }
    };
    let named = RefCell::default();
    let mut context = Context { root: &sound, files, environment_variables, findings, complete, named };
    let settings = context.settings(&config, digest(files));
    if context.findings.is_empty() { Ok(settings) } else { Err(context.findings.into_errors(files)) }
}

/// The tree without the sections, definitions and services in which something has been found.
fn sound_part(root: &tree::Node, findings: &Findings) -> tree::Node {
    let sound = |from: Place, to: Place| !findings.within(Place { end: to.end, ..from });
    let entry = |entry: &tree::Entry| sound(entry.key_place, entry.node.place);
    let mut root = root.clone();
    let tree::Value::Map(sections) = &mut root.value else { return root };
    for section in sections.iter_mut().filter(|section| !merge::SINGLE.contains(&section.key.as_str())) {
        match &mut section.node.value {
            tree::Value::Map(entries) => entries.retain(entry),
            tree::Value::List(items) => items.retain(|item| sound(item.place, item.place)),
            tree::Value::Null | tree::Value::Bool(_) | tree::Value::Number(_) | tree::Value::Text(_) => {}
        }
    }
    sections.retain(|section| match section.node.value {
        tree::Value::Map(_) if merge::SINGLE.contains(&section.key.as_str()) => entry(section),
        tree::Value::Map(_) | tree::Value::List(_) => !findings.within(section.key_place),
        tree::Value::Null | tree::Value::Bool(_) | tree::Value::Number(_) | tree::Value::Text(_) => {
            entry(section)
        }
    });
    root
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("larger than {} KiB", MAX_FILE_BYTES / 1024));
    }
    String::from_utf8(bytes).map_err(|_utf8| "not UTF-8 text".to_owned())
}

fn digest(files: &[SourceFile]) -> String {
    let mut hasher = Sha256::new();
    for file in files {
        hasher.update(file.text.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The JSON schema (draft 2020-12) of a configuration file, for editors.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(types::Config).to_value()
}

#[cfg(test)]
mod tests;
