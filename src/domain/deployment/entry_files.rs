//! Files that hold several services: what a commit changed in the part of each.

use std::sync::Arc;

use super::by_hand;
use super::compared::{
    Changes, Documents, EntryFile, EntryName, EntryPart, EntryParts, Key, Remembered, SharedFields,
};
use super::field_change::FieldChange;
use crate::domain::field::entries::{EntryChange, EntryPattern, SharedField, changed_entries, entry_names};
use crate::domain::field::{self, Comparison, Document, FieldRule, File, ScalarChange, Selection};
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::{BlobId, FilePath};

/// The most bytes of the versions of a file that are made for its entries, a version for each entry that changed: as much as much as
/// is compared of a commit.
const MAX_PARTS_BYTES: usize = 64 << 20;

/// What a commit changed in each entry of a file, as if it had changed nothing else in it. None where it is too much to be
/// worked on.
///
/// The file is compared once: what differs is shared out by entry, and remembered. A commit that changes hundreds of entries
/// would else be compared hundreds of times, each time in full length.
pub(super) fn parts_of(
    file: &FileDiff,
    pattern: &EntryPattern,
    selection: &Selection,
    documents: &Documents,
) -> Option<Vec<EntryFile>> {
    let Some(key) = Key::of(file, selection, Some(pattern)) else { return Some(Vec::new()) };
    let parts = match documents.memo.find(&key) {
        Some(Remembered::Parts(parts)) => parts,
        Some(Remembered::Changes(_)) | None => {
            if documents.is_over() {
                return None;
            }
            let Some((old, new)) = documents.of(file) else {
                return Some(parts_of_no_text(file, pattern, documents));
            };
            let parts = find_parts(file, pattern, selection, (&old, &new), documents);
            documents.memo.keep(key, Remembered::Parts(parts.clone()));
            parts
        }
    };
    // The file is others' too: it stays where it is.
    let part = |EntryPart { captured, old, shared }: &EntryPart| {
        let file = FileDiff { was: None, old: Some(old.clone()), ..file.clone() };
        (captured.clone(), file, shared.clone())
    };
    Some(parts?.iter().map(part).collect())
}

fn find_parts(
    file: &FileDiff,
    pattern: &EntryPattern,
    selection: &Selection,
    (old, new): (&Document, &Document),
    documents: &Documents,
) -> EntryParts {
    if let Some(broken) = by_hand::broken(file, Some((old.is_yaml(), new.is_yaml()))) {
        return Some(Arc::new(parts_of_broken(file, pattern, old, &broken)));
    }
    let changes = changed_entries(pattern, old, new, MAX_PARTS_BYTES)?;
    let described = File { path: file.path.as_str(), fields: selection };
    let compared = field::compare_entries(&described, (old, new), &changes);
    let beside = field::tied_beside(&described, pattern, (old, new));
    // What names one of the services is about that one, also where it stands in the entry of something else: `slots: {shop: green}`.
    let names = |captured: &EntryName, tied: &ScalarChange| {
        captured.iter().any(|(_, name)| has_part(&tied.address, name))
    };
    let is_of = |captured: &EntryName, (tied, entry): &(ScalarChange, Option<EntryName>)| match entry {
        Some(entry) => entry != captured && names(captured, tied),
        None => names(captured, tied) || !changes.iter().any(|other| names(&other.captured, tied)),
    };
    let tied_to = |captured: &EntryName| -> Vec<FieldChange> {
        let own = beside.iter().filter(|tied| is_of(captured, tied));
        own.map(|(tied, _)| by_hand_of(&file.path, tied)).collect()
    };
    let tied: Vec<Vec<FieldChange>> = changes.iter().map(|change| tied_to(&change.captured)).collect();
    let part = |((entry, compared), tied): ((EntryChange, Option<Comparison>), Vec<FieldChange>)| {
        let bytes: Arc<[u8]> = entry.before?.into();
        let old = FileVersion { blob: BlobId::of_part(&bytes), bytes: Some(bytes) };
        if let Some(comparison) = compared {
            let part = FileDiff { was: None, old: Some(old.clone()), ..file.clone() };
            documents.remember(&part, selection, Changes::of(&file.path, &comparison));
        }
        let by_hand = |shared: SharedField| FieldChange {
            path: file.path.clone(),
            address: format!("{} ({})", shared.address, why_not_alone(shared.by_name)),
            rule: FieldRule::ByHand,
            old: shared.old,
            new: shared.new,
            addressed: false,
            engine: false,
        };
        let has_release = entry.shared.iter().any(|shared| shared.is_release);
        let fields = entry.shared.into_iter().map(by_hand).chain(tied).collect();
        Some(EntryPart { captured: entry.captured, old, shared: SharedFields { fields, has_release } })
    };
    Some(Arc::new(changes.into_iter().zip(compared).zip(tied).filter_map(part).collect()))
}

/// Whether an address has a name as a part of its own: `slots.shop` has `shop`, and `slots.shop-eu` has not.
fn has_part(address: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "-_".contains(c);
    address.split(|c: char| !is_part(c)).any(|part| part == name)
}

/// What stands beside the entries of a file, and does not go back with one of them.
fn by_hand_of(path: &FilePath, tied: &ScalarChange) -> FieldChange {
    FieldChange {
        path: path.clone(),
        address: format!("{} (beside the service in the file)", tied.address),
        rule: FieldRule::ByHand,
        old: tied.old_text.clone(),
        new: tied.new_text.clone(),
        addressed: false,
        engine: false,
    }
}

/// Why a value does not go back for one service alone.
fn why_not_alone(by_name: bool) -> &'static str {
    if by_name { "shared by a YAML anchor" } else { "does not go back without the lines of others" }
}

/// The entries of a file that cannot be read any more: each of its services was changed.
fn parts_of_broken(
    file: &FileDiff,
    pattern: &EntryPattern,
    old: &Document,
    broken: &FieldChange,
) -> Vec<EntryPart> {
    let part = |captured| {
        let shared = SharedFields { fields: vec![broken.clone()], has_release: true };
        Some(EntryPart { captured, old: file.new.clone()?, shared })
    };
    entry_names(pattern, old).into_iter().filter_map(part).collect()
}

/// The services of a file of which one version is no text, as far as the other one names them: each of them was changed.
fn parts_of_no_text(file: &FileDiff, pattern: &EntryPattern, documents: &Documents) -> Vec<EntryFile> {
    let Some(unread) = by_hand::of_file(file) else { return Vec::new() };
    let Some(readable) = [&file.old, &file.new].into_iter().flatten().find_map(|one| documents.get(one))
    else {
        return Vec::new();
    };
    let parts = parts_of_broken(file, pattern, &readable, &unread);
    parts.into_iter().map(|part| (part.captured, file.clone(), part.shared)).collect()
}
