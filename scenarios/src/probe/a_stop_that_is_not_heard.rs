//! A client cancels what runs, and the word that it should stop is lost on its way. The worker has
//! to learn of it from the answer to its next beat: when the grace is over, the slot is somebody
//! else's, and two would run at once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_stop_that_is_not_heard",
    story: "the hint that an attempt should stop is lost; its worker stops it all the same before \
            the slot is given to the next",
    covers: &["the_stop_was_lost"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("sim.single", takes(8_000)).await;
    let next = deployment.enqueue("sim.single", takes(1_500)).await;
    world.until(began(run)).await;
    world.wait_up_to(ms(300), "the cancel").await;
    world.at_the_next(delivery("stop"), Strike::MessageLost);
    deployment.cancel(run).await;
    world.until(struck(Strike::MessageLost)).await;
    world.cover("the_stop_was_lost");
    world.until(began(next)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).ended_as(Status::Cancelled).begun(1);
    deployment.expect(next).completed();
}
