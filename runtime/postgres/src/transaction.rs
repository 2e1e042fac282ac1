//! A transaction: row locks, and statements that each see what was committed before them.

mod executions;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
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
    Batch, Commit, Held, Load, Pointer, StoreError, Transaction, VisitResult,
};

use crate::args::Args;
use crate::code::Code;
use crate::ids::{Ids, blocks};
use crate::row::Reader;
use crate::scan;
use crate::session::Session;
use crate::table::effect::{EffectDecoder, Effects};
use crate::table::execution::{ExecutionDecoder, HeldDecoder, LoadDecoder, PointerDecoder};
use crate::table::payload::{
    ErrorDecoder, ItemDecoder, Items, ParametersDecoder, VisitResultDecoder,
};
use crate::table::queue::{OccupancyDecoder, QueueDecoder, Queues};
use crate::table::run::{RunDecoder, Runs};
use crate::table::schedule::{DueDecoder, ScheduleDecoder, Schedules};
use crate::table::visit::{VisitDecoder, Visits};
use crate::table::worker::{WorkerDecoder, Workers};
use crate::table::{Decoder, Table, Versioned};

/// A transaction of the [`PostgresStore`](crate::PostgresStore). Dropping it rolls it back.
pub struct PostgresTransaction {
    pub(crate) session: Session,
    ids: Arc<Ids>,
    /// What [`Transaction::allocate`] answered last: nobody else has these identities.
    pub(crate) drawn: Range<u64>,
}

const PUT_NOTE: &str = "INSERT INTO note (key, value) VALUES ($1, $2) \
                        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
/// Those that are there are seen again, which is not written down more than once in an hour.
const PUT_DEFINITIONS: &str = "INSERT INTO definition (hash, body) \
     SELECT * FROM UNNEST($1::text[], $2::text[]) \
     ON CONFLICT (hash) DO UPDATE SET seen_at = excluded.seen_at \
     WHERE definition.seen_at < excluded.seen_at - 3600000000";
const DRAW_BLOCKS: &str = "SELECT nextval('execution_id') FROM generate_series(1, $1)";

/// How often blocks of identities are drawn again because somebody drew one between. It takes
/// somebody who draws in the same microseconds.
const DRAWS: u32 = 20;

/// The most rows in one statement: what it takes to plan and to send one stays moderate, and no
/// array comes near the largest that PostgreSQL takes.
pub(crate) const MOST: usize = 10_000;

impl PostgresTransaction {
    pub(crate) const fn begun(session: Session, ids: Arc<Ids>) -> Self {
        Self { session, ids, drawn: 0..0 }
    }

    /// Writes a note.
    pub(crate) async fn put_note(&mut self, key: &str, value: &str) -> Load<()> {
        let args = Args::default().text(key).text(value);
        self.session.execute(SqlStr::from_static(PUT_NOTE), args).await.map(|_| ())
    }

    /// Writes definitions that are not there yet, in the order of their hashes, so that those who
    /// write the same ones at the same time wait for each other in that order.
    pub(crate) async fn put_definitions(
        &mut self,
        definitions: &[(DefinitionHash, String)],
    ) -> Load<()> {
        let sorted: BTreeSet<&(DefinitionHash, String)> = definitions.iter().collect();
        let hashes = sorted.iter().map(|(hash, _)| hash.as_str());
        let bodies = sorted.iter().map(|(_, body)| body.as_str());
        let args = Args::default().texts(hashes).texts(bodies);
        self.session.execute(SqlStr::from_static(PUT_DEFINITIONS), args).await.map(|_| ())
    }

    async fn fetch<D: Decoder>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        args: Args,
    ) -> Load<Vec<D::Row>> {
        D::all(&self.session.rows(sql.into_sql_str(), args).await?)
    }

    async fn texts<T: for<'a> From<&'a str>>(
        &mut self,
        sql: &'static str,
        args: Args,
    ) -> Load<Vec<T>> {
        let rows = self.session.rows(SqlStr::from_static(sql), args).await?;
        rows.iter().map(|row| Reader::new(row).text().map(|text| T::from(&text))).collect()
    }

    /// Rows that must not be there yet.
    async fn insert<T: Table>(&mut self, rows: &[T::Row]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let (sql, args) = T::insert(chunk);
            self.session.execute(AssertSqlSafe(sql).into_sql_str(), args).await?;
        }
        Ok(())
    }

    /// Rows that must be at the version before.
    async fn update<T: Versioned>(&mut self, rows: &[T::Row]) -> Load<()> {
        for chunk in rows.chunks(MOST) {
            let (sql, args) = T::update(chunk);
            let written = self.session.execute(AssertSqlSafe(sql).into_sql_str(), args).await?;
            self.require(chunk.len(), written, T::NAME)?;
        }
        Ok(())
    }

    /// All rows were written, or nothing of this transaction is.
    fn require(&mut self, wanted: usize, written: u64, name: &str) -> Load<()> {
        let missing = (wanted as u64).saturating_sub(written);
        if missing == 0 {
            return Ok(());
        }
        let reason = format!("{missing} of {wanted} {name} rows have moved on or are taken");
        // PostgreSQL sees nothing wrong with that; this transaction is over all the same.
        self.session.refuse(StoreError::Conflict(reason.clone()));
        Err(StoreError::Conflict(reason))
    }
}

impl Transaction for PostgresTransaction {
    async fn now(&mut self) -> Load<Timestamp> {
        Ok(self.session.now())
    }

    async fn allocate(&mut self, count: u32) -> Load<Range<u64>> {
        if let Some(ids) = self.ids.take(count) {
            self.drawn = ids.clone();
            return Ok(ids);
        }
        for _ in 0..DRAWS {
            let args = Args::default().int(blocks(count));
            let rows = self.session.rows(SqlStr::from_static(DRAW_BLOCKS), args).await?;
            let starts = rows.iter().map(|row| Reader::new(row).int());
            let starts: Vec<u64> = starts.collect::<Load<_>>()?;
            if let Some(ids) = self.ids.refill(&starts, count) {
                self.drawn = ids.clone();
                return Ok(ids);
            }
        }
        let reason = format!("{count} identities in a row could not be drawn");
        Err(StoreError::Unavailable(reason))
    }

    async fn workers(&mut self, names: Option<&[WorkerName]>) -> Load<Vec<Worker>> {
        match names {
            None => self.fetch::<WorkerDecoder>(scan::LIVE_WORKERS, Args::default()).await,
            Some(names) => {
                let args = Args::default().texts(names.iter().map(WorkerName::as_str));
                self.fetch::<WorkerDecoder>(scan::WORKERS, args).await
            }
        }
    }

    async fn queues(&mut self, keys: &[QueueKey]) -> Load<Vec<Queue>> {
        let args = Args::default().texts(keys.iter().map(QueueKey::as_str));
        self.fetch::<QueueDecoder>(scan::QUEUES, args).await
    }

    async fn occupancy(
        &mut self,
        keys: &[QueueKey],
        limited: &BTreeSet<QueueKey>,
        most: u64,
    ) -> Load<Vec<(QueueKey, Occupancy)>> {
        let keys = distinct(keys);
        let args = Args::default()
            .texts(keys.iter().map(|key| key.as_str()))
            .flags(keys.iter().map(|key| limited.contains(*key)))
            .int(most.min(i64::MAX.cast_unsigned()));
        self.fetch::<OccupancyDecoder>(scan::OCCUPANCY, args).await
    }

    async fn line(&mut self, keys: &[QueueKey], per_queue: u32) -> Load<Vec<Execution>> {
        let keys = distinct(keys);
        let args = Args::default().texts(keys.iter().map(|key| key.as_str())).int(per_queue);
        let mut rows = self.fetch::<ExecutionDecoder>(scan::LINE, args).await?;
        rows.sort_by(|a, b| (&a.queue, a.order, a.id).cmp(&(&b.queue, b.order, b.id)));
        Ok(rows)
    }

    async fn runs(&mut self, ids: &[ExecutionId]) -> Load<Vec<Run>> {
        self.both::<RunDecoder>(ids, scan::RUNS, scan::FILED_RUNS, |run| run.execution).await
    }

    async fn executions(&mut self, ids: &[ExecutionId]) -> Load<Vec<Execution>> {
        self.both::<ExecutionDecoder>(ids, scan::EXECUTIONS, scan::FILED, |row| row.id).await
    }

    async fn executions_by_key(&mut self, keys: &[String]) -> Load<Vec<Execution>> {
        let args = || Args::default().texts(keys.iter().map(String::as_str));
        self.session.execute(SqlStr::from_static(scan::LOCK_KEYS), args()).await?;
        self.fetch::<ExecutionDecoder>(scan::BY_KEY, args()).await
    }

    async fn ready(&mut self, runtimes: &BTreeSet<Runtime>, limit: u32) -> Load<Vec<Execution>> {
        if runtimes.is_empty() {
            return Ok(Vec::new());
        }
        let mut args = Args::default().int(limit);
        if scan::ready_has_arms(runtimes.len()) {
            args = runtimes.iter().fold(args, |args, runtime| args.text(runtime.as_str()));
        } else {
            args = args.texts(runtimes.iter().map(Runtime::as_str));
        }
        let sql = AssertSqlSafe(scan::ready(runtimes.len()));
        let mut rows = self.fetch::<ExecutionDecoder>(sql, args).await?;
        rows.sort_by_key(|row| row.id);
        Ok(rows)
    }

    async fn ended_children(&mut self, runs: &[ExecutionId], per_run: u32) -> Load<Vec<Execution>> {
        let args = id_args(runs).int(per_run);
        let mut rows = self.fetch::<ExecutionDecoder>(scan::ENDED_CHILDREN, args).await?;
        rows.sort_by_key(|row| (row.parent(), row.id));
        Ok(rows)
    }

    async fn find_live_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Load<Vec<Pointer>> {
        let args = id_args(runs).int(per_run);
        self.fetch::<PointerDecoder>(scan::LIVE_CHILDREN, args).await
    }

    async fn open_visits(&mut self, runs: &[ExecutionId]) -> Load<Vec<Visit>> {
        self.fetch::<VisitDecoder>(scan::OPEN_VISITS, id_args(runs)).await
    }

    async fn parameters(
        &mut self,
        ids: &[ExecutionId],
    ) -> Load<Vec<(ExecutionId, serde_json::Value)>> {
        let (live, filed) = (scan::PARAMETERS, scan::FILED_PARAMETERS);
        let rows = self.both::<ParametersDecoder>(ids, live, filed, |row| row.0).await?;
        Ok(rows.into_iter().filter_map(|(id, value)| Some((id, value?))).collect())
    }

    async fn errors(&mut self, ids: &[ExecutionId]) -> Load<Vec<(ExecutionId, String)>> {
        self.fetch::<ErrorDecoder>(scan::ERRORS, id_args(ids)).await
    }

    async fn visit_results(&mut self, visits: &[TaskKey]) -> Load<Vec<VisitResult>> {
        let args = key_args(&distinct(visits));
        self.fetch::<VisitResultDecoder>(scan::VISIT_RESULTS, args).await
    }

    async fn items(&mut self, pages: &[(TaskKey, u32)]) -> Load<Vec<ItemPage>> {
        let pages = distinct(pages);
        let keys: Vec<&TaskKey> = pages.iter().map(|(key, _)| key).collect();
        let args = key_args(&keys).ints(pages.iter().map(|(_, page)| u64::from(*page)));
        self.fetch::<ItemDecoder>(scan::ITEMS, args).await
    }

    async fn pointers(&mut self, ids: &[ExecutionId]) -> Load<Vec<Pointer>> {
        let (live, filed) = (scan::POINTERS, scan::FILED_POINTERS);
        self.both::<PointerDecoder>(ids, live, filed, |row| row.execution).await
    }

    async fn find_due(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Pointer>> {
        // The column is signed.
        let until = now.as_micros().min(i64::MAX.cast_unsigned());
        let args = Args::default().int(until).int(limit);
        self.fetch::<PointerDecoder>(scan::DUE, args).await
    }

    async fn find_orphans(&mut self, limit: u32) -> Load<Vec<Pointer>> {
        self.fetch::<PointerDecoder>(scan::ORPHANS, Args::default().int(limit)).await
    }

    async fn find_lines(&mut self, limit: u32) -> Load<Vec<QueueKey>> {
        self.texts(scan::LINES, Args::default().int(limit)).await
    }

    async fn find_ready(&mut self) -> Load<Vec<Runtime>> {
        self.texts(scan::READY_RUNTIMES, Args::default()).await
    }

    async fn find_runs(&mut self, limit: u32) -> Load<Vec<ExecutionId>> {
        let args = Args::default().int(limit);
        let rows = self.session.rows(SqlStr::from_static(scan::RUNNABLE), args).await?;
        rows.iter().map(|row| Reader::new(row).int().map(ExecutionId)).collect()
    }

    async fn held(&mut self, worker: &WorkerId) -> Load<Vec<Held>> {
        let args = Args::default().text(worker.name.as_str()).int(worker.incarnation.0);
        self.fetch::<HeldDecoder>(scan::HELD, args).await
    }

    async fn loads(&mut self) -> Load<Vec<(WorkerId, u32)>> {
        self.fetch::<LoadDecoder>(scan::LOADS, Args::default()).await
    }

    async fn queues_of(&mut self, action: &ActionRef) -> Load<Vec<QueueKey>> {
        self.texts(scan::QUEUES_OF, Args::default().text(action.as_str())).await
    }

    async fn schedules(&mut self, names: &[ScheduleName]) -> Load<Vec<Schedule>> {
        let args = Args::default().texts(names.iter().map(ScheduleName::as_str));
        self.fetch::<ScheduleDecoder>(scan::SCHEDULES, args).await
    }

    async fn find_schedules(&mut self, limit: u32) -> Load<Vec<(ScheduleName, Timestamp)>> {
        self.fetch::<DueDecoder>(scan::DUE_SCHEDULES, Args::default().int(limit)).await
    }

    async fn due_effects(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Effect>> {
        // The column is signed.
        let until = now.as_micros().min(i64::MAX.cast_unsigned());
        let args = Args::default().int(until).int(limit);
        self.fetch::<EffectDecoder>(scan::DUE_EFFECTS, args).await
    }

    async fn effects(&mut self, keys: &[EffectKey]) -> Load<Vec<Effect>> {
        let keys = distinct(keys);
        let args = Args::default()
            .ints(keys.iter().map(|key| key.execution.0))
            .ints(keys.iter().map(|key| u64::from(key.generation.0)))
            .ints(keys.iter().map(|key| key.kind.code()))
            .texts(keys.iter().map(|key| key.target.as_str()));
        self.fetch::<EffectDecoder>(scan::EFFECTS, args).await
    }

    async fn apply(&mut self, batch: Batch<'_>) -> Load<()> {
        match batch {
            Batch::InsertWorkers(rows) => self.insert::<Workers>(rows).await,
            Batch::UpdateWorkers(rows) => self.update::<Workers>(rows).await,
            Batch::InsertQueues(rows) => self.insert::<Queues>(rows).await,
            Batch::UpdateQueues(rows) => self.update::<Queues>(rows).await,
            Batch::InsertRuns(rows) => self.insert::<Runs>(rows).await,
            Batch::UpdateRuns(rows) => self.update::<Runs>(rows).await,
            Batch::InsertExecutions(rows) => self.insert_executions(rows, &[]).await,
            Batch::InsertExecutionsWith(rows, more) => self.insert_executions(rows, more).await,
            Batch::UpdateExecutions(rows) => self.update_executions(rows, &[]).await,
            Batch::UpdateExecutionsWith(rows, more) => self.update_executions(rows, more).await,
            Batch::InsertVisits(rows) => self.insert::<Visits>(rows).await,
            Batch::UpdateVisits(rows) => self.update::<Visits>(rows).await,
            Batch::InsertSchedules(rows) => self.insert::<Schedules>(rows).await,
            Batch::UpdateSchedules(rows) => self.update::<Schedules>(rows).await,
            Batch::InsertParameters(rows) => self.insert_parameters(rows).await,
            Batch::InsertOutcomes(rows) => self.insert_outcomes(rows).await,
            Batch::InsertItems(rows) => self.insert::<Items>(rows).await,
            Batch::InsertEffects(rows) => self.insert::<Effects>(rows).await,
            Batch::UpdateEffects(rows) => self.update::<Effects>(rows).await,
        }
    }

    async fn commit(self) -> Commit {
        self.session.commit().await
    }
}

/// The argument of a statement about executions or runs.
fn id_args(ids: &[ExecutionId]) -> Args {
    Args::default().ints(distinct(ids).into_iter().map(|id| id.0))
}

/// The arguments of a statement about visits.
fn key_args(keys: &[&TaskKey]) -> Args {
    Args::default()
        .ints(keys.iter().map(|key| key.run.0))
        .texts(keys.iter().map(|key| key.task.as_str()))
        .ints(keys.iter().map(|key| u64::from(key.occurrence)))
}

/// The keys, each once and in order: a key that is asked for twice is answered once.
fn distinct<K: Ord>(keys: &[K]) -> Vec<&K> {
    keys.iter().collect::<BTreeSet<_>>().into_iter().collect()
}
