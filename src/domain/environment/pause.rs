//! Pauses: a person has said that the agent makes no revert in an environment, or of one service in it, until some time.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::text::one_line;
use crate::domain::time::Time;

/// How long a pause lasts of which nobody says how long: as long as people are at work on one incident.
pub const USUAL_PAUSE_SECS: u32 = 4 * 3_600;
/// The longest pause, in seconds: 30 days. Who wants the agent to do nothing for longer says so in the configuration, where others
/// review it.
pub const MAX_PAUSE_SECS: u32 = 30 * 86_400;
/// How long a pause that is over stays in the list, in seconds: 90 days. `backout history` looks as far back for reverts.
const KEPT_SECS: i64 = 90 * 86_400;
/// The most pauses in the list. Each has at most a thousand bytes, so that all of them are read in no time.
pub const MAX_PAUSES: usize = 500;
/// The most characters of who paused.
const MAX_WHO: usize = 80;
/// The most characters of why.
pub const MAX_WHY: usize = 200;

/// That the agent makes no revert for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service; none for all services of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// When it was asked for; none where nobody wrote that down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// When it ends by itself.
    pub until: Time,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub why: String,
    /// That somebody ended it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// That somebody ended a pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lifted {
    /// When.
    pub at: Time,
    /// Who.
    pub by: String,
    /// Why, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Pause {
    /// The same with texts that are one line each, bounded and without what steers a terminal.
    #[must_use]
    pub fn harmless(self) -> Self {
        let lifted = self.lifted.map(|lifted| Lifted {
            at: lifted.at,
            by: one_line(&lifted.by, MAX_WHO),
            why: lifted.why.map(|why| one_line(&why, MAX_WHY)),
        });
        Self { by: one_line(&self.by, MAX_WHO), why: one_line(&self.why, MAX_WHY), lifted, ..self }
    }

    /// When it ends by itself, whatever was written: no pause is longer than [`MAX_PAUSE_SECS`].
    #[must_use]
    pub fn ends(&self, now: Time) -> Time {
        self.until.min(self.at.unwrap_or(now).plus_secs(MAX_PAUSE_SECS.into()))
    }

    /// Whether it holds. One that begins later than now, by the clock of whoever paused, holds too: one of the clocks is wrong, and
    /// they wanted the agent to stop.
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        self.lifted.is_none() && now < self.ends(now)
    }

    /// When it was over, as far as it is.
    fn over_since(&self, now: Time) -> Option<Time> {
        let ended =
            self.lifted.as_ref().map_or_else(|| self.ends(now), |lifted| lifted.at.min(self.ends(now)));
        (!self.is_open(now)).then_some(ended)
    }

    /// Whether it is about exactly this: the environment as a whole, or one service.
    #[must_use]
    pub fn is_about(&self, environment: &EnvironmentName, service: Option<&ServiceName>) -> bool {
        self.environment == *environment && self.service.as_ref() == service
    }

    /// What is paused, in words: `production`, `checkout in production`.
    #[must_use]
    pub fn what(&self) -> String {
        match &self.service {
            Some(service) => format!("{service} in {}", self.environment),
            None => self.environment.to_string(),
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "paused until {} by {}: {}", self.until, self.by, self.why)
    }
}

/// Leaves out of a list what has been over for so long that nobody asks for it, and where there are still more than
/// [`MAX_PAUSES`] the oldest of those that are over.
///
/// # Errors
/// When more are open.
pub fn kept(list: Vec<Pause>, now: Time) -> Result<Vec<Pause>, String> {
    let mut kept: Vec<Pause> = list;
    kept.retain(|pause| pause.over_since(now).is_none_or(|ended| now.secs_since(ended) <= KEPT_SECS));
    let mut too_many = kept.len().saturating_sub(MAX_PAUSES);
    kept.retain(|pause| {
        let is_dropped = too_many > 0 && !pause.is_open(now);
        too_many -= usize::from(is_dropped);
        !is_dropped
    });
    match too_many {
        0 => Ok(kept),
        _ => Err(format!("{MAX_PAUSES} pauses are open already: end some with `backout resume`")),
    }
}

/// Ends these pauses in a list. Others, such as one that somebody made meanwhile, stay.
#[must_use]
pub fn lifted(mut list: Vec<Pause>, meant: &[Pause], lifted: &Lifted) -> Vec<Pause> {
    for pause in list.iter_mut().filter(|pause| meant.contains(pause)) {
        pause.lifted = Some(lifted.clone());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_unix(1_796_083_200);

    fn pause(service: Option<&str>, at_secs: i64, for_secs: i64) -> Pause {
        Pause {
            environment: EnvironmentName::new("production").unwrap(),
            service: service.map(|name| ServiceName::new(name).unwrap()),
            at: Some(NOW.plus_secs(at_secs)),
            until: NOW.plus_secs(at_secs + for_secs),
            by: "Ann".to_owned(),
            why: "a move".to_owned(),
            lifted: None,
        }
    }

    #[test]
    fn a_pause_holds_until_its_end_and_no_longer_than_thirty_days() {
        let max = i64::from(MAX_PAUSE_SECS);
        for (at, secs, is_open) in [
            (0, 60, true),
            (-59, 60, true),
            (-60, 60, false),
            (-61, 60, false),
            // The clock of whoever paused is ahead.
            (3_600, 60, true),
            (-max + 1, 10 * max, true),
            (-max, 10 * max, false),
            (-max, i64::MAX, false),
            (0, -60, false),
        ] {
            assert_eq!(pause(None, at, secs).is_open(NOW), is_open, "{at} {secs}");
        }
        // Nobody wrote down when it began: its end alone counts.
        let unknown = |until: i64| Pause { at: None, until: NOW.plus_secs(until), ..pause(None, 0, 0) };
        assert!(unknown(1).is_open(NOW) && !unknown(0).is_open(NOW) && unknown(i64::MAX).is_open(NOW));
    }

    #[test]
    fn what_is_lifted_is_over_and_what_came_meanwhile_stays() {
        let (old, new) = (pause(None, -60, 3_600), pause(None, -1, 3_600));
        let by = Lifted { at: NOW, by: "Bea".to_owned(), why: None };
        let list = lifted(vec![old.clone(), new.clone()], std::slice::from_ref(&old), &by);
        assert_eq!(list.iter().map(|one| one.is_open(NOW)).collect::<Vec<_>>(), [false, true]);
        // Once more changes nothing: who ended it stays written.
        let other = Lifted { by: "Cem".to_owned(), ..by };
        assert_eq!(lifted(list.clone(), &[old], &other), list);
    }

    #[test]
    fn the_list_forgets_what_is_long_over_and_is_bounded() {
        let long_over = pause(None, -KEPT_SECS - 61, 60);
        let lately_over = pause(None, -KEPT_SECS - 60, 60);
        assert_eq!(kept(vec![long_over, lately_over.clone()], NOW), Ok(vec![lately_over.clone()]));
        let open = pause(None, 0, 60);
        let mut full = vec![lately_over.clone(); 3];
        full.extend(vec![open.clone(); MAX_PAUSES - 1]);
        let bounded = kept(full.clone(), NOW).unwrap();
        assert_eq!((bounded.len(), &bounded[0]), (MAX_PAUSES, &lately_over));
        full.extend(vec![open; 2]);
        assert!(kept(full, NOW).unwrap_err().contains("backout resume"));
    }

    #[test]
    fn texts_are_one_line_and_bounded() {
        let hostile = Pause {
            by: "Ann\u{1b}[2J\nroot".to_owned(),
            why: "x".repeat(100_000),
            lifted: Some(Lifted { at: NOW, by: "\u{202e}eve".to_owned(), why: Some("a\r\nb".to_owned()) }),
            ..pause(None, 0, 60)
        };
        let harmless = hostile.harmless();
        assert_eq!(harmless.by, "Ann [2J root");
        assert_eq!(harmless.why.chars().count(), MAX_WHY);
        let lifted = harmless.lifted.unwrap();
        assert_eq!((lifted.by.as_str(), lifted.why.as_deref()), ("eve", Some("a  b")));
    }
}
