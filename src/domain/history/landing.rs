//! When commits came to a branch. Git does not know it: a commit is dated when it is made, and may be pushed or merged much
//! later. A forge does.

use std::cmp::Reverse;
use std::collections::HashMap;

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
            LandedBy::Sighting => {
                let (earliest, latest) = (self.earliest, self.latest);
                format!("seen to land between {earliest} and {latest}{committed}")
            }
            LandedBy::Committer => format!("by the committer's clock{committed}"),
        })
    }
}

/// When each commit of a first-parent chain landed. `commits` are the commits with the times that their committers gave, and
/// with the times that are believed of these ([`settle_times`](super::snapshot::settle_times)), newest first; `seen` is what
/// is known of the branch.
#[must_use]
pub fn landings(commits: &[(CommitId, Time, Time)], seen: &[Sighting], now: Time) -> Vec<Landing> {
    let places: HashMap<CommitId, usize> =
        commits.iter().enumerate().map(|(place, (id, ..))| (*id, place)).collect();
    let placed = |is_exact: bool| {
        let of_kind = seen.iter().filter(move |one| one.is_exact == is_exact);
        let mut found: Vec<(Time, Time, usize)> =
            of_kind.filter_map(|one| Some((one.first, one.last, *places.get(&one.tip)?))).collect();
        // Within a second the branch went forward, too.
        found.sort_by_key(|(first, last, place)| (*first, *last, Reverse(*place)));
        found
    };
    let (moves, looks) = (placed(true), placed(false));
    let mut landings: Vec<Landing> = Vec::with_capacity(commits.len());
    for (place, (_, committed, believed)) in commits.iter().enumerate() {
        let holds = |one: &&(Time, Time, usize)| one.2 <= place;
        let look = looks.iter().position(|one| one.2 <= place);
        let latest = look.and_then(|look| looks.get(look)).map_or(now, |one| one.0.min(now));
        let before = looks.get(..look.unwrap_or(looks.len())).unwrap_or_default();
        let earliest = before.iter().map(|one| one.1).max().filter(|earliest| *earliest <= latest);
        let moved = moves.iter().position(|one| one.2 <= place);
        let is_first = moved == Some(0);
        let by_move = moves.iter().find(holds).filter(|one| !is_first || one.2 == place).map(|one| one.0);
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

/// The most sightings that are kept of a branch.
const MAX_SIGHTINGS: usize = 200;

/// What is known of a branch with something new, the oldest first: looking again at the same place makes the last look
/// longer, and what is known already is not kept twice.
#[must_use]
pub fn with_sightings(mut known: Vec<Sighting>, new: &[Sighting]) -> Vec<Sighting> {
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
mod tests {
    use super::*;

    fn id(n: u8) -> CommitId {
        CommitId::from_bytes([n; 20])
    }

    fn look(tip: u8, first: i64, last: i64) -> Sighting {
        Sighting { tip: id(tip), first: Time::from_unix(first), last: Time::from_unix(last), is_exact: false }
    }

    fn moved(tip: u8, at: i64) -> Sighting {
        Sighting { is_exact: true, ..look(tip, at, at) }
    }

    /// Commits 3, 2 and 1 with their committers' times, newest first: when each landed, from when to when, and how that is
    /// known.
    fn landed(times: [i64; 3], seen: &[Sighting], now: i64) -> Vec<(i64, i64, i64, LandedBy)> {
        let now = Time::from_unix(now);
        let mut believed: Vec<Time> = times.iter().copied().map(Time::from_unix).collect();
        crate::domain::history::snapshot::settle_times(&mut believed, now);
        let commits: Vec<(CommitId, Time, Time)> = [3, 2, 1]
            .into_iter()
            .zip(times)
            .zip(believed)
            .map(|((n, raw), believed)| (id(n), Time::from_unix(raw), believed))
            .collect();
        let shown = |one: Landing| (one.at.unix(), one.earliest.unix(), one.latest.unix(), one.by);
        landings(&commits, seen, now).into_iter().map(shown).collect()
    }

    #[test]
    fn without_more_the_committers_time_is_taken() {
        let found = landed([9_000, 5_000, 1_000], &[], 9_100);
        let by = LandedBy::Committer;
        assert_eq!(found, [(9_000, 9_000, 9_000, by), (5_000, 5_000, 5_000, by), (1_000, 1_000, 1_000, by)]);
        // The first look of all says nothing about the time before.
        assert_eq!(landed([9_000, 5_000, 1_000], &[look(3, 9_100, 9_100)], 9_100), found);
    }

    #[test]
    fn what_lands_long_after_it_was_committed_is_seen_by_looking() {
        let seen = [look(1, 1_000, 8_940), look(3, 9_000, 9_060)];
        let found = landed([7_400, 5_000, 1_000], &seen, 9_060);
        assert_eq!(found[0], (8_940, 8_940, 9_000, LandedBy::Sighting));
        assert_eq!(found[1], (8_940, 8_940, 9_000, LandedBy::Sighting));
        // Committed between two looks: as the committer says, at least.
        let found = landed([8_970, 5_000, 1_000], &[look(2, 1_000, 8_940), look(3, 9_000, 9_000)], 9_000);
        assert_eq!(found[0], (8_970, 8_970, 9_000, LandedBy::Committer));
    }

    #[test]
    fn looks_within_one_second_are_told_apart_by_where_the_branch_was() {
        let found = landed([7_400, 5_000, 1_000], &[look(3, 9_000, 9_000), look(2, 9_000, 9_000)], 9_000);
        assert_eq!(found[0], (9_000, 9_000, 9_000, LandedBy::Sighting));
    }

    #[test]
    fn the_log_of_a_forge_says_exactly_when() {
        let seen = [moved(1, 1_010), moved(3, 9_000)];
        let found = landed([7_400, 5_000, 1_000], &seen, 9_060);
        assert_eq!(found.iter().map(|one| one.0).collect::<Vec<_>>(), [9_000, 9_000, 1_010]);
        assert!(found.iter().all(|one| one.3 == LandedBy::Forge));
        // What is below the oldest move in the log may have come before it.
        let found = landed([7_400, 5_000, 1_000], &[moved(3, 9_000)], 9_060);
        assert_eq!((found[0].0, found[1].0), (9_000, 5_000));
    }

    #[test]
    fn a_clock_that_is_ahead_is_held_to_the_first_look() {
        let found = landed([9_500, 5_000, 1_000], &[look(3, 9_000, 9_300)], 9_300);
        assert_eq!(found[0], (9_000, 5_000, 9_000, LandedBy::Sighting));
        let landing = |since| {
            let (at, earliest, latest, by) = found[0];
            let time = Time::from_unix;
            Landing {
                at: time(at),
                earliest: time(earliest),
                latest: time(latest),
                by,
                committed: time(9_500),
            }
            .leaves_open(time(since))
        };
        assert!(landing(8_700) && !landing(9_000) && !landing(4_999));
    }

    #[test]
    fn looking_again_at_the_same_place_is_one_sighting() {
        let known = with_sightings(vec![look(1, 10, 20)], &[look(1, 30, 30), look(2, 40, 40), moved(2, 35)]);
        assert_eq!(known, [look(1, 10, 30), moved(2, 35), look(2, 40, 40)]);
        assert_eq!(with_sightings(known.clone(), &[moved(2, 35)]), known);
        let many: Vec<Sighting> =
            (0_u16..500).map(|n| look(n.to_le_bytes()[0], n.into(), n.into())).collect();
        assert_eq!(with_sightings(Vec::new(), &many).len(), MAX_SIGHTINGS);
    }

    proptest::proptest! {
        #[test]
        fn landings_are_monotone_and_within_their_bounds(
            times in proptest::collection::vec(0_i64..2_000, 1..12),
            seen in proptest::collection::vec((0_u8..14, 0_i64..2_000, 0_i64..300, proptest::bool::ANY), 0..12),
            now in 1_000_i64..2_000,
        ) {
            let now = Time::from_unix(now);
            let mut believed: Vec<Time> = times.iter().copied().map(Time::from_unix).collect();
            crate::domain::history::snapshot::settle_times(&mut believed, now);
            let commits: Vec<(CommitId, Time, Time)> = times
                .iter().zip(believed).enumerate()
                .map(|(n, (raw, believed))| (id(u8::try_from(n).unwrap()), Time::from_unix(*raw), believed)).collect();
            let seen: Vec<Sighting> = seen
                .into_iter()
                .map(|(tip, first, long, exact)| if exact { moved(tip, first) } else { look(tip, first, first + long) })
                .collect();
            let found = landings(&commits, &seen, now);
            proptest::prop_assert_eq!(found.len(), commits.len());
            proptest::prop_assert!(found.windows(2).all(|pair| pair[0].at >= pair[1].at));
            proptest::prop_assert!(found.iter().all(|one| one.at <= now && one.earliest <= one.at && one.at <= one.latest));
        }
    }
}
