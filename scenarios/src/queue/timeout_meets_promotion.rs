//! A waiter's patience ends in the very moment in which the slot becomes free. Either it has timed
//! out and the slot goes to the next, or it has the slot and its timer means nothing any more.
//! There is no third way, in which the slot belongs to nobody.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "timeout_meets_promotion",
    story: "a waiter's time in the queue ends in the moment in which the slot becomes free: it has \
            the slot or the next one has",
    covers: &["it_timed_out", "it_was_promoted"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).impatient().open();
    // The waiter's second is over when the next sweep looks, half a second after the last.
    let chance = &mut world.stream("the slot");
    let first = deployment.enqueue("sim.single", takes(chance.within(1_330..=1_440))).await;
    let waiter = deployment.enqueue("sim.single", takes(50)).await;
    world.until(is(waiter, Status::Queued)).await;
    world.until(ended(first)).await;
    let next = deployment.enqueue("sim.single", takes(20)).await;

    deployment.come_to_rest().await;
    deployment.expect(first).completed();
    deployment.expect(next).completed();
    match world.see_rows(|rows| rows.execution(waiter).map(|row| row.status)) {
        Some(Status::Failed) => {
            deployment.expect(waiter).because(Cause::QueueTimeout).begun(0);
            world.cover("it_timed_out");
        }
        _ => {
            deployment.expect(waiter).completed().begun(1);
            world.cover("it_was_promoted");
        }
    }
}
