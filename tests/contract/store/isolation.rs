//! What transactions see of each other, and what they never do to each other.

use std::collections::BTreeSet;
use std::time::Duration;

use steadfast_core::{ExecutionId, QueueKey, Status};
use steadfast_services::port::{Batch, Commit, Query, StoreError, Transaction};

use super::Full;
use super::rows::*;
use crate::stage::{JoinSet, sleep, timeout};

pub(crate) async fn a_transaction_sees_what_it_has_written_and_nobody_else_does<S: Full>(store: S) {
    let mut tx = store.begin("test").await.unwrap();
    tx.apply(Batch::InsertExecutions(&[execution(1)])).await.unwrap();
    let changed = next(execution(1), |row| row.losses = 3);
    tx.apply(Batch::UpdateExecutions(std::slice::from_ref(&changed))).await.unwrap();
    assert_eq!(tx.executions(&[ExecutionId(1)]).await, Ok(vec![changed.clone()]));
    assert_eq!(Query::execution(&store, ExecutionId(1)).await, Ok(None));
    commit(tx).await;
    let seen = Query::execution(&store, ExecutionId(1)).await.unwrap().unwrap();
    assert_eq!(seen.execution, changed);
}

pub(crate) async fn the_clock_never_goes_back_and_dates_what_was_decided_last<S: Full>(store: S) {
    let mut latest = None;
    for _ in 0..20 {
        let mut tx = store.begin("test").await.unwrap();
        let now = tx.now().await.unwrap();
        sleep(Duration::from_millis(2)).await;
        tx.queues(&[QueueKey::new("q")]).await.unwrap();
        let decided = tx.now().await.unwrap();
        assert!(latest <= Some(now) && now <= decided, "{latest:?}, {now:?}, {decided:?}");
        assert_eq!(commit(tx).await.at(), decided);
        latest = Some(now);
    }
}

/// Gives out the next place in a queue's line, again and again if somebody else was first.
async fn take_a_place(store: &impl Full, key: &QueueKey) -> u64 {
    loop {
        let mut tx = store.begin("test").await.unwrap();
        let mut row = tx.queues(std::slice::from_ref(key)).await.unwrap().remove(0);
        let place = row.next_order.0;
        row.version = row.version.next();
        row.next_order.0 += 1;
        match tx.apply(Batch::UpdateQueues(&[row])).await {
            Ok(()) => {}
            Err(StoreError::Conflict(_)) => continue,
            Err(error) => panic!("{error}"),
        }
        match tx.commit().await {
            Commit::Committed(_) => return place,
            Commit::Failed(StoreError::Conflict(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn who_reads_a_locked_row_to_change_it_loses_no_change<S: Full>(store: S) {
    apply(&store, &[Batch::InsertQueues(&[queue("q", None)])]).await.unwrap();
    let first = Query::queues(&store, None).await.unwrap()[0].queue.next_order.0;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut places = Vec::new();
            for _ in 0..20 {
                places.push(take_a_place(&store, &QueueKey::new("q")).await);
            }
            places
        });
    }
    let mut places: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    places.sort_unstable();
    assert_eq!(places, (first..first + 160).collect::<Vec<_>>());
}

pub(crate) async fn who_waits_for_a_lock_sees_what_its_holder_did<S: Full>(store: S) {
    let key = [QueueKey::new("q")];
    apply(&store, &[Batch::InsertQueues(&[queue("q", None)])]).await.unwrap();
    let mut holder = store.begin("test").await.unwrap();
    let mut row = holder.queues(&key).await.unwrap().remove(0);
    let (other, keys) = (store.clone(), key.clone());
    let mut waiter = JoinSet::new();
    waiter.spawn(async move {
        let mut tx = other.begin("test").await.unwrap();
        tx.queues(&keys).await.unwrap().remove(0)
    });
    let early = timeout(Duration::from_millis(300), waiter.join_next()).await;
    assert!(early.is_err(), "it did not wait: {early:?}");
    row.version = row.version.next();
    row.paused = true;
    holder.apply(Batch::UpdateQueues(std::slice::from_ref(&row))).await.unwrap();
    commit(holder).await;
    assert_eq!(waiter.join_all().await, [row]);
}

/// Takes up to five ready executions; empty if there is none.
async fn claim(store: &impl Full) -> Vec<u64> {
    let mut tx = store.begin("test").await.unwrap();
    let found = tx.ready(&BTreeSet::from(["python".into(), "shell".into()]), 5).await.unwrap();
    let taken: Vec<_> = found
        .into_iter()
        .map(|row| {
            next(row, |row| {
                row.status = Status::Running;
                row.attempt.0 = 1;
                row.worker = Some(worker_id("w", 1));
            })
        })
        .collect();
    tx.apply(Batch::UpdateExecutions(&taken)).await.unwrap();
    commit(tx).await;
    ids(&taken)
}

pub(crate) async fn many_who_claim_at_once_never_share_a_row<S: Full>(store: S) {
    let of = |id: u64| {
        let mut row = execution_in(id, Status::Ready);
        let runtime = if id.is_multiple_of(3) { "python" } else { "shell" };
        row.work = steadfast_core::Work::Runtime(runtime.into());
        row
    };
    let rows: Vec<_> = (1..=400).map(of).collect();
    apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let more = claim(&store).await;
                if more.is_empty() {
                    return mine;
                }
                assert!(more.is_sorted(), "not oldest first: {more:?}");
                mine.extend(more);
            }
        });
    }
    let mut all: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    // Whoever found nothing may have passed over rows that somebody else then left.
    loop {
        let rest = claim(&store).await;
        if rest.is_empty() {
            break;
        }
        all.extend(rest);
    }
    all.sort_unstable();
    assert_eq!(all, (1..=400).collect::<Vec<_>>());
}

pub(crate) async fn identities_are_given_to_one_of_many<S: Full>(store: S) {
    let mut tasks = JoinSet::new();
    for n in 0..8u32 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for k in 0..10 {
                let mut tx = store.begin("test").await.unwrap();
                let ids = tx.allocate(1 + n * 37 + k * 111).await.unwrap();
                assert_eq!(ids.end - ids.start, u64::from(1 + n * 37 + k * 111));
                mine.extend(ids);
                if k % 2 == 0 {
                    commit(tx).await;
                }
            }
            mine
        });
    }
    let all: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!(distinct.len(), all.len(), "one was given out twice");
    assert!(!distinct.contains(&0));
}
