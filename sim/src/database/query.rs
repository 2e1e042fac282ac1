//! Reading without deciding: what is committed, from outside any transaction.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use steadfast_core::effect::Effect;
use steadfast_core::execution::Execution;
use steadfast_core::schedule::{Schedule, ScheduleName, ScheduleState};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{ActionRef, DefinitionHash, ExecutionId, Status, Transport};
use steadfast_services::port::{
    EffectCount, EffectFilter, ExecutionFilter, ExecutionView, Load, Query, QueueView, StoreError,
    TaskView,
};

use super::{ANSWER_TIMEOUT, SimStore, State};
use crate::chance::{Site, Subject};
use crate::fault::Strike;
use crate::process::Peer;
use crate::sync::lock;

impl SimStore {
    /// One statement on a connection of its own.
    async fn ask<T>(&self, answer: impl FnOnce(&mut State) -> T) -> Load<T> {
        let me = self.process();
        let passage = me.pass(Site::Load, Subject::Step(me.name(), "query")).await;
        match passage.strike {
            Some(Strike::SlowStatement) => {
                let micros = 200_000 + passage.entropy % 1_800_000;
                me.wait(std::time::Duration::from_micros(micros)).await;
            }
            Some(strike) => return Err(StoreError::Unavailable(strike.name().into())),
            None => {}
        }
        if me.is_cut_from(Peer::Store) {
            me.wait(ANSWER_TIMEOUT.into()).await;
            me.stay_dead().await;
            return Err(StoreError::Unavailable("no answer".into()));
        }
        let mut state = lock(&me.world().0.database);
        if state.is_down {
            return Err(StoreError::Unavailable("connection refused".into()));
        }
        Ok(answer(&mut state))
    }
}

impl State {
    fn view(&self, execution: &Execution) -> ExecutionView {
        let id = execution.id;
        ExecutionView {
            execution: execution.clone(),
            parameters: self.rows.parameters.get(&id).cloned().unwrap_or_else(|| json!({})),
            outcome: self.rows.results.get(&id).cloned().unwrap_or_default(),
        }
    }

    fn list(&self, filter: &ExecutionFilter) -> Vec<ExecutionView> {
        let is_wanted = |row: &&Execution| {
            (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
                && filter.action.as_ref().is_none_or(|action| row.action == *action)
                && filter.parent.is_none_or(|run| row.parent() == Some(run))
                && filter.cursor.is_none_or(|cursor| row.id < cursor.0)
        };
        let newest_first = self.rows.executions.iter().rev().filter(is_wanted);
        newest_first.take(filter.limit as usize).map(|row| self.view(row)).collect()
    }
}

fn is_there(row: &Schedule) -> bool {
    row.state != ScheduleState::Removed
}

impl Query for SimStore {
    async fn execution(&self, id: ExecutionId) -> Load<Option<ExecutionView>> {
        self.ask(|state| state.rows.execution(id).map(|row| state.view(row))).await
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Load<Vec<ExecutionView>> {
        self.ask(|state| state.list(filter)).await
    }

    async fn tasks(
        &self,
        run: ExecutionId,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> Load<Vec<TaskView>> {
        self.ask(|state| {
            let children = state.rows.executions.children(run);
            let ids: BTreeSet<ExecutionId> = children.map(|row| row.id).collect();
            let later = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after));
            let view = |id: ExecutionId| {
                let execution = state.rows.execution(id)?.clone();
                let error = state.rows.results.get(&id).and_then(|left| left.error.clone());
                Some(TaskView { execution, error })
            };
            later.take(limit as usize).filter_map(view).collect()
        })
        .await
    }

    async fn run(&self, id: ExecutionId) -> Load<Option<(Run, Vec<Visit>)>> {
        self.ask(|state| {
            let visits = state.rows.visits_of(id).cloned().collect();
            state.rows.runs.get(&id).cloned().map(|run| (run, visits))
        })
        .await
    }

    async fn queues(&self, action: Option<&ActionRef>) -> Load<Vec<QueueView>> {
        self.ask(|state| {
            let queues = state.rows.queues.values();
            let wanted = queues.filter(|queue| action.is_none_or(|action| queue.action == *action));
            let view = |queue: &steadfast_core::queue::Queue| {
                let occupancy = state.rows.occupancy(&queue.key);
                QueueView {
                    queue: queue.clone(),
                    waiting: occupancy.waiting,
                    holding: occupancy.holding,
                    oldest_waiting: state
                        .rows
                        .executions
                        .line(&queue.key)
                        .next()
                        .map(|first| first.created_at),
                }
            };
            wanted.map(view).collect()
        })
        .await
    }

    async fn workers(&self) -> Load<Vec<(Worker, u32)>> {
        self.ask(|state| {
            let loads = state.find_loads();
            let load = |worker: &Worker| {
                let of = loads
                    .iter()
                    .find(|(id, _)| id.name == worker.name && id.incarnation == worker.incarnation);
                (worker.clone(), of.map_or(0, |(_, count)| *count))
            };
            state.rows.workers.values().map(load).collect()
        })
        .await
    }

    async fn schedule(&self, name: &ScheduleName) -> Load<Option<Schedule>> {
        self.ask(|state| state.rows.schedules.get(name).filter(|row| is_there(row)).cloned()).await
    }

    async fn schedules(&self, after: Option<&ScheduleName>, limit: u32) -> Load<Vec<Schedule>> {
        self.ask(|state| {
            let rows = state.rows.schedules.values().filter(|row| is_there(row));
            let later = rows.filter(|row| after.is_none_or(|after| row.name > *after));
            later.take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn count_by_transport(&self) -> Load<Vec<(Transport, u64)>> {
        self.ask(|state| {
            let mut counts = BTreeMap::new();
            let live = Status::ALL.iter().filter(|status| !status.is_terminal());
            for row in live.flat_map(|status| state.rows.executions.in_status(*status)) {
                *counts.entry(row.transport).or_default() += 1;
            }
            counts.into_iter().collect()
        })
        .await
    }

    async fn count_by_status(&self) -> Load<Vec<(Status, u64)>> {
        self.ask(|state| {
            let count =
                |status: Status| (status, state.rows.executions.in_status(status).count() as u64);
            Status::ALL.map(count).to_vec()
        })
        .await
    }

    async fn effects(&self, filter: &EffectFilter) -> Load<Vec<Effect>> {
        self.ask(|state| {
            let mut all: Vec<&Effect> = state.rows.effects.values().collect();
            all.sort_by_key(|e| (Reverse(e.key.execution), e.index));
            let place = |e: &Effect| (Reverse(e.key.execution), e.index);
            let is_wanted = |e: &&Effect| {
                filter.state.is_none_or(|state| e.state == state)
                    && filter.execution.is_none_or(|id| e.key.execution == id)
                    && filter.cursor.is_none_or(|c| place(e) > (Reverse(c.execution), c.index))
            };
            all.into_iter().filter(is_wanted).take(filter.limit as usize).cloned().collect()
        })
        .await
    }

    async fn open_effects(&self) -> Load<Vec<EffectCount>> {
        self.ask(|state| {
            let mut counts = BTreeMap::new();
            for effect in state.rows.effects.values().filter(|effect| !effect.state.is_over()) {
                *counts.entry((effect.key.kind, effect.state)).or_insert(0) += 1;
            }
            counts.into_iter().map(|((kind, state), count)| (kind, state, count)).collect()
        })
        .await
    }

    async fn definition(&self, hash: &DefinitionHash) -> Load<Option<String>> {
        self.ask(|state| state.definitions.get(hash).cloned()).await
    }

    async fn put_definitions(&self, definitions: &[(DefinitionHash, String)]) -> Load<()> {
        self.ask(|state| {
            for (hash, text) in definitions {
                state.definitions.entry(hash.clone()).or_insert_with(|| text.clone());
            }
        })
        .await
    }

    async fn note(&self, key: &str) -> Load<Option<String>> {
        self.ask(|state| state.notes.get(key).cloned()).await
    }

    async fn put_note(&self, key: &str, value: &str) -> Load<()> {
        self.ask(|state| drop(state.notes.insert(key.to_owned(), value.to_owned()))).await
    }
}
