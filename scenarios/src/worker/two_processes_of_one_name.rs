//! A worker stands still, and somebody starts another process under its name. The new one is a new
//! incarnation. The old one wakes up and beats, reports and says goodbye under the same name: none
//! of it touches the new one, which goes on serving.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "two_processes_of_one_name",
    story: "a second process starts under the name of a worker that stands still; when the first \
            wakes up, nothing it says is taken for the second",
    covers: &["the_old_one_woke_up", "the_new_one_serves"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(1).open();
    let run = deployment.enqueue("sim.step", takes(600)).await;
    let first = world.until(began(run)).await;
    world.wait_up_to(ms(500), "the stillness").await;
    world.stand_still(first.node);
    let twin = deployment.start_twin(first.node);
    world.until(worker_is(first.node, WorkerState::Active).after(&first)).await;
    world.wait_up_to(secs(3), "the waking").await;
    world.resume(first.node);
    world.cover("the_old_one_woke_up");
    world.until(ended(run)).await;
    let next = deployment.enqueue("sim.step", takes(20)).await;
    let served = world.until(began(next)).await;
    if served.node == twin {
        world.cover("the_new_one_serves");
    }
    world.until(ended(next)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    deployment.expect(next).completed().begun(1);
}
