//! Why the release fields of a deployment go back only with all else that it changed: half of it would be a state that nobody tried, or
//! one that cannot work.

use super::compared::{Changes, FieldChange};
use crate::domain::field::stamp::{Stamp, signed_by};
use crate::domain::field::tokens::version_of;
use crate::domain::history::snapshot::{FileDiff, FileVersion};

/// The shortest version that is looked for in paths, in bytes.
const MIN_VERSION: usize = 3;

/// Why a deployment is one piece, if it is. `changes` are those in its files.
pub(super) fn bound(files: &[FileDiff], changes: &Changes) -> Option<String> {
    let switch = changes.switches.first();
    let by_switch = || switch.map(|address| format!("it switched {address}, too"));
    by_switch()
        .or_else(|| files.iter().find_map(|file| by_stamp(files, file)))
        .or_else(|| files.iter().find_map(|file| by_name(file, &changes.fields)))
        .or_else(|| files.iter().find_map(by_archive))
        .or_else(|| changes.form.clone())
}

fn text(version: Option<&FileVersion>) -> Option<&str> {
    std::str::from_utf8(version?.bytes.as_deref()?).ok()
}

/// What covers a text, or signs it, says that it is whole.
fn by_stamp(files: &[FileDiff], file: &FileDiff) -> Option<String> {
    if let Some(stamp) = text(file.new.as_ref()).and_then(Stamp::of) {
        return Some(format!("of {}: {}", file.path, stamp.words()));
    }
    let signed = signed_by(file.path.as_str())?;
    files
        .iter()
        .any(|other| other.path.as_str() == signed)
        .then(|| format!("{} belongs to {signed}", file.path))
}

/// A value names a file that came, went or was moved.
fn by_name(file: &FileDiff, fields: &[FieldChange]) -> Option<String> {
    let gone = file.was.as_ref().or(file.new.is_none().then_some(&file.path));
    let came = file.was.is_some() || file.old.is_none();
    if gone.is_none() && !came {
        return None;
    }
    let names = |path: &str, value: &str| {
        let value = value.trim_matches(['"', '\'']);
        let version = version_of(value);
        let is_in_path = version.len() >= MIN_VERSION
            && version.contains(|c: char| c.is_ascii_digit())
            && path.contains(version);
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_path = value.len() >= MIN_VERSION
            && (value.ends_with(name) || path.contains(value.trim_start_matches("./")));
        is_in_path || is_path
    };
    let named = fields.iter().find(|field| {
        let old = gone.is_some_and(|path| !field.old.is_empty() && names(path.as_str(), &field.old));
        old || came && !field.new.is_empty() && names(file.path.as_str(), &field.new)
    })?;
    Some(format!(
        "{} names {}, which came, went or was moved with it",
        named.address,
        gone.unwrap_or(&file.path)
    ))
}

/// How the names of archives end.
const ARCHIVES: [&str; 12] =
    [".tgz", ".tar", ".gz", ".zip", ".jar", ".war", ".whl", ".xz", ".bz2", ".zst", ".wasm", ".bin"];

fn by_archive(file: &FileDiff) -> Option<String> {
    let is_archive = ARCHIVES.iter().any(|end| file.path.as_str().ends_with(end));
    is_archive.then(|| format!("it changed the archive {}, too", file.path))
}
