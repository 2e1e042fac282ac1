//! Pure decisions of the Steadfast engine: what may happen next, and what the world must then do.
//!
//! Nothing in here reads a clock, draws a random number, waits or logs. Time, entropy and
//! fresh identities are arguments; what follows is a value.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod admission;
pub mod barrier;
pub mod catalogue;
pub mod claim;
pub mod completion;
pub mod decision;
pub mod definition;
pub mod depth;
pub mod drain;
pub mod effect;
pub mod execution;
pub mod history;
pub mod id;
pub mod law;
pub mod lease;
pub mod message;
pub mod orchestration;
pub mod policy;
pub mod queue;
pub mod schedule;
pub mod settings;
pub mod snapshot;
pub mod status;
pub mod submit;
pub mod sweep;
pub mod table;
pub mod time;
pub mod unit;
pub mod violation;
pub mod worker;
pub mod workflow;

pub use definition::{Prepared, Transport, Work};
pub use id::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, FencingToken, Generation, Incarnation,
    ItemKey, MessageId, Order, QueueKey, Runtime, TaskKey, TaskName, Version, WorkerId, WorkerName,
};
pub use policy::{Backoff, OnLost, Policy, RetryPolicy};
pub use status::Status;
pub use time::{Span, Timestamp};
