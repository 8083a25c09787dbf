//! What commits changed in files: compared once for each pair of versions, and remembered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::by_hand;
use super::field_change::FieldChange;
use crate::domain::field::entries::EntryPattern;
use crate::domain::field::{self, Comparison, Document, FieldRule, File, Selection};
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::{BlobId, FilePath};
use crate::domain::schema::manifests;

/// How the names of files begin in which Argo CD's Image Updater writes the versions that override those of an application.
/// Source: <https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/>.
const OVERRIDE: &str = ".argocd-source";

/// The most release fields that one service has changed in a commit and that are taken back. A cluster that is one service
/// has hundreds.
pub(super) const MAX_FIELDS: usize = 5_000;

/// What a commit changed in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The release fields. Where there are more than are taken back, one more than that.
    pub fields: Vec<FieldChange>,
    /// The addresses of what else it changed.
    pub left_behind: Vec<String>,
    /// Of these, what says which of several things is in use.
    pub switches: Vec<String>,
    /// What changes what the service runs with, and does not go back by machine; like release fields, with what it is for an address.
    pub by_hand: Vec<FieldChange>,
    /// Where it says that a schema is to be migrated.
    pub migrates: Option<String>,
    /// That a file of YAML or JSON could be read before the commit and cannot be read after it, or the other way round; or that a conflict
    /// was committed.
    pub form: Option<String>,
    /// A release field that came or went beside one that changed.
    pub came_or_went: Option<String>,
}

impl Changes {
    pub(super) fn of(path: &FilePath, comparison: &Comparison) -> Self {
        let field = |change: &field::ScalarChange| {
            Some(FieldChange {
                path: path.clone(),
                address: change.address.clone(),
                rule: change.rule?,
                old: change.old_shown().to_owned(),
                new: change.new_shown().to_owned(),
                addressed: change.addressed,
                engine: change.engine,
            })
        };
        let alone = |companion: &field::Companion| {
            let (old, new) = companion.shown();
            FieldChange {
                path: path.clone(),
                address: companion.address.clone(),
                rule: companion.rule,
                old,
                new,
                addressed: companion.addressed,
                engine: companion.part == field::PartOf::Alone { engine: true },
            }
        };
        let place = |address: &str| format!("{path}: {address}");
        let by_hand = |change: &field::ScalarChange| {
            change.by_hand?;
            Some(FieldChange {
                path: path.clone(),
                address: change.address.clone(),
                rule: FieldRule::ByHand,
                old: change.old_shown().to_owned(),
                new: change.new_shown().to_owned(),
                addressed: change.addressed,
                engine: false,
            })
        };
        Self {
            fields: comparison
                .release_fields()
                .filter_map(field)
                .chain(comparison.alone().map(alone))
                .take(MAX_FIELDS + 1)
                .collect(),
            left_behind: comparison.left_behind().map(place).collect(),
            switches: comparison
                .changes
                .iter()
                .filter(|change| change.switch)
                .map(|change| place(&change.address))
                .collect(),
            by_hand: comparison.changes.iter().filter_map(by_hand).take(MAX_FIELDS).collect(),
            migrates: comparison.migrates.as_deref().map(place),
            form: None,
            came_or_went: comparison.came_or_went.as_deref().map(place),
        }
    }

    /// About how many bytes of memory it takes.
    fn bytes(&self) -> usize {
        let left = |address: &String| size_of::<String>() + address.len();
        let places = self.left_behind.iter().chain(&self.switches);
        let places = places.chain(&self.migrates).chain(&self.form).chain(&self.came_or_went);
        self.fields.iter().chain(&self.by_hand).map(bytes_of).sum::<usize>() + places.map(left).sum::<usize>()
    }
}

/// About how many bytes of memory a field takes.
fn bytes_of(field: &FieldChange) -> usize {
    let texts = field.path.as_str().len() + field.address.len() + field.old.len() + field.new.len();
    size_of::<FieldChange>() + texts
}

/// What could be read before and cannot be read after, or the other way round, in words.
fn form(path: &FilePath, form: Option<(bool, bool)>) -> Option<String> {
    if ![".yaml", ".yml", ".json"].iter().any(|end| path.as_str().ends_with(end)) {
        return None;
    }
    match form? {
        (true, false) => Some(format!("{path} cannot be read any more")),
        (false, true) => Some(format!("{path} could not be read before")),
        (true, true) | (false, false) => None,
    }
}

/// What is remembered of pairs of versions that were compared, for every detector of the process: the next pass compares the
/// same commits, and so do other environments on the same branch.
///
/// It follows from its key alone, so that nothing is ever out of date in it.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Generations>);

/// Two generations: when the young one is full the old one goes, but for what was asked for since.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Remembered>,
    young_bytes: usize,
    old: HashMap<Key, Remembered>,
}

/// All that the changes of a file depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    path: FilePath,
    selection: Selection,
    /// The pattern of the entries, where the question is what became of each of them.
    each: Option<String>,
    old: BlobId,
    new: BlobId,
}

impl Key {
    /// None where the file was not there before, or is not any more.
    pub(super) fn of(file: &FileDiff, selection: &Selection, each: Option<&EntryPattern>) -> Option<Self> {
        Some(Self {
            path: file.path.clone(),
            selection: selection.clone(),
            each: each.map(EntryPattern::to_string),
            old: file.old.as_ref()?.blob,
            new: file.new.as_ref()?.blob,
        })
    }

    fn bytes(&self) -> usize {
        let selected = self.selection.add.iter().chain(&self.selection.exclude).chain(&self.each);
        size_of::<Self>() + self.path.as_str().len() + selected.map(String::len).sum::<usize>()
    }
}

/// What is known of a pair of versions.
#[derive(Clone, Debug)]
pub(super) enum Remembered {
    Changes(Arc<Changes>),
    Parts(EntryParts),
}

/// What a commit changed in the entries of a file: what tells each entry from the others, and its version before. None where
/// that is more than is worked on.
pub(super) type EntryParts = Option<Arc<Vec<EntryPart>>>;
pub(super) type EntryName = Vec<(String, String)>;

/// One entry of a file that a commit changed.
#[derive(Debug)]
pub(super) struct EntryPart {
    pub(super) captured: EntryName,
    /// The file after the commit with this entry as it was before.
    pub(super) old: FileVersion,
    pub(super) shared: SharedFields,
}

/// What a service shares with others of a file, and what does not go back for one of them alone.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedFields {
    pub(super) fields: Vec<FieldChange>,
    /// Whether any of them is a release field: then the service was deployed by it.
    pub(super) has_release: bool,
}

/// One entry of a file as if it were a file of its own: what tells it from the others, the file, and what it shares with other entries.
pub(super) type EntryFile = (EntryName, FileDiff, SharedFields);

impl Remembered {
    fn bytes(&self) -> usize {
        let of_part = |part: &EntryPart| {
            let texts = part.captured.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>();
            let bytes = part.old.bytes.as_ref().map_or(0, |bytes| bytes.len());
            size_of::<EntryPart>() + texts + bytes + part.shared.fields.iter().map(bytes_of).sum::<usize>()
        };
        match self {
            Self::Changes(changes) => changes.bytes(),
            Self::Parts(parts) => parts.iter().flat_map(|parts| parts.iter()).map(of_part).sum(),
        }
    }
}

/// How many bytes a generation holds at most: some ten thousand usual deployments.
const GENERATION_BYTES: usize = 16 << 20;

impl Memo {
    pub(super) fn find(&self, key: &Key) -> Option<Remembered> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.young.get(key) {
            return Some(known.clone());
        }
        let (key, known) = kept.old.remove_entry(key)?;
        kept.add(key, known.clone());
        Some(known)
    }

    pub(super) fn keep(&self, key: Key, known: Remembered) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(key, known);
    }
}

impl Generations {
    fn add(&mut self, key: Key, known: Remembered) {
        let bytes = 2 * key.bytes() + known.bytes();
        // What would fill half a generation alone is not kept.
        if bytes > GENERATION_BYTES / 2 {
            return;
        }
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, known);
    }
}

/// The release fields that changed in these files, and the addresses of what else did.
#[must_use]
pub fn changes_of(
    files: &[FileDiff],
    selection: &Selection,
    documents: &Documents,
) -> (Vec<FieldChange>, Vec<String>) {
    let all = all_changes_of(files, selection, documents);
    (all.fields, all.left_behind)
}

/// All that changed in these files.
pub(super) fn all_changes_of(files: &[FileDiff], selection: &Selection, documents: &Documents) -> Changes {
    let mut all = Changes::default();
    for file in files {
        match documents.changes(file, selection).or_else(|| documents.of_override(file, selection)) {
            Some(changes) => {
                all.fields.extend_from_slice(&changes.fields);
                all.left_behind.extend_from_slice(&changes.left_behind);
                all.switches.extend_from_slice(&changes.switches);
                all.by_hand.extend_from_slice(&changes.by_hand);
                all.form = all.form.or_else(|| changes.form.clone());
                all.came_or_went = all.came_or_went.or_else(|| changes.came_or_went.clone());
                all.migrates = all.migrates.or_else(|| changes.migrates.clone());
            }
            None => all.left_behind.push(file.path.to_string()),
        }
        all.by_hand.extend(by_hand::of_file(file));
        all.left_behind.extend(by_hand::mode_of(file));
    }
    // A file with release fields goes back to its old name with them.
    let fields = &all.fields;
    let has_none = |file: &&FileDiff| fields.iter().all(|field| field.path != file.path);
    let renamed =
        files.iter().filter(|file| file.was.is_some()).filter(has_none).filter_map(by_hand::name_of);
    if !fields.is_empty() {
        all.left_behind.extend(renamed);
    }
    all
}

/// The files that were read, kept while they may be needed again: what a commit found is what the one before it left. And what
/// was found in them. A clone has the same.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    kept: Arc<Mutex<Kept>>,
    pub(super) memo: Arc<Memo>,
    /// Says that nobody waits for what is found any more.
    stop: Option<Arc<AtomicBool>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// With the bytes of memory that each was counted to take.
    documents: HashMap<BlobId, (Arc<Document>, usize)>,
    bytes: usize,
    /// Which of them were asked for since they were counted.
    asked: Vec<BlobId>,
    /// In which versions a change of a schema may be seen. They go with the files.
    may_show_schema: HashMap<BlobId, (Arc<[u8]>, bool)>,
}

/// How many bytes of memory the files may take that are kept, with what was read of them: some fifty large ones of which only lines were
/// read, or some hundred small ones.
const KEPT_BYTES: usize = 8 << 20;

impl Documents {
    /// With what was compared before.
    #[must_use]
    pub fn new(memo: Arc<Memo>, stop: Option<Arc<AtomicBool>>) -> Self {
        Self { memo, stop, ..Self::default() }
    }

    /// Whether nobody waits for what is found any more. Then nothing more is compared.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::SeqCst))
    }

    /// What changed in a file that was there before and is there now, where both versions were read and are text.
    fn changes(&self, file: &FileDiff, selection: &Selection) -> Option<Arc<Changes>> {
        let key = Key::of(file, selection, None)?;
        if let Some(Remembered::Changes(known)) = self.memo.find(&key) {
            return Some(known);
        }
        if self.is_over() {
            return None;
        }
        let (old, new) = self.of(file)?;
        let comparison = field::compare(&File { path: file.path.as_str(), fields: selection }, &old, &new);
        let conflict =
            || by_hand::has_new_conflict(file).then(|| format!("{} has a merge conflict in it", file.path));
        let form = form(&file.path, comparison.form).or_else(conflict).filter(|_| comparison.is_deployment());
        let mut changes = Changes { form, ..Changes::of(&file.path, &comparison) };
        changes.by_hand.extend(by_hand::broken(file, comparison.form));
        let changes = Arc::new(changes);
        self.memo.keep(key, Remembered::Changes(Arc::clone(&changes)));
        Some(changes)
    }

    /// What changed by a file that overrides versions and that came or went: nothing stood there before, or stands there after.
    fn of_override(&self, file: &FileDiff, selection: &Selection) -> Option<Arc<Changes>> {
        let name = file.path.as_str().rsplit('/').next()?;
        if !name.starts_with(OVERRIDE) || file.old.is_some() == file.new.is_some() {
            return None;
        }
        let nothing = || Arc::new(Document::from(""));
        let side = |documents: &Self, version: &Option<FileVersion>| match version {
            Some(version) => documents.get(version),
            None => Some(nothing()),
        };
        let (old, new) = (side(self, &file.old)?, side(self, &file.new)?);
        let comparison = field::compare(&File { path: file.path.as_str(), fields: selection }, &old, &new);
        comparison.is_deployment().then(|| Arc::new(Changes::of(&file.path, &comparison)))
    }

    pub(super) fn remember(&self, part: &FileDiff, selection: &Selection, changes: Changes) {
        if let Some(key) = Key::of(part, selection, None) {
            self.memo.keep(key, Remembered::Changes(Arc::new(changes)));
        }
    }

    /// Both versions of a file, where it has both and they are text.
    pub(super) fn of(&self, file: &FileDiff) -> Option<(Arc<Document>, Arc<Document>)> {
        Some((self.get(file.old.as_ref()?)?, self.get(file.new.as_ref()?)?))
    }

    pub(super) fn get(&self, version: &FileVersion) -> Option<Arc<Document>> {
        let bytes = version.bytes.as_ref()?;
        self.kept().get(version.blob, bytes)
    }

    /// Whether a change of a schema may be seen in a version: looked for once in each.
    pub(super) fn may_show_schema(&self, version: &FileVersion) -> bool {
        let Some((bytes, text)) = version.bytes.as_ref().zip(version.text()) else { return false };
        let known = self.kept().may_show_schema.get(&version.blob).cloned();
        if let Some((_, answer)) = known.filter(|(known, _)| known == bytes) {
            return answer;
        }
        let answer = manifests::may_show(text);
        self.kept().may_show_schema.insert(version.blob, (Arc::clone(bytes), answer));
        answer
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Documents {
    /// How many files are kept.
    pub(super) fn count(&self) -> usize {
        self.kept().documents.len()
    }
}

impl Kept {
    fn get(&mut self, blob: BlobId, bytes: &Arc<[u8]>) -> Option<Arc<Document>> {
        self.count();
        let known = self.documents.get(&blob).map(|(known, _)| known);
        if let Some(known) = known.filter(|known| known.bytes() == bytes).cloned() {
            self.asked.push(blob);
            return Some(known);
        }
        let read = Arc::new(Document::new(Arc::clone(bytes))?);
        if self.bytes > KEPT_BYTES {
            self.documents.clear();
            self.may_show_schema.clear();
            self.bytes = 0;
        }
        self.asked.push(blob);
        self.documents.insert(blob, (Arc::clone(&read), 0));
        Some(read)
    }

    /// Counts the memory of the files that were asked for since: what was read of them has come to it.
    fn count(&mut self) {
        for blob in self.asked.drain(..) {
            if let Some((document, counted)) = self.documents.get_mut(&blob) {
                let bytes = document.memory_bytes();
                self.bytes = self.bytes - *counted + bytes;
                *counted = bytes;
            }
        }
    }
}
