//! How many executions the store takes through their lives in a second.
//!
//! `cargo run --release --example measure -p steadfast-postgres -- URL [PER_CLIENT [BATCH]]`
//!
//! `URL` is a database that may be filled: `postgres://postgres@127.0.0.1:5432/measure`. A life is
//! three commits: insert, claim (scan, update), complete (load, update, outcome). `with queue` also
//! locks, counts and writes a queue's row in every insert and complete, as the services do, each
//! client a queue of its own. The clients do the same at the same time; each line is one round after
//! one that is not counted.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock and its arguments")]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use steadfast_core::decision::Outcome;
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::{
    Attempt, ExecutionId, Incarnation, Order, Policy, QueueKey, Span, Status, Timestamp, Transport,
    Version, Work, WorkerId,
};
use steadfast_postgres::{Options, PostgresStore};
use steadfast_services::port::{Batch, Commit, Store, Transaction};
use tokio::task::JoinSet;

#[derive(Clone, Copy)]
struct Case {
    clients: u32,
    batch: u32,
    queue: bool,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(url) = arguments.next() else {
        println!("say which database: measure postgres://USER@HOST:PORT/DATABASE");
        return;
    };
    let mut numbers = arguments.filter_map(|word| word.parse::<u32>().ok());
    let most = numbers.next().unwrap_or(10_000);
    let only = numbers.next();
    let options = Options { connections: 20, ..Options::default() };
    let store = PostgresStore::open(&url, options).await.unwrap_or_else(|error| panic!("{error}"));
    println!(
        "{:>7} {:>5} {:<10} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "clients", "batch", "", "insert", "claim", "complete", "life", "commits"
    );
    println!("{:24} {:^49}", "", "per second: executions, then commits");
    for batch in [1, 64, 256].into_iter().filter(|batch| only.is_none_or(|only| only == *batch)) {
        for clients in [1, 4, 16] {
            for queue in [false, true] {
                measure(&store, Case { clients, batch, queue }, most).await;
            }
        }
    }
}

async fn measure(store: &PostgresStore, case: Case, most: u32) {
    let commits = (most / case.batch).clamp(2, 500);
    round(store, case, commits.min(20)).await;
    let [insert, claim, complete] = round(store, case, commits).await;
    let count = f64::from(commits * case.batch * case.clients);
    let rate = |time: Duration| count / time.as_secs_f64();
    let life = rate(insert + claim + complete);
    println!(
        "{:>7} {:>5} {:<10} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.0}",
        case.clients,
        case.batch,
        if case.queue { "with queue" } else { "" },
        rate(insert),
        rate(claim),
        rate(complete),
        life,
        3.0 * life / f64::from(case.batch),
    );
}

/// How long all clients together took to insert, to claim and to complete.
async fn round(store: &PostgresStore, case: Case, commits: u32) -> [Duration; 3] {
    let mut times = [Duration::ZERO; 3];
    let mut claimed: Vec<Vec<Vec<ExecutionId>>> = vec![Vec::new(); case.clients as usize];
    for client in 0..case.clients {
        add_queue(store, client).await;
    }
    for (phase, time) in times.iter_mut().enumerate() {
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for (client, mine) in (0..case.clients).zip(std::mem::take(&mut claimed)) {
            let store = store.clone();
            clients.spawn(async move {
                let mut found = Vec::new();
                for n in 0..commits {
                    match phase {
                        0 => insert(&store, case, client).await,
                        1 => found.push(claim(&store, case).await),
                        _ => complete(&store, case, client, &mine[n as usize]).await,
                    }
                }
                found
            });
        }
        claimed = clients.join_all().await;
        claimed.resize(case.clients as usize, Vec::new());
        *time = began.elapsed();
    }
    times
}

async fn add_queue(store: &PostgresStore, client: u32) {
    let mut tx = store.begin("measure").await.expect("begin");
    if tx.queues(&[key(client)]).await.expect("queues").is_empty() {
        let queue = Queue::new(key(client), Some(1_000_000), Timestamp::ZERO);
        tx.apply(Batch::InsertQueues(&[queue])).await.expect("written");
    }
    commit(tx).await;
}

async fn insert(store: &PostgresStore, case: Case, client: u32) {
    let mut tx = store.begin("measure").await.expect("begin");
    let now = tx.now().await.expect("now");
    let ids = tx.allocate(case.batch).await.expect("ids");
    touch_queue(&mut tx, case, client).await;
    let rows: Vec<Execution> = ids.map(|id| ready(id, client, now)).collect();
    let parameters = rows.iter().map(|row| (row.id, serde_json::json!({"n": row.id.0})));
    let parameters: Vec<_> = parameters.collect();
    let batch = Batch::InsertExecutionsWith(&rows, &parameters);
    tx.apply(batch).await.expect("inserted");
    commit(tx).await;
}

async fn claim(store: &PostgresStore, case: Case) -> Vec<ExecutionId> {
    let runtimes = BTreeSet::from(["shell".into(), "python".into()]);
    let mut taken = Vec::new();
    // Neighbours may have locked the last ones: then there are fewer, and more a little later.
    while taken.len() < case.batch as usize {
        let mut tx = store.begin("measure").await.expect("begin");
        let now = tx.now().await.expect("now");
        let wanted = case.batch - taken.len() as u32;
        let mut rows = tx.ready(&runtimes, wanted).await.expect("ready");
        for row in &mut rows {
            row.version = row.version.next();
            row.status = Status::Running;
            row.attempt = Attempt(1);
            row.worker = Some(WorkerId { name: "w".into(), incarnation: Incarnation(1) });
            row.started_at = Some(now);
        }
        tx.apply(Batch::UpdateExecutions(&rows)).await.expect("updated");
        commit(tx).await;
        taken.extend(rows.iter().map(|row| row.id));
    }
    taken
}

async fn complete(store: &PostgresStore, case: Case, client: u32, ids: &[ExecutionId]) {
    let mut tx = store.begin("measure").await.expect("begin");
    let now = tx.now().await.expect("now");
    touch_queue(&mut tx, case, client).await;
    let mut rows = tx.executions(ids).await.expect("loaded");
    for row in &mut rows {
        row.version = row.version.next();
        row.status = Status::Completed;
        row.ended_at = Some(now);
        row.wake_at = None;
    }
    let result = serde_json::json!({"stdout": "ok", "code": 0});
    let outcome = |id: &ExecutionId| (*id, Outcome { result: result.clone(), error: None });
    let outcomes: Vec<_> = ids.iter().map(outcome).collect();
    let batch = Batch::UpdateExecutionsWith(&rows, &outcomes);
    tx.apply(batch).await.expect("updated");
    commit(tx).await;
}

async fn touch_queue(tx: &mut <PostgresStore as Store>::Tx, case: Case, client: u32) {
    if !case.queue {
        return;
    }
    let key = [key(client)];
    let mut queues = tx.queues(&key).await.expect("queues");
    tx.occupancy(&key, &BTreeSet::from(key.clone()), 3).await.expect("occupancy");
    for queue in &mut queues {
        queue.version = queue.version.next();
        queue.next_order = Order(queue.next_order.0 + u64::from(case.batch));
    }
    tx.apply(Batch::UpdateQueues(&queues)).await.expect("updated");
}

async fn commit(tx: <PostgresStore as Store>::Tx) {
    let outcome = tx.commit().await;
    assert!(matches!(outcome, Commit::Committed(_)), "{outcome:?}");
}

fn key(client: u32) -> QueueKey {
    QueueKey::new(format!("census.count|{client}"))
}

fn ready(id: u64, client: u32, now: Timestamp) -> Execution {
    Execution {
        id: ExecutionId(id),
        version: Version(0),
        action: "census.count".into(),
        definition: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status: Status::Ready,
        queue: key(client),
        order: Some(Order(id)),
        attempt: Attempt(0),
        failures: 0,
        losses: 0,
        worker: None,
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: Some(now + Span::from_secs(300)),
        policy: Policy { timeout: Some(Span::from_secs(60)), ..Policy::DEFAULT },
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: now,
        started_at: None,
        ended_at: None,
        cause: None,
        wishes: Vec::new(),
    }
}
