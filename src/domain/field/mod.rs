//! Finding, comparing and splicing the bytes of fields.
//!
//! [`compare`] says which values a commit changed in a file and which of them are release fields; [`revert`] puts exactly
//! those back in a later version of the file, where they still hold the bad value. Nothing is ever written out from a
//! parsed form: the old source text is spliced in, and every other byte stays.

mod compare;
mod couple;
mod identity;
pub mod leaf;
mod lines;
mod locate;
mod outline;
mod restore;
pub mod rules;
pub mod selection;
pub mod tokens;
mod words;
pub mod yaml;

use std::ops::Range;
use std::sync::Arc;

pub use leaf::Document;
pub use rules::FieldRule;
pub use selection::Selection;

/// What is known of a file besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Where it is in the repository. The key of a file that is nothing but a version.
    pub path: &'a str,
    /// What the configuration says of its fields.
    pub fields: &'a Selection,
}

/// A value that a commit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalarChange {
    /// Where it is, for people and for finding it again.
    pub address: String,
    /// The rule that makes it a release field, if one does.
    pub rule: Option<FieldRule>,
    /// Its bytes in the file before.
    pub old: Range<usize>,
    /// Its bytes in the file after.
    pub new: Range<usize>,
    /// Its source text before, quotes included.
    pub old_text: String,
    /// Its source text after, quotes included.
    pub new_text: String,
    /// Its value before, without quotes.
    pub old_value: String,
    /// Its value after, without quotes.
    pub new_value: String,
    /// Whether the address finds it again in any version of the file. A mere place in a list, or a line that stands twice
    /// in its block, does not: those are followed from version to version.
    pub addressed: bool,
    key: String,
    /// The block that it is in.
    block: String,
    /// The name beside it, or the block that it is in.
    named: String,
    /// Where the field was whose place it took, where it is another than before: then key and value are the change.
    was: Option<String>,
    /// The leaf of the file after that holds it.
    leaf: usize,
}

impl ScalarChange {
    /// The key that it stands under, as far as there is one.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// A release field that came or went beside one that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Where it is.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// Its source text.
    pub text: String,
    /// Whether it came.
    pub added: bool,
    /// Its bytes in the file after, if it came, or before, if it went.
    span: Range<usize>,
}

/// What a commit changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The values that differ, in the order of the file after.
    pub changes: Vec<ScalarChange>,
    /// Release fields that came or went beside one that changed.
    pub companions: Vec<Companion>,
    /// Anything else that came or went: its address, its bytes, and whether it came.
    others: Vec<(String, Range<usize>, bool)>,
    /// The stretches of lines that differ, before and after.
    hunks: Vec<(Range<usize>, Range<usize>)>,
    /// Whether lines went from one of these stretches to another.
    moved: bool,
}

impl Comparison {
    /// The changed release fields.
    pub fn release_fields(&self) -> impl Iterator<Item = &ScalarChange> {
        self.changes.iter().filter(|change| change.rule.is_some())
    }

    /// The addresses of what else changed.
    pub fn left_behind(&self) -> impl Iterator<Item = &str> {
        let values =
            self.changes.iter().filter(|change| change.rule.is_none()).map(|change| change.address.as_str());
        values.chain(self.others.iter().map(|(address, ..)| address.as_str()))
    }
}

/// Compares two versions of a file: as YAML where both are, and line by line otherwise.
#[must_use]
pub fn compare(file: &File<'_>, before: &Document, after: &Document) -> Comparison {
    if before.bytes() == after.bytes() {
        return Comparison::default();
    }
    let [before, after] = leaf::read([before, after]);
    compare::compare(file, &before, &after)
}

/// What became of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldOutcome {
    /// It held the bad value and holds the old one now.
    Restored,
    /// It held the old value already.
    AlreadyBack,
    /// It holds a third value; left alone.
    Superseded(String),
    /// It is not in the file any more; left alone.
    Gone,
}

/// One field of a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldResult {
    /// Where it is.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// Its source text before the bad commit; empty where the commit added it.
    pub old_text: String,
    /// Its source text after the bad commit; empty where the commit removed it.
    pub new_text: String,
    /// What became of it.
    pub outcome: FieldOutcome,
}

impl FieldResult {
    /// Whether it tells one version from another. What only goes along does not: a repository, a label, a checksum.
    #[must_use]
    pub fn is_version(&self) -> bool {
        !matches!(self.rule, FieldRule::Coupled | FieldRule::Configured) && !self.new_text.is_empty()
    }
}

/// A file with the bad fields put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverted {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Every release field that the bad commit changed in it.
    pub fields: Vec<FieldResult>,
    /// The addresses of what else the bad commit changed here, and what stays as it is.
    pub left_behind: Vec<String>,
}

/// Whether some fields would go back while others of the same deployment have moved on, or were put back by somebody
/// already: then others than the agent are at work on it. What only went along with a version may have moved on.
pub fn is_half<'f>(fields: impl IntoIterator<Item = &'f FieldResult>) -> bool {
    let restored = |field: &FieldResult| field.outcome == FieldOutcome::Restored;
    let (back, left): (Vec<&FieldResult>, Vec<&FieldResult>) =
        fields.into_iter().partition(|field| restored(field));
    !back.is_empty() && left.iter().any(|field| field.rule != FieldRule::Coupled)
}

/// Why a file is not reverted by machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// The bad commit changed no release field in it.
    #[error("the commit changed no release field in it")]
    NoReleaseField,
    /// The bad commit added or removed a release field besides, and it is not clear where that stands now.
    #[error(
        "the commit also added or removed {0}, and the lines around it have changed since: put it back by hand"
    )]
    Companion(String),
    /// It cannot be told which of several places is meant.
    #[error("{0} cannot be told apart from others like it: put it back by hand")]
    Ambiguous(String),
    /// What the bad commit changed and what was changed since cannot be told apart.
    #[error("what the commit changed in it was changed again since, or cannot be read: put it back by hand")]
    Conflict,
    /// With the old text in place, the file would say something else than wanted.
    #[error("{0} does not come out right with the old text in its place: put it back by hand")]
    Unfaithful(String),
}

/// Puts the release fields that a bad commit changed (`parent` → `bad`) back in `current`, wherever they still hold the
/// bad value. Where nothing else has happened to the file, and the commit changed nothing else in it, that gives `parent`
/// byte for byte.
///
/// Whether a revert of which a part is left (see [`is_half`]) may be made is up to the caller.
///
/// # Errors
/// Says why it is not clear what to do; then nothing may be done.
pub fn revert(file: &File<'_>, parent: &[u8], bad: &[u8], current: &[u8]) -> Result<Reverted, Refusal> {
    let read = |bytes: &[u8]| Document::new(Arc::from(bytes)).ok_or(Refusal::NotText);
    let (parent, bad) = (read(parent)?, read(bad)?);
    let current = if **bad.bytes() == *current { None } else { Some(read(current)?) };
    restore::revert(file, &parent, &bad, current.as_ref().unwrap_or(&bad))
}

#[cfg(test)]
mod tests;
