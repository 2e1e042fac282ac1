//! Work is offered to a worker that hears nothing: its link to the broker is cut, or the offers are
//! lost on their way, while its beats go on and it looks as alive as can be. The answer to its next
//! beat names what it was offered, so it accepts without having heard, and no attempt is lost. The
//! link heals, and the old offers that were lying there are void.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "offers_that_nobody_reads",
    story: "offers go to a worker that beats and hears nothing; its beats tell it of them, no \
            attempt is lost, and offers read late are void",
    covers: &["cut_from_the_broker", "lost_on_the_way", "a_beat_told_of_it"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).carried_by(Transport::Rabbitmq).open();
    let deaf = deployment.worker(0);
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    let is_cut = in_turn(&world, &[false, true]);
    if is_cut {
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
    let began = world.count_events(|e| e.kind == &kinds::ACTION_BEGAN && e.node == deaf);
    if is_cut && began > 0 {
        world.cover("a_beat_told_of_it");
    }
    world.heal(deaf);
    world.wait(SWEEP).await;

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed().begun(1);
    }
}
