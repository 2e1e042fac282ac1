//! Looking after the file: checkpoints, closing, checking, and the engine's own restart.

use sqlx::Connection;
use steadfast_core::worker::{Worker, WorkerInput};
use steadfast_services::port::{Batch, Load, Store, Transaction};

use crate::error::store_error;
use crate::query::finish;
use crate::store::{CLOCK_NOTE, EmbeddedStore};

/// What an inspection of the file found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, in SQLite's words; empty if nothing is.
    pub problems: Vec<String>,
}

impl Health {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Each finds rows that refer to nothing. The schema has no foreign keys, so they are asked here.
const DANGLING: &[(&str, &str)] = &[
    (
        "parameters without an execution",
        "SELECT count(*) FROM execution_parameters p \
         WHERE NOT EXISTS (SELECT 1 FROM execution e WHERE e.id = p.execution)",
    ),
    (
        "outcomes without an execution that is over",
        "SELECT count(*) FROM execution_outcome o \
         WHERE NOT EXISTS (SELECT 1 FROM execution e WHERE e.id = o.execution AND e.status >= 7)",
    ),
    (
        "runs without an execution",
        "SELECT count(*) FROM run r \
         WHERE NOT EXISTS (SELECT 1 FROM execution e WHERE e.id = r.execution)",
    ),
    (
        "visits without a run",
        "SELECT count(*) FROM visit v \
         WHERE NOT EXISTS (SELECT 1 FROM run r WHERE r.execution = v.run)",
    ),
    (
        "executions in a queue that does not exist",
        "SELECT count(*) FROM execution e \
         WHERE e.line IS NOT NULL AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.key = e.queue)",
    ),
];

impl EmbeddedStore {
    /// Declares dead whatever worker was part of the process that had this directory before: it
    /// cannot be alive, because the directory is locked by this one. Its attempts are orphans at
    /// once and the next sweep rescues them. Returns how many workers were buried.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn bury_former_workers(&self) -> Load<usize> {
        let mut tx = self.begin("bury former workers").await?;
        let now = tx.now().await?;
        let mut dead: Vec<Worker> = Vec::new();
        for mut worker in tx.workers(None).await? {
            let bury = WorkerInput::Bury(worker.incarnation);
            if worker.handle(&bury, now).is_ok() {
                worker.version = worker.version.next();
                dead.push(worker);
            }
        }
        if dead.is_empty() {
            return Ok(0);
        }
        tx.apply(Batch::UpdateWorkers(&dead)).await?;
        finish(tx).await?;
        Ok(dead.len())
    }

    /// Copies everything from the log into the database file and empties the log.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn checkpoint(&self) -> Load<()> {
        let mut writer = self.writer().await;
        let connection = writer.connection()?;
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
        done.map(|_| ()).map_err(|error| store_error(&error))
    }

    /// Ends everything in good order: what was reserved ahead is given back, the log is emptied,
    /// the connections are closed. Waits for the transaction that is under way; later ones are
    /// refused.
    ///
    /// # Errors
    /// If the store fails. Nothing that was committed is lost then either.
    pub async fn close(&self) -> Load<()> {
        let settled = self.settle_reserves().await;
        self.readers().close().await;
        let emptied = self.checkpoint().await;
        let connection = self.writer().await.close();
        let closed = match connection {
            Some(connection) => connection.close().await.map_err(|error| store_error(&error)),
            None => Ok(()),
        };
        settled.and(emptied).and(closed)
    }

    async fn settle_reserves(&self) -> Load<()> {
        let mut tx = self.begin("settle reserves").await?;
        let (now, next) = (tx.now().await?, tx.next_id());
        tx.put_reserved(next).await?;
        tx.put_note(CLOCK_NOTE, &now.as_micros().to_string()).await?;
        tx.settle_ids(next);
        finish(tx).await
    }

    /// Reads the whole file and says what is wrong with it.
    ///
    /// # Errors
    /// If it cannot be read at all.
    pub async fn integrity_check(&self) -> Load<Health> {
        let failed = |error: sqlx::Error| store_error(&error);
        let lines = sqlx::query_scalar("PRAGMA integrity_check");
        let lines: Vec<String> = lines.fetch_all(self.readers()).await.map_err(failed)?;
        let mut problems: Vec<String> = lines.into_iter().filter(|line| line != "ok").collect();
        for (what, sql) in DANGLING {
            let count = sqlx::query_scalar(*sql).fetch_one(self.readers());
            let count: i64 = count.await.map_err(failed)?;
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        }
        Ok(Health { problems })
    }
}
