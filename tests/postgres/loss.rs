//! Connections that break, servers that go away, commits of which nothing is heard.

use std::time::Duration;

use steadfast_core::ExecutionId;
use steadfast_postgres::{Options, PostgresStore};
use steadfast_servers::{PgBouncer, Postgres, Stop};
use steadfast_services::port::{Batch, Commit, Query, Store, StoreError, Transaction};

use crate::place::{database, open, server};
use crate::proxy::{Loss, Proxy};
use crate::store::rows::*;

/// Ends every session of a database, as an administrator would.
pub(crate) fn terminate(server: &Postgres, database: &str) {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
         WHERE datname = '{database}'"
    );
    assert_ne!(server.execute("postgres", &sql).unwrap().trim(), "0", "there was none");
}

async fn exists(store: &PostgresStore, id: u64) -> bool {
    Query::execution(store, ExecutionId(id)).await.expect("it can be read").is_some()
}

async fn writing(store: &PostgresStore, id: u64) -> <PostgresStore as Store>::Tx {
    let mut tx = store.begin("test").await.expect("a transaction begins");
    tx.apply(Batch::InsertExecutions(&[execution(id)])).await.expect("it can be written");
    tx
}

#[tokio::test]
async fn a_session_that_is_ended_takes_its_transaction_with_it_and_nothing_else() {
    let server = server();
    let name = database(&server);
    let store = open(&server.url(&name)).await;
    let mut tx = writing(&store, 1).await;
    terminate(&server, &name);
    let lost = tx.executions(&[ExecutionId(1)]).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    assert!(matches!(tx.commit().await, Commit::Failed(StoreError::Unavailable(_))));

    let tx = writing(&store, 2).await;
    terminate(&server, &name);
    // Nobody can know from here that the session was ended before it heard of the commit.
    let lost = tx.commit().await;
    assert!(matches!(lost, Commit::Unknown(_)), "{lost:?}");
    assert!(!exists(&store, 1).await && !exists(&store, 2).await);
    commit(writing(&store, 3).await).await;
}

#[tokio::test]
async fn dead_connections_in_the_pool_are_replaced_before_anything_is_done_on_them() {
    let server = server();
    let name = database(&server);
    let store = open(&server.url(&name)).await;
    let mut open = Vec::new();
    for id in 1..=6 {
        open.push(writing(&store, id).await);
    }
    for tx in open {
        commit(tx).await;
    }
    terminate(&server, &name);
    // Nobody notices.
    commit(writing(&store, 7).await).await;
    terminate(&server, &name);
    assert!(exists(&store, 7).await);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_unknown_and_can_be_looked_up() {
    let server = server();
    let name = database(&server);
    let proxy = Proxy::to(server.port()).await;
    let store = open(&proxy.url(&name)).await;
    for (id, loss, landed) in [(1, Loss::Request, false), (2, Loss::Reply, true)] {
        let tx = writing(&store, id).await;
        proxy.lose(loss);
        let outcome = tx.commit().await;
        assert!(matches!(outcome, Commit::Unknown(_)), "{loss:?}: {outcome:?}");
        assert_eq!(exists(&store, id).await, landed, "{loss:?}");
        // Doing it again finds out by the key.
        let mut again = store.begin("test").await.unwrap();
        let result = again.apply(Batch::InsertExecutions(&[execution(id)])).await;
        assert_eq!(matches!(result, Err(StoreError::Conflict(_))), landed, "{result:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_more_is_not_waited_for_forever() {
    let server = server();
    let name = database(&server);
    let proxy = Proxy::to(server.port()).await;
    let statement_timeout = Duration::from_millis(100);
    let options = Options { statement_timeout, connections: 3, ..Options::default() };
    let store = PostgresStore::open(&proxy.url(&name), options).await.unwrap();
    let (mut one, two) = (writing(&store, 1).await, writing(&store, 2).await);
    proxy.lose(Loss::Everything);
    let (late, commit_late) = tokio::join!(one.executions(&[ExecutionId(1)]), two.commit());
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(matches!(commit_late, Commit::Unknown(_)), "{commit_late:?}");
    drop(one);
    proxy.lose(Loss::Nothing);
    commit(writing(&store, 3).await).await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again_and_has_lost_nothing() {
    let mut server = Postgres::start(&[]).unwrap();
    let url = server.create_database("steadfast_test").unwrap();
    let acquire_timeout = Duration::from_secs(2);
    let options = Options { acquire_timeout, ..Options::default() };
    let store = PostgresStore::open(&url, options).await.unwrap();
    for (id, how) in [(1, Stop::Fast), (2, Stop::Immediate)] {
        commit(writing(&store, id).await).await;
        let mut open = writing(&store, 100 + id).await;
        server.stop(how).unwrap();
        let lost = open.apply(Batch::InsertExecutions(&[execution(200)])).await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{how:?}: {lost:?}");
        drop(open);
        let away = store.begin("test").await.map(|_| ());
        assert!(matches!(away, Err(StoreError::Unavailable(_))), "{how:?}: {away:?}");
        server.start_again().unwrap();
        assert!(exists(&store, id).await && !exists(&store, 100 + id).await, "{how:?}");
    }
    commit(writing(&store, 3).await).await;
}

#[tokio::test]
async fn a_pooler_that_closes_idle_sessions_is_not_noticed() {
    let server = server();
    let name = database(&server);
    let idle = [("server_idle_timeout", "1"), ("default_pool_size", "2")];
    let pooler = PgBouncer::start(&server, &idle).unwrap();
    let store = open(&pooler.url(&name)).await;
    for id in 1..=2 {
        commit(writing(&store, id).await).await;
        let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
        let mut patience = 100;
        while server.execute("postgres", &sessions).unwrap().trim() != "0" {
            patience -= 1;
            assert!(patience > 0, "the pooler keeps its sessions");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    commit(writing(&store, 3).await).await;
}
