//! The pins that reverts on the branch have written, as far as they are still there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::Pass;
use super::state::State;
use crate::domain::deployment::{Deployment, Documents, deployments_of};
use crate::domain::environment::Environment;
use crate::domain::field::tokens::version_of;
use crate::domain::field::values_at;
use crate::domain::history::automation::is_automation;
use crate::domain::history::ledger::{RevertEntry, pins_claimed, unpinned_by};
use crate::domain::history::snapshot::{Commit, Content, Snapshot};
use crate::domain::history::trailers::trailer_value;
use crate::domain::ids::{CommitId, FilePath, ServiceName};
use crate::domain::pin::Pin;
use crate::domain::pin::open::{PinState, RunsSince, WrittenPin, standing};
use crate::domain::time::Time;
use crate::ports::{Repository, RepositoryError};

/// The pins of an environment, with what it takes to take them off.
#[derive(Default)]
pub(in crate::agent) struct FoundPins {
    /// All that reverts say they wrote, newest first.
    pub written: Vec<WrittenPin>,
    /// Their files now.
    pub texts: BTreeMap<FilePath, String>,
    /// What the services run since the reverts, by the commit of each.
    pub runs: BTreeMap<CommitId, RunsSince>,
}

/// Reads the pins of these reverts, newest first, at the head of the snapshot. `detected` are the deployments that are known.
pub(in crate::agent) async fn find_pins(
    pass: &Pass<'_>,
    snapshot: &Arc<Snapshot>,
    reverts: &[RevertEntry],
    detected: &[Deployment],
) -> Result<FoundPins, RepositoryError> {
    let claims = |entry: &RevertEntry| {
        let commit = snapshot.commits.iter().find(|commit| commit.id == entry.commit)?;
        let (pins, until) = pins_claimed(commit, entry)?;
        let pins: Vec<Pin> = pins.into_iter().filter_map(Pin::of_trailer).collect();
        let back = detected.iter().find(|one| one.brings_back(entry, u32::MAX));
        let automation = &pass.environment.services.get(back.map_or(0, |one| one.rule))?.policy.automation;
        let by_person = back.is_some_and(|one| !is_automation(&one.author, automation));
        // It holds for a later revert of the same value too, which has found it there and written none.
        let for_secs = pass.environment.services.get(back.map_or(0, |one| one.rule))?.policy.pin.for_secs;
        let is_same = |other: &&RevertEntry| {
            other.service == entry.service
                && other.at > entry.at
                && !other.bad_values.is_disjoint(&entry.bad_values)
        };
        let renewed = reverts.iter().filter(is_same).map(|other| other.at.plus_secs(for_secs.into())).max();
        let until = renewed.map_or(until, |renewed| until.max(renewed));
        Some(Claimed { commit: commit.clone(), entry: entry.clone(), pins, until, by_person })
    };
    // What stands there again after they came off was written by somebody else.
    let off: BTreeSet<(CommitId, ServiceName)> = snapshot.commits.iter().flat_map(unpinned_by).collect();
    let is_on = |entry: &&RevertEntry| !off.contains(&(entry.commit, entry.service.clone()));
    let claimed: Vec<Claimed> = reverts.iter().filter(is_on).filter_map(claims).collect();
    if claimed.is_empty() {
        return Ok(FoundPins::default());
    }
    let (environment, head) = (Arc::clone(pass.environment), snapshot.head);
    let read = pass.git(move |repository| {
        let mut found = FoundPins::default();
        for one in claimed {
            let parent = one.commit.parent;
            for pin in one.pins.iter().cloned() {
                let before =
                    parent.map(|parent| text_at(repository, parent, &pin.path)).transpose()?.flatten();
                let after = text_at(repository, one.commit.id, &pin.path)?;
                let Some((before, after)) = before.zip(after) else { continue };
                if let Some(now) = text_at(repository, head, &pin.path)? {
                    found.texts.insert(pin.path.clone(), now);
                }
                found.written.push(WrittenPin {
                    entry: one.entry.clone(),
                    pin,
                    until: one.until,
                    before,
                    after,
                });
            }
            let runs = runs_since(repository, &environment, head, &one)?;
            found.runs.insert(one.commit.id, runs);
        }
        Ok(found)
    });
    read.await
}

/// The pins that stand as reverts on the branch have written them, each in words, by the commits of the reverts.
pub(in crate::agent) async fn standing_pins(
    pass: &Pass<'_>,
    state: &State,
) -> Result<BTreeMap<CommitId, Vec<String>>, RepositoryError> {
    let found = find_pins(pass, &state.snapshot, &state.landed, &state.detected).await?;
    let mut pins: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();
    for (one, at) in standing(&found.written, &found.texts) {
        if at == PinState::Open {
            pins.entry(one.entry.commit).or_default().push(one.pin.to_string());
        }
    }
    Ok(pins)
}

/// What a revert says that it pinned.
struct Claimed {
    commit: Commit,
    entry: RevertEntry,
    pins: Vec<Pin>,
    until: Time,
    /// Whether a person has put back what it backed out.
    by_person: bool,
}

/// A file as text; none where it is not there or no text.
fn text_at(
    repository: &dyn Repository,
    commit: CommitId,
    path: &FilePath,
) -> Result<Option<String>, RepositoryError> {
    let bytes = match repository.content(commit, path) {
        // The history that is here may not go back to it.
        Err(RepositoryError::NotFound(_)) => None,
        read => read?,
    };
    Ok(bytes.as_ref().and_then(Content::bytes).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
}

/// What the service of a revert runs at the head: the fields that the revert put back, as they are now.
fn runs_since(
    repository: &dyn Repository,
    environment: &Environment,
    head: CommitId,
    claimed: &Claimed,
) -> Result<RunsSince, RepositoryError> {
    let own = deployments_of(&claimed.commit, environment, &Documents::default());
    let own = own.into_iter().find(|one| one.service == claimed.entry.service);
    for field in own.iter().flat_map(|one| &one.fields).filter(|field| field.is_version()) {
        let content = repository.content(head, &field.path)?;
        let bytes = content.as_ref().and_then(Content::bytes).unwrap_or_default();
        let Some(now) = values_at(bytes, &[&field.address]).pop().flatten() else { continue };
        let value = trailer_value(&now);
        if value == trailer_value(&field.new) {
            continue;
        }
        let is_bad = claimed.entry.bad_values.contains(&value);
        return Ok(match is_bad {
            true => RunsSince::Backed { by_person: claimed.by_person },
            false => RunsSince::Other(version_of(&value).to_owned()),
        });
    }
    Ok(RunsSince::Restored)
}
