//! What goes into this module and what comes out of it: a file, what a commit changed in it, and what a revert makes of
//! that.

use std::collections::HashSet;
use std::ops::Range;

use super::rules::FieldRule;
use super::selection::Selection;

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
    /// Its source text before, quotes included. With the `&name` before it where only one of both versions has that name.
    pub old_text: String,
    /// Its source text after, likewise.
    pub new_text: String,
    /// Its value before, without quotes.
    pub old_value: String,
    /// Its value after, without quotes.
    pub new_value: String,
    /// Whether the address finds it again in any version of the file. A mere place in a list, or a line that stands twice
    /// in its block, does not: those are followed from version to version.
    pub addressed: bool,
    /// Whether it is the version of what keeps data, or of the whole platform: it cannot simply go back.
    pub engine: bool,
    /// What it is, where it changes what a service runs with and does not go back by machine.
    pub by_hand: Option<&'static str>,
    /// Whether it says which of several things is in use: it goes back with the versions beside it, or they do not either.
    pub switch: bool,
    pub(super) key: String,
    /// The block that it is in.
    pub(super) block: String,
    /// The name beside it, or the block that it is in.
    pub(super) named: String,
    /// Where the field was whose place it took, where it is another than before: then key and value are the change.
    pub(super) was: Option<String>,
    /// The leaf of the file after that holds it.
    pub(super) leaf: usize,
}

impl ScalarChange {
    /// What people and trailers call it before: its source text, and of what an alias stands for the value.
    #[must_use]
    pub fn old_shown(&self) -> &str {
        shown(&self.old_text, &self.old_value)
    }

    /// The same after.
    #[must_use]
    pub fn new_shown(&self) -> &str {
        shown(&self.new_text, &self.new_value)
    }

    /// The key that it stands under, as far as there is one.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// No scalar of YAML begins so, unless in quotes.
fn shown<'t>(text: &'t str, value: &'t str) -> &'t str {
    if text.starts_with(['*', '&']) && text != value { value } else { text }
}

/// What a field that came or went is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartOf {
    /// It belongs to a field beside it that changed.
    Beside,
    /// It is a deployment by itself.
    Alone {
        /// Whether it is the version of what keeps data, or of the whole platform.
        engine: bool,
    },
}

/// A release field that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    /// Where it is.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// The key that it stands under.
    pub key: String,
    /// Its source text.
    pub text: String,
    /// Its value: of a line the last word.
    pub value: String,
    /// Whether it came.
    pub added: bool,
    /// What it is a part of.
    pub part: PartOf,
    /// Whether the address finds it again in any version of the file.
    pub addressed: bool,
    /// The value that a merge (`<<: *name`) puts there in the other version, where one does.
    pub beneath: Option<String>,
    /// Its bytes in the file after, if it came, or before, if it went.
    pub(super) span: Range<usize>,
}

impl Companion {
    /// Whether it is a deployment by itself.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        matches!(self.part, PartOf::Alone { .. })
    }

    /// What people and trailers call it before and after: empty where it is not there.
    #[must_use]
    pub fn shown(&self) -> (String, String) {
        let beneath = self.beneath.clone().unwrap_or_default();
        // Its source text with its quotes, unless that is an alias or a whole line.
        let is_value = self.text.trim_matches(['"', '\'']) == self.value;
        let own = if is_value { &self.text } else { &self.value };
        if self.added { (beneath, own.clone()) } else { (own.clone(), beneath) }
    }
}

/// What a commit changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The values that differ, in the order of the file after. Where parts of a large file were compared, the bytes are those of the parts.
    pub changes: Vec<ScalarChange>,
    /// Release fields that came or went.
    pub companions: Vec<Companion>,
    /// Where it says that a schema is to be migrated, or to which state.
    pub migrates: Option<String>,
    /// Whether the whole file was read as YAML before and after, where that was tried.
    pub form: Option<(bool, bool)>,
    /// Anything else that came or went: its address, its bytes, and whether it came.
    pub(super) others: Vec<(String, Range<usize>, bool)>,
    /// The stretches of lines that differ, before and after.
    pub(super) hunks: Vec<(Range<usize>, Range<usize>)>,
    /// Whether lines went from one of these stretches to another.
    pub(super) moved: bool,
    /// A release field that came or went beside one that changed, and stays where only the fields that changed go back.
    pub came_or_went: Option<String>,
    /// The lines that go back as a whole, as more of them differs than release fields: by their leaves in the file after.
    pub(super) whole: HashSet<usize>,
    /// Of these, the addresses of those in which more than words differs.
    pub(super) rests: Vec<(usize, String)>,
}

impl Comparison {
    /// The changed release fields.
    pub fn release_fields(&self) -> impl Iterator<Item = &ScalarChange> {
        self.changes.iter().filter(|change| change.rule.is_some())
    }

    /// The release fields that came or went, and that are deployments by themselves.
    pub fn alone(&self) -> impl Iterator<Item = &Companion> {
        self.companions.iter().filter(|companion| companion.is_alone())
    }

    /// Whether there is anything to take back.
    #[must_use]
    pub fn is_deployment(&self) -> bool {
        self.release_fields().next().is_some() || self.alone().next().is_some()
    }

    /// The addresses of what else changed.
    pub fn left_behind(&self) -> impl Iterator<Item = &str> {
        let values =
            self.changes.iter().filter(|change| change.rule.is_none()).map(|change| change.address.as_str());
        let others = self.others.iter().map(|(address, ..)| address.as_str());
        values.chain(others).chain(self.rests.iter().map(|(_, address)| address.as_str()))
    }

    /// Of these, what is in one of these lines.
    pub(super) fn in_lines<'c>(&'c self, lines: &'c HashSet<usize>) -> impl Iterator<Item = &'c str> {
        let words =
            self.changes.iter().filter(|change| change.rule.is_none() && lines.contains(&change.leaf));
        let rests = self.rests.iter().filter(|(leaf, _)| lines.contains(leaf));
        words.map(|change| change.address.as_str()).chain(rests.map(|(_, address)| address.as_str()))
    }
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
    /// It is not in the file any more; left alone. With the places at which its key holds the bad value now, or else another key, some of them:
    /// it may have been renamed, or something around it.
    Gone(Vec<String>),
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
        !matches!(self.rule, FieldRule::Coupled | FieldRule::Configured | FieldRule::ByHand)
            && !self.new_text.is_empty()
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
    /// The addresses of what else the bad commit changed here, and what goes back: it is in the line of a field.
    pub along: Vec<String>,
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
    /// It is no text that can be read.
    #[error("the file is neither UTF-8 text nor UTF-16 with its mark: put it back by hand")]
    NotText,
    /// It is larger than what is read.
    #[error("the file has grown past what is read of one: put it back by hand")]
    TooLarge,
    /// The bad commit changed no release field in it.
    #[error("the commit changed no release field in it")]
    NoReleaseField,
    /// The bad commit added or removed a release field besides, and it is not clear where that stands now.
    #[error(
        "the commit added or removed {0} together with other things, or the lines around it have changed since: put it back by hand"
    )]
    Companion(String),
    /// More of its line changed with it, and the line was changed again since.
    #[error(
        "the commit changed more of the line of {0} than the field, and that line was changed again since: put it back by hand"
    )]
    Mixture(String),
    /// It cannot be told which of several places is meant.
    #[error("{0} cannot be told apart from others like it: put it back by hand")]
    Ambiguous(String),
    /// What stands beside the field names another thing by now.
    #[error(
        "what stands beside {0} has changed since, so that it may be a version of something else: look at it, and put it back by hand"
    )]
    OfAnother(String),
    /// A later commit made another value follow the field by an alias: that value would go back, too.
    #[error(
        "a later commit made {0} take its value by an alias from a field that would go back: put back by hand what has to go back"
    )]
    Shared(String),
    /// What the bad commit changed and what was changed since cannot be told apart.
    #[error(
        "what the commit changed in it, or a line beside that, was changed again since, or it is no text: put it back by hand"
    )]
    Conflict,
    /// It is none of a version, and what becomes of it is a person's to say.
    #[error(
        "{0} changed, which does not go back by machine: look whether it has to, and put it back by hand"
    )]
    ByHand(String),
    /// Something covers the whole file, and other things in it changed with the release fields, or since.
    #[error(
        "{0}, and more of it has changed than the release fields, in the commit or since: only somebody with the key can put it right"
    )]
    Stamped(&'static str),
    /// Something covers the whole file, and the bad commit changed the file without it: it covers neither version now.
    #[error(
        "{0}, and the commit changed the file without writing that anew: only somebody with the key can put it right"
    )]
    Stale(&'static str),
    /// The deployment is one piece, and a part of it cannot go back.
    #[error(
        "the deployment does not go back in parts, as {0}, and this part was changed again since: put it back by hand"
    )]
    Bound(String),
    /// A kustomization names the file, which the deployment had added and the revert would remove.
    #[error("{0} names it, and would not build without it: put the deployment back by hand")]
    Needed(String),
    /// The old value names a file or directory of the repository that is not there any more.
    #[error(
        "{0} would name {1} again, which is not in the repository any more: put both back by hand, or neither"
    )]
    Missing(String, String),
    /// Something else than a file stands at its place, or where its directory was.
    #[error("a directory, a link or a file stands in its place by now: put the deployment back by hand")]
    Taken,
    /// Somebody has moved its directory since.
    #[error("its directory was moved since, with {0}: put the deployment back by hand")]
    Moved(String),
    /// With the old text in place, a mapping would have a key twice.
    #[error("{0} would stand twice in one mapping with the old text in its place: put it back by hand")]
    Repeated(String),
    /// With the old text in place, the file would say something else than wanted.
    #[error("{0} does not come out right with the old text in its place: put it back by hand")]
    Unfaithful(String),
}
