//! Engines to be measured.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use steadfast_runtime::core::worker::WorkerInput;
use steadfast_runtime::core::{Status, WorkerId};
use steadfast_runtime::packs::PolicyDefaults;
use steadfast_runtime::{Data, Engine, EngineError, Options, Request, Roles};
use steadfast_services::port::Query;

use super::cost::{Cost, Servers};
use super::notes::{Notes, handlers};
use super::scratch::Scratch;
use super::worker::WorkerProcess;
use super::{Conditions, Sample};
use crate::cli::arguments::Workload;
use crate::cli::failure::Failure;

/// How many submissions wait for their commit at the same time, for each that a commit can take.
const SUBMITTERS: usize = 2;
/// The worker.
pub(super) const WORKER: &str = "local";
/// Between two looks at something that is about to happen.
const GLANCE: Duration = Duration::from_millis(2);

/// An engine for one run, with one worker, and where its data is.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) notes: Notes,
    directory: Option<PathBuf>,
    outside: Option<Outside>,
}

/// What an engine on servers has besides itself.
struct Outside {
    workers: Vec<WorkerProcess>,
    scratch: Scratch,
    database: PgConnection,
    servers: Servers,
}

impl Bench {
    /// Starts an engine with the handlers of `workload`, and its worker.
    pub(super) async fn start(
        workload: Workload,
        conditions: &Conditions,
    ) -> Result<Self, Failure> {
        match &conditions.servers {
            None => Self::embedded(workload, conditions).await,
            Some(_) => Self::on_servers(workload, conditions).await,
        }
    }

    async fn embedded(workload: Workload, conditions: &Conditions) -> Result<Self, Failure> {
        let notes = Notes::default();
        let name = super::name(workload).to_lowercase();
        let directory = conditions.base.as_ref().map(|base| base.join(name));
        if let Some(directory) = &directory {
            // What an earlier run left would be measured as well.
            let _ = std::fs::remove_dir_all(directory);
        }
        let data = directory.clone().map_or(Data::Temporary, Data::Directory);
        let builder = handlers(workload, &notes).options(options(conditions, data));
        let engine = builder.start().await?;
        let bench = Self { engine, notes, directory, outside: None };
        bench.until_registered(WORKER).await?;
        Ok(bench)
    }

    /// The executor is in this process, and the worker is a process of its own.
    async fn on_servers(workload: Workload, conditions: &Conditions) -> Result<Self, Failure> {
        let configured = conditions.servers.as_ref();
        let configured = configured.ok_or_else(|| Failure::usage("no servers are configured"))?;
        let scratch = conditions.made(Scratch::make(configured).await?);
        let notes = Notes::default();
        let options = Options {
            servers: Some(scratch.servers.clone()),
            roles: Roles { executor: true, worker: false },
            ..options(conditions, Data::Temporary)
        };
        let engine = handlers(workload, &notes).options(options).start().await?;
        let mut database = scratch.connect().await?;
        let servers = Servers::find(&mut database, conditions.broker_port()).await;
        let outside = Outside { workers: Vec::new(), scratch, database, servers };
        let mut bench = Self { engine, notes, directory: None, outside: Some(outside) };
        bench.hire(WORKER, workload, conditions).await?;
        Ok(bench)
    }

    /// Starts a worker process and waits until it is there; its number.
    pub(super) async fn hire(
        &mut self,
        name: &str,
        workload: Workload,
        conditions: &Conditions,
    ) -> Result<usize, Failure> {
        let outside = self.outside.as_mut();
        let outside =
            outside.ok_or_else(|| Failure::usage("the embedded engine has one worker"))?;
        let servers = &outside.scratch.servers;
        let worker = WorkerProcess::start(name, workload, conditions, servers, &self.notes)?;
        outside.workers.push(worker);
        let number = outside.workers.len() - 1;
        self.until_registered(name).await?;
        Ok(number)
    }

    /// Kills a worker process.
    pub(super) fn kill(&mut self, number: usize) -> Result<(), Failure> {
        let outside = self.outside.as_mut();
        match outside.and_then(|outside| outside.workers.get_mut(number)) {
            Some(worker) => worker.kill(),
            None => Err(Failure::usage("there is no such worker")),
        }
    }

    async fn until_registered(&self, name: &str) -> Result<(), Failure> {
        loop {
            let workers = self.engine.query().workers().await.map_err(EngineError::from)?;
            if workers.iter().any(|(worker, _)| worker.name.as_str() == name) {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Keeps the worker from taking anything, or lets it.
    pub(super) async fn cordon(&self, cordoned: bool) -> Result<(), Failure> {
        self.engine.tell_worker(WORKER, WorkerInput::Cordon(cordoned)).await?;
        Ok(())
    }

    /// Waits until handlers were called `calls` times and `completed` executions have completed.
    pub(super) async fn wait(&mut self, calls: u64, completed: u64) -> Result<(), Failure> {
        while self.notes.calls() < calls {
            self.check()?;
            tokio::time::sleep(GLANCE).await;
        }
        while self.completed().await? < completed {
            self.check()?;
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Fails if a worker that was not killed has ended.
    fn check(&mut self) -> Result<(), Failure> {
        let last = self.outside.as_mut().and_then(|outside| outside.workers.last_mut());
        last.map_or(Ok(()), WorkerProcess::check)
    }

    /// How many executions have completed.
    pub(super) async fn completed(&self) -> Result<u64, Failure> {
        Self::count_completed(&self.engine).await
    }

    /// How many executions of an engine have completed.
    pub(super) async fn count_completed(engine: &Engine) -> Result<u64, Failure> {
        let counts = engine.query().count_by_status().await.map_err(EngineError::from)?;
        Ok(counts.into_iter().find(|(s, _)| *s == Status::Completed).map_or(0, |(_, n)| n))
    }

    /// What was spent so far, on servers.
    pub(super) async fn cost(&mut self) -> Cost {
        let Some(outside) = &mut self.outside else { return Cost::default() };
        let pids: Vec<u32> = outside.workers.iter().map(WorkerProcess::id).collect();
        outside.servers.cost(&mut outside.database, &pids).await
    }

    /// Stops it and removes its data. `executions` shared what is known only at the end.
    pub(super) async fn stop(
        self,
        executions: f64,
        conditions: &Conditions,
        sample: &mut Sample,
    ) -> Result<(), Failure> {
        let workers = self.engine.query().workers().await.map_err(EngineError::from)?;
        let workers: Vec<WorkerId> = workers.iter().map(|(worker, _)| worker.id()).collect();
        self.engine.shutdown(true).await;
        drop(self.engine);
        if let Some(directory) = &self.directory {
            // What cannot be removed is in the next run's way, which says so.
            let _ = std::fs::remove_dir_all(directory);
        }
        let Some(Outside { workers: processes, scratch, database, .. }) = self.outside else {
            return Ok(());
        };
        drop(processes);
        drop(database);
        scratch.check_own().await?;
        sample
            .insert("dead_tuples_per_execution", scratch.dead_tuples().await? as f64 / executions);
        conditions.removed();
        scratch.remove(&workers).await
    }
}

/// How many submissions are under way at the same time.
pub(super) fn submitters(conditions: &Conditions) -> usize {
    SUBMITTERS * conditions.batch_size
}

/// No bound but those of the machine.
pub(super) fn options(conditions: &Conditions, data: Data) -> Options {
    let mut options = Options {
        data,
        durability: conditions.durability,
        capacity: conditions.capacity,
        batch_size: conditions.batch_size,
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
