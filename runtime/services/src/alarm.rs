//! When the sweeper of this process looks next: not later than anything it knows to be due.

use std::sync::{Mutex, PoisonError};

use steadfast_core::Timestamp;
use tokio::sync::Notify;

/// The earliest known due time. An alarm that nobody set, or that another process set, costs no
/// more than a sweep interval.
#[derive(Debug)]
pub struct Alarm {
    next: Mutex<Timestamp>,
    earlier: Notify,
}

impl Default for Alarm {
    fn default() -> Self {
        Self { next: Mutex::new(Timestamp::MAX), earlier: Notify::new() }
    }
}

impl Alarm {
    /// Something will be due `at`.
    pub fn set(&self, at: Timestamp) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if at < *next {
            *next = at;
            self.earlier.notify_one();
        }
    }

    /// The earliest due time that was set since the last call.
    pub fn take(&self) -> Timestamp {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::replace(&mut next, Timestamp::MAX)
    }

    /// The earliest due time that was set.
    pub fn peek(&self) -> Timestamp {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when an earlier due time is set.
    pub async fn earlier(&self) {
        self.earlier.notified().await;
    }
}
