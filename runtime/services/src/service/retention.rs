//! Retention: what has been over for long enough goes. Any number of executors may look after it.

use steadfast_core::Span;
use tracing::info;

use crate::port::{Counter, Env, Store, StoreError};

/// How many pieces of work one sweep does at the most; the next one does the rest.
const PIECES: u32 = 100;

/// Puts away what is over, and lets go of what has been over for longer than `keep`.
///
/// # Errors
/// If the store cannot be reached.
pub async fn retain<E: Env>(env: &E, keep: Span) -> Result<(), StoreError> {
    for _ in 0..PIECES {
        let done = env.store().retain(keep).await?;
        env.count(Counter::ExecutionsFiled, done.filed);
        env.count(Counter::ExecutionsDropped, done.dropped);
        if done.dropped > 0 || done.definitions > 0 {
            let (executions, definitions) = (done.dropped, done.definitions);
            info!(executions, definitions, "history was dropped: its retention has ended");
        }
        if !done.more {
            break;
        }
    }
    Ok(())
}
