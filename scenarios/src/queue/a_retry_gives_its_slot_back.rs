//! A child of a run fails twice in a queue for one, with retries left, and its failure is heard of
//! twice. While it waits for its next attempt it holds no slot: the one behind it runs in the
//! meantime. There are three attempts, numbered without a gap, and one execution; and nobody who
//! handles messages sleeps through the delay.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_retry_gives_its_slot_back",
    story: "a child fails twice in a queue for one and its reports come twice; the slot is free \
            between its attempts, and there are exactly three",
    covers: &["another_ran_in_between", "a_report_came_twice"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    world.set_weather([(Strike::MessageDoubled, 400)]);
    let run = deployment.enqueue("flow.narrow", json!({})).await;
    let child = world.child(run, "child", None).await;
    world.at_the_next(commit("complete").about(child), Strike::CommitLandsReplyLost);
    let other = deployment.enqueue("sim.again", takes(60)).await;
    let failed = world.until(is(child, Status::Backoff)).await;
    world.until(struck(Strike::CommitLandsReplyLost)).await;
    world.cover("a_report_came_twice");
    let between = world.until(began(other)).await;
    let again = world.until(began(child).after(&failed)).await;
    if between.index < again.index {
        world.cover("another_ran_in_between");
    }

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    deployment.expect(child).completed().attempts(3).begun(3);
    deployment.expect(other).completed().begun(1);
    world.expect_that("there is one child", world.executions_of(run, "child").len() == 1);
}
