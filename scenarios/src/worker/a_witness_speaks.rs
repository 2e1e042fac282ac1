//! Each worker has a witness beside it. The worker is killed and the witness says so, once the
//! actions are dead; or the witness was killed just before and nobody can; or long before, and the
//! worker had started another; or the host is lost with both. Whoever has to be waited for, what the
//! worker had is begun anew, once, and never beside what it replaces.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_witness_speaks",
    story: "a worker is killed and its witness gives its attempts back; or the witness is dead too, \
            and the lease has to end",
    covers: &["worker_killed", "both_killed", "witness_replaced", "both_lost"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).witnesses().open();
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(deployment.enqueue("sim.pair", takes(900)).await);
    }
    let first = world.until(began(runs[0])).await;
    world.wait_up_to(ms(600), "the loss").await;
    let witness = world.witness_of(first.node).expect("each worker has one");
    let how = in_turn(&world, &["worker_killed", "both_killed", "witness_replaced", "both_lost"]);
    match how {
        "both_killed" => world.kill(witness),
        "witness_replaced" => {
            world.kill(witness);
            world.wait(ms(100)).await;
        }
        _ => {}
    }
    if how == "both_lost" {
        world.lose_host(first.node)
    } else {
        world.kill(first.node)
    }
    world.cover(how);
    if matches!(how, "worker_killed" | "witness_replaced") {
        world.until(began_step("testify").within(secs(4))).await;
    }
    let bound = LEASE + DRIFT + SWEEP + secs(3);
    world.until(began(runs[0]).after(&first).within(bound)).await;
    world.wait_up_to(secs(2), "the return").await;
    world.restart(first.node);

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed();
    }
    deployment.expect(ExecutionId(first.payload[0])).attempts(2);
}
