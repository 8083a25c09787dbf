//! How a pause is written in the list of pauses, one in a line, and read.

use serde::{Deserialize, Serialize};

use super::keys::not_ours;
use crate::domain::environment::pause::Pause;

/// A list of pauses as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PauseList {
    /// The pauses, in the order of the list.
    pub pauses: Vec<Pause>,
    /// Lines that this version does not understand, such as of a later one. They are kept when the list is changed.
    pub unknown: Vec<String>,
    /// How many lines no key proves. They count for nothing, and go when the list is changed.
    pub unproven: usize,
}

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Line {
    Pause(Pause),
}

impl PauseList {
    /// Reads a list as [`crate::ports::Repository::pauses`] shows it.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut list = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if not_ours(line).is_some() {
                list.unproven += 1;
                continue;
            }
            match serde_json::from_str(line) {
                Ok(Line::Pause(pause)) => list.pauses.push(pause.harmless()),
                Err(_) => list.unknown.push(line.to_owned()),
            }
        }
        list
    }

    /// The lines of the list with these pauses in the place of its own.
    ///
    /// # Errors
    /// When a pause cannot be written as JSON.
    pub fn with(self, pauses: Vec<Pause>) -> Result<Vec<String>, String> {
        let lines = pauses.into_iter().map(|pause| serde_json::to_string(&Line::Pause(pause)));
        let lines: Vec<String> = lines.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(self.unknown.into_iter().chain(lines).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CommitId;
    use crate::record::keys::RecordKeys;

    const LINE: &str = r#"{"kind":"pause","environment":"production","service":"checkout","at":"2026-12-01T08:00:00Z","until":"2026-12-01T10:00:00Z","by":"Ann","why":"a move"}"#;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let list = PauseList::read(LINE);
        assert_eq!((list.pauses.len(), list.unknown.len(), list.unproven), (1, 0, 0));
        let pauses = list.pauses.clone();
        assert_eq!(list.with(pauses).unwrap(), [LINE]);
    }

    #[test]
    fn what_is_not_understood_is_kept_and_what_nobody_proves_goes() {
        let later = r#"{"kind":"pause-of-a-kind-to-come"}"#;
        let list = PauseList::read(&format!("{later}\n\nno json\n{LINE}\n"));
        assert_eq!(list.unknown, [later, "no json"]);
        assert_eq!(list.clone().with(Vec::new()).unwrap(), [later, "no json"]);
        let keys = RecordKeys::new(vec![secrecy::SecretString::from("a key that nobody else has")]);
        let none = CommitId::from_bytes([0; 20]);
        let text = keys.proven(none, format!("{}\n{LINE}", keys.signed(none, LINE)));
        let list = PauseList::read(&text);
        assert_eq!((list.pauses.len(), list.unknown.len(), list.unproven), (1, 0, 1));
    }

    #[test]
    fn hostile_lines_pause_nothing_by_panicking_and_their_texts_are_bounded() {
        let long = LINE.replace("a move", &"\\u001b[2J".repeat(10_000));
        let list = PauseList::read(&long);
        assert!(list.pauses[0].why.chars().count() <= 200 && !list.pauses[0].why.contains('\u{1b}'));
        for bad in [
            LINE.replace("2026-12-01T10", "2026-13-01T10"),
            LINE.replace("production", "../x\\n"),
            LINE.replace("checkout", ""),
            "[".repeat(100_000),
        ] {
            let list = PauseList::read(&bad);
            assert_eq!((list.pauses.len(), list.unknown.len()), (0, 1), "{bad:.80}");
        }
    }
}
