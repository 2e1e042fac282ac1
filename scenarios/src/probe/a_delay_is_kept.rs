//! A task is to begin a while after the one before it. Until then it is a row without a slot or a
//! place in line, and nothing but its timer will ever bring it on.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_delay_is_kept",
    story: "a task with a delay is created, and all executors die before it is over; it begins in \
            time and not before",
    covers: &["nobody_was_there"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("flow.delayed", json!({})).await;
    let late = world.child(run, "late", None).await;
    let created = world.now();
    deployment.executors().iter().for_each(|executor| world.kill(*executor));
    world.cover("nobody_was_there");
    world.wait_up_to(ms(400), "the return").await;
    deployment.executors().iter().for_each(|executor| world.restart(*executor));
    let begun = world.until(began(late)).await;
    world.expect_that("it began a second later", begun.at >= created.after(ms(950)));

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
}
