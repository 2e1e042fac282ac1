//! A worker cannot beat for a while, is suspected, and beats again within its lease. Nothing else
//! may be needed for it to serve again: no restart, no new registration, nobody's hand.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_late_beat_is_enough",
    story: "a suspected worker beats again and is as good as new, for as long as the work of \
            others goes on",
    covers: &["it_was_suspected"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let lease = |s: &mut steadfast_core::settings::Settings| {
        s.lease = steadfast_core::Span::from_secs(8);
    };
    let deployment = Stage::of(&world).settings(lease).open();
    let long = deployment.enqueue("sim.step", takes(40_000)).await;
    let busy = world.until(began(long)).await.node;
    let other = deployment.workers().iter().copied().find(|worker| *worker != busy);
    let other = other.expect("there are two");
    let active = world.until(worker_is(other, WorkerState::Active)).await;
    world.cut(other, Peer::Store);
    world.until(worker_is(other, WorkerState::Suspect).after(&active)).await;
    world.cover("it_was_suspected");
    world.wait_up_to(secs(2), "the healing").await;
    world.heal(other);

    deployment.come_to_rest().await;
    deployment.expect(long).completed().begun(1);
}
