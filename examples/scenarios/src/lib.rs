//! An order is priced line by line, added up and announced. The worker that prices a line is killed
//! while it does so, or is cut off from the store. The order is priced all the same, once, and the
//! sum is announced once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steadfast_packs::{Definition, Sources};
use steadfast_sim::{Fleet, Library, Peer, World, began};

/// The packs and workflows of this repository, and how their actions behave here.
#[must_use]
pub fn library() -> Arc<Library> {
    let examples: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packs = Sources { search: vec![examples.join("packs")], packs: Vec::new() };
    let order = std::fs::read_to_string(examples.join("workflows/order.yaml"));
    let millis = Duration::from_millis;
    let library = Library::load(&packs)
        .action(Definition::handler("shop.price"))
        .action(Definition::handler("shop.total"))
        .behaves("shop.price", millis(400), json!({ "cents": 250 }))
        .behaves("shop.total", millis(50), json!(500))
        .workflow_file("order", &order.expect("the workflow can be read"));
    Arc::new(library)
}

/// Tells the story in a world.
pub async fn an_order_survives_its_worker(world: World) {
    let deployment = world.deploy(Fleet::default(), library());
    let lines = json!([{ "item": "tea", "count": 1 }, { "item": "cup", "count": 2 }]);
    let order = deployment.enqueue("order", json!({ "orders": lines })).await;

    let line = world.child(order, "price", Some(0)).await;
    let worker = world.until(began(line)).await.node;
    world.wait_up_to(Duration::from_millis(390), "the blow").await;
    if world.seed().is_multiple_of(2) {
        world.kill(worker)
    } else {
        world.cut(worker, Peer::Store)
    }

    deployment.come_to_rest().await;
    deployment.expect(order).completed();
    world.expect_that("it was added up once", world.executions_of(order, "total").len() == 1);
    world.expect_that("it was announced once", world.executions_of(order, "announce").len() == 1);
}

#[cfg(test)]
mod tests {
    use steadfast_sim::{Settings, report, run_seed};

    #[test]
    fn an_order_survives_its_worker() {
        for seed in 0..50 {
            let outcome = run_seed(seed, &Settings::default(), super::an_order_survives_its_worker);
            assert!(outcome.held(), "{}", report("an_order_survives_its_worker", &outcome));
        }
    }
}
