//! What writing refuses, and what becomes of transactions that do not end well.

use std::time::Duration;

use super::Full;
use super::rows::*;
use serde_json::json;
use steadfast_core::decision::Outcome;
use steadfast_core::execution::Idempotency;
use steadfast_core::{Attempt, ExecutionId, Status};
use steadfast_services::port::{Batch, Load, Query, StoreError, Transaction};

use crate::stage::{JoinSet, timeout};

fn is_conflict<T: std::fmt::Debug>(result: &Load<T>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

async fn count(store: &impl Full) -> u64 {
    store.count_by_status().await.unwrap().iter().map(|(_, count)| count).sum()
}

pub(crate) async fn a_stale_update_conflicts_and_nothing_of_the_transaction_stays<S: Full>(
    store: S,
) {
    let (one, two) = (execution(1), execution(2));
    apply(&store, &[Batch::InsertExecutions(&[one.clone(), two.clone()])]).await.unwrap();
    let cancelled = next(one.clone(), |row| row.cancel_requested = true);
    apply(&store, &[Batch::UpdateExecutions(std::slice::from_ref(&cancelled))]).await.unwrap();

    let changed = next(two.clone(), |row| row.losses = 1);
    let batch = [changed, next(one, |row| row.losses = 1)];
    let mut tx = store.begin("test").await.unwrap();
    assert!(is_conflict(&tx.apply(Batch::UpdateExecutions(&batch)).await));
    drop(tx);

    let mut tx = store.begin("test").await.unwrap();
    let ids = [ExecutionId(1), ExecutionId(2)];
    assert_eq!(tx.executions(&ids).await, Ok(vec![cancelled, two]));
}

pub(crate) async fn updates_of_every_table_check_the_version<S: Full>(store: S) {
    use steadfast_core::workflow::{Run, Visit};
    let (w, q) = (worker("w"), queue("q", None));
    let run = Run::new(ExecutionId(1), Attempt(1));
    let visit = Visit::new(task_key(1, "t", 0), 1);
    // At version 0, where 1 is expected, or not there at all.
    let updates = [
        Batch::UpdateWorkers(std::slice::from_ref(&w)),
        Batch::UpdateQueues(std::slice::from_ref(&q)),
        Batch::UpdateRuns(std::slice::from_ref(&run)),
        Batch::UpdateVisits(std::slice::from_ref(&visit)),
    ];
    let inserts = [
        Batch::InsertWorkers(std::slice::from_ref(&w)),
        Batch::InsertQueues(std::slice::from_ref(&q)),
        Batch::InsertRuns(std::slice::from_ref(&run)),
        Batch::InsertVisits(std::slice::from_ref(&visit)),
    ];
    for batch in updates {
        assert!(is_conflict(&apply(&store, &[batch]).await), "missing: {batch:?}");
    }
    apply(&store, &inserts).await.unwrap();
    for batch in updates.iter().chain(&inserts) {
        assert!(is_conflict(&apply(&store, &[*batch]).await), "{batch:?}");
    }
    let (mut w, mut q, mut run, mut visit) = (w, q, run, visit);
    let versions = [&mut w.version, &mut q.version, &mut run.version, &mut visit.version];
    for version in versions {
        *version = version.next();
    }
    let updates = [
        Batch::UpdateWorkers(std::slice::from_ref(&w)),
        Batch::UpdateQueues(std::slice::from_ref(&q)),
        Batch::UpdateRuns(std::slice::from_ref(&run)),
        Batch::UpdateVisits(std::slice::from_ref(&visit)),
    ];
    apply(&store, &updates).await.unwrap();
}

pub(crate) async fn unique_keys_refuse_the_second<S: Full>(store: S) {
    let with_key = |id| {
        let mut row = execution(id);
        row.idempotency = Some(Idempotency { key: "k".into(), fingerprint: "f".into() });
        row
    };
    let first = [
        with_key(1),
        child(2, Status::Requested, 9, None),
        child(3, Status::Requested, 9, Some(0)),
        child(4, Status::Requested, 9, Some(1)),
    ];
    let outcome = [(ExecutionId(1), Outcome { result: json!(1), error: None })];
    let parameters = [(ExecutionId(1), json!({"a": 1}))];
    let batches = [
        Batch::InsertExecutions(&first),
        Batch::InsertOutcomes(&outcome),
        Batch::InsertParameters(&parameters),
    ];
    apply(&store, &batches).await.unwrap();
    let refused = [
        execution(1),
        with_key(5),
        child(6, Status::Requested, 9, None),
        child(7, Status::Requested, 9, Some(1)),
    ];
    for row in refused {
        let result = apply(&store, &[Batch::InsertExecutions(&[execution(8), row])]).await;
        assert!(is_conflict(&result), "{result:?}");
    }
    for batch in &batches[1..] {
        assert!(is_conflict(&apply(&store, &[*batch]).await));
    }
    let mut elsewhere = child(10, Status::Requested, 9, None);
    elsewhere.place.as_mut().unwrap().task.occurrence = 1;
    apply(&store, &[Batch::InsertExecutions(&[elsewhere])]).await.unwrap();
    assert_eq!(count(&store).await, 5);
}

pub(crate) async fn impossible_rows_are_refused_for_good<S: Full>(store: S) {
    let broken = [
        next(execution_in(1, Status::Completed), |row| row.ended_at = None),
        next(execution(1), |row| row.ended_at = Some(at(1))),
        next(execution_in(1, Status::Ready), |row| row.order = None),
        next(execution_in(1, Status::Queued), |row| row.order = None),
        next(execution_in(1, Status::Running), |row| row.worker = None),
        next(execution_in(1, Status::Backoff), |row| row.worker = Some(worker_id("w", 1))),
        next(execution_in(1, Status::Completed), |row| row.wake_at = Some(at(1))),
        next(execution_in(1, Status::Completed), |row| row.folded = true),
        next(child(1, Status::Running, 9, None), |row| row.folded = true),
    ];
    for row in broken {
        let result = apply(&store, &[Batch::InsertExecutions(std::slice::from_ref(&row))]).await;
        assert!(matches!(result, Err(StoreError::Corrupt(_))), "{row:?}: {result:?}");
    }
    assert_eq!(count(&store).await, 0);
}

pub(crate) async fn batches_of_every_length_are_written_and_read_whole<S: Full>(store: S) {
    let mut expected = 0;
    for length in [1, 2, 3, 7, 8, 9, 255, 256, 257, 600] {
        let rows: Vec<_> = (expected + 1..=expected + length).map(execution).collect();
        apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
        expected += length;
        let rows: Vec<_> = rows.into_iter().map(|row| next(row, |r| r.losses = 3)).collect();
        apply(&store, &[Batch::UpdateExecutions(&rows)]).await.unwrap();
        let mut tx = store.begin("test").await.unwrap();
        let wanted: Vec<_> = rows.iter().map(|row| row.id).collect();
        assert_eq!(tx.executions(&wanted).await, Ok(rows));
    }
    apply(&store, &[Batch::InsertExecutions(&[])]).await.unwrap();
    assert_eq!(count(&store).await, expected);
}

pub(crate) async fn payloads_come_back_whatever_is_in_them<S: Full>(store: S) {
    let odd = json!({
        "nul": "a\u{0}b", "quote": "'\"\\", "wide": "\u{1F980}\u{FFFF}",
        "numbers": [u64::MAX, i64::MIN, 0.1, 1e308, 5e-324, 1.7976931348623157e308, -0.0],
        "": {"\u{0}": null},
    });
    let big = json!({ "text": "x".repeat(5 << 20), "list": (0..50_000).collect::<Vec<u32>>() });
    let rows = [execution_in(1, Status::Failed), execution_in(2, Status::Completed)];
    let parameters = [(ExecutionId(1), odd.clone()), (ExecutionId(2), big.clone())];
    let failed = Outcome { result: odd, error: Some("no\0thing\u{1F980}".to_owned()) };
    let outcomes =
        [(ExecutionId(1), failed), (ExecutionId(2), Outcome { result: big, error: None })];
    let queues = [queue("a.b", None)];
    let batches = [
        Batch::InsertQueues(&queues),
        Batch::InsertExecutions(&rows),
        Batch::InsertParameters(&parameters),
        Batch::InsertOutcomes(&outcomes),
    ];
    apply(&store, &batches).await.unwrap();
    for n in 0..2 {
        let view = Query::execution(&store, rows[n].id).await.unwrap().unwrap();
        assert_eq!(view.execution, rows[n]);
        assert_eq!(view.parameters, parameters[n].1);
        assert_eq!(view.outcome, outcomes[n].1);
    }
}

pub(crate) async fn a_dropped_transaction_leaves_nothing_and_the_next_one_begins<S: Full>(
    store: S,
) {
    for id in 1..=50 {
        let mut tx = store.begin("test").await.unwrap();
        tx.apply(Batch::InsertExecutions(&[execution(id)])).await.unwrap();
        drop(tx);
    }
    assert_eq!(count(&store).await, 0);
    apply(&store, &[Batch::InsertExecutions(&[execution(1)])]).await.unwrap();
    assert_eq!(count(&store).await, 1);
}

pub(crate) async fn a_transaction_that_is_given_up_at_any_await_leaves_nothing_or_all<S: Full>(
    store: S,
) {
    let rows = |from: u64| (from..from + 64).map(execution).collect::<Vec<_>>();
    let mut committed = 0;
    for n in 0..400u64 {
        let rows = rows(n * 64 + 1);
        let work = async {
            let mut tx = store.begin("test").await.unwrap();
            tx.allocate(1).await.unwrap();
            tx.apply(Batch::InsertExecutions(&rows)).await.unwrap();
            tx.commit().await
        };
        let patience = Duration::from_micros(n * 37 % 6000);
        if timeout(patience, work).await.is_ok() {
            committed += 1;
        }
        let found = count(&store).await;
        assert_eq!(found % 64, 0, "half a transaction");
        assert!(found / 64 >= committed, "an acknowledged commit is gone");
    }
    // However the last one ended, the store goes on.
    apply(&store, &[Batch::InsertExecutions(&rows(1_000_000))]).await.unwrap();
}

pub(crate) async fn many_writers_at_once_lose_nothing<S: Full>(store: S) {
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for _ in 0..40 {
                let mut tx = store.begin("test").await.unwrap();
                let ids = tx.allocate(3).await.unwrap();
                let rows: Vec<_> = ids.map(execution).collect();
                tx.apply(Batch::InsertExecutions(&rows)).await.unwrap();
                commit(tx).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(count(&store).await, 8 * 40 * 3);
}
