//! A process that is killed while it commits: every commit that it reported is there, and none
//! is there by half.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use serde_json::json;
use steadfast_core::decision::Outcome;
use steadfast_core::{ExecutionId, Order, Status};
use steadfast_embedded::{DataDir, Durability, EmbeddedStore, Options};
use steadfast_services::port::{Batch, Query, Store, Transaction};

/// How many rows each transaction writes into each of two tables.
const ROWS: u64 = 40;

const DIRECTORY: &str = "STEADFAST_TEST_CRASH_DIRECTORY";

/// Not a test of its own: what the killed process does. It reports each commit on its standard
/// output once it is acknowledged.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "its directory comes from the test that starts it")]
async fn writer() {
    // Without a directory it was not started by the test below, and there is nothing to do.
    let Ok(path) = std::env::var(DIRECTORY) else { return };
    let directory = DataDir::open(path).await.expect("the directory is free");
    let options = Options { durability: Durability::Normal, ..Options::default() };
    let store = EmbeddedStore::open(directory, options).await.expect("the store opens");
    loop {
        let mut tx = store.begin("test").await.expect("begin");
        let ids = tx.allocate(u32::try_from(ROWS).expect("small")).await.expect("ids");
        let mut queues = tx.queues(&["a.b".into()]).await.expect("queues");
        let rows: Vec<_> = ids.clone().map(|id| execution_in(id, Status::Completed)).collect();
        tx.apply(Batch::InsertExecutions(&rows)).await.expect("rows");
        if let Some(queue) = queues.first_mut() {
            queue.version = queue.version.next();
            queue.next_order = Order(queue.next_order.0 + ROWS);
            tx.apply(Batch::UpdateQueues(&queues)).await.expect("queue");
        } else {
            let mut queue = queue("a.b", None);
            queue.next_order = Order(ROWS);
            tx.apply(Batch::InsertQueues(&[queue])).await.expect("queue");
        }
        let left = Outcome { result: json!("x".repeat(100)), error: None };
        let outcomes: Vec<_> = ids.clone().map(|id| (ExecutionId(id), left.clone())).collect();
        tx.apply(Batch::InsertOutcomes(&outcomes)).await.expect("outcomes");
        commit(tx).await;
        let mut out = std::io::stdout().lock();
        writeln!(out, "committed {}", ids.start).and_then(|()| out.flush()).expect("reported");
    }
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_commit_and_leaves_no_half_one() {
    let path = std::env::temp_dir().join(format!("embedded-crash-{}", std::process::id()));
    let mut acknowledged = Vec::new();
    for round in 0..6u64 {
        acknowledged.extend(run_and_kill(&path, Duration::from_millis(60 + round * 45)));
        check(&path, &acknowledged).await;
    }
    assert!(acknowledged.len() > 6, "it got something done: {}", acknowledged.len());
    std::fs::remove_dir_all(&path).expect("it can be removed");
}

/// The first identities of the transactions that were acknowledged.
#[expect(clippy::disallowed_methods, reason = "the writer is given time to be in the middle")]
fn run_and_kill(path: &PathBuf, patience: Duration) -> Vec<u64> {
    let me = std::env::current_exe().expect("the test has a file");
    let mut child = Command::new(me)
        .args(["--exact", "writer", "--nocapture"])
        .env(DIRECTORY, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the writer starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let number = |line: &str| line.split("committed ").nth(1)?.trim().parse::<u64>().ok();
    let mut acknowledged = Vec::new();
    while acknowledged.is_empty() {
        let line = lines.next().expect("it reports").expect("it can be read");
        acknowledged.extend(number(&line));
    }
    std::thread::sleep(patience);
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    // What it had reported before it died is in the pipe. A line may have been cut short.
    acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| number(&line)));
    acknowledged
}

async fn check(path: &PathBuf, acknowledged: &[u64]) {
    let directory = DataDir::open(path).await.expect("the lock died with its holder");
    let store = EmbeddedStore::open(directory, Options::default()).await.expect("it opens");
    assert_eq!(store.integrity_check().await.expect("readable").problems, Vec::<String>::new());
    let mut tx = store.begin("test").await.expect("begin");
    for first in acknowledged {
        let ids: Vec<_> = (*first..first + ROWS).map(ExecutionId).collect();
        let rows = tx.executions(&ids).await.expect("loaded");
        assert_eq!(rows.len() as u64, ROWS, "the commit of {first} was acknowledged");
    }
    let queues = tx.queues(&["a.b".into()]).await.expect("queues");
    drop(tx);
    let executions = count(&store).await;
    assert_eq!(executions % ROWS, 0, "half a transaction");
    assert_eq!(queues[0].next_order.0, executions, "one table without the other");
    assert!(executions / ROWS >= acknowledged.len() as u64);
}

async fn count(store: &EmbeddedStore) -> u64 {
    store.count_by_status().await.expect("counted").iter().map(|(_, count)| count).sum()
}
