//! S1 and S3: as many slots as the limit allows, and each has its owner.

use alloc::collections::BTreeSet;
use alloc::format;

use super::{Change, Verdict, View, demand, took_slot};
use crate::catalogue::LawId::{S1, S3};
use crate::execution::Execution;
use crate::id::QueueKey;
use crate::queue::Queue;

/// S1: nobody gets a slot in a commit after which the holders are more than the limit allows.
pub(super) fn limit(change: &Change<'_>) -> Verdict {
    let newcomers: BTreeSet<&QueueKey> = change
        .commit
        .executions
        .iter()
        .filter(|execution| took_slot(execution.before.as_ref(), &execution.after))
        .map(|execution| &execution.after.queue)
        .collect();
    for key in newcomers {
        let Some(queue) = change.after.queues.get(key) else { continue };
        let before = change.commit.queues.iter().find(|queue| queue.after.key == *key);
        let before = before.and_then(|queue| queue.before.as_ref());
        // Within one commit the wider of two limits may have been the one in force.
        let limit = wider(queue.limit(), before.map_or(queue.declared_limit, Queue::limit));
        let holding = change.after.executions.holders(key).count();
        let fits = limit.is_none_or(|limit| holding <= limit as usize);
        demand(S1, fits, || format!("{key}: {holding} hold a slot and the limit is {limit:?}"))?;
        let paused = queue.paused && before.is_none_or(|queue| queue.paused);
        demand(S1, !paused, || format!("{key}: admission is paused and somebody got a slot"))?;
    }
    Ok(())
}

/// The wider of two limits; `None` is the widest.
fn wider(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    Some(one?.max(other?))
}

/// S3: whoever holds a slot was given a place by that queue.
pub(super) fn owners(view: &View<'_>) -> Verdict {
    let holders = view.executions().filter(|execution| execution.status.holds_slot());
    for Execution { id, queue: key, order, .. } in holders {
        let queue = view.rows().queues.get(key);
        let given = queue.is_some_and(|queue| order.is_some_and(|order| order < queue.next_order));
        demand(S3, given, || format!("{id} holds a slot of {key} and was never let in"))?;
    }
    Ok(())
}

/// S3: a slot is given back by the end of its owner or of its owner's attempt, and by nothing
/// else.
pub(super) fn release(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        let freed = before.status.holds_slot() && !after.status.holds_slot();
        let ended = after.status.is_terminal()
            || (before.failures, before.losses) != (after.failures, after.losses);
        demand(S3, !freed || ended, || {
            format!("{} lost its slot as {}, with nothing ended", after.id, after.status)
        })?;
    }
    Ok(())
}
