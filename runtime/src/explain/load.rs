//! Reading what an explanation is made of.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::execution::Execution;
use steadfast_core::workflow::VisitState;
use steadfast_core::{ExecutionId, Status, TaskName};
use steadfast_services::port::{
    Cursor, Env, ExecutionFilter, ExecutionView, Query, QueueView, StoreError,
};

use super::{Explanation, Holder, Situation, explain};
use crate::engine::{Engine, EngineError};

/// How many executions are read at once.
const PAGE: u32 = 500;

/// The longest line in which a place is counted.
const LONGEST_LINE: u64 = 2_000;

/// How many of those in line are asked which workflow waits for them.
const ASKED: usize = 200;

/// How deep workflows are followed upwards.
const DEPTH: usize = 32;

/// What an execution is waiting for.
///
/// The rows are read one after the other, so the answer may mix two moments; it is an explanation
/// and nothing is decided by it.
///
/// # Errors
/// If there is no such execution, or the store cannot be read.
pub async fn explain_execution(
    engine: &Engine,
    id: ExecutionId,
) -> Result<Explanation, EngineError> {
    let view = engine.find(id).await?;
    let execution = &view.execution;
    let query = engine.query();
    let queues = match execution.status {
        Status::Queued => query.queues(Some(&execution.action)).await?,
        _ => Vec::new(),
    };
    let queue = queues.iter().find(|queue| queue.queue.key == execution.queue);
    let line = match queue {
        Some(queue) => Line::read(query, execution, queue).await?,
        None => Line::default(),
    };
    let workers = query.workers().await?;
    let run = if execution.is_workflow() { query.run(id).await? } else { None };
    let waiting: BTreeSet<&TaskName> = run
        .iter()
        .flat_map(|(_, visits)| visits)
        .filter(|visit| visit.state == VisitState::Waiting)
        .map(|visit| &visit.key.task)
        .collect();
    let situation = Situation {
        now: engine.env().now(),
        execution,
        queue,
        position: line.position,
        holders: &line.holders,
        workers: &workers,
        run: run.as_ref(),
        predecessors: &predecessors(engine, &view, waiting).await?,
    };
    Ok(explain(&situation))
}

async fn predecessors(
    engine: &Engine,
    view: &ExecutionView,
    waiting: BTreeSet<&TaskName>,
) -> Result<BTreeMap<TaskName, BTreeSet<TaskName>>, EngineError> {
    if waiting.is_empty() {
        return Ok(BTreeMap::new());
    }
    let definition = engine.definition_of(view).await?;
    let Some(workflow) = definition.as_ref().and_then(|definition| definition.workflow()) else {
        return Ok(BTreeMap::new());
    };
    let graph = &workflow.graph;
    Ok(waiting.into_iter().map(|task| (task.clone(), graph.predecessors(task))).collect())
}

/// Who is before an execution.
#[derive(Default)]
struct Line {
    position: Option<u64>,
    holders: Vec<Holder>,
}

impl Line {
    async fn read<Q: Query>(
        query: &Q,
        execution: &Execution,
        queue: &QueueView,
    ) -> Result<Self, StoreError> {
        let mine = |other: &Execution| other.queue == execution.queue;
        let slots = [Status::Ready, Status::Offered, Status::Accepted, Status::Running];
        let holding = list(query, execution, &slots, PAGE.into()).await?;
        let holding: Vec<Execution> = holding.into_iter().filter(mine).collect();
        let waiting = if queue.waiting <= LONGEST_LINE {
            list(query, execution, &[Status::Queued], LONGEST_LINE).await?
        } else {
            Vec::new()
        };
        let waiting: Vec<Execution> = waiting.into_iter().filter(mine).collect();
        // Rows may have moved on since the queue was counted: without this one among them the
        // place is unknown.
        let position = waiting
            .iter()
            .any(|other| other.id == execution.id)
            .then(|| 1 + waiting.iter().filter(|o| o.order < execution.order).count() as u64);
        let blocked = blocked(query, &holding, &waiting).await?;
        let holders = holding
            .into_iter()
            .map(|holder| Holder {
                execution: holder.id,
                worker: holder.worker.map(|worker| worker.name),
                blocked: blocked.contains(&holder.id),
            })
            .collect();
        Ok(Self { position, holders })
    }
}

/// Executions of the same action in one of `statuses`, in order of creation, up to about `limit`.
async fn list<Q: Query>(
    query: &Q,
    like: &Execution,
    statuses: &[Status],
    limit: u64,
) -> Result<Vec<Execution>, StoreError> {
    let mut filter = ExecutionFilter {
        statuses: statuses.to_vec(),
        action: Some(like.action.clone()),
        limit: PAGE,
        ..ExecutionFilter::default()
    };
    let mut found: Vec<Execution> = Vec::new();
    loop {
        let page = query.executions(&filter).await?;
        let full = page.len() == PAGE as usize;
        filter.cursor = page.last().map(|view| Cursor(view.execution.id));
        found.extend(page.into_iter().map(|view| view.execution));
        if !full || found.len() as u64 >= limit {
            found.reverse();
            return Ok(found);
        }
    }
}

/// Which holders are workflows that somebody in line belongs to: they cannot end before that one
/// has had a slot, unless they are being cancelled.
async fn blocked<Q: Query>(
    query: &Q,
    holding: &[Execution],
    waiting: &[Execution],
) -> Result<BTreeSet<ExecutionId>, StoreError> {
    let mut blocked = BTreeSet::new();
    let candidates: BTreeSet<ExecutionId> = holding
        .iter()
        .filter(|holder| holder.is_workflow() && !holder.cancel_requested)
        .map(|holder| holder.id)
        .collect();
    if candidates.len() < holding.len() {
        return Ok(blocked);
    }
    let mut seen = BTreeSet::new();
    for waiter in waiting.iter().take(ASKED) {
        let mut parent = waiter.parent();
        for _ in 0..DEPTH {
            let Some(id) = parent else { break };
            if candidates.contains(&id) {
                blocked.insert(id);
            }
            if !seen.insert(id) {
                break;
            }
            parent = query.execution(id).await?.and_then(|view| view.execution.parent());
        }
    }
    Ok(blocked)
}
