//! The last holder of a queue ends, and nobody waits: by completing, by failing, by being cancelled,
//! by running out of time. The figures of the queue are those of its rows in the same commit, also
//! when there is nobody to promote; and the next one, much later, finds the slot free.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_last_one_out",
    story: "the last holder leaves a queue that nobody waits in; its figures say so at once, and \
            the next one to come finds it empty",
    covers: &["completed", "failed", "cancelled", "timed_out"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let status =
        in_turn(&world, &[Status::Completed, Status::Failed, Status::Cancelled, Status::TimedOut]);
    let parameters = match status {
        Status::Completed => takes(50),
        Status::Failed => json!({ "ms": 50, "fails": 9 }),
        _ => takes(9_000),
    };
    let last = deployment.enqueue("sim.brief", parameters).await;
    if status == Status::Cancelled {
        world.until(began(last)).await;
        world.wait_up_to(ms(200), "the cancel").await;
        deployment.cancel(last).await;
    }
    world.until(is(last, status)).await;
    world.cover(status.as_str());
    let counted = world.see_rows(|rows| {
        let figures = |queue: &steadfast_core::queue::Queue| queue.completed;
        rows.queues.values().filter(|q| q.action.as_str() == "sim.brief").map(figures).sum::<u64>()
    });
    world.expect_that("the queue has counted it", counted == 1);
    world.wait_up_to(secs(5), "the next one").await;
    let next = deployment.enqueue("sim.brief", takes(20)).await;
    world.until(began(next).within(secs(3))).await;

    deployment.come_to_rest().await;
    deployment.expect(next).completed().begun(1);
}
