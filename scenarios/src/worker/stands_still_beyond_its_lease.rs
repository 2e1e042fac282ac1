//! A worker's process stands still for longer than its lease, with its work; nobody can make it
//! stop. Its work is given to another, its slot with it. When it goes on, it finishes what it had
//! and reports it, with a token that is no longer the newest. The report is refused, and changes
//! neither the result nor the slot.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "stands_still_beyond_its_lease",
    story: "a worker stands still beyond its lease and goes on as if nothing had been: its late \
            report is refused, and the result is that of the one who took over",
    covers: &["taken_over", "it_went_on", "it_was_refused"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("sim.single", takes(500)).await;
    let waiter = deployment.enqueue("sim.single", takes(20)).await;
    let first = world.until(began(run)).await;
    world.wait_up_to(ms(400), "the stillness").await;
    world.stand_still(first.node);
    let second = world.until(began(run).after(&first)).await;
    world.expect_that("another has it", second.node != first.node);
    world.cover("taken_over");
    world.wait_up_to(ms(900), "the waking").await;
    world.resume(first.node);
    world.cover("it_went_on");
    world.until(ended(waiter)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed().attempts(2);
    deployment.expect(waiter).completed().begun(1);
    let refused = Counter::FencedWrites;
    if world.counted(refused) + world.counted(Counter::DuplicateCompletionsIgnored) > 0 {
        world.cover("it_was_refused");
    }
}
