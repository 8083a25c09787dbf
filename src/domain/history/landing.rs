//! When commits came to a branch. Git does not know it: a commit is dated when it is made, and may be pushed or merged much
//! later. A forge does.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ids::CommitId;
use crate::domain::time::{Time, human_secs};

/// A move of a branch, as a forge has logged it: a push, or the merge of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchMove {
    /// Where the branch was after it.
    pub after: CommitId,
    /// When it was.
    pub at: Time,
}

/// What is known of where a branch was at some time: that it was at a commit from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where the branch was.
    pub tip: CommitId,
    /// When it was first seen there.
    pub first: Time,
    /// When it was last seen there.
    pub last: Time,
    /// Whether the branch came there at `first`: the forge has logged the move. Else it may have been there before.
    pub is_exact: bool,
}

/// How it is known when a commit came to be on the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LandedBy {
    /// The forge has logged the move of the branch.
    Forge,
    /// It was not there when the agent looked, and was there when it looked again.
    Sighting,
    /// The same, as an earlier pass has written it into the notes. Anybody who may push notes can write that.
    Record,
    /// Nothing is known but the time that its committer gave.
    Committer,
}

/// When a commit came to be on the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Landing {
    /// The time that is taken for it.
    pub at: Time,
    /// It was not before this …
    pub earliest: Time,
    /// … and not after this.
    pub latest: Time,
    /// How that is known.
    pub by: LandedBy,
    /// The time that the committer gave, as it stands in the commit.
    pub committed: Time,
}

/// How far back it matters when a commit landed, in seconds: of what landed earlier nothing is judged or told any more.
pub const RECENT_SECS: i64 = 86_400;

/// How long it may be open when a commit landed without that being a doubt: two passes of a cron job are as far apart.
const CLOSE_SECS: i64 = 300;

impl Landing {
    /// By the committer's time alone.
    #[must_use]
    pub fn by_committer(at: Time) -> Self {
        Self { at, earliest: at, latest: at, by: LandedBy::Committer, committed: at }
    }

    /// Whether nobody can say if what began at a time began before the commit landed or after it, and it matters though
    /// nothing else was deployed: it may have landed long after.
    #[must_use]
    pub fn leaves_open(&self, since: Time) -> bool {
        self.may_be_after(since) && self.latest.secs_since(self.earliest) > CLOSE_SECS
    }

    /// Whether the commit may have landed before a time, and may have landed after it.
    #[must_use]
    pub fn may_be_after(&self, since: Time) -> bool {
        self.earliest <= since && since < self.latest
    }

    /// Whether it was so long after the committer's time that this is worth a record: who dates the commit by its committer is
    /// wrong by more than two passes of a cron job are apart.
    #[must_use]
    pub fn is_worth_a_record(&self) -> bool {
        self.by == LandedBy::Sighting && self.is_late(self.at)
    }

    /// Whether a time is long after the committer's.
    #[must_use]
    pub fn is_late(&self, at: Time) -> bool {
        at.secs_since(self.committed) > CLOSE_SECS
    }

    /// Whether a record has moved it from before something began to after it.
    #[must_use]
    pub fn is_let_off(&self, since: Time) -> bool {
        self.by == LandedBy::Record && self.committed <= since && since < self.at
    }

    /// How it is known, for people, where there is more to say than that the committer's time is taken for it.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let late = self.at.secs_since(self.committed);
        let committed = match late {
            0..60 if self.by == LandedBy::Committer => return None,
            -60..60 => String::new(),
            ahead if ahead < 0 => format!(", {} before the time that its committer gave", human_secs(-ahead)),
            late => format!(", {} after it was committed", human_secs(late)),
        };
        Some(match self.by {
            LandedBy::Forge => format!("landed then by the forge's log{committed}"),
            LandedBy::Sighting | LandedBy::Record => {
                let who = if self.by == LandedBy::Sighting { "seen" } else { "recorded" };
                if self.earliest == self.latest {
                    format!("{who} to land at {}{committed}", self.latest)
                } else {
                    format!("{who} to land between {} and {}{committed}", self.earliest, self.latest)
                }
            }
            // It cannot have landed before the one that it is made on.
            LandedBy::Committer if late > 0 => format!("not before its parent{committed}"),
            LandedBy::Committer => format!("by the committer's clock{committed}"),
        })
    }
}

/// When each commit of a first-parent chain landed. `commits` are the commits with the times that their committers gave, and
/// with the times that are believed of these ([`settle_times`](super::snapshot::settle_times)), newest first; `seen` is what
/// is known of the branch, and `told` are the looks in the notes.
///
/// What is told counts only where nothing is known, and only between the time that is believed of the committer and the
/// first time at which the commit is known to have been there:
///
/// - A lie that a commit landed *earlier* would blame it for damage from before it. No record moves a commit to before its
///   committer's time, or to before its parent.
/// - A lie that it landed *later* would hide damage of its own, or would have a commit of long ago judged again and blamed for
///   damage of today. The first is nothing new: who may write notes can write a verdict. Against the second, who acts must
///   ask [`LandedBy::Record`]: what would not be blamed without the record is a person's to revert.
#[must_use]
pub fn landings(
    commits: &[(CommitId, Time, Time)],
    seen: &[Sighting],
    told: &[Sighting],
    now: Time,
) -> Vec<Landing> {
    let (seen, told) = (until(seen, now), until(told, now));
    let (seen, told) = (seen.as_slice(), told.as_slice());
    let mut tips: Vec<CommitId> = seen.iter().chain(told).map(|one| one.tip).collect();
    tips.sort_unstable();
    let is_tip = |(_, (id, ..)): &(usize, &(CommitId, Time, Time))| tips.binary_search(id).is_ok();
    let places: HashMap<CommitId, usize> =
        commits.iter().enumerate().filter(is_tip).map(|(place, (id, ..))| (*id, place)).collect();
    let (moves, looks) = (placed(seen, true, &places), placed(seen, false, &places));
    let told = placed(told, false, &places);
    let mut landings: Vec<Landing> = Vec::with_capacity(commits.len());
    for (place, (_, committed, believed)) in commits.iter().enumerate() {
        let (earliest, look) = around(&looks, last_come(&looks, place), now);
        let latest = look.unwrap_or(now);
        let come = last_come(&moves, place);
        let moved = come.and_then(|come| moves.get(come));
        let by_move = moved.filter(|one| come != Some(0) || one.2 == place).map(|one| one.0);
        let known_by = moved.map_or(latest, |one| one.0.min(latest));
        // The log may know that it was taken off after the look that found it.
        let taken_off = come.and_then(|come| moves.get(come.checked_sub(1)?)).map(|one| one.0);
        let latest =
            latest.max(by_move.filter(|_| taken_off.is_some_and(|off| off > latest)).unwrap_or(latest));
        landings.push(match (by_move, earliest) {
            (Some(at), _) => {
                let at = at.min(latest);
                Landing { at, earliest: at, latest: at, by: LandedBy::Forge, committed: *committed }
            }
            (None, Some(earliest)) if *believed < earliest => {
                Landing { at: earliest, earliest, latest, by: LandedBy::Sighting, committed: *committed }
            }
            // A clock that is ahead.
            (None, earliest) if *committed > latest => {
                let by = if look.is_some() { LandedBy::Sighting } else { LandedBy::Committer };
                let earliest = earliest.unwrap_or(Time::from_unix(0));
                Landing { at: latest, earliest, latest, by, committed: *committed }
            }
            (None, None)
                if let Some(landing) = by_record(&told, place, (*committed, *believed), known_by) =>
            {
                landing
            }
            (None, earliest) => {
                let latest = earliest.map_or(*believed, |_| latest);
                let by = LandedBy::Committer;
                Landing { at: *believed, earliest: *believed, latest, by, committed: *committed }
            }
        });
    }
    // None lands before the one that it is made on.
    for place in (0..landings.len().saturating_sub(1)).rev() {
        let Some(parent) = landings.get(place + 1).copied() else { continue };
        if let Some(own) = landings.get_mut(place) {
            own.earliest = own.earliest.max(parent.earliest).min(now);
            if own.at < parent.at {
                (own.at, own.by) = (parent.at, parent.by);
            }
            own.earliest = own.earliest.min(own.at);
            own.latest = own.latest.max(own.at);
        }
    }
    landings
}

/// When the branch was first and last seen at a commit, and the place of that commit in the chain.
type Placed = (Time, Time, usize);

/// The sightings of one kind whose commits are in the chain, in the order of time.
fn placed(seen: &[Sighting], is_exact: bool, places: &HashMap<CommitId, usize>) -> Vec<Placed> {
    let of_kind = seen.iter().filter(|one| one.is_exact == is_exact);
    let mut found: Vec<Placed> =
        of_kind.filter_map(|one| Some((one.first, one.last, *places.get(&one.tip)?))).collect();
    // Within a second the branch went forward, too.
    found.sort_by_key(|(first, last, place)| (*first, *last, Reverse(*place)));
    found
}

/// The first sighting of a commit after the last one without it. What was taken off the branch and came again landed when it came
/// again: until then it did nothing.
fn last_come(seen: &[Placed], place: usize) -> Option<usize> {
    let without = seen.iter().rposition(|one| one.2 > place);
    let since = without.map_or(0, |without| without + 1);
    (since < seen.len()).then_some(since)
}

/// The last look before the one `with` a commit, and that one, not after `until`.
fn around(looks: &[Placed], with: Option<usize>, until: Time) -> (Option<Time>, Option<Time>) {
    let latest = with.and_then(|with| looks.get(with)).map(|one| one.0.min(until));
    let before = looks.get(..with.unwrap_or(looks.len())).unwrap_or_default();
    let earliest = before.iter().map(|one| one.1).max();
    (earliest.filter(|earliest| *earliest <= latest.unwrap_or(until)), latest)
}

/// When a commit landed by what is told of it, where that is long after the time that is taken without it. `known_by` is when
/// it was there for sure.
fn by_record(
    told: &[Placed],
    place: usize,
    (committed, believed): (Time, Time),
    known_by: Time,
) -> Option<Landing> {
    let (earliest, latest) = around(told, told.iter().position(|one| one.2 <= place), known_by);
    let at = earliest.filter(|earliest| earliest.secs_since(believed) > CLOSE_SECS)?;
    let latest = latest.unwrap_or(known_by);
    Some(Landing { at, earliest: at, latest, by: LandedBy::Record, committed })
}

/// The two looks between which a commit landed: the last one without it, and the first one with it. `chain` are the commits of
/// the branch, newest first, as far back as this one at least; what is further back was there before it.
#[must_use]
pub fn looks_around(chain: &[CommitId], seen: &[Sighting], commit: CommitId) -> Option<(Sighting, Sighting)> {
    let place = chain.iter().position(|id| *id == commit)?;
    let with: HashSet<&CommitId> = chain.iter().take(place + 1).collect();
    let looks = || seen.iter().filter(|one| !one.is_exact);
    let first = looks().filter(|one| with.contains(&one.tip)).min_by_key(|one| one.first)?;
    let before = looks().filter(|one| !with.contains(&one.tip) && one.last <= first.first);
    Some((before.max_by_key(|one| one.last)?.clone(), first.clone()))
}

/// What was seen until a time: what a clock that was ahead has written down says nothing beyond it.
fn until(seen: &[Sighting], now: Time) -> Vec<Sighting> {
    let past = seen.iter().filter(|one| one.first <= now);
    past.map(|one| Sighting { last: one.last.min(now), ..one.clone() }).collect()
}

/// The most sightings that are kept of a branch.
const MAX_SIGHTINGS: usize = 200;

/// What is known of a branch with something new, the oldest first: looking again at the same place makes the last look
/// longer, and what is known already is not kept twice. What was seen later than the newest look is forgotten: the clock was ahead
/// then.
#[must_use]
pub fn with_sightings(mut known: Vec<Sighting>, new: &[Sighting]) -> Vec<Sighting> {
    if let Some(now) = new.iter().filter(|one| !one.is_exact).map(|one| one.last).max() {
        known = until(&known, now);
    }
    for one in new {
        if known.contains(one) {
            continue;
        }
        let last = known.iter_mut().filter(|known| !known.is_exact).max_by_key(|known| known.last);
        match last.filter(|last| !one.is_exact && last.tip == one.tip) {
            Some(last) => last.last = last.last.max(one.last),
            None => known.push(one.clone()),
        }
    }
    known.sort_by_key(|one| one.first);
    known.split_off(known.len().saturating_sub(MAX_SIGHTINGS))
}

#[cfg(test)]
mod tests;
