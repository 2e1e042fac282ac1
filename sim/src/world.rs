//! The deployment that a story acts on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steadfast_core::{Status, Transport};
use steadfast_services::port::Counter;
use tokio::sync::Notify;

use crate::chance::{Chance, Rates, Struck};
use crate::chores::Chores;
use crate::fault::{Fault, Strike};
use crate::hang::Hangs;
use crate::journals::Journals;
use crate::law::{Law, WorldLaw};
use crate::physical::Physical;
use crate::process::Lives;
use crate::promises::Promises;
use crate::receiver::Receivers;
use crate::record::Record;
use crate::sync::lock;
use crate::witness::Pairs;
use crate::{
    Case, Checker, Event, Fact, Kind, Node, Plan, Settings, SimTime, Stream, broker, cells,
    database, kinds,
};

/// What a clock that is right shows when a run begins: 2026-01-01.
pub(crate) const BEGINNING: u64 = 1_767_225_600_000_000;

/// One simulated deployment: its clock, its chance, its nodes and its record.
///
/// A story speaks to this and to the things it builds on it, never to madsim. Clones are the same
/// world.
#[derive(Clone)]
pub struct World(pub(crate) Arc<Shared>);

/// What the clones of a world, and the runner outside, have in common.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) planted: Option<&'static str>,
    pub(crate) transport: Option<Transport>,
    pub(crate) case: Option<Arc<Case>>,
    /// Whether the run is to go on to its end.
    pub(crate) is_whole: bool,
    /// What is being performed.
    pub(crate) performed: Mutex<Option<Plan>>,
    pub(crate) record: Mutex<Record>,
    pub(crate) lives: Mutex<Lives>,
    pub(crate) chance: Mutex<Chance>,
    pub(crate) chores: Mutex<Chores>,
    pub(crate) database: Mutex<database::State>,
    pub(crate) broker: Mutex<broker::State>,
    pub(crate) physical: Mutex<Physical>,
    pub(crate) receivers: Mutex<Receivers>,
    pub(crate) pairs: Mutex<Pairs>,
    pub(crate) hangs: Mutex<Hangs>,
    pub(crate) promises: Mutex<Promises>,
    pub(crate) journals: Option<Mutex<Journals>>,
    submissions: AtomicU64,
    /// What is to be let go of before the world may end.
    pub(crate) last_acts: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    /// One clone for each process that has not been dropped.
    pub(crate) breath: Arc<()>,
    closed: Notify,
    /// Whether anybody has begun to wait for facts, and has to be told of what is written.
    is_awaited: AtomicBool,
    written: Notify,
    pub(crate) given_up: AtomicBool,
    /// The node whose future was polled last.
    pub(crate) at_work: AtomicU16,
}

impl World {
    pub(crate) fn new(seed: u64, settings: &Settings) -> Self {
        let mut chance = Chance::new(seed);
        if let Some(case) = &settings.case {
            chance.follow(&case.strikes);
        }
        Self(Arc::new(Shared {
            seed,
            planted: settings.planted,
            transport: settings.transport,
            case: settings.case.clone(),
            is_whole: settings.until.is_none(),
            performed: Mutex::default(),
            record: Mutex::new(Record::new(settings)),
            lives: Mutex::new(BTreeMap::new()),
            chance: Mutex::new(chance),
            chores: Mutex::default(),
            database: Mutex::new(database::State::with_bug(settings.planted)),
            broker: Mutex::default(),
            physical: Mutex::default(),
            receivers: Mutex::default(),
            pairs: Mutex::default(),
            hangs: Mutex::default(),
            promises: Mutex::default(),
            journals: settings.journal.then(Mutex::default),
            submissions: AtomicU64::new(0),
            last_acts: Mutex::default(),
            breath: Arc::new(()),
            closed: Notify::new(),
            is_awaited: AtomicBool::new(false),
            written: Notify::new(),
            given_up: AtomicBool::new(false),
            at_work: AtomicU16::new(0),
        }))
    }

    /// The seed that everything here follows from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The stream of chance called `name`, from its beginning. Ask once and keep it.
    #[must_use]
    pub fn stream(&self, name: &str) -> Stream {
        Stream::new(self.0.seed, name)
    }

    /// What a node is called.
    #[must_use]
    pub fn name_of(&self, node: Node) -> String {
        lock(&self.0.record).log.name(node).to_owned()
    }

    /// Simulated time.
    #[must_use]
    pub fn now(&self) -> SimTime {
        crate::time::now()
    }

    /// Simulated time as microseconds since the epoch, by a clock that is right.
    #[must_use]
    pub fn epoch_micros(&self) -> u64 {
        BEGINNING + self.now().as_nanos() / 1_000
    }

    /// Whether the world was asked to have this bug.
    #[must_use]
    pub fn is_planted(&self, mutant: &str) -> bool {
        self.0.planted == Some(mutant)
    }

    /// How work is carried: as it was asked for from outside, or else as the seed has `drawn` it.
    #[must_use]
    pub fn transport(&self, drawn: Transport) -> Transport {
        self.0.transport.unwrap_or(drawn)
    }

    /// From now on strikes happen at these rates, in thousandths.
    pub fn set_weather(&self, rates: impl IntoIterator<Item = (Strike, u16)>) {
        let mut all = Rates::CALM;
        rates.into_iter().for_each(|(strike, rate)| all.set(strike, rate));
        lock(&self.0.chance).set_rates(all);
    }

    /// How long anything is under way, one way, at the most.
    pub fn set_delay_max(&self, delay_max: Duration) {
        lock(&self.0.chance).set_delay_max(delay_max);
    }

    /// The longest way of anything.
    pub(crate) fn delay_max(&self) -> steadfast_core::Span {
        let micros = lock(&self.0.chance).delay_max().as_micros();
        steadfast_core::Span::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The strikes at ports so far.
    #[must_use]
    pub fn struck(&self) -> Vec<Struck> {
        lock(&self.0.chance).struck().to_vec()
    }

    pub(crate) fn strike(&self, node: Node, strike: Strike, does: &dyn Fn(&str) -> bool) {
        if let Some(cell) = cells::of_strike(strike, does) {
            self.cover(cell);
        }
        self.change(|record, now| record.strike(now, strike.name(), node));
        self.log(node, &kinds::STRUCK, &[strike as u64]);
    }

    pub(crate) fn strike_node(&self, fault: Fault, node: Node) {
        self.cover_blow(fault, node);
        self.change(|record, now| record.strike(now, fault.name(), node));
    }

    /// Counts what the attempts of a node were doing when a fault met it.
    fn cover_blow(&self, fault: Fault, node: Node) {
        let name = self.name_of(node);
        if !name.starts_with("worker") {
            return;
        }
        let mut met: BTreeSet<Option<Status>> = self.see_rows(|rows| {
            let held = rows.executions.iter().filter(|e| {
                let holder = e.worker.as_ref().is_some_and(|holder| holder.name.as_str() == name);
                holder && e.status.has_live_attempt()
            });
            held.map(|e| Some(e.status)).collect()
        });
        if met.is_empty() {
            met.insert(None);
        }
        met.into_iter()
            .filter_map(|status| cells::of_blow(fault, status))
            .for_each(|c| self.cover(c));
    }

    /// The servers notice that the connections of a node are gone.
    pub(crate) fn lose_connections(&self, node: Node, life: u64) {
        self.lose_sessions(node, life);
        self.lose_channels(node, life);
    }

    /// Notes what the seed drew; reports print it first.
    pub fn drew(&self, name: &'static str, value: impl std::fmt::Debug) {
        lock(&self.0.record).drew(name, format!("{value:?}"));
    }

    /// Counts that the run reached a point that a story hopes to reach.
    pub fn cover(&self, point: &'static str) {
        lock(&self.0.record).cover(point);
    }

    /// Lets `checker` judge every event from now on.
    pub fn watch(&self, checker: impl Checker + 'static) {
        lock(&self.0.record).watch(Box::new(checker));
    }

    /// Counts something that services count.
    pub(crate) fn count(&self, counter: Counter, by: u64) {
        lock(&self.0.record).count(counter, by);
    }

    /// A number for the next submission of a story.
    pub(crate) fn next_submission(&self) -> u64 {
        self.0.submissions.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes an event; `words` are what `kind.fields` names.
    ///
    /// # Panics
    /// When the watchdog gave this run up: it would otherwise go on in a thread nobody waits for.
    pub fn log(&self, node: Node, kind: &'static Kind, words: &[u64]) {
        let given_up = self.0.given_up.load(Ordering::Relaxed);
        assert!(!given_up, "the watchdog gave up on seed {}", self.0.seed);
        self.change(|record, now| record.write(now, node, kind, words));
    }

    /// Ends the run because `law` fell.
    pub fn violate(&self, law: impl Into<Law>, detail: impl Into<String>) {
        let (law, detail) = (law.into(), detail.into());
        self.change(|record, now| record.violate(now, law, detail));
    }

    /// Lets time pass.
    pub async fn wait(&self, span: Duration) {
        crate::time::sleep(span).await;
    }

    /// Waits until a fact has come to pass, and returns the event that shows it. When it does not
    /// within its time, `comes_to_pass` has fallen and the run ends.
    pub async fn until(&self, fact: Fact) -> Event {
        self.0.is_awaited.store(true, Ordering::Relaxed);
        let mut next = fact.first();
        let search = async {
            loop {
                // Registered before the search, so that nothing written meanwhile is missed.
                let written = self.0.written.notified();
                let found = {
                    let record = lock(&self.0.record);
                    let fresh = record.log.events().get(next..).unwrap_or_default();
                    next += fresh.len();
                    fresh.iter().find(|event| fact.is_shown_by(event)).copied()
                };
                match found {
                    Some(event) => return event,
                    None => written.await,
                }
            }
        };
        if let Ok(event) = madsim::time::timeout(fact.deadline(), search).await {
            return event;
        }
        self.violate(WorldLaw::ComesToPass, fact.to_string());
        std::future::pending().await
    }

    /// Changes the record, and wakes whoever waits for what changed.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Record, SimTime)) {
        let now = self.now();
        let closed = {
            let mut record = lock(&self.0.record);
            change(&mut record, now);
            record.is_closed()
        };
        if self.0.is_awaited.load(Ordering::Relaxed) {
            self.0.written.notify_waiters();
        }
        if closed {
            self.0.closed.notify_one();
        }
    }

    /// Completes when the record is closed.
    pub(crate) async fn closed(&self) {
        self.0.closed.notified().await;
    }
}
