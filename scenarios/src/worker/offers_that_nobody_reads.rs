//! Work is offered to a worker that hears nothing: its link to the broker is cut, or the offers are
//! lost on their way, while its beats go on and it looks as alive as can be. An offer has a
//! deadline. When that is over the work is offered again, to another if there is one, and none of
//! this costs an attempt. The link heals, and the old offers that were lying there are void.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "offers_that_nobody_reads",
    story: "offers go to a worker that beats and hears nothing; each has a deadline, the work goes \
            elsewhere without losing an attempt, and offers read late are void",
    covers: &["cut_from_the_broker", "lost_on_the_way", "it_was_offered_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).carried_by(Transport::Rabbitmq).open();
    let deaf = deployment.worker(0);
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    if in_turn(&world, &[false, true]) {
        world.cut(deaf, Peer::Broker);
        world.cover("cut_from_the_broker");
    } else {
        for _ in 0..3 {
            world.at_the_next(delivery("offer"), Strike::MessageLost);
        }
    }
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(deployment.enqueue("sim.step", takes(50)).await);
    }
    for run in &runs {
        world.until(ended(*run)).await;
    }
    if world.struck().iter().any(|struck| struck.strike == Strike::MessageLost) {
        world.cover("lost_on_the_way");
    }
    let offers = |run: ExecutionId| {
        world.count_events(|e| {
            e.kind == &kinds::EXECUTION
                && e.payload[0] == run.0
                && e.payload[1] == Status::Offered as u64
        })
    };
    if runs.iter().any(|run| offers(*run) > 1) {
        world.cover("it_was_offered_again");
    }
    world.heal(deaf);
    world.wait(SWEEP).await;

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed().begun(1);
    }
}
