//! An engine inside a Rust program: two actions are async functions, a third is a script of a pack,
//! and a workflow runs all of them.
//!
//! `cargo run -p steadfast-runtime --example embed`

use serde::{Deserialize, Serialize};
use steadfast_runtime::packs::{Definition, load_standalone};
use steadfast_runtime::{Context, Engine, HandlerError};

#[derive(Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Serialize)]
struct Price {
    item: String,
    cents: u64,
}

/// Fails on its first attempt, to show that the engine tries again.
async fn price(ctx: Context, order: Order) -> Result<Price, HandlerError> {
    match order.count {
        0 => Err(HandlerError::Permanent(format!("nobody orders 0 of {}", order.item))),
        _ if ctx.attempt() == 1 => Err(HandlerError::Failed("the price list is being read".into())),
        count => Ok(Price { item: order.item, cents: 250 * u64::from(count) }),
    }
}

#[derive(Deserialize)]
struct Sum {
    prices: Vec<u64>,
}

async fn total(_ctx: Context, sum: Sum) -> Result<u64, std::convert::Infallible> {
    Ok(sum.prices.iter().sum())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut pricing = Definition::handler("shop.price");
    pricing.retry.count = 2;
    let engine = Engine::builder()
        .handler_with(pricing, price)
        .handler("shop.total", total)
        .pack(format!("{root}/examples/packs/core"))
        .start()
        .await?;

    // One action, typed on both sides.
    let cents: u64 = engine.run("shop.total", serde_json::json!({ "prices": [100, 250] })).await?;
    println!("two prices make {cents} cents");

    // A workflow file that uses them beside an action of a pack.
    let file = format!("{root}/examples/workflows/order.yaml");
    let (workflow, _warnings) = load_standalone(file.as_ref(), &engine.catalog())
        .map_err(|problems| problems.first().map_or_else(String::new, ToString::to_string))?;
    let workflow = engine.add_definition(workflow).await?;
    let request = serde_json::json!({ "orders": [
        { "item": "tea", "count": 2 }, { "item": "bread", "count": 1 } ] });
    let outcome: serde_json::Value = engine.run_definition(&workflow, request).await?;
    println!("{}", serde_json::to_string_pretty(&outcome)?);

    engine.shutdown(false).await;
    Ok(())
}
