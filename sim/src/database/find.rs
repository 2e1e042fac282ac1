//! What statements find in the rows.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::decision::ItemPage;
use steadfast_core::effect::{Effect, EffectKey, EffectState};
use steadfast_core::execution::Execution;
use steadfast_core::queue::Occupancy;
use steadfast_core::schedule::{ScheduleName, ScheduleState};
use steadfast_core::workflow::VisitState;
use steadfast_core::{
    ActionRef, ExecutionId, QueueKey, Runtime, Status, TaskKey, Timestamp, Work, WorkerId,
};
use steadfast_services::port::{Held, Pointer, VisitResult};

use super::{State, TxId};

impl State {
    pub(super) fn find_schedules(&self, limit: u32) -> Vec<(ScheduleName, Timestamp)> {
        let active = self.rows.schedules.values().filter(|row| row.state == ScheduleState::Active);
        let mut found: Vec<_> = active.map(|row| (row.due, row.name.clone())).collect();
        found.sort();
        found.into_iter().take(limit as usize).map(|(due, name)| (name, due)).collect()
    }

    pub(super) fn find_occupancy(
        &self,
        by: Option<TxId>,
        keys: &[QueueKey],
        limited: &BTreeSet<QueueKey>,
        most: u64,
    ) -> Vec<(QueueKey, Occupancy)> {
        let count = |key: &QueueKey| {
            let mut occupancy = self.counted_on(by).occupancy(key);
            occupancy.waiting = occupancy.waiting.min(most);
            if !limited.contains(key) {
                occupancy.holding = 0;
            }
            (key.clone(), occupancy)
        };
        keys.iter().collect::<BTreeSet<_>>().into_iter().map(count).collect()
    }

    pub(super) fn find_line(&self, keys: &[QueueKey], per_queue: u32) -> Vec<ExecutionId> {
        let per_queue = per_queue as usize;
        let mut found = Vec::new();
        for key in keys.iter().collect::<BTreeSet<_>>() {
            let line = self.rows.executions.line(key).map(|execution| execution.id);
            if self.is_planted("line_read_newest_first") {
                let line: Vec<ExecutionId> = line.collect();
                found.extend(line.into_iter().rev().take(per_queue));
            } else {
                found.extend(line.take(per_queue));
            }
        }
        found
    }

    pub(super) fn find_ready_for(&self, runtimes: &BTreeSet<Runtime>) -> Vec<ExecutionId> {
        let wanted = |e: &&Execution| matches!(&e.work, Work::Runtime(runtime) if runtimes.contains(runtime));
        self.rows.executions.in_status(Status::Ready).filter(wanted).map(|e| e.id).collect()
    }

    pub(super) fn find_ended_children(
        &self,
        runs: &[ExecutionId],
        per_run: u32,
    ) -> Vec<ExecutionId> {
        let mut found = Vec::new();
        for run in runs.iter().collect::<BTreeSet<_>>() {
            let lacking = self.is_planted("children_query_lacks_abandoned");
            let wanted =
                |e: &&Execution| e.awaits_folding() && !(lacking && e.status == Status::Abandoned);
            let ended = self.rows.executions.children(*run).filter(wanted);
            let mut ended: Vec<&Execution> = ended.collect();
            ended.sort_by_key(|e| e.id);
            found.extend(ended.into_iter().take(per_run as usize).map(|e| e.id));
        }
        found.sort_unstable();
        found
    }

    pub(super) fn find_live_children(&self, runs: &[ExecutionId], per_run: u32) -> Vec<Pointer> {
        let mut found = Vec::new();
        for run in runs.iter().collect::<BTreeSet<_>>() {
            let live = |e: &&Execution| !e.status.is_terminal();
            let mut live: Vec<&Execution> =
                self.rows.executions.children(*run).filter(live).collect();
            live.sort_by_key(|e| (e.cancel_requested, e.id));
            found.extend(live.into_iter().take(per_run as usize).map(pointer));
        }
        found
    }

    pub(super) fn find_parameters(
        &self,
        ids: &[ExecutionId],
    ) -> Vec<(ExecutionId, serde_json::Value)> {
        let known = |id: &ExecutionId| Some((*id, self.rows.parameters.get(id)?.clone()));
        ids.iter().collect::<BTreeSet<_>>().into_iter().filter_map(known).collect()
    }

    pub(super) fn find_errors(&self, ids: &[ExecutionId]) -> Vec<(ExecutionId, String)> {
        let known = |id: &ExecutionId| Some((*id, self.rows.results.get(id)?.error.clone()?));
        ids.iter().collect::<BTreeSet<_>>().into_iter().filter_map(known).collect()
    }

    pub(super) fn find_visit_results(&self, visits: &[TaskKey]) -> Vec<VisitResult> {
        let mut found = Vec::new();
        for visit in visits.iter().collect::<BTreeSet<_>>() {
            let ended = self.rows.executions.items(visit).filter(|e| e.status.is_terminal());
            found.extend(ended.map(|e| VisitResult {
                visit: visit.clone(),
                index: e.place.as_ref().and_then(|place| place.index),
                status: e.status,
                outcome: self.rows.results.get(&e.id).cloned().unwrap_or_default(),
            }));
        }
        found
    }

    pub(super) fn find_items(&self, pages: &[(TaskKey, u32)]) -> Vec<ItemPage> {
        let known = |key: &(TaskKey, u32)| {
            let items = self.rows.items.get(key)?.clone();
            Some(ItemPage { visit: key.0.clone(), page: key.1, items })
        };
        pages.iter().collect::<BTreeSet<_>>().into_iter().filter_map(known).collect()
    }

    pub(super) fn find_pointers(&self, ids: &[ExecutionId]) -> Vec<Pointer> {
        let ids: BTreeSet<&ExecutionId> = ids.iter().collect();
        ids.into_iter().filter_map(|id| self.rows.execution(*id)).map(pointer).collect()
    }

    pub(super) fn find_due(&self, now: Timestamp, limit: u32) -> Vec<Pointer> {
        let due = |e: &&Execution| e.wake_at.is_some_and(|at| at <= now);
        let open = Status::ALL.iter().filter(|status| !status.is_terminal());
        let open = open.flat_map(|status| self.rows.executions.in_status(*status));
        let mut due: Vec<&Execution> = open.filter(due).collect();
        due.sort_by_key(|e| (e.wake_at, e.id));
        due.into_iter().take(limit as usize).map(pointer).collect()
    }

    pub(super) fn find_orphans(&self, limit: u32) -> Vec<Pointer> {
        let orphan = |e: &&Execution| {
            let Some(holder) = &e.worker else { return false };
            let worker = self.rows.workers.get(&holder.name);
            worker.is_none_or(|w| w.is_over() || w.incarnation != holder.incarnation)
        };
        let mut orphans: Vec<&Execution> = self.live_ones().filter(orphan).collect();
        orphans.sort_by_key(|e| e.id);
        orphans.into_iter().take(limit as usize).map(pointer).collect()
    }

    pub(super) fn find_lines(&self, limit: u32) -> Vec<QueueKey> {
        let waiting = self.rows.executions.in_status(Status::Queued);
        let lines: BTreeSet<QueueKey> = waiting.map(|e| e.queue.clone()).collect();
        lines.into_iter().take(limit as usize).collect()
    }

    pub(super) fn find_ready(&self) -> Vec<Runtime> {
        let ready = self.rows.executions.in_status(Status::Ready);
        let runtimes: BTreeSet<Runtime> = ready
            .filter_map(|e| match &e.work {
                Work::Runtime(runtime) => Some(runtime.clone()),
                Work::Workflow => None,
            })
            .collect();
        runtimes.into_iter().collect()
    }

    pub(super) fn find_runs(&self, limit: u32) -> Vec<ExecutionId> {
        let rows = &self.rows;
        let ready = rows.executions.in_status(Status::Ready).filter(|e| e.is_workflow());
        let over = Status::ALL.iter().filter(|status| status.is_terminal());
        let over = over.flat_map(|status| rows.executions.in_status(*status));
        let to_fold = over.filter(|e| e.awaits_folding()).filter_map(Execution::parent);
        let open = rows.runs.values().filter(|run| run.open).map(|run| run.execution);
        let to_end = open.filter(|run| {
            let execution = rows.execution(*run);
            execution.is_some_and(|e| e.status.is_terminal() || e.cancel_requested)
        });
        let to_continue = rows.visits.values().filter(|visit| {
            visit.state == VisitState::Running
                && visit.created < visit.total
                && visit.created - visit.ended < visit.concurrency
        });
        let mut runs: BTreeSet<ExecutionId> = ready.map(|e| e.id).collect();
        runs.extend(to_fold.chain(to_end).chain(to_continue.map(|visit| visit.key.run)));
        runs.into_iter().take(limit as usize).collect()
    }

    pub(super) fn find_held(&self, worker: &WorkerId) -> Vec<Held> {
        let held = |e: &&Execution| e.worker.as_ref() == Some(worker);
        let view = |e: &Execution| Held {
            execution: e.id,
            token: e.token(),
            queue: e.queue.clone(),
            cancel_requested: e.cancel_requested,
            offered: e.status == Status::Offered,
        };
        let mut held: Vec<Held> = self.live_ones().filter(held).map(view).collect();
        held.sort_by_key(|held| held.execution);
        held
    }

    pub(super) fn find_loads(&self) -> Vec<(WorkerId, u32)> {
        let mut loads = BTreeMap::new();
        for worker in self.live_ones().filter_map(|execution| execution.worker.clone()) {
            *loads.entry(worker).or_insert(0) += 1;
        }
        loads.into_iter().collect()
    }

    /// The executions that have a live attempt, by status.
    fn live_ones(&self) -> impl Iterator<Item = &Execution> {
        let live = Status::ALL.iter().filter(|status| status.has_live_attempt());
        live.flat_map(|status| self.rows.executions.in_status(*status))
    }

    /// Effects that are due, those that have waited longest first.
    pub(super) fn find_due_effects(&self, now: Timestamp) -> Vec<EffectKey> {
        let over_again = self.is_planted("completed_only_guard");
        let unheard = self.is_planted("silent_senders_are_waited_for");
        let due = |e: &&Effect| {
            let repeated = over_again && e.state.is_over() && e.notice.status != Status::Completed;
            let silent = e.state == EffectState::Sending && unheard;
            (e.wake_at.is_some_and(|at| at <= now) && !silent) || repeated
        };
        let mut due: Vec<&Effect> = self.rows.effects.values().filter(due).collect();
        due.sort_by(|a, b| (a.wake_at, &a.key).cmp(&(b.wake_at, &b.key)));
        due.into_iter().map(|effect| effect.key.clone()).collect()
    }

    pub(super) fn find_queues_of(&self, action: &ActionRef) -> Vec<QueueKey> {
        let queues = self.rows.queues.values().filter(|queue| queue.action == *action);
        queues.map(|queue| queue.key.clone()).collect()
    }
}

fn pointer(execution: &Execution) -> Pointer {
    Pointer {
        execution: execution.id,
        queue: execution.queue.clone(),
        definition: execution.definition.clone(),
        stopping: execution.status.is_terminal() || execution.cancel_requested,
    }
}
