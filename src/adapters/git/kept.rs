//! Remembering what was read lately, within a number of bytes.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// From a quarter of the limit on, what was not among the last uses goes, so that the walk of a long history does not fill
/// all of it with what it will not see again.
const RECENT_USES: u64 = 1_024;

/// Values by what they were read from. Where there are too many bytes, those go that were not asked for the longest.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    /// With their sizes, and when they were last asked for.
    values: HashMap<K, (V, usize, u64)>,
    by_use: BTreeMap<u64, K>,
    uses: u64,
    bytes: usize,
    limit: usize,
}

impl<K: Copy + Eq + Hash, V: Clone> Kept<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { values: HashMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0, limit }
    }

    /// The value, if it is still kept.
    pub(super) fn find(&mut self, key: K) -> Option<V> {
        let (value, _, used) = self.values.get_mut(&key)?;
        self.by_use.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.by_use.insert(self.uses, key);
        Some(value.clone())
    }

    /// Keeps a value of this size, which is not kept yet; the newest one always stays.
    pub(super) fn keep(&mut self, key: K, value: V, size: usize) {
        self.bytes = self.bytes.saturating_add(size);
        while let Some(oldest) = self.by_use.first_entry()
            && (self.bytes > self.limit
                || self.bytes > self.limit / 4 && self.uses - oldest.key() > RECENT_USES)
        {
            let oldest = oldest.remove();
            let size = self.values.remove(&oldest).map_or(0, |(_, size, _)| size);
            self.bytes = self.bytes.saturating_sub(size);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key);
        self.values.insert(key, (value, size, self.uses));
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
            assert!(kept.values.len() <= 10 && kept.values.len() == kept.by_use.len());
        }
        assert_eq!(read, 51);
        // What was not used for long goes earlier.
        for _ in 0..=RECENT_USES {
            assert_eq!(kept.find(50), Some(50));
        }
        kept.keep(51, 51, 10);
        assert_eq!((kept.find(49), kept.values.len()), (None, 2));
        assert_eq!(kept.find(1), None);
    }
}
