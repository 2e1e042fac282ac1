//! The client's side of a connection.

use std::future::Future;
use std::ops::Range;

use steadfast_core::decision::{ItemPage, Writes};
use steadfast_core::effect::{Effect, EffectKey};
use steadfast_core::execution::Execution;
use steadfast_core::history::Voices;
use steadfast_core::queue::{Occupancy, Queue};
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{
    ActionRef, ExecutionId, QueueKey, Runtime, Span, TaskKey, Timestamp, WorkerId, WorkerName,
};
use steadfast_services::port::{
    Batch, Commit, Held, Load, Pointer, Retained, Store, StoreError, Transaction, VisitResult,
};

use super::statement::Statement;
use super::{ANSWER_TIMEOUT, STATEMENT_TIMEOUT, State, TxId};
use crate::chance::{Site, Subject};
use crate::chores::Chore;
use crate::fault::Strike;
use crate::process::{Peer, Process};
use crate::sync::lock;
use crate::{World, kinds};

/// The database as one process sees it.
#[derive(Clone)]
pub struct SimStore {
    me: Process,
}

impl SimStore {
    /// For this process.
    #[must_use]
    pub fn new(me: Process) -> Self {
        Self { me }
    }

    /// The process that speaks through it.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.me
    }
}

/// A transaction of one process.
pub struct SimTransaction {
    pub(super) me: Process,
    pub(super) step: &'static str,
    /// What the server calls it; `None` if the connection was dead before it began.
    pub(super) id: Option<TxId>,
    /// Whether the server is to be told when this is dropped.
    pub(super) is_open: bool,
    /// Why it was rolled back; whatever is asked of it later hears the same.
    pub(super) failed: Option<StoreError>,
}

impl Store for SimStore {
    type Tx = SimTransaction;

    async fn begin(&self, purpose: &'static str) -> Result<SimTransaction, StoreError> {
        let me = self.me.clone();
        if purpose == "claim" {
            me.move_on(false).await;
        }
        // Nobody begins anything before it has said what its last commit made possible.
        me.world().keep_promises(me.node(), &[]);
        let mut tx = SimTransaction { me, step: purpose, id: None, is_open: false, failed: None };
        let subject = Subject::Step(tx.me.name(), purpose);
        let passage = tx.me.pass(Site::Begin, subject).await;
        if passage.strike == Some(Strike::DeadConnection) {
            return Ok(tx);
        }
        if tx.me.is_cut_from(Peer::Store) {
            return Err(tx.no_answer().await);
        }
        let world = tx.me.world().clone();
        let mut state = lock(&world.0.database);
        if state.is_down {
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        let now = state.clock(world.epoch_micros());
        let id = state.begin((tx.me.node(), tx.me.incarnation()), purpose, now);
        drop(state);
        tx.me.log(&kinds::BEGUN, &[id.0, kinds::step(purpose)]);
        (tx.id, tx.is_open) = (Some(id), true);
        Ok(tx)
    }

    /// One statement on one look at the rows.
    async fn retain(&self, keep: Span) -> Load<Retained> {
        let mut tx = self.begin("retain").await?;
        tx.enter(Site::Write).await?;
        let (dropped, verdict) =
            tx.with(|state| state.retain(keep, self.me.world().epoch_micros()));
        tx.roll_back();
        if let Err(violation) = verdict {
            self.me.world().violate(violation.law, violation.what);
        }
        Ok(Retained { dropped, ..Retained::default() })
    }
}

impl SimTransaction {
    pub(super) fn world(&self) -> &World {
        self.me.world()
    }

    /// Looks at the server's state. Whoever is dead sees nothing any more.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut lock(&self.world().0.database))
    }

    /// Sends a statement; returns when the server begins with it.
    pub(super) async fn enter(&mut self, site: Site) -> Load<TxId> {
        let passage = self.me.pass(site, Subject::Step(self.me.name(), self.step)).await;
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(id) = self.id else {
            return Err(StoreError::Unavailable("the connection was closed while it idled".into()));
        };
        match passage.strike {
            Some(Strike::ConnectionReset) => {
                return Err(self.fail(StoreError::Unavailable("connection reset".into())));
            }
            Some(Strike::StatementFails) => {
                return Err(self.fail(StoreError::Unavailable("out of shared memory".into())));
            }
            Some(Strike::SerializationRefused) => {
                return Err(self.fail(StoreError::Conflict("could not serialize access".into())));
            }
            Some(Strike::StatementTimesOut) => {
                self.me.wait(STATEMENT_TIMEOUT.into()).await;
                return Err(self.fail(StoreError::Unavailable("statement timeout".into())));
            }
            Some(Strike::SlowStatement) => {
                let micros = 200_000 + passage.entropy % 1_800_000;
                self.me.wait(std::time::Duration::from_micros(micros)).await;
            }
            _ => {}
        }
        if self.me.is_cut_from(Peer::Store) {
            return Err(self.no_answer().await);
        }
        if !self.with(|state| state.transactions.contains_key(&id)) {
            return Err(
                self.fail(StoreError::Unavailable("the server closed the connection".into()))
            );
        }
        Ok(id)
    }

    /// The server has rolled it back.
    pub(super) fn fail(&mut self, error: StoreError) -> StoreError {
        self.failed = Some(error.clone());
        self.roll_back();
        error
    }

    /// Nothing is heard of the server. What it has of this transaction stays until it notices.
    pub(super) async fn no_answer(&mut self) -> StoreError {
        self.give_up();
        self.me.wait(ANSWER_TIMEOUT.into()).await;
        self.me.stay_dead().await;
        StoreError::Unavailable("no answer".into())
    }

    /// Closes the connection without a word reaching the server, which notices later.
    pub(super) fn give_up(&mut self) {
        if std::mem::take(&mut self.is_open)
            && let Some(id) = self.id
        {
            self.world().ask(Chore::CloseTransaction { id, client: self.me.node() });
        }
    }

    pub(super) fn roll_back(&mut self) {
        if self.me.is_cut_from(Peer::Store) {
            return self.give_up();
        }
        if std::mem::take(&mut self.is_open)
            && let Some(id) = self.id
            && self.with(|state| state.roll_back(id))
        {
            self.me.log(&kinds::ROLLED_BACK, &[id.0, kinds::step(self.step)]);
        }
    }
}

impl Drop for SimTransaction {
    /// Rolls back, unless the process is dead: then nobody tells the server.
    fn drop(&mut self) {
        if self.me.is_alive() {
            self.roll_back();
        }
    }
}

/// The port. Each method is one statement, carried out by [`super::statement`].
impl Transaction for SimTransaction {
    async fn now(&mut self) -> Load<Timestamp> {
        // No statement: the answer to the first one brought the time, and a client counts on.
        self.me.stay_dead().await;
        let at = lock(&self.world().0.database).clock(self.world().epoch_micros());
        let open = |state: &mut State| {
            let open = state.transactions.get_mut(&self.id?)?;
            open.decided = open.decided.max(at);
            Some(open.decided)
        };
        let gone = || StoreError::Unavailable("the server closed the connection".into());
        self.with(open).ok_or_else(gone)
    }

    async fn allocate(&mut self, count: u32) -> Load<Range<u64>> {
        self.enter(Site::Load).await?;
        Ok(self.with(|state| {
            let first = state.next_id + 1;
            state.next_id += u64::from(count);
            first..first + u64::from(count)
        }))
    }

    fn workers(
        &mut self,
        names: Option<&[WorkerName]>,
    ) -> impl Future<Output = Load<Vec<Worker>>> + Send {
        self.load_workers(names)
    }

    fn queues(&mut self, keys: &[QueueKey]) -> impl Future<Output = Load<Vec<Queue>>> + Send {
        self.load_queues(keys)
    }

    async fn occupancy(
        &mut self,
        keys: &[QueueKey],
        limited: &std::collections::BTreeSet<QueueKey>,
        most: u64,
    ) -> Load<Vec<(QueueKey, Occupancy)>> {
        let by = self.id;
        let find = |state: &State| state.find_occupancy(by, keys, limited, most);
        self.look(Statement::Occupancy, find).await
    }

    fn line(
        &mut self,
        keys: &[QueueKey],
        per_queue: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send {
        self.load_line(keys, per_queue)
    }

    fn runs(&mut self, ids: &[ExecutionId]) -> impl Future<Output = Load<Vec<Run>>> + Send {
        self.load_runs(ids)
    }

    fn executions(
        &mut self,
        ids: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send {
        self.load_executions(ids)
    }

    fn executions_by_key(
        &mut self,
        keys: &[String],
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send {
        self.load_by_key(keys)
    }

    fn ready(
        &mut self,
        runtimes: &std::collections::BTreeSet<Runtime>,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send {
        self.load_ready(runtimes, limit)
    }

    fn ended_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> impl Future<Output = Load<Vec<Execution>>> + Send {
        self.load_ended_children(runs, per_run)
    }

    async fn find_live_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Load<Vec<Pointer>> {
        self.look(Statement::LiveChildren, |state| state.find_live_children(runs, per_run)).await
    }

    fn open_visits(
        &mut self,
        runs: &[ExecutionId],
    ) -> impl Future<Output = Load<Vec<Visit>>> + Send {
        self.load_open_visits(runs)
    }

    async fn parameters(
        &mut self,
        ids: &[ExecutionId],
    ) -> Load<Vec<(ExecutionId, serde_json::Value)>> {
        self.look(Statement::Parameters, |state| state.find_parameters(ids)).await
    }

    async fn errors(&mut self, ids: &[ExecutionId]) -> Load<Vec<(ExecutionId, String)>> {
        self.look(Statement::Errors, |state| state.find_errors(ids)).await
    }

    async fn visit_results(&mut self, visits: &[TaskKey]) -> Load<Vec<VisitResult>> {
        self.look(Statement::VisitResults, |state| state.find_visit_results(visits)).await
    }

    async fn items(&mut self, pages: &[(TaskKey, u32)]) -> Load<Vec<ItemPage>> {
        self.look(Statement::Items, |state| state.find_items(pages)).await
    }

    async fn pointers(&mut self, ids: &[ExecutionId]) -> Load<Vec<Pointer>> {
        self.look(Statement::Pointers, |state| state.find_pointers(ids)).await
    }

    async fn find_due(&mut self, now: Timestamp, limit: u32) -> Load<Vec<Pointer>> {
        self.look(Statement::Due, |state| state.find_due(now, limit)).await
    }

    async fn find_orphans(&mut self, limit: u32) -> Load<Vec<Pointer>> {
        self.look(Statement::Orphans, |state| state.find_orphans(limit)).await
    }

    async fn find_lines(&mut self, limit: u32) -> Load<Vec<QueueKey>> {
        self.look(Statement::Lines, |state| state.find_lines(limit)).await
    }

    async fn find_ready(&mut self) -> Load<Vec<Runtime>> {
        self.look(Statement::ReadyRuntimes, State::find_ready).await
    }

    async fn find_runs(&mut self, limit: u32) -> Load<Vec<ExecutionId>> {
        self.look(Statement::DueRuns, |state| state.find_runs(limit)).await
    }

    async fn held(&mut self, worker: &WorkerId) -> Load<Vec<Held>> {
        self.look(Statement::Held, |state| state.find_held(worker)).await
    }

    async fn loads(&mut self) -> Load<Vec<(WorkerId, u32)>> {
        self.look(Statement::Loads, State::find_loads).await
    }

    async fn queues_of(&mut self, action: &ActionRef) -> Load<Vec<QueueKey>> {
        self.look(Statement::QueuesOf, |state| state.find_queues_of(action)).await
    }

    fn schedules(
        &mut self,
        names: &[ScheduleName],
    ) -> impl Future<Output = Load<Vec<Schedule>>> + Send {
        self.load_schedules(names)
    }

    async fn find_schedules(&mut self, limit: u32) -> Load<Vec<(ScheduleName, Timestamp)>> {
        self.look(Statement::DueSchedules, |state| state.find_schedules(limit)).await
    }

    fn due_effects(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Effect>>> + Send {
        self.load_due_effects(now, limit)
    }

    fn effects(&mut self, keys: &[EffectKey]) -> impl Future<Output = Load<Vec<Effect>>> + Send {
        self.load_effects(keys)
    }

    fn apply(&mut self, batch: Batch<'_>) -> impl Future<Output = Load<()>> + Send {
        self.write(batch)
    }

    fn journal(&mut self, voices: Voices) {
        let Some(id) = self.id else { return };
        self.with(|state| {
            if let Some(open) = state.transactions.get_mut(&id) {
                open.voices = voices;
            }
        });
    }

    async fn commit(self) -> Commit {
        self.commit_all().await
    }
}

/// The execution that a commit is about, if it is about any.
pub(super) fn subject_of(writes: &Writes) -> Option<ExecutionId> {
    let rows = writes.executions.inserted.iter().chain(&writes.executions.updated);
    rows.map(|execution| execution.id).min()
}
