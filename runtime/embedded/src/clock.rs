//! The store's clock: the only one that decides anything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use steadfast_core::Timestamp;

/// The system's time, but never earlier than what it said before.
#[derive(Debug)]
pub(crate) struct Clock {
    last: AtomicU64,
}

impl Clock {
    /// A clock that says `floor` or later.
    pub(crate) const fn not_before(floor: Timestamp) -> Self {
        Self { last: AtomicU64::new(floor.as_micros()) }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.read(system_micros())
    }

    fn read(&self, system: u64) -> Timestamp {
        let before = self.last.fetch_max(system, Ordering::AcqRel);
        Timestamp::from_micros(before.max(system))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock adapter")]
fn system_micros() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX).min(Timestamp::MAX.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let clock = Clock::not_before(Timestamp::from_micros(100));
        assert_eq!(clock.read(50), Timestamp::from_micros(100));
        assert_eq!(clock.read(150), Timestamp::from_micros(150));
        assert_eq!(clock.read(149), Timestamp::from_micros(150));
        assert!(clock.now() > Timestamp::from_micros(150));
    }
}
