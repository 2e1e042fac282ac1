//! W3: workflows of ten items and a join.

use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use steadfast_runtime::packs::read_standalone;

use super::engine::{Bench, submitters};
use super::{Conditions, Sample};
use crate::cli::arguments::Workload;
use crate::cli::failure::Failure;
use crate::cli::setup::monotonic;

/// How many workflows.
const FLOWS: u32 = 500;
/// How many executions each has: itself, its items and its join.
const PARTS: u64 = 12;

const FLOW: &str = "\
ref: bench.flow
version: 1.0.0
tasks:
  - name: fan
    action: bench.item
    with_items: \"{{ range(10) | list }}\"
    concurrency: 10
    input: { n: \"{{ item }}\" }
    next:
      - when: \"{{ succeeded() }}\"
        do: [join]
  - name: join
    action: bench.join
    input: { n: \"{{ length(task.fan.results) }}\" }
";

/// What all of it costs, as it is called in the results.
const COST: [&str; 5] = [
    "cpu_ours_per_1000",
    "cpu_postgres_per_1000",
    "cpu_rabbitmq_per_1000",
    "commits_per_execution",
    "wal_bytes_per_execution",
];

/// Runs all of them at once.
pub(super) async fn flows(conditions: &Conditions) -> Result<Sample, Failure> {
    let flows = conditions.scaled(FLOWS);
    let mut bench = Bench::start(Workload::W3, conditions).await?;
    let mut sample = measure(&mut bench, flows, conditions).await?;
    bench.stop(f64::from(flows) * PARTS as f64, conditions, &mut sample).await?;
    Ok(sample)
}

async fn measure(
    bench: &mut Bench,
    flows: u32,
    conditions: &Conditions,
) -> Result<Sample, Failure> {
    let engine = bench.engine.clone();
    let read = read_standalone(Path::new("bench.yaml"), FLOW.as_bytes(), &engine.catalog());
    let (definition, _) = read.map_err(|problems| Failure::problems(&problems))?;
    let definition = engine.add_definition(definition).await?;
    let defaults = super::engine::defaults();
    let prepared = steadfast_runtime::packs::prepare(&definition, json!({}), &defaults)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let before = bench.cost().await;
    let begun = monotonic();
    let submissions = (0..flows).map(|_| {
        let (engine, prepared) = (engine.clone(), prepared.clone());
        async move { engine.submit_prepared(prepared, None, None).await.map(drop) }
    });
    let all = stream::iter(submissions).buffer_unordered(submitters(conditions));
    all.try_collect::<Vec<()>>().await?;
    let filled = monotonic();
    bench.wait(u64::from(flows), u64::from(flows) * PARTS).await?;
    let ended = monotonic();
    let count = f64::from(flows);
    let joins = bench.notes.calls() as f64;
    let all = ended.duration_since(begun).as_secs_f64();
    let mut sample = Sample::from([
        ("workflows", count),
        ("submitted_per_second", count / filled.duration_since(begun).as_secs_f64()),
        ("workflows_per_second", count / all),
        ("executions_per_second", count * PARTS as f64 / all),
        ("joins", joins),
        ("joins_missing", (count - joins).abs()),
    ]);
    bench.cost().await.since(&before, count * PARTS as f64, COST, &mut sample);
    Ok(sample)
}
