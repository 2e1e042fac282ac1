//! A client cancels an execution in the very moment in which its worker reports that it is done.
//! Both read the row as running, and both want to write it. One of them is first, the other decides
//! again on what it finds; whoever wins, the slot goes to the one that waits, once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "cancel_meets_the_end",
    story: "a cancel and the last report meet on one row: one of them wins for good, and the slot \
            is freed once",
    covers: &["the_report_was_first", "the_cancel_was_first"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("sim.single", takes(100)).await;
    let waiter = deployment.enqueue("sim.single", takes(20)).await;

    world.until(began(run)).await;
    world.wait(ms(85)).await;
    world.wait_up_to(ms(30), "the cancel").await;
    deployment.cancel(run).await;

    deployment.come_to_rest().await;
    deployment.expect(waiter).completed().begun(1);
    let was_first = world.see_rows(|rows| rows.execution(run).map(|row| row.status));
    match was_first {
        Some(Status::Completed) => world.cover("the_report_was_first"),
        Some(Status::Cancelled) => world.cover("the_cancel_was_first"),
        _ => world.expect_that("one of the two has won", false),
    }
}
