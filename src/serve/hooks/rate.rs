//! How many webhooks are taken in a time.

use std::sync::{Mutex, PoisonError};

use crate::domain::time::Time;

/// How many are taken in a second. A forge sends one a push.
const MAX_PER_SEC: u32 = 20;

/// Counts what is taken in each second.
#[derive(Default)]
pub(super) struct Rate(Mutex<(Time, u32)>);

impl Rate {
    /// Whether one more may be taken, which counts it.
    pub(super) fn is_free(&self, now: Time) -> bool {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if count.0 != now {
            *count = (now, 0);
        }
        count.1 += 1;
        count.1 <= MAX_PER_SEC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_taken_in_a_second_and_then_in_the_next_one() {
        let rate = Rate::default();
        for second in [1, 2] {
            let taken = (0..100).filter(|_| rate.is_free(Time::from_unix(second))).count();
            assert_eq!(taken, MAX_PER_SEC as usize);
        }
    }
}
