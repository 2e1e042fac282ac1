//! The store: rows, locks and transactions.
//!
//! Every method of a [`Transaction`] is one statement and one await, so whatever can go wrong
//! between two statements can be made to go wrong there. Rows are locked in one order everywhere:
//! schedules, workers, queues, runs, executions, visits, effects; within a table by key.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Range;

use steadfast_core::decision::{ItemPage, Outcome};
use steadfast_core::effect::{Effect, EffectKey};
use steadfast_core::execution::Execution;
use steadfast_core::history::Voices;
use steadfast_core::queue::{Occupancy, Queue};
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{
    DefinitionHash, ExecutionId, FencingToken, QueueKey, Runtime, Span, Status, TaskKey, Timestamp,
    WorkerId, WorkerName,
};

/// Where the rows are.
pub trait Store: Clone + Send + Sync + 'static {
    /// A transaction that has begun. Dropping it rolls it back.
    type Tx: Transaction;

    /// Begins a transaction that may write. `purpose` is the name of the step that asks for it:
    /// for logs and traces, never for a decision.
    fn begin(
        &self,
        purpose: &'static str,
    ) -> impl Future<Output = Result<Self::Tx, StoreError>> + Send;

    /// Looks after history: lets go of whole executions that ended longer ago than `keep`, with
    /// all that belongs to them. It never touches what is not over, nor anything of a run that is
    /// not over with all that it belongs to, and it does a bounded piece of work. Any number of
    /// processes may do it, and nobody waits for it for more than a moment.
    fn retain(&self, keep: Span) -> impl Future<Output = Load<Retained>> + Send;
}

/// What one look after history did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Executions that were put away: over, and with everything over that they belong to.
    pub filed: u64,
    /// Executions that are not there any more, as far as the store knows their number.
    pub dropped: u64,
    /// Definitions that nothing was pinned to any more.
    pub definitions: u64,
    /// Whether there is more to do.
    pub more: bool,
}

/// Why a statement did not do its work. The transaction is rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed a row first, or won a unique key: load and decide again.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The store cannot be reached or does not answer in time: try again later.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store cannot take any more (its disk is full): try again later, and tell somebody.
    #[error("store full: {0}")]
    Full(String),
    /// A row cannot be understood. Nobody should try again.
    #[error("unreadable row: {0}")]
    Corrupt(String),
}

/// What became of a commit.
#[derive(Debug)]
pub enum Commit {
    /// It is durable.
    Committed(Committed),
    /// It did not happen.
    Failed(StoreError),
    /// The connection was lost before the answer: it may have happened or not. Load and decide
    /// again; every write is keyed, so what has happened is found and not done twice.
    Unknown(String),
}

/// Proof of a durable commit. Only a store makes one, and only then may messages be published.
#[derive(Debug)]
pub struct Committed {
    at: Timestamp,
}

impl Committed {
    /// For stores alone: the writes are durable since `at`.
    #[must_use]
    pub const fn by_store(at: Timestamp) -> Self {
        Self { at }
    }

    /// The store's clock when it was decided.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

/// A statement's result.
pub type Load<T> = Result<T, StoreError>;

/// What must be known of an execution before it is locked, read without locking: queues are locked
/// before executions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pointer {
    /// The execution.
    pub execution: ExecutionId,
    /// Its queue.
    pub queue: QueueKey,
    /// Its pinned definition.
    pub definition: DefinitionHash,
    /// Whether it is over or was asked to stop.
    pub stopping: bool,
}

/// An attempt that the store thinks a worker has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The execution.
    pub execution: ExecutionId,
    /// The current token.
    pub token: FencingToken,
    /// Its queue.
    pub queue: QueueKey,
    /// Whether it should stop.
    pub cancel_requested: bool,
    /// Whether it is on offer, and waits for the worker to accept it.
    pub offered: bool,
}

/// The end of one execution of a visit.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitResult {
    /// The visit.
    pub visit: TaskKey,
    /// The place in its list; `None` without a list.
    pub index: Option<u32>,
    /// How it ended.
    pub status: Status,
    /// What it left.
    pub outcome: Outcome,
}

/// Rows of one kind to write: one statement. Inserts refuse what exists and updates refuse what is
/// not at the version before, both with [`StoreError::Conflict`].
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// New workers.
    InsertWorkers(&'a [Worker]),
    /// Changed workers.
    UpdateWorkers(&'a [Worker]),
    /// New queues.
    InsertQueues(&'a [Queue]),
    /// Changed queues.
    UpdateQueues(&'a [Queue]),
    /// New runs.
    InsertRuns(&'a [Run]),
    /// Changed runs.
    UpdateRuns(&'a [Run]),
    /// New executions.
    InsertExecutions(&'a [Execution]),
    /// New executions with their parameters, in one statement.
    InsertExecutionsWith(&'a [Execution], &'a [(ExecutionId, serde_json::Value)]),
    /// Changed executions.
    UpdateExecutions(&'a [Execution]),
    /// Changed executions with what those of them leave that end, in one statement.
    UpdateExecutionsWith(&'a [Execution], &'a [(ExecutionId, Outcome)]),
    /// New visits.
    InsertVisits(&'a [Visit]),
    /// Changed visits.
    UpdateVisits(&'a [Visit]),
    /// New schedules.
    InsertSchedules(&'a [Schedule]),
    /// Changed schedules.
    UpdateSchedules(&'a [Schedule]),
    /// Parameters of new executions that did not come with them.
    InsertParameters(&'a [(ExecutionId, serde_json::Value)]),
    /// What ended executions left, if it did not come with their end.
    InsertOutcomes(&'a [(ExecutionId, Outcome)]),
    /// Pages of item lists.
    InsertItems(&'a [ItemPage]),
    /// New effects.
    InsertEffects(&'a [Effect]),
    /// Changed effects.
    UpdateEffects(&'a [Effect]),
}

/// A transaction. Reads see what the transaction itself has written.
pub trait Transaction: Send {
    /// The store's clock; the only clock that decides anything. It may stand still within a
    /// transaction that never waits for a lock, and it never goes back within any.
    fn now(&mut self) -> impl Future<Output = Load<Timestamp>> + Send;

    /// Reserves identities that nobody else gets. They are no statement about order.
    fn allocate(&mut self, count: u32) -> impl Future<Output = Load<Range<u64>>> + Send;

    /// Workers by name, locked; all that are not gone when `names` is `None`, not locked.
    fn workers(
        &mut self,
        names: Option<&[WorkerName]>,
    ) -> impl Future<Output = Load<Vec<Worker>>> + Send;

    /// Queues, locked.
    fn queues(&mut self, keys: &[QueueKey]) -> impl Future<Output = Load<Vec<Queue>>> + Send;

    /// How many wait in each queue, counted up to `most`, and how many hold a slot of those in
    /// `limited`. `horizon` is left open. Queues without either may be missing.
    fn occupancy(
        &mut self,
        keys: &[QueueKey],
        limited: &BTreeSet<QueueKey>,
        most: u64,
    ) -> impl Future<Output = Load<Vec<(QueueKey, Occupancy)>>> + Send;

    /// The first `per_queue` waiters of each queue in order of their place, locked. The queues
    /// must be locked.
    fn line(
        &mut self,
        keys: &[QueueKey],
        per_queue: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send;

    /// Runs, locked.
    fn runs(&mut self, ids: &[ExecutionId]) -> impl Future<Output = Load<Vec<Run>>> + Send;

    /// Executions, locked.
    fn executions(
        &mut self,
        ids: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send;

    /// The executions that were submitted with these keys, locked.
    fn executions_by_key(
        &mut self,
        keys: &[String],
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send;

    /// Up to `limit` ready executions that a worker with these runtimes may take, oldest first,
    /// locked; those that somebody else has locked are passed over.
    fn ready(
        &mut self,
        runtimes: &BTreeSet<Runtime>,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send;

    /// Up to `per_run` ended and not yet folded children of each run, oldest first, locked. The
    /// runs must be locked.
    fn ended_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send;

    /// Up to `per_run` children of each run that are not over, unlocked; those that were not asked
    /// to stop come first.
    fn find_live_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> impl Future<Output = Load<Vec<Pointer>>> + Send;

    /// Visits of these runs that still matter ([`Visit::is_open`]), locked.
    fn open_visits(
        &mut self,
        runs: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<Visit>>> + Send;

    /// Parameters; executions without any are missing.
    fn parameters(
        &mut self,
        ids: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<(ExecutionId, serde_json::Value)>>> + Send;

    /// Why executions failed; those without an error are missing.
    fn errors(
        &mut self,
        ids: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<(ExecutionId, String)>>> + Send;

    /// How every execution of these visits ended, by visit and place.
    fn visit_results(
        &mut self,
        visits: &[TaskKey],
    ) -> impl Future<Output = Load<Vec<VisitResult>>> + Send;

    /// Pages of item lists.
    fn items(
        &mut self,
        pages: &[(TaskKey, u32)],
    ) -> impl Future<Output = Load<Vec<ItemPage>>> + Send;

    /// Where executions are, unlocked.
    fn pointers(&mut self, ids: &[ExecutionId]) -> impl Future<Output = Load<Vec<Pointer>>> + Send;

    /// Up to `limit` executions whose `wake_at` has passed, earliest first, unlocked.
    fn find_due(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Pointer>>> + Send;

    /// Up to `limit` executions whose live attempt belongs to a worker process that is dead, gone
    /// or superseded, unlocked.
    fn find_orphans(&mut self, limit: u32) -> impl Future<Output = Load<Vec<Pointer>>> + Send;

    /// Up to `limit` queues in which somebody waits, unlocked.
    fn find_lines(&mut self, limit: u32) -> impl Future<Output = Load<Vec<QueueKey>>> + Send;

    /// Whether anybody waits for a worker, by runtime; unlocked.
    fn find_ready(&mut self) -> impl Future<Output = Load<Vec<Runtime>>> + Send;

    /// Up to `limit` workflow executions that can be advanced, unlocked: ready to begin, with
    /// ended unfolded children, with a window that has room for more of its list, or with an open
    /// run although they are over or being cancelled.
    fn find_runs(&mut self, limit: u32) -> impl Future<Output = Load<Vec<ExecutionId>>> + Send;

    /// The live attempts of a worker process, unlocked.
    fn held(&mut self, worker: &WorkerId) -> impl Future<Output = Load<Vec<Held>>> + Send;

    /// How many live attempts each worker process has that has any, unlocked.
    fn loads(&mut self) -> impl Future<Output = Load<Vec<(WorkerId, u32)>>> + Send;

    /// The queues of an action, unlocked.
    fn queues_of(
        &mut self,
        action: &steadfast_core::ActionRef,
    ) -> impl Future<Output = Load<Vec<QueueKey>>> + Send;

    /// Schedules, locked; those that were removed too.
    fn schedules(
        &mut self,
        names: &[ScheduleName],
    ) -> impl Future<Output = Load<Vec<Schedule>>> + Send;

    /// The `limit` active schedules that are due first, whether that is now or later, with their due
    /// times, unlocked.
    fn find_schedules(
        &mut self,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<(ScheduleName, Timestamp)>>> + Send;
    /// Up to `limit` effects that are due for a sender, those that have waited longest first, locked;
    /// those that somebody else has locked are passed over.
    fn due_effects(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Effect>>> + Send;

    /// Effects, locked.
    fn effects(&mut self, keys: &[EffectKey]) -> impl Future<Output = Load<Vec<Effect>>> + Send;

    /// Takes down who was listened to for the writes that follow: evidence for whoever checks the
    /// history, of which no row depends. A store that keeps no journal lets go of it.
    fn journal(&mut self, voices: Voices) {
        drop(voices);
    }

    /// Writes rows.
    fn apply(&mut self, batch: Batch<'_>) -> impl Future<Output = Load<()>> + Send;

    /// Makes everything durable.
    fn commit(self) -> impl Future<Output = Commit> + Send;
}
