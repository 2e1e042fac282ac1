//! How a database is opened.

use std::time::Duration;

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most connections at the same time. Every transaction has one.
    pub connections: u32,
    /// How long a free connection is waited for.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long one statement may wait for a lock; less than [`Self::statement_timeout`].
    pub lock_timeout: Duration,
    /// How long a transaction may stand still between two statements before the server ends it:
    /// what a client that hangs can cost those who wait for its locks.
    pub idle_timeout: Duration,
    /// Whether the tables may be made or brought up to date.
    pub migrate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 10,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(3),
            migrate: true,
        }
    }
}
