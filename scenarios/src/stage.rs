//! The deployment that most stories are told on: small, with spans short enough to wait for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_core::settings::Settings;
use steadfast_core::{Backoff, RetryPolicy, Span, Transport};
use steadfast_sim::{BrokerPlan, Deployment, Fleet, FleetPlan, Library, Stream, Terms, World};

use crate::library::{impatient_library, library};

/// How long a worker's attempts are its own after a beat.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How far apart two clocks may be.
pub(crate) const DRIFT: Duration = Duration::from_millis(250);
/// How often a sweep looks at everything.
pub(crate) const SWEEP: Duration = Duration::from_millis(500);

const SETTINGS: Settings = Settings {
    lease: Span::from_secs(2),
    drift: Span::from_millis(250),
    beat_overdue: Span::from_millis(1_500),
    sweep_interval: Span::from_millis(500),
    offer_timeout: Span::from_secs(3),
    cancel_grace: Span::from_secs(2),
    run_margin: Span::from_secs(3),
    unschedulable_after: Span::from_secs(60),
    max_queue_length: 10_000,
    effect_lease: Span::from_secs(3),
    effect_retry: EFFECT_RETRY,
};

/// Soon again, and often enough for any storm.
pub(crate) const EFFECT_RETRY: RetryPolicy = RetryPolicy {
    count: 12,
    delay: Span::from_millis(200),
    backoff: Backoff::Exponential,
    max_delay: Some(Span::from_secs(2)),
    jitter_permille: 200,
};

/// A deployment that is being put together. What a story does not say, the seed draws.
pub(crate) struct Stage {
    world: World,
    fleet: Fleet,
    library: Arc<Library>,
    delay_max: Duration,
}

impl Stage {
    /// Two executors and two workers with room for four each, in this world.
    pub(crate) fn of(world: &World) -> Self {
        let mut chance = world.stream("stage");
        let terms = Terms {
            settings: SETTINGS,
            transport: world.transport(one_of(&mut chance, &Transport::ALL)),
            batch_size: one_of(&mut chance, &[1, 2, 16, 256]),
        };
        let delay_max = Duration::from_micros(one_of(&mut chance, &[0, 500, 2_000, 5_000]));
        let renew_interval = Span::from_millis(500);
        let fleet = Fleet { renew_interval, terms, ..Fleet::default() };
        Self { world: world.clone(), fleet, library: library(), delay_max }
    }

    pub(crate) fn workers(mut self, count: u32) -> Self {
        self.fleet.workers = count;
        self
    }

    pub(crate) fn apis(mut self, count: u32) -> Self {
        self.fleet.apis = count;
        self
    }

    pub(crate) fn executors(mut self, count: u32) -> Self {
        self.fleet.executors = count;
        self
    }

    /// Each worker has a witness beside it.
    pub(crate) fn witnesses(mut self) -> Self {
        self.fleet.witnesses = true;
        self
    }

    /// How many attempts each worker has room for.
    pub(crate) fn capacity(mut self, count: u32) -> Self {
        self.fleet.capacity = count;
        self
    }

    pub(crate) fn carried_by(mut self, transport: Transport) -> Self {
        self.fleet.terms.transport = transport;
        self
    }

    pub(crate) fn batches_of(mut self, size: usize) -> Self {
        self.fleet.terms.batch_size = size;
        self
    }

    /// Nothing waits in its queue for longer than a second.
    pub(crate) fn impatient(mut self) -> Self {
        self.library = impatient_library();
        self
    }

    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.fleet.terms.settings);
        self
    }

    /// Starts it.
    pub(crate) fn open(self) -> Deployment {
        self.world.drew("transport", self.fleet.terms.transport);
        self.world.drew("batch", self.fleet.terms.batch_size);
        self.world.drew("delay_max", self.delay_max);
        self.world.set_delay_max(self.delay_max);
        self.world.deploy(self.fleet, self.library)
    }
}

/// A small fleet for a plan, of any batch size and carried in one of these ways.
pub(crate) fn small_fleet(chance: &mut Stream, transports: &[Transport]) -> FleetPlan {
    FleetPlan {
        executors: 2,
        workers: 2,
        apis: 1,
        capacity: 4,
        batch_size: one_of(chance, &[1, 2, 16]),
        transport: one_of(chance, transports),
        delay_max_us: 500,
        witnesses: false,
        settings: Settings::DEFAULT,
        broker: BrokerPlan::default(),
    }
}

/// One of a few.
pub(crate) fn one_of<T: Copy>(stream: &mut Stream, of: &[T]) -> T {
    let at = usize::try_from(stream.below(of.len() as u64)).unwrap_or(0);
    of[at]
}

/// One of a few, so that consecutive seeds take all of them in turn.
pub(crate) fn in_turn<T: Copy>(world: &World, of: &[T]) -> T {
    let at = usize::try_from(world.seed() % of.len() as u64).unwrap_or(0);
    of[at]
}

/// An action that takes this long.
pub(crate) fn takes(ms: u64) -> Value {
    json!({ "ms": ms })
}

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
