//! Configuring and opening an engine.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steadfast_core::settings::Settings;
use steadfast_core::{ActionRef, Span, Transport, WorkerName};
use steadfast_embedded::{DataDir, EmbeddedStore, InprocBroker};
use steadfast_packs::{Catalog, Definition, PolicyDefaults, Problem, Sources};
use steadfast_postgres::{PostgresStore, Wire};
use steadfast_rabbitmq::RabbitBroker;
use steadfast_runner::{Guardian, LogStore, Runner as ProcessRunner, RunnerConfig, WitnessProgram};
use steadfast_services::alarm::Alarm;
use steadfast_services::assembly::{open_doors, start_executor};
use steadfast_services::port::{PROBE_LABEL, Probing, Query, Runner, StoreError};
use steadfast_services::service::control::{self, QueueChange};
use steadfast_services::service::heartbeat::Introduction;
use steadfast_services::service::work::{Progress, StopSignals, WorkerConfig, work};
use tokio_util::sync::CancellationToken;

use super::broker::AnyBroker;
use super::counters::Counters;
use super::courier::HttpCourier;
use super::definitions::Definitions;
use super::env::{LocalEnv, Shared, wall_clock};
use super::journal::{self, JournalOptions};
use super::logs::start_cleaning;
use super::measures::Measures;
use super::notified::Notified;
use super::paired::Paired;
use super::probe::Prober;
use super::runner::ActionRunner;
use super::store::AnyStore;
use super::{Engine, Inner};
use crate::effects::EffectOptions;
use crate::handler::{Context, Handler};

/// Where an engine keeps its data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Data {
    /// In a new directory that is removed when the engine stops.
    #[default]
    Temporary,
    /// In this directory, which is created if it does not exist, and locked.
    Directory(PathBuf),
}

pub use steadfast_embedded::Durability;

/// Which parts of the engine a process has. Every process can submit and look things up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// It decides: admission, workflow advance, sweeps, dispatch.
    pub executor: bool,
    /// It carries work out.
    pub worker: bool,
}

impl Default for Roles {
    fn default() -> Self {
        Self { executor: true, worker: true }
    }
}

/// Servers that the processes of one deployment share.
#[derive(Clone)]
pub struct Servers {
    /// Where the database is, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub database_url: String,
    /// How it is used.
    pub database: steadfast_postgres::Options,
    /// A way to the database around its pooler, for notifications.
    pub direct_url: Option<String>,
    /// Where RabbitMQ is, and how it is used; `None` = the database is the broker.
    pub message_queue: Option<steadfast_rabbitmq::Options>,
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The addresses hold passwords.
        f.debug_struct("Servers").field("database", &self.database).finish_non_exhaustive()
    }
}

/// What an engine is like, apart from its actions.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its data is; with servers, only the logs of its processes.
    pub data: Data,
    /// The servers that keep the state and carry the hints; `None` keeps everything in `data` and
    /// in this process.
    pub servers: Option<Servers>,
    /// Which parts of the engine this process has.
    pub roles: Roles,
    /// What a commit survives. A killed process loses nothing in either case.
    pub durability: Durability,
    /// Spans and bounds.
    pub settings: Settings,
    /// How the outside world is told of ends.
    pub effects: EffectOptions,
    /// What holds for actions that say nothing themselves.
    pub defaults: PolicyDefaults,
    /// How many inputs one transaction takes at the most.
    pub batch_size: usize,
    /// How long what is over is kept; `None` keeps everything.
    pub retention: Option<Span>,
    /// The worker's name.
    pub worker_name: String,
    /// How many executions run at once.
    pub capacity: u32,
    /// The worker's labels.
    pub labels: BTreeMap<String, String>,
    /// Where executors can ask the worker whether it moves, as `HOST:PORT`, which it publishes; `None`
    /// = it is not asked.
    pub probe_address: Option<String>,
    /// How an executor asks, and what a worker says of itself.
    pub probing: Probing,
    /// How often the worker renews its lease.
    pub renew_interval: Span,
    /// How long running work may take to finish when the engine stops.
    pub shutdown_timeout: Span,
    /// How long a process may take to end after SIGTERM.
    pub kill_grace: Duration,
    /// How large a result may be, in bytes.
    pub max_result_bytes: usize,
    /// Where this process writes down what it decides; `None` = nowhere.
    pub journal: Option<JournalOptions>,
    /// What to start beside a worker on servers, so that it need not be waited for when it is
    /// killed; it must call [`bear_witness`](crate::bear_witness).
    pub witness: Option<WitnessProgram>,
    /// How long logs are kept in a database that is shared.
    pub logs_kept: Span,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            data: Data::Temporary,
            servers: None,
            roles: Roles::default(),
            durability: Durability::Full,
            settings: Settings::DEFAULT,
            effects: EffectOptions::default(),
            defaults: PolicyDefaults::default(),
            batch_size: 256,
            retention: None,
            worker_name: String::from("local"),
            capacity: u32::try_from(cores * 4).unwrap_or(4),
            labels: BTreeMap::new(),
            probe_address: None,
            probing: Probing::DEFAULT,
            renew_interval: Span::from_secs(1),
            shutdown_timeout: Span::from_secs(30),
            kill_grace: Duration::from_secs(5),
            max_result_bytes: 1 << 20,
            journal: None,
            witness: None,
            logs_kept: Span::from_secs(7 * 24 * 3600),
        }
    }
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A pack has errors; all of them, and warnings too.
    #[error("{}", list(.0))]
    Packs(Vec<Problem>),
    /// The data directory or its store cannot be used.
    #[error(transparent)]
    Data(#[from] steadfast_embedded::OpenError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] steadfast_postgres::OpenError),
    /// The broker's address or options cannot work.
    #[error(transparent)]
    MessageQueue(#[from] steadfast_rabbitmq::Problem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process that watches over this one could not be started.
    #[error("cannot start the guardian process: {0}")]
    Guardian(std::io::Error),
    /// The journal cannot be written.
    #[error("cannot write a journal to {}: {}", .0.display(), .1)]
    Journal(PathBuf, std::io::Error),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> =
        problems.iter().filter(|p| p.is_error()).map(ToString::to_string).collect();
    lines.join("\n")
}

/// Configures an engine.
#[derive(Default)]
pub struct EngineBuilder {
    options: Options,
    sources: Sources,
    catalog: Option<Catalog>,
    handlers: BTreeMap<ActionRef, Handler>,
    definitions: Vec<Definition>,
}

impl EngineBuilder {
    /// Replaces all options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Keeps the data in `directory`, so that the next engine there goes on where this one stopped
    /// or was killed.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.data = Data::Directory(directory.into());
        self
    }

    /// Runs at most this many executions at once.
    #[must_use]
    pub fn capacity(mut self, capacity: u32) -> Self {
        self.options.capacity = capacity;
        self
    }

    /// Loads the pack in `directory`.
    #[must_use]
    pub fn pack(mut self, directory: impl Into<PathBuf>) -> Self {
        self.sources.packs.push(directory.into());
        self
    }

    /// Uses actions that were loaded already.
    #[must_use]
    pub fn catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// Carries out `action` by `function`.
    #[must_use]
    pub fn handler<I, O, E, F, Fut>(self, action: &str, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize,
        E: std::fmt::Display + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        self.handler_with(Definition::handler(action), function)
    }

    /// Carries out the action of `definition`, which says more than its name (retries, limits,
    /// timeout, parameters), by `function`.
    #[must_use]
    pub fn handler_with<I, O, E, F, Fut>(mut self, definition: Definition, function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize,
        E: std::fmt::Display + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        self.handlers.insert(definition.action.clone(), Handler::new(function));
        self.definitions.push(definition);
        self
    }

    /// Opens the store and starts everything.
    ///
    /// # Errors
    /// If a pack has errors, or the data directory cannot be used.
    pub async fn start(self) -> Result<Engine, OpenError> {
        let Self { options, sources, catalog, handlers, definitions } = self;
        let catalog = load_catalog(catalog, &sources, definitions)?;
        let data = match &options.data {
            Data::Temporary => DataDir::temporary().await?,
            Data::Directory(path) => DataDir::open(path).await?,
        };
        let processes = start_processes(&options, &data)?;
        let env = match options.servers.clone() {
            None => embedded_env(&options, data, catalog).await?,
            Some(servers) => shared_env(&options, servers, data, catalog).await?,
        };
        store_definitions(&env, options.roles).await?;
        Ok(assemble(env, &options, processes, handlers))
    }
}

fn load_catalog(
    catalog: Option<Catalog>,
    sources: &Sources,
    definitions: Vec<Definition>,
) -> Result<Catalog, OpenError> {
    let mut catalog = catalog.unwrap_or_default();
    let mut problems = Vec::new();
    for definition in definitions {
        if let Err(problem) = catalog.register_handler(definition) {
            problems.push(problem);
        }
    }
    problems.extend(catalog.extend(sources));
    if problems.iter().any(Problem::is_error) {
        return Err(OpenError::Packs(problems));
    }
    for problem in problems {
        tracing::warn!("{problem}");
    }
    Ok(catalog)
}

fn start_processes(options: &Options, data: &DataDir) -> Result<ProcessRunner, OpenError> {
    let guardian = if options.roles.worker {
        let witness = options.witness.clone().filter(|_| options.servers.is_some());
        let guardian = Guardian::start_with(Some(data.lock_fd()), data.path(), witness);
        Some(guardian.map_err(OpenError::Guardian)?)
    } else {
        None
    };
    let mut config = RunnerConfig::new(LogStore::new(data.path()), guardian);
    config.kill_grace = options.kill_grace;
    config.max_result_bytes = options.max_result_bytes;
    Ok(ProcessRunner::new(config))
}

/// Everything in this process and its data directory.
async fn embedded_env(
    options: &Options,
    data: DataDir,
    catalog: Catalog,
) -> Result<LocalEnv, OpenError> {
    let store_options =
        steadfast_embedded::Options { durability: options.durability, ..Default::default() };
    let store = EmbeddedStore::open(data, store_options).await?;
    store.bury_former_workers().await?;
    let at = Place {
        store: AnyStore::Embedded(store),
        broker: AnyBroker::Inproc(InprocBroker::new()),
        transport: Transport::Embedded,
        directory: None,
    };
    local_env(options, at, catalog)
}

/// The state and the hints at servers. The broker is connected to in the background, since nothing
/// depends on it.
async fn shared_env(
    options: &Options,
    servers: Servers,
    data: DataDir,
    catalog: Catalog,
) -> Result<LocalEnv, OpenError> {
    let store = PostgresStore::open(&servers.database_url, servers.database.clone()).await?;
    let (broker, transport) = match servers.message_queue.clone() {
        Some(message_queue) => {
            let rabbit = RabbitBroker::start(message_queue)?;
            let wire = servers.direct_url.as_deref().map(Wire::start).transpose()?;
            (AnyBroker::Rabbit(Paired { rabbit, wire }), Transport::Rabbitmq)
        }
        None => (notified(options, &servers).await?, Transport::Postgres),
    };
    let store = AnyStore::Postgres(store);
    local_env(options, Place { store, broker, transport, directory: Some(data) }, catalog)
}

/// The database as the broker. It is listened to around its pooler, or at its own address if that
/// leads through none.
pub(super) async fn notified(options: &Options, servers: &Servers) -> Result<AnyBroker, OpenError> {
    let mut listen_at = servers.direct_url.clone();
    if listen_at.is_none() {
        // If that cannot be told now, hints are missing and nothing else.
        if steadfast_postgres::is_pooled(&servers.database_url).await.unwrap_or(true) {
            tracing::warn!(
                "the database is behind a pooler and `database.direct_url` is not set: workers look \
                 for work now and then instead of hearing of it"
            );
        } else {
            listen_at = Some(servers.database_url.clone());
        }
    }
    let wire = listen_at.as_deref().map(Wire::start).transpose()?;
    Ok(AnyBroker::Notified(Notified::start(process_name(options), wire)))
}

/// No two processes have the same name at the same time, and none comes back to one.
fn process_name(options: &Options) -> String {
    let began = wall_clock().as_micros();
    format!("{}-{}-{began}", options.worker_name, std::process::id())
}

/// Where the state is, and what carries the hints.
pub(super) struct Place {
    pub(super) store: AnyStore,
    pub(super) broker: AnyBroker,
    pub(super) transport: Transport,
    pub(super) directory: Option<DataDir>,
}

pub(super) fn local_env(
    options: &Options,
    at: Place,
    catalog: Catalog,
) -> Result<LocalEnv, OpenError> {
    let journal = match &options.journal {
        Some(journal) => {
            let opened = journal::open(journal, &process_name(options));
            Some(opened.map_err(|error| OpenError::Journal(journal.directory.clone(), error))?)
        }
        None => None,
    };
    Ok(LocalEnv::new(Shared {
        journal,
        store: at.store,
        broker: at.broker,
        transport: at.transport,
        _directory: at.directory,
        settings: options.settings,
        batch_size: options.batch_size,
        retention: options.retention,
        probing: options.probing,
        prober: Prober::default(),
        definitions: Definitions::new(catalog, options.defaults),
        counters: Counters::default(),
        measures: Measures::default(),
        alarm: Alarm::default(),
        courier: HttpCourier::new(options.effects.clone()),
        effects: options.effects.clone(),
        effect_alarm: Alarm::default(),
        draws: AtomicU64::new(wall_clock().as_micros()),
        stop: CancellationToken::new(),
    }))
}

/// Stores every definition before anything can be pinned to it. An executor takes over the limits
/// that the definitions declare now; a worker's packs may be older.
async fn store_definitions(env: &LocalEnv, roles: Roles) -> Result<(), OpenError> {
    use steadfast_services::port::Env;
    env.store().put_definitions(&env.definitions().to_store()).await?;
    if !roles.executor {
        return Ok(());
    }
    for queue in env.store().queues(None).await? {
        let queue = queue.queue;
        let catalog = env.definitions().catalog();
        let Some(definition) = catalog.get(&queue.action) else { continue };
        if definition.concurrency_limit != queue.declared_limit {
            let declared = definition.concurrency_limit;
            let change = QueueChange::Declare(declared);
            control::change_queues(env, &queue.action, declared, change).await?;
        }
    }
    Ok(())
}

/// Says again and again that this process has its definitions, so that they stay in the store as
/// long as something may be pinned to them here.
async fn keep_definitions(env: LocalEnv) {
    use steadfast_services::port::Env;
    loop {
        env.sleep(Span::from_secs(3600)).await;
        if let Err(error) = env.store().put_definitions(&env.definitions().to_store()).await {
            tracing::warn!(%error, "the definitions were not seen to; they are in an hour");
        }
    }
}

fn assemble(
    env: LocalEnv,
    options: &Options,
    processes: ProcessRunner,
    handlers: BTreeMap<ActionRef, Handler>,
) -> Engine {
    let doors = open_doors(&env);
    {
        use steadfast_services::port::Env;
        let stop = env.stop().clone();
        let keeping = keep_definitions(env.clone());
        env.spawn("definitions", async move {
            let _ = stop.run_until_cancelled(keeping).await;
        });
    }
    if options.roles.executor {
        start_cleaning(&env, options.logs_kept);
    }
    if options.roles.executor {
        start_executor(&env, env.stop());
    }
    let runner = ActionRunner::new(env.clone(), processes, handlers);
    let progress = Progress::default();
    let mut labels = options.labels.clone();
    labels.extend(options.probe_address.clone().map(|at| (PROBE_LABEL.to_owned(), at)));
    let config = WorkerConfig {
        progress: progress.clone(),
        introduction: Introduction {
            name: WorkerName::new(&options.worker_name),
            runtimes: runner.runtimes(),
            labels,
            capacity: options.capacity,
        },
        renew_interval: options.renew_interval,
        poll_interval: poll_interval(&env),
        shutdown_timeout: options.shutdown_timeout,
    };
    let worker = StopSignals::default();
    let life = work(env.clone(), runner.clone(), config, worker.clone());
    #[expect(clippy::disallowed_methods, reason = "a shutdown waits for this one")]
    let living = options.roles.worker.then(|| tokio::spawn(live(life, env.clone(), options.roles)));
    let worker_task = std::sync::Mutex::new(living);
    let has_worker = options.roles.worker;
    Engine(Arc::new(Inner { env, doors, runner, has_worker, progress, worker, worker_task }))
}

/// How often a worker looks for work that nobody has told it of.
fn poll_interval(env: &LocalEnv) -> Span {
    use steadfast_services::port::Env;
    if env.broker().is_silent() { Span::from_millis(200) } else { Span::from_secs(1) }
}

/// A worker's life. A process that is nothing but a worker ends with it, whatever ended it.
async fn live(life: impl Future<Output = ()>, env: LocalEnv, roles: Roles) {
    life.await;
    if !roles.executor {
        env.stop().cancel();
    }
}
