//! An operator changes the limit of an action while its line is long: down to one while two run,
//! up to three, down to nothing, and away altogether; and pauses the queue and lets it go on. A
//! lower limit takes nothing away from those who run and admits nobody until it fits; a higher one,
//! and one that is gone, lets in everybody whom it has room for, at once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "limits_change_under_load",
    story: "the limit of a busy action is lowered, raised, set to nothing and lifted, and its \
            queue paused; every change takes effect at once, in both directions",
    covers: &["lowered", "raised", "to_nothing", "paused", "lifted"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).capacity(8).open();
    let mut runs = Vec::new();
    for _ in 0..9 {
        runs.push(deployment.enqueue("sim.pair", takes(250)).await);
    }
    world.until(began(runs[0])).await;
    set_limit(&deployment, Some(1)).await;
    world.cover("lowered");
    world.wait_up_to(ms(600), "the raise").await;
    set_limit(&deployment, Some(3)).await;
    world.expect_that(
        "three have slots, or nobody waits",
        holders(&world) >= 3 || waiters(&world) == 0,
    );
    world.cover("raised");
    world.wait_up_to(ms(200), "the stop").await;
    if in_turn(&world, &[false, true]) {
        set_limit(&deployment, Some(0)).await;
        world.cover("to_nothing");
    } else {
        deployment.change_queues("sim.pair", QueueChange::Pause(true)).await;
        world.cover("paused");
    }
    let waiting = waiters(&world);
    world.wait(secs(1)).await;
    world.expect_that("nobody was let in meanwhile", waiters(&world) == waiting);
    deployment.change_queues("sim.pair", QueueChange::Pause(false)).await;
    let lifted = QueueChange::Limit(Some(LimitOverride::Unlimited));
    deployment.change_queues("sim.pair", lifted).await;
    world.expect_that("without a limit nobody waits", waiters(&world) == 0);
    world.cover("lifted");

    deployment.come_to_rest().await;
    for run in runs {
        deployment.expect(run).completed();
    }
}

async fn set_limit(deployment: &Deployment, limit: Option<u32>) {
    let change = QueueChange::Limit(limit.map(LimitOverride::At));
    deployment.change_queues("sim.pair", change).await;
}

fn waiters(world: &World) -> usize {
    world.see_rows(|rows| rows.executions.iter().filter(|e| e.status == Status::Queued).count())
}

fn holders(world: &World) -> usize {
    world.see_rows(|rows| rows.executions.iter().filter(|e| e.status.holds_slot()).count())
}
