//! Too much of everything: a disk that is full, connections that are all taken, lines that are long.
#![expect(clippy::disallowed_methods, reason = "how long something takes is seen from outside")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use steadfast_core::{ExecutionId, QueueKey, Status};
use steadfast_postgres::{Options, PostgresStore};
use steadfast_servers::Postgres;
use steadfast_services::port::{Batch, Commit, Query, Store, StoreError, Transaction};

use crate::place::{database, direct, open, server};
use crate::store::rows::*;

/// Text that does not become smaller when it is packed.
fn dense(length: usize, mut state: u64) -> Value {
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        write!(text, "{:08x}", state >> 32).expect("it is a string");
    }
    json!({ "text": text })
}

async fn insert(store: &PostgresStore, id: u64) -> Result<(), StoreError> {
    let parameters = [(ExecutionId(id), dense(400_000, id))];
    let mut tx = store.begin("test").await?;
    tx.apply(Batch::InsertExecutions(&[execution(id)])).await?;
    tx.apply(Batch::InsertParameters(&parameters)).await?;
    match tx.commit().await {
        Commit::Committed(_) => Ok(()),
        Commit::Failed(error) => Err(error),
        Commit::Unknown(reason) => panic!("{reason}"),
    }
}

#[tokio::test]
async fn a_disk_that_is_full_is_said_to_be_and_used_again_when_it_is_not() {
    let server = Postgres::start_on_small_disk(300).unwrap_or_else(|failure| panic!("{failure}"));
    let store = open(&server.create_database("small").expect("a database can be made")).await;
    insert(&store, 1).await.expect("there is room");
    server.fill_disk();
    let mut refused = None;
    for id in 2..200 {
        if let Err(error) = insert(&store, id).await {
            refused = Some((id, error));
            break;
        }
    }
    let Some((first, StoreError::Full(text))) = refused else { panic!("{refused:?}") };
    assert!(text.contains("No space left"), "{text}");
    for id in 1..first {
        let view = Query::execution(&store, ExecutionId(id)).await.expect("it can be read");
        assert_eq!(view.expect("it is there").parameters, dense(400_000, id));
    }
    assert_eq!(Query::execution(&store, ExecutionId(first)).await, Ok(None));
    server.empty_disk();
    insert(&store, first).await.expect("there is room again");
}

#[tokio::test]
async fn who_finds_no_free_connection_is_told_so_in_time_and_served_later() {
    let server = server();
    let acquire_timeout = Duration::from_millis(300);
    let options = Options { connections: 2, acquire_timeout, ..Options::default() };
    let store = PostgresStore::open(&server.url(&database(&server)), options).await;
    let store = store.expect("it can be opened");
    let one = store.begin("test").await.expect("the first is free");
    let two = store.begin("test").await.expect("so is the second");
    let began = Instant::now();
    let third = store.begin("test").await.map(|_| ());
    assert!(matches!(third, Err(StoreError::Unavailable(_))), "{third:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "nobody waits for ever");
    commit(one).await;
    let mut third = store.begin("test").await.expect("one is free again");
    third.apply(Batch::InsertExecutions(&[execution(1)])).await.expect("it works");
    commit(third).await;
    drop(two);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_who_wait_cost_nothing_to_those_in_front() {
    let (store, _server) = direct().await;
    apply(&store, &[Batch::InsertQueues(&[queue("a.b", Some(3))])]).await.expect("it is new");
    for thousand in 0..100u64 {
        let rows: Vec<_> = (1..=1000)
            .map(|n| {
                let mut row = execution_in(thousand * 1000 + n, Status::Queued);
                row.queue = QueueKey::new("a.b");
                row
            })
            .collect();
        apply(&store, &[Batch::InsertExecutions(&rows)]).await.expect("they are new");
    }
    let key = [QueueKey::new("a.b")];
    let began = Instant::now();
    for _ in 0..20 {
        let mut tx = store.begin("test").await.expect("it begins");
        assert_eq!(tx.queues(&key).await.expect("it is there").len(), 1);
        assert_eq!(ids(&tx.line(&key, 3).await.expect("they wait")), [1, 2, 3]);
        assert_eq!(tx.find_lines(5).await, Ok(key.to_vec()));
        commit(tx).await;
    }
    // A walk over all who wait takes longer than all of this, however busy the machine is.
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    let counted = store.count_by_status().await.expect("they can be counted");
    assert!(counted.contains(&(Status::Queued, 100_000)));
}
