//! W1 and W2: executions that do nothing, through one queue without a limit, and through ten with
//! one.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use steadfast_runtime::core::{ActionRef, Order, Timestamp};
use steadfast_runtime::{Engine, EngineError};
use steadfast_services::port::{Cursor, ExecutionFilter, Query};

use super::engine::{Bench, request, submitters, written_bytes};
use super::notes::{LIMIT, QUEUES, action, queue_name};
use super::{Conditions, Sample};
use crate::cli::arguments::Workload;
use crate::cli::failure::Failure;
use crate::cli::setup::monotonic;

/// How many executions.
const JOBS: u32 = 20_000;
/// How many rows one query fetches.
const PAGE: u32 = 1000;

/// What enqueueing costs, as it is called in the results.
const ENQUEUE: [&str; 5] = [
    "enqueue_cpu_ours_per_1000",
    "enqueue_cpu_postgres_per_1000",
    "enqueue_cpu_rabbitmq_per_1000",
    "enqueue_commits_per_execution",
    "enqueue_wal_bytes_per_execution",
];
/// What draining costs.
const DRAIN: [&str; 5] = [
    "drain_cpu_ours_per_1000",
    "drain_cpu_postgres_per_1000",
    "drain_cpu_rabbitmq_per_1000",
    "drain_commits_per_execution",
    "drain_wal_bytes_per_execution",
];

/// W1.
pub(super) async fn one(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS);
    let mut bench = Bench::start(Workload::W1, conditions).await?;
    let mut sample = fill_and_drain(&mut bench, Workload::W1, jobs, conditions).await?;
    bench.stop(f64::from(jobs), conditions, &mut sample).await?;
    Ok(sample)
}

/// W2.
pub(super) async fn ten(conditions: &Conditions) -> Result<Sample, Failure> {
    let jobs = conditions.scaled(JOBS / QUEUES) * QUEUES;
    let mut bench = Bench::start(Workload::W2, conditions).await?;
    let mut sample = fill_and_drain(&mut bench, Workload::W2, jobs, conditions).await?;
    let mut violations = 0;
    for queue in 0..QUEUES {
        violations += out_of_order(&bench.engine, &queue_name(queue)).await?;
    }
    sample.insert("order_violations", f64::from(violations));
    let most = bench.notes.most();
    sample.insert("most_at_once", f64::from(most));
    sample.insert("limit_violations", f64::from(most.saturating_sub(LIMIT)));
    bench.stop(f64::from(jobs), conditions, &mut sample).await?;
    Ok(sample)
}

/// Enqueues everything while the worker waits, then lets it work.
async fn fill_and_drain(
    bench: &mut Bench,
    workload: Workload,
    jobs: u32,
    conditions: &Conditions,
) -> Result<Sample, Failure> {
    bench.cordon(true).await?;
    let (written, cost) = (written_bytes(), bench.cost().await);
    let begun = monotonic();
    let submissions = (0..jobs).map(|job| {
        let engine = bench.engine.clone();
        let request = request(action(workload, job).to_string(), json!({ "n": job }));
        async move { engine.submit(request).await.map(drop) }
    });
    let all = stream::iter(submissions).buffer_unordered(submitters(conditions));
    all.try_collect::<Vec<()>>().await?;
    let filled = monotonic();
    let full = bench.cost().await;
    if bench.notes.calls() > 0 {
        return Err(Failure::environment("a cordoned worker took work"));
    }
    let released = monotonic();
    bench.cordon(false).await?;
    bench.wait(u64::from(jobs), u64::from(jobs)).await?;
    let drained = monotonic();
    let count = f64::from(jobs);
    let mut sample = Sample::from([
        ("jobs", count),
        ("enqueued_per_second", count / filled.duration_since(begun).as_secs_f64()),
        ("drained_per_second", count / drained.duration_since(released).as_secs_f64()),
    ]);
    if conditions.servers.is_some() {
        let empty = bench.cost().await;
        full.since(&cost, count, ENQUEUE, &mut sample);
        empty.since(&full, count, DRAIN, &mut sample);
    } else if let (Some(before), Some(after)) = (written, written_bytes()) {
        sample.insert("disk_bytes_per_job", (after.saturating_sub(before)) as f64 / count);
    }
    Ok(sample)
}

/// How many executions of a queue started before one that stood before them in line.
async fn out_of_order(engine: &Engine, action: &str) -> Result<u32, Failure> {
    let mut starts: Vec<(Option<Order>, Option<Timestamp>)> = Vec::new();
    let mut filter = ExecutionFilter {
        action: Some(ActionRef::new(action)),
        limit: PAGE,
        ..ExecutionFilter::default()
    };
    loop {
        let page = engine.query().executions(&filter).await.map_err(EngineError::from)?;
        let more = page.len() == PAGE as usize;
        filter.cursor = page.last().map(|view| Cursor(view.execution.id));
        starts.extend(page.iter().map(|view| (view.execution.order, view.execution.started_at)));
        if !more {
            break;
        }
    }
    starts.sort_unstable();
    let swapped = starts.windows(2).filter(|pair| matches!(pair, [a, b] if a.1 > b.1)).count();
    Ok(u32::try_from(swapped).unwrap_or(u32::MAX))
}
