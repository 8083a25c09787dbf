//! Freeze windows: times in which the agent only proposes. They are what Argo CD calls sync windows: a schedule says when one
//! begins, and a duration how long it lasts.

mod schedule;

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::schedule::Schedule;
use crate::domain::text::cut;
use crate::domain::time::Time;

/// The longest freeze window, in seconds: a year. What lasts longer is no window, but the mode `propose`.
pub const MAX_FREEZE_SECS: u32 = 366 * 86_400;

/// Windows that come again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Freeze {
    /// When each begins.
    pub schedule: Schedule,
    /// How long each lasts: so many seconds go by, whatever clocks are put forward or back meanwhile. At most [`MAX_FREEZE_SECS`].
    pub duration_secs: u32,
    /// Where the schedule's calendar and clock are.
    pub zone: Zone,
    /// Why, in a person's words.
    pub why: String,
}

/// A time zone of the IANA database that is built into the program: it needs no files of the system.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

/// That an environment is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Frozen {
    /// When the agent may act again: when no window is open any more. None where the next hundred windows leave no gap.
    pub until: Option<Time>,
    /// Why, as the open window says that ends last.
    pub why: String,
}

impl Zone {
    /// The zone of this name, such as `Europe/Berlin` or `UTC`.
    ///
    /// # Errors
    /// Says what to write instead.
    pub fn named(name: &str) -> Result<Self, String> {
        TimeZoneDatabase::bundled().get(name).map(Self).map_err(|_unknown| {
            format!(
                "there is no time zone {:?}: write a name of the IANA time zone database, such as `Europe/Berlin` or `UTC`",
                cut(name, 40)
            )
        })
    }

    /// The moment of a time on the clock. Where clocks go back it is the first of two, and where they go forward over it, it is as late
    /// as if they did not. Source: RFC 5545, section 3.3.5.
    fn moment(&self, shown: DateTime) -> Option<Time> {
        let moment = self.0.to_ambiguous_timestamp(shown).compatible().ok()?;
        Some(Time::from_unix(moment.as_second()))
    }
}

impl Freeze {
    /// When the window ends that is open at a moment, where one is: of several, the last.
    ///
    /// It looks at the days that a window may have begun on, from the newest back to the first with a start, and at one before it: a
    /// start may have been moved over midnight where clocks went forward. So at most [`MAX_FREEZE_SECS`] and some days are looked at.
    fn open_until(&self, now: Time) -> Option<Time> {
        let duration_secs = i64::from(self.duration_secs.min(MAX_FREEZE_SECS));
        let mut day = self.zone.0.to_datetime(Timestamp::from_second(now.unix()).ok()?).date();
        let is_open = |start: &Time| *start <= now && now.secs_since(*start) < duration_secs;
        let mut newest: Option<Time> = None;
        for _ in 0..duration_secs / 86_400 + 3 {
            let is_last = newest.is_some();
            if self.schedule.is_on(day) {
                let starts = self.schedule.times();
                let starts = starts.filter_map(|(hour, minute)| self.zone.moment(day.at(hour, minute, 0, 0)));
                newest = newest.max(starts.filter(is_open).max());
            }
            let Ok(before) = day.yesterday() else { break };
            if is_last {
                break;
            }
            day = before;
        }
        newest.map(|start| start.plus_secs(duration_secs))
    }
}

/// The most windows that are followed, one after the other without a gap, to find when a freeze ends.
const MAX_LINKS: usize = 100;

/// Whether some of these windows are open at a moment, and until when none is any more.
#[must_use]
pub fn frozen(freezes: &[Freeze], now: Time) -> Option<Frozen> {
    let open = freezes.iter().filter_map(|freeze| Some((freeze.open_until(now)?, freeze)));
    let (mut until, last) = open.max_by_key(|(until, _)| *until)?;
    let why = last.why.clone();
    for _ in 0..MAX_LINKS {
        match freezes.iter().filter_map(|freeze| freeze.open_until(until)).max() {
            Some(later) => until = later,
            None => return Some(Frozen { until: Some(until), why }),
        }
    }
    Some(Frozen { until: None, why })
}

/// How many moments of a year are looked at to find whether a freeze ever ends. They lie 5 hours and 50 minutes apart, at all times of the day.
const LOOKED_AT: i64 = 1_500;

/// Whether one of these windows is open at each moment that is looked at in the year from now on. Gaps that add up to some hours in a year may be
/// missed, such as the one of a window of 24 hours in the night in which clocks go back.
#[must_use]
pub fn is_always_frozen(freezes: &[Freeze], now: Time) -> bool {
    let step_secs = i64::from(MAX_FREEZE_SECS) / LOOKED_AT;
    let is_open = |at: Time| freezes.iter().any(|freeze| freeze.open_until(at).is_some());
    (0..LOOKED_AT).all(|index| is_open(now.plus_secs(index * step_secs)))
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "frozen until {until} ({})", self.why),
            None => write!(f, "frozen, with no end in sight ({})", self.why),
        }
    }
}

#[cfg(test)]
mod tests;
