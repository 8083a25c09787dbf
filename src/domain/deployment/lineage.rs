//! What a service ran, one state after the other: which change took an earlier one back, and which state a revert leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::deployment::{ChangeKind, Deployment, FieldChange};
use crate::domain::field::tokens::mask;
use crate::domain::history::snapshot::Person;
use crate::domain::history::trailers::trailer_value;
use crate::domain::ids::{CommitId, FilePath};
use crate::domain::schema::change::SchemaChange;
use crate::domain::text::one_line;
use crate::domain::time::Time;

/// A state that a service was in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Earlier {
    /// The commit that brought it. None for the state before the oldest change that is known.
    pub commit: Option<CommitId>,
    /// From when, as far as that is known …
    pub since: Option<Time>,
    /// … until when it ran.
    pub until: Time,
    /// The source text of each field that a revert to it changes: the file, the address and the text.
    pub fields: Vec<(FilePath, String, String)>,
}

impl Earlier {
    /// Itself in one line, for people: `v1.4.2 of a1b2c3d4e5, until 2026-11-20T03:14:15Z`.
    #[must_use]
    pub fn line(&self) -> String {
        let values: Vec<String> = self.fields.iter().take(3).map(|(.., text)| one_line(text, 40)).collect();
        let by = self.commit.map(|commit| format!(" of {}", commit.short())).unwrap_or_default();
        format!("{}{by}, until {}", values.join(", "), self.until)
    }
}

/// The changes of a service's release fields, newest first: deployments, people's rollbacks, and the agent's reverts.
///
/// State 0 is what runs now. State `i` is what ran before the newest `i` changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    changes: Vec<Deployment>,
    edits: Vec<Edit>,
}

/// What a commit that is no deployment changed in the files of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The commit.
    pub commit: CommitId,
    /// When it came to be on the branch.
    pub at: Time,
    /// Each place that it changed: the path of the file and the address in it.
    pub addresses: BTreeSet<String>,
    /// The changes of a database schema that it is.
    pub schema: Vec<SchemaChange>,
}

/// A change that brought back what had run before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The commit.
    pub commit: CommitId,
    /// Who made it.
    pub author: Person,
}

/// What makes a state good enough to go back to.
pub struct GoodState<'a> {
    /// How long a state must have run to count as tried, in seconds.
    pub tried_secs: i64,
    /// How many states back a revert may go.
    pub targets: usize,
    /// Whether one of these values is in quarantine.
    pub in_quarantine: &'a dyn Fn(&BTreeSet<String>) -> bool,
    /// Whether a change was found to be bad, or was reverted.
    pub is_bad: &'a dyn Fn(&Deployment) -> bool,
    /// Whether the state that this commit brought cannot run again, because an artifact of it is not there any more; none for the state
    /// before the oldest change.
    pub is_missing: &'a dyn Fn(Option<CommitId>) -> bool,
}

/// Where a revert of a deployment leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// To the newest good state: by taking these changes back, newest first.
    Undo(Vec<Deployment>, Earlier),
    /// None of the states within reach is good. These are within reach, newest first.
    NoneGood(Vec<Earlier>),
    /// Nowhere: a person or the agent has taken the deployment back since.
    TakenBack(CommitId),
    /// Nowhere by machine: the deployment still runs, or a part of it, and this commit on top of it went back with something.
    /// The states before would put that out again.
    Under(CommitId),
}

type Key = (FilePath, String);
type Values = BTreeMap<Key, String>;

impl Lineage {
    /// From the changes and other edits, newest first. Which of them are rollbacks is found out here.
    #[must_use]
    pub fn new(mut changes: Vec<Deployment>, edits: Vec<Edit>) -> Self {
        for index in (0..changes.len()).rev() {
            let (newer, older) = changes.split_at_mut(index + 1);
            if let Some(own) = newer.last_mut().filter(|own| own.kind == ChangeKind::Release)
                && let Some(taken_back) = takes_back(own, older)
            {
                own.kind = ChangeKind::Rollback(taken_back);
            }
        }
        Self { changes, edits }
    }

    /// The changes, newest first.
    #[must_use]
    pub fn changes(&self) -> &[Deployment] {
        &self.changes
    }

    /// The change that a commit made.
    #[must_use]
    pub fn of(&self, commit: CommitId) -> Option<&Deployment> {
        self.changes.iter().find(|change| change.commit == commit)
    }

    /// The change that brought a state, and those before it, newest first. Empty for the state before the oldest change.
    #[must_use]
    pub fn up_to(&self, state: Option<CommitId>) -> &[Deployment] {
        let brought = self.changes.iter().position(|change| Some(change.commit) == state);
        brought.and_then(|brought| self.changes.get(brought..)).unwrap_or_default()
    }

    /// The commits of so many of the newest changes.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = CommitId> {
        self.changes.iter().take(count).map(|change| change.commit)
    }

    /// When the next change landed after that of a commit; none where it is the newest.
    #[must_use]
    pub fn ended_at(&self, commit: CommitId) -> Option<Time> {
        let own = self.changes.iter().position(|change| change.commit == commit)?;
        Some(self.changes.get(own.checked_sub(1)?)?.at)
    }

    /// Who has changed one of these addresses since a change: the newest commit that did and is no deployment, and the
    /// address.
    #[must_use]
    pub fn changed_since(
        &self,
        oldest: &Deployment,
        addresses: &BTreeSet<String>,
    ) -> Option<(CommitId, String)> {
        let newer = self.edits.iter().take_while(|edit| edit.at >= oldest.at);
        newer
            .filter_map(|edit| Some((edit.commit, edit.addresses.intersection(addresses).next()?.clone())))
            .next()
    }

    /// The changes that brought back nothing but versions which an earlier change had replaced, newest first: the one that `commit`
    /// is, and those of the same fields up to so many seconds before it. What a revert of the agent lies behind does not count. None
    /// where the change of `commit` brings something new itself.
    #[must_use]
    pub fn returns(&self, commit: CommitId, within_secs: u32) -> Vec<Return> {
        let newest = self.changes.iter().position(|change| change.commit == commit);
        let since = self.changes.get(newest.unwrap_or(self.changes.len())..).unwrap_or_default();
        let Some(own) = since.first() else { return Vec::new() };
        let is_near = |change: &&Deployment| {
            change.kind != ChangeKind::OwnRevert && own.at.secs_since(change.at) <= i64::from(within_secs)
        };
        let near: Vec<&Deployment> = since.iter().take_while(is_near).collect();
        let versions = |change: &'_ Deployment| -> Vec<(Key, String, String)> {
            let versions = change.fields.iter().filter(|field| field.is_version() && field.addressed);
            versions.map(|field| (key(field), trailer_value(&field.old), trailer_value(&field.new))).collect()
        };
        let each: Vec<Vec<(Key, String, String)>> = near.iter().map(|change| versions(change)).collect();
        let keys: BTreeSet<&Key> = each.first().into_iter().flatten().map(|(key, ..)| key).collect();
        let is_return = |place: usize| {
            let older = each.get(place + 1..).unwrap_or_default();
            let ran = |key: &Key, value: &String| {
                older.iter().flatten().any(|(other, replaced, _)| other == key && replaced == value)
            };
            let mut own =
                each.get(place).into_iter().flatten().filter(|(key, ..)| keys.contains(key)).peekable();
            own.peek().is_some() && own.all(|(key, _, new)| ran(key, new))
        };
        if !is_return(0) {
            return Vec::new();
        }
        let found = near.iter().enumerate().filter(|(place, _)| is_return(*place));
        found.map(|(_, change)| Return { commit: change.commit, author: change.author.clone() }).collect()
    }

    /// The changes of a database schema, newest first, that no deployment of the service brought and that the state before a change has
    /// not been tried with, with their commits: those since the change, and those that came at most `tried_secs` before it, while that
    /// state ran. Many migrate first and deploy a minute later. Who goes back to before the change crosses them.
    #[must_use]
    pub fn migrated_since(&self, oldest: &Deployment, tried_secs: i64) -> Vec<(CommitId, SchemaChange)> {
        let own = self.changes.iter().position(|change| change.commit == oldest.commit);
        let before = own.and_then(|own| self.changes.get(own + 1));
        let begin = oldest.at.minus_secs(tried_secs);
        let begin = before.map_or(begin, |before| begin.max(before.at.plus_secs(1))).min(oldest.at);
        let newer = self.edits.iter().take_while(|edit| edit.at >= begin);
        newer.flat_map(|edit| edit.schema.iter().map(|change| (edit.commit, change.clone()))).collect()
    }

    /// Where the agent's reverts are the newest changes: these, newest first, and the change whose state they led back to. None
    /// where that state is none that the service ran before.
    #[must_use]
    pub fn led_back_to(&self) -> Option<(&[Deployment], &Deployment)> {
        let is_own = |change: &Deployment| change.kind == ChangeKind::OwnRevert;
        let count = self.changes.iter().take_while(|change| is_own(change)).count();
        let states = self.states();
        let brought = self.changes.iter().zip(&states).skip(count.max(1));
        let (to, _) =
            brought.filter(|(_, state)| states.first() == Some(state)).find(|(one, _)| !is_own(one))?;
        Some((self.changes.get(..count).filter(|reverts| !reverts.is_empty())?, to))
    }

    /// Where a revert of the deployment that `commit` is leads. None where the commit is not in the lineage.
    #[must_use]
    pub fn goal(&self, commit: CommitId, good: &GoodState<'_>) -> Option<Goal> {
        let own = self.changes.iter().position(|change| change.commit == commit)?;
        let states = self.states();
        // The newest changes may come to nothing together: a deployment, and its revert.
        let same = |state: &usize| states.get(*state) == states.first();
        let first = (0..=own).rev().find(same)?;
        let newer = self.changes.get(first..own)?;
        if let Some(back) = newer.iter().find(|change| change.kind != ChangeKind::Release) {
            let is_left = self.changes.get(own).is_some_and(|own| {
                let mut versions = own.fields.iter().filter(|field| field.is_version());
                let now = |field| states.first().and_then(|now| now.get(&key(field)));
                versions.any(|field| now(field) == Some(&trailer_value(&field.new)))
            });
            return Some(if is_left { Goal::Under(back.commit) } else { Goal::TakenBack(back.commit) });
        }
        let last = self.changes.len().min(own + good.targets.max(1));
        let mut reached = Vec::new();
        for state in own + 1..=last {
            let earlier = self.earlier(state, &states)?;
            if self.is_good(state, &states, good) {
                return Some(Goal::Undo(self.changes.get(first..state)?.to_vec(), earlier));
            }
            reached.push(earlier);
        }
        Some(Goal::NoneGood(reached))
    }

    /// As it was when the revert of a deployment was worked out that takes these others (`with`) back too: without what came
    /// later, and without the revert itself.
    #[must_use]
    pub fn as_decided(&self, commit: CommitId, with: &BTreeSet<CommitId>) -> Self {
        let own = self.changes.iter().position(|change| change.commit == commit).unwrap_or(0);
        let newer = self.changes.get(..own).unwrap_or_default();
        let later = newer.iter().rposition(|change| !with.contains(&change.commit));
        let first = later.map_or(0, |later| later + 1);
        let changes = self.changes.get(first..).unwrap_or_default().to_vec();
        Self { changes, edits: self.edits.clone() }
    }

    /// The good states before the deployment that `commit` is, newest first, at most `max` of them.
    #[must_use]
    pub fn good_before(&self, commit: CommitId, good: &GoodState<'_>, max: usize) -> Vec<Earlier> {
        let Some(own) = self.changes.iter().position(|change| change.commit == commit) else {
            return Vec::new();
        };
        let states = self.states();
        let is_good = |state: &usize| self.is_good(*state, &states, good);
        let found = (own + 1..=self.changes.len()).filter(is_good);
        found.filter_map(|state| self.earlier(state, &states)).take(max).collect()
    }

    /// The values of all fields that ever changed, in each state.
    fn states(&self) -> Vec<Values> {
        let mut now = Values::new();
        for change in self.changes.iter().rev() {
            for field in &change.fields {
                now.entry(key(field)).or_insert_with(|| trailer_value(&field.old));
            }
        }
        let mut states = vec![now.clone()];
        for change in self.changes.iter().rev() {
            for field in &change.fields {
                now.insert(key(field), trailer_value(&field.new));
            }
            states.push(now.clone());
        }
        states.reverse();
        states
    }

    fn is_good(&self, state: usize, states: &[Values], good: &GoodState<'_>) -> bool {
        let undone = self.changes.get(..state).unwrap_or_default();
        let Some(values) = states.get(state).filter(|values| states.first() != Some(values)) else {
            return false;
        };
        let is_version = |field: &&FieldChange| field.is_version();
        let touched = undone.iter().flat_map(|change| &change.fields).filter(is_version);
        let held: BTreeSet<String> = touched.filter_map(|field| values.get(&key(field)).cloned()).collect();
        let brought = self.changes.get(state).map(|change| change.commit);
        if (good.in_quarantine)(&held) || (good.is_missing)(brought) {
            return false;
        }
        // The same values may have run before, and longer.
        let same = (state..states.len()).filter(|other| states.get(*other) == Some(values));
        let mut tried = false;
        for one in same {
            if self.changes.get(one).is_some_and(|brought| (good.is_bad)(brought)) || self.was_taken_back(one)
            {
                return false;
            }
            tried |= self.secs(one).is_none_or(|secs| secs >= good.tried_secs);
        }
        tried
    }

    /// Whether a person ended this state by going back.
    fn was_taken_back(&self, state: usize) -> bool {
        let ended_by = state.checked_sub(1).and_then(|newer| self.changes.get(newer));
        let is_back = |kind| matches!(kind, ChangeKind::Rollback(_) | ChangeKind::Unproven(_));
        ended_by.is_some_and(|change| is_back(change.kind))
    }

    /// How long a state ran, in seconds. None for the oldest, whose beginning is not known.
    fn secs(&self, state: usize) -> Option<i64> {
        let until = state.checked_sub(1).and_then(|newer| self.changes.get(newer))?.at;
        Some(until.secs_since(self.changes.get(state)?.at))
    }

    fn earlier(&self, state: usize, states: &[Values]) -> Option<Earlier> {
        let undone = self.changes.get(..state)?;
        let brought = self.changes.get(state);
        let values = states.get(state)?;
        let mut fields: Vec<(FilePath, String, String)> = Vec::new();
        for field in undone.iter().flat_map(|change| &change.fields) {
            let is_known =
                fields.iter().any(|(path, address, _)| *path == field.path && *address == field.address);
            if let Some(value) = values.get(&key(field)).filter(|_| !is_known) {
                fields.push((field.path.clone(), field.address.clone(), value.clone()));
            }
        }
        Some(Earlier {
            commit: brought.map(|change| change.commit),
            since: brought.map(|change| change.at),
            until: undone.last()?.at,
            fields,
        })
    }
}

/// By what a field is known from change to change: a file that carries its version in its name is the same file.
fn key(field: &FieldChange) -> Key {
    let masked = FilePath::new(mask(field.path.as_str())).unwrap_or_else(|_| field.path.clone());
    (masked, field.address.clone())
}

/// The newest of the older changes that a change takes back, if it does: a version in it is one that an earlier change
/// replaced. Others may be new, as where a person goes back and forward with one commit: taking all of it back would put out
/// again what was taken away. What was itself a rollback, or the agent's revert, did not replace anything that was good:
/// whoever brings that back deploys it again.
fn takes_back(own: &Deployment, older: &[Deployment]) -> Option<CommitId> {
    let versions: Vec<&FieldChange> = own.fields.iter().filter(|field| field.is_version()).collect();
    let wanted = if versions.is_empty() { own.fields.iter().collect() } else { versions };
    let replaced_by = |field: &&FieldChange| {
        let replaced = |change: &&Deployment| {
            change.kind == ChangeKind::Release
                && change.fields.iter().any(|theirs| {
                    key(theirs).0 == key(field).0
                        && (theirs.address == field.address || !theirs.addressed)
                        && trailer_value(&theirs.old) == trailer_value(&field.new)
                })
        };
        older.iter().find(replaced).map(|change| change.commit)
    };
    wanted.iter().find_map(replaced_by)
}

#[cfg(test)]
mod tests;
