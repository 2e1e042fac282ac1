//! Nothing may wait in its queue for longer than a second, and those ahead take longer than that.
//! Whoever has waited too long is told so, and does not wait on until it is its turn.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "waiting_has_an_end",
    story: "a line moves too slowly for those at its end: they fail when their time is over and \
            not when it is their turn",
    covers: &["some_waited_too_long"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).impatient().open();
    let mut runs = Vec::new();
    for _ in 0..16 {
        runs.push(deployment.enqueue("sim.single", takes(800)).await);
    }
    deployment.come_to_rest().await;
    let too_long = runs.iter().filter(|run| {
        let cause = world.see_rows(|rows| rows.execution(**run).and_then(|row| row.cause));
        cause == Some(Cause::QueueTimeout)
    });
    world.expect_that("most waited too long", too_long.count() > 10);
    world.cover("some_waited_too_long");
}
