//! The world of one simulated process: the services' [`Env`] on simulated ports.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use madsim::time::Sleep;
use serde_json::Value;
use steadfast_core::effect::Wish;
use steadfast_core::settings::Settings;
use steadfast_core::{ActionRef, DefinitionHash, Prepared, Span, Timestamp, Transport};
use steadfast_services::alarm::Alarm;
use steadfast_services::journal::Journal;
use steadfast_services::port::{Answer, Counter, Env, Probing, StoreError, Workflow};

use crate::broker::SimBroker;
use crate::database::SimStore;
use crate::hang::PROBING;
use crate::library::Library;
use crate::process::Process;
use crate::receiver::SimCourier;
use crate::sync::lock;
use crate::watched::Watched;
use crate::{SimTime, time};

/// What all processes of a deployment are configured with.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The spans and bounds in force.
    pub settings: Settings,
    /// How work is carried.
    pub transport: Transport,
    /// How many inputs one transaction takes at the most.
    pub batch_size: usize,
}

/// One process's world.
#[derive(Clone)]
pub struct SimEnv(Arc<Inner>);

struct Inner {
    me: Process,
    store: SimStore,
    broker: SimBroker,
    terms: Terms,
    library: Arc<Library>,
    courier: SimCourier,
    alarm: Alarm,
    effect_alarm: Alarm,
    draws: AtomicU64,
    journal: Option<Journal>,
}

impl SimEnv {
    /// The world of this process.
    #[must_use]
    pub fn new(me: Process, terms: Terms, library: Arc<Library>) -> Self {
        let start =
            me.world().stream(&format!("entropy.{}.{}", me.name(), me.incarnation())).bits();
        let journals = me.world().0.journals.as_ref();
        let journal = journals.map(|journals| lock(journals).open(&me, &library));
        Self(Arc::new(Inner {
            journal,
            store: SimStore::new(me.clone()),
            broker: SimBroker::new(me.clone()),
            courier: SimCourier::new(me.clone()),
            me,
            terms,
            library,
            alarm: Alarm::default(),
            effect_alarm: Alarm::default(),
            draws: AtomicU64::new(start),
        }))
    }

    /// How often a lease has to be renewed at the least.
    pub(crate) fn lease_share(&self) -> Span {
        Span::from_micros(self.0.terms.settings.lease.as_micros() / 4)
    }

    /// The process.
    #[must_use]
    pub fn me(&self) -> &Process {
        &self.0.me
    }
}

impl Env for SimEnv {
    type Store = SimStore;
    type Broker = SimBroker;
    type Courier = SimCourier;

    const SIMULATED: bool = true;

    fn store(&self) -> &SimStore {
        &self.0.store
    }

    fn broker(&self) -> &SimBroker {
        &self.0.broker
    }

    fn courier(&self) -> &SimCourier {
        &self.0.courier
    }

    fn settings(&self) -> Settings {
        self.0.terms.settings
    }

    fn transport(&self) -> Transport {
        self.0.terms.transport
    }

    fn batch_size(&self) -> usize {
        self.0.terms.batch_size
    }

    fn probing(&self) -> Probing {
        PROBING
    }

    async fn probe(&self, address: &str, patience: Span) -> Answer {
        self.0.me.probe(address, patience.into()).await
    }

    fn now(&self) -> Timestamp {
        self.0.me.clock()
    }

    fn sleep(&self, span: Span) -> impl Future<Output = ()> + Send {
        ArmOnce::new(span.into())
    }

    fn spawn<F>(&self, _: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // The dead spawn nothing.
        if self.0.me.is_alive() {
            let me = &self.0.me;
            madsim::task::spawn(Watched::new(me.world(), me.node(), task));
        }
    }

    fn entropy(&self) -> u64 {
        self.0.draws.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    async fn workflow(
        &self,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<dyn Workflow>>, StoreError> {
        Ok(self.0.library.workflow(hash))
    }

    fn prepare(
        &self,
        action: &ActionRef,
        parameters: &Value,
    ) -> Result<(Prepared, Vec<Wish>), String> {
        Ok((self.0.library.try_prepare(action, parameters.clone())?, Vec::new()))
    }

    fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    fn effect_alarm(&self) -> &Alarm {
        &self.0.effect_alarm
    }

    fn count(&self, counter: Counter, by: u64) {
        self.0.me.world().count(counter, by);
    }

    fn journal(&self) -> Option<&Journal> {
        self.0.journal.as_ref()
    }

    fn planted(&self) -> Option<&'static str> {
        self.0.me.world().0.planted
    }
}

/// A sleep that sets its timer once: madsim's sets another at every poll.
struct ArmOnce {
    sleep: Sleep,
    until: SimTime,
    is_armed: bool,
}

impl ArmOnce {
    fn new(span: Duration) -> Self {
        Self { sleep: time::sleep(span), until: time::now().after(span), is_armed: false }
    }
}

impl Future for ArmOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_armed, true) {
            return Pin::new(&mut self.sleep).poll(context);
        }
        if time::now() >= self.until { Poll::Ready(()) } else { Poll::Pending }
    }
}
