//! What retention lets go of.

use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::workflow::Run;
use steadfast_core::{Attempt, ExecutionId, Span, Status};
use steadfast_services::port::{Batch, Query, Store, Transaction};

use super::Full;
use super::rows::*;

/// Lets go of everything that may go.
async fn retain(store: &impl Store, keep: Span) -> u64 {
    let mut dropped = 0;
    for _ in 0..20 {
        let done = store.retain(keep).await.expect("history is looked after");
        dropped += done.dropped;
        if !done.more {
            return dropped;
        }
    }
    panic!("retention does not come to an end");
}

fn keyed(mut row: Execution, key: &str) -> Execution {
    row.idempotency = Some(Idempotency { key: key.to_owned(), fingerprint: "f".to_owned() });
    row
}

async fn is_there(store: &impl Full, id: u64) -> bool {
    Query::execution(store, ExecutionId(id)).await.unwrap().is_some()
}

pub(crate) async fn retention_takes_what_is_over_for_long_and_nothing_else<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    let now = tx.now().await.unwrap();
    commit(tx).await;
    let mut recent = execution_in(2, Status::Failed);
    recent.ended_at = Some(now);
    let root = |id, status| {
        let mut row = execution_in(id, status);
        row.work = steadfast_core::Work::Workflow;
        row
    };
    let rows = [
        keyed(execution_in(1, Status::Completed), "old"),
        keyed(recent, "recent"),
        execution_in(3, Status::Queued),
        root(4, Status::Running),
        child(5, Status::Completed, 4, Some(0)),
        // Its run is still to be closed.
        root(6, Status::Cancelled),
        child(7, Status::Running, 6, None),
        child(8, Status::Cancelled, 6, Some(1)),
    ];
    let runs = [Run::new(ExecutionId(4), Attempt(1)), Run::new(ExecutionId(6), Attempt(1))];
    let batches = [Batch::InsertRuns(&runs), Batch::InsertExecutions(&rows)];
    apply(&store, &batches).await.unwrap();
    assert_eq!(retain(&store, Span::from_secs(3600)).await, 1);
    assert!(!is_there(&store, 1).await);
    for id in 2..=8 {
        assert!(is_there(&store, id).await, "{id}");
    }
    // A key is kept as long as its execution.
    let again = |id, key| [keyed(execution(id), key)];
    apply(&store, &[Batch::InsertExecutions(&again(10, "old"))]).await.expect("it is free again");
    let taken = apply(&store, &[Batch::InsertExecutions(&again(11, "recent"))]).await;
    assert!(taken.is_err(), "{taken:?}");
}
