//! Five branches of a run end in the five ways there are: completed, failed, timed out, abandoned
//! with a lost worker, cancelled by a client. The task that waits for all of them starts in any
//! case: no list of endings that somebody wrote down a second time can forget one.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "every_end_moves_its_run_on",
    story: "the branches of a run end in all five ways that there are, and the join behind them \
            starts once",
    covers: &["all_five_ends"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let run = deployment.enqueue("flow.ends", json!({})).await;
    let lost = world.child(run, "lost", None).await;
    let unwanted = world.child(run, "unwanted", None).await;
    let slow = world.child(run, "slow", None).await;
    world.until(ended(slow)).await;
    world.until(began(unwanted)).await;
    deployment.cancel(unwanted).await;
    world.until(ended(unwanted)).await;
    let worker = world.until(began(lost)).await.node;
    world.wait_up_to(ms(500), "the kill").await;
    world.lose_host(worker);
    world.until(is(lost, Status::Abandoned)).await;

    deployment.come_to_rest().await;
    let ends = ["good", "bad", "slow", "lost", "unwanted"].map(|task| {
        let row = world.executions_of(run, task).pop();
        row.map(|row| row.status)
    });
    let all =
        [Status::Completed, Status::Failed, Status::TimedOut, Status::Abandoned, Status::Cancelled];
    if ends == all.map(Some) {
        world.cover("all_five_ends");
    }
    world.expect_that("what comes after ran once", world.executions_of(run, "meet").len() == 1);
    deployment.expect(world.child(run, "meet", None).await).completed();
}
