//! What each load and scan of a transaction finds.

use std::collections::BTreeSet;

use super::Full;
use super::rows::*;
use serde_json::json;
use steadfast_core::decision::{ItemPage, Outcome};
use steadfast_core::execution::Idempotency;
use steadfast_core::queue::Occupancy;
use steadfast_core::worker::WorkerState;
use steadfast_core::workflow::{Run, Visit, VisitState};
use steadfast_core::{Attempt, ExecutionId, Order, QueueKey, Runtime, Status, Timestamp, Work};
use steadfast_services::port::{Batch, Load, Pointer, Transaction};

fn eid(ids: &[u64]) -> Vec<ExecutionId> {
    ids.iter().map(|id| ExecutionId(*id)).collect()
}

fn pointed(found: Load<Vec<Pointer>>) -> Vec<u64> {
    found.expect("the scan works").iter().map(|pointer| pointer.execution.0).collect()
}

async fn begin_with<S: Full>(store: &S, batches: &[Batch<'_>]) -> S::Tx {
    apply(store, batches).await.expect("the rows can be written");
    store.begin("test").await.expect("a transaction begins")
}

pub(crate) async fn an_empty_store_answers_everything_with_nothing<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    let key = [QueueKey::new("q")];
    assert_eq!(tx.workers(None).await, Ok(vec![]));
    assert_eq!(tx.workers(Some(&["w".into()])).await, Ok(vec![]));
    assert_eq!(tx.queues(&key).await, Ok(vec![]));
    let none = Occupancy::default();
    assert_eq!(tx.occupancy(&key, &BTreeSet::new(), 9).await, Ok(vec![(key[0].clone(), none)]));
    assert_eq!(tx.line(&key, 10).await, Ok(vec![]));
    assert_eq!(tx.runs(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.executions(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.executions(&[]).await, Ok(vec![]));
    assert_eq!(tx.executions_by_key(&["k".to_owned()]).await, Ok(vec![]));
    assert_eq!(tx.ready(&BTreeSet::from(["shell".into()]), 5).await, Ok(vec![]));
    assert_eq!(tx.ready(&BTreeSet::new(), 5).await, Ok(vec![]));
    assert_eq!(tx.ended_children(&eid(&[1]), 5).await, Ok(vec![]));
    assert_eq!(tx.find_live_children(&eid(&[1]), 5).await, Ok(vec![]));
    assert_eq!(tx.open_visits(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.parameters(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.errors(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.visit_results(&[task_key(1, "t", 0)]).await, Ok(vec![]));
    assert_eq!(tx.items(&[(task_key(1, "t", 0), 0)]).await, Ok(vec![]));
    assert_eq!(tx.pointers(&eid(&[1])).await, Ok(vec![]));
    assert_eq!(tx.find_due(Timestamp::MAX, 5).await, Ok(vec![]));
    assert_eq!(tx.find_orphans(5).await, Ok(vec![]));
    assert_eq!(tx.find_lines(5).await, Ok(vec![]));
    assert_eq!(tx.find_ready().await, Ok(vec![]));
    assert_eq!(tx.find_runs(5).await, Ok(vec![]));
    assert_eq!(tx.held(&worker_id("w", 1)).await, Ok(vec![]));
    assert_eq!(tx.queues_of(&"a.b".into()).await, Ok(vec![]));
    commit(tx).await;
}

pub(crate) async fn identities_are_given_once<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    assert_eq!(tx.allocate(3).await, Ok(1..4));
    assert_eq!(tx.allocate(2).await, Ok(4..6));
    drop(tx);
    let mut tx = store.begin("test").await.unwrap();
    let after = tx.allocate(1).await.unwrap();
    assert!(after.start >= 6, "{after:?} may have been shown to somebody");
    commit(tx).await;
}

pub(crate) async fn workers_are_found_by_name_and_the_gone_are_left_out_of_the_rest<S: Full>(
    store: S,
) {
    let (a, mut b, c) = (worker("a"), worker("b"), worker("c"));
    b.state = WorkerState::Gone;
    let mut tx =
        begin_with(&store, &[Batch::InsertWorkers(&[a.clone(), b.clone(), c.clone()])]).await;
    assert_eq!(tx.workers(None).await, Ok(vec![a, c.clone()]));
    assert_eq!(tx.workers(Some(&["c".into(), "b".into(), "x".into()])).await, Ok(vec![b, c]));
}

pub(crate) async fn queues_their_occupancy_and_their_lines<S: Full>(store: S) {
    let queues = [queue("p|x", Some(2)), queue("p|y", None), queue("z", Some(1))];
    let mut rows = vec![
        execution_in(1, Status::Running),
        execution_in(2, Status::Ready),
        execution_in(5, Status::Queued),
        execution_in(4, Status::Queued),
        execution_in(3, Status::Queued),
        execution_in(6, Status::Completed),
        execution_in(7, Status::Backoff),
        execution(8),
    ];
    rows.iter_mut().for_each(|row| row.queue = QueueKey::new("p|x"));
    rows[2].order = Some(Order(2));
    let mut other = execution_in(9, Status::Queued);
    other.queue = QueueKey::new("p|y");
    rows.push(other);
    let batches = [Batch::InsertQueues(&queues), Batch::InsertExecutions(&rows)];
    let mut tx = begin_with(&store, &batches).await;

    let keys: Vec<QueueKey> = ["p|y", "p|x", "p|x", "z", "none"].map(QueueKey::new).into();
    let found = tx.queues(&keys).await.unwrap();
    assert_eq!(found, queues);
    assert_eq!(tx.queues_of(&"p".into()).await, Ok(vec!["p|x".into(), "p|y".into()]));

    let limited = BTreeSet::from(["p|x".into()]);
    let of = |holding, waiting| Occupancy { holding, waiting, horizon: None };
    for (most, of_x) in [(9, 3), (3, 3), (2, 2), (1, 1)] {
        let counts = tx.occupancy(&keys[..2], &limited, most).await.unwrap();
        assert_eq!(counts, [("p|x".into(), of(2, of_x)), ("p|y".into(), of(0, 1))]);
    }

    assert_eq!(ids(&tx.line(&keys, 2).await.unwrap()), [5, 3, 9]);
    assert_eq!(ids(&tx.line(&keys, 100).await.unwrap()), [5, 3, 4, 9]);
    assert_eq!(tx.find_lines(1).await, Ok(vec!["p|x".into()]));
    assert_eq!(tx.find_lines(9).await, Ok(vec!["p|x".into(), "p|y".into()]));
}

pub(crate) async fn ready_executions_come_oldest_first_and_by_runtime<S: Full>(store: S) {
    let of = |id, runtime: &str| {
        let mut row = execution_in(id, Status::Ready);
        row.work = Work::Runtime(runtime.into());
        row
    };
    let mut workflow = execution_in(1, Status::Ready);
    workflow.work = Work::Workflow;
    let rows = [
        workflow,
        of(2, "shell"),
        of(3, "python"),
        of(4, "shell"),
        of(5, "perl"),
        execution_in(6, Status::Queued),
        execution_in(7, Status::Running),
    ];
    let mut tx = begin_with(&store, &[Batch::InsertExecutions(&rows)]).await;
    let runtimes = BTreeSet::from(["python".into(), "shell".into()]);
    assert_eq!(ids(&tx.ready(&runtimes, 10).await.unwrap()), [2, 3, 4]);
    assert_eq!(ids(&tx.ready(&runtimes, 2).await.unwrap()), [2, 3]);
    assert_eq!(tx.ready(&BTreeSet::from(["ruby".into()]), 2).await, Ok(vec![]));
    let handlers = (0..40).map(|n| Runtime::new(format!("handler-{n}")));
    let many: BTreeSet<Runtime> = handlers.chain(runtimes).collect();
    assert_eq!(ids(&tx.ready(&many, 10).await.unwrap()), [2, 3, 4]);
    assert_eq!(ids(&tx.ready(&many, 1).await.unwrap()), [2]);
    let waiting: Vec<Runtime> = ["perl", "python", "shell"].map(Runtime::new).into();
    assert_eq!(tx.find_ready().await, Ok(waiting));
    assert_eq!(tx.find_runs(9).await, Ok(eid(&[1])));
}

pub(crate) async fn children_that_ended_and_children_that_live<S: Full>(store: S) {
    let mut folded = child(14, Status::Completed, 1, Some(4));
    folded.folded = true;
    let mut stopping = child(15, Status::Running, 1, Some(5));
    stopping.cancel_requested = true;
    let rows = [
        child(10, Status::Failed, 1, Some(0)),
        child(11, Status::Completed, 1, Some(1)),
        child(12, Status::Completed, 1, Some(2)),
        child(13, Status::Completed, 2, None),
        folded,
        stopping,
        child(16, Status::Queued, 1, Some(6)),
        execution_in(17, Status::Completed),
    ];
    let mut tx = begin_with(&store, &[Batch::InsertExecutions(&rows)]).await;
    let runs = eid(&[2, 1, 1, 3]);
    assert_eq!(ids(&tx.ended_children(&runs, 2).await.unwrap()), [10, 11, 13]);
    assert_eq!(ids(&tx.ended_children(&runs, 9).await.unwrap()), [10, 11, 12, 13]);
    assert_eq!(pointed(tx.find_live_children(&runs, 9).await), [16, 15]);
    assert_eq!(pointed(tx.find_live_children(&runs, 1).await), [16]);
    assert_eq!(tx.find_runs(9).await, Ok(eid(&[1, 2])));
    assert_eq!(tx.find_runs(1).await, Ok(eid(&[1])));
}

pub(crate) async fn runs_that_can_be_advanced<S: Full>(store: S) {
    let workflow = |id, status| {
        let mut row = execution_in(id, status);
        row.work = Work::Workflow;
        row.worker = None;
        row
    };
    let mut cancelling = workflow(4, Status::Running);
    cancelling.cancel_requested = true;
    let rows = [
        workflow(1, Status::Ready),
        workflow(2, Status::Running),
        workflow(3, Status::TimedOut),
        cancelling,
        workflow(5, Status::Completed),
        child(6, Status::Completed, 2, None),
    ];
    let mut closed = Run::new(ExecutionId(5), Attempt(1));
    closed.open = false;
    let open = |id| Run::new(ExecutionId(id), Attempt(1));
    let runs = [open(2), open(3), open(4), closed];
    let batches = [Batch::InsertRuns(&runs), Batch::InsertExecutions(&rows)];
    let mut tx = begin_with(&store, &batches).await;
    assert_eq!(tx.find_runs(9).await, Ok(eid(&[1, 2, 3, 4])));
    assert_eq!(tx.runs(&eid(&[5, 2, 9])).await, Ok(vec![open(2), runs[3].clone()]));
}

pub(crate) async fn due_executions_come_earliest_first<S: Full>(store: S) {
    let mut rows: Vec<_> = (1..=4).map(execution).collect();
    rows[0].wake_at = Some(at(30));
    rows[1].wake_at = Some(at(10));
    rows[2].wake_at = Some(at(20));
    rows[1].cancel_requested = true;
    let mut tx = begin_with(&store, &[Batch::InsertExecutions(&rows)]).await;
    assert_eq!(pointed(tx.find_due(at(20), 9).await), [2, 3]);
    assert_eq!(pointed(tx.find_due(at(99), 1).await), [2]);
    assert_eq!(tx.find_due(at(9), 9).await, Ok(vec![]));
    let pointers = tx.pointers(&eid(&[1, 2, 77])).await.unwrap();
    let definition = rows[0].definition.clone();
    let queue = rows[0].queue.clone();
    let pointer = |id, stopping| Pointer {
        execution: ExecutionId(id),
        queue: queue.clone(),
        definition: definition.clone(),
        stopping,
    };
    assert_eq!(pointers, [pointer(1, false), pointer(2, true)]);
}

pub(crate) async fn attempts_of_workers_that_are_dead_gone_superseded_or_unknown_are_orphans<
    S: Full,
>(
    store: S,
) {
    let (mut dead, mut gone, mut newer, alive) =
        (worker("dead"), worker("gone"), worker("newer"), worker("w"));
    dead.state = WorkerState::Dead;
    gone.state = WorkerState::Gone;
    newer.incarnation.0 = 2;
    let held_by = |id, name: &str, status| {
        let mut row = execution_in(id, status);
        row.worker = Some(worker_id(name, 1));
        row
    };
    let rows = [
        held_by(1, "dead", Status::Running),
        held_by(2, "gone", Status::Offered),
        held_by(3, "newer", Status::Accepted),
        held_by(4, "w", Status::Running),
        held_by(5, "nobody", Status::Running),
        held_by(6, "dead", Status::Completed),
        held_by(7, "w", Status::Offered),
    ];
    let workers = [dead, gone, newer, alive];
    let batches = [Batch::InsertWorkers(&workers), Batch::InsertExecutions(&rows)];
    let mut tx = begin_with(&store, &batches).await;
    let found: BTreeSet<u64> = pointed(tx.find_orphans(9).await).into_iter().collect();
    assert_eq!(found, BTreeSet::from([1, 2, 3, 5]));
    assert_eq!(pointed(tx.find_orphans(2).await).len(), 2);
    let held = tx.held(&worker_id("w", 1)).await.unwrap();
    assert_eq!(held.iter().map(|held| held.execution.0).collect::<Vec<_>>(), [4, 7]);
    assert_eq!(held[0].token, rows[3].token());
    assert_eq!(tx.held(&worker_id("w", 2)).await, Ok(vec![]));
}

pub(crate) async fn submissions_are_found_by_key<S: Full>(store: S) {
    let with = |id, key: &str| {
        let mut row = execution(id);
        row.idempotency = Some(Idempotency { key: key.into(), fingerprint: format!("f{id}") });
        row
    };
    let rows = [with(1, "a"), with(2, "b\0c"), with(3, "b"), execution(4)];
    let mut tx = begin_with(&store, &[Batch::InsertExecutions(&rows)]).await;
    let keys = ["b\0c", "a", "a", "x"].map(String::from);
    assert_eq!(tx.executions_by_key(&keys).await, Ok(rows[..2].to_vec()));
    let many: Vec<String> = (0..1000).map(|n| format!("k{n}")).chain(keys).collect();
    assert_eq!(ids(&tx.executions_by_key(&many).await.unwrap()), [1, 2]);
}

pub(crate) async fn visits_their_results_and_their_items<S: Full>(store: S) {
    let mut over = Visit::new(task_key(1, "over", 0), 1);
    over.state = VisitState::Ended;
    over.status = Some(Status::Completed);
    let mut absorbing = over.clone();
    absorbing.key = task_key(1, "absorbing", 0);
    absorbing.absorbing = true;
    let mut running = Visit::new(task_key(1, "t", 0), 2);
    running.state = VisitState::Running;
    running.arrived = ["x".into(), "y".into()].into();
    running.vars = [("v".to_owned(), json!({"deep": [1.5, null]}))].into();
    let waiting = Visit::new(task_key(2, "t", 1), 1);
    let visits = [over, absorbing.clone(), running.clone(), waiting.clone()];
    let children = [
        child(10, Status::Failed, 1, Some(1)),
        child(11, Status::Completed, 1, Some(0)),
        child(12, Status::Completed, 1, Some(2)),
        child(13, Status::Running, 1, Some(3)),
    ];
    let failed = Outcome { result: json!(null), error: Some("no".to_owned()) };
    let done = Outcome { result: json!({"n": 1}), error: None };
    let outcomes = [(ExecutionId(10), failed.clone()), (ExecutionId(11), done.clone())];
    let page = |page, items| ItemPage { visit: task_key(1, "t", 0), page, items };
    let pages = [page(0, vec![json!(1), json!("two")]), page(1, vec![])];
    let batches = [
        Batch::InsertExecutions(&children),
        Batch::InsertVisits(&visits),
        Batch::InsertOutcomes(&outcomes),
        Batch::InsertItems(&pages),
    ];
    let mut tx = begin_with(&store, &batches).await;
    assert_eq!(tx.open_visits(&eid(&[2, 1])).await, Ok(vec![absorbing, running, waiting]));
    let results = tx.visit_results(&[task_key(1, "t", 0), task_key(1, "none", 0)]).await.unwrap();
    let seen: Vec<_> = results.into_iter().map(|r| (r.index, r.status, r.outcome)).collect();
    let nothing = Outcome::default();
    let expected = [
        (Some(0), Status::Completed, done),
        (Some(1), Status::Failed, failed),
        (Some(2), Status::Completed, nothing),
    ];
    assert_eq!(seen, expected);
    assert_eq!(tx.errors(&eid(&[10, 11, 12])).await, Ok(vec![(ExecutionId(10), "no".into())]));
    let key = task_key(1, "t", 0);
    let found = tx.items(&[(key.clone(), 1), (key.clone(), 0), (key, 7)]).await;
    assert_eq!(found, Ok(pages.to_vec()));
}
