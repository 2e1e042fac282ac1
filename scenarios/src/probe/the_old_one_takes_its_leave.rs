//! A process starts under the name of a worker that is still there. Before the old one has heard of
//! it, it is told to stop, drains, and says goodbye under the name that is no longer its own.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_old_one_takes_its_leave",
    story: "a worker is replaced by a process of its name and says goodbye afterwards; the new one \
            goes on serving",
    covers: &["it_said_goodbye"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(1).open();
    let old = deployment.worker(0);
    let first = world.until(worker_is(old, WorkerState::Active)).await;
    world.wait_up_to(ms(400), "the replacement").await;
    let twin = deployment.start_twin(old);
    world.until(worker_is(old, WorkerState::Active).after(&first)).await;
    deployment.drain(old);
    world.wait(secs(1)).await;
    world.cover("it_said_goodbye");
    let run = deployment.enqueue("sim.step", takes(20)).await;
    let served = world.until(began(run)).await;
    world.expect_that("the new one serves", served.node == twin);
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed().begun(1);
}
