//! The store: one connection that writes, a few that read.

use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteTransactionManager};
use sqlx::{ConnectOptions, SqlStr};
use sqlx_core::transaction::TransactionManager;
use steadfast_core::{Span, Timestamp};
use steadfast_services::port::{Load, Retained, Store, StoreError};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::warn;

use crate::clock::Clock;
use crate::directory::DataDir;
use crate::error::{Class, OpenError, store_error};
use crate::ids::IdBlock;
use crate::open::{Options, open_readers, open_writer, writer_options};
use crate::transaction::EmbeddedTransaction;

/// How old the stored time may become: what a clock that is set back while no process runs can
/// cost at the most.
const SAVE_CLOCK_EVERY: Span = Span::from_secs(1);

/// Takes the write lock at once, so that no statement ever finds that it cannot have it.
const BEGIN: SqlStr = SqlStr::from_static("BEGIN IMMEDIATE");

/// The key of the note that holds the latest time.
pub(crate) const CLOCK_NOTE: &str = "store.clock";

/// The store on SQLite. Clones share it.
#[derive(Clone)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
    clock: Clock,
    directory: Arc<DataDir>,
}

/// The one connection that writes, and what belongs to whoever has it.
pub(crate) struct Writer {
    connection: Option<SqliteConnection>,
    options: SqliteConnectOptions,
    pub(crate) ids: IdBlock,
    clock_saved: Timestamp,
    closed: bool,
    /// A transaction that outlives its store keeps the directory locked.
    _directory: Arc<DataDir>,
}

impl EmbeddedStore {
    /// Opens the database of a data directory, or creates it, and brings its tables up to date.
    ///
    /// # Errors
    /// If the file cannot be used: see [`OpenError`].
    pub async fn open(directory: DataDir, options: Options) -> Result<Self, OpenError> {
        let path = directory.database();
        let connect = writer_options(&path, &options);
        let mut connection = open_writer(&path, &connect).await?;
        let failed = |error: &sqlx::Error| OpenError::from_sqlx(&path, error);
        let latest = latest_time(&mut connection).await.map_err(|error| failed(&error))?;
        let reserved = sqlx::query_scalar("SELECT reserved FROM idblock");
        let reserved: i64 =
            reserved.fetch_one(&mut connection).await.map_err(|error| failed(&error))?;
        let directory = Arc::new(directory);
        let writer = Writer {
            connection: Some(connection),
            options: connect,
            ids: IdBlock::starting_at(reserved.cast_unsigned()),
            clock_saved: latest,
            closed: false,
            _directory: Arc::clone(&directory),
        };
        let shared = Shared {
            writer: Arc::new(Mutex::new(writer)),
            readers: open_readers(&path, &options),
            clock: Clock::not_before(latest),
            directory,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn directory(&self) -> &DataDir {
        &self.shared.directory
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.shared.readers
    }

    /// The writer, once everybody who asked before has had it.
    pub(crate) async fn writer(&self) -> OwnedMutexGuard<Writer> {
        Arc::clone(&self.shared.writer).lock_owned().await
    }
}

impl Store for EmbeddedStore {
    type Tx = EmbeddedTransaction;

    async fn begin(&self, _purpose: &'static str) -> Load<EmbeddedTransaction> {
        let mut writer = self.writer().await;
        writer.begin().await?;
        let now = self.shared.clock.now();
        Ok(EmbeddedTransaction::begun(writer, now))
    }

    async fn retain(&self, keep: Span) -> Load<Retained> {
        self.retain_some(keep).await
    }
}

impl Writer {
    /// Takes SQLite's write lock.
    async fn begin(&mut self) -> Load<()> {
        if self.closed {
            return Err(StoreError::Unavailable(String::from("the store is closed")));
        }
        if let Some(connection) = &mut self.connection {
            match SqliteTransactionManager::begin(connection, Some(BEGIN)).await {
                Ok(()) => return Ok(()),
                Err(error) if Class::of(&error) == Class::Busy => return Err(store_error(&error)),
                // A transaction that SQLite ended by itself can leave the driver believing in it.
                Err(error) => warn!(%error, "the writing connection is replaced"),
            }
            self.connection = None;
        }
        let connect = self.options.clone().create_if_missing(false);
        let connection = connect.connect().await.map_err(|error| store_error(&error))?;
        let connection = self.connection.insert(connection);
        let begun = SqliteTransactionManager::begin(connection, Some(BEGIN)).await;
        begun.map_err(|error| store_error(&error))
    }

    /// The connection, with a transaction on it.
    pub(crate) fn connection(&mut self) -> Load<&mut SqliteConnection> {
        let lost = || StoreError::Unavailable(String::from("the connection was lost"));
        self.connection.as_mut().ok_or_else(lost)
    }

    /// Lets the next transaction have a new connection.
    pub(crate) fn distrust(&mut self) {
        self.connection = None;
    }

    /// Ends the transaction without effect. It is done before anything that comes after.
    pub(crate) fn start_rollback(&mut self) {
        self.ids.rolled_back();
        if let Some(connection) = &mut self.connection {
            SqliteTransactionManager::start_rollback(connection);
        }
    }

    /// Ends the transaction with all its effects.
    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let Some(connection) = &mut self.connection else { return Err(sqlx::Error::WorkerCrashed) };
        SqliteTransactionManager::commit(connection).await
    }

    /// Whether `now` should be written down with this commit.
    pub(crate) fn clock_is_due(&self, now: Timestamp) -> bool {
        now >= self.clock_saved + SAVE_CLOCK_EVERY
    }

    /// `now` is durable.
    pub(crate) const fn clock_was_saved(&mut self, now: Timestamp) {
        self.clock_saved = now;
    }

    /// No further transactions; the connection is handed over to be closed.
    pub(crate) fn close(&mut self) -> Option<SqliteConnection> {
        self.closed = true;
        self.connection.take()
    }
}

/// The latest moment that the database knows of. The note is at most a second old; the newest
/// rows narrow that down.
async fn latest_time(connection: &mut SqliteConnection) -> Result<Timestamp, sqlx::Error> {
    let latest: i64 = sqlx::query_scalar(
        "SELECT max(\
         COALESCE((SELECT CAST(value AS INTEGER) FROM note WHERE key = ?), 0), \
         COALESCE((SELECT created_at FROM execution ORDER BY id DESC LIMIT 1), 0), \
         COALESCE((SELECT max(last_beat) FROM worker), 0))",
    )
    .bind(CLOCK_NOTE)
    .fetch_one(connection)
    .await?;
    Ok(Timestamp::from_micros(latest.cast_unsigned()))
}
