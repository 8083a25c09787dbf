//! Finding, comparing and splicing the bytes of fields.
//!
//! [`compare`] says which values a commit changed in a file and which of them are release fields; [`revert`] puts exactly
//! those back in a later version of the file, where they still hold the bad value. Nothing is ever written out from a
//! parsed form: the old source text is spliced in, and every other byte stays.
//!
//! In the order in which data goes through them:
//!
//! 1. [`leaves`]: a file is cut into scalars or lines, each with an address.
//! 2. `pairs`: the leaves of two versions that belong together, and the values in which they differ.
//! 3. [`rules`]: which of these values are release fields. [`selection`]: what the configuration adds and takes away.
//! 4. `restore`: each release field is found again in a later version, and the old text is put in its place.
//!
//! Before them, `sections`: what of a large file has to be read at all. Beside them, [`entries`]: the parts of a file that belong to different services; [`stamp`]: what covers a whole file; [`place`]: scalars with their
//! places; and `context`:
//! what the place of a value means for it.
//!
//! Below these four: `vocabulary` says what the words of a key mean, `lines`, `words` and [`tokens`] take texts apart, and
//! `types` holds what goes in and comes out. This file stands above all of them; none of them imports it.

mod context;
pub mod entries;
pub mod leaves;
mod lines;
mod pairs;
pub mod place;
mod query;
mod restore;
pub mod rules;
mod sections;
pub mod selection;
pub mod stamp;
pub mod tokens;
mod types;
mod vocabulary;
mod words;

use std::sync::Arc;

pub use entries::Captures;
use entries::{EntryChange, EntryPattern};
pub use leaves::Document;
pub use rules::FieldRule;
pub use selection::Selection;
pub use types::{
    Companion, Comparison, FieldOutcome, FieldResult, File, PartOf, Refusal, Reverted, ScalarChange, is_half,
};

/// Compares two versions of a file: as YAML where both are, and line by line otherwise. Of a large file only the parts are parsed in which
/// a line differs, where that is sure to find the same.
#[must_use]
pub fn compare(file: &File<'_>, before: &Document, after: &Document) -> Comparison {
    if before.bytes() == after.bytes() {
        return Comparison::default();
    }
    compare_parts(file, before, after).unwrap_or_else(|| compare_whole(file, before, after))
}

fn compare_whole(file: &File<'_>, before: &Document, after: &Document) -> Comparison {
    let form = Some((before.is_yaml(), after.is_yaml()));
    let [before, after] = leaves::read([before, after]);
    Comparison { form, ..pairs::compare(file, &before, &after) }
}

/// The same as [`compare_whole`], by what of a large file has to be read for it. None where that is not sure.
fn compare_parts(file: &File<'_>, before: &Document, after: &Document) -> Option<Comparison> {
    let [(old_lines, old), (new_lines, new)] =
        [before, after].map(|document| (document.lines(), document.sections()));
    let [old, new] = sections::cut((&old_lines, old?), (&new_lines, new?))?;
    let parts = [&old, &new].map(|cut| Document::from(cut.text.as_str()));
    let [a, b] = &parts;
    let [one, other] = leaves::read_parts([a, b], [before, after], [&old.lines, &new.lines])?;
    Some(pairs::compare(file, &one, &other))
}

/// Compares each of these entries of a file with what it was before: as [`compare`] does with [`EntryChange::before`] and the
/// file after, but without the stretches of lines. None where it takes the whole file to do so.
#[must_use]
pub fn compare_entries(
    file: &File<'_>,
    (before, after): (&Document, &Document),
    entries: &[EntryChange],
) -> Vec<Option<Comparison>> {
    let [before, after] = leaves::read([before, after]);
    let compared = |alike: &Vec<(usize, usize)>| pairs::compare_alike(file, &before, &after, alike);
    entries.iter().map(|entry| entry.alike.as_ref().map(compared)).collect()
}

/// What a commit changed in a file of many services, and what a version in another place may depend on: which of several things is in use,
/// and checksums. Each with what the pattern captures there, where it stands in an entry.
#[must_use]
pub fn tied_beside(
    file: &File<'_>,
    pattern: &EntryPattern,
    (before, after): (&Document, &Document),
) -> Vec<(ScalarChange, Option<Captures>)> {
    // In what is no YAML an entry may have another address than its lines.
    if !before.is_yaml() || !after.is_yaml() {
        return Vec::new();
    }
    let [before, after] = leaves::read([before, after]);
    let alone = entries::changed_alone(&before, &after);
    let is_tied = |change: &ScalarChange| {
        change.switch || change.by_hand.is_some() || pairs::couple::is_checksum(change)
    };
    let changes = pairs::compare_alike(file, &before, &after, &alone).changes.into_iter().filter(is_tied);
    let captured = |change: &ScalarChange| pattern.captures(&change.address).map(|(captured, _)| captured);
    changes.map(|change| (change.clone(), captured(&change))).collect()
}

/// Whether a commit changed the version of a secret in a file. The old secret may be disabled, or known to the wrong people.
#[must_use]
pub fn moves_secret(file: &File<'_>, before: &[u8], after: &[u8]) -> bool {
    let read = |bytes: &[u8]| Document::new(Arc::from(bytes));
    let Some((before, after)) = read(before).zip(read(after)) else { return false };
    let changes = compare(file, &before, &after).changes;
    changes.iter().any(|change| change.by_hand == Some(context::SECRET_VERSION))
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

/// Whether a file that was merged line by line says what it should. It takes the versions before and after the commit, now, and merged.
#[must_use]
pub fn is_sound_merge(versions: [&[u8]; 4]) -> bool {
    let read = |bytes: &[u8]| Document::new(Arc::from(bytes));
    let [Some(parent), Some(bad), Some(now), Some(merged)] = versions.map(read) else { return true };
    restore::merge::is_sound([&parent, &bad, &now, &merged])
}

/// Says whether a text that takes the place of another one has a key twice in one mapping, where that one has it once.
///
/// # Errors
/// Names the key.
pub fn each_key_once(now: &[u8], after: &[u8]) -> Result<(), Refusal> {
    let read = |bytes: &[u8]| Document::new(Arc::from(bytes));
    match read(now).zip(read(after)) {
        Some((now, after)) => restore::sound::keys(now.text(), after.text()),
        None => Ok(()),
    }
}

/// The values that a version of a file holds at these addresses, in their order: none where nothing or several things stand at one.
#[must_use]
pub fn values_at(bytes: &[u8], addresses: &[&str]) -> Vec<Option<String>> {
    let Some(document) = Document::new(Arc::from(bytes)) else { return Vec::new() };
    let [text] = leaves::read([&document]);
    let value = |address: &&str| {
        let [leaf] = text.at(address) else { return None };
        Some(words::value_of(text.leaves.get(*leaf)?).to_owned())
    };
    addresses.iter().map(value).collect()
}

/// The versions that a file holds: the release fields by which one version is told from another, each with what the pattern captures at its
/// address. Where there is a pattern, only those where it captures something. What only its look tells is left out, as there is nothing to
/// hold it against.
#[must_use]
pub fn versions_of(
    file: &File<'_>,
    document: &Document,
    each: Option<&EntryPattern>,
) -> Vec<(Captures, String)> {
    let [text] = leaves::read([document]);
    let captured = |address: &str| match each {
        None => Some(Captures::default()),
        Some(each) => each.captures(address).map(|(captured, _)| captured),
    };
    let versions = pairs::one_sided::versions(file, &text).into_iter();
    versions.filter_map(|(address, value)| Some((captured(&address)?, value))).collect()
}

#[cfg(test)]
mod tests;
