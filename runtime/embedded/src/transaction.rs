//! A transaction. It has SQLite's write lock from its beginning, so everything that it reads is
//! locked and nothing can come between.

mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use sqlx::SqlStr;
use steadfast_core::decision::ItemPage;
use steadfast_core::effect::{Effect, EffectKey};
use steadfast_core::execution::Execution;
use steadfast_core::queue::{Occupancy, Queue};
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{
    ActionRef, DefinitionHash, ExecutionId, QueueKey, Runtime, TaskKey, Timestamp, WorkerId,
    WorkerName,
};
use steadfast_services::port::{
    Batch, Commit, Committed, Held, Load, Pointer, StoreError, Transaction, VisitResult,
};
use tokio::sync::OwnedMutexGuard;

use crate::args::Args;
use crate::error::{Class, failed_commit, store_error};
use crate::row::Cells;
use crate::scan;
use crate::shape::{MOST, Shape};
use crate::store::{CLOCK_NOTE, Writer};
use crate::table::Decoder;
use crate::table::effect::{EffectDecoder, Effects, bind_key};
use crate::table::execution::{
    ExecutionDecoder, Executions, HeldDecoder, LoadDecoder, PointerDecoder,
};
use crate::table::payload::{
    ErrorDecoder, ItemDecoder, Items, Outcomes, Parameters, ParametersDecoder, VisitResultDecoder,
};
use crate::table::queue::{QueueDecoder, Queues};
use crate::table::run::{RunDecoder, Runs};
use crate::table::schedule::{DueDecoder, ScheduleDecoder, Schedules};
use crate::table::visit::{VisitDecoder, Visits, bind_task_key};
use crate::table::worker::{WorkerDecoder, Workers};
use statement::{distinct, id_args};

/// A transaction of the [`EmbeddedStore`](crate::EmbeddedStore). Dropping it rolls it back.
pub struct EmbeddedTransaction {
    writer: OwnedMutexGuard<Writer>,
    now: Timestamp,
    open: bool,
}

impl EmbeddedTransaction {
    pub(crate) const fn begun(writer: OwnedMutexGuard<Writer>, now: Timestamp) -> Self {
        Self { writer, now, open: true }
    }

    /// The connection that it is on.
    pub(crate) fn connection(&mut self) -> Load<&mut sqlx::SqliteConnection> {
        self.writer.connection()
    }

    /// Writes a note.
    pub(crate) async fn put_note(&mut self, key: &str, value: &str) -> Load<()> {
        let mut args = Args::default();
        args.text(key);
        args.text(value);
        self.execute(SqlStr::from_static(PUT_NOTE), args).await.map(|_| ())
    }

    /// Writes definitions that are not there yet.
    pub(crate) async fn put_definitions(
        &mut self,
        definitions: &[(DefinitionHash, String)],
    ) -> Load<()> {
        for chunk in definitions.chunks(MOST) {
            let mut args = Args::default();
            for (hash, body) in chunk {
                args.text(hash.as_str());
                args.text(body);
            }
            self.execute(PUT_DEFINITIONS.sql(chunk.len()), args).await?;
        }
        Ok(())
    }

    /// Writes down which identities may have been given out.
    pub(crate) async fn put_reserved(&mut self, reserved: u64) -> Load<()> {
        let mut args = Args::default();
        args.int(reserved);
        self.execute(SqlStr::from_static(PUT_RESERVED), args).await.map(|_| ())
    }

    /// The next identity that nobody has.
    pub(crate) fn next_id(&self) -> u64 {
        self.writer.ids.next()
    }

    /// Nothing is reserved from `next` on once this commits.
    pub(crate) fn settle_ids(&mut self, next: u64) {
        self.writer.ids.settle(next);
    }

    fn fail(&mut self, error: &sqlx::Error) -> StoreError {
        if Class::of(error).spoils_connection() {
            self.open = false;
            self.writer.ids.rolled_back();
            self.writer.distrust();
        }
        store_error(error)
    }

    /// Keeps the stored time from falling behind.
    async fn save_clock(&mut self) -> Load<bool> {
        if !self.writer.clock_is_due(self.now) {
            return Ok(false);
        }
        self.put_note(CLOCK_NOTE, &self.now.as_micros().to_string()).await?;
        Ok(true)
    }
}

/// How many runtimes one statement merges; workers have fewer.
const READY_ARMS: usize = 16;

const PUT_NOTE: &str = "INSERT INTO note (key, value) VALUES (?, ?) \
                        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
static PUT_DEFINITIONS: Shape =
    Shape::insert(2, "INSERT INTO definition (hash, body)", "ON CONFLICT (hash) DO NOTHING");
const PUT_RESERVED: &str = "UPDATE idblock SET reserved = ?";

impl Drop for EmbeddedTransaction {
    fn drop(&mut self) {
        if self.open {
            self.writer.start_rollback();
        }
    }
}

impl Transaction for EmbeddedTransaction {
    async fn now(&mut self) -> Load<Timestamp> {
        Ok(self.now)
    }

    async fn allocate(&mut self, count: u32) -> Load<Range<u64>> {
        let (ids, to_reserve) = self.writer.ids.take(count);
        if let Some(reserved) = to_reserve {
            self.put_reserved(reserved).await?;
        }
        Ok(ids)
    }

    async fn workers(&mut self, names: Option<&[WorkerName]>) -> Load<Vec<Worker>> {
        match names {
            None => self.fetch::<WorkerDecoder>(scan::LIVE_WORKERS, Args::default()).await,
            Some(names) => {
                let names = distinct(names);
                let bind = |name: &&WorkerName, args: &mut Args| args.text(name.as_str());
                self.by_keys::<WorkerDecoder, _>(&scan::WORKERS, &names, bind).await
            }
        }
    }

    async fn queues(&mut self, keys: &[QueueKey]) -> Load<Vec<Queue>> {
        let keys = distinct(keys);
        let bind = |key: &&QueueKey, args: &mut Args| args.text(key.as_str());
        self.by_keys::<QueueDecoder, _>(&scan::QUEUES, &keys, bind).await
    }

    async fn occupancy(
        &mut self,
        keys: &[QueueKey],
        limited: &BTreeSet<QueueKey>,
        most: u64,
    ) -> Load<Vec<(QueueKey, Occupancy)>> {
        let keys = distinct(keys);
        let bind = |key: &&QueueKey, args: &mut Args| {
            args.text(key.as_str());
            args.int(limited.contains(*key));
            args.int(most.min(i64::MAX.cast_unsigned()));
        };
        self.by_keys::<OccupancyDecoder, _>(&scan::OCCUPANCY, &keys, bind).await
    }

    async fn line(&mut self, keys: &[QueueKey], per_queue: u32) -> Load<Vec<Execution>> {
        let keys = distinct(keys);
        let bind = |key: &&QueueKey, args: &mut Args| {
            args.text(key.as_str());
            args.int(per_queue);
        };
        self.executions_of(&scan::LINE, &keys, bind, &[]).await
    }

    async fn runs(&mut self, ids: &[ExecutionId]) -> Load<Vec<Run>> {
        self.fetch::<RunDecoder>(scan::RUNS, id_args(ids)).await
    }

    async fn executions(&mut self, ids: &[ExecutionId]) -> Load<Vec<Execution>> {
        self.fetch_packed::<ExecutionDecoder>(scan::EXECUTIONS, id_args(ids)).await
    }

    async fn executions_by_key(&mut self, keys: &[String]) -> Load<Vec<Execution>> {
        let keys = distinct(keys);
        let bind = |key: &&String, args: &mut Args| args.text(key);
        Ok(oldest_first(self.executions_of(&scan::BY_KEY, &keys, bind, &[]).await?))
    }

    async fn ready(&mut self, runtimes: &BTreeSet<Runtime>, limit: u32) -> Load<Vec<Execution>> {
        let runtimes: Vec<&Runtime> = runtimes.iter().collect();
        let bind = |runtime: &&Runtime, args: &mut Args| args.text(runtime.as_str());
        let mut rows = Vec::new();
        for runtimes in runtimes.chunks(READY_ARMS) {
            let tail = [u64::from(limit)];
            rows.append(&mut self.executions_of(&scan::READY, runtimes, bind, &tail).await?);
        }
        rows = oldest_first(rows);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    async fn ended_children(&mut self, runs: &[ExecutionId], per_run: u32) -> Load<Vec<Execution>> {
        let runs = distinct(runs);
        let bind = |run: &&ExecutionId, args: &mut Args| {
            args.int(run.0);
            args.int(per_run);
        };
        self.executions_of(&scan::ENDED_CHILDREN, &runs, bind, &[]).await
    }

    async fn find_live_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Load<Vec<Pointer>> {
        let mut args = id_args(runs);
        args.int(per_run);
        self.fetch_packed::<PointerDecoder>(scan::LIVE_CHILDREN, args).await
    }

    async fn open_visits(&mut self, runs: &[ExecutionId]) -> Load<Vec<Visit>> {
        self.fetch::<VisitDecoder>(scan::OPEN_VISITS, id_args(runs)).await
    }

    async fn parameters(
        &mut self,
        ids: &[ExecutionId],
    ) -> Load<Vec<(ExecutionId, serde_json::Value)>> {
        self.fetch::<ParametersDecoder>(scan::PARAMETERS, id_args(ids)).await
    }

    async fn errors(&mut self, ids: &[ExecutionId]) -> Load<Vec<(ExecutionId, String)>> {
        self.fetch::<ErrorDecoder>(scan::ERRORS, id_args(ids)).await
    }

    async fn visit_results(&mut self, visits: &[TaskKey]) -> Load<Vec<VisitResult>> {
        let visits = distinct(visits);
        let bind = |key: &&TaskKey, args: &mut Args| bind_task_key(key, args);
        self.by_keys::<VisitResultDecoder, _>(&scan::VISIT_RESULTS, &visits, bind).await
    }

    async fn items(&mut self, pages: &[(TaskKey, u32)]) -> Load<Vec<ItemPage>> {
        let pages = distinct(pages);
        let bind = |page: &&(TaskKey, u32), args: &mut Args| {
            bind_task_key(&page.0, args);
            args.int(page.1);
        };
        self.by_keys::<ItemDecoder, _>(&scan::ITEMS, &pages, bind).await
    }

    async fn pointers(&mut self, ids: &[ExecutionId]) -> Load<Vec<Pointer>> {
        self.fetch_packed::<PointerDecoder>(scan::POINTERS, id_args(ids)).await
    }

    async fn find_due(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Pointer>> {
        self.find::<PointerDecoder>(scan::DUE, &[now.as_micros(), limit.into()]).await
    }

    async fn find_orphans(&mut self, limit: u32) -> Load<Vec<Pointer>> {
        self.find::<PointerDecoder>(scan::ORPHANS, &[limit.into()]).await
    }

    async fn find_lines(&mut self, limit: u32) -> Load<Vec<QueueKey>> {
        let mut args = Args::default();
        args.int(limit);
        self.texts(scan::LINES, args).await
    }

    async fn find_ready(&mut self) -> Load<Vec<Runtime>> {
        self.texts(scan::READY_RUNTIMES, Args::default()).await
    }

    async fn find_runs(&mut self, limit: u32) -> Load<Vec<ExecutionId>> {
        let mut args = Args::default();
        (0..5).for_each(|_| args.int(limit));
        self.fetch::<IdDecoder>(scan::RUNNABLE, args).await
    }

    async fn held(&mut self, worker: &WorkerId) -> Load<Vec<Held>> {
        let mut args = Args::default();
        args.text(worker.name.as_str());
        args.int(worker.incarnation.0);
        self.fetch_packed::<HeldDecoder>(scan::HELD, args).await
    }

    async fn loads(&mut self) -> Load<Vec<(WorkerId, u32)>> {
        self.fetch::<LoadDecoder>(scan::LOADS, Args::default()).await
    }

    async fn queues_of(&mut self, action: &ActionRef) -> Load<Vec<QueueKey>> {
        let mut args = Args::default();
        args.text(action.as_str());
        self.texts(scan::QUEUES_OF, args).await
    }

    async fn schedules(&mut self, names: &[ScheduleName]) -> Load<Vec<Schedule>> {
        let names = distinct(names);
        let bind = |name: &&ScheduleName, args: &mut Args| args.text(name.as_str());
        self.by_keys::<ScheduleDecoder, _>(&scan::SCHEDULES, &names, bind).await
    }

    async fn find_schedules(&mut self, limit: u32) -> Load<Vec<(ScheduleName, Timestamp)>> {
        let mut args = Args::default();
        args.int(limit);
        self.fetch::<DueDecoder>(scan::DUE_SCHEDULES, args).await
    }

    async fn due_effects(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Effect>> {
        let mut args = Args::default();
        args.int(now.as_micros());
        args.int(limit);
        self.fetch::<EffectDecoder>(scan::DUE_EFFECTS, args).await
    }

    async fn effects(&mut self, keys: &[EffectKey]) -> Load<Vec<Effect>> {
        let keys = distinct(keys);
        let bind = |key: &&EffectKey, args: &mut Args| bind_key(key, args);
        self.by_keys::<EffectDecoder, _>(&scan::EFFECTS, &keys, bind).await
    }

    async fn apply(&mut self, batch: Batch<'_>) -> Load<()> {
        match batch {
            Batch::InsertWorkers(rows) => self.insert::<Workers>(rows).await,
            Batch::UpdateWorkers(rows) => self.update::<Workers>(rows).await,
            Batch::InsertQueues(rows) => self.insert::<Queues>(rows).await,
            Batch::UpdateQueues(rows) => self.update::<Queues>(rows).await,
            Batch::InsertRuns(rows) => self.insert::<Runs>(rows).await,
            Batch::UpdateRuns(rows) => self.update::<Runs>(rows).await,
            Batch::InsertExecutions(rows) => self.insert::<Executions>(rows).await,
            Batch::UpdateExecutions(rows) => self.update::<Executions>(rows).await,
            // Two tables, so two statements; without a network that costs nothing to speak of.
            Batch::InsertExecutionsWith(rows, parameters) => {
                self.insert::<Executions>(rows).await?;
                self.insert::<Parameters>(parameters).await
            }
            Batch::UpdateExecutionsWith(rows, outcomes) => {
                self.update::<Executions>(rows).await?;
                self.insert::<Outcomes>(outcomes).await
            }
            Batch::InsertVisits(rows) => self.insert::<Visits>(rows).await,
            Batch::UpdateVisits(rows) => self.update::<Visits>(rows).await,
            Batch::InsertSchedules(rows) => self.insert::<Schedules>(rows).await,
            Batch::UpdateSchedules(rows) => self.update::<Schedules>(rows).await,
            Batch::InsertParameters(rows) => self.insert::<Parameters>(rows).await,
            Batch::InsertOutcomes(rows) => self.insert::<Outcomes>(rows).await,
            Batch::InsertItems(rows) => self.insert::<Items>(rows).await,
            Batch::InsertEffects(rows) => self.insert::<Effects>(rows).await,
            Batch::UpdateEffects(rows) => self.update::<Effects>(rows).await,
        }
    }

    async fn commit(mut self) -> Commit {
        let clock_saved = match self.save_clock().await {
            Ok(saved) => saved,
            Err(error) => return Commit::Failed(error),
        };
        if let Err(error) = self.writer.commit().await {
            self.open = false;
            self.writer.ids.rolled_back();
            self.writer.distrust();
            return failed_commit(&error);
        }
        self.open = false;
        self.writer.ids.committed();
        if clock_saved {
            let now = self.now;
            self.writer.clock_was_saved(now);
        }
        Commit::Committed(Committed::by_store(self.now))
    }
}

fn oldest_first(mut rows: Vec<Execution>) -> Vec<Execution> {
    rows.sort_by_key(|row| row.id);
    rows
}

/// Reads what queues add up to.
#[derive(Default)]
struct OccupancyDecoder;

impl Decoder for OccupancyDecoder {
    type Row = (QueueKey, Occupancy);

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Self::Row> {
        let key = QueueKey::new(row.text()?);
        Ok((key, Occupancy { waiting: row.int()?, holding: row.int()?, horizon: None }))
    }
}

/// Reads identities.
#[derive(Default)]
struct IdDecoder;

impl Decoder for IdDecoder {
    type Row = ExecutionId;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<ExecutionId> {
        row.int().map(ExecutionId)
    }
}
