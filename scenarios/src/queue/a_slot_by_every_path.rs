//! Executions of an action with one slot come by every path there is: a client submits one, a
//! workflow starts others as children, at two depths, and one that was lost with its worker comes
//! back. Each of them holds a slot of its own while it runs, so none of their ends gives away
//! somebody else's. A run holds no slot of the queue that its children need.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_slot_by_every_path",
    story: "submissions, children of nested runs and rescued attempts share one slot; nobody runs \
            without it, and nobody gives away another's",
    covers: &["taken_from_the_dead", "all_paths_met"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let run = deployment.enqueue("flow.nest", json!({})).await;
    let first = deployment.enqueue("sim.single", takes(300)).await;
    let second = deployment.enqueue("sim.single", takes(40)).await;
    let worker = world.until(began(first)).await.node;
    world.wait_up_to(ms(250), "the kill").await;
    world.kill(worker);
    if world.until(ended(first)).await.node != worker {
        world.cover("taken_from_the_dead");
    }

    deployment.come_to_rest().await;
    for submitted in [run, first, second] {
        deployment.expect(submitted).completed();
    }
    let count = world.see_rows(|rows| {
        rows.executions.iter().filter(|row| row.action.as_str() == "sim.single").count()
    });
    world.expect_that("there are five of them", count == 5);
    world.cover("all_paths_met");
}
