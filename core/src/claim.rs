//! Workers taking work, starting it and giving it back.

#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::decision::Message;
use crate::execution::{Cause, Execution, ExecutionInput, Refusal};
use crate::id::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, FencingToken, QueueKey, WorkerId,
};
use crate::policy::Policy;
use crate::status::Status;
use crate::unit::Unit;
use crate::worker::select::{self, Candidate};
use crate::worker::{Worker, WorkerRefusal, WorkerState};
use serde::{Deserialize, Serialize};

/// What a worker needs to carry out an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The execution.
    pub execution: ExecutionId,
    /// Its attempt.
    pub attempt: Attempt,
    /// What every report about the attempt must present.
    pub token: FencingToken,
    /// What it runs.
    pub action: ActionRef,
    /// Exactly which version.
    pub definition: DefinitionHash,
    /// The queue whose slot it holds.
    pub queue: QueueKey,
    /// How long the attempt may run, and what else is pinned.
    pub policy: Policy,
}

impl Assignment {
    fn of(execution: &Execution) -> Self {
        Self {
            execution: execution.id,
            attempt: execution.attempt,
            token: execution.token(),
            action: execution.action.clone(),
            definition: execution.definition.clone(),
            queue: execution.queue.clone(),
            policy: execution.policy,
        }
    }
}

/// Lets `worker` take and start up to `permits` of the loaded executions that are ready.
///
/// The worker and its peers must be loaded.
///
/// # Errors
/// If the worker is not the current process of its name, or was declared dead.
pub fn claim(
    unit: &mut Unit,
    worker: &WorkerId,
    permits: u32,
) -> Result<Vec<Assignment>, WorkerRefusal> {
    check_current(unit, worker)?;
    let mut row = unit.worker(&worker.name).expect("the worker was just checked").clone();
    if row.state == WorkerState::Draining && unit.is_planted("drain_keeps_claiming") {
        row.state = WorkerState::Active;
    }
    if !row.healthy && unit.is_planted("unhealthy_worker_keeps_getting_work") {
        row.healthy = true;
    }
    let ready = |e: &&Execution| e.status == Status::Ready && may_take(unit, &row, e);
    let ids: Vec<ExecutionId> =
        unit.executions().filter(ready).take(permits as usize).map(|e| e.id).collect();
    let claim = ExecutionInput::Claim(Some(worker.clone()), unit.settings.run_margin);
    Ok(ids.into_iter().filter_map(|id| take(unit, id, &claim)).collect())
}

fn take(unit: &mut Unit, id: ExecutionId, claim: &ExecutionInput) -> Option<Assignment> {
    unit.tell(id, claim).ok()?;
    unit.execution(id).map(Assignment::of)
}

/// Whether `worker` may come for `execution`. What was submitted where work is assigned is left to a
/// dispatcher, except where there is none (any more): nothing is stranded by a change of transport.
fn may_take(unit: &Unit, worker: &Worker, execution: &Execution) -> bool {
    !is_assigned(unit, execution) && select::may_take(worker, execution, unit.workers.iter())
}

/// Whether a dispatcher gives it to a worker.
fn is_assigned(unit: &Unit, execution: &Execution) -> bool {
    let elsewhere = !unit.transport.pushes() && !unit.is_planted("other_transports_work_is_left");
    execution.transport.pushes() && !elsewhere
}

fn check_current(unit: &Unit, worker: &WorkerId) -> Result<(), WorkerRefusal> {
    let row = unit.worker(&worker.name).ok_or(WorkerRefusal::Gone)?;
    if row.incarnation != worker.incarnation {
        return Err(WorkerRefusal::Superseded(row.incarnation));
    }
    if row.keeps_attempts_of(worker.incarnation, unit.now) {
        Ok(())
    } else {
        Err(WorkerRefusal::Dead)
    }
}

/// Lets `worker` take and start up to `room` of the loaded ready executions in the place of as many
/// attempts of its own that end with this decision. Where work is assigned it takes only what would be
/// assigned to it: `loads` says how many live attempts each worker had before; those that are missing
/// had none.
///
/// Only what is `among` those that were looked up is taken: what this very decision makes ready again,
/// for another attempt, is the others' as well.
///
/// A worker that is not or no longer to be given anything takes nothing. The worker and its peers must
/// be loaded.
pub fn succeed(
    unit: &mut Unit,
    worker: &WorkerId,
    room: u32,
    among: &BTreeSet<ExecutionId>,
    mut loads: Vec<(WorkerId, u32)>,
) -> Vec<Assignment> {
    let current = check_current(unit, worker).is_ok();
    let row = unit.worker(&worker.name).filter(|row| current && room > 0 && row.takes_work());
    let Some(row) = row.cloned() else { return Vec::new() };
    if let Some((_, load)) = loads.iter_mut().find(|(name, _)| name == worker) {
        *load = load.saturating_sub(room);
    }
    let claim = ExecutionInput::Claim(Some(worker.clone()), unit.settings.run_margin);
    let mut taken = Vec::new();
    for id in ready(unit).into_iter().filter(|id| among.contains(id)) {
        if taken.len() == room as usize {
            break;
        }
        let execution = unit.execution(id).expect("it was just listed");
        let mine = if is_assigned(unit, execution) {
            select::choose(execution, &candidates(unit, &loads)).map(Worker::id).as_ref()
                == Some(worker)
        } else {
            may_take(unit, &row, execution)
        };
        if !mine {
            continue;
        }
        count(&mut loads, worker);
        taken.extend(take(unit, id, &claim));
    }
    if taken.len() == room as usize && ready(unit).is_empty() {
        // Nothing has room for more than it had, and nothing waits that has not been announced.
        unit.withdraw_assignable();
    }
    taken
}

/// How many more attempts `workers` may be given.
#[must_use]
pub fn room<'a>(workers: impl IntoIterator<Item = &'a Worker>, loads: &[(WorkerId, u32)]) -> u32 {
    let load_of = |worker: &Worker| {
        let id = worker.id();
        loads.iter().find(|(name, _)| *name == id).map_or(0, |(_, load)| *load)
    };
    let open = workers.into_iter().filter(|worker| worker.takes_work());
    let room = open.map(|worker| worker.capacity.saturating_sub(load_of(worker)));
    room.fold(0, u32::saturating_add)
}

/// The loaded executions that wait for a worker.
fn ready(unit: &Unit) -> Vec<ExecutionId> {
    let ready = |e: &&Execution| e.status == Status::Ready && !e.is_workflow();
    unit.executions().filter(ready).map(|e| e.id).collect()
}

fn candidates<'a>(unit: &'a Unit, loads: &[(WorkerId, u32)]) -> Vec<Candidate<'a>> {
    let blind = unit.is_planted("dispatch_to_the_first_worker");
    let load_of = |worker: &Worker| {
        if blind {
            return 0;
        }
        loads.iter().find(|(name, _)| *name == worker.id()).map_or(0, |(_, load)| *load)
    };
    unit.workers.iter().map(|w| Candidate { worker: w, load: load_of(w) }).collect()
}

/// One more attempt of a worker.
fn count(loads: &mut Vec<(WorkerId, u32)>, worker: &WorkerId) {
    match loads.iter_mut().find(|(name, _)| name == worker) {
        Some((_, load)) => *load += 1,
        None => loads.push((worker.clone(), 1)),
    }
}

/// Offers the loaded ready executions to the least loaded eligible workers. `loads` says how many
/// live attempts a worker has; those that are missing have none.
pub fn dispatch(unit: &mut Unit, mut loads: Vec<(WorkerId, u32)>) {
    for id in ready(unit) {
        let execution = unit.execution(id).expect("it was just listed");
        let Some(worker) = select::choose(execution, &candidates(unit, &loads)).map(Worker::id)
        else {
            continue;
        };
        let deadline = unit.now + unit.settings.offer_timeout;
        unit.tell(id, &ExecutionInput::Offer(worker.clone(), deadline))
            .expect("a ready execution can be offered");
        count(&mut loads, &worker);
        let token = unit.execution(id).expect("it was just offered").token();
        unit.publish(Message::Offer { worker, execution: id, token });
    }
}

/// [`dispatch`] as a part of the decision that made the executions ready. If it found a worker for
/// each, nobody else has to be told of them.
pub fn assign(unit: &mut Unit, loads: Vec<(WorkerId, u32)>) {
    dispatch(unit, loads);
    if ready(unit).is_empty() {
        unit.withdraw_assignable();
    }
}

/// The worker takes what it was offered and starts it.
///
/// # Errors
/// If it is not or no longer its attempt, if that was asked to stop, or if the worker itself is
/// stopping.
pub fn accept(
    unit: &mut Unit,
    worker: &WorkerId,
    id: ExecutionId,
    token: FencingToken,
) -> Result<Assignment, AcceptRefusal> {
    check_current(unit, worker)?;
    let draining = unit.worker(&worker.name).is_some_and(|row| row.state == WorkerState::Draining);
    if draining && !unit.is_planted("draining_worker_accepts") {
        return Err(WorkerRefusal::Draining.into());
    }
    // Tokens are numbers and easily mixed up; an offer is for one worker alone.
    let offered = unit.execution(id).filter(|execution| execution.status == Status::Offered);
    if let Some(other) = offered.filter(|execution| execution.worker.as_ref() != Some(worker)) {
        return Err(Refusal::Illegal(other.status).into());
    }
    unit.tell(id, &ExecutionInput::Accept(token))?;
    unit.tell(id, &ExecutionInput::Start(token, unit.settings.run_margin))?;
    unit.hear(id, token, Some(worker));
    Ok(Assignment::of(unit.execution(id).expect("it was just started")))
}

/// Why an offer could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptRefusal {
    /// The worker is not what it was.
    #[error(transparent)]
    Worker(#[from] WorkerRefusal),
    /// The execution is not what it was.
    #[error(transparent)]
    Execution(#[from] Refusal),
}

/// A stopping worker gives an attempt back: for free if it has not started, as a lost attempt if
/// it was cut short.
///
/// # Errors
/// If it is no longer its attempt.
///
/// # Panics
/// If the execution was not loaded.
pub fn release(unit: &mut Unit, id: ExecutionId, token: FencingToken) -> Result<Status, Refusal> {
    let execution = unit.execution(id).expect("the execution is loaded");
    let status = execution.status;
    if execution.is_workflow() {
        return Err(Refusal::Illegal(status));
    }
    if status == Status::Running {
        let status = unit.tell(id, &ExecutionInput::Lose(token, Cause::WorkerLost))?;
        unit.hear(id, token, None);
        return Ok(status);
    }
    let status = unit.tell(id, &ExecutionInput::Release(token))?;
    unit.hear(id, token, None);
    Ok(status)
}
