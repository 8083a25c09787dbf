//! What a commit changed in the files of a service that no release field shows, and that a person has to put back: what a file is, and
//! texts that cannot be read.

use super::field_change::FieldChange;
use crate::domain::field::{Document, FieldRule};
use crate::domain::history::snapshot::{FileDiff, FileKind, FileVersion};

/// How the names of files end that are read as texts.
const TEXTS: [&str; 12] = [
    ".yaml",
    ".yml",
    ".json",
    ".env",
    ".toml",
    ".properties",
    ".tf",
    ".tfvars",
    ".conf",
    ".ini",
    ".cfg",
    ".hcl",
];

/// What of a file is for a person to put back.
pub(super) fn of_file(file: &FileDiff) -> Option<FieldChange> {
    let change = |address: &str, old: String, new: String| FieldChange {
        path: file.path.clone(),
        address: address.to_owned(),
        rule: FieldRule::ByHand,
        old,
        new,
        addressed: true,
        engine: false,
    };
    if let Some((old, new)) = &file.turned {
        return Some(change("what it is", old.to_string(), new.to_string()));
    }
    let of = |version: &Option<FileVersion>| {
        let bytes = version.as_ref().and_then(|version| version.bytes.as_deref());
        bytes.is_some_and(|bytes| !Document::is_text(bytes))
    };
    let blob = |version: &Option<FileVersion>| {
        version
            .as_ref()
            .map_or_else(String::new, |version| version.blob.to_string().chars().take(10).collect())
    };
    let is_named_text = TEXTS.iter().any(|end| file.path.as_str().ends_with(end));
    (is_named_text && (of(&file.old) || of(&file.new))).then(|| {
        change("its text, which is neither UTF-8 nor UTF-16 with its mark,", blob(&file.old), blob(&file.new))
    })
}

/// Whether a file does not come back by its bytes: a link or a submodule, or an executable that went.
pub(super) fn is_more_than_bytes(file: &FileDiff) -> bool {
    file.turned.is_some() && mode_of(file).is_none()
}

/// How a file is called among what stays as it is, where it became executable or is no longer.
pub(super) fn mode_of(file: &FileDiff) -> Option<String> {
    let (old, new) = file.turned.as_ref()?;
    let is_mode = matches!(
        (old, new),
        (FileKind::Plain | FileKind::Executable, FileKind::Plain | FileKind::Executable)
    );
    is_mode.then(|| format!("{}: {MODE}", file.path))
}

/// The address of the mode of a file, which stays as it is when the rest of a deployment goes back.
pub const MODE: &str = "its mode";
