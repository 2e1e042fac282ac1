//! The spans and bounds that decisions depend on, validated once.

use serde::{Deserialize, Serialize};

use crate::policy::{Backoff, RetryPolicy};
use crate::time::Span;

/// Spans and bounds in force for a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long a worker's attempts are its own after a beat.
    pub lease: Span,
    /// How far two clocks may be apart: an attempt is taken away only this long after its lease.
    pub drift: Span,
    /// A worker gets nothing new when its last beat is older than this.
    pub beat_overdue: Span,
    /// How often due work and dead workers are looked for.
    pub sweep_interval: Span,
    /// How long a worker has to answer an offer.
    pub offer_timeout: Span,
    /// How long a worker has to confirm a cancellation.
    pub cancel_grace: Span,
    /// How much longer than its timeout an attempt may go unheard of before the engine ends it.
    pub run_margin: Span,
    /// How long an execution may hold a slot without any worker that could run it.
    pub unschedulable_after: Span,
    /// How many may wait in one queue; workflow children are let in regardless.
    pub max_queue_length: u64,
    /// How long somebody who delivers an effect is waited for.
    pub effect_lease: Span,
    /// How often the delivery of an effect is tried again, and when.
    pub effect_retry: RetryPolicy,
}

impl Settings {
    /// The defaults of the configuration.
    pub const DEFAULT: Self = Self {
        lease: Span::from_secs(4),
        drift: Span::from_millis(250),
        beat_overdue: Span::from_secs(3),
        sweep_interval: Span::from_millis(500),
        offer_timeout: Span::from_secs(300),
        cancel_grace: Span::from_secs(15),
        run_margin: Span::from_secs(30),
        unschedulable_after: Span::from_secs(300),
        max_queue_length: 10_000,
        effect_lease: Span::from_secs(30),
        effect_retry: RetryPolicy {
            count: 9,
            delay: Span::from_secs(2),
            backoff: Backoff::Exponential,
            max_delay: Some(Span::from_secs(600)),
            jitter_permille: 200,
        },
    };

    /// The longest time from the last sign of life of a slot's holder until the slot is free.
    #[must_use]
    pub fn slot_release_bound(&self) -> Span {
        self.lease + self.sweep_interval + self.drift
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
