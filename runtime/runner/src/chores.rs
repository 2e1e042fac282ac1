//! What a runner does itself for its actions: starting a process, keeping its output. None of it should
//! take long, whatever the action does; a disk that does not answer makes it take for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The chores under way. Copies are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chores(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    since: BTreeMap<u64, Instant>,
    next: u64,
}

/// A chore, until it is dropped.
#[derive(Debug)]
pub(crate) struct Chore {
    number: u64,
    of: Chores,
}

impl Drop for Chore {
    fn drop(&mut self) {
        self.of.lock().since.remove(&self.number);
    }
}

impl Chores {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One begins.
    pub(crate) fn begin(&self) -> Chore {
        let mut inner = self.lock();
        inner.next += 1;
        let number = inner.next;
        inner.since.insert(number, now());
        Chore { number, of: self.clone() }
    }

    /// How long the oldest has been under way.
    pub(crate) fn oldest(&self) -> Duration {
        // They are numbered in order of their beginning.
        let oldest = self.lock().since.values().next().copied();
        oldest.map_or(Duration::ZERO, |since| now().duration_since(since))
    }
}

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "it measures what this process itself does")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_counts_until_it_ends() {
        let chores = Chores::default();
        assert_eq!(chores.oldest(), Duration::ZERO);
        let first = chores.begin();
        tokio::time::sleep(Duration::from_millis(30)).await;
        let second = chores.clone().begin();
        assert!(chores.oldest() >= Duration::from_millis(30));
        drop(second);
        assert!(chores.oldest() >= Duration::from_millis(30));
        drop(first);
        assert_eq!(chores.oldest(), Duration::ZERO);
    }
}
