//! Random commits, from a small world so that they meet.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast_core::decision::{Changed, ItemPage, Outcome, Writes};
use steadfast_core::execution::{Cause, Execution, Idempotency};
use steadfast_core::queue::{LimitOverride, Queue};
use steadfast_core::snapshot::Snapshot;
use steadfast_core::unit::Row;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::workflow::{CancellationPolicy, Last, Run, Visit, VisitState};
use steadfast_core::{
    Attempt, Backoff, ExecutionId, Incarnation, ItemKey, OnLost, Order, Policy, QueueKey,
    RetryPolicy, Span, Status, TaskKey, Timestamp, Transport, Version, Work, WorkerId,
};

/// Executions are numbered up to here.
pub(crate) const IDS: u64 = 14;
pub(crate) const QUEUES: [&str; 4] = ["a", "a|x", "b", "odd\0'\u{1F980}"];
pub(crate) const WORKERS: [&str; 3] = ["v", "w", "\u{0}"];
pub(crate) const RUNTIMES: [&str; 3] = ["shell", "python", "per\"l"];
pub(crate) const TASKS: [&str; 2] = ["t", "u\0"];
pub(crate) const KEYS: [&str; 3] = ["k", "k\0", ""];
const TEXTS: [&str; 6] = ["", "x", "\0", "a'b\"c\\", "\u{FFFF}\u{1F980}", "[1,2]"];
const TIMES: u64 = 40;

/// A sequence of numbers (SplitMix64).
pub(crate) struct Draw {
    state: u64,
    /// Executions are numbered from here.
    base: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, base: 0 }
    }

    /// From now on executions are numbered from `base`.
    #[allow(dead_code, reason = "only histories move on, and not every test program draws them")]
    pub(crate) fn set_base(&mut self, base: u64) {
        self.base = base;
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn small(&mut self) -> u32 {
        let all = [0, 1, 2, 7, u32::MAX];
        self.of(&all)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(50).then(|| make(self))
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_micros(self.below(TIMES))
    }

    fn span(&mut self) -> Span {
        Span::from_micros(self.below(3) * 1_000_001)
    }

    fn text(&mut self) -> String {
        self.of(&TEXTS).to_owned()
    }

    fn value(&mut self) -> Value {
        let number = f64::from_bits(self.next());
        let all = [
            json!(null),
            json!(self.next()),
            json!(number),
            json!({ self.text(): [self.text(), -1] }),
        ];
        self.of(&all)
    }

    fn map(&mut self) -> BTreeMap<String, Value> {
        (0..self.below(3)).map(|_| (self.text(), self.value())).collect()
    }

    fn id(&mut self) -> ExecutionId {
        ExecutionId(self.base + 1 + self.below(IDS))
    }

    fn task(&mut self) -> TaskKey {
        let run = ExecutionId(self.base + 1 + self.below(3));
        TaskKey { run, task: self.of(&TASKS).into(), occurrence: self.below(2) as u32 }
    }

    fn worker_id(&mut self) -> WorkerId {
        let incarnation = Incarnation(self.below(3));
        WorkerId { name: self.of(&WORKERS).into(), incarnation }
    }

    /// Some rows of every table. What the snapshot would not take is left out again, but not
    /// always.
    pub(crate) fn writes(&mut self, model: &Snapshot) -> Writes {
        let mut writes = Writes::default();
        for _ in 0..24 {
            let mut more = writes.clone();
            self.add(model, &mut more);
            if model.check(&more).is_ok() || self.chance(2) {
                writes = more;
            }
        }
        writes
    }

    fn add(&mut self, model: &Snapshot, writes: &mut Writes) {
        match self.below(12) {
            0 => {
                let row = self.worker();
                self.put(row, |key| model.workers.get(key), &mut writes.workers);
            }
            1 | 2 => {
                let row = self.queue();
                self.put(row, |key| model.queues.get(key), &mut writes.queues);
            }
            3..=8 => {
                let mut row = self.execution();
                if let Some(before) = model.execution(row.id) {
                    pin(&mut row, before);
                }
                self.put(row, |key| model.execution(*key), &mut writes.executions);
            }
            9 => {
                let row = self.run();
                self.put(row, |key| model.runs.get(key), &mut writes.runs);
            }
            10 => {
                let row = self.visit();
                self.put(row, |key| model.visits.get(key), &mut writes.visits);
            }
            _ => self.payloads(writes),
        }
    }

    /// An insert or an update, now and then of something that has moved on or is there already.
    fn put<'m, R: Row + 'm>(
        &mut self,
        mut row: R,
        find: impl FnOnce(&R::Key) -> Option<&'m R>,
        changed: &mut Changed<R>,
    ) {
        let key = row.key();
        if changed.inserted.iter().chain(&changed.updated).any(|other| other.key() == key) {
            return;
        }
        let version = find(&row.key()).map(|before| *before.clone().version_mut());
        let wrong = self.chance(3);
        match version {
            Some(version) if !wrong => {
                *row.version_mut() = version.next();
                changed.updated.push(row);
            }
            None if wrong => {
                *row.version_mut() = Version(1);
                changed.updated.push(row);
            }
            _ => {
                *row.version_mut() = Version(0);
                changed.inserted.push(row);
            }
        }
    }

    fn payloads(&mut self, writes: &mut Writes) {
        let id = self.id();
        match self.below(3) {
            0 => writes.parameters.push((id, self.value())),
            1 => {
                let outcome = Outcome { result: self.value(), error: self.maybe(Self::text) };
                writes.results.push((id, outcome));
            }
            _ => {
                let (visit, page) = (self.task(), self.below(2) as u32);
                let items = (0..self.below(3)).map(|_| self.value()).collect();
                writes.items.push(ItemPage { visit, page, items });
            }
        }
    }

    fn worker(&mut self) -> Worker {
        use WorkerState::{Active, Dead, Draining, Gone, Suspect};
        let mut row = Worker::new(self.of(&WORKERS).into());
        row.incarnation = Incarnation(self.below(3));
        row.state = self.of(&[Active, Dead, Draining, Gone, Suspect]);
        row.cordoned = self.chance(50);
        row.healthy = self.chance(50);
        row.runtimes =
            std::sync::Arc::new((0..self.below(3)).map(|_| self.of(&RUNTIMES).into()).collect());
        row.labels = (0..self.below(3)).map(|_| (self.text(), self.text())).collect();
        row.capacity = self.small();
        row.lease_until = self.time();
        row.last_beat = self.time();
        row.registered_at = Timestamp::MAX;
        row
    }

    pub(crate) fn queue(&mut self) -> Queue {
        let limit = self.maybe(Self::small);
        let mut row = Queue::new(QueueKey::new(self.of(&QUEUES)), limit, self.time());
        let limit = LimitOverride::At(self.small());
        row.operator_limit = self.of(&[None, Some(limit), Some(LimitOverride::Unlimited)]);
        row.paused = self.chance(50);
        row.next_order = Order(self.below(1 << 40));
        row.completed = self.below(1 << 40);
        row
    }

    pub(crate) fn execution(&mut self) -> Execution {
        let id = self.id();
        let mut row = crate::store::rows::execution(id.0);
        row.status = self.of(&Status::ALL);
        let status = row.status;
        row.work = match self.below(3) {
            0 => Work::Workflow,
            _ => Work::Runtime(self.of(&RUNTIMES).into()),
        };
        row.queue = QueueKey::new(self.of(&QUEUES));
        row.action = self.text().into();
        row.definition = self.text().into();
        row.selector = (0..self.below(2)).map(|_| (self.text(), self.text())).collect();
        row.transport = self.of(&Transport::ALL);
        let lined = status != Status::Requested || self.chance(20);
        row.order = lined.then(|| Order(self.below(5)));
        row.attempt = Attempt(self.small());
        row.failures = self.small();
        row.losses = self.small();
        let may_have = status.has_live_attempt() || status.is_terminal();
        let must_have = status.has_live_attempt() && !row.is_workflow();
        row.worker = (must_have || may_have && self.chance(50)).then(|| self.worker_id());
        row.excluded = (0..self.below(2)).map(|_| self.of(&WORKERS).into()).collect();
        row.cancel_requested = self.chance(30);
        row.wake_at = (!status.is_terminal() && self.chance(50)).then(|| self.time());
        row.policy = self.policy();
        let index = self.maybe(|draw| draw.below(4) as u32);
        row.place = self.maybe(|draw| ItemKey { task: draw.task(), index });
        row.folded = status.is_terminal() && row.place.is_some() && self.chance(50);
        row.retry_of = self.maybe(Self::id);
        row.idempotency = self
            .maybe(|draw| Idempotency { key: draw.of(&KEYS).to_owned(), fingerprint: draw.text() });
        row.started_at = self.maybe(Self::time);
        row.ended_at = status.is_terminal().then(|| self.time());
        row.cause = self.maybe(|draw| draw.of(&[Cause::QueueTimeout, Cause::Refused]));
        row
    }

    fn policy(&mut self) -> Policy {
        if self.chance(50) {
            return Policy::DEFAULT;
        }
        Policy {
            retry: RetryPolicy {
                count: self.small(),
                delay: self.span(),
                backoff: self.of(&[Backoff::Constant, Backoff::Linear, Backoff::Exponential]),
                max_delay: self.maybe(Self::span),
                jitter_permille: self.below(1001) as u16,
            },
            timeout: self.maybe(Self::span),
            on_lost: self.of(&[OnLost::Retry, OnLost::Abandon]),
            max_losses: self.small(),
            queue_timeout: self.maybe(|_| Span::MAX),
            cancellation: self.of(&[None, Some(CancellationPolicy::AllowFinish)]),
        }
    }

    fn run(&mut self) -> Run {
        let mut row = Run::new(self.id(), Attempt(self.small()));
        row.open = self.chance(50);
        row.halted = self.chance(50);
        row.vars = self.map();
        row.visits = (0..self.below(3)).map(|_| (self.text().into(), self.small())).collect();
        let last = Last { occurrence: self.small(), status: Status::Failed };
        row.last = (0..self.below(2)).map(|_| (self.text().into(), last.clone())).collect();
        row.fault = self.maybe(Self::text);
        row
    }

    fn visit(&mut self) -> Visit {
        let mut row = Visit::new(self.task(), self.small());
        row.state = self.of(&[VisitState::Waiting, VisitState::Running, VisitState::Ended]);
        row.status = self.maybe(|draw| draw.of(&Status::ALL));
        row.arrived = (0..self.below(3)).map(|_| self.of(&TASKS).into()).collect();
        row.absorbing = self.chance(30);
        row.listed = self.chance(50);
        row.elements = self.small();
        row.batch_size = self.small();
        row.timed_out = self.below(2) as u32;
        row.failed = row.timed_out + self.below(2) as u32;
        row.ended = row.failed + self.below(2) as u32;
        row.created = row.ended + self.below(2) as u32;
        row.total = row.created + self.below(2) as u32;
        row.concurrency = self.small();
        row.vars = self.map();
        row.not_before = self.maybe(Self::time);
        row.error = self.maybe(Self::text);
        row
    }
}

/// What never changes after the insert.
pub(crate) fn pin(row: &mut Execution, before: &Execution) {
    let was_workflow = before.is_workflow();
    if !was_workflow && row.status.has_live_attempt() && row.worker.is_none() {
        row.worker = Some(WorkerId { name: "w".into(), incarnation: Incarnation(1) });
    }
    row.work = before.work.clone();
    row.queue = before.queue.clone();
    row.action = before.action.clone();
    row.definition = before.definition.clone();
    row.selector = before.selector.clone();
    row.transport = before.transport;
    row.policy = before.policy;
    row.place = before.place.clone();
    row.folded &= row.place.is_some();
    row.retry_of = before.retry_of;
    row.idempotency = before.idempotency.clone();
    row.created_at = before.created_at;
}
