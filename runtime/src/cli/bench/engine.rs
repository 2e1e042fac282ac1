//! Engines to be measured.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use steadfast_runtime::core::Status;
use steadfast_runtime::core::worker::WorkerInput;
use steadfast_runtime::packs::PolicyDefaults;
use steadfast_runtime::{Data, Engine, EngineBuilder, EngineError, Options, Request};
use steadfast_services::port::Query;

use super::Conditions;
use crate::cli::failure::Failure;

/// How many submissions wait for their commit at the same time.
pub(super) const SUBMITTERS: usize = 256;
/// The worker in the engine.
const WORKER: &str = "local";
/// Between two looks at something that is about to happen.
const GLANCE: Duration = Duration::from_millis(2);

/// Counts what handlers have done.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally(Arc<AtomicU64>);

impl Tally {
    /// One more.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An engine for one run, and where its data is.
pub(super) struct Bench {
    pub(super) engine: Engine,
    directory: Option<PathBuf>,
}

impl Bench {
    /// Starts an engine with the handlers of `builder`.
    pub(super) async fn start(
        builder: EngineBuilder,
        conditions: &Conditions,
        name: &str,
    ) -> Result<Self, Failure> {
        let directory = conditions.base.as_ref().map(|base| base.join(name));
        if let Some(directory) = &directory {
            // What an earlier run left would be measured as well.
            let _ = std::fs::remove_dir_all(directory);
        }
        let data = directory.clone().map_or(Data::Temporary, Data::Directory);
        let engine = builder.options(options(conditions, data)).start().await?;
        Ok(Self { engine, directory })
    }

    /// Keeps the worker from taking anything, or lets it.
    pub(super) async fn cordon(&self, cordoned: bool) -> Result<(), Failure> {
        loop {
            match self.engine.tell_worker(WORKER, WorkerInput::Cordon(cordoned)).await {
                Ok(()) => return Ok(()),
                // It registers in the background.
                Err(EngineError::UnknownWorker(_)) => tokio::time::sleep(GLANCE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits until handlers were called `calls` times and `completed` executions have completed.
    pub(super) async fn wait(
        &self,
        tally: &Tally,
        calls: u64,
        completed: u64,
    ) -> Result<(), Failure> {
        while tally.get() < calls {
            tokio::time::sleep(GLANCE).await;
        }
        while self.completed().await? < completed {
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// How many executions have completed.
    async fn completed(&self) -> Result<u64, Failure> {
        Self::count_completed(&self.engine).await
    }

    /// How many executions of an engine have completed.
    pub(super) async fn count_completed(engine: &Engine) -> Result<u64, Failure> {
        let counts = engine.query().count_by_status().await.map_err(EngineError::from)?;
        Ok(counts.into_iter().find(|(s, _)| *s == Status::Completed).map_or(0, |(_, n)| n))
    }

    /// Stops it and removes its data.
    pub(super) async fn stop(self) {
        self.engine.shutdown(true).await;
        drop(self.engine);
        if let Some(directory) = &self.directory {
            // What cannot be removed is in the next run's way, which says so.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// No bound but those of the machine.
pub(super) fn options(conditions: &Conditions, data: Data) -> Options {
    let mut options = Options {
        data,
        durability: conditions.durability,
        capacity: conditions.capacity,
        worker_name: WORKER.to_owned(),
        ..Options::default()
    };
    options.settings.max_queue_length = u64::MAX >> 1;
    options.defaults = defaults();
    options
}

/// Nothing waits too long.
pub(super) fn defaults() -> PolicyDefaults {
    PolicyDefaults { queue_timeout: None, ..PolicyDefaults::default() }
}

/// A request without parameters.
pub(super) fn request(action: String, parameters: Value) -> Request {
    Request { action, parameters, ..Request::default() }
}

/// What this process has written to disks so far, in bytes; `None` where the system does not say.
pub(super) fn written_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}
