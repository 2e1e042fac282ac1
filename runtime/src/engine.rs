//! The engine, or a part of it, in one process: what `steadfast run` and `steadfast dev` are made of,
//! what production processes are made of, and what a Rust program embeds.

mod broker;
mod builder;
mod counters;
mod courier;
mod definitions;
mod env;
mod journal;
mod logs;
mod measures;
mod notices;
mod notified;
mod paired;
pub(crate) mod probe;
mod runner;
mod schedules;
mod store;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use steadfast_core::depth::{MAX_DEPTH, is_too_deep};
use steadfast_core::effect::Wish;
use steadfast_core::execution::{Idempotency, Refusal};
use steadfast_core::queue::LimitOverride;
use steadfast_core::schedule;
use steadfast_core::submit::{Submission, SubmitRefusal, Submitted};
use steadfast_core::worker::{WorkerInput, WorkerRefusal};
use steadfast_core::{ActionRef, ExecutionId, Prepared, Status, WorkerName};
use steadfast_packs::{Catalog, Definition, PrepareError, prepare};
use steadfast_runner::LogStore;
use steadfast_services::assembly::Doors;
use steadfast_services::batcher::Stopped;
use steadfast_services::calendar::Impossible;
use steadfast_services::port::Runner as _;
use steadfast_services::port::{
    Broker, Env, ExecutionView, Query, Settle, StoreError, Subscription, Topic,
};
use steadfast_services::service::control::{self, QueueChange};
use steadfast_services::service::submit::SubmitError;
use steadfast_services::service::work::{Condition, Progress, StopSignals};
use tokio::task::JoinHandle;

use crate::effects::EffectProblem;
pub(crate) use broker::AnySubscription;
pub use builder::{Data, Durability, EngineBuilder, OpenError, Options, Roles, Servers};
pub use counters::Counters;
use env::LocalEnv;
pub use journal::JournalOptions;
use runner::ActionRunner;
pub(crate) use steadfast_rabbitmq::Verdict;
pub use store::{AnyStore, AnyTransaction};
pub use witness::{Witness, WitnessProgram, bear_witness};

/// A running engine. Copies share it; it stops when [`Engine::shutdown`] is called.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    env: LocalEnv,
    doors: Doors,
    runner: ActionRunner,
    has_worker: bool,
    progress: Progress,
    worker: StopSignals,
    worker_task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// A request to run an action.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// What to run, as `pack.name`.
    pub action: String,
    /// Its parameters, an object.
    pub parameters: Value,
    /// A second request with the same key finds the first one's execution.
    pub idempotency_key: Option<String>,
    /// The ended execution that this repeats.
    pub retry_of: Option<ExecutionId>,
    /// Whom its end is to be told to, beside those who are configured.
    pub effects: Vec<Wish>,
}

/// Why the engine did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No such action.
    #[error("there is no action `{0}`")]
    UnknownAction(String),
    /// No such execution.
    #[error("there is no execution {0}")]
    UnknownExecution(u64),
    /// No such worker.
    #[error("there is no worker `{0}`")]
    UnknownWorker(String),
    /// No such schedule.
    #[error("there is no schedule `{0}`")]
    UnknownSchedule(String),
    /// There is another schedule of this name.
    #[error("there is another schedule `{0}`")]
    ScheduleExists(String),
    /// There can be no such schedule.
    #[error(transparent)]
    Timing(#[from] Impossible),
    /// The schedule is in no state for that.
    #[error(transparent)]
    Schedule(#[from] schedule::Refusal),
    /// The idempotency key is one of those that belong to schedules.
    #[error("idempotency keys that begin with `{0}` belong to schedules")]
    ReservedKey(&'static str),
    /// The parameters do not fit, or the action cannot be run.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// An effect that was asked for cannot be delivered; nothing was created.
    #[error(transparent)]
    Effect(#[from] EffectProblem),
    /// It was refused; nothing was created.
    #[error(transparent)]
    Submit(#[from] SubmitRefusal),
    /// The execution is in no state for that.
    #[error(transparent)]
    Execution(#[from] Refusal),
    /// The worker is in no state for that.
    #[error(transparent)]
    Worker(#[from] WorkerRefusal),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    Stopped,
    /// The execution ended otherwise than `completed`.
    #[error("execution {id} ended as {status}{}", reason(.error.as_ref()))]
    Ended {
        /// Which.
        id: u64,
        /// How.
        status: Status,
        /// Why.
        error: Option<String>,
    },
    /// The input or the output does not have the expected type.
    #[error("{0}")]
    Type(String),
}

fn reason(error: Option<&String>) -> String {
    error.map_or_else(String::new, |error| format!(": {error}"))
}

impl From<Stopped> for EngineError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<SubmitError> for EngineError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::Submit(refusal),
            SubmitError::Store(error) => Self::Store(error),
        }
    }
}

impl Engine {
    /// An engine to be configured.
    #[must_use]
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// The actions that are known.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.0.env.definitions().catalog()
    }

    /// Reads what is in the store.
    #[must_use]
    pub fn query(&self) -> &AnyStore {
        self.0.env.store()
    }

    /// What the services of this process share, for the other ways in.
    pub(crate) fn env(&self) -> &LocalEnv {
        &self.0.env
    }

    /// Where the output of processes is kept.
    #[must_use]
    pub fn logs(&self) -> &LogStore {
        self.0.runner.logs()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        self.0.env.counters()
    }

    /// The definition of an execution, even if its pack has changed since.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn definition_of(
        &self,
        view: &ExecutionView,
    ) -> Result<Option<Arc<Definition>>, EngineError> {
        let store = self.0.env.store();
        Ok(self.0.env.definitions().find(store, &view.execution.definition).await?)
    }

    /// Checks parameters and fills in defaults, without running anything.
    ///
    /// # Errors
    /// If the action is unknown or disabled, or the parameters do not fit.
    pub fn prepare(&self, action: &str, parameters: Value) -> Result<Prepared, EngineError> {
        self.0.env.definitions().prepare(&ActionRef::new(action), parameters)
    }

    /// Submits a request. When this returns, the execution is durable.
    ///
    /// # Errors
    /// If it is refused, or the store cannot be reached.
    pub async fn submit(&self, request: Request) -> Result<Submitted, EngineError> {
        let prepared = self.prepare(&request.action, request.parameters)?;
        let Request { idempotency_key, retry_of, effects, .. } = request;
        self.submit_wishing(prepared, idempotency_key, retry_of, effects).await
    }

    /// Submits what [`Engine::prepare`] returned, or what was made of a workflow file with
    /// [`Engine::add_definition`].
    ///
    /// # Errors
    /// If it is refused, or the store cannot be reached.
    pub async fn submit_prepared(
        &self,
        prepared: Prepared,
        idempotency_key: Option<String>,
        retry_of: Option<ExecutionId>,
    ) -> Result<Submitted, EngineError> {
        self.submit_wishing(prepared, idempotency_key, retry_of, Vec::new()).await
    }

    async fn submit_wishing(
        &self,
        prepared: Prepared,
        idempotency_key: Option<String>,
        retry_of: Option<ExecutionId>,
        asked: Vec<Wish>,
    ) -> Result<Submitted, EngineError> {
        if is_too_deep(&prepared.parameters) {
            let error = format!("the parameters are nested deeper than {MAX_DEPTH} levels");
            return Err(EngineError::Type(error));
        }
        if idempotency_key.as_ref().is_some_and(|key| key.starts_with(schedule::KEY_PREFIX)) {
            return Err(EngineError::ReservedKey(schedule::KEY_PREFIX));
        }
        let idempotency = idempotency_key.map(|key| Idempotency {
            key,
            fingerprint: fingerprint(prepared.action.as_str(), &prepared.parameters, &asked),
        });
        let wishes = self.0.env.effects().wishes(&prepared.action, asked)?;
        let submission = Submission { prepared, idempotency, retry_of, wishes };
        Ok(self.0.doors.submitter.send(submission).await??)
    }

    /// Makes a definition known that belongs to no pack, such as a workflow file of its own.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn add_definition(
        &self,
        definition: Definition,
    ) -> Result<Arc<Definition>, EngineError> {
        let definition = self.0.env.definitions().add(definition);
        let json =
            serde_json::to_string(&*definition).map_err(|e| EngineError::Type(e.to_string()))?;
        self.0.env.store().put_definitions(&[(definition.hash(), json)]).await?;
        Ok(definition)
    }

    /// Runs a definition that [`Engine::add_definition`] made known, to its end.
    ///
    /// # Errors
    /// If it is refused or ends otherwise than completed, or a type does not fit.
    pub async fn run_definition<I: Serialize, O: DeserializeOwned>(
        &self,
        definition: &Definition,
        input: I,
    ) -> Result<O, EngineError> {
        let prepared = prepare(definition, to_json(input)?, self.0.env.definitions().defaults())?;
        self.finish(self.submit_prepared(prepared, None, None).await?.id()).await
    }

    /// Runs an action to its end with typed input and output.
    ///
    /// # Errors
    /// If it is refused or ends otherwise than completed, or a type does not fit.
    pub async fn run<I: Serialize, O: DeserializeOwned>(
        &self,
        action: &str,
        input: I,
    ) -> Result<O, EngineError> {
        let parameters = to_json(input)?;
        let request = Request { action: action.to_owned(), parameters, ..Request::default() };
        self.finish(self.submit(request).await?.id()).await
    }

    async fn finish<O: DeserializeOwned>(&self, id: ExecutionId) -> Result<O, EngineError> {
        let view = self.wait(id).await?;
        let status = view.execution.status;
        if status != Status::Completed {
            return Err(EngineError::Ended { id: id.0, status, error: view.outcome.error });
        }
        serde_json::from_value(view.outcome.result).map_err(|e| EngineError::Type(e.to_string()))
    }

    /// Waits for the end of an execution.
    ///
    /// # Errors
    /// If there is no such execution, or the store cannot be read.
    pub async fn wait(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        let mut ended = self.0.env.broker().subscribe(Topic::Ended).await?;
        loop {
            let view = self.find(id).await?;
            if view.execution.status.is_terminal() {
                return Ok(view);
            }
            // A hint may be lost, so look again after a while whatever happens.
            let look_again = tokio::time::sleep(Duration::from_millis(500));
            tokio::pin!(look_again);
            loop {
                tokio::select! {
                    biased;
                    received = ended.receive(256) => {
                        let deliveries = received?;
                        let mine = deliveries.iter().any(|d| concerns(&d.message, id));
                        let receipts = deliveries.into_iter().map(|d| (d.receipt, Settle::Ack));
                        ended.settle(receipts.collect()).await?;
                        if mine { break; }
                    }
                    () = &mut look_again => break,
                    () = self.stopped() => return Err(EngineError::Stopped),
                }
            }
        }
    }

    /// An execution.
    ///
    /// # Errors
    /// If there is none, or the store cannot be read.
    pub async fn find(&self, id: ExecutionId) -> Result<ExecutionView, EngineError> {
        self.query().execution(id).await?.ok_or(EngineError::UnknownExecution(id.0))
    }

    /// Cancels an execution.
    ///
    /// # Errors
    /// If there is none, it is over or was asked before, or the store cannot be reached.
    pub async fn cancel(&self, id: ExecutionId) -> Result<Status, EngineError> {
        let answer = control::cancel(&self.0.env, id).await?;
        Ok(answer.ok_or(EngineError::UnknownExecution(id.0))??)
    }

    /// Submits an ended execution's action and parameters again, as a new execution.
    ///
    /// # Errors
    /// If there is none, it is not over, or it is refused.
    pub async fn retry(&self, id: ExecutionId) -> Result<Submitted, EngineError> {
        let view = self.find(id).await?;
        let execution = view.execution;
        if !execution.status.is_terminal() {
            return Err(EngineError::Execution(Refusal::Illegal(execution.status)));
        }
        let action = execution.action.to_string();
        let request = Request {
            action,
            parameters: view.parameters,
            retry_of: Some(id),
            effects: self.0.env.effects().without_configured(&execution.action, execution.wishes),
            ..Request::default()
        };
        self.submit(request).await
    }

    /// Sets an operator's limit on an action's queues; `None` goes back to the definition's.
    ///
    /// # Errors
    /// If the action is unknown or the store cannot be reached.
    pub async fn set_limit(
        &self,
        action: &str,
        limit: Option<LimitOverride>,
    ) -> Result<(), EngineError> {
        self.change_queues(action, QueueChange::Limit(limit)).await
    }

    /// Stops or resumes admission to an action's queues.
    ///
    /// # Errors
    /// If the action is unknown or the store cannot be reached.
    pub async fn pause(&self, action: &str, paused: bool) -> Result<(), EngineError> {
        self.change_queues(action, QueueChange::Pause(paused)).await
    }

    async fn change_queues(&self, action: &str, change: QueueChange) -> Result<(), EngineError> {
        let action = ActionRef::new(action);
        let catalog = self.catalog();
        let declared = match catalog.get(&action) {
            Some(definition) => definition.concurrency_limit,
            None => return Err(EngineError::UnknownAction(action.to_string())),
        };
        Ok(control::change_queues(&self.0.env, &action, declared, change).await?)
    }

    /// Tells a worker something an operator wants.
    ///
    /// # Errors
    /// If there is none of this name, it refuses, or the store cannot be reached.
    pub async fn tell_worker(&self, name: &str, input: WorkerInput) -> Result<(), EngineError> {
        let answer = control::tell(&self.0.env, &WorkerName::new(name), input).await?;
        answer.ok_or_else(|| EngineError::UnknownWorker(name.to_owned()))??;
        Ok(())
    }

    /// Stops the engine. With `now`, running work is stopped at once and taken up again when the
    /// data directory is opened the next time; else it may finish within the shutdown timeout.
    /// Calling it again with `now` cuts a running shutdown short.
    pub async fn shutdown(&self, now: bool) {
        self.0.worker.drain.cancel();
        if now {
            self.0.worker.now.cancel();
        }
        let task = self.0.worker_task.lock().map(|mut task| task.take()).unwrap_or_default();
        if let Some(task) = task {
            // A panic of the worker was logged; there is nothing left to wait for.
            let _ = task.await;
        }
        self.0.env.stop().cancel();
        if let Err(error) = self.0.env.store().close().await {
            tracing::warn!(%error, "the store was not closed in good order");
        }
    }

    /// How the worker of this process is: which process it is registered as, and what of it does not
    /// move. `None` if this process has no worker.
    #[must_use]
    pub fn worker_condition(&self) -> Option<Condition> {
        let Inner { env, runner, progress, has_worker, .. } = &*self.0;
        let judge = || progress.judge(env.now(), env.probing().staleness, runner.at_it_for());
        has_worker.then(judge)
    }

    /// Returns when this process can be given work: when its worker has registered, if it has one.
    pub async fn ready(&self) {
        if self.0.has_worker {
            self.0.runner.registered().await;
        }
    }

    /// Returns when the engine has stopped: because it was told to, or because one of its services
    /// died of a bug, which is in the log then.
    pub async fn stopped(&self) {
        self.0.env.stop().cancelled().await;
    }

    /// Makes a shutdown under way, or the next one, stop running work at once.
    pub fn hurry(&self) {
        self.0.worker.now.cancel();
    }
}

fn to_json(input: impl Serialize) -> Result<Value, EngineError> {
    serde_json::to_value(input).map_err(|e| EngineError::Type(e.to_string()))
}

/// The hash by which two submissions with one idempotency key are told apart.
fn fingerprint(action: &str, parameters: &Value, effects: &[Wish]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(action.as_bytes());
    hasher.update([0]);
    hasher.update(parameters.to_string().as_bytes());
    for wish in effects {
        hasher.update(format!("\0{}\0{}\0{}", wish.trigger, wish.kind, wish.target));
    }
    hasher.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn concerns(message: &steadfast_core::decision::Message, id: ExecutionId) -> bool {
    matches!(message, steadfast_core::decision::Message::Ended { execution, .. } if *execution == id)
}
