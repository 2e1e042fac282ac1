//! The clocks of all nodes are apart, by as much as is promised at the most, and the store's clock
//! jumps ahead a little while work is under way. A worker is killed meanwhile. Nobody who lives is
//! declared dead, nobody's work is taken while he may still do it, and the dead one's is.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "clocks_apart",
    story: "clocks are as far apart as they may be while a worker dies: the living keep their work \
            and the dead one loses it",
    covers: &["ahead_and_behind", "the_dead_ones_work_was_taken"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let half = i64::try_from(DRIFT.as_micros() / 2).unwrap_or(0);
    let mut chance = world.stream("clocks");
    for node in world.nodes() {
        world.set_clock(node, one_of(&mut chance, &[-half, 0, half]));
    }
    world.cover("ahead_and_behind");
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(deployment.enqueue("sim.once", takes(4_000)).await);
    }
    for run in &runs {
        world.until(began(*run)).await;
    }
    world.wait_up_to(secs(3), "the kill").await;
    let dead = world.until(began(runs[0])).await.node;
    world.kill(dead);
    world.until(is(runs[0], Status::Abandoned)).await;
    world.cover("the_dead_ones_work_was_taken");

    deployment.come_to_rest().await;
    for run in runs {
        if world.until(began(run)).await.node == dead {
            deployment.expect(run).ended_as(Status::Abandoned);
        } else {
            deployment.expect(run).completed().attempts(1).begun(1);
        }
    }
}
