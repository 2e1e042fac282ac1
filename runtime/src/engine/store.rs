//! The store that a process was configured to have. Everything above the adapters is the same code
//! on all of them, so an engine needs no type parameter.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;
use steadfast_core::decision::ItemPage;
use steadfast_core::effect::{Effect, EffectKey};
use steadfast_core::execution::Execution;
use steadfast_core::history::Voices;
use steadfast_core::queue::{Occupancy, Queue};
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{
    ActionRef, DefinitionHash, ExecutionId, QueueKey, Runtime, Span, Status, TaskKey, Timestamp,
    Transport, WorkerId, WorkerName,
};
use steadfast_embedded::{EmbeddedStore, EmbeddedTransaction};
use steadfast_postgres::{PostgresStore, PostgresTransaction};
use steadfast_services::port::{
    Batch, Commit, EffectCount, EffectFilter, ExecutionFilter, ExecutionView, Held, Load, Pointer,
    Query, QueueView, Retained, Store, StoreError, TaskView, Transaction, VisitResult,
};

/// Asks whichever it is.
macro_rules! each {
    ($which:expr, $it:ident => $ask:expr) => {
        match $which {
            Self::Embedded($it) => $ask,
            Self::Postgres($it) => $ask,
        }
    };
}

/// The store of an engine.
#[derive(Clone)]
pub enum AnyStore {
    /// In a data directory of this process.
    Embedded(EmbeddedStore),
    /// In a database that processes share.
    Postgres(PostgresStore),
}

/// A transaction of an [`AnyStore`].
pub enum AnyTransaction {
    /// Of the embedded store.
    Embedded(EmbeddedTransaction),
    /// Of the database.
    Postgres(PostgresTransaction),
}

impl AnyStore {
    /// Ends everything in good order. Later transactions are refused.
    ///
    /// # Errors
    /// If what is durable could not be put in its final place; nothing is lost.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        }
    }
}

impl Store for AnyStore {
    type Tx = AnyTransaction;

    async fn begin(&self, purpose: &'static str) -> Result<AnyTransaction, StoreError> {
        Ok(match self {
            Self::Embedded(store) => AnyTransaction::Embedded(store.begin(purpose).await?),
            Self::Postgres(store) => AnyTransaction::Postgres(store.begin(purpose).await?),
        })
    }

    async fn retain(&self, keep: Span) -> Load<Retained> {
        each!(self, it => Store::retain(it, keep).await)
    }
}

impl Transaction for AnyTransaction {
    async fn now(&mut self) -> Load<Timestamp> {
        each!(self, it => Transaction::now(it).await)
    }

    async fn allocate(&mut self, count: u32) -> Load<Range<u64>> {
        each!(self, it => Transaction::allocate(it, count).await)
    }

    async fn workers(&mut self, names: Option<&[WorkerName]>) -> Load<Vec<Worker>> {
        each!(self, it => Transaction::workers(it, names).await)
    }

    async fn queues(&mut self, keys: &[QueueKey]) -> Load<Vec<Queue>> {
        each!(self, it => Transaction::queues(it, keys).await)
    }

    async fn occupancy(
        &mut self,
        keys: &[QueueKey],
        limited: &BTreeSet<QueueKey>,
        most: u64,
    ) -> Load<Vec<(QueueKey, Occupancy)>> {
        each!(self, it => Transaction::occupancy(it, keys, limited, most).await)
    }

    async fn line(&mut self, keys: &[QueueKey], per_queue: u32) -> Load<Vec<Execution>> {
        each!(self, it => Transaction::line(it, keys, per_queue).await)
    }

    async fn runs(&mut self, ids: &[ExecutionId]) -> Load<Vec<Run>> {
        each!(self, it => Transaction::runs(it, ids).await)
    }

    async fn executions(&mut self, ids: &[ExecutionId]) -> Load<Vec<Execution>> {
        each!(self, it => Transaction::executions(it, ids).await)
    }

    async fn executions_by_key(&mut self, keys: &[String]) -> Load<Vec<Execution>> {
        each!(self, it => Transaction::executions_by_key(it, keys).await)
    }

    async fn ready(&mut self, runtimes: &BTreeSet<Runtime>, limit: u32) -> Load<Vec<Execution>> {
        each!(self, it => Transaction::ready(it, runtimes, limit).await)
    }

    async fn ended_children(&mut self, runs: &[ExecutionId], per_run: u32) -> Load<Vec<Execution>> {
        each!(self, it => Transaction::ended_children(it, runs, per_run).await)
    }

    async fn find_live_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Load<Vec<Pointer>> {
        each!(self, it => Transaction::find_live_children(it, runs, per_run).await)
    }

    async fn open_visits(&mut self, runs: &[ExecutionId]) -> Load<Vec<Visit>> {
        each!(self, it => Transaction::open_visits(it, runs).await)
    }

    async fn parameters(&mut self, ids: &[ExecutionId]) -> Load<Vec<(ExecutionId, Value)>> {
        each!(self, it => Transaction::parameters(it, ids).await)
    }

    async fn errors(&mut self, ids: &[ExecutionId]) -> Load<Vec<(ExecutionId, String)>> {
        each!(self, it => Transaction::errors(it, ids).await)
    }

    async fn visit_results(&mut self, visits: &[TaskKey]) -> Load<Vec<VisitResult>> {
        each!(self, it => Transaction::visit_results(it, visits).await)
    }

    async fn items(&mut self, pages: &[(TaskKey, u32)]) -> Load<Vec<ItemPage>> {
        each!(self, it => Transaction::items(it, pages).await)
    }

    async fn pointers(&mut self, ids: &[ExecutionId]) -> Load<Vec<Pointer>> {
        each!(self, it => Transaction::pointers(it, ids).await)
    }

    async fn find_due(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Pointer>> {
        each!(self, it => Transaction::find_due(it, now, limit).await)
    }

    async fn find_orphans(&mut self, limit: u32) -> Load<Vec<Pointer>> {
        each!(self, it => Transaction::find_orphans(it, limit).await)
    }

    async fn find_lines(&mut self, limit: u32) -> Load<Vec<QueueKey>> {
        each!(self, it => Transaction::find_lines(it, limit).await)
    }

    async fn find_ready(&mut self) -> Load<Vec<Runtime>> {
        each!(self, it => Transaction::find_ready(it).await)
    }

    async fn find_runs(&mut self, limit: u32) -> Load<Vec<ExecutionId>> {
        each!(self, it => Transaction::find_runs(it, limit).await)
    }

    async fn held(&mut self, worker: &WorkerId) -> Load<Vec<Held>> {
        each!(self, it => Transaction::held(it, worker).await)
    }

    async fn loads(&mut self) -> Load<Vec<(WorkerId, u32)>> {
        each!(self, it => Transaction::loads(it).await)
    }

    async fn queues_of(&mut self, action: &ActionRef) -> Load<Vec<QueueKey>> {
        each!(self, it => Transaction::queues_of(it, action).await)
    }

    async fn schedules(&mut self, names: &[ScheduleName]) -> Load<Vec<Schedule>> {
        each!(self, it => Transaction::schedules(it, names).await)
    }

    async fn find_schedules(&mut self, limit: u32) -> Load<Vec<(ScheduleName, Timestamp)>> {
        each!(self, it => Transaction::find_schedules(it, limit).await)
    }

    async fn due_effects(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Effect>> {
        each!(self, it => Transaction::due_effects(it, now, limit).await)
    }

    async fn effects(&mut self, keys: &[EffectKey]) -> Load<Vec<Effect>> {
        each!(self, it => Transaction::effects(it, keys).await)
    }

    async fn apply(&mut self, batch: Batch<'_>) -> Load<()> {
        each!(self, it => Transaction::apply(it, batch).await)
    }

    fn journal(&mut self, voices: Voices) {
        each!(self, it => it.journal(voices));
    }

    async fn commit(self) -> Commit {
        each!(self, it => it.commit().await)
    }
}

impl Query for AnyStore {
    async fn execution(&self, id: ExecutionId) -> Load<Option<ExecutionView>> {
        each!(self, it => Query::execution(it, id).await)
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Load<Vec<ExecutionView>> {
        each!(self, it => Query::executions(it, filter).await)
    }

    async fn tasks(
        &self,
        run: ExecutionId,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Load<Vec<TaskView>> {
        each!(self, it => Query::tasks(it, run, after, limit).await)
    }

    async fn run(&self, id: ExecutionId) -> Load<Option<(Run, Vec<Visit>)>> {
        each!(self, it => Query::run(it, id).await)
    }

    async fn queues(&self, action: Option<&ActionRef>) -> Load<Vec<QueueView>> {
        each!(self, it => Query::queues(it, action).await)
    }

    async fn workers(&self) -> Load<Vec<(Worker, u32)>> {
        each!(self, it => Query::workers(it).await)
    }

    async fn schedule(&self, name: &ScheduleName) -> Load<Option<Schedule>> {
        each!(self, it => Query::schedule(it, name).await)
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Load<Vec<Schedule>> {
        each!(self, it => Query::schedules(it, after, limit).await)
    }

    async fn count_by_transport(&self) -> Load<Vec<(Transport, u64)>> {
        each!(self, it => Query::count_by_transport(it).await)
    }

    async fn count_by_status(&self) -> Load<Vec<(Status, u64)>> {
        each!(self, it => Query::count_by_status(it).await)
    }

    async fn effects(&self, filter: &EffectFilter) -> Load<Vec<Effect>> {
        each!(self, it => Query::effects(it, filter).await)
    }

    async fn open_effects(&self) -> Load<Vec<EffectCount>> {
        each!(self, it => Query::open_effects(it).await)
    }

    async fn definition(&self, hash: &DefinitionHash) -> Load<Option<String>> {
        each!(self, it => Query::definition(it, hash).await)
    }

    async fn put_definitions(&self, definitions: &[(DefinitionHash, String)]) -> Load<()> {
        each!(self, it => Query::put_definitions(it, definitions).await)
    }

    async fn note(&self, key: &str) -> Load<Option<String>> {
        each!(self, it => Query::note(it, key).await)
    }

    async fn put_note(&self, key: &str, value: &str) -> Load<()> {
        each!(self, it => Query::put_note(it, key, value).await)
    }
}
