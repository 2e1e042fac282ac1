//! The output of processes on its way into a database that is shared: piece by piece while they
//! run, and whole before their end is reported. So it can be read wherever the API is, and after
//! its worker is gone.

use std::time::Duration;

use steadfast_core::{ExecutionId, Span};
use steadfast_postgres::{LOG_PIECE, LogName, PostgresStore};
use steadfast_runner::{LogStore, LogStream};
use steadfast_services::port::{Env, StoreError};
use tracing::{debug, warn};

use super::Engine;
use super::env::LocalEnv;
use super::store::AnyStore;

/// How often what is new is sent. It is also what a worker that is killed can keep for itself.
const EVERY: Duration = Duration::from_secs(1);

/// How much of a stream is sent. The rest stays with the worker.
const SENT_MAX: u64 = 1 << 20;

/// How often the end of a log is tried to send before its attempt is reported without.
const TRIES: u32 = 5;

/// How long before it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often old pieces are looked for.
const CLEANING: Span = Span::from_secs(600);

/// One stream, and how much of it was sent.
struct Stream {
    name: LogName,
    stream: LogStream,
    sent: u64,
    is_full: bool,
}

/// Sends the output of one attempt.
pub(super) struct Shipping {
    store: Option<PostgresStore>,
    logs: LogStore,
    streams: [Stream; 2],
}

impl Shipping {
    /// Of an attempt. A store that is no one else's needs nothing: the logs are beside it.
    pub(super) fn new(env: &LocalEnv, logs: &LogStore, execution: u64, attempt: u32) -> Self {
        let store = match env.store() {
            AnyStore::Postgres(store) => Some(store.clone()),
            AnyStore::Embedded(_) => None,
        };
        let stream = |stream| {
            let is_stderr = stream == LogStream::Stderr;
            let name = LogName { execution, attempt, is_stderr };
            Stream { name, stream, sent: 0, is_full: false }
        };
        let streams = [LogStream::Stdout, LogStream::Stderr].map(stream);
        Self { store, logs: logs.clone(), streams }
    }

    /// Sends what is new, again and again. It may be given up at any moment.
    pub(super) async fn go_on(&mut self) {
        if self.store.is_none() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.send().await {
                debug!(%error, "a log was not sent; it is tried again");
            }
        }
    }

    /// Sends the rest.
    pub(super) async fn finish(&mut self) {
        for _ in 0..TRIES {
            match self.send().await {
                Ok(()) => return,
                Err(error) => debug!(%error, "the end of a log was not sent"),
            }
            tokio::time::sleep(AGAIN).await;
        }
        let execution = self.streams[0].name.execution;
        warn!(execution, "the end of its log is on this worker's disk alone");
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        for stream in &mut self.streams {
            while !stream.is_full {
                let piece = stream.read(&self.logs).await?;
                if piece.is_empty() {
                    break;
                }
                store.put_log(stream.name, stream.sent, &piece).await?;
                stream.sent += piece.len() as u64;
                if stream.sent >= SENT_MAX {
                    let note = stream.note();
                    store.put_log(stream.name, stream.sent, note.as_bytes()).await?;
                    stream.is_full = true;
                }
            }
        }
        Ok(())
    }
}

impl Stream {
    async fn read(&self, logs: &LogStore) -> Result<Vec<u8>, StoreError> {
        let (logs, LogName { execution, attempt, .. }) = (logs.clone(), self.name);
        let (stream, offset, most) = (self.stream, self.sent, LOG_PIECE as u64);
        let read = move || logs.read_from(execution, attempt, stream, offset, most);
        let read = tokio::task::spawn_blocking(read).await;
        let bytes = read.map_err(std::io::Error::other).and_then(|read| read);
        Ok(bytes.map_err(|error| StoreError::Unavailable(error.to_string()))?.unwrap_or_default())
    }

    fn note(&self) -> String {
        format!(
            "\n[steadfast: {SENT_MAX} bytes of this log are kept here; the rest was left on the disk \
             of its worker]\n"
        )
    }
}

impl Engine {
    /// What an attempt wrote, from `offset` on: some of it, or nothing at its end.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) async fn read_log(
        &self,
        id: ExecutionId,
        attempt: u32,
        stream: LogStream,
        offset: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let name = LogName { execution: id.0, attempt, is_stderr: stream == LogStream::Stderr };
        match self.query() {
            AnyStore::Postgres(store) => store.log(name, offset).await,
            AnyStore::Embedded(_) => {
                let at = Stream { name, stream, sent: offset, is_full: false };
                at.read(self.logs()).await
            }
        }
    }
}

/// Deletes logs that are older than `kept`, for as long as the engine runs.
pub(super) fn start_cleaning(env: &LocalEnv, kept: Span) {
    let AnyStore::Postgres(store) = env.store().clone() else { return };
    let (inner, stop) = (env.clone(), env.stop().clone());
    env.spawn("clean logs", async move {
        while !stop.is_cancelled() {
            // A full thousand says that there may be more.
            while matches!(store.forget_logs(kept.as_micros()).await, Ok(1_000..)) {}
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = inner.sleep(CLEANING) => {}
            }
        }
    });
}
