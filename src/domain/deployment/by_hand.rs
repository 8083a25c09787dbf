//! What a commit changed in the files of a service that no release field shows, and that a person has to put back: what a file is, and
//! texts that cannot be read.

use super::field_change::FieldChange;
use crate::domain::field::{Document, FieldRule};
use crate::domain::history::moves::is_next_version;
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

/// What became of a file that could be read before and cannot be read after: as YAML or JSON, or because a conflict of a merge was
/// committed with it. `form` says whether it was read as YAML before and after.
pub(super) fn broken(file: &FileDiff, form: Option<(bool, bool)>) -> Option<FieldChange> {
    let new = file.new.as_ref()?;
    let has_conflict = has_new_conflict(file);
    let is_yaml = [".yaml", ".yml", ".json"].iter().any(|end| file.path.as_str().ends_with(end));
    // Who makes a template of a file does not break it.
    let is_no_template = |text: &str| !["{{", "{%", "<%", "%{"].iter().any(|mark| text.contains(mark));
    let is_broken = form == Some((true, false)) && is_yaml && new.text().is_some_and(is_no_template);
    (has_conflict || is_broken).then(|| FieldChange {
        path: file.path.clone(),
        address: "its text".to_owned(),
        rule: FieldRule::ByHand,
        old: "readable".to_owned(),
        new: if has_conflict { CONFLICT } else { "not readable" }.to_owned(),
        addressed: true,
        engine: false,
    })
}

/// What people read where a conflict was committed.
const CONFLICT: &str = "with a merge conflict in it";

/// What stands before the first side of a conflict.
const CONFLICT_BEGIN: &[u8] = b"<<<<<<< ";

/// Whether a conflict was committed that was not there before.
pub(super) fn has_new_conflict(file: &FileDiff) -> bool {
    let has_begin = |version: &FileVersion| {
        version.bytes.as_deref().is_some_and(|bytes| memchr::memmem::find(bytes, CONFLICT_BEGIN).is_some())
    };
    if !file.new.as_ref().is_some_and(has_begin) {
        return false;
    }
    let [old, new] = [&file.old, &file.new].map(|version| version.as_ref().and_then(FileVersion::text));
    old.zip(new).is_some_and(|(old, new)| has_conflict(new) && !has_conflict(old))
}

/// Whether a text has the marks that Git writes around a conflict. Source:
/// <https://git-scm.com/docs/git-merge#_how_conflicts_are_presented>.
fn has_conflict(text: &str) -> bool {
    let mut lines = text.lines();
    lines.any(|line| line.as_bytes().starts_with(CONFLICT_BEGIN))
        && lines.any(|line| line == "=======")
        && lines.any(|line| line.starts_with(">>>>>>> "))
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

/// How a file is called among what else changed, where the commit gave it another name. One that has a version in its name goes back
/// with the version.
pub(super) fn name_of(file: &FileDiff) -> Option<String> {
    let was = file.was.as_ref()?;
    (!is_next_version(was, &file.path)).then(|| format!("{}: its name, which was {was}", file.path))
}
