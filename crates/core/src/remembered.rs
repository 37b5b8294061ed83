//! What a node remembers of the store, in two kinds. The type says what a remembered value may decide.
//!
//! Absence is never remembered: whether something does not exist is always read from the store.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Values that never change once they exist, such as a row that is written once. They are kept without an age and may
/// decide anything that the store may, refusals included.
pub struct Immutable<K, V> {
    max: usize,
    values: Mutex<HashMap<K, V>>,
}

impl<K, V> fmt::Debug for Immutable<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Immutable")
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, V: Clone> Immutable<K, V> {
    /// Remembers `max` values. The next one clears all others.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max,
            values: Mutex::default(),
        }
    }

    /// The value, if it is remembered.
    pub fn get(&self, key: &K) -> Option<V> {
        lock(&self.values).get(key).cloned()
    }

    /// Remembers a value that the store holds.
    pub fn insert(&self, key: K, value: V) {
        let mut values = lock(&self.values);
        if values.len() >= self.max && !values.contains_key(&key) {
            values.clear();
        }
        values.insert(key, value);
    }
}

/// Values that may have changed since they were read. Each has an age, and none is returned that is older than the
/// `max_age` of the type. They may grant, save a look-up, or put things in order; whatever is decided *against* a result,
/// a worker or a job is read from the store first.
pub struct MaybeStale<K, V> {
    max: usize,
    max_age: Duration,
    values: Mutex<HashMap<K, (Duration, V)>>,
}

impl<K, V> fmt::Debug for MaybeStale<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaybeStale")
            .field("max", &self.max)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, V: Clone> MaybeStale<K, V> {
    /// Remembers `max` values, each for `max_age`. The next one clears all others.
    #[must_use]
    pub fn new(max: usize, max_age: Duration) -> Self {
        Self {
            max,
            max_age,
            values: Mutex::default(),
        }
    }

    /// The value, unless it is too old. `now` is monotonic.
    pub fn get(&self, key: &K, now: Duration) -> Option<V> {
        self.get_within(key, now, self.max_age)
    }

    /// The value, unless it is older than `age`, which can only be shorter than `max_age`.
    pub fn get_within(&self, key: &K, now: Duration, age: Duration) -> Option<V> {
        let values = lock(&self.values);
        let (at, value) = values.get(key)?;
        (now.saturating_sub(*at) < age.min(self.max_age)).then(|| value.clone())
    }

    /// Remembers what was read at `now`, in monotonic time.
    pub fn insert(&self, key: K, value: V, now: Duration) {
        let mut values = lock(&self.values);
        if values.len() >= self.max && !values.contains_key(&key) {
            values.clear();
        }
        values.insert(key, (now, value));
    }

    /// Forgets a value.
    pub fn forget(&self, key: &K) {
        lock(&self.values).remove(key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.values).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_value_is_not_returned_once_it_is_too_old_whatever_age_is_asked_for() {
        let stale = MaybeStale::new(9, s(10));
        stale.insert("k", 1, s(100));
        assert_eq!(stale.get(&"k", s(109)), Some(1));
        assert_eq!(stale.get(&"k", s(110)), None);
        assert_eq!(stale.get_within(&"k", s(105), s(5)), None);
        assert_eq!(stale.get_within(&"k", s(111), s(60)), None);
        stale.insert("k", 2, s(111));
        assert_eq!(stale.get(&"k", s(112)), Some(2));
        stale.forget(&"k");
        assert_eq!(stale.get(&"k", s(112)), None);
    }

    #[test]
    fn both_kinds_are_bounded_and_a_known_key_pushes_nothing_out() {
        let immutable = Immutable::new(2);
        let stale = MaybeStale::new(2, s(9));
        for key in [1, 2, 2] {
            immutable.insert(key, key);
            stale.insert(key, key, s(0));
        }
        assert_eq!((immutable.get(&1), stale.get(&1, s(0))), (Some(1), Some(1)));
        immutable.insert(3, 3);
        stale.insert(3, 3, s(0));
        assert_eq!((immutable.get(&1), stale.get(&1, s(0))), (None, None));
        assert_eq!((immutable.get(&3), stale.get(&3, s(0))), (Some(3), Some(3)));
    }
}
