//! Loading that several steps share.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::claim;
use steadfast_core::queue::Occupancy;
use steadfast_core::unit::Unit;
use steadfast_core::worker::Worker;
use steadfast_core::{ExecutionId, QueueKey, WorkerId, WorkerName};

use crate::port::{Load, Pointer, Transaction};

/// Locks queues and loads what their rows add up to, with the heads of their lines: enough for
/// `heads` promotions in each, and for as many waiters that are loaded besides to leave the line.
///
/// # Errors
/// If the store fails.
pub async fn queues<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    keys: &BTreeSet<QueueKey>,
    heads: usize,
) -> Load<()> {
    load_queues(tx, unit, keys, heads, None).await
}

/// [`queues`], for a decision in which as many `newcomers` may join a line and be refused if it is
/// too long.
///
/// # Errors
/// If the store fails.
pub async fn queues_to_enter<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    keys: &BTreeSet<QueueKey>,
    newcomers: usize,
) -> Load<()> {
    load_queues(tx, unit, keys, 1, Some(newcomers as u64)).await
}

async fn load_queues<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    keys: &BTreeSet<QueueKey>,
    heads: usize,
    newcomers: Option<u64>,
) -> Load<()> {
    // Whoever leaves the line in this decision, the count still says that somebody is left. All of a
    // long line are not counted: its work would grow with the square of its length.
    let few = 2 * heads.max(1) as u64 + 1;
    if keys.is_empty() {
        return Ok(());
    }
    let wanted: Vec<QueueKey> = keys.iter().cloned().collect();
    let early = if unit.is_planted("occupancy_counted_before_the_lock") {
        Some(tx.occupancy(&wanted, keys, few).await?)
    } else {
        None
    };
    let rows = tx.queues(&wanted).await?;
    // A line cannot be longer than the number of those who ever came.
    let longest = unit.settings.max_queue_length;
    let alone = unit.is_planted("newcomers_not_counted");
    let may_be_full = |more: u64| {
        let more = if alone { 0 } else { more };
        rows.iter().any(|q| q.next_order.0.saturating_add(more) > longest)
    };
    let most = if newcomers.is_some_and(may_be_full) { longest.max(few) } else { few };
    let limited: BTreeSet<QueueKey> =
        rows.iter().filter(|q| q.limit().is_some()).map(|q| q.key.clone()).collect();
    let known: Vec<QueueKey> = rows.iter().map(|q| q.key.clone()).collect();
    wanted.into_iter().for_each(|key| unit.look_for_queue(key));
    rows.into_iter().for_each(|row| unit.queues.load(row));
    let counts = match early {
        Some(counts) => counts,
        None => tx.occupancy(&known, &limited, most).await?,
    };
    let waiting = |(_, occupancy): &&(QueueKey, Occupancy)| occupancy.waiting > 0;
    let lines: Vec<QueueKey> = counts.iter().filter(waiting).map(|(key, _)| key.clone()).collect();
    let heads = u32::try_from(heads.clamp(1, 1024)).unwrap_or(1024);
    let line = if lines.is_empty() { Vec::new() } else { tx.line(&lines, heads).await? };
    for (key, mut occupancy) in counts {
        let seen: Vec<_> = line.iter().filter(|e| e.queue == key).collect();
        if (seen.len() as u64) < occupancy.waiting {
            occupancy.horizon = seen.iter().filter_map(|e| e.order).max();
        }
        unit.load_occupancy(key, occupancy);
    }
    line.into_iter().for_each(|execution| unit.load_execution(execution));
    Ok(())
}

/// Locks a worker.
///
/// # Errors
/// If the store fails.
pub async fn worker<T: Transaction>(tx: &mut T, unit: &mut Unit, name: &WorkerName) -> Load<()> {
    named_workers(tx, unit, std::slice::from_ref(name)).await
}

/// Locks workers.
///
/// # Errors
/// If the store fails.
pub async fn named_workers<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    names: &[WorkerName],
) -> Load<()> {
    for worker in tx.workers(Some(names)).await? {
        unit.workers.load(worker);
    }
    Ok(())
}

/// Locks a worker, then the queues of the attempts that this process of it has, then the attempts.
///
/// # Errors
/// If the store fails.
pub async fn worker_with_attempts<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    id: &WorkerId,
) -> Load<()> {
    worker(tx, unit, &id.name).await?;
    let held = tx.held(id).await?;
    let keys = held.iter().map(|held| held.queue.clone()).collect();
    queues(tx, unit, &keys, held.len()).await?;
    let ids: Vec<ExecutionId> = held.iter().map(|held| held.execution).collect();
    if !ids.is_empty() {
        for execution in tx.executions(&ids).await? {
            unit.load_execution(execution);
        }
    }
    Ok(())
}

/// Loads every worker that is not gone, without locking any.
///
/// # Errors
/// If the store fails.
pub async fn workers<T: Transaction>(tx: &mut T, unit: &mut Unit) -> Load<()> {
    for worker in tx.workers(None).await? {
        unit.workers.load(worker);
    }
    Ok(())
}

/// Loads who could be assigned what this decision makes ready, where work is assigned; their loads.
/// `None` if that is left to the dispatcher: nobody has room, or others have waited for longer.
///
/// # Errors
/// If the store fails.
pub async fn takers<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
) -> Load<Option<Vec<(WorkerId, u32)>>> {
    if !unit.transport.pushes() || !tx.find_ready().await?.is_empty() {
        return Ok(None);
    }
    // Not locked: see the dispatcher.
    let rows = tx.workers(None).await?;
    if !rows.iter().any(Worker::takes_work) {
        return Ok(None);
    }
    let loads = tx.loads().await?;
    if claim::room(&rows, &loads) == 0 {
        return Ok(None);
    }
    rows.into_iter().for_each(|worker| unit.workers.load(worker));
    Ok(Some(loads))
}

/// Locks the queues of executions, then the executions themselves.
///
/// # Errors
/// If the store fails.
pub async fn executions_at<T: Transaction>(
    tx: &mut T,
    unit: &mut Unit,
    pointers: &[Pointer],
) -> Load<()> {
    if pointers.is_empty() {
        return Ok(());
    }
    let mut keys: BTreeMap<QueueKey, usize> = BTreeMap::new();
    for pointer in pointers {
        *keys.entry(pointer.queue.clone()).or_default() += 1;
    }
    let heads = keys.values().copied().max().unwrap_or(0);
    queues(tx, unit, &keys.into_keys().collect(), heads).await?;
    let ids: BTreeSet<ExecutionId> = pointers.iter().map(|p| p.execution).collect();
    let ids: Vec<ExecutionId> = ids.into_iter().collect();
    for execution in tx.executions(&ids).await? {
        unit.load_execution(execution);
    }
    Ok(())
}
