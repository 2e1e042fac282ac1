//! An action hangs, and does not listen when it is told to stop. Its worker goes on renewing its
//! lease, so nobody can take it for dead; but an attempt has a time of its own as well, and when
//! that is over the engine ends it. Others wait behind it, inside the same worker and in the same
//! line, and are not failed for it. When it gives in at last, its report is late.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "work_that_does_not_stop",
    story: "an action hangs and does not listen: the engine ends it in time although its worker \
            lives, and those behind it are not failed for it",
    covers: &["it_was_ended", "it_gave_in_later", "stopped_by_a_cancel"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(1).capacity(2).open();
    let deaf = json!({ "ms": 10, "hangs": true, "deaf_ms": 7_000 });
    let run = deployment.enqueue("sim.brief", deaf).await;
    let behind = deployment.enqueue("sim.brief", takes(50)).await;
    let beside = deployment.enqueue("sim.step", takes(4_000)).await;
    world.until(began(run)).await;
    let cancels = in_turn(&world, &[false, true]);
    if cancels {
        world.wait_up_to(ms(200), "the cancel").await;
        deployment.cancel(run).await;
    }
    world.until(ended(run).within(secs(8))).await;
    world.cover(if cancels { "stopped_by_a_cancel" } else { "it_was_ended" });
    world.until(finished(run)).await;
    world.cover("it_gave_in_later");

    deployment.come_to_rest().await;
    let end = if cancels { Status::Cancelled } else { Status::TimedOut };
    deployment.expect(run).ended_as(end).begun(1);
    deployment.expect(behind).completed().begun(1);
    deployment.expect(beside).completed().begun(1);
}
