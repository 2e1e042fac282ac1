//! The worker process of a workload on servers: this program again, and what is heard of it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use steadfast_runtime::{Data, Options, Roles, Servers};

use super::Conditions;
use super::engine::options;
use super::notes::{Notes, handlers};
use crate::cli::arguments::Workload;
use crate::cli::failure::{Code, Failure};
use crate::cli::production;
use crate::cli::signals::Signals;

/// How often a worker tells what it counted.
const TELL: Duration = Duration::from_millis(2);

/// A running worker process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    child: Child,
    /// Where it keeps what it keeps.
    data: PathBuf,
}

impl WorkerProcess {
    /// Starts it with the handlers of `workload`; what it notes is noted in `notes`.
    pub(super) fn start(
        name: &str,
        workload: Workload,
        conditions: &Conditions,
        servers: &Servers,
        notes: &Notes,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::environment(format!("a worker cannot be started: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        let (queue, backend) = (servers.message_queue.as_ref(), conditions.backend());
        let data = std::env::temp_dir();
        let data = data.join(format!("steadfast-bench-{}-{name}", std::process::id()));
        command
            .args(["bench", super::name(workload), "--backend", backend, "--be-worker", name])
            .args(["--namespace", queue.map_or("", |queue| &queue.namespace)])
            .arg("--data")
            .arg(&data)
            .args(["--capacity", &conditions.capacity.to_string()])
            .args(["--batch-size", &conditions.batch_size.to_string()])
            // In the environment, since arguments can be seen by everybody.
            .env("DATABASE_URL", &servers.database_url)
            .envs(queue.map(|queue| ("AMQP_URL", &queue.url)))
            .envs(servers.direct_url.as_ref().map(|url| ("STEADFAST__DATABASE__DIRECT_URL", url)))
            // Its witness has no argument that says so.
            .env("STEADFAST__TRANSPORT", backend)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let stdout = child.stdout.take();
        let notes = notes.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends with the process that it listens to"
        )]
        std::thread::spawn(move || {
            let lines = stdout.map(BufReader::new).into_iter().flat_map(BufReader::lines);
            for line in lines.map_while(Result::ok) {
                notes.hear(&line);
            }
        });
        Ok(Self { child, data })
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does.
    pub(super) fn kill(&mut self) -> Result<(), Failure> {
        let hit = |error| Failure::environment(format!("the worker cannot be killed: {error}"));
        self.child.kill().map_err(hit)?;
        self.child.wait().map_err(hit)?;
        Ok(())
    }

    /// Fails if it has ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            ended => {
                Err(Failure::environment(format!("the worker process ended by itself: {ended:?}")))
            }
        }
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// Is that process, until it is told to end or killed.
pub(super) async fn be_worker(
    name: &str,
    workload: Workload,
    conditions: &Conditions,
    servers: Servers,
    signals: &mut Signals,
) -> Result<Code, Failure> {
    let notes = Notes::aloud();
    let data = conditions.base.clone().map_or(Data::Temporary, Data::Directory);
    let namespace = servers.message_queue.as_ref().map(|queue| queue.namespace.clone());
    let witness = production::witness_program(name, namespace.as_deref(), None);
    let options = Options {
        servers: Some(servers),
        roles: Roles { executor: false, worker: true },
        worker_name: name.to_owned(),
        witness: Some(witness),
        ..options(conditions, data)
    };
    let engine = handlers(workload, &notes).options(options).start().await?;
    let mut told = (0, 0);
    loop {
        tokio::select! {
            biased;
            code = signals.next() => {
                engine.shutdown(true).await;
                return Ok(code);
            }
            () = engine.stopped() => {
                return Err(Failure::environment("the worker of the bench stopped by itself"));
            }
            () = tokio::time::sleep(TELL) => notes.tell(&mut told),
        }
    }
}
