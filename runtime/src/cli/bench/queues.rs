//! W1 and W2: executions that do nothing, through one queue without a limit, and through ten with
//! one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use steadfast_runtime::core::{ActionRef, Order, Timestamp};
use steadfast_runtime::packs::Definition;
use steadfast_runtime::{Context, Engine, EngineBuilder, EngineError};
use steadfast_services::port::{Cursor, ExecutionFilter, Query};

use super::engine::{Bench, SUBMITTERS, Tally, request, written_bytes};
use super::{Conditions, Sample};
use crate::cli::failure::Failure;
use crate::cli::setup::monotonic;

/// How many executions.
const JOBS: u32 = 20_000;
/// How many queues W2 has.
const QUEUES: u32 = 10;
/// The limit of each.
const LIMIT: u32 = 3;
/// How many rows one query fetches.
const PAGE: u32 = 1000;

/// W1.
pub(super) async fn one(conditions: &Conditions) -> Result<Sample, Failure> {
    let tally = Tally::default();
    let counted = tally.clone();
    let builder = Engine::builder().handler("bench.noop", move |_: Context, _: Value| {
        counted.add();
        async { Ok::<_, String>(Value::Null) }
    });
    let jobs = conditions.scaled(JOBS);
    let bench = Bench::start(builder, conditions, "w1").await?;
    let sample = fill_and_drain(&bench, &tally, jobs, |_| "bench.noop".to_owned()).await;
    bench.stop().await;
    sample
}

/// W2.
pub(super) async fn ten(conditions: &Conditions) -> Result<Sample, Failure> {
    let tally = Tally::default();
    let most = Arc::new(AtomicU32::new(0));
    let mut builder = Engine::builder();
    for queue in 0..QUEUES {
        builder = with_queue(builder, queue, &tally, &most);
    }
    let jobs = conditions.scaled(JOBS / QUEUES) * QUEUES;
    let bench = Bench::start(builder, conditions, "w2").await?;
    let sample = async {
        let action = |job| queue_name(job % QUEUES);
        let mut sample = fill_and_drain(&bench, &tally, jobs, action).await?;
        let mut violations = 0;
        for queue in 0..QUEUES {
            violations += out_of_order(&bench.engine, &queue_name(queue)).await?;
        }
        sample.insert("order_violations", f64::from(violations));
        let most = most.load(Ordering::Relaxed);
        sample.insert("most_at_once", f64::from(most));
        sample.insert("limit_violations", f64::from(most.saturating_sub(LIMIT)));
        Ok(sample)
    }
    .await;
    bench.stop().await;
    sample
}

fn queue_name(queue: u32) -> String {
    format!("bench.queue{queue}")
}

fn with_queue(
    builder: EngineBuilder,
    queue: u32,
    tally: &Tally,
    most: &Arc<AtomicU32>,
) -> EngineBuilder {
    let mut definition = Definition::handler(queue_name(queue).as_str());
    definition.concurrency_limit = Some(LIMIT);
    let running = Arc::new(AtomicU32::new(0));
    let (tally, most) = (tally.clone(), Arc::clone(most));
    builder.handler_with(definition, move |_: Context, _: Value| {
        let (tally, most, running) = (tally.clone(), Arc::clone(&most), Arc::clone(&running));
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            // Others get their chance to be at it as well.
            tokio::task::yield_now().await;
            running.fetch_sub(1, Ordering::SeqCst);
            tally.add();
            Ok::<_, String>(Value::Null)
        }
    })
}

/// Enqueues everything while the worker waits, then lets it work.
async fn fill_and_drain(
    bench: &Bench,
    tally: &Tally,
    jobs: u32,
    action: impl Fn(u32) -> String,
) -> Result<Sample, Failure> {
    bench.cordon(true).await?;
    let written = written_bytes();
    let begun = monotonic();
    let submissions = (0..jobs).map(|job| {
        let engine = bench.engine.clone();
        let request = request(action(job), json!({ "n": job }));
        async move { engine.submit(request).await.map(drop) }
    });
    stream::iter(submissions).buffer_unordered(SUBMITTERS).try_collect::<Vec<()>>().await?;
    let filled = monotonic();
    if tally.get() > 0 {
        return Err(Failure::environment("a cordoned worker took work"));
    }
    bench.cordon(false).await?;
    bench.wait(tally, u64::from(jobs), u64::from(jobs)).await?;
    let drained = monotonic();
    let count = f64::from(jobs);
    let mut sample = Sample::from([
        ("jobs", count),
        ("enqueued_per_second", count / filled.duration_since(begun).as_secs_f64()),
        ("drained_per_second", count / drained.duration_since(filled).as_secs_f64()),
    ]);
    if let (Some(before), Some(after)) = (written, written_bytes()) {
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
