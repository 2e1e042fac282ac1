//! The store refuses everything for a while, or restarts and breaks every connection, while work is
//! being reported and runs are being moved on. Nobody concludes anything from it: reports are kept
//! until they are taken, hints are put off and not dropped, sweeps go on afterwards, and an outage
//! that is shorter than a lease costs nobody an attempt.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_store_that_goes_away",
    story: "the store is away for a moment while work is reported and moved on: no report is lost, \
            no hint dropped for good, and nobody loses an attempt",
    covers: &["down", "restarted", "ended_during_the_outage"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("flow.list", json!({})).await;
    let first = deployment.enqueue("sim.single", takes(300)).await;
    let second = deployment.enqueue("sim.single", takes(20)).await;
    world.until(began(first)).await;
    world.wait_up_to(ms(280), "the outage").await;
    let how = in_turn(&world, &["down", "restarted"]);
    if how == "down" {
        world.set_store_down(true);
        let finished = world.until(finished(first)).await;
        world.wait_up_to(ms(700), "its end").await;
        world.set_store_down(false);
        if !world.see_rows(|rows| rows.execution(first).is_some_and(|e| e.status.is_terminal())) {
            world.cover("ended_during_the_outage");
        }
        world.until(ended(first).after(&finished)).await;
    } else {
        world.restart_store();
    }
    world.cover(how);

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    for each in [first, second] {
        deployment.expect(each).completed().attempts(1).begun(1);
    }
}
