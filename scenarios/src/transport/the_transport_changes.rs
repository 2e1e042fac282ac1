//! Work is submitted under one transport and is under way when every process is restarted with
//! another. What was submitted before still says how it was submitted, what comes after says the new
//! way, and both end: whoever serves the new transport takes what the old one has left.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_transport_changes",
    story: "every process is restarted with another transport while work is under way; older work \
            ends as it was submitted, newer work as it is now",
    covers: &["changed_under_way"],
    tell: |world| Box::pin(tell(world)),
};

/// From what to what.
const CHANGES: &[(Transport, Transport)] = &[
    (Transport::Rabbitmq, Transport::Postgres),
    (Transport::Postgres, Transport::Rabbitmq),
    (Transport::Embedded, Transport::Postgres),
    (Transport::Postgres, Transport::Embedded),
];

async fn tell(world: World) {
    let (before, after) = in_turn(&world, CHANGES);
    let deployment = Stage::of(&world).carried_by(before).open();
    let old = deployment.enqueue("flow.chain", json!({})).await;
    let older = deployment.enqueue("sim.pair", takes(400)).await;
    world.until(began(older)).await;
    world.wait_up_to(ms(300), "the change").await;
    deployment.change_transport(after);
    for node in world.nodes() {
        world.kill(node);
        world.wait(ms(100)).await;
        world.wait_up_to(ms(100), "its return").await;
        world.restart(node);
    }
    world.cover("changed_under_way");
    let new = deployment.enqueue("sim.pair", takes(20)).await;
    // Hints that nobody listens to any more go with the broker that carried them.
    world.restart_broker();

    deployment.come_to_rest().await;
    for (run, transport) in [(old, before), (older, before), (new, after)] {
        deployment.expect(run).completed();
        let carried = world.see_rows(|rows| rows.execution(run).map(|row| row.transport));
        world.expect_that("it is carried as it was submitted", carried == Some(transport));
    }
}
