//! L3 and L14: no slot stands empty while somebody waits, and nothing is left when all is over.

use alloc::collections::BTreeSet;
use alloc::format;

use super::{Verdict, demand};
use crate::catalogue::LawId::{L3, L14};
use crate::id::QueueKey;
use crate::snapshot::Snapshot;

/// L3: no queue has both a waiter and room, but those whose admission is still `pending` because
/// more could be let through than was loaded.
///
/// # Errors
/// With the first such queue.
pub fn work_conserved(snapshot: &Snapshot, pending: &BTreeSet<QueueKey>) -> Verdict {
    let idle = snapshot.idle_queues().find(|queue| !pending.contains(&queue.key));
    demand(L3, idle.is_none(), || {
        let idle = idle.map(|queue| (&queue.key, snapshot.occupancy(&queue.key), queue.limit()));
        format!("somebody waits although there is room: {idle:?}")
    })
}

/// L14: every execution is over, and no ticket, timer, visit, run or effect is open.
///
/// # Errors
/// With the first thing that is left.
pub fn quiescent(snapshot: &Snapshot) -> Verdict {
    for execution in snapshot.executions.iter() {
        let (id, status) = (execution.id, execution.status);
        demand(L14, status.is_terminal(), || format!("{id} is {status}"))?;
        demand(L14, execution.wake_at.is_none(), || format!("{id} has a timer"))?;
        demand(L14, !execution.awaits_folding(), || format!("{id} was not folded in"))?;
    }
    for queue in snapshot.queues.keys() {
        let held = snapshot.occupancy(queue);
        demand(L14, held.holding + held.waiting == 0, || format!("{queue}: {held:?}"))?;
    }
    for visit in snapshot.visits.values() {
        demand(L14, !visit.is_open(), || format!("{} is {:?}", visit.key, visit.state))?;
    }
    for effect in snapshot.effects.values() {
        let (of, state) = (effect.key.execution, effect.state);
        demand(L14, state.is_over(), || format!("effect {} of {of} is {state}", effect.index))?;
    }
    for run in snapshot.runs.values() {
        demand(L14, !run.open, || format!("the run of {} is open", run.execution))?;
    }
    Ok(())
}
