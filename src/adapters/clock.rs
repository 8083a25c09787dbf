//! The time of day: the only place that reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Time;
use crate::ports::Clock;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one owner of the clock")]
    fn now(&self) -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_unix(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    }
}
