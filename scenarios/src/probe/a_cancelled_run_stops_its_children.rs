//! A run is cancelled while its children work for long, and others of them have yet to begin. The
//! run is over when they are, so they must hear of it and not work to their own end.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_cancelled_run_stops_its_children",
    story: "a run with long children is cancelled: they are stopped within their grace, and the \
            run with them",
    covers: &["its_children_ran"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("flow.slow", json!({})).await;
    let child = world.child(run, "one", None).await;
    world.until(began(child)).await;
    world.cover("its_children_ran");
    world.wait_up_to(ms(500), "the cancel").await;
    deployment.cancel(run).await;

    deployment.come_to_rest().await;
    deployment.expect(run).ended_as(Status::Cancelled);
}
