//! What the services need from the world. Adapters implement these; the simulator does too.

pub mod broker;
pub mod courier;
pub mod env;
pub mod probe;
pub mod query;
pub mod runner;
pub mod store;

pub use broker::{Broker, Delivery, Parked, Published, Receipt, Settle, Subscription, Topic};
pub use courier::Courier;
pub use env::{Counter, Env, Measure, is_planted};
pub use probe::{Answer, PROBE_LABEL, Probing, RESERVED_LABELS};
pub use query::{
    Cursor, EffectCount, EffectCursor, EffectFilter, ExecutionFilter, ExecutionView, Query,
    QueueView, TaskView,
};
pub use runner::{Ended, Runner};
pub use steadfast_core::workflow::Workflow;
pub use store::{
    Batch, Commit, Committed, Held, Load, Pointer, Retained, Store, StoreError, Transaction,
    VisitResult,
};
