//! A list runs through a window of two, and three of its items fail once. Executors die after they
//! have committed, hints are lost and come twice. The window is never wider than two and never
//! stays narrower; an item that is tried again is one execution, and those that succeeded are not
//! run again.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_window_through_crashes",
    story: "a list with a window of two loses hints and executors; the window keeps its width, and \
            an item that is retried is retried alone",
    covers: &["an_executor_died", "a_hint_was_lost"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    world.set_weather([(Strike::MessageLost, 200), (Strike::MessageDoubled, 200)]);
    let run = deployment.enqueue("flow.window", json!({})).await;
    world.until(began(world.child(run, "each", Some(0)).await)).await;
    let executor = deployment.executor(0);
    world.at_the_next(publish("ready").of(executor), Strike::Crash);
    world.wait_up_to(ms(300), "the kill").await;
    world.kill(deployment.executor(1));
    world.cover("an_executor_died");
    world.wait_up_to(ms(800), "its return").await;
    world.restart(deployment.executor(1));
    world.until(ended(run)).await;
    if world.struck().iter().any(|struck| struck.strike == Strike::MessageLost) {
        world.cover("a_hint_was_lost");
    }

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    let items = world.executions_of(run, "each");
    world.expect_that("there are seven items", items.len() == 7);
    for (item, fails) in items.iter().zip([0, 1, 0, 2, 0, 0, 1]) {
        deployment.expect(item.id).completed();
        world.expect_that("nobody else is tried again", fails > 0 || item.failures == 0);
    }
}
