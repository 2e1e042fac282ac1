//! A worker is cut off from the store while it works, for longer than its lease. It cannot renew,
//! so it stops its work itself before the lease ends, and only then is the work given to another.
//! The link heals, and whatever the first one says has an old token: the result is the other's.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "cut_off_beyond_its_lease",
    story: "a worker is cut off from the store beyond its lease: it stops its own work before \
            another begins it, and what it reports late counts for nothing",
    covers: &["it_stopped_by_itself", "another_began_after_that"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("sim.single", takes(5_000)).await;
    let waiter = deployment.enqueue("sim.single", takes(20)).await;
    let first = world.until(began(run)).await;
    world.wait_up_to(ms(900), "the cut").await;
    world.cut(first.node, Peer::Store);
    let stopped = world.until(finished(run)).await;
    world.cover("it_stopped_by_itself");
    let second = world.until(began(run).after(&stopped)).await;
    world.expect_that("another has it", second.node != first.node);
    world.cover("another_began_after_that");
    world.wait_up_to(secs(2), "the healing").await;
    world.heal(first.node);
    world.until(worker_is(first.node, WorkerState::Active).from_now(&world)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed().attempts(2).begun(2);
    deployment.expect(waiter).completed().begun(1);
}
