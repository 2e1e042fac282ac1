//! Retention sweeps while a run is under way, whose first tasks ended longer ago than anything is
//! kept. They stay as long as the run: it may still ask what they left. What is over as a whole
//! goes as a whole.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "retention_meets_an_open_run",
    story: "retention sweeps again and again while runs are under way: what has ended in them stays \
            until they are over as a whole, and then goes with them",
    covers: &["swept_an_open_run", "dropped_what_was_over"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).apis(2).open();
    let single = deployment.enqueue("sim.step", takes(5)).await;
    let run = deployment.enqueue("flow.outer", json!({})).await;
    let inner = world.child(run, "inner", None).await;
    let one = world.child(inner, "one", None).await;
    world.until(ended(one)).await;
    world.until(ended(single)).await;
    let sweeps = in_turn(&world, &[1, 3]);
    for _ in 0..sweeps {
        world.wait(ms(20)).await;
        deployment.retain(ms(10)).await;
    }
    let is_open = world.see_rows(|rows| rows.runs.get(&run).is_some_and(|run| run.open));
    if is_open {
        world.cover("swept_an_open_run");
        let there = world.see_rows(|rows| rows.execution(one).is_some());
        world.expect_that("what ended in an open run is still there", there);
    }
    world.expect_that("what was over is gone", world.was_dropped(single));

    deployment.come_to_rest().await;
    if !world.was_dropped(run) {
        deployment.expect(run).completed();
        world.wait(ms(20)).await;
        while !deployment.retain(ms(10)).await {
            world.wait(ms(500)).await;
        }
    }
    let left = world.see_rows(|rows| rows.executions.iter().filter(|e| e.place.is_some()).count());
    world.expect_that("the run went with all that belonged to it", left == 0);
    if world.was_dropped(run) && world.was_dropped(one) {
        world.cover("dropped_what_was_over");
    }
}
