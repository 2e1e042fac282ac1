//! Who waits for whom, and for how long.

use std::time::Duration;

use steadfast_core::{ExecutionId, QueueKey, Status};
use steadfast_postgres::{Options, PostgresStore};
use steadfast_services::port::{Batch, Commit, Query, Store, StoreError, Transaction};
use tokio::task::JoinSet;

use crate::place::{database, direct, server};
use crate::store::rows::*;

fn key(name: &str) -> [QueueKey; 1] {
    [QueueKey::new(name)]
}

async fn with_queues(store: &PostgresStore) {
    let queues = [queue("a", None), queue("b", None)];
    apply(store, &[Batch::InsertQueues(&queues)]).await.unwrap();
}

async fn impatient(
    options: Options,
) -> (PostgresStore, std::sync::Arc<steadfast_servers::Postgres>) {
    let server = server();
    let store = PostgresStore::open(&server.url(&database(&server)), options).await;
    (store.unwrap(), server)
}

#[tokio::test]
async fn who_claims_passes_over_what_is_locked_without_waiting() {
    let (store, _server) = direct().await;
    let rows: Vec<_> = (1..=6).map(|id| execution_in(id, Status::Ready)).collect();
    apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    let runtimes = ["shell".into()].into();
    let mut one = store.begin("test").await.unwrap();
    let mut two = store.begin("test").await.unwrap();
    assert_eq!(ids(&one.ready(&runtimes, 2).await.unwrap()), [1, 2]);
    assert_eq!(ids(&two.ready(&runtimes, 3).await.unwrap()), [3, 4, 5]);
    drop(one);
    commit(two).await;
}

#[tokio::test]
async fn of_two_who_wait_for_each_other_one_decides_again() {
    let (store, _server) = direct().await;
    with_queues(&store).await;
    let mut one = store.begin("test").await.unwrap();
    let mut two = store.begin("test").await.unwrap();
    one.queues(&key("a")).await.unwrap();
    two.queues(&key("b")).await.unwrap();
    let (of_one, of_two) = (key("b"), key("a"));
    // Who lost has rolled back, so the other one gets what it waited for.
    let (first, second) = tokio::join!(one.queues(&of_one), two.queues(&of_two));
    let (lost, won) = if first.is_err() { (first, second) } else { (second, first) };
    assert!(matches!(lost, Err(StoreError::Conflict(_))), "{lost:?}");
    assert_eq!(won.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_locked_in_the_order_of_their_keys_however_they_are_asked_for() {
    let server = server();
    let name = database(&server);
    let store = crate::place::open(&server.url(&name)).await;
    let rows: Vec<_> =
        (1..=40).map(|id| child(id, Status::Completed, 1, Some(id as u32))).collect();
    apply(&store, &[Batch::InsertExecutions(&rows)]).await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..6u64 {
        let store = store.clone();
        tasks.spawn(async move {
            for round in 0..25u64 {
                let mut tx = store.begin("test").await.unwrap();
                let step = [7, 11, 13][((task + round) % 3) as usize];
                let wanted = (0..40).map(|n| ExecutionId(1 + (n * step + task) % 40));
                let wanted: Vec<_> = wanted.collect();
                let found = if task % 2 == 0 {
                    tx.executions(&wanted).await
                } else {
                    tx.ended_children(&[ExecutionId(1)], 40).await
                };
                assert_eq!(found.map(|rows| rows.len()), Ok(40));
                commit(tx).await;
            }
        });
    }
    tasks.join_all().await;
    let sql = format!("SELECT deadlocks FROM pg_stat_database WHERE datname = '{name}'");
    assert_eq!(server.execute("postgres", &sql).unwrap().trim(), "0");
}

#[tokio::test]
async fn a_lock_is_not_waited_for_forever() {
    let options = Options { lock_timeout: Duration::from_millis(200), ..Options::default() };
    let (store, _server) = impatient(options).await;
    with_queues(&store).await;
    let mut one = store.begin("test").await.unwrap();
    one.queues(&key("a")).await.unwrap();
    let mut two = store.begin("test").await.unwrap();
    let late = two.queues(&key("a")).await;
    // Whoever has it does something to the row: decided again, with what it did.
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    // A failed transaction does nothing more, and does not pretend to.
    assert_eq!(two.queues(&key("b")).await, late);
    assert!(matches!(two.commit().await, Commit::Failed(StoreError::Conflict(_))));
    commit(one).await;
}

#[tokio::test]
async fn a_client_that_hangs_in_a_transaction_loses_its_locks() {
    let options = Options { idle_timeout: Duration::from_millis(300), ..Options::default() };
    let (store, _server) = impatient(options).await;
    with_queues(&store).await;
    let mut one = store.begin("test").await.unwrap();
    one.queues(&key("a")).await.unwrap();
    one.apply(Batch::InsertExecutions(&[execution(1)])).await.unwrap();
    let mut two = store.begin("test").await.unwrap();
    assert_eq!(two.queues(&key("a")).await.unwrap().len(), 1);
    commit(two).await;
    let late = one.apply(Batch::InsertExecutions(&[execution(2)])).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    drop(one);
    assert_eq!(Query::execution(&store, ExecutionId(1)).await, Ok(None));
}

#[tokio::test]
async fn a_statement_does_not_run_forever() {
    let options = Options { statement_timeout: Duration::from_millis(300), ..Options::default() };
    let server = server();
    let name = database(&server);
    let store = PostgresStore::open(&server.url(&name), options).await.unwrap();
    slow_notes(&server, &name, "PERFORM pg_sleep(5)");
    let late = store.put_note("k", "v").await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
}

/// Lets every write of a note do something first.
fn slow_notes(server: &steadfast_servers::Postgres, database: &str, first: &str) {
    let sql = format!(
        "CREATE FUNCTION first() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN {first}; RETURN NEW; END $$; \
         CREATE TRIGGER first BEFORE INSERT ON steadfast.note \
         FOR EACH ROW EXECUTE FUNCTION public.first()"
    );
    server.execute(database, &sql).unwrap();
}

#[tokio::test]
async fn the_server_s_refusals_are_told_apart() {
    let server = server();
    // state  the refusal that it becomes
    type IsMeant = fn(&StoreError) -> bool;
    let table: [(&str, IsMeant); 4] = [
        ("53100", |error| matches!(error, StoreError::Full(_))),
        ("40001", |error| matches!(error, StoreError::Conflict(_))),
        ("53200", |error| matches!(error, StoreError::Unavailable(_))),
        ("XX001", |error| matches!(error, StoreError::Corrupt(_))),
    ];
    for (state, is_meant) in table {
        let name = database(&server);
        let store = crate::place::open(&server.url(&name)).await;
        slow_notes(&server, &name, &format!("RAISE 'no' USING ERRCODE = '{state}'"));
        let refused = store.put_note("k", "v").await.expect_err("the trigger refuses");
        assert!(is_meant(&refused), "{state}: {refused:?}");
        assert_eq!(store.note("k").await, Ok(None));
    }
}

#[tokio::test]
async fn when_all_connections_are_taken_the_next_one_waits_for_a_while() {
    let acquire_timeout = Duration::from_millis(500);
    let options = Options { connections: 2, acquire_timeout, ..Options::default() };
    let (store, _server) = impatient(options).await;
    let one = store.begin("test").await.unwrap();
    let _two = store.begin("test").await.unwrap();
    let late = store.begin("test").await.map(|_| ());
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    drop(one);
    store.begin("test").await.expect("a dropped transaction gives its connection back");
}
