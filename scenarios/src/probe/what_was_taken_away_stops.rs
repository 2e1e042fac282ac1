//! A worker cannot reach the store for a while, shorter than its lease. Meanwhile a client cancels
//! what runs there, nobody can tell the worker, and the engine ends the attempt when the grace is
//! over. Or another process takes the worker's name, and what it had is abandoned. When the worker
//! hears of it, it has to stop what it still runs, before the slot is used again.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "what_was_taken_away_stops",
    story: "an attempt is taken from a worker that lives and was not told; it stops the work as \
            soon as a beat tells it that this is no longer its own",
    covers: &["a_cancel_that_it_missed", "another_has_its_name"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let lease = |s: &mut steadfast_core::settings::Settings| {
        s.lease = steadfast_core::Span::from_secs(8);
    };
    let deployment = Stage::of(&world).settings(lease).open();
    let run = deployment.enqueue("sim.lone", takes(25_000)).await;
    let worker = world.until(began(run)).await.node;
    world.wait_up_to(ms(500), "the loss").await;
    if in_turn(&world, &[false, true]) {
        world.cut(worker, Peer::Store);
        world.at_the_next(delivery("stop"), Strike::MessageLost);
        deployment.cancel(run).await;
        world.until(is(run, Status::Cancelled)).await;
        world.heal(worker);
        world.cover("a_cancel_that_it_missed");
    } else {
        let _ = deployment.start_twin(worker);
        world.until(is(run, Status::Abandoned)).await;
        world.cover("another_has_its_name");
    }
    // Two beats, the first of which may have been under way when the link was cut.
    world.wait(secs(5)).await;
    let next = deployment.enqueue("sim.lone", takes(20)).await;
    // When all is healed a third process will have the name, and what the second has is lost.
    world.until(ended(next)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).begun(1);
    deployment.expect(next).completed().begun(1);
}
