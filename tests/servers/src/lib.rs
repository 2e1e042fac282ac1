//! Private instances of the real servers: each in a directory of its own, on a free port of the
//! loopback address, gone without a trace when its guard is dropped. The system's own instances
//! are never touched.
//!
//! A server that cannot be had is an error that says what to install, never a skipped test.

#![expect(
    clippy::disallowed_methods,
    reason = "real servers take real time, and this stands outside the engine"
)]

mod daemon;
mod pgbouncer;
mod postgres;
mod rabbitmq;
mod user;

pub use daemon::{Daemon, Failure, find_program, free_port};
pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, Stop};
pub use rabbitmq::RabbitServer;
