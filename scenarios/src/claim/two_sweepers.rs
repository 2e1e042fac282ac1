//! An executor stands still in the middle of a sweep: it has read that a worker is dead and what it
//! had, and has written nothing. Another one sweeps meanwhile, rescues the work, and somebody runs
//! it. The first one wakes up and wants to finish its round. What it knows is old, and every write
//! names the version that it was decided on: nothing that has been revived is failed.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "two_sweepers",
    story: "a sweeper stands still in the middle of its round while another does its work; when it \
            goes on, it fails nothing that has been revived",
    covers: &["it_stood_still_in_a_sweep", "the_other_rescued", "it_went_on"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let run = deployment.enqueue("sim.single", takes(900)).await;
    let waiter = deployment.enqueue("sim.single", takes(20)).await;
    let first = world.until(began(run)).await;
    world.kill(first.node);
    world.wait(LEASE + DRIFT).await;
    let sweeper = deployment.executor(0);
    let sweep = in_turn(&world, &["check workers", "sweep"]);
    let begins = steadfast_sim::began_step(sweep).by(sweeper).from_now(&world);
    world.until(begins).await;
    world.pause(sweeper);
    world.cover("it_stood_still_in_a_sweep");
    let again = world.until(began(run).after(&first)).await;
    if again.node != first.node {
        world.cover("the_other_rescued");
    }
    world.wait_up_to(ms(1_200), "the waking").await;
    world.resume(sweeper);
    world.cover("it_went_on");

    deployment.come_to_rest().await;
    deployment.expect(run).completed().attempts(2).begun(2);
    deployment.expect(waiter).completed().begun(1);
}
