//! Simulated time.

use std::fmt;
use std::time::Duration;

use madsim::time::{Sleep, TimeHandle};

thread_local! {
    /// The clock of the one world that this thread runs. Kept, since asking madsim for it means
    /// looking for its runtime each time; and kept here, since a world that held its clock would
    /// hold itself.
    static CLOCK: TimeHandle = TimeHandle::current();
}

/// Simulated time.
pub(crate) fn now() -> SimTime {
    SimTime::default().after(CLOCK.with(TimeHandle::elapsed))
}

/// Lets simulated time pass.
pub(crate) fn sleep(span: Duration) -> Sleep {
    CLOCK.with(|clock| clock.sleep(span))
}

/// Nanoseconds since the world began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimTime(u64);

impl SimTime {
    /// The moment `nanos` nanoseconds after the beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment at which a clock that is right shows `micros` since the epoch.
    #[must_use]
    pub const fn of_epoch_micros(micros: u64) -> Self {
        Self(micros.saturating_sub(crate::world::BEGINNING).saturating_mul(1_000))
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl From<SimTime> for Duration {
    fn from(time: SimTime) -> Self {
        Self::from_nanos(time.0)
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        write!(f, "t+{:02}:{:02}.{nanos:09}", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_prints_to_the_nanosecond() {
        let time = SimTime::from_nanos(61_000_000_007);
        assert_eq!(time.to_string(), "t+01:01.000000007");
        assert_eq!(time.after(Duration::from_millis(1)).to_string(), "t+01:01.001000007");
    }
}
