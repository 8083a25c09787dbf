//! Remembering what was read lately, within a number of bytes.

use std::collections::HashMap;
use std::hash::Hash;

/// Values by what they were read from. What was not asked for during the reading of half the limit's bytes is forgotten:
/// two generations, where a full one takes the place of the older.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    /// With their sizes.
    recent: HashMap<K, (V, usize)>,
    before: HashMap<K, (V, usize)>,
    recent_bytes: usize,
    limit: usize,
}

impl<K: Copy + Eq + Hash, V: Clone> Kept<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { recent: HashMap::new(), before: HashMap::new(), recent_bytes: 0, limit }
    }

    /// The value, if it is still kept.
    pub(super) fn find(&mut self, key: K) -> Option<V> {
        if let Some((value, _)) = self.recent.get(&key) {
            return Some(value.clone());
        }
        let (value, size) = self.before.remove(&key)?;
        self.keep(key, value.clone(), size);
        Some(value)
    }

    /// Keeps a value of this size.
    pub(super) fn keep(&mut self, key: K, value: V, size: usize) {
        self.recent_bytes = self.recent_bytes.saturating_add(size);
        if self.recent_bytes > self.limit / 2 {
            self.before = std::mem::take(&mut self.recent);
            self.recent_bytes = size;
        }
        self.recent.insert(key, (value, size));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut kept: Kept<u8, u8> = Kept::new(100);
        let mut read = 0;
        for number in 1..=50 {
            for wanted in [0, number] {
                if kept.find(wanted) != Some(wanted) {
                    read += 1;
                    kept.keep(wanted, wanted, 10);
                }
                assert_eq!(kept.find(wanted), Some(wanted));
            }
            assert!(kept.recent.len() + kept.before.len() <= 10);
        }
        assert_eq!(read, 51);
        assert_eq!(kept.find(1), None);
    }
}
