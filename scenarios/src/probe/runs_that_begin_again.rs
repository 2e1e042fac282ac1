//! A run is an execution like any other: it may fail and be tried again, and it may run out of time
//! while its children are under way. Then the next attempt begins, or what is left is stopped and
//! heard to its end before the run is closed.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "runs_that_begin_again",
    story: "a run in a run fails and is tried again, another runs out of time while its children \
            work; both end, and nothing of them is left open",
    covers: &["it_was_tried_again", "it_ran_out_of_time"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let stubborn = deployment.enqueue("flow.stubborn", json!({})).await;
    let hurried = deployment.enqueue("flow.hurried", json!({})).await;
    deployment.come_to_rest().await;
    if world.executions_of(stubborn, "child").iter().all(|child| child.attempt.0 == 2) {
        world.cover("it_was_tried_again");
    }
    if world.executions_of(hurried, "child").iter().all(|child| child.status == Status::TimedOut) {
        world.cover("it_ran_out_of_time");
    }
    deployment.expect(stubborn).completed();
    deployment.expect(hurried).completed();
}
