//! When the sweeper of this process looks next: not later than anything it knows to be due.

use std::sync::{Mutex, PoisonError};

use steadfast_core::{Span, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::port::Env;

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
    async fn earlier(&self) {
        self.earlier.notified().await;
    }

    /// Forgets a due time that has come: whoever calls this looks at what is due next.
    pub(crate) fn heed(&self, now: Timestamp) {
        if self.peek() <= now {
            self.take();
        }
    }

    /// Returns when something that this process knows of is due, after a sweep interval whatever it
    /// knows, or when `stop` is cancelled.
    pub(crate) async fn wait<E: Env>(&self, env: &E, stop: &CancellationToken) {
        let known = self.peek().since(env.now()) + Span::from_millis(1);
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.earlier() => {}
            () = env.sleep(known.min(env.settings().sweep_interval)) => {}
        }
    }
}
