//! A few things that were read lately and never change.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many are kept; the oldest is forgotten first.
const KEPT: usize = 64;

/// Remembers values by key. Copies share what they remember.
#[derive(Debug)]
pub(crate) struct Recent<K, V>(Arc<Mutex<VecDeque<(K, V)>>>);

impl<K, V> Clone for Recent<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    /// What was remembered under `key`.
    pub(crate) fn recall(&self, key: &K) -> Option<V> {
        self.lock().iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Remembers `value`, which must be what the store says of `key` for ever.
    pub(crate) fn remember(&self, key: K, value: V) {
        let mut kept = self.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((key, value));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(K, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_the_oldest_forgotten() {
        let recent = Recent::default();
        (0..=KEPT).for_each(|key| recent.remember(key, key * 2));
        assert_eq!(recent.recall(&0), None);
        assert_eq!(recent.recall(&KEPT), Some(KEPT * 2));
    }
}
