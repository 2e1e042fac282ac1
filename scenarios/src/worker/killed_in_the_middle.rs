//! A worker is killed in the middle of its work, or its host is lost with everything on it, right
//! after a beat. Nothing was acknowledged that was not done: its row says who has it and until when.
//! When the lease is over, somebody else begins anew, once; the worker comes back under its old
//! name and is somebody new.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "killed_in_the_middle",
    story: "a worker is killed, or its host is lost, in the middle of its work; others begin anew \
            within the bound, and nothing ends twice",
    covers: &["killed", "host_lost", "another_took_over"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(deployment.enqueue("sim.pair", takes(700)).await);
    }
    let first = world.until(began(runs[0])).await;
    world.wait_up_to(ms(600), "the loss").await;
    let lost = if in_turn(&world, &[false, true]) {
        world.lose_host(first.node);
        "host_lost"
    } else {
        world.kill(first.node);
        "killed"
    };
    world.cover(lost);
    let bound = LEASE + DRIFT + SWEEP + secs(2);
    let second = world.until(began(runs[0]).after(&first).within(bound)).await;
    if second.node != first.node {
        world.cover("another_took_over");
    }
    world.wait_up_to(secs(2), "the return").await;
    world.restart(first.node);

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed();
    }
    deployment.expect(ExecutionId(second.payload[0])).attempts(2);
}
