//! Reading the files in which a revert can pin what it backs out.

use std::collections::BTreeMap;

use crate::domain::change::pinned::with_pins;
use crate::domain::change::plan::Undo;
use crate::domain::change::{Change, Motive};
use crate::domain::environment::pin_rules::PinRules;
use crate::domain::history::scope::{Interest, Scope};
use crate::domain::history::snapshot::Content;
use crate::domain::ids::{CommitId, FilePath};
use crate::domain::pin::make::{is_read, may_matter, own_file};
use crate::domain::pin::{NoPin, Pin};
use crate::ports::{Repository, RepositoryError};

/// The most files in which pins are looked for, and the most bytes of them. Without pins the revert goes on.
const MAX_FILES: usize = 10_000;
const MAX_BYTES: usize = 64 << 20;

/// The files that can hold pins.
struct Places<'r> {
    rules: &'r PinRules,
    own: Option<FilePath>,
}

impl Scope for Places<'_> {
    fn file(&self, path: &str) -> Interest {
        if is_read(self.rules, self.own.as_ref(), path) { Interest::Bytes } else { Interest::Nothing }
    }

    fn directory(&self, _: &str) -> bool {
        true
    }
}

/// The revert with the pins that the policy asks for. The files that they change are added to `current`, as they are before.
pub(super) fn pinned(
    repository: &dyn Repository,
    change: Change,
    (undo, motive, rules): (Undo<'_>, Motive<'_>, &PinRules),
    current: &mut BTreeMap<FilePath, Option<Content>>,
) -> Result<Change, RepositoryError> {
    if rules.is_none() {
        return Ok(change);
    }
    let head = change.base;
    let (texts, is_all) = read_places(repository, head, rules, own_file(rules, undo.bad))?;
    // What was not read could be meant as well.
    let texts = if is_all { texts } else { BTreeMap::new() };
    // What cannot be read was not ignored for sure.
    let stood_before = |pin: &Pin| {
        let content = repository.content(undo.bad.commit, &pin.path).ok().flatten();
        let text =
            content.as_ref().and_then(Content::bytes).and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.is_some_and(|text| pin.put(text) == Err(NoPin::Already))
    };
    let mut with = with_pins(change, &undo, motive, rules, texts, &stood_before);
    if !is_all {
        let why = format!(
            "the repository has more than {MAX_FILES} manifests, or more than {MAX_BYTES} bytes of them"
        );
        with.pins.without = vec![why];
    }
    for path in with.files.keys() {
        if !current.contains_key(path) {
            current.insert(path.clone(), repository.content(head, path)?);
        }
    }
    Ok(with)
}

/// The texts that can matter, and whether all of them were read. `own` is the file of the user's own field.
pub(in crate::agent) fn read_places(
    repository: &dyn Repository,
    head: CommitId,
    rules: &PinRules,
    own: Option<FilePath>,
) -> Result<(BTreeMap<FilePath, String>, bool), RepositoryError> {
    let places = Places { rules, own };
    let paths = repository.list_files(head, &places, MAX_FILES)?;
    let (mut texts, mut left) = (BTreeMap::new(), MAX_BYTES);
    let mut is_all = paths.len() < MAX_FILES;
    for path in paths {
        let Some(Content::Bytes(bytes)) = repository.content(head, &path)? else { continue };
        match left.checked_sub(bytes.len()) {
            Some(rest) => left = rest,
            None => {
                is_all = false;
                break;
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes)
            && may_matter(rules, places.own.as_ref(), &path, text)
        {
            texts.insert(path, text.to_owned());
        }
    }
    Ok((texts, is_all))
}
