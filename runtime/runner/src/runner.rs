//! One invocation from its start to its outcome.

use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::{Pin, pin};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::net::unix::pipe;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::chores::{Chores, now};
use crate::environment::Environment;
use crate::guardian::Guardian;
use crate::invocation::{Interpreter, Invocation};
use crate::logs::{LogStore, LogStream};
use crate::outcome::{Exit, Failure, Outcome};
use crate::output;
use crate::processes;
use crate::redact::{Redactor, Secrets};
use crate::running::Running;
use crate::start::{self, StartError, Started};
use crate::stream::{Keep, OutputStream, feed};

/// How long output is still read after the leader's exit while something else of its group holds
/// the pipes open. `cmd > >(tee log)` needs a moment; a forgotten daemon would never end.
pub const DRAIN: Duration = Duration::from_millis(500);

/// How often the end of a group is looked for while it is being stopped.
const GROUP_POLL: Duration = Duration::from_millis(50);

/// How often, and how often at most, it is made sure that killed processes are dead. One that
/// became another user cannot be killed, and one that waits for a broken disk does not die.
const KILL_POLL: Duration = Duration::from_millis(10);
const KILL_ROUNDS: u32 = 200;

/// How often, and after what pause, a program that is still being written is tried again. Another
/// thread's child holds the writer's descriptor for an instant between fork and exec.
const BUSY_TRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Up to this much output is read as the declared format on the executor's own thread.
const READ_INLINE_MAX: usize = 16 * 1024;

/// What a [`Runner`] works with.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// From SIGTERM to SIGKILL.
    pub kill_grace: Duration,
    /// Standard output beyond this fails the action.
    pub max_result_bytes: usize,
    /// How much of standard error goes into the text of an error.
    pub stderr_tail_bytes: usize,
    /// Where the output is stored.
    pub logs: LogStore,
    /// Ends the actions when this process is killed. Without one, `kill -9` leaves orphans.
    pub guardian: Option<Guardian>,
    /// What actions inherit, and where interpreters are looked for.
    pub environment: Environment,
}

impl RunnerConfig {
    /// The defaults: 5 s of grace, 1 MiB of result, 4 KiB of standard error, and the environment
    /// of this process.
    #[must_use]
    pub fn new(logs: LogStore, guardian: Option<Guardian>) -> Self {
        Self {
            kill_grace: Duration::from_secs(5),
            max_result_bytes: 1024 * 1024,
            stderr_tail_bytes: 4096,
            logs,
            guardian,
            environment: Environment::inherit(),
        }
    }
}

/// Runs actions as processes. Cheap to clone; any number of actions may run at once.
#[derive(Clone, Debug)]
pub struct Runner {
    config: Arc<RunnerConfig>,
    chores: Chores,
}

/// Why the action is over.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Exited,
    TimedOut(Duration),
    Cancelled,
}

/// What is known of a process that is gone.
struct Remains {
    ending: Ending,
    /// Whether it ended before the grace period did.
    obeyed: bool,
    status: io::Result<ExitStatus>,
    stdout: Keep,
    stderr: Keep,
}

impl Runner {
    /// A runner; nothing is started.
    #[must_use]
    pub fn new(config: RunnerConfig) -> Self {
        Self { config: Arc::new(config), chores: Chores::default() }
    }

    /// The `runner_type`s that this worker can serve: those whose interpreter is on PATH, and
    /// `native`.
    #[must_use]
    pub fn runtimes(&self) -> Vec<&'static str> {
        let found = |runtime: &Interpreter| {
            *runtime == Interpreter::Native
                || self.config.environment.interpreter(*runtime).is_some()
        };
        Interpreter::ALL.into_iter().filter(found).map(Interpreter::name).collect()
    }

    /// Where the output is stored.
    #[must_use]
    pub fn logs(&self) -> &LogStore {
        &self.config.logs
    }

    /// How long the oldest thing has been under way that this does itself for an action: starting its
    /// process, keeping its output. It says nothing of how long actions take.
    #[must_use]
    pub fn at_it_for(&self) -> Duration {
        self.chores.oldest()
    }

    /// The engine is this worker process from now on; its witness, if it has one, speaks for it
    /// ([`Guardian::serve`]).
    pub fn serve(&self, incarnation: Option<u64>) {
        if let Some(guardian) = &self.config.guardian {
            guardian.serve(incarnation);
        }
    }

    /// Runs `invocation` and returns when its process is dead. Must be called in a tokio runtime
    /// with time and I/O.
    ///
    /// A cancel is a request: a process that ends by itself at the same moment has its own
    /// outcome. Dropping the future kills the process group at once, without grace.
    pub async fn run(&self, invocation: Invocation, cancel: CancellationToken) -> Outcome {
        if cancel.is_cancelled() {
            return Outcome::Cancelled;
        }
        let secrets = Secrets::new(&invocation.secrets);
        let invocation = Arc::new(invocation);
        // What an attempt may take is counted from here: others go by when it was given to this worker.
        let until = invocation.timeout.and_then(|timeout| now().checked_add(timeout));
        let started = {
            let _starting = self.chores.begin();
            self.start(&invocation, &cancel, until).await
        };
        let outcome = match started {
            Ok(started) => self.finish(started, until, &invocation, &cancel, &secrets).await,
            Err(StartError::Cancelled) => return Outcome::Cancelled,
            Err(StartError::TooLate) => {
                let limit = invocation.timeout.unwrap_or_default();
                let error = format!("timed out after {limit:?}, before its process was started");
                return Outcome::TimedOut { error };
            }
            Err(error) => Err(error),
        };
        outcome.unwrap_or_else(|error| {
            Outcome::Failed(Failure {
                error: presentable(&error.to_string(), &secrets),
                exit: Exit::NotStarted,
                retryable: error.is_machine_side(),
            })
        })
    }

    async fn start(
        &self,
        invocation: &Arc<Invocation>,
        cancel: &CancellationToken,
        until: Option<Instant>,
    ) -> Result<Started, StartError> {
        let mut tries = 1;
        loop {
            let (config, invocation) = (Arc::clone(&self.config), Arc::clone(invocation));
            let cancel = cancel.clone();
            // Getting ready may take long on a disk that does not answer. Whoever was to be stopped
            // meanwhile may have been begun again elsewhere.
            let may_begin = move || match until {
                _ if cancel.is_cancelled() => Err(StartError::Cancelled),
                Some(until) if now() >= until => Err(StartError::TooLate),
                _ => Ok(()),
            };
            let start = move || {
                let guardian = config.guardian.as_ref();
                start::start(&invocation, &config.environment, guardian, may_begin)
            };
            // Not lost when this future is dropped: the process is killed when nobody takes it.
            match tokio::task::spawn_blocking(start).await {
                Ok(Err(StartError::Busy(_))) if tries < BUSY_TRIES => {
                    tries += 1;
                    sleep(BUSY_PAUSE).await;
                }
                Ok(result) => return result,
                Err(_) => return Err(StartError::ShuttingDown),
            }
        }
    }

    async fn finish(
        &self,
        started: Started,
        until: Option<Instant>,
        invocation: &Invocation,
        cancel: &CancellationToken,
        secrets: &Secrets,
    ) -> Result<Outcome, StartError> {
        let remains = self.supervise(started, until, invocation, cancel, secrets).await?;
        let (ending, obeyed) = (remains.ending, remains.obeyed);
        Ok(match ending {
            Ending::Cancelled => Outcome::Cancelled,
            Ending::TimedOut(limit) => {
                let grace = self.config.kill_grace;
                let how = if obeyed {
                    "it ended on SIGTERM".to_owned()
                } else {
                    format!("it ignored SIGTERM for {grace:?} and was killed")
                };
                let error = with_tail(format!("timed out after {limit:?}; {how}"), remains.stderr);
                Outcome::TimedOut { error: presentable(&error, secrets) }
            }
            Ending::Exited => self.exited(remains, invocation, secrets).await,
        })
    }

    /// From a started process to a collected one. An error means that its pipes could not be
    /// taken over, in which case it is killed.
    async fn supervise(
        &self,
        Started { mut running, input }: Started,
        until: Option<Instant>,
        invocation: &Invocation,
        cancel: &CancellationToken,
        secrets: &Secrets,
    ) -> Result<Remains, StartError> {
        let [stdin, stdout, stderr] = running.take_pipes();
        let output = |fd, stream, keep| {
            let Invocation { execution, attempt, .. } = *invocation;
            let log = self.config.logs.writer(execution, attempt, stream);
            let chores = self.chores.clone();
            OutputStream::new(fd, Redactor::new(secrets.clone()), log, keep, chores)
                .map_err(StartError::Machine)
        };
        let keep = Keep::all(self.config.max_result_bytes);
        let mut stdout = output(stdout, LogStream::Stdout, keep)?;
        let keep = Keep::tail(self.config.stderr_tail_bytes);
        let mut stderr = output(stderr, LogStream::Stderr, keep)?;
        let stdin = stdin.map(pipe::Sender::from_owned_fd).transpose();
        let stdin = stdin.map_err(StartError::Machine)?;

        let (ending, obeyed) = {
            let pumps = async { tokio::join!(feed(stdin, input), stdout.pump(), stderr.pump()) };
            let mut pumps = Meanwhile { work: pin!(pumps), done: false };
            let exit = running.exit_watch();
            let limit = invocation.timeout.unwrap_or_default();
            let ending = pumps
                .during(async {
                    tokio::select! {
                        biased;
                        () = exit.exited() => Ending::Exited,
                        () = cancel.cancelled() => Ending::Cancelled,
                        () = sleep_until(until.unwrap_or_else(now)), if until.is_some() => {
                            Ending::TimedOut(limit)
                        }
                    }
                })
                .await;
            let mut obeyed = true;
            if let Ending::Exited = ending {
                pumps.finish().await;
                running.signal(Signal::KILL);
            } else {
                obeyed = pumps.during(self.stop(&running, exit.exited())).await;
                pumps.during(exit.exited()).await;
            }
            pumps.finish().await;
            (ending, obeyed)
        };
        let (stdout, stderr) = tokio::join!(stdout.finish(), stderr.finish());
        Ok(Remains { ending, obeyed, status: running.collect(), stdout, stderr })
    }

    /// Asks the group to end, waits for all of it, and kills what is left after the grace period,
    /// a process that left the group included. Says whether nothing had to be killed.
    async fn stop(&self, running: &Running, leader_exited: impl Future<Output = ()>) -> bool {
        running.signal(Signal::TERM);
        // A stopped process would not get it.
        running.signal(Signal::CONT);
        let ended = async {
            leader_exited.await;
            while !running.survivors().await.is_empty() {
                sleep(GROUP_POLL).await;
            }
        };
        if timeout(self.config.kill_grace, ended).await.is_ok() {
            return true;
        }
        for _ in 0..KILL_ROUNDS {
            running.signal(Signal::KILL);
            let survivors = running.survivors().await;
            if survivors.is_empty() {
                return false;
            }
            processes::kill_each(&survivors);
            sleep(KILL_POLL).await;
        }
        tracing::warn!(?running, "processes of an action that was stopped do not die");
        false
    }

    /// The outcome of a process that ended by itself.
    async fn exited(
        &self,
        remains: Remains,
        invocation: &Invocation,
        secrets: &Secrets,
    ) -> Outcome {
        let Remains { status, stdout, stderr, .. } = remains;
        let failed = |error: String, exit| {
            let error = presentable(&error, secrets);
            Outcome::Failed(Failure { error, exit, retryable: false })
        };
        let exit = match &status {
            Ok(status) => exit_of(*status),
            Err(error) => {
                return failed(format!("its exit code is not known: {error}"), Exit::NotStarted);
            }
        };
        if exit != Exit::Code(0) {
            return failed(with_tail(exit.to_string(), stderr), exit);
        }
        let (format, limit) = (invocation.output, self.config.max_result_bytes);
        let result = match stdout {
            Keep::All { bytes, over: false, .. } if bytes.len() <= READ_INLINE_MAX => {
                output::read(&bytes, format, limit)
            }
            Keep::All { bytes, over: false, .. } => {
                let read = move || output::read(&bytes, format, limit);
                match tokio::task::spawn_blocking(read).await {
                    Ok(result) => result,
                    Err(_) => return failed(StartError::ShuttingDown.to_string(), exit),
                }
            }
            _ => Err(output::OutputError::TooLarge { limit }),
        };
        match result {
            Ok(value) => Outcome::Succeeded(value),
            Err(error) => failed(with_tail(error.to_string(), stderr), exit),
        }
    }
}

/// Work that goes on while something else is awaited.
struct Meanwhile<'a, F> {
    work: Pin<&'a mut F>,
    done: bool,
}

impl<F: Future> Meanwhile<'_, F> {
    /// Awaits `other`, and works meanwhile.
    async fn during<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                value = &mut other => return value,
                _ = self.work.as_mut(), if !self.done => self.done = true,
            }
        }
    }

    /// Works to the end, but no longer than [`DRAIN`].
    async fn finish(&mut self) {
        if !self.done {
            self.done = timeout(DRAIN, self.work.as_mut()).await.is_ok();
        }
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}

fn with_tail(text: String, stderr: Keep) -> String {
    match stderr.text() {
        Some(tail) => format!("{text}; stderr: {tail}"),
        None => text,
    }
}

/// Without secrets, and without characters that a terminal obeys or a database refuses.
fn presentable(text: &str, secrets: &Secrets) -> String {
    let keep = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    secrets.redact(text).chars().map(|c| if keep(c) { c } else { '\u{fffd}' }).collect()
}
