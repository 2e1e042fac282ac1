//! S24 and S29: the numbers in a row are those of the rows, and lines end.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::{S24, S29};
use crate::id::{ExecutionId, QueueKey};
use crate::snapshot::Snapshot;
use crate::status::Status;

/// S24: a queue counts as many ends and gives out as many places as there were.
pub(super) fn counted(change: &Change<'_>) -> Verdict {
    let mut facts: BTreeMap<&QueueKey, (u64, u64)> = BTreeMap::new();
    for execution in &change.commit.executions {
        let (before, after) = (execution.before.as_ref(), &execution.after);
        let entered = after.order.is_some() && before.is_none_or(|before| before.order.is_none());
        let was_over = before.is_some_and(|before| before.status.is_terminal());
        let ended = after.order.is_some() && after.status.is_terminal() && !was_over;
        let fact = facts.entry(&after.queue).or_default();
        fact.0 += u64::from(entered);
        fact.1 += u64::from(ended);
    }
    let mut counts: BTreeMap<&QueueKey, (u64, u64)> = BTreeMap::new();
    for queue in &change.commit.queues {
        let after = &queue.after;
        let before = queue.before.as_ref().map_or((0, 0), |q| (q.next_order.0, q.completed));
        let grown =
            (after.next_order.0.checked_sub(before.0), after.completed.checked_sub(before.1));
        let (Some(entered), Some(ended)) = grown else {
            return demand(S24, false, || format!("{}: a count went down", after.key));
        };
        counts.insert(&after.key, (entered, ended));
    }
    for key in facts.keys().chain(counts.keys()) {
        let fact = facts.get(key).copied().unwrap_or_default();
        let count = counts.get(key).copied().unwrap_or_default();
        demand(S24, fact == count, || {
            format!("{key}: {fact:?} entered and ended, and {count:?} were counted")
        })?;
    }
    Ok(())
}

/// S29: nobody joins a line that is as long as allowed, children of runs excepted.
pub(super) fn bounded(change: &Change<'_>) -> Verdict {
    for execution in change.commit.executions.iter().filter(|change| change.before.is_none()) {
        let key = &execution.after.queue;
        if execution.after.status != Status::Queued || execution.after.place.is_some() {
            continue;
        }
        let line = change.after.executions.line(key);
        let waiting = line.filter(|e| e.place.is_none() && e.attempt.0 == 0).count() as u64;
        let max = change.settings.max_queue_length;
        demand(S29, waiting <= max, || format!("{key}: {waiting} wait, and {max} may"))?;
    }
    Ok(())
}

/// S29: nothing goes that is not over, and nothing of a run that is open or not over.
pub(super) fn dropped(before: &Snapshot, gone: &BTreeSet<ExecutionId>) -> Verdict {
    for execution in gone.iter().filter_map(|id| before.execution(*id)) {
        let id = execution.id;
        demand(S29, execution.status.is_terminal(), || {
            format!("{id} is {} and was dropped", execution.status)
        })?;
        let Some(run) = execution.parent() else { continue };
        let over = before.execution(run).is_none_or(|run| run.status.is_terminal());
        let closed = before.runs.get(&run).is_none_or(|row| !row.open);
        demand(S29, over && closed, || format!("{id} was dropped, and its run {run} is open"))?;
        let kept = before.execution(run).is_some() && !gone.contains(&run);
        demand(S29, !kept, || format!("{id} was dropped, and its run {run} is kept"))?;
    }
    Ok(())
}
