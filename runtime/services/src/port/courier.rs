//! Telling the outside world.

use std::future::Future;

use steadfast_core::Span;
use steadfast_core::effect::{Effect, Verdict};

/// Brings effects to their receivers.
pub trait Courier: Clone + Send + Sync + 'static {
    /// One try: sends what `effect` tells, under its idempotency key, and waits for the answer. It
    /// ends within [`Courier::patience`], whatever the receiver does.
    fn deliver(&self, effect: &Effect) -> impl Future<Output = Verdict> + Send;

    /// How long one try takes at the most.
    fn patience(&self) -> Span;
}
