//! Who writes when, and how much.

mod common;

use common::*;
use steadfast_core::{ExecutionId, Status};
use steadfast_embedded::EmbeddedStore;
use steadfast_services::port::{Batch, Query, Store, Transaction};

async fn count(store: &EmbeddedStore) -> u64 {
    store.count_by_status().await.unwrap().iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn transactions_begin_in_the_order_in_which_they_were_asked_for() {
    let store = store().await;
    let first = store.begin("test").await.unwrap();
    let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (store, sender) = (store.clone(), sender.clone());
        tasks.spawn(async move {
            let tx = store.begin("test").await.unwrap();
            sender.send(n).unwrap();
            commit(tx).await;
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.join_all().await;
    drop(sender);
    let mut seen = Vec::new();
    while let Some(n) = order.recv().await {
        seen.push(n);
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_hundred_thousand_rows() {
    let store = store().await;
    apply(&store, &[Batch::InsertQueues(&[queue("a.b", None)])]).await.unwrap();
    for block in 0..100u64 {
        let rows: Vec<_> = (block * 1000 + 1..=block * 1000 + 1000)
            .map(|id| {
                execution_in(id, if id % 10 == 0 { Status::Ready } else { Status::Completed })
            })
            .collect();
        apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    }
    let mut tx = store.begin("test").await.unwrap();
    let runtimes = ["shell".into()].into();
    let ready = tx.ready(&runtimes, 3).await.unwrap();
    assert_eq!(ids(&ready), [10, 20, 30]);
    let all: Vec<_> = (1..=100_000).map(ExecutionId).collect();
    assert_eq!(tx.executions(&all).await.unwrap().len(), 100_000);
    drop(tx);
    assert_eq!(count(&store).await, 100_000);
    assert_eq!(store.integrity_check().await.unwrap().problems, Vec::<String>::new());
}
