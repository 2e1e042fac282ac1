//! Pauses between tries: each twice as long as the one before, and never quite the same for two
//! processes, so that a broker that comes back is not overrun.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The next pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        let max = max.max(min);
        Self { min, max, next: min }
    }

    /// A pause of between half and the whole of what is due, by `entropy`.
    pub(crate) fn pause(&mut self, entropy: u64) -> Duration {
        let due = self.next;
        self.next = due.saturating_mul(2).min(self.max);
        let half = due / 2;
        let most = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(entropy % most)
    }

    /// What was tried has worked.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

/// Any number: the system seeds each hasher state. It decides pauses and names, nothing else.
pub(crate) fn any_number() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_most_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
        let mut due = 200;
        for _ in 0..5 {
            let pause = backoff.pause(any_number());
            let (least, most) = (Duration::from_millis(due / 2), Duration::from_millis(due));
            assert!((least..=most).contains(&pause), "{pause:?} of {due}");
            due = (2 * due).min(1_000);
        }
        backoff.reset();
        assert!(backoff.pause(u64::MAX) <= Duration::from_millis(200));
    }

    #[test]
    fn no_pause_at_all_is_possible() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(backoff.pause(7), Duration::ZERO);
    }
}
