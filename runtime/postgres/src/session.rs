//! A connection with a transaction on it.
//!
//! Everything that a transaction needs of its session is set in the transaction itself and ends
//! with it (`SET LOCAL`), in the same message as its BEGIN: a pooler in transaction mode may give
//! every transaction another session. For the same reason statements have no names, and nothing
//! is sent outside of a transaction.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Postgres, Row, SqlSafeStr, SqlStr};
use steadfast_core::{Span, Timestamp};
use steadfast_services::port::{Commit, Committed, Load, StoreError};
use tokio::time::timeout;
use tracing::debug;

use crate::args::{Args, Sent};
use crate::error::{Class, failed_commit, store_error};
use crate::options::Options;

/// How much longer than the server we wait for an answer: it knows that it is late, and we only
/// learn that the network or the server is gone.
const GRACE: Duration = Duration::from_secs(2);

/// How transactions begin.
#[derive(Debug)]
pub(crate) struct Beginnings {
    writing: SqlStr,
    reading: SqlStr,
    /// How long an answer is waited for.
    pub(crate) patience: Duration,
    /// How long a connection is waited for.
    acquire: Duration,
    /// How many dead connections the pool may hand out in a row.
    connections: u32,
}

impl Beginnings {
    pub(crate) fn new(options: &Options) -> Self {
        let writing = begin("READ COMMITTED READ WRITE", options);
        let reading = begin("REPEATABLE READ READ ONLY", options);
        Self {
            writing: AssertSqlSafe(writing).into_sql_str(),
            reading: AssertSqlSafe(reading).into_sql_str(),
            patience: options.statement_timeout + GRACE,
            acquire: options.acquire_timeout,
            connections: options.connections,
        }
    }
}

/// Begins a transaction, sets what holds for it, and asks for the time, in one message.
///
/// - `search_path`: tables are meant by their short names, whatever the user's own path is.
/// - The timeouts: a statement, a wait for a lock and a client that says nothing more all end.
/// - The planner walks indexes, in order. It has no statistics for tables that grew since somebody
///   last counted, and a plan for a small table that reads a large one stops everybody.
/// - A commit is durable when it returns, whatever the database's default is.
fn begin(mode: &str, options: &Options) -> String {
    let (statement, lock, idle) =
        (options.statement_timeout, options.lock_timeout, options.idle_timeout);
    format!(
        "BEGIN ISOLATION LEVEL {mode}; SELECT \
         (extract(epoch FROM transaction_timestamp()) * 1000000)::int8, \
         set_config('search_path', 'steadfast', true), \
         set_config('statement_timeout', '{}', true), \
         set_config('lock_timeout', '{}', true), \
         set_config('idle_in_transaction_session_timeout', '{}', true), \
         set_config('enable_seqscan', 'off', true), \
         set_config('enable_bitmapscan', 'off', true), \
         set_config('enable_hashjoin', 'off', true), \
         set_config('enable_mergejoin', 'off', true), \
         set_config('jit', 'off', true), \
         CASE current_setting('synchronous_commit') WHEN 'off' \
         THEN set_config('synchronous_commit', 'on', true) END",
        statement.as_millis(),
        lock.as_millis(),
        idle.as_millis(),
    )
}

/// Where a transaction stands.
#[derive(Debug)]
enum State {
    /// The next statement may come.
    Open,
    /// A statement is under way. Whoever finds this gave up waiting for it.
    Busy,
    /// The server has rolled it back, or will when it hears of it.
    Failed(StoreError),
}

/// A transaction. It is rolled back when this is dropped.
pub(crate) struct Session {
    connection: Option<PoolConnection<Postgres>>,
    state: State,
    /// The database's clock when it was last looked at.
    now: Timestamp,
    /// When the answer came that brought the database's time, and that time.
    begun: (Instant, Timestamp),
    patience: Duration,
}

impl Session {
    /// Begins a transaction that may write.
    pub(crate) async fn write(pool: &PgPool, how: &Beginnings) -> Load<Self> {
        Self::begin(pool, how, &how.writing).await
    }

    /// Begins a transaction that sees one moment and writes nothing.
    pub(crate) async fn read(pool: &PgPool, how: &Beginnings) -> Load<Self> {
        Self::begin(pool, how, &how.reading).await
    }

    /// A connection that died while it lay in the pool is noticed here, where nothing has been
    /// done yet, so that another one may be tried. Nowhere else is anything sent twice.
    async fn begin(pool: &PgPool, how: &Beginnings, sql: &SqlStr) -> Load<Self> {
        let attempts = async {
            let mut dead = 0;
            loop {
                let connection = pool.acquire().await.map_err(|error| store_error(&error))?;
                match Self::try_begin(connection, how, sql.clone()).await {
                    Ok(session) => return Ok(session),
                    Err(error)
                        if dead < how.connections && Class::of(&error).spoils_connection() =>
                    {
                        dead += 1;
                        debug!(%error, "a connection of the pool was dead; another one is taken");
                    }
                    // Whatever it is (a server that only follows another one says that a feature
                    // is missing), nothing is unreadable yet.
                    Err(error) => return Err(StoreError::Unavailable(error.to_string())),
                }
            }
        };
        let late = |_| StoreError::Unavailable(String::from("no connection became free in time"));
        timeout(how.acquire, attempts).await.map_err(late)?
    }

    async fn try_begin(
        connection: PoolConnection<Postgres>,
        how: &Beginnings,
        sql: SqlStr,
    ) -> Result<Self, sqlx::Error> {
        // From here on a transaction may be open: dropping the session looks after it.
        let mut session = Self {
            connection: Some(connection),
            state: State::Busy,
            now: Timestamp::ZERO,
            begun: (monotonic(), Timestamp::ZERO),
            patience: how.patience,
        };
        let Some(connection) = &mut session.connection else {
            return Err(sqlx::Error::PoolClosed);
        };
        let begun = timeout(how.patience, sqlx::raw_sql(sql).fetch_one(&mut **connection)).await;
        let now = begun.unwrap_or_else(|_| Err(late())).and_then(|row| row.try_get::<i64, _>(0));
        match now {
            Ok(now) => {
                session.now = Timestamp::from_micros(now.cast_unsigned());
                session.begun = (monotonic(), session.now);
                session.state = State::Open;
                Ok(session)
            }
            Err(error) => {
                session.discard();
                Err(error)
            }
        }
    }

    /// The database's clock: what it said when the transaction began, and the time that has passed
    /// here since its answer came. The way of the answer is left out, so it is never ahead.
    pub(crate) fn now(&mut self) -> Timestamp {
        let (answered, then) = self.begun;
        let passed = monotonic().duration_since(answered);
        self.now = self.now.max(then + Span::from(passed));
        self.now
    }

    /// Takes the connection for one statement.
    fn enter(&mut self) -> Load<&mut PoolConnection<Postgres>> {
        match &self.state {
            State::Open => {}
            State::Busy => {
                let reason = "a statement was given up, and its transaction with it";
                return Err(StoreError::Unavailable(String::from(reason)));
            }
            State::Failed(error) => return Err(error.clone()),
        }
        self.state = State::Busy;
        let lost = || StoreError::Unavailable(String::from("the connection was lost"));
        self.connection.as_mut().ok_or_else(lost)
    }

    fn fail(&mut self, error: &sqlx::Error) -> StoreError {
        let meaning = store_error(error);
        self.refuse(meaning.clone());
        if Class::of(error).spoils_connection() {
            self.discard();
        }
        meaning
    }

    /// Nothing of this transaction will be done.
    pub(crate) fn refuse(&mut self, error: StoreError) {
        self.state = State::Failed(error);
    }

    /// Gives the connection up; the server rolls back when it notices.
    fn discard(&mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }

    /// The rows that a statement finds.
    pub(crate) async fn rows(&mut self, sql: SqlStr, args: Args) -> Load<Vec<PgRow>> {
        let sent = args.finish(sql)?;
        let patience = self.patience;
        let connection = self.enter()?;
        let query = async {
            match sent {
                Sent::Whole(sql) => sqlx::raw_sql(sql).fetch_all(&mut **connection).await,
                Sent::Parts(sql, args) => {
                    let query = sqlx::query_with(sql, args).persistent(false);
                    query.fetch_all(&mut **connection).await
                }
            }
        };
        match timeout(patience, query).await.unwrap_or_else(|_| Err(late())) {
            Ok(rows) => {
                self.state = State::Open;
                Ok(rows)
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// How many rows a statement wrote.
    pub(crate) async fn execute(&mut self, sql: SqlStr, args: Args) -> Load<u64> {
        let sent = args.finish(sql)?;
        let patience = self.patience;
        let connection = self.enter()?;
        let query = async {
            match sent {
                Sent::Whole(sql) => sqlx::raw_sql(sql).execute(&mut **connection).await,
                Sent::Parts(sql, args) => {
                    let query = sqlx::query_with(sql, args).persistent(false);
                    query.execute(&mut **connection).await
                }
            }
        };
        match timeout(patience, query).await.unwrap_or_else(|_| Err(late())) {
            Ok(done) => {
                self.state = State::Open;
                Ok(done.rows_affected())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Makes everything durable. After a failed statement nothing is sent: PostgreSQL answers a
    /// COMMIT of a failed transaction by rolling it back, without an error.
    pub(crate) async fn commit(mut self) -> Commit {
        let patience = self.patience;
        let connection = match self.enter() {
            Ok(connection) => connection,
            Err(error) => return Commit::Failed(error),
        };
        let query = sqlx::raw_sql("COMMIT").execute(&mut **connection);
        match timeout(patience, query).await.unwrap_or_else(|_| Err(late())) {
            Ok(_) => {
                // It goes back to the pool.
                self.connection = None;
                Commit::Committed(Committed::by_store(self.now))
            }
            Err(error) => {
                self.fail(&error);
                failed_commit(&error)
            }
        }
    }

    /// Ends a transaction that has only read.
    pub(crate) async fn end(self) -> Load<()> {
        match self.commit().await {
            Commit::Committed(_) => Ok(()),
            Commit::Failed(error) => Err(error),
            Commit::Unknown(reason) => Err(StoreError::Unavailable(reason)),
        }
    }
}

fn late() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let patience = self.patience;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Nobody is left to do it; a closed connection is rolled back by the server.
            drop(connection.leak());
            return;
        };
        runtime.spawn(async move {
            let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
            if !matches!(timeout(patience, rollback).await, Ok(Ok(_))) {
                drop(connection.detach());
            }
        });
    }
}

/// For how much time has passed since the database told its own.
#[expect(clippy::disallowed_methods, reason = "the adapter counts on from the database's clock")]
fn monotonic() -> Instant {
    Instant::now()
}
