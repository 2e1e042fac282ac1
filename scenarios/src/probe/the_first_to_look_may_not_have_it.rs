//! Two workers have each lost an execution, and each is to leave its own to the other. Both look at
//! the same time: each finds its own, and the other's locked. If they came back only together, they
//! would find the same again, and neither execution would ever begin although there is room for it.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_first_to_look_may_not_have_it",
    story: "two workers look at the same time, each at what only the other may have; they do not \
            go on meeting like that",
    covers: &["both_were_lost"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let transport = in_turn(&world, &[Transport::Embedded, Transport::Postgres]);
    let deployment = Stage::of(&world).carried_by(transport).capacity(1).open();
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.push(deployment.enqueue("sim.step", takes(1_000)).await);
    }
    for run in &runs {
        world.until(began(*run)).await;
    }
    deployment.workers().iter().for_each(|worker| world.kill(*worker));
    deployment.workers().iter().for_each(|worker| world.restart(*worker));
    world.cover("both_were_lost");

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed();
    }
}
