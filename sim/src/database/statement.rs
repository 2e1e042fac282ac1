//! Statements that lock: find, wait, and look again.

use std::collections::BTreeSet;

use steadfast_core::effect::{Effect, EffectKey};
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{ExecutionId, QueueKey, Runtime, Status, Timestamp, WorkerName};
use steadfast_services::port::{Load, StoreError};

use super::locks::{Asked, LockKey};
use super::{STATEMENT_TIMEOUT, SimTransaction, State, TxId};
use crate::chance::Site;
use crate::kinds;

/// Declares the statements with the names that the log gives them.
macro_rules! statements {
    ($($name:ident = $word:literal,)+) => {
        /// A statement, by what it finds or writes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Statement { $($name,)+ }

        /// Their names, by number.
        pub(crate) const STATEMENTS: &[&str] = &[$($word,)+];
    };
}

statements! {
    Workers = "workers",
    Queues = "queues",
    Occupancy = "occupancy",
    Line = "line",
    Runs = "runs",
    Executions = "executions",
    ByKey = "executions_by_key",
    Ready = "ready",
    EndedChildren = "ended_children",
    LiveChildren = "live_children",
    OpenVisits = "open_visits",
    Parameters = "parameters",
    Errors = "errors",
    VisitResults = "visit_results",
    Items = "items",
    Pointers = "pointers",
    Due = "due",
    Orphans = "orphans",
    Lines = "lines",
    ReadyRuntimes = "ready_runtimes",
    DueRuns = "due_runs",
    Held = "held",
    Loads = "loads",
    QueuesOf = "queues_of",
    Schedules = "schedules",
    DueSchedules = "due_schedules",
    DueEffects = "due_effects",
    Effects = "effects",
}

impl SimTransaction {
    /// A statement that locks nothing: it sees what is committed when it begins.
    pub(super) async fn look<T>(
        &mut self,
        statement: Statement,
        find: impl FnOnce(&State) -> Vec<T>,
    ) -> Load<Vec<T>> {
        let id = self.enter(Site::Load).await?;
        let found = self.with(|state| state.as_seen_by(id, |state| find(state)));
        self.note(id, statement, found.len());
        Ok(found)
    }

    fn note(&self, id: TxId, statement: Statement, rows: usize) {
        self.me.log(&kinds::LOADED, &[id.0, statement as u64, rows as u64]);
    }

    /// Locks a row, waiting for it if need be. Answers whether there was a wait.
    pub(super) async fn lock_row(&mut self, id: TxId, key: LockKey) -> Load<bool> {
        if self.with(|state| state.is_unguarded(id, &key)) {
            return Ok(false);
        }
        let asked = self.with(|state| {
            let asked = state.locks.ask(&key, id);
            if matches!(asked, Asked::Taken)
                && let Some(open) = state.transactions.get_mut(&id)
            {
                open.locks.push(key);
            }
            asked
        });
        let (holder, granted) = match asked {
            Asked::Taken | Asked::Mine => return Ok(false),
            Asked::Deadlock => {
                self.world().cover("deadlock_refused");
                return Err(self.fail(StoreError::Conflict("deadlock detected".into())));
            }
            Asked::Wait(holder, granted) => (holder, granted),
        };
        self.world().cover("waited_for_a_lock");
        self.me.log(&kinds::WAITED, &[id.0, holder.0]);
        let patience = crate::time::sleep(STATEMENT_TIMEOUT.into());
        let got = tokio::select! {
            biased;
            got = granted => got.is_ok(),
            () = patience => false,
        };
        self.me.stay_dead().await;
        self.with(|state| state.locks.stop_waiting(id));
        if got && self.with(|state| state.transactions.contains_key(&id)) {
            return Ok(true);
        }
        let late = "statement timeout while waiting for a lock";
        Err(self.fail(StoreError::Unavailable(late.into())))
    }

    /// Locks rows in order and reads each as it is once it is locked.
    async fn lock_all<K, R>(
        &mut self,
        statement: Statement,
        find: impl FnOnce(&State) -> Vec<K>,
        key: impl Fn(&K) -> LockKey,
        read: impl Fn(&State, &K) -> Option<R>,
    ) -> Load<Vec<R>> {
        let id = self.enter(Site::Load).await?;
        let found = self.with(|state| state.as_seen_by(id, |state| find(state)));
        let mut rows = Vec::with_capacity(found.len());
        for one in found {
            self.lock_row(id, key(&one)).await?;
            rows.extend(self.with(|state| state.as_seen_by(id, |state| read(state, &one))));
        }
        self.note(id, statement, rows.len());
        Ok(rows)
    }

    pub(super) async fn load_workers(&mut self, names: Option<&[WorkerName]>) -> Load<Vec<Worker>> {
        let Some(names) = names else {
            let all = |state: &State| {
                let gone = steadfast_core::worker::WorkerState::Gone;
                state.rows.workers.values().filter(|w| w.state != gone).cloned().collect()
            };
            return self.look(Statement::Workers, all).await;
        };
        let names: BTreeSet<WorkerName> = names.iter().cloned().collect();
        self.lock_all(
            Statement::Workers,
            |state| names.into_iter().filter(|n| state.rows.workers.contains_key(n)).collect(),
            |name| LockKey::Worker(name.clone()),
            |state, name| state.rows.workers.get(name).cloned(),
        )
        .await
    }

    pub(super) async fn load_queues(&mut self, keys: &[QueueKey]) -> Load<Vec<Queue>> {
        let keys: BTreeSet<QueueKey> = keys.iter().cloned().collect();
        self.lock_all(
            Statement::Queues,
            |state| keys.into_iter().filter(|k| state.rows.queues.contains_key(k)).collect(),
            |key| LockKey::Queue(key.clone()),
            |state, key| state.rows.queues.get(key).cloned(),
        )
        .await
    }

    pub(super) async fn load_schedules(&mut self, names: &[ScheduleName]) -> Load<Vec<Schedule>> {
        let names: BTreeSet<ScheduleName> = names.iter().cloned().collect();
        self.lock_all(
            Statement::Schedules,
            |state| names.into_iter().filter(|n| state.rows.schedules.contains_key(n)).collect(),
            |name| LockKey::Schedule(name.clone()),
            |state, name| state.rows.schedules.get(name).cloned(),
        )
        .await
    }

    pub(super) async fn load_line(
        &mut self,
        keys: &[QueueKey],
        per_queue: u32,
    ) -> Load<Vec<Execution>> {
        let mut found = Vec::new();
        let find = |state: &State| {
            found = state.find_line(keys, per_queue);
            let mut in_order = found.clone();
            in_order.sort_unstable();
            in_order
        };
        let is_waiting = |execution: &Execution| execution.status == Status::Queued;
        let mut rows = self.lock_executions(Statement::Line, find, is_waiting).await?;
        rows.sort_by_key(|row| found.iter().position(|id| *id == row.id));
        Ok(rows)
    }

    pub(super) async fn load_runs(&mut self, ids: &[ExecutionId]) -> Load<Vec<Run>> {
        let ids: BTreeSet<ExecutionId> = ids.iter().copied().collect();
        self.lock_all(
            Statement::Runs,
            |state| ids.into_iter().filter(|id| state.rows.runs.contains_key(id)).collect(),
            |id| LockKey::Run(*id),
            |state, id| state.rows.runs.get(id).cloned(),
        )
        .await
    }

    pub(super) async fn load_executions(&mut self, ids: &[ExecutionId]) -> Load<Vec<Execution>> {
        let ids: BTreeSet<ExecutionId> = ids.iter().copied().collect();
        let known = |state: &State| {
            ids.into_iter().filter(|id| state.rows.execution(*id).is_some()).collect()
        };
        self.lock_executions(Statement::Executions, known, |_| true).await
    }

    pub(super) async fn load_by_key(&mut self, keys: &[String]) -> Load<Vec<Execution>> {
        let keys: BTreeSet<&String> = keys.iter().collect();
        let find = |state: &State| {
            let found =
                keys.into_iter().filter_map(|key| state.rows.executions.submitted_with(key));
            found.map(|execution| execution.id).collect::<BTreeSet<_>>().into_iter().collect()
        };
        self.lock_executions(Statement::ByKey, find, |_| true).await
    }

    pub(super) async fn load_ended_children(
        &mut self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Load<Vec<Execution>> {
        let find = |state: &State| state.find_ended_children(runs, per_run);
        // What else has changed while it waited is not asked again.
        let still = |execution: &Execution| !execution.folded;
        let mut rows = self.lock_executions(Statement::EndedChildren, find, still).await?;
        rows.sort_by_key(|row| (row.parent(), row.id));
        Ok(rows)
    }

    async fn lock_executions(
        &mut self,
        statement: Statement,
        find: impl FnOnce(&State) -> Vec<ExecutionId>,
        still: impl Fn(&Execution) -> bool,
    ) -> Load<Vec<Execution>> {
        self.lock_all(
            statement,
            find,
            |id| LockKey::Execution(*id),
            |state, id| state.rows.execution(*id).filter(|e| still(e)).cloned(),
        )
        .await
    }

    /// Passes over what somebody else has locked, and looks again at what it has locked itself.
    pub(super) async fn load_ready(
        &mut self,
        runtimes: &BTreeSet<Runtime>,
        limit: u32,
    ) -> Load<Vec<Execution>> {
        let id = self.enter(Site::Load).await?;
        let take = |state: &mut State| {
            let mut rows = Vec::new();
            for one in state.find_ready_for(runtimes) {
                if rows.len() >= limit as usize {
                    break;
                }
                let key = LockKey::Execution(one);
                if state.hands_out_twice() {
                    rows.extend(state.rows.execution(one).cloned());
                    continue;
                }
                if state.locks.is_held_by_other(&key, id) {
                    continue;
                }
                if matches!(state.locks.ask(&key, id), Asked::Taken)
                    && let Some(open) = state.transactions.get_mut(&id)
                {
                    open.locks.push(key);
                }
                rows.extend(state.rows.execution(one).cloned());
            }
            rows
        };
        let rows: Vec<Execution> = self.with(|state| state.as_seen_by(id, take));
        self.note(id, Statement::Ready, rows.len());
        Ok(rows)
    }

    /// Passes over what somebody else has locked, and looks again at what it has locked itself.
    pub(super) async fn load_due_effects(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Load<Vec<Effect>> {
        let id = self.enter(Site::Load).await?;
        let take = |state: &mut State| {
            let mut rows = Vec::new();
            for one in state.find_due_effects(now) {
                if rows.len() >= limit as usize {
                    break;
                }
                let key = LockKey::Effect(one);
                if state.locks.is_held_by_other(&key, id) {
                    continue;
                }
                if matches!(state.locks.ask(&key, id), Asked::Taken)
                    && let Some(open) = state.transactions.get_mut(&id)
                {
                    open.locks.push(key.clone());
                }
                if let LockKey::Effect(key) = &key {
                    rows.extend(state.rows.effects.get(key).cloned());
                }
            }
            rows
        };
        let rows: Vec<Effect> = self.with(|state| state.as_seen_by(id, take));
        self.note(id, Statement::DueEffects, rows.len());
        Ok(rows)
    }

    pub(super) async fn load_effects(&mut self, keys: &[EffectKey]) -> Load<Vec<Effect>> {
        let keys: BTreeSet<EffectKey> = keys.iter().cloned().collect();
        self.lock_all(
            Statement::Effects,
            |state| keys.into_iter().filter(|key| state.rows.effects.contains_key(key)).collect(),
            |key| LockKey::Effect(key.clone()),
            |state, key| state.rows.effects.get(key).cloned(),
        )
        .await
    }

    pub(super) async fn load_open_visits(&mut self, runs: &[ExecutionId]) -> Load<Vec<Visit>> {
        self.lock_all(
            Statement::OpenVisits,
            |state| {
                let runs: BTreeSet<ExecutionId> = runs.iter().copied().collect();
                let visits = runs.iter().flat_map(|run| state.rows.visits_of(*run));
                visits.filter(|visit| visit.is_open()).map(|visit| visit.key.clone()).collect()
            },
            |key| LockKey::Visit(key.clone()),
            |state, key| state.rows.visits.get(key).filter(|visit| visit.is_open()).cloned(),
        )
        .await
    }
}
