//! A worker stands still for longer than a beat may take and for less than its lease. It is given
//! nothing new meanwhile, and keeps what it has. When it beats again it is as good as any other: its
//! work completes at the first attempt, and it serves again at once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_beat_that_comes_late",
    story: "a worker's beat is late and its lease still good: it is suspected, loses nothing, and \
            serves again with its next beat",
    covers: &["it_was_suspected", "it_serves_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(1).settings(long_lease).open();
    let worker = deployment.worker(0);
    let run = deployment.enqueue("sim.single", takes(2_500)).await;
    let next = deployment.enqueue("sim.single", takes(20)).await;
    let first = world.until(began(run)).await;
    world.cut(worker, Peer::Store);
    let suspected = world.until(worker_is(worker, WorkerState::Suspect).after(&first)).await;
    world.cover("it_was_suspected");
    world.heal(worker);
    world.until(worker_is(worker, WorkerState::Active).after(&suspected).within(secs(5))).await;
    world.until(began(next)).await;
    world.cover("it_serves_again");

    deployment.come_to_rest().await;
    deployment.expect(run).completed().attempts(1).begun(1);
    deployment.expect(next).completed().begun(1);
}

fn long_lease(settings: &mut steadfast_core::settings::Settings) {
    settings.lease = steadfast_core::Span::from_secs(8);
}
