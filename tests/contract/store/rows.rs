//! Rows to write, and how they are written.

use std::collections::BTreeMap;

use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::worker::{Worker, WorkerInput};
use steadfast_core::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, Incarnation, ItemKey, Order, Policy, QueueKey,
    Span, Status, TaskKey, Timestamp, Transport, Version, Work, WorkerId,
};
use steadfast_services::port::{Batch, Commit, Committed, Store, StoreError, Transaction};

/// Commits and expects that to work.
pub(crate) async fn commit(tx: impl Transaction) -> Committed {
    match tx.commit().await {
        Commit::Committed(committed) => committed,
        other => panic!("not committed: {other:?}"),
    }
}

/// Applies batches in one transaction.
pub(crate) async fn apply(store: &impl Store, batches: &[Batch<'_>]) -> Result<(), StoreError> {
    let mut tx = store.begin("test").await?;
    for batch in batches {
        tx.apply(*batch).await?;
    }
    commit(tx).await;
    Ok(())
}

pub(crate) const T: u64 = 1_700_000_000_000_000;

pub(crate) fn at(offset: u64) -> Timestamp {
    Timestamp::from_micros(T + offset)
}

/// A requested execution of `a.b`.
pub(crate) fn execution(id: u64) -> Execution {
    Execution {
        id: ExecutionId(id),
        version: Version(0),
        action: ActionRef::new("a.b"),
        definition: DefinitionHash::new("h1"),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status: Status::Requested,
        queue: QueueKey::new("a.b"),
        order: None,
        attempt: Attempt(0),
        failures: 0,
        losses: 0,
        worker: None,
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: None,
        policy: Policy::DEFAULT,
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: at(id),
        started_at: None,
        ended_at: None,
        cause: None,
        wishes: Vec::new(),
    }
}

/// As `status`, with what that takes.
pub(crate) fn execution_in(id: u64, status: Status) -> Execution {
    let mut row = execution(id);
    row.status = status;
    if status != Status::Requested {
        row.order = Some(Order(id));
    }
    if status.has_live_attempt() {
        row.attempt = Attempt(1);
        row.worker = Some(worker_id("w", 1));
    }
    if status.is_terminal() {
        row.ended_at = Some(at(1_000_000));
    }
    row
}

/// A child of `run`.
pub(crate) fn child(id: u64, status: Status, run: u64, index: Option<u32>) -> Execution {
    let mut row = execution_in(id, status);
    row.place = Some(ItemKey { task: task_key(run, "t", 0), index });
    row
}

pub(crate) fn task_key(run: u64, task: &str, occurrence: u32) -> TaskKey {
    TaskKey { run: ExecutionId(run), task: task.into(), occurrence }
}

pub(crate) fn queue(key: &str, limit: Option<u32>) -> Queue {
    Queue::new(QueueKey::new(key), limit, at(0))
}

pub(crate) fn worker_id(name: &str, incarnation: u64) -> WorkerId {
    WorkerId { name: name.into(), incarnation: Incarnation(incarnation) }
}

/// A registered worker.
pub(crate) fn worker(name: &str) -> Worker {
    let mut row = Worker::new(name.into());
    let register = WorkerInput::Register {
        former: None,
        runtimes: ["shell".into(), "python".into()].into(),
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        capacity: 4,
        lease: Span::from_secs(4),
    };
    row.handle(&register, at(0)).expect("a worker can register");
    row
}

/// The row after its next write.
pub(crate) fn next(mut row: Execution, change: impl FnOnce(&mut Execution)) -> Execution {
    row.version = row.version.next();
    change(&mut row);
    row
}

pub(crate) fn ids(rows: &[Execution]) -> Vec<u64> {
    rows.iter().map(|row| row.id.0).collect()
}
