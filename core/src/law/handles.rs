//! S11: for everything that is not over there is something that will make it go on.

use alloc::format;

use super::{Verdict, View, demand};
use crate::catalogue::LawId::S11;
use crate::execution::Execution;
use crate::snapshot::Snapshot;
use crate::status::Status;

/// S11: every execution that is not over has a handle, in the state alone: messages are hints and
/// may all be lost.
pub(super) fn alive(view: &View<'_>) -> Verdict {
    for execution in view.executions() {
        let (id, status) = (execution.id, execution.status);
        demand(S11, has_handle(view.rows(), execution), || {
            format!("{id} is {status} and nothing will ever look at it again")
        })?;
    }
    Ok(())
}

fn has_handle(snapshot: &Snapshot, execution: &Execution) -> bool {
    let timer = execution.wake_at.is_some();
    match execution.status {
        Status::Requested | Status::Backoff => timer,
        // The line moves whenever a slot is freed, and is looked at when it stands still.
        Status::Queued => {
            execution.order.is_some() && snapshot.queues.contains_key(&execution.queue)
        }
        Status::Ready if execution.is_workflow() => true,
        Status::Ready => timer,
        // The worker's lease ends at some time, and then the attempt is taken away.
        Status::Offered => timer && execution.worker.is_some(),
        Status::Accepted => execution.worker.is_some(),
        Status::Running if execution.is_workflow() => timer || is_moving(snapshot, execution),
        Status::Running => execution.worker.is_some(),
        Status::Completed
        | Status::Failed
        | Status::TimedOut
        | Status::Cancelled
        | Status::Abandoned => true,
    }
}

/// Whether a run waits for a child, or can be advanced.
fn is_moving(snapshot: &Snapshot, run: &Execution) -> bool {
    let mut children = snapshot.executions.children(run.id);
    children.any(|child| !child.status.is_terminal()) || snapshot.is_due(run.id)
}
