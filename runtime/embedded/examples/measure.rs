//! How many executions the embedded store takes through their lives in a second.
//!
//! `cargo run --release --example measure -p steadfast-embedded [-- PER_ROUND ROUNDS BATCH]`
//!
//! A life is three commits: insert, claim (scan, update), complete (load, update, outcome). Each
//! line is the median of the rounds. `with queue` also locks, counts and writes the queue's row in
//! every commit, as the services do. The last columns are processor time, which a busy machine
//! disturbs less than it does the others.
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock and its arguments")]
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use steadfast_core::decision::Outcome;
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::worker::{Worker, WorkerInput};
use steadfast_core::{
    Attempt, ExecutionId, Incarnation, Order, Policy, QueueKey, Runtime, Span, Status, Timestamp,
    Transport, Version, Work, WorkerId,
};
use steadfast_embedded::{DataDir, Durability, EmbeddedStore, Options};
use steadfast_services::port::{Batch, Commit, Store, Transaction};

/// A phase: how long it took, and how much of that the processors were busy.
#[derive(Clone, Copy)]
struct Phase {
    wall: Duration,
    processor: Duration,
}

/// Insert, claim and complete.
type Round = [Phase; 3];

struct Case {
    durability: Durability,
    batch: u32,
    queue: bool,
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let per_round = arguments.next().unwrap_or(20_000);
    let rounds = arguments.next().unwrap_or(5);
    let only = arguments.next();
    println!("{:27} {:^39} {:^29}", "", "executions per second", "processor, us per execution");
    println!(
        "{:<10} {:>5} {:<10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "durability",
        "batch",
        "",
        "insert",
        "claim",
        "complete",
        "life",
        "insert",
        "claim",
        "complete"
    );
    for durability in [Durability::Full, Durability::Normal] {
        for batch in [1, 16, 256].into_iter().filter(|batch| only.is_none_or(|only| only == *batch))
        {
            for queue in [false, true] {
                let count = per_round.min(batch * 2_000);
                measure(&Case { durability, batch, queue }, count, rounds).await;
            }
        }
    }
}

async fn measure(case: &Case, count: u32, rounds: u32) {
    let directory = DataDir::temporary().await.expect("a directory");
    let options = Options { durability: case.durability, ..Options::default() };
    let store = EmbeddedStore::open(directory, options).await.expect("a store");
    setup(&store).await;
    let mut all = Vec::new();
    for round in 0..=rounds {
        let times = life(&store, case, count).await;
        // The first round fills caches and prepares statements.
        if round > 0 {
            all.push(times);
        }
    }
    let median = |of: &dyn Fn(&Round) -> Duration| {
        let mut times: Vec<Duration> = all.iter().map(of).collect();
        times.sort();
        times[times.len() / 2].as_secs_f64()
    };
    let rate = |of: &dyn Fn(&Round) -> Duration| f64::from(count) / median(of);
    let cost = |of: &dyn Fn(&Round) -> Duration| median(of) * 1e6 / f64::from(count);
    println!(
        "{:<10} {:>5} {:<10} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.1} {:>9.1} {:>9.1}",
        format!("{:?}", case.durability),
        case.batch,
        if case.queue { "with queue" } else { "" },
        rate(&|round| round[0].wall),
        rate(&|round| round[1].wall),
        rate(&|round| round[2].wall),
        rate(&|round| round.iter().map(|phase| phase.wall).sum()),
        cost(&|round| round[0].processor),
        cost(&|round| round[1].processor),
        cost(&|round| round[2].processor),
    );
    store.close().await.expect("it closes");
}

async fn setup(store: &EmbeddedStore) {
    let mut worker = Worker::new("w".into());
    let register = WorkerInput::Register {
        former: None,
        runtimes: BTreeSet::from(["shell".into()]),
        labels: BTreeMap::new(),
        capacity: 1000,
        lease: Span::from_secs(4),
    };
    worker.handle(&register, Timestamp::ZERO).expect("it registers");
    let queue = Queue::new(key(), Some(10_000), Timestamp::ZERO);
    let mut tx = store.begin("measure").await.expect("begin");
    tx.apply(Batch::InsertWorkers(&[worker])).await.expect("written");
    tx.apply(Batch::InsertQueues(&[queue])).await.expect("written");
    commit(tx).await;
}

async fn life(store: &EmbeddedStore, case: &Case, count: u32) -> Round {
    let commits = count / case.batch;
    let mut marks = vec![mark()];
    for _ in 0..commits {
        insert(store, case).await;
    }
    marks.push(mark());
    let mut claimed = Vec::new();
    for _ in 0..commits {
        claimed.push(claim(store, case).await);
    }
    marks.push(mark());
    for ids in &claimed {
        complete(store, case, ids).await;
    }
    marks.push(mark());
    [0, 1, 2].map(|n| Phase {
        wall: marks[n + 1].0 - marks[n].0,
        processor: marks[n + 1].1.saturating_sub(marks[n].1),
    })
}

fn mark() -> (Instant, Duration) {
    (Instant::now(), processor_time())
}

/// What the threads of this process have used of the processors.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let used = threads.filter_map(|thread| {
        let line = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(used.sum())
}

async fn insert(store: &EmbeddedStore, case: &Case) {
    let mut tx = store.begin("measure").await.expect("begin");
    let now = tx.now().await.expect("now");
    let ids = tx.allocate(case.batch).await.expect("ids");
    touch_queue(&mut tx, case, case.batch).await;
    let rows: Vec<Execution> = ids.map(|id| ready(id, now)).collect();
    tx.apply(Batch::InsertExecutions(&rows)).await.expect("inserted");
    commit(tx).await;
}

async fn claim(store: &EmbeddedStore, case: &Case) -> Vec<ExecutionId> {
    let mut tx = store.begin("measure").await.expect("begin");
    let now = tx.now().await.expect("now");
    if case.queue {
        tx.workers(None).await.expect("workers");
    }
    let runtimes = BTreeSet::from([Runtime::new("shell"), Runtime::new("python")]);
    let mut rows = tx.ready(&runtimes, case.batch).await.expect("ready");
    assert_eq!(rows.len(), case.batch as usize);
    for row in &mut rows {
        row.version = row.version.next();
        row.status = Status::Running;
        row.attempt = Attempt(1);
        row.worker = Some(WorkerId { name: "w".into(), incarnation: Incarnation(1) });
        row.started_at = Some(now);
        row.wake_at = None;
    }
    tx.apply(Batch::UpdateExecutions(&rows)).await.expect("updated");
    commit(tx).await;
    rows.iter().map(|row| row.id).collect()
}

async fn complete(store: &EmbeddedStore, case: &Case, ids: &[ExecutionId]) {
    let mut tx = store.begin("measure").await.expect("begin");
    let now = tx.now().await.expect("now");
    touch_queue(&mut tx, case, 0).await;
    let mut rows = tx.executions(ids).await.expect("loaded");
    for row in &mut rows {
        row.version = row.version.next();
        row.status = Status::Completed;
        row.ended_at = Some(now);
    }
    tx.apply(Batch::UpdateExecutions(&rows)).await.expect("updated");
    let result = serde_json::json!({"stdout": "ok", "code": 0});
    let outcome = |id: &ExecutionId| (*id, Outcome { result: result.clone(), error: None });
    let outcomes: Vec<_> = ids.iter().map(outcome).collect();
    tx.apply(Batch::InsertOutcomes(&outcomes)).await.expect("inserted");
    commit(tx).await;
}

async fn touch_queue(tx: &mut <EmbeddedStore as Store>::Tx, case: &Case, admitted: u32) {
    if !case.queue {
        return;
    }
    let mut queues = tx.queues(&[key()]).await.expect("queues");
    tx.occupancy(&[key()], &BTreeSet::from([key()]), 3).await.expect("occupancy");
    for queue in &mut queues {
        queue.version = queue.version.next();
        queue.next_order = Order(queue.next_order.0 + u64::from(admitted));
    }
    tx.apply(Batch::UpdateQueues(&queues)).await.expect("updated");
}

async fn commit(tx: <EmbeddedStore as Store>::Tx) {
    let outcome = tx.commit().await;
    assert!(matches!(outcome, Commit::Committed(_)), "{outcome:?}");
}

fn key() -> QueueKey {
    QueueKey::new("census.count")
}

fn ready(id: u64, now: Timestamp) -> Execution {
    Execution {
        id: ExecutionId(id),
        version: Version(0),
        action: "census.count".into(),
        definition: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        work: Work::Runtime("shell".into()),
        selector: BTreeMap::new(),
        transport: Transport::Embedded,
        status: Status::Ready,
        queue: key(),
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
