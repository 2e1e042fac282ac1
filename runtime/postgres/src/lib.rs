//! The store on PostgreSQL 15 and newer: any number of processes share one database, directly or
//! behind a pooler in transaction mode.
//!
//! [`PostgresStore`] implements the services' ports `Store` and `Query`. Everything that decides
//! is in the database: its rows, its locks, its unique keys, its clock. This crate keeps nothing
//! but connections and some identities that nobody else was given.

mod args;
mod code;
mod error;
mod ids;
mod inspect;
mod logs;
mod nodelay;
mod open;
mod options;
mod query;
mod retention;
mod row;
mod scan;
mod session;
mod store;
mod table;
mod text;
mod transaction;
mod wire;

pub use error::OpenError;
pub use inspect::{Found, hears, inspect, is_pooled};
pub use logs::{LOG_PIECE, LogName};
pub use open::SCHEMA_VERSION;
pub use options::Options;
pub use store::PostgresStore;
pub use transaction::PostgresTransaction;
pub use wire::{LONGEST, Wire};
