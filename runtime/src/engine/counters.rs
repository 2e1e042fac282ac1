//! What the services counted since the process started.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use steadfast_services::port::Counter;

/// Counts by kind.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<Counter, u64>>);

impl Counters {
    /// Counts.
    pub(crate) fn add(&self, counter: Counter, by: u64) {
        if by > 0 {
            *self.lock().entry(counter).or_default() += by;
        }
    }

    /// How many there were.
    #[must_use]
    pub fn of(&self, counter: Counter) -> u64 {
        self.lock().get(&counter).copied().unwrap_or(0)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Counter, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
