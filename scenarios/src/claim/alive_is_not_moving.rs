//! An executor is up and does its rounds, and every one of them fails: it cannot reach the store. It
//! is alive and moves nothing. There is no leader whose place it could keep: any other executor does
//! all there is to do, within the same bounds, as if the first one were not there.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "alive_is_not_moving",
    story: "an executor is up and none of its rounds succeeds; the other does everything within \
            the usual bounds, because no round belongs to anybody",
    covers: &["it_was_up_and_moved_nothing", "a_rescue_meanwhile"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let idle = deployment.executor(in_turn(&world, &[0, 1]));
    world.cut(idle, Peer::Store);
    let run = deployment.enqueue("flow.diamond", json!({})).await;
    let step = deployment.enqueue("sim.step", takes(1_000)).await;
    let first = world.until(began(step)).await;
    world.kill(first.node);
    let bound = LEASE + DRIFT + SWEEP + secs(2);
    world.until(began(step).after(&first).within(bound)).await;
    world.cover("a_rescue_meanwhile");
    world.until(ended(run)).await;
    let moved = world.count_events(|e| e.node == idle && e.kind == &kinds::COMMITTED);
    if moved == 0 && world.is_up(idle) {
        world.cover("it_was_up_and_moved_nothing");
    }

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    deployment.expect(step).completed().attempts(2);
}
