//! The world of one process: tokio's clock and tasks, and the store and the broker that it was
//! configured to have.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use steadfast_core::settings::Settings;
use steadfast_core::{ActionRef, DefinitionHash, Prepared, Span, Timestamp, Transport};
use steadfast_embedded::DataDir;
use steadfast_services::alarm::Alarm;
use steadfast_services::journal::Journal;
use steadfast_services::port::{Answer, Counter, Env, Measure, Probing, StoreError, Workflow};

use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error};

use super::broker::AnyBroker;
use super::counters::Counters;
use super::definitions::Definitions;
use super::measures::Measures;
use super::probe::Prober;
use super::store::AnyStore;

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

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

impl Env for LocalEnv {
    type Store = AnyStore;
    type Broker = AnyBroker;

    fn store(&self) -> &AnyStore {
        &self.0.store
    }

    fn broker(&self) -> &AnyBroker {
        &self.0.broker
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

    fn prepare(&self, action: &ActionRef, parameters: &Value) -> Result<Prepared, String> {
        let prepared = self.0.definitions.prepare(action, parameters.clone());
        prepared.map_err(|error| error.to_string())
    }

    fn alarm(&self) -> &Alarm {
        &self.0.alarm
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

/// Microseconds since the epoch, by this machine's clock.
pub(crate) fn wall_clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the process's clock")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
