//! `migrate`, `executor`, `worker`, `api` and `serve`: the processes of a deployment whose state is
//! in PostgreSQL and whose hints go through RabbitMQ.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use steadfast_runtime::api::wait_on;
use steadfast_runtime::packs::Catalog;
use steadfast_runtime::{
    Data, Engine, OpenError, Options, Roles, Servers, WitnessProgram, bear_witness, postgres,
    rabbitmq,
};
use steadfast_services::port::StoreError;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Setting;
use super::arguments::{Executor, Serve, Witness, Worker};
use super::dev::{GOODBYE, announce, api_options, listen, local_address, serve as serve_api};
use super::failure::{Code, Failure};
use super::probes::Probes;
use super::setup;
use super::signals::Signals;
use crate::config::Config;

/// How long a process waits before it looks again whether the database is there.
const AGAIN: Duration = Duration::from_secs(1);

/// `migrate`.
pub(crate) fn migrate(setting: &Setting) -> Result<Code, Failure> {
    let servers = servers(&setting.config)?;
    let options = postgres::Options { migrate: true, ..servers.database };
    let opening = async { postgres::PostgresStore::open(&servers.database_url, options).await };
    let store = setup::executor()?.block_on(opening).map_err(OpenError::from)?;
    drop(store);
    eprintln!("steadfast: the schema is at version {}", postgres::SCHEMA_VERSION);
    Ok(Code::Done)
}

/// `executor`.
pub(crate) fn executor(asked: &Executor, setting: &Setting) -> Result<Code, Failure> {
    let roles = Roles { executor: true, worker: false };
    let (options, catalog) = prepare(setting, &asked.pack, roles)?;
    let listen = setting.config.executor.probe_listen.clone();
    let asked_at = AskedAt { key: "executor.probe_listen", listen, known_as: None };
    run_until_told(options, catalog, "executor", asked_at, setting)
}

/// `worker`.
pub(crate) fn worker(asked: Worker, setting: &Setting) -> Result<Code, Failure> {
    let roles = Roles { executor: false, worker: true };
    let (mut options, catalog) = prepare(setting, &asked.pack, roles)?;
    if setting.config.worker.name.is_none() {
        return Err(Failure::usage(
            "a production worker needs a name that no other has: --name NAME, or worker.name in \
             the configuration",
        ));
    }
    options.witness =
        Some(witness_program(&options.worker_name, None, setting.config.file.as_deref()));
    if let Some(directory) = asked.data {
        options.data = Data::Directory(directory);
    }
    let what = format!("worker `{}`", options.worker_name);
    let asked_at = AskedAt {
        key: "worker.probe_listen",
        listen: setting.config.worker.probe_listen.clone(),
        known_as: setting.config.worker.probe_address.clone(),
    };
    run_until_told(options, catalog, &what, asked_at, setting)
}

/// Where a process says how it is.
struct AskedAt {
    key: &'static str,
    listen: Option<String>,
    /// Where others find that, if not there.
    known_as: Option<String>,
}

/// What to start beside a worker: this very program, even if another was installed meanwhile.
pub(crate) fn witness_program(
    name: &str,
    namespace: Option<&str>,
    config: Option<&Path>,
) -> WitnessProgram {
    let mut arguments: Vec<OsString> = ["witness", "--name", name].map(OsString::from).into();
    if let Some(namespace) = namespace {
        arguments.extend(["--namespace", namespace].map(OsString::from));
    }
    if let Some(file) = config {
        arguments.extend([OsString::from("--config"), file.into()]);
    }
    WitnessProgram { program: PathBuf::from("/proc/self/exe"), arguments }
}

/// `witness`: it is told on standard input what the worker beside it has, and ends after that.
pub(crate) fn witness(asked: &Witness, setting: &Setting) -> Result<Code, Failure> {
    let mut servers = servers(&setting.config)?;
    if let (Some(queue), Some(namespace)) = (&mut servers.message_queue, &asked.namespace) {
        queue.keep_to(namespace);
    }
    let options = Options { servers: Some(servers), ..setting.config.options() };
    let heard = steadfast_runtime::Witness::new(&asked.mark, asked.start);
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let executor = executor
        .map_err(|error| Failure::environment(format!("no threads can be started: {error}")))?;
    executor.block_on(async {
        // They are for the worker. Whoever stops both wants this one to have the last word.
        let _signals = Signals::catch()?;
        let _hangup = signal(SignalKind::hangup());
        Ok(bear_witness(options, heard).await.map(|()| Code::Done)?)
    })
}

/// `api`.
pub(crate) fn api(asked: &Serve, setting: &Setting) -> Result<Code, Failure> {
    listen_until_told(asked, Roles { executor: false, worker: false }, setting)
}

/// `serve`.
pub(crate) fn serve(asked: &Serve, setting: &Setting) -> Result<Code, Failure> {
    listen_until_told(asked, Roles { executor: true, worker: false }, setting)
}

fn listen_until_told(asked: &Serve, roles: Roles, setting: &Setting) -> Result<Code, Failure> {
    let (options, catalog) = prepare(setting, &asked.pack, roles)?;
    let config = &setting.config;
    let actions = catalog.iter().count();
    let api = api_options(config)?;
    let executor = setup::executor()?;
    let ended = executor.block_on(async {
        let mut signals = Signals::catch()?;
        // The port first: it is the likelier to be refused, and then nothing was touched.
        let listener = listen(&config.api.listen, &api.tokens).await?;
        let address = local_address(&listener)?;
        // Until the database is there the port says that this process lives and is not ready.
        let opened = tokio::select! {
            biased;
            opened = open(options, catalog, &mut signals) => opened?,
            () = wait_on(&listener, &api) => unreachable!("it waits for ever"),
        };
        let engine = match opened {
            Opened::Engine(engine) => engine,
            Opened::Told(code) => return Ok(code),
        };
        announce(address, "state in PostgreSQL", actions)?;
        serve_api(engine, listener, api, GOODBYE, &mut signals).await
    });
    executor.shutdown_background();
    ended
}

/// Runs a process without an API until a signal comes, or until it has come to its end by itself.
fn run_until_told(
    mut options: Options,
    catalog: Catalog,
    what: &str,
    asked_at: AskedAt,
    setting: &Setting,
) -> Result<Code, Failure> {
    let worker = &setting.config.worker;
    let patience = Duration::from(worker.shutdown_timeout) + worker.kill_grace + GOODBYE;
    let is_worker = options.roles.worker;
    let executor = setup::executor()?;
    let ended = executor.block_on(async {
        let mut signals = Signals::catch()?;
        let AskedAt { key, listen, known_as } = asked_at;
        let probes = Probes::bind(key, listen.as_ref(), &setting.config).await?;
        let found_at = probes.address()?;
        options.probe_address = known_as.filter(|_| found_at.is_some()).or(found_at);
        let opened = tokio::select! {
            biased;
            opened = open(options, catalog, &mut signals) => opened?,
            () = probes.wait() => unreachable!("it waits for ever"),
        };
        let engine = match opened {
            Opened::Engine(engine) => engine,
            Opened::Told(code) => return Ok(code),
        };
        let hang_up = CancellationToken::new();
        let answering = probes.serve(&engine, &hang_up);
        tokio::pin!(answering);
        let up = async {
            engine.ready().await;
            eprintln!("steadfast: {what} is up");
            std::future::pending().await
        };
        let code = tokio::select! {
            biased;
            code = signals.next() => code,
            () = engine.stopped() => return Err(Failure::environment(if is_worker {
                format!("{what} ended: another process has its name, or a bug that the log names")
            } else {
                format!("{what} stopped because of a bug, which the log names; start it again")
            })),
            () = up => unreachable!("it waits for ever"),
            () = &mut answering => unreachable!("nobody has hung up"),
        };
        eprintln!("steadfast: stopping; a second signal stops running work at once");
        // It says how it is until it has stopped.
        tokio::select! {
            biased;
            () = stop(&engine, patience, &mut signals) => {}
            () = &mut answering => unreachable!("nobody has hung up"),
        }
        hang_up.cancel();
        answering.await;
        Ok(code)
    });
    executor.shutdown_background();
    ended
}

/// Gives running work its time; a second signal cuts it short, a third ends everything.
async fn stop(engine: &Engine, patience: Duration, signals: &mut Signals) {
    let finish = tokio::time::timeout(patience, engine.shutdown(false));
    if let Some(Err(_)) = signals.hurried(engine, finish).await {
        tracing::warn!("this process did not stop in time; what it had is taken over by others");
    }
}

enum Opened {
    Engine(Engine),
    /// A signal came first.
    Told(Code),
}

/// Opens the engine. A database that is not there yet is waited for.
async fn open(
    options: Options,
    catalog: Catalog,
    signals: &mut Signals,
) -> Result<Opened, Failure> {
    loop {
        let starting = Engine::builder().options(options.clone()).catalog(catalog.clone()).start();
        let opened = tokio::select! {
            biased;
            code = signals.next() => return Ok(Opened::Told(code)),
            opened = starting => opened,
        };
        match opened {
            Ok(engine) => return Ok(Opened::Engine(engine)),
            Err(
                error @ (OpenError::Database(postgres::OpenError::Unreachable { .. })
                | OpenError::Store(StoreError::Unavailable(_))),
            ) => tracing::warn!(%error, "not ready: waiting for the database"),
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            biased;
            code = signals.next() => return Ok(Opened::Told(code)),
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// What a process of a deployment is like.
fn prepare(
    setting: &Setting,
    packs: &[PathBuf],
    roles: Roles,
) -> Result<(Options, Catalog), Failure> {
    let servers = servers(&setting.config)?;
    let catalog = setup::load_catalog(&setting.config, packs)?;
    let options = Options { servers: Some(servers), roles, ..setting.config.options() };
    Ok((options, catalog))
}

/// The servers that the configuration names.
fn servers(config: &Config) -> Result<Servers, Failure> {
    let message_queue = match config.transport.as_str() {
        "rabbitmq" => Some(message_queue(config)?),
        "postgres" => None,
        other => return Err(Failure::usage(unshared(other))),
    };
    servers_with(config, message_queue)
}

/// What to do about a transport that no other process could share.
pub(crate) fn unshared(transport: &str) -> String {
    format!(
        "`transport` is `{transport}`, and production processes need `rabbitmq` or `postgres`; set \
         it in the configuration, or by STEADFAST__TRANSPORT"
    )
}

/// The database that the configuration names, with this broker.
pub(crate) fn servers_with(
    config: &Config,
    message_queue: Option<rabbitmq::Options>,
) -> Result<Servers, Failure> {
    let (database_url, database) = database(config)?;
    let direct_url = config.database.direct_url.clone();
    Ok(Servers { database_url, database, direct_url, message_queue })
}

fn missing(key: &str, variable: &str, form: &str) -> Failure {
    Failure::usage(format!(
        "`{key}` is not set, and this verb needs it; set it, or {variable}, to {form}"
    ))
}

/// The database that the configuration names.
pub(crate) fn database(config: &Config) -> Result<(String, postgres::Options), Failure> {
    let url = config.database_url.clone().filter(|url| !url.starts_with("sqlite:"));
    let url = url.ok_or_else(|| {
        missing("database.url", "DATABASE_URL", "postgres://USER:PASSWORD@HOST:PORT/DATABASE")
    })?;
    let options = postgres::Options {
        connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        migrate: false,
        ..postgres::Options::default()
    };
    Ok((url, options))
}

/// The broker that the configuration names.
pub(crate) fn message_queue(config: &Config) -> Result<rabbitmq::Options, Failure> {
    let queue = &config.message_queue;
    let url = queue.url.clone().ok_or_else(|| {
        missing("message_queue.url", "AMQP_URL", "amqp://USER:PASSWORD@HOST:PORT/VHOST")
    })?;
    Ok(rabbitmq::Options {
        prefetch: u16::try_from(queue.prefetch).unwrap_or(u16::MAX),
        confirm_timeout: queue.confirm_timeout,
        worker_queue_ttl: queue.worker_queue_ttl,
        dead_letter_exchange: queue.dead_letter_exchange.clone(),
        dead_letter_ttl: queue.dead_letter_ttl,
        ..rabbitmq::Options::new(url)
    })
}
