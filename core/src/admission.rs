//! Who enters a queue, who waits, who is let through: under a limit that may change at any time.

use crate::execution::{ExecutionInput, Refusal};
use crate::id::{ExecutionId, QueueKey};
use crate::queue::{LimitOverride, Occupancy, Queue};
use crate::status::Status;
use crate::unit::Unit;

/// The line is as long as allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("queue `{queue}` is full: {waiting} are waiting, which is its maximum")]
pub struct QueueFull {
    /// Which line.
    pub queue: QueueKey,
    /// How many wait.
    pub waiting: u64,
}

/// Makes sure that the queue has a row; the store found none if it was not loaded.
pub fn open(unit: &mut Unit, key: &QueueKey, declared_limit: Option<u32>) {
    if unit.queues.find(key).is_none() {
        unit.queues.insert(Queue::new(key.clone(), declared_limit, unit.now));
    }
}

/// Whether one more may join the line.
///
/// # Errors
/// If the line is as long as allowed and the newcomer would have to wait.
pub fn check_length(unit: &Unit, key: &QueueKey) -> Result<(), QueueFull> {
    let Some(queue) = unit.queues.find(key) else { return Ok(()) };
    let occupancy = unit.occupancy(key);
    let must_wait = occupancy.waiting > 0 || !queue.has_room(&occupancy);
    if must_wait && occupancy.waiting >= unit.settings.max_queue_length {
        return Err(QueueFull { queue: key.clone(), waiting: occupancy.waiting });
    }
    Ok(())
}

/// Lets a requested execution into its queue: it takes a slot if one is free and nobody waits,
/// and stands in line otherwise.
///
/// # Panics
/// If the execution or its queue was not loaded.
pub fn enter(unit: &mut Unit, id: ExecutionId) {
    let execution = unit.execution(id).expect("the execution is loaded");
    if execution.status != Status::Requested {
        return;
    }
    let key = execution.queue.clone();
    let occupancy = unit.occupancy(&key);
    let now = unit.now;
    let queue = unit.queues.find(&key).expect("the queue is loaded");
    let free = occupancy.waiting == 0 && has_room(unit, queue, &occupancy);
    let twice = unit.is_planted("place_given_out_twice");
    let queue = unit.queues.edit(&key).expect("the queue is loaded");
    let order = queue.take_order(now);
    if twice {
        queue.next_order = order;
    }
    let input = if free {
        let unschedulable_at = unit.unschedulable_at(id);
        ExecutionInput::Admit { order: Some(order), unschedulable_at }
    } else {
        ExecutionInput::Wait(order)
    };
    unit.tell(id, &input).expect("a requested execution can enter its queue");
}

fn has_room(unit: &Unit, queue: &Queue, occupancy: &Occupancy) -> bool {
    if unit.is_planted("paused_queue_admits") {
        return Queue { paused: false, ..queue.clone() }.has_room(occupancy);
    }
    if unit.is_planted("operator_limit_ignored") {
        return Queue { operator_limit: None, ..queue.clone() }.has_room(occupancy);
    }
    queue.has_room(occupancy)
}

/// Sets or lifts an operator's limit on a queue and lets through whoever it now lets through.
/// Lowering a limit takes no slot away: nobody is let through until enough are free.
///
/// # Panics
/// If the queue was not loaded.
pub fn limit(unit: &mut Unit, key: &QueueKey, limit: Option<LimitOverride>) {
    change(unit, key, |queue| queue.operator_limit = limit);
}

/// Takes over the limit that the action's definition declares now.
///
/// # Panics
/// If the queue was not loaded.
pub fn declare_limit(unit: &mut Unit, key: &QueueKey, limit: Option<u32>) {
    change(unit, key, |queue| queue.declared_limit = limit);
}

/// Stops or resumes admission.
///
/// # Panics
/// If the queue was not loaded.
pub fn pause(unit: &mut Unit, key: &QueueKey, paused: bool) {
    change(unit, key, |queue| queue.paused = paused);
}

fn change(unit: &mut Unit, key: &QueueKey, edit: impl FnOnce(&mut Queue)) {
    let now = unit.now;
    let queue = unit.queues.edit(key).expect("the queue is loaded");
    edit(queue);
    queue.updated_at = now;
    let most = if unit.is_planted("promote_one_on_raise") { 1 } else { u64::MAX };
    unit.promote_up_to(most, key);
}

/// Cancels an execution: at once if no worker has it, else by asking its worker.
///
/// # Errors
/// If it is over, or was asked before.
pub fn cancel(unit: &mut Unit, id: ExecutionId) -> Result<Status, Refusal> {
    let deadline = unit.now + unit.settings.cancel_grace;
    unit.tell(id, &ExecutionInput::Cancel(deadline))
}
