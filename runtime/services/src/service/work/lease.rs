//! A worker's own idea of its lease: until when it may run what it has, by its own clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steadfast_core::{Span, Timestamp};
use tracing::warn;

use crate::port::Env;
use crate::port::env::is_planted;

/// When this worker stops its own work, so that nobody else has to guess whether it did.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// In microseconds of this process's clock.
    fence: Arc<AtomicU64>,
}

impl Lease {
    /// A lease that the store gave when it was asked at `asked` or later.
    pub(super) fn asked_for_at<E: Env>(env: &E, asked: Timestamp) -> Self {
        let lease = Self { fence: Arc::default() };
        lease.renew(env, asked);
        lease
    }

    /// The store renewed it when it was asked at `asked` or later.
    pub(super) fn renew<E: Env>(&self, env: &E, asked: Timestamp) {
        let fence = asked + fence_after(env);
        self.fence.fetch_max(fence.as_micros(), Ordering::Relaxed);
    }

    fn fence(&self) -> Timestamp {
        Timestamp::from_micros(self.fence.load(Ordering::Relaxed))
    }

    /// Whether it is too late to begin anything. Whoever awaits an answer also awaits
    /// [`Lease::run_out`] and looks there first, so this tells only a process that was stopped
    /// between the two looks. No bug is planted here: the simulator stops processes at awaits.
    pub(super) fn has_run_out<E: Env>(&self, env: &E) -> bool {
        env.now() >= self.fence()
    }

    /// Returns when all work has to be stopped. Whoever awaits the store meanwhile must await this
    /// beside it: an answer may never come.
    pub(super) async fn run_out<E: Env>(&self, env: &E) {
        loop {
            let now = env.now();
            let fence = self.fence();
            if now >= fence {
                warn!("the lease was not renewed in time: stopping all work before it ends");
                return;
            }
            env.sleep(fence.since(now)).await;
        }
    }
}

/// A fifth of the lease is left for stopping the work.
fn fence_after<E: Env>(env: &E) -> Span {
    let lease = env.settings().lease;
    if is_planted(env, "fence_after_the_lease") {
        return lease.times(3);
    }
    Span::from_micros(lease.as_micros() / 5 * 4)
}
