//! The embedded adapters: everything in one process, on one directory.
//!
//! [`EmbeddedStore`] is the store on SQLite: one connection writes, a few read. [`DataDir`] is the
//! directory that it lives in, locked against a second process. [`InprocBroker`] carries hints
//! between the tasks of this process and keeps nothing.

mod args;
mod broker;
mod clock;
mod code;
mod directory;
mod error;
mod ids;
mod maintain;
mod open;
mod packed;
#[cfg(test)]
mod plan;
mod query;
mod retention;
mod row;
mod scan;
mod shape;
mod store;
mod table;
mod transaction;

pub use broker::{InprocBroker, InprocSubscription, ParkedHint};
pub use directory::DataDir;
pub use error::OpenError;
pub use maintain::Health;
pub use open::{Durability, Options, SCHEMA_VERSION};
pub use store::EmbeddedStore;
pub use transaction::EmbeddedTransaction;
