//! Why the release fields of a deployment go back only with all else that it changed: half of it would be a state that nobody tried, or
//! one that cannot work.

use super::compared::Changes;
use super::field_change::FieldChange;
use crate::domain::field::stamp::{Stamp, signed_by};
use crate::domain::history::moves::is_next_version;
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::FilePath;

/// Why a deployment is one piece, if it is. `changes` are those in its files.
pub(super) fn bound(files: &[FileDiff], changes: &Changes) -> Option<String> {
    let switch = changes.switches.first();
    let by_switch = || switch.map(|address| format!("it switched {address}, too"));
    by_switch()
        .or_else(|| files.iter().find_map(|file| by_stamp(files, file)))
        .or_else(|| files.iter().find_map(|file| by_name(file, &changes.fields)))
        .or_else(|| files.iter().find_map(|file| by_archive(files, file)))
        .or_else(|| changes.form.clone())
        .or_else(|| changes.came_or_went.as_ref().map(|address| format!("{address} came or went with it")))
}

/// What covers a text, or signs it, says that it is whole.
fn by_stamp(files: &[FileDiff], file: &FileDiff) -> Option<String> {
    if let Some(stamp) = file.new.as_ref().and_then(FileVersion::text).and_then(Stamp::of) {
        return Some(format!("of {}: {}", file.path, stamp.words()));
    }
    let signed = signed_by(file.path.as_str())?;
    files
        .iter()
        .any(|other| other.path.as_str() == signed)
        .then(|| format!("{} belongs to {signed}", file.path))
}

/// A value names a file that came or went, or its directory. What was only moved goes back with its fields, or with the version in its
/// path.
fn by_name(file: &FileDiff, fields: &[FieldChange]) -> Option<String> {
    let has_fields = fields.iter().any(|field| field.path == file.path);
    let is_moved = |was: &FilePath| has_fields || is_next_version(was, &file.path);
    if file.was.as_ref().is_some_and(is_moved) {
        return None;
    }
    let gone = file.was.as_ref().or(file.new.is_none().then_some(&file.path));
    let came = (file.was.is_some() || file.old.is_none()).then_some(&file.path);
    let names = |path: Option<&FilePath>, value: &str| {
        let value = value.trim_matches(['"', '\'']).trim_start_matches("./").trim_end_matches('/');
        path.is_some_and(|path| !value.is_empty() && format!("/{path}/").contains(&format!("/{value}/")))
    };
    let named = fields.iter().find(|field| names(gone, &field.old) || names(came, &field.new))?;
    Some(format!("{} names {}, which came or went with it", named.address, gone.or(came)?))
}

/// How the names of archives end.
const ARCHIVES: [&str; 12] =
    [".tgz", ".tar", ".gz", ".zip", ".jar", ".war", ".whl", ".xz", ".bz2", ".zst", ".wasm", ".bin"];

/// An archive, or a file of a chart that was copied into another one whose version changed.
fn by_archive(files: &[FileDiff], file: &FileDiff) -> Option<String> {
    let path = file.path.as_str();
    if ARCHIVES.iter().any(|end| path.ends_with(end)) {
        return Some(format!("it changed the archive {path}, too"));
    }
    let chart = path.find("/charts/").map(|at| format!("{}/Chart.yaml", path.get(..at).unwrap_or("")))?;
    let is_copied = files.iter().any(|other| other.path.as_str() == chart);
    is_copied.then(|| format!("it changed the chart that {path} belongs to, too"))
}
