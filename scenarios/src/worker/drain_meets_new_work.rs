//! A worker is asked to finish in the moment in which work is on its way to it: just claimed, just
//! offered, or about to be. It takes nothing once its draining is committed, finishes what it has,
//! and what had come to nothing goes to others without costing an attempt. Its last process leaves
//! while another of its name is already there.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "drain_meets_new_work",
    story: "a worker is drained while work is on its way to it; it finishes what it began, takes \
            nothing new, and nothing is lost between the two",
    covers: &["it_was_working", "others_took_the_rest", "it_is_gone"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).capacity(2).open();
    let drained = deployment.worker(0);
    world.until(worker_is(drained, WorkerState::Active)).await;
    let mut runs = Vec::new();
    for nth in 0..8 {
        runs.push(deployment.enqueue("sim.step", takes(150)).await);
        if nth == 2 {
            world.wait_up_to(ms(40), "the drain").await;
            deployment.drain(drained);
        }
    }
    let gone = world.until(worker_is(drained, WorkerState::Gone)).await;
    world.cover("it_is_gone");
    let began_at = |node| world.count_events(|e| e.node == node && e.kind == &kinds::ACTION_BEGAN);
    if began_at(drained) > 0 {
        world.cover("it_was_working");
    }
    let after = world.count_events(|e| {
        e.node == drained && e.kind == &kinds::ACTION_BEGAN && e.index > gone.index
    });
    world.expect_that("it began nothing after it had gone", after == 0);
    world.until(ended(runs[7])).await;
    if began_at(deployment.worker(1)) > 0 {
        world.cover("others_took_the_rest");
    }
    world.kill(drained);

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed().begun(1);
    }
}
