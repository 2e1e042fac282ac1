//! What the processes of attempts wrote: pieces of at most 64 KiB, each at its place in a stream.

use sqlx::SqlStr;
use sqlx::postgres::PgRow;
use steadfast_services::port::{Commit, Load, StoreError};

use crate::args::Args;
use crate::row::Reader;
use crate::session::Session;
use crate::store::PostgresStore;

/// How large a piece may be.
pub const LOG_PIECE: usize = 64 * 1024;

/// How many pieces are read at once.
const READ: u32 = 4;

/// How many pieces are deleted at once.
const FORGET: u32 = 1_000;

const PUT: &str = "INSERT INTO execution_log \
     (execution, attempt, stream, position, bytes, written_at) \
     VALUES ($1, $2, $3, $4, $5, (extract(epoch FROM clock_timestamp()) * 1000000)::int8) \
     ON CONFLICT (execution, attempt, stream, position) DO UPDATE SET bytes = excluded.bytes";

const GET: &str = "SELECT position, bytes FROM execution_log \
     WHERE execution = $1 AND attempt = $2 AND stream = $3 AND position > $4 - 65536 \
     ORDER BY position LIMIT $5";

const OLD: &str = "DELETE FROM execution_log WHERE (execution, attempt, stream, position) IN \
     (SELECT execution, attempt, stream, position FROM execution_log \
      WHERE written_at < (extract(epoch FROM clock_timestamp()) * 1000000)::int8 - $1 \
      ORDER BY written_at LIMIT $2)";

/// Which log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogName {
    /// Of which execution.
    pub execution: u64,
    /// Of which attempt.
    pub attempt: u32,
    /// Whether standard error is meant, and not standard output.
    pub is_stderr: bool,
}

impl LogName {
    fn args(self) -> Args {
        let Self { execution, attempt, is_stderr } = self;
        Args::default().int(execution).int(attempt).int(u8::from(is_stderr))
    }
}

impl PostgresStore {
    /// Writes the piece that begins at `position`; one that was shorter is replaced.
    ///
    /// # Errors
    /// If it is not known to be durable.
    pub async fn put_log(&self, name: LogName, position: u64, piece: &[u8]) -> Load<()> {
        let mut session = self.session().await?;
        let args = name.args().int(position).bytes(piece);
        session.execute(SqlStr::from_static(PUT), args).await?;
        commit(session).await
    }

    /// The log from `offset` on: some of it, or nothing at its end.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn log(&self, name: LogName, offset: u64) -> Load<Vec<u8>> {
        let mut session = self.snapshot().await?;
        let args = name.args().int(offset).int(READ);
        let rows = session.rows(SqlStr::from_static(GET), args).await?;
        session.end().await?;
        let mut bytes = Vec::new();
        let mut next = offset;
        for (position, piece) in rows.iter().map(read).collect::<Load<Vec<_>>>()? {
            // A gap is what a worker never sent; what comes behind it is shown all the same.
            let start = usize::try_from(next.saturating_sub(position)).unwrap_or(usize::MAX);
            let Some(rest) = piece.get(start..).filter(|rest| !rest.is_empty()) else { continue };
            bytes.extend_from_slice(rest);
            next = position + piece.len() as u64;
        }
        Ok(bytes)
    }

    /// Deletes pieces that are older than so many microseconds, a thousand at the most. How many
    /// there were.
    ///
    /// # Errors
    /// If it is not known to be done.
    pub async fn forget_logs(&self, older_than: u64) -> Load<u64> {
        let mut session = self.session().await?;
        let args = Args::default().int(older_than).int(FORGET);
        let deleted = session.execute(SqlStr::from_static(OLD), args).await?;
        commit(session).await?;
        Ok(deleted)
    }
}

fn read(row: &PgRow) -> Load<(u64, Vec<u8>)> {
    let mut row = Reader::new(row);
    Ok((row.int()?, row.bytes()?))
}

async fn commit(session: Session) -> Load<()> {
    match session.commit().await {
        Commit::Committed(_) => Ok(()),
        Commit::Failed(error) => Err(error),
        Commit::Unknown(reason) => Err(StoreError::Unavailable(reason)),
    }
}
