//! What a statement's failure does to what comes after.

use serde_json::json;
use sqlx::SqlStr;
use steadfast_core::ExecutionId;
use steadfast_services::port::{Batch, Commit, Query, Store, StoreError, Transaction};

use crate::args::Args;
use crate::{DataDir, EmbeddedStore, Options};

async fn store() -> EmbeddedStore {
    let directory = DataDir::temporary().await.expect("a directory");
    EmbeddedStore::open(directory, Options::default()).await.expect("a store")
}

#[tokio::test]
async fn a_full_disk_is_told_apart_and_the_store_recovers() {
    let store = store().await;
    store.put_note("before", "1").await.expect("there is room");
    let mut tx = store.begin("test").await.expect("begin");
    let narrow = SqlStr::from_static("PRAGMA max_page_count = 60");
    tx.rows(narrow, Args::default()).await.expect("it can be set");
    tx.put_note("half", "1").await.expect("there is room yet");
    let big = [(ExecutionId(1), json!("x".repeat(1 << 20)))];
    let result = tx.apply(Batch::InsertParameters(&big)).await;
    assert!(matches!(result, Err(StoreError::Full(_))), "{result:?}");
    // SQLite may have ended the transaction by itself: nothing more can be done on it.
    assert!(tx.put_note("after", "1").await.is_err());
    assert!(!matches!(tx.commit().await, Commit::Committed(_)));

    let mut tx = store.begin("test").await.expect("there is a new connection");
    tx.apply(Batch::InsertParameters(&big)).await.expect("there is room again");
    assert!(matches!(tx.commit().await, Commit::Committed(_)));
    assert_eq!(store.note("before").await, Ok(Some("1".to_owned())));
    assert_eq!(store.note("half").await, Ok(None));
}

#[tokio::test]
async fn a_commit_without_a_connection_is_unknown() {
    let store = store().await;
    // The first commit also writes the clock down, and that alone would fail for certain.
    store.put_note("before", "1").await.expect("written");
    let mut tx = store.begin("test").await.expect("begin");
    tx.put_note("k", "1").await.expect("written");
    tx.writer.distrust();
    assert!(matches!(tx.commit().await, Commit::Unknown(_)));
    assert_eq!(store.note("k").await, Ok(None));
    store.put_note("k", "2").await.expect("there is a new connection");
    assert_eq!(store.note("k").await, Ok(Some("2".to_owned())));
}

#[tokio::test]
async fn a_refused_row_leaves_the_connection_as_it_was() {
    let store = store().await;
    let mut tx = store.begin("test").await.expect("begin");
    let twice = [(ExecutionId(1), json!(1)), (ExecutionId(1), json!(2))];
    let result = tx.apply(Batch::InsertParameters(&twice)).await;
    assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    // The core decides again in a new transaction; this one is not forced to end here.
    tx.put_note("k", "1").await.expect("it goes on");
    assert!(matches!(tx.commit().await, Commit::Committed(_)));
}
