//! Three equal workers and a backlog for all of them; two executors give it out at the same time,
//! or the workers come for it. While there is more than enough, each of them has its share: nobody
//! is given everything because he is first in some list.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "work_goes_where_there_is_room",
    story: "a backlog meets three equal workers: each has its share, and none is idle while \
            another is full",
    covers: &["all_three_worked"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).capacity(3).open();
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    let mut runs = Vec::new();
    for _ in 0..18 {
        runs.push(deployment.enqueue("sim.step", takes(1_500)).await);
    }
    for run in &runs[..9] {
        world.until(began(*run)).await;
    }
    let shares: Vec<usize> = deployment
        .workers()
        .iter()
        .map(|node| world.count_events(|e| e.node == *node && e.kind == &kinds::ACTION_BEGAN))
        .collect();
    world.expect_that(&format!("each has three, not {shares:?}"), shares == [3, 3, 3]);
    world.cover("all_three_worked");

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed().begun(1);
    }
}
