//! What Git calls the things that the domain names: full names of refs, and ids of commits.

use git2::Oid;

use crate::domain::ids::{BranchName, CommitId};
use crate::domain::time::Time;

/// The ref that held the whole audit log once. It is read, and nothing more is written there.
pub(super) const OLD_NOTES_REF: &str = "refs/notes/backout";
/// What the ref of a month's notes begins with; the month follows: `2026-11`. A name below `refs/notes/backout/` would clash with
/// the ref that may be there.
const MONTH_REFS: &str = "refs/notes/backout-";

/// The ref that holds the list of pauses. It is no ref of notes: nothing in it is about a commit.
pub(super) const PAUSES_REF: &str = "refs/backout/pauses";

/// The ref of the notes on commits of this time; none where it is of no month that has such a name.
///
/// The time is the committer's, which is in the commit itself: so all agents and people agree on it for ever, whatever they know
/// of when it landed.
pub(super) fn notes_ref(committed: Time) -> Option<String> {
    let name = format!("{MONTH_REFS}{}", committed.to_string().get(..7)?);
    is_month_ref(&name).then_some(name)
}

/// Whether a ref is of notes that are read.
pub(super) fn is_notes_ref(name: &str) -> bool {
    name == OLD_NOTES_REF || is_month_ref(name)
}

/// Whether a ref is of something that the agent keeps beside the branches: notes, or pauses.
pub(super) fn is_kept_ref(name: &str) -> bool {
    is_notes_ref(name) || name == PAUSES_REF
}

fn is_month_ref(name: &str) -> bool {
    let parts = name.strip_prefix(MONTH_REFS).and_then(|month| month.split_once('-'));
    let is_number =
        |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    parts.is_some_and(|(year, month)| {
        is_number(year, 4) && is_number(month, 2) && ("01"..="12").contains(&month)
    })
}

/// The full name of a branch's ref.
pub(super) fn branch_ref(branch: &BranchName) -> String {
    format!("refs/heads/{branch}")
}

/// The domain's id of a commit.
pub(super) fn commit_id(id: Oid) -> CommitId {
    CommitId::from_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_a_ref_of_its_own_and_odd_names_are_none() {
        let of = |secs| notes_ref(Time::from_unix(secs));
        assert_eq!(of(1_796_083_199).as_deref(), Some("refs/notes/backout-2026-11"));
        assert_eq!(of(1_796_083_200).as_deref(), Some("refs/notes/backout-2026-12"));
        assert_eq!(of(0).as_deref(), Some("refs/notes/backout-1970-01"));
        // Years that have not four digits, and times that no calendar has.
        for secs in [-70_000_000_000, i64::MIN, i64::MAX] {
            assert_eq!(of(secs), None);
        }
        assert!(is_notes_ref("refs/notes/backout") && is_notes_ref("refs/notes/backout-2026-01"));
        for odd in [
            "2026-13",
            "2026-00",
            "x",
            "",
            "2026-1",
            "026-01",
            "2026-011",
            "+026-01",
            "2026-01-02",
            "2026-01/x",
        ] {
            assert!(!is_notes_ref(&format!("{MONTH_REFS}{odd}")), "{odd}");
        }
        assert!(!is_notes_ref("refs/notes/backout/2026-01"));
    }
}
