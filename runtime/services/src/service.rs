//! The services, one verb each.

pub mod admit;
pub mod advance;
pub mod claim;
pub mod complete;
pub mod control;
pub mod dead_letter;
pub mod dispatch;
pub mod drain;
pub mod effects;
pub mod heartbeat;
pub mod probe;
pub mod retention;
pub mod schedule;
pub mod submit;
pub mod sweep;
pub mod witness;
pub mod work;

use std::future::Future;

use crate::port::{Delivery, Env, StoreError};

/// A service that acts on hints.
pub trait HandleHints: Send + Sync {
    /// Acts on a batch.
    ///
    /// # Errors
    /// If the store cannot be reached; the hints come again then.
    fn handle<E: Env>(
        &self,
        env: &E,
        deliveries: &[Delivery],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}
