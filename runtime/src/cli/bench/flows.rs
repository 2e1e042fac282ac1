//! W3: workflows of ten items and a join.

use std::path::Path;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use steadfast_runtime::packs::read_standalone;
use steadfast_runtime::{Context, Engine};

use super::engine::{Bench, SUBMITTERS, Tally};
use super::{Conditions, Sample};
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

/// Runs all of them at once.
pub(super) async fn flows(conditions: &Conditions) -> Result<Sample, Failure> {
    let joins = Tally::default();
    let counted = joins.clone();
    let builder = Engine::builder()
        .handler("bench.item", |_: Context, _: Value| async { Ok::<_, String>(Value::Null) })
        .handler("bench.join", move |_: Context, input: Value| {
            if input.get("n") == Some(&json!(10)) {
                counted.add();
            }
            async { Ok::<_, String>(Value::Null) }
        });
    let bench = Bench::start(builder, conditions, "w3").await?;
    let sample = measure(&bench, &joins, conditions.scaled(FLOWS)).await;
    bench.stop().await;
    sample
}

async fn measure(bench: &Bench, joins: &Tally, flows: u32) -> Result<Sample, Failure> {
    let engine = &bench.engine;
    let read = read_standalone(Path::new("bench.yaml"), FLOW.as_bytes(), &engine.catalog());
    let (definition, _) = read.map_err(|problems| Failure::problems(&problems))?;
    let definition = engine.add_definition(definition).await?;
    let defaults = super::engine::defaults();
    let prepared = steadfast_runtime::packs::prepare(&definition, json!({}), &defaults)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let begun = monotonic();
    let submissions = (0..flows).map(|_| {
        let (engine, prepared) = (engine.clone(), prepared.clone());
        async move { engine.submit_prepared(prepared, None, None).await.map(drop) }
    });
    stream::iter(submissions).buffer_unordered(SUBMITTERS).try_collect::<Vec<()>>().await?;
    let filled = monotonic();
    bench.wait(joins, u64::from(flows), u64::from(flows) * PARTS).await?;
    let ended = monotonic();
    let count = f64::from(flows);
    let all = ended.duration_since(begun).as_secs_f64();
    Ok(Sample::from([
        ("workflows", count),
        ("submitted_per_second", count / filled.duration_since(begun).as_secs_f64()),
        ("workflows_per_second", count / all),
        ("executions_per_second", count * PARTS as f64 / all),
        ("joins", joins.get() as f64),
        ("joins_missing", (count - joins.get() as f64).abs()),
    ]))
}
