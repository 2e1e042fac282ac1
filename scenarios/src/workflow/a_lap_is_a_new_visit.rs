//! A run goes round in a circle that has a join in it. In the middle of the second lap an executor
//! dies after its commit, and its hints are lost. Each lap is a visit of its own: no visit is taken
//! for the one before, none is made twice, and the join waits for both branches of its own lap.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_lap_is_a_new_visit",
    story: "a run goes round a circle with a join in it while executors die after their commits; \
            every lap happens, once",
    covers: &["died_in_a_later_lap", "three_laps"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("flow.ring", json!({})).await;
    let meet = world.child(run, "meet", None).await;
    world.until(ended(meet)).await;
    for executor in deployment.executors() {
        // What is ready is announced, or offered at once to a worker that has room.
        world.at_the_next(publish("ready").of(*executor), Strike::Crash);
        world.at_the_next(publish("offer").of(*executor), Strike::Crash);
    }
    world.until(struck(Strike::Crash)).await;
    world.cover("died_in_a_later_lap");
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    let visits = |task: &str| world.executions_of(run, task).len();
    world.expect_that("it turned three times", visits("turn") == 3);
    for task in ["left", "right", "meet"] {
        world.expect_that(&format!("`{task}` was visited twice"), visits(task) == 2);
    }
    world.expect_that("it left the circle once", visits("done") == 1);
    world.cover("three_laps");
}
