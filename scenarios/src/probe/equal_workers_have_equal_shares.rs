//! Three equal workers, and more work than they can do. Whatever is handed out goes to whoever has
//! the least to do, so none of them is full while another stands idle.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "equal_workers_have_equal_shares",
    story: "three equal workers and a backlog without end: while it lasts, none of them runs more \
            than another by more than is handed out at once",
    covers: &["all_are_full"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).capacity(4).open();
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    let mut runs = Vec::new();
    for _ in 0..30 {
        // None has ended when the shares are looked at.
        runs.push(deployment.enqueue("sim.step", takes(4_000)).await);
    }
    // Longer than it takes a worker to come for work by itself.
    world.wait(ms(1_500)).await;
    deployment.demand_equal_shares();
    world.cover("all_are_full");

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed().begun(1);
    }
}
