//! Twelve requests wait for the only slot of an action whose every run takes a second. A request
//! for another action, and one for another key of a keyed action, come after all of them. They run
//! at once: nobody waits inside a handler, and a slow line delays nobody but itself.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_full_action_stalls_nobody",
    story: "a dozen wait in one queue; requests for other actions and for other keys run at once",
    covers: &["others_ran_at_once"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).capacity(8).open();
    let mut line = Vec::new();
    for _ in 0..12 {
        line.push(deployment.enqueue("sim.single", takes(1_000)).await);
    }
    world.set_weather([(Strike::MessageDoubled, 300)]);
    let keyed = |key: u64| json!({ "ms": 500, "key": key });
    let blocked = deployment.enqueue("sim.keyed", keyed(1)).await;
    let behind = deployment.enqueue("sim.keyed", keyed(1)).await;
    let beside = deployment.enqueue("sim.keyed", keyed(2)).await;
    let other = deployment.enqueue("sim.step", takes(10)).await;
    for run in [blocked, beside, other] {
        world.until(began(run).within(secs(2))).await;
    }
    world.cover("others_ran_at_once");

    deployment.come_to_rest().await;
    for run in line.into_iter().chain([blocked, behind, beside, other]) {
        deployment.expect(run).completed().begun(1);
    }
}
