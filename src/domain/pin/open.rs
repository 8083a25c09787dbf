//! Which pins are open, and which of them are due to be taken off.

use std::collections::BTreeMap;

use super::lift::lift;
use super::types::{NoPin, Pin};
use super::versions::is_older;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::FilePath;
use crate::domain::time::Time;

/// A pin that a revert says it wrote, with the file before and after the revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenPin {
    /// The revert.
    pub entry: RevertEntry,
    /// The pin.
    pub pin: Pin,
    /// Until when it holds.
    pub until: Time,
    /// The file before the revert …
    pub before: String,
    /// … and after it.
    pub after: String,
}

/// How a pin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinState {
    /// It is there as it was written.
    Open,
    /// The versions are still kept out there, and not as it was written.
    Changed,
}

/// The pins that are still there, in the order of `written`, which are all of them with the newest first. `texts` are the files now.
///
/// A newer pin may have been written on top of an older one.
#[must_use]
pub fn standing<'w>(
    written: &'w [WrittenPin],
    texts: &BTreeMap<FilePath, String>,
) -> Vec<(&'w WrittenPin, PinState)> {
    let mut texts = texts.clone();
    let mut found = Vec::new();
    for one in written.iter().filter(|one| lift(&one.pin, &one.before, &one.after).is_some()) {
        let Some(text) = texts.get(&one.pin.path) else { continue };
        if let Some(without) = lift(&one.pin, &one.before, text) {
            texts.insert(one.pin.path.clone(), without);
            found.push((one, PinState::Open));
        } else if one.pin.put(text) == Err(NoPin::Already) {
            found.push((one, PinState::Changed));
        }
    }
    found
}

/// What a service runs since a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsSince {
    /// What the revert put back, as far as is known.
    Restored,
    /// A value that was backed out: automation has put it back, or a person has.
    Backed {
        /// Whether a person has.
        by_person: bool,
    },
    /// Something else.
    Other(String),
}

/// Why a pin is to be taken off, in words; none while it is not.
#[must_use]
pub fn due(pin: &WrittenPin, runs: &RunsSince, now: Time) -> Option<String> {
    if now >= pin.until {
        return Some(format!("its time was over at {}", pin.until));
    }
    match runs {
        RunsSince::Restored | RunsSince::Backed { by_person: false } => None,
        RunsSince::Backed { by_person: true } => Some("a person has put it back on purpose".to_owned()),
        // Someone went further back: the newer version must not come on its own.
        RunsSince::Other(value) if pin.pin.versions.iter().any(|version| is_older(value, version)) => None,
        RunsSince::Other(value) => Some(format!("the service runs {value} by now")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::ids::CommitId;
    use crate::domain::pin::Mechanism;

    const RANGE: &str =
        "kind: ImagePolicy\nmetadata: {name: web}\nspec: {policy: {semver: {range: '>=1.0.0'}}}\n";

    fn written(version: &str, before: &str) -> WrittenPin {
        let pin = Pin {
            mechanism: Mechanism::FluxExclude,
            path: "web.yaml".parse().unwrap(),
            object: "web".to_owned(),
            versions: vec![version.to_owned()],
        };
        let after = pin.put(before).unwrap().apply(before);
        let entry = RevertEntry {
            id: version.to_owned(),
            commit: CommitId::from_bytes([1; 20]),
            at: Time::from_unix(1_000),
            environment: "production".parse().unwrap(),
            service: "web".parse().unwrap(),
            reverts: CommitId::from_bytes([2; 20]),
            with: Vec::new(),
            bad_values: BTreeSet::from([version.to_owned()]),
            requested: false,
            together_with: None,
            then: Vec::new(),
        };
        WrittenPin { entry, pin, until: Time::from_unix(2_000), before: before.to_owned(), after }
    }

    fn shown(written: &[WrittenPin], text: &str) -> Vec<(String, PinState)> {
        let texts = BTreeMap::from([("web.yaml".parse().unwrap(), text.to_owned())]);
        let all = standing(written, &texts);
        all.into_iter().map(|(one, state)| (one.pin.versions.join(","), state)).collect()
    }

    #[test]
    fn a_pin_stands_as_long_as_the_file_holds_it() {
        let first = written("1.5.0", RANGE);
        let second = written("1.5.1", &first.after);
        let (open, changed) = (PinState::Open, PinState::Changed);
        let both = [second.clone(), first.clone()];
        let named = |version: &str, state| (version.to_owned(), state);
        assert_eq!(shown(&both, &second.after), [named("1.5.1", open), named("1.5.0", open)]);
        assert_eq!(shown(&both, &first.after), [named("1.5.0", open)]);
        assert_eq!(shown(&both, RANGE), []);
        let by_hand = second.after.replace(">=1.0.0", ">=1.2.0");
        assert_eq!(shown(&both, &by_hand), [named("1.5.1", changed), named("1.5.0", changed)]);
        assert_eq!(shown(&both, "kind: ImagePolicy\n"), []);
        // A commit that only says that it pinned has not.
        let forged = WrittenPin { after: first.before.clone(), ..first.clone() };
        assert_eq!(shown(&[forged], &first.after), []);
    }

    #[test]
    fn a_pin_is_due_by_its_time_or_by_what_runs() {
        let pin = written("1.5.0", RANGE);
        let at = |runs: RunsSince, now: i64| due(&pin, &runs, Time::from_unix(now));
        let other = |value: &str| RunsSince::Other(value.to_owned());
        assert_eq!(at(RunsSince::Restored, 1_999), None);
        assert_eq!(at(RunsSince::Restored, 2_000).unwrap(), "its time was over at 1970-01-01T00:33:20Z");
        for (runs, wanted) in [
            (other("1.5.1"), Some("the service runs 1.5.1 by now")),
            (other("v1.6"), Some("the service runs v1.6 by now")),
            (other("main-4f2a91c"), Some("the service runs main-4f2a91c by now")),
            (other("1.4.9"), None),
            (RunsSince::Backed { by_person: false }, None),
            (RunsSince::Backed { by_person: true }, Some("a person has put it back on purpose")),
        ] {
            assert_eq!(at(runs.clone(), 1_500).as_deref(), wanted, "{runs:?}");
        }
    }
}
