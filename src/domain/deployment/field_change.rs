//! A release field that a commit changed.

use crate::domain::field::FieldRule;
use crate::domain::ids::FilePath;

/// A release field with its value before and after, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The file.
    pub path: FilePath,
    /// Where it is in the file.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// Its source text before.
    pub old: String,
    /// Its source text after.
    pub new: String,
    /// Whether the address finds it again in any version of the file.
    pub addressed: bool,
    /// Whether it is the version of a database or of the cluster itself, which cannot simply go back.
    pub engine: bool,
}

impl FieldChange {
    /// Whether it tells one version from another. What only goes along does not: a repository, a label, a checksum.
    #[must_use]
    pub fn is_version(&self) -> bool {
        !matches!(self.rule, FieldRule::Coupled | FieldRule::Configured | FieldRule::ByHand)
            && !self.new.is_empty()
    }
}
