//! What a client does next.

use std::collections::BTreeSet;

use steadfast_core::execution::Execution;
use steadfast_core::snapshot::Snapshot;
use steadfast_core::{ExecutionId, QueueKey, Runtime, TaskKey, Timestamp};

use super::op::{ALL, Answer, Op, Rows};
use crate::store::random::draw::{Draw, KEYS, QUEUES, RUNTIMES, TASKS, WORKERS, pin};
use crate::store::rows::worker_id;

/// How many executions a client has before it at a time.
const WINDOW: u64 = 14;

/// A client's transaction, as far as it is planned. It locks in one order, as services do, and
/// changes what it has locked.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What comes, last first.
    to_come: Vec<Op>,
    /// What it has locked and may change.
    queues: Vec<QueueKey>,
    executions: Vec<ExecutionId>,
    /// Whether it locks nothing before it writes.
    is_blind: bool,
}

/// The executions that histories are about now: their identities begin above this.
pub(crate) const fn window(step: usize) -> u64 {
    step as u64 / 100 * WINDOW
}

fn some<T: Clone>(draw: &mut Draw, all: &[T]) -> Vec<T> {
    let mut some: Vec<T> = all.iter().filter(|_| draw.chance(40)).cloned().collect();
    if some.is_empty() {
        some.push(draw.of(all));
    }
    some
}

fn ids(base: u64) -> Vec<ExecutionId> {
    (base + 1..=base + WINDOW).map(ExecutionId).collect()
}

fn tasks(base: u64) -> Vec<TaskKey> {
    let of_run = |run| TASKS.iter().flat_map(move |task| [(run, *task, 0), (run, *task, 1)]);
    (base + 1..=base + 3)
        .flat_map(of_run)
        .map(|(run, task, occurrence)| crate::store::rows::task_key(run, task, occurrence))
        .collect()
}

impl Plan {
    /// Plans a transaction.
    pub(crate) fn draw(draw: &mut Draw, base: u64) -> Self {
        let mut plan = Self::default();
        let mut ops = Vec::new();
        let all_ids = ids(base);
        let runs: Vec<ExecutionId> = all_ids[..3].to_vec();
        if draw.chance(10) {
            plan.is_blind = true;
            return plan;
        }
        if draw.chance(30) {
            ops.push(Op::Workers(some(draw, &WORKERS.map(Into::into))));
        }
        if draw.chance(50) {
            plan.queues = some(draw, &QUEUES.map(QueueKey::new));
            ops.push(Op::Queues(plan.queues.clone()));
            if draw.chance(50) {
                ops.push(Op::Line(plan.queues.clone(), draw.of(&[1, 2, 99])));
            }
        }
        let lines = ops.iter().any(|op| matches!(op, Op::Line(..)));
        if !lines && draw.chance(40) {
            let wanted = some(draw, &runs);
            ops.push(Op::Runs(wanted.clone()));
            if draw.chance(40) {
                ops.push(Op::EndedChildren(wanted, draw.of(&[1, 3, 99])));
            }
        }
        let has_executions = lines || ops.iter().any(|op| matches!(op, Op::EndedChildren(..)));
        match draw.below(4) {
            _ if has_executions => {}
            0 => {
                let keys = KEYS.map(|key| keyed(key, base));
                ops.push(Op::ByKey(some(draw, &keys)));
            }
            1 => {
                let runtimes: BTreeSet<Runtime> =
                    some(draw, &RUNTIMES.map(Runtime::new)).into_iter().collect();
                ops.push(Op::Ready(runtimes, draw.of(&[1, 3, 99])));
            }
            _ => {
                plan.executions = some(draw, &all_ids);
                ops.push(Op::Executions(plan.executions.clone()));
            }
        }
        if draw.chance(20) {
            ops.push(Op::OpenVisits(some(draw, &runs)));
        }
        for _ in 0..draw.below(4) {
            let at = draw.below(ops.len() as u64 + 1) as usize;
            ops.insert(at, look(draw, base));
        }
        ops.reverse();
        plan.to_come = ops;
        plan
    }

    /// What was not found could not be locked, and is not to be changed, even if it is there by now.
    pub(crate) fn keep_what_was_found(&mut self, op: &Op, answer: &Answer) {
        let Answer::Said(text) = answer else { return };
        match op {
            Op::Executions(_) => {
                self.executions.retain(|id| text.contains(&format!("Execution {{ id: {id:?}, ")));
            }
            Op::Queues(_) => {
                self.queues.retain(|key| text.contains(&format!("Queue {{ key: {key:?}, ")));
            }
            _ => {}
        }
    }

    /// The next call, or none if it is time to write.
    pub(crate) fn next(&mut self) -> Option<Op> {
        self.to_come.pop()
    }

    /// What it writes: changes of what it has locked, and new rows. Now and then a change of
    /// something that somebody else may have changed meanwhile, and then nothing else.
    pub(crate) fn writes(&self, draw: &mut Draw, rows: &Snapshot, base: u64) -> Vec<Op> {
        let mut ops: Vec<Op> = Vec::new();
        if self.is_blind {
            let mut writes = draw.writes(rows);
            writes.queues.updated.sort_by(|one, other| one.key.cmp(&other.key));
            writes.workers.updated.sort_by(|one, other| one.name.cmp(&other.name));
            writes.executions.updated.sort_by_key(|row| row.id);
            let is_change = |rows: &Rows| {
                matches!(rows, Rows::Workers(_) | Rows::Queues(_) | Rows::Executions(_))
            };
            let all: Vec<Rows> = Rows::of(writes).into_iter().filter(is_change).collect();
            if !all.is_empty() {
                let mut rows = draw.of(&all);
                if draw.chance(30) {
                    rows.fall_behind();
                }
                ops.push(Op::Write(rows));
            }
            return ops;
        }
        let known: Vec<_> = self.queues.iter().filter_map(|key| rows.queues.get(key)).collect();
        if !known.is_empty() && draw.chance(60) {
            let change = |before: &&steadfast_core::queue::Queue| {
                let mut row = draw.queue();
                (row.key, row.action) = (before.key.clone(), before.action.clone());
                row.version = before.version.next();
                row
            };
            let mut changed: Vec<_> = known.iter().map(change).collect();
            changed.sort_by(|one, other| one.key.cmp(&other.key));
            ops.push(Op::Write(Rows::Queues(changed)));
        }
        if draw.chance(40) {
            ops.extend(insert(draw, rows, base).map(Op::Write));
        }
        let known: BTreeSet<_> = self.executions.iter().copied().collect();
        let known: Vec<&Execution> = known.iter().filter_map(|id| rows.execution(*id)).collect();
        if !known.is_empty() && draw.chance(80) {
            let change = |before: &&Execution| {
                let mut row = draw.execution();
                row.id = before.id;
                pin(&mut row, before);
                row.version = before.version.next();
                row
            };
            ops.push(Op::Write(Rows::Executions(known.iter().map(change).collect())));
        }
        ops
    }
}

/// One new row of some kind, which may be there already.
fn insert(draw: &mut Draw, rows: &Snapshot, base: u64) -> Option<Rows> {
    let is_careful = draw.chance(85);
    let writes = (0..20).find_map(|_| {
        let mut writes = draw.writes(rows);
        writes.workers.updated.clear();
        writes.queues.updated.clear();
        writes.executions.updated.clear();
        writes.runs.updated.clear();
        writes.visits.updated.clear();
        let is_empty = writes.is_empty();
        (!is_empty && (!is_careful || rows.check(&writes).is_ok())).then_some(writes)
    })?;
    let mut all = Rows::of(writes);
    let at = draw.below(all.len() as u64) as usize;
    let mut rows = all.swap_remove(at);
    match &mut rows {
        Rows::NewExecutions(all) => {
            all.truncate(1);
            for row in all {
                if let Some(idempotency) = &mut row.idempotency {
                    idempotency.key = keyed(&idempotency.key, base);
                }
            }
        }
        Rows::NewWorkers(all) => all.truncate(1),
        Rows::NewQueues(all) => all.truncate(1),
        Rows::NewRuns(all) => all.truncate(1),
        Rows::NewVisits(all) => all.truncate(1),
        Rows::Parameters(all) => all.truncate(1),
        Rows::Outcomes(all) => all.truncate(1),
        Rows::Items(all) => all.truncate(1),
        _ => return None,
    }
    Some(rows)
}

fn keyed(key: &str, base: u64) -> String {
    format!("{key}{base}")
}

/// A call that locks nothing.
fn look(draw: &mut Draw, base: u64) -> Op {
    let all_ids = ids(base);
    let runs: Vec<ExecutionId> = all_ids[..3].to_vec();
    let queues = QUEUES.map(QueueKey::new);
    match draw.below(17) {
        0 => Op::PresentWorkers,
        1 => Op::Occupancy(some(draw, &queues), some(draw, &queues).into_iter().collect()),
        2 => Op::LiveChildren(some(draw, &runs), draw.of(&[1, 3, 99])),
        3 => Op::Parameters(some(draw, &all_ids)),
        4 => Op::Errors(some(draw, &all_ids)),
        5 => Op::VisitResults(some(draw, &tasks(base))),
        6 => {
            let page = draw.below(2) as u32;
            Op::Items(some(draw, &tasks(base)).into_iter().map(|task| (task, page)).collect())
        }
        7 => Op::Pointers(some(draw, &all_ids)),
        8 => Op::Due(Timestamp::from_micros(draw.below(40))),
        9 => Op::Orphans,
        10 => Op::Lines(draw.of(&[1, 2, 99])),
        11 => Op::ReadyRuntimes,
        12 => Op::DueRuns(draw.of(&[2, ALL])),
        13 => Op::Held(worker_id(draw.of(&WORKERS), draw.below(3))),
        14 => Op::Loads,
        15 => Op::QueuesOf("a"),
        _ => Op::Allocate(1 + draw.below(5) as u32),
    }
}

/// A look at everything that a history can have left.
pub(crate) fn last_look(steps: usize) -> Vec<Op> {
    let queues: Vec<QueueKey> = QUEUES.map(QueueKey::new).into();
    let mut ops = vec![
        Op::Workers(WORKERS.map(Into::into).into()),
        Op::Queues(queues.clone()),
        Op::Line(queues.clone(), ALL),
        Op::PresentWorkers,
        Op::Occupancy(queues.clone(), queues.into_iter().collect()),
        Op::Orphans,
        Op::Loads,
        Op::DueRuns(ALL),
        Op::Due(Timestamp::MAX),
    ];
    for base in (0..=window(steps)).step_by(WINDOW as usize) {
        let (all, tasks) = (ids(base), tasks(base));
        ops.extend([
            Op::Runs(all.clone()),
            Op::Executions(all.clone()),
            Op::OpenVisits(all.clone()),
            Op::Parameters(all.clone()),
            Op::Errors(all),
            Op::VisitResults(tasks.clone()),
            Op::Items(tasks.into_iter().flat_map(|t| [(t.clone(), 0), (t, 1)]).collect()),
        ]);
    }
    ops
}
