//! What a long list costs: `cargo bench -p steadfast-benches --bench fan_out`.
//!
//! A workflow with one `with_items` task over a no-op handler and a join, with 10 000 and with
//! 100 000 elements, alternating. The figure that matters is the ratio of the two times, which is
//! 10 if the cost of an element does not depend on how many there are.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use serde_json::{Value, json};
use steadfast_runtime::packs::{Definition, read_standalone};
use steadfast_runtime::{Context, Engine};

const WORKFLOW: &str = "
version: 1.0.0
parameters:
  elements: { type: array, required: true }
tasks:
  - name: each
    action: bench.noop
    with_items: \"{{ parameters.elements }}\"
    concurrency: 512
    input: { element: \"{{ item }}\" }
    next: [{ when: \"{{ succeeded() }}\", do: [after] }]
  - name: after
    action: bench.noop
    join: all
output_map: { done: \"{{ task.after.status }}\" }
";

async fn noop(_: Context, _: Value) -> Result<Value, std::convert::Infallible> {
    Ok(Value::Null)
}

/// Seconds for a list of `count` elements, in a new store.
async fn measure(count: u64) -> f64 {
    let handler = Definition::handler("bench.noop");
    let builder = Engine::builder().handler_with(handler, noop).capacity(512);
    let engine = builder.start().await.expect("an engine starts");
    let read = read_standalone("fan_out.yaml".as_ref(), WORKFLOW.as_bytes(), &engine.catalog());
    let (definition, _) = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    let definition = engine.add_definition(definition).await.expect("it is stored");
    let began = Instant::now();
    let result: Value = engine
        .run_definition(&definition, json!({ "elements": (0..count).collect::<Vec<u64>>() }))
        .await
        .expect("it completes");
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(result["done"], "completed");
    engine.shutdown(false).await;
    seconds
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let (mut small, mut large, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let (ten, hundred) =
            runtime.block_on(async { (measure(10_000).await, measure(100_000).await) });
        println!("10 000: {ten:.2} s   100 000: {hundred:.2} s   ratio {:.2}", hundred / ten);
        small.push(ten);
        large.push(hundred);
        ratios.push(hundred / ten);
    }
    println!(
        "medians: {:.2} s, {:.2} s, ratio {:.2} (10 is linear)",
        median(small),
        median(large),
        median(ratios)
    );
}
