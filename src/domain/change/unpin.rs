//! The commit that takes pins off again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Pins};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::Content;
use crate::domain::history::trailers::UNPINS_TRAILER;
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::pin::Pin;
use crate::domain::text::{inert, one_line};
use crate::domain::time::Time;

/// What is taken off.
#[derive(Clone, Debug)]
pub struct Unpin<'a> {
    /// The revert that wrote the pins.
    pub entry: &'a RevertEntry,
    /// The pins.
    pub pins: &'a [&'a Pin],
    /// Why, in words.
    pub why: &'a str,
    /// The files without them.
    pub files: BTreeMap<FilePath, Option<Content>>,
}

/// The commit that takes pins of a revert off, on top of the branch's head. It has none of the trailers by which a revert is known.
#[must_use]
pub fn unpin(unpin: Unpin<'_>, branch: &BranchName, head: CommitId, at: Time) -> Change {
    let Unpin { entry, pins, why, files } = unpin;
    let message = message(entry, pins, why);
    Change {
        id: entry.id.clone(),
        environment: entry.environment.clone(),
        service: entry.service.clone(),
        branch: branch.clone(),
        base: head,
        reverts: entry.reverts,
        with: Vec::new(),
        bad_values: BTreeSet::new(),
        files,
        fields: Vec::new(),
        along: Vec::new(),
        left_behind: Vec::new(),
        doubts: Vec::new(),
        checked: Vec::new(),
        pins: Pins::default(),
        together: None,
        message,
        at,
    }
}

fn message(entry: &RevertEntry, pins: &[&Pin], why: &str) -> String {
    let versions: BTreeSet<&str> = pins.iter().flat_map(|pin| &pin.versions).map(String::as_str).collect();
    let versions = one_line(&versions.into_iter().collect::<Vec<_>>().join(", "), 60);
    let (service, environment) = (&entry.service, &entry.environment);
    let each: String = pins.iter().map(|pin| format!("- {}\n", one_line(&pin.to_string(), 300))).collect();
    let text = format!(
        "Unpin {service} in {environment}: {versions}\n\nThe revert {} kept it out, so that no automation put it back. This takes \
         that off again: {}.\n\n{each}\n",
        entry.commit.short(),
        one_line(why, 200),
    );
    let trailers = format!(
        "{UNPINS_TRAILER}: {}\nBackout-Service: {service}\nBackout-Environment: {environment}\n",
        entry.commit
    );
    inert(&text) + &trailers
}
