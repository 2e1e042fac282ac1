//! What an execution may do after a failure, a timeout or the loss of its worker.

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::workflow::CancellationPolicy;

/// How the delay grows from one retry to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The same delay each time.
    #[default]
    Constant,
    /// `delay`, `2 * delay`, `3 * delay`, ...
    Linear,
    /// `delay`, `2 * delay`, `4 * delay`, ...
    Exponential,
}

/// Further attempts after a failure or a timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// How many further attempts; 0 = none.
    pub count: u32,
    /// The first delay.
    pub delay: Span,
    /// How it grows.
    pub backoff: Backoff,
    /// Never wait longer than this, jitter included.
    pub max_delay: Option<Span>,
    /// Jitter in thousandths: 200 shortens or lengthens each delay by up to a fifth.
    pub jitter_permille: u16,
}

/// What becomes of an execution whose worker was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLost {
    /// Run it again, elsewhere if possible.
    #[default]
    Retry,
    /// End it as abandoned if the attempt had started: it must not run twice.
    Abandon,
}

/// Everything about an execution's attempts that is pinned when it is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Further attempts after a failure or timeout.
    pub retry: RetryPolicy,
    /// How long one attempt may run.
    pub timeout: Option<Span>,
    /// What to do when the worker is lost.
    pub on_lost: OnLost,
    /// How many attempts may be lost with their workers before the execution is abandoned.
    pub max_losses: u32,
    /// How long it may wait in its queue.
    pub queue_timeout: Option<Span>,
    /// What its run does with running work when it is cancelled, if a parent run decides that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<CancellationPolicy>,
}

impl Policy {
    /// No retries, no timeout, five lost workers, an hour in the queue.
    pub const DEFAULT: Self = Self {
        retry: RetryPolicy {
            count: 0,
            delay: Span::ZERO,
            backoff: Backoff::Constant,
            max_delay: None,
            jitter_permille: 0,
        },
        timeout: None,
        on_lost: OnLost::Retry,
        max_losses: 5,
        queue_timeout: Some(Span::from_secs(3600)),
        cancellation: None,
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl RetryPolicy {
    /// The longest delay that any policy gives when it names no maximum of its own.
    pub const LONGEST_DELAY: Span = Span::from_secs(7 * 24 * 3600);

    /// How long to wait before the `retry`-th further attempt (from 1).
    ///
    /// `entropy` is any number, drawn outside; it decides the jitter and nothing else.
    #[must_use]
    pub fn delay_before(&self, retry: u32, entropy: u64) -> Span {
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => u64::from(retry.max(1)),
            Backoff::Exponential => 1u64 << (retry.max(1) - 1).min(62),
        };
        let cap = self.max_delay.unwrap_or(Self::LONGEST_DELAY);
        let base = self.delay.times(factor).min(cap);
        let width = base.as_micros() / 1000 * u64::from(self.jitter_permille.min(1000));
        if width == 0 {
            return base;
        }
        let jittered = base.as_micros() - width + entropy % (2 * width + 1);
        Span::from_micros(jittered).min(cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(backoff: Backoff, max_delay: Option<u64>, jitter_permille: u16) -> RetryPolicy {
        RetryPolicy {
            count: 9,
            delay: Span::from_secs(2),
            backoff,
            max_delay: max_delay.map(Span::from_secs),
            jitter_permille,
        }
    }

    #[test]
    fn delays_grow_as_the_policy_says_and_stop_at_the_maximum() {
        // backoff              max      retry  delay
        let table = [
            (Backoff::Constant, None, 1, 2),
            (Backoff::Constant, None, 7, 2),
            (Backoff::Linear, None, 3, 6),
            (Backoff::Exponential, None, 1, 2),
            (Backoff::Exponential, None, 4, 16),
            (Backoff::Exponential, Some(10), 4, 10),
            (Backoff::Exponential, Some(10), u32::MAX, 10),
            (Backoff::Linear, Some(5), 0, 2),
        ];
        for (backoff, max, retry, expected) in table {
            let delay = policy(backoff, max, 0).delay_before(retry, 12345);
            assert_eq!(delay, Span::from_secs(expected), "{backoff:?} {max:?} {retry}");
        }
    }

    #[test]
    fn without_a_maximum_an_exponential_delay_still_ends() {
        let delay = policy(Backoff::Exponential, None, 1000).delay_before(u32::MAX, u64::MAX);
        assert!(delay <= RetryPolicy::LONGEST_DELAY);
    }

    #[test]
    fn jitter_stays_within_its_fraction() {
        let policy = policy(Backoff::Constant, None, 250);
        for entropy in (0..u64::MAX).step_by(usize::MAX / 997) {
            let delay = policy.delay_before(1, entropy);
            assert!(delay >= Span::from_millis(1500) && delay <= Span::from_millis(2500));
        }
    }
}
