//! A leaf and a task that has a successor end in the same moment; both rows say completed. Whoever
//! handles the leaf first finds no open row, and must not conclude that the run is over: the other
//! end has not been folded in, and what follows from it is still to come.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_leaf_does_not_close_its_run",
    story: "a leaf ends beside a task that goes on, and is handled first; the run waits for what \
            the other one starts",
    covers: &["the_leaf_was_first", "the_leaf_was_not_first"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).batches_of(1).open();
    world.set_weather([(Strike::MessageLate, 200), (Strike::MessageDoubled, 200)]);
    let run = deployment.enqueue("flow.leaf", json!({})).await;
    let leaf = world.child(run, "leaf", None).await;
    let long = world.child(run, "long", None).await;
    let leaf_ended = world.until(ended(leaf)).await;
    let long_ended = world.until(ended(long)).await;
    let leaf_was_first = leaf_ended.index < long_ended.index;
    world.cover(if leaf_was_first { "the_leaf_was_first" } else { "the_leaf_was_not_first" });

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    world.expect_that("the last task ran", world.executions_of(run, "last").len() == 1);
}
