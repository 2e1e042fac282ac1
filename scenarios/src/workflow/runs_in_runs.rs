//! A run starts two runs, which start tasks of their own; they meet in the outer one. The outer run
//! is cancelled at some moment, or it is not, and an executor dies in the meantime. An end travels
//! up and a cancel travels down, however often whoever carries it dies.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "runs_in_runs",
    story: "runs inside a run end, or are cancelled with it, while executors die; ends travel up \
            and cancels travel down",
    covers: &["cancelled_in_the_middle", "ran_to_its_end", "an_executor_died"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let run = deployment.enqueue("flow.nest", json!({})).await;
    let one = world.child(run, "one", None).await;
    world.until(began(world.child(one, "start", None).await)).await;
    let executor = deployment.executor(0);
    world.at_the_next(commit("advance").of(executor), Strike::Crash);
    let cancels = in_turn(&world, &[true, false]);
    if cancels {
        world.wait_up_to(ms(150), "the cancel").await;
        deployment.cancel(run).await;
    }
    world.until(ended(run)).await;
    if world.struck().iter().any(|struck| struck.strike == Strike::Crash) {
        world.cover("an_executor_died");
    }

    deployment.come_to_rest().await;
    let is_cancelled =
        world.see_rows(|rows| rows.execution(run).is_some_and(|e| e.status == Status::Cancelled));
    if is_cancelled {
        world.cover("cancelled_in_the_middle");
    } else {
        deployment.expect(run).completed();
        let after = world.executions_of(run, "after").len();
        world.expect_that("they met once", after == 1);
        world.cover("ran_to_its_end");
    }
}
