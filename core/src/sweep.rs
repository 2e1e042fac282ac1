//! What time alone brings about: everything here is found by looking at the state, so it happens
//! whether or not any message arrives, and any number of sweepers may run.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::execution::{Cause, Ending, Execution, ExecutionInput, Refusal};
use crate::id::{ExecutionId, FencingToken, WorkerId, WorkerName};
use crate::status::Status;
use crate::unit::Unit;
use crate::worker::{Worker, WorkerInput, WorkerRefusal, WorkerState, select};
use crate::{admission, claim};

/// Does what is due for a loaded execution whose `wake_at` has passed.
///
/// Its queue, the head of its line and all workers must be loaded.
///
/// # Errors
/// If nothing is due: somebody else was faster.
pub fn wake(unit: &mut Unit, id: ExecutionId) -> Result<Status, Refusal> {
    let Some(execution) = unit.execution(id) else { return Err(Refusal::Done) };
    match execution.wake_at {
        None => return Err(Refusal::Done),
        Some(at) if at > unit.now => return Err(Refusal::NotDue(at)),
        Some(_) => {}
    }
    let token = execution.token();
    let input = match execution.status {
        Status::Requested => {
            admission::enter(unit, id);
            return Ok(unit.execution(id).map_or(Status::Requested, |e| e.status));
        }
        Status::Queued => ExecutionInput::ExpireInQueue,
        Status::Ready if may_be_scheduled(unit, execution) => {
            ExecutionInput::KeepLooking(unit.unschedulable_at(id))
        }
        Status::Ready => ExecutionInput::GiveUp,
        Status::Offered | Status::Accepted | Status::Running if execution.cancel_requested => {
            ExecutionInput::CancelOverdue(token)
        }
        Status::Offered | Status::Accepted => ExecutionInput::Lose(token, Cause::OfferExpired),
        Status::Running => {
            let entropy = unit.draw();
            ExecutionInput::Finish { token, ending: Ending::TimedOut, entropy }
        }
        Status::Backoff => ExecutionInput::Retry,
        over => return Err(Refusal::Over(over)),
    };
    unit.tell(id, &input)
}

fn may_be_scheduled(unit: &Unit, execution: &Execution) -> bool {
    select::is_schedulable(execution, unit.workers.iter())
        && !unit.is_planted("busy_workers_count_as_none")
}

/// Takes an offer back whose message its worker left lying for so long that the broker gave it up:
/// at once if that worker is over, else not before the offer has run out. A healthy worker gives
/// back by itself what the store thinks it has and it knows nothing of.
///
/// Its queue, the head of its line and all workers must be loaded.
///
/// # Errors
/// If nothing is on offer under this token any more, or it is not yet time; nothing has changed
/// then.
pub fn take_back(unit: &mut Unit, id: ExecutionId, token: FencingToken) -> Result<Status, Refusal> {
    let Some(execution) = unit.execution(id) else { return Err(Refusal::Done) };
    let current = execution.token();
    if execution.status != Status::Offered {
        return Err(Refusal::Illegal(execution.status));
    }
    if token != current {
        return Err(Refusal::Fenced { presented: token, current });
    }
    if is_orphan(unit, execution) { rescue(unit, id) } else { wake(unit, id) }
}

/// Takes an attempt away from a worker that does not hold its lease any more.
///
/// The execution, its worker, its queue and the head of its line must be loaded.
///
/// # Errors
/// If the worker still holds its lease, or the attempt is over.
pub fn rescue(unit: &mut Unit, id: ExecutionId) -> Result<Status, Refusal> {
    let Some(execution) = unit.execution(id) else { return Err(Refusal::Done) };
    if !is_orphan(unit, execution) {
        return Err(Refusal::Done);
    }
    let token = execution.token();
    unit.tell(id, &ExecutionInput::Lose(token, Cause::WorkerLost))
}

/// Whether an execution's current attempt belongs to a worker process that is over. A lease that
/// has merely ended is no proof until the worker has been declared dead, drift included.
#[must_use]
pub fn is_orphan(unit: &Unit, execution: &Execution) -> bool {
    let Some(holder) = &execution.worker else { return false };
    execution.status.has_live_attempt()
        && unit
            .worker(&holder.name)
            .is_none_or(|worker| worker.is_over() || worker.incarnation != holder.incarnation)
}

/// What a witness's word came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Testimony {
    /// Whether the worker's row was still that of a living process.
    pub heard: Result<(), WorkerRefusal>,
    /// The attempts that were taken from it, and what became of their executions.
    pub freed: Vec<(ExecutionId, Status)>,
}

/// A witness says that this very worker process is dead, and that nothing that it ran is left. The
/// process need not be waited for any more: what it had is taken from it at once. A newer process
/// of the same name is not concerned.
///
/// The worker and its attempts must be loaded, with their queues and the heads of their lines.
pub fn testify(unit: &mut Unit, worker: &WorkerId) -> Testimony {
    let heard = tell_worker(unit, &worker.name, &WorkerInput::Bury(worker.incarnation));
    let mine = |e: &&Execution| e.worker.as_ref() == Some(worker);
    let held: Vec<ExecutionId> = unit.executions().filter(mine).map(|e| e.id).collect();
    let freed = held.into_iter().filter_map(|id| Some((id, rescue(unit, id).ok()?))).collect();
    Testimony { heard, freed }
}

/// Doubts and buries workers whose beats are overdue. The names of those that died now.
pub fn check_workers(unit: &mut Unit) -> Vec<WorkerName> {
    let names: Vec<WorkerName> = unit.workers.iter().map(|worker| worker.name.clone()).collect();
    let (doubt, drift) = (unit.settings.beat_overdue, unit.settings.drift);
    let mut died = Vec::new();
    for name in names {
        let _ = tell_worker(unit, &name, &WorkerInput::Doubt(doubt));
        if tell_worker(unit, &name, &WorkerInput::Expire(drift)).is_ok() {
            died.push(name);
        } else if unit.is_planted("sweep_by_age_alone")
            && let Some(worker) = unit.workers.edit(&name)
            && worker.state == WorkerState::Suspect
        {
            worker.state = WorkerState::Dead;
        }
    }
    died
}

/// What somebody heard who asked a worker process whether it moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The process that was asked.
    pub worker: WorkerId,
    /// Whether it moves.
    pub moves: bool,
}

/// Marks loaded workers as hung, or as healthy again. It is no word about their lives, nor about what
/// they have: only about what they may be given. Those that changed.
pub fn heed_probes(unit: &mut Unit, heard: &[Heard]) -> Vec<Heard> {
    let mut changed = Vec::new();
    for Heard { worker, moves } in heard {
        if *moves && unit.is_planted("recovered_worker_stays_unhealthy") {
            continue;
        }
        let probed = WorkerInput::Probed(worker.incarnation, *moves);
        if tell_worker(unit, &worker.name, &probed).is_err() {
            continue;
        }
        changed.push(Heard { worker: worker.clone(), moves: *moves });
        if !*moves
            && unit.is_planted("probe_failure_taken_for_death")
            && let Some(row) = unit.workers.edit(&worker.name)
        {
            row.state = WorkerState::Dead;
        }
    }
    changed
}

/// Tells a loaded worker something.
///
/// # Errors
/// If the worker refuses or is unknown; nothing has changed then.
pub fn tell_worker(
    unit: &mut Unit,
    name: &WorkerName,
    input: &WorkerInput,
) -> Result<(), WorkerRefusal> {
    let now = unit.now;
    let mut row = unit.worker(name).ok_or(WorkerRefusal::Gone)?.clone();
    let was = row.state;
    let readdressed = readdress(unit, &row, input);
    row.handle(readdressed.as_ref().unwrap_or(input), now)?;
    let beat = matches!(input, WorkerInput::Beat(..));
    if beat && was == WorkerState::Suspect && unit.is_planted("beat_does_not_restore_active") {
        row.state = was;
    }
    let speaker = input.speaker(&row);
    *unit.workers.edit(name).expect("the worker was just found") = row;
    if let Some(incarnation) = speaker {
        unit.hear_worker(WorkerId { name: name.clone(), incarnation });
    }
    Ok(())
}

/// What is said of a process, addressed to whichever process has its name now; only planted bugs do so.
fn readdress(unit: &Unit, row: &Worker, input: &WorkerInput) -> Option<WorkerInput> {
    match input {
        WorkerInput::Leave(_) if unit.is_planted("deregister_by_name") => {
            Some(WorkerInput::Leave(row.incarnation))
        }
        WorkerInput::Beat(_, lease) if unit.is_planted("beat_by_name") => {
            Some(WorkerInput::Beat(row.incarnation, *lease))
        }
        WorkerInput::Bury(_) if unit.is_planted("witness_speaks_by_name") => {
            Some(WorkerInput::Bury(row.incarnation))
        }
        _ => None,
    }
}

/// A stopping worker gives back every loaded attempt of its own that has not started.
pub fn release_unstarted(unit: &mut Unit, worker: &WorkerId) {
    let mine = |e: &&Execution| {
        e.worker.as_ref() == Some(worker) && matches!(e.status, Status::Offered | Status::Accepted)
    };
    let held: Vec<_> = unit.executions().filter(mine).map(|e| (e.id, e.token())).collect();
    for (id, token) in held {
        claim::release(unit, id, token).expect("it was just listed, with its token");
        unit.hear(id, token, Some(worker));
    }
}
