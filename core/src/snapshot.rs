//! All rows of a store at one moment, and what a store enforces when rows are written.
//!
//! It is the reference that stores are compared with, the state that laws are judged on, and the
//! store of the core's own tests. It knows no transactions: a commit is applied whole or not at
//! all.

mod apply;
mod executions;
mod load;
mod retention;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde_json::Value;

use crate::decision::Outcome;
use crate::effect::{Effect, EffectKey};
use crate::execution::Execution;
use crate::id::{ExecutionId, QueueKey, TaskKey, WorkerName};
use crate::queue::{Occupancy, Queue};
use crate::schedule::{Schedule, ScheduleName};
use crate::status::Status;
use crate::worker::Worker;
use crate::workflow::{Run, TaskResult, Visit, VisitState};

pub use apply::{Conflict, check_effect, check_execution, check_visit};
pub use executions::Executions;
pub use load::{Terms, Wanted};

/// Every row there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The executions.
    pub executions: Executions,
    /// The queues.
    pub queues: BTreeMap<QueueKey, Queue>,
    /// The workers.
    pub workers: BTreeMap<WorkerName, Worker>,
    /// The workflow runs.
    pub runs: BTreeMap<ExecutionId, Run>,
    /// The visits of workflow tasks.
    pub visits: BTreeMap<TaskKey, Visit>,
    /// The schedules.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// The parameters of executions that have any.
    pub parameters: BTreeMap<ExecutionId, Value>,
    /// What ended executions left behind.
    pub results: BTreeMap<ExecutionId, Outcome>,
    /// The pages of item lists.
    pub items: BTreeMap<(TaskKey, u32), Vec<Value>>,
    /// What the outside world is told.
    pub effects: BTreeMap<EffectKey, Effect>,
}

impl Snapshot {
    /// A store without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The execution with this identity.
    #[must_use]
    pub fn execution(&self, id: ExecutionId) -> Option<&Execution> {
        self.executions.get(id)
    }

    /// An identity above all that were given; a block for a transaction begins with it.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.executions.iter().next_back().map_or(1, |last| last.id.0 + 1)
    }

    /// What the rows of a queue add up to.
    #[must_use]
    pub fn occupancy(&self, queue: &QueueKey) -> Occupancy {
        Occupancy {
            holding: self.executions.holders(queue).count() as u64,
            waiting: self.executions.line(queue).count() as u64,
            horizon: None,
        }
    }

    /// The visits of a run, of all its attempts.
    pub fn visits_of(&self, run: ExecutionId) -> impl Iterator<Item = &Visit> {
        let from = TaskKey { run, task: "".into(), occurrence: 0 };
        self.visits.range(from..).map(|(_, visit)| visit).take_while(move |v| v.key.run == run)
    }

    /// The effects of an execution, of all its generations.
    pub fn effects_of(&self, execution: ExecutionId) -> impl Iterator<Item = &Effect> {
        let from = EffectKey::first_of(execution);
        let effects = self.effects.range(from..).map(|(_, effect)| effect);
        effects.take_while(move |effect| effect.key.execution == execution)
    }

    /// The pages of a visit's list, in order.
    pub fn pages_of(&self, visit: &TaskKey) -> impl Iterator<Item = (u32, &Vec<Value>)> {
        let all = (visit.clone(), 0)..=(visit.clone(), u32::MAX);
        self.items.range(all).map(|((_, page), items)| (*page, items))
    }

    /// What a visit left behind so far; a list, in item order, after `with_items`. How it ended is
    /// decided by whoever folds in its last execution.
    #[must_use]
    pub fn result_of(&self, key: &TaskKey) -> Option<TaskResult> {
        let visit = self.visits.get(key)?;
        let status = visit.status.unwrap_or_else(|| visit.outcome());
        let result_of = |child: &Execution| {
            self.results.get(&child.id).map_or(Value::Null, |left| left.result.clone())
        };
        let mut results: Vec<Value> = self.executions.items(key).map(result_of).collect();
        let empty = visit.total == 0;
        let result = if (visit.listed && !empty) || (empty && status == Status::Completed) {
            Value::Array(results)
        } else {
            results.pop().unwrap_or(Value::Null)
        };
        Some(TaskResult { status, result: result.into(), error: visit.error.clone() })
    }

    /// The queues in which somebody waits although there is room. Empty after every commit that
    /// had the heads of its lines at hand; the admitter looks here for the others.
    pub fn idle_queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.values().filter(|queue| self.is_idle(queue))
    }

    /// Whether somebody waits in this queue although there is room.
    #[must_use]
    pub fn is_idle(&self, queue: &Queue) -> bool {
        let occupancy = self.occupancy(&queue.key);
        occupancy.waiting > 0 && queue.has_room(&occupancy)
    }

    /// Whether advancing the run of this execution would do something; found by looking, so that
    /// it is found even if every hint was lost.
    #[must_use]
    pub fn is_due(&self, run: ExecutionId) -> bool {
        let Some(execution) = self.execution(run).filter(|e| e.is_workflow()) else { return false };
        if execution.status == Status::Ready {
            return true;
        }
        let Some(row) = self.runs.get(&run).filter(|row| row.open) else { return false };
        if execution.status != Status::Running && !execution.status.is_terminal() {
            return false;
        }
        let over = execution.status.is_terminal();
        let to_fold = self.executions.children(run).any(Execution::awaits_folding);
        let to_continue = self.visits_of(run).any(|visit| {
            let may_create = visit.room() > 0 && !row.halted;
            visit.state == VisitState::Running && (visit.ended == visit.created || may_create)
        });
        let to_stop = self.executions.children(run).any(|child| self.is_to_stop(execution, child));
        let to_close = over && !self.executions.children(run).any(|c| !c.status.is_terminal());
        let to_halt = execution.cancel_requested && !row.halted;
        to_fold || (to_continue && !over) || to_stop || to_close || to_halt
    }

    /// Whether a child of a run that is over, or is being cancelled, has yet to be told.
    fn is_to_stop(&self, run: &Execution, child: &Execution) -> bool {
        let ending = run.cancel_requested || run.status.is_terminal();
        let started = child.status.has_live_attempt() && !child.is_workflow();
        ending && !child.status.is_terminal() && !child.cancel_requested && !started
    }
}
