//! The world of one process: tokio's clock and tasks, and the store and the broker that it was
//! configured to have.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use steadfast_core::effect::{Effect, Verdict, Wish};
use steadfast_core::settings::Settings;
use steadfast_core::{
    ActionRef, DefinitionHash, ExecutionId, Prepared, Span, Timestamp, Transport,
};
use steadfast_embedded::DataDir;
use steadfast_packs::secret_values;
use steadfast_services::alarm::Alarm;
use steadfast_services::journal::Journal;
use steadfast_services::port::{
    Answer, Counter, Courier, Env, Measure, Probing, Query, StoreError, Workflow,
};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error};

use super::broker::AnyBroker;
use super::counters::Counters;
use super::courier::HttpCourier;
use super::definitions::Definitions;
use super::measures::Measures;
use super::probe::Prober;
use super::store::AnyStore;
use crate::api::without_text;
use crate::effects::EffectOptions;

/// Everything that the services of this process share.
#[derive(Clone)]
pub(crate) struct LocalEnv(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: AnyStore,
    pub(crate) broker: AnyBroker,
    pub(crate) transport: Transport,
    /// Where logs and scratch files are, locked, unless the store holds it.
    pub(crate) _directory: Option<DataDir>,
    pub(crate) settings: Settings,
    pub(crate) batch_size: usize,
    pub(crate) retention: Option<Span>,
    pub(crate) probing: Probing,
    pub(crate) prober: Prober,
    pub(crate) definitions: Definitions,
    pub(crate) counters: Counters,
    pub(crate) measures: Measures,
    pub(crate) alarm: Alarm,
    pub(crate) courier: HttpCourier,
    pub(crate) effects: EffectOptions,
    pub(crate) effect_alarm: Alarm,
    pub(crate) draws: AtomicU64,
    pub(crate) journal: Option<Journal>,
    /// Cancelled when the engine stops, in good order or because a service died.
    pub(crate) stop: CancellationToken,
}

impl LocalEnv {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    pub(crate) fn definitions(&self) -> &Definitions {
        &self.0.definitions
    }

    /// Cancelled when the engine stops.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// How long things took in this process.
    pub(crate) fn measures(&self) -> &Measures {
        &self.0.measures
    }

    /// Who is told of what.
    pub(crate) fn effects(&self) -> &EffectOptions {
        &self.0.effects
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

impl Env for LocalEnv {
    type Store = AnyStore;
    type Broker = AnyBroker;
    type Courier = Self;

    fn store(&self) -> &AnyStore {
        &self.0.store
    }

    fn broker(&self) -> &AnyBroker {
        &self.0.broker
    }

    fn courier(&self) -> &Self {
        self
    }

    fn settings(&self) -> Settings {
        self.0.settings
    }

    fn transport(&self) -> Transport {
        self.0.transport
    }

    fn batch_size(&self) -> usize {
        self.0.batch_size
    }

    fn retention(&self) -> Option<Span> {
        self.0.retention
    }

    fn probing(&self) -> Probing {
        self.0.probing
    }

    async fn probe(&self, address: &str, patience: Span) -> Answer {
        self.0.prober.ask(address, patience.into()).await
    }

    fn now(&self) -> Timestamp {
        wall_clock()
    }

    async fn sleep(&self, span: Span) {
        tokio::time::sleep(span.into()).await;
    }

    #[expect(clippy::disallowed_methods, reason = "this is where tasks are spawned")]
    fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = tokio::spawn(task.instrument(tracing::debug_span!("service", name)));
        let stop = self.0.stop.clone();
        // A panic is a bug, and a service that is gone would leave work waiting for ever. So the
        // engine stops as a whole: whoever starts it again finds everything where it was.
        tokio::spawn(async move {
            if let Err(panic) = running.await
                && panic.is_panic()
            {
                error!(service = name, %panic, "a service panicked: the engine stops");
                stop.cancel();
            }
        });
    }

    fn entropy(&self) -> u64 {
        // Distinct inputs suffice: the core mixes them.
        self.0.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    async fn workflow(
        &self,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<dyn Workflow>>, StoreError> {
        self.0.definitions.workflow(&self.0.store, hash).await
    }

    fn prepare(
        &self,
        action: &ActionRef,
        parameters: &Value,
    ) -> Result<(Prepared, Vec<Wish>), String> {
        let prepared = self.0.definitions.prepare(action, parameters.clone());
        let prepared = prepared.map_err(|error| error.to_string())?;
        let wishes =
            self.effects().wishes(action, Vec::new()).map_err(|problem| problem.message)?;
        Ok((prepared, wishes))
    }

    fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    fn effect_alarm(&self) -> &Alarm {
        &self.0.effect_alarm
    }

    fn journal(&self) -> Option<&Journal> {
        self.0.journal.as_ref()
    }

    fn count(&self, counter: Counter, by: u64) {
        self.0.counters.add(counter, by);
    }

    fn measure(&self, measure: Measure, took: Span) {
        self.0.measures.add(measure, took, self.now());
    }
}

impl Courier for LocalEnv {
    async fn deliver(&self, effect: &Effect) -> Verdict {
        let error = match &effect.notice.error {
            Some(error) => Some(self.without_secrets(effect.key.execution, error).await),
            None => None,
        };
        self.0.courier.deliver(effect, error).await
    }

    fn patience(&self) -> Span {
        self.0.courier.patience() + LOOK_UP
    }
}

/// How long it may take to look up which parameters are secret.
const LOOK_UP: Span = Span::from_secs(3);

/// What is told if nobody knows what is secret.
const WITHHELD: &str = "withheld: see the execution";

impl LocalEnv {
    /// What an execution left as its error, without the values of its secret parameters.
    async fn without_secrets(&self, id: ExecutionId, error: &str) -> String {
        let looked_up = tokio::time::timeout(LOOK_UP.into(), self.secrets_of(id)).await;
        match looked_up {
            Ok(Ok(Some(secrets))) => without_text(error.to_owned(), &secrets),
            _ => String::from(WITHHELD),
        }
    }

    async fn secrets_of(&self, id: ExecutionId) -> Result<Option<Vec<String>>, StoreError> {
        let store = &self.0.store;
        let Some(view) = Query::execution(store, id).await? else { return Ok(None) };
        let definition = self.0.definitions.find(store, &view.execution.definition).await?;
        Ok(definition.map(|definition| secret_values(&definition, &view.parameters)))
    }
}

/// Microseconds since the epoch, by this machine's clock.
pub(crate) fn wall_clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the process's clock")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
