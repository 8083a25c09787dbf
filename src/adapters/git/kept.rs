//! Remembering what was read lately, within a number of bytes.

use std::collections::HashMap;

use git2::Oid;

/// Values by the id of what they were read from. What was not asked for during the reading of half the limit's bytes is
/// forgotten: two generations, where a full one takes the place of the older.
#[derive(Debug)]
pub(super) struct Kept<V> {
    recent: HashMap<Oid, V>,
    before: HashMap<Oid, V>,
    recent_bytes: usize,
    limit: usize,
}

impl<V: Clone> Kept<V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { recent: HashMap::new(), before: HashMap::new(), recent_bytes: 0, limit }
    }

    /// The value for `id`, which has this size, as it is kept or as `read` gives it.
    pub(super) fn get<E>(
        &mut self,
        id: Oid,
        size: impl Fn(&V) -> usize,
        read: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(value) = self.recent.get(&id) {
            return Ok(value.clone());
        }
        let value = match self.before.remove(&id) {
            Some(value) => value,
            None => read()?,
        };
        self.recent_bytes = self.recent_bytes.saturating_add(size(&value));
        if self.recent_bytes > self.limit / 2 {
            self.before = std::mem::take(&mut self.recent);
            self.recent_bytes = size(&value);
        }
        self.recent.insert(id, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut kept: Kept<Vec<u8>> = Kept::new(100);
        let id = |number: u8| Oid::from_bytes(&[number; 20]).unwrap();
        let mut read = 0;
        for number in 1..=50 {
            for wanted in [0, number] {
                let value = kept.get(id(wanted), Vec::len, || {
                    read += 1;
                    Ok::<_, ()>(vec![wanted; 10])
                });
                assert_eq!(value, Ok(vec![wanted; 10]));
            }
            assert!(kept.recent.len() + kept.before.len() <= 10);
        }
        assert_eq!(read, 51);
        assert_eq!(kept.get(id(60), Vec::len, || Err("no")), Err("no"));
    }
}
