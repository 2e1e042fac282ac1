//! How long things took since the process started.

use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use steadfast_core::{Span, Timestamp};
use steadfast_services::port::Measure;

/// For how long the longest is remembered, at least; twice as long at the most.
const REMEMBERED: Span = Span::from_secs(60);

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Measures {
    dispatch: Histogram,
    release: Histogram,
    detection: Histogram,
    outbox: Mutex<Longest>,
}

impl Default for Measures {
    fn default() -> Self {
        // From a millisecond to a minute and beyond.
        let histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        Self {
            dispatch: histogram(),
            release: histogram(),
            detection: histogram(),
            outbox: Mutex::default(),
        }
    }
}

impl Measures {
    pub(crate) fn add(&self, measure: Measure, took: Span, now: Timestamp) {
        let seconds = took.as_micros() as f64 / 1e6;
        match measure {
            Measure::Dispatch => self.dispatch.observe(seconds),
            Measure::SlotRelease => self.release.observe(seconds),
            Measure::TimeoutDetection => self.detection.observe(seconds),
            Measure::Outbox => self.lock().add(took, now),
        }
    }

    /// The distribution of what is not merely the longest.
    pub(crate) fn histograms(&self) -> [(&'static str, &'static str, &Histogram); 3] {
        [
            (
                "dispatch_latency_seconds",
                "From the moment an execution had its slot until it was given to a worker",
                &self.dispatch,
            ),
            (
                "slot_release_lag_seconds",
                "From the end of an attempt until the commit that frees its slot",
                &self.release,
            ),
            (
                "timeout_detection_seconds",
                "From a deadline until the engine ended what had missed it",
                &self.detection,
            ),
        ]
    }

    /// The longest that messages of a commit took to be confirmed, within the last minute or two.
    pub(crate) fn outbox_lag(&self, now: Timestamp) -> Span {
        self.lock().of(now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Longest> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest of this minute and of the one before.
#[derive(Debug, Default)]
struct Longest {
    since: Timestamp,
    now: Span,
    before: Span,
}

impl Longest {
    fn turn(&mut self, now: Timestamp) {
        let passed = now.since(self.since);
        if passed < REMEMBERED {
            return;
        }
        self.before = if passed < REMEMBERED.times(2) { self.now } else { Span::default() };
        (self.now, self.since) = (Span::default(), now);
    }

    fn add(&mut self, took: Span, now: Timestamp) {
        self.turn(now);
        self.now = self.now.max(took);
    }

    fn of(&mut self, now: Timestamp) -> Span {
        self.turn(now);
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_is_forgotten_after_a_while() {
        let at = |seconds: u64| Timestamp::from_micros(seconds * 1_000_000);
        let measures = Measures::default();
        measures.add(Measure::Outbox, Span::from_secs(3), at(1_000));
        measures.add(Measure::Outbox, Span::from_secs(1), at(1_010));
        assert_eq!(measures.outbox_lag(at(1_020)), Span::from_secs(3));
        measures.add(Measure::Outbox, Span::from_secs(2), at(1_061));
        assert_eq!(measures.outbox_lag(at(1_062)), Span::from_secs(3));
        assert_eq!(measures.outbox_lag(at(1_125)), Span::from_secs(2));
        assert_eq!(measures.outbox_lag(at(2_000)), Span::default());
    }
}
