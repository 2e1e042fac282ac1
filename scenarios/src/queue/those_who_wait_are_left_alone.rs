//! The only worker has room for one and is busy for a long time. Behind it others wait: in the line
//! of the same queue, and with a slot of their own for a worker that has room. All of them are older
//! than any span that a sweep knows, and none of them is in anybody's way. No sweep touches them.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "those_who_wait_are_left_alone",
    story: "executions wait patiently for a slot and for a busy worker, longer than any bound that \
            sweeps know; none is failed, and each runs once",
    covers: &["waited_beyond_every_bound"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let settings = |s: &mut steadfast_core::settings::Settings| {
        s.unschedulable_after = steadfast_core::Span::from_secs(4);
    };
    let deployment = Stage::of(&world).workers(1).capacity(1).settings(settings).open();
    let busy = deployment.enqueue("sim.single", takes(12_000)).await;
    world.until(began(busy)).await;
    let in_line = deployment.enqueue("sim.single", takes(50)).await;
    let with_slot = deployment.enqueue("sim.step", takes(50)).await;
    world.until(ended(busy)).await;
    world.cover("waited_beyond_every_bound");

    deployment.come_to_rest().await;
    for run in [busy, in_line, with_slot] {
        deployment.expect(run).completed().attempts(1).begun(1);
    }
}
