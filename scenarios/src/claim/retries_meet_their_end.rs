//! An attempt fails and its report is interrupted: the error path is about to put the execution off
//! for its next attempt. The report comes again before that is committed, or after it, or a cancel
//! comes in between, or the worker dies. No guard turns the legal retry away, and none lets an
//! illegal one through: there are as many attempts as the policy says, and not one more.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "retries_meet_their_end",
    story: "the report of a failure is interrupted and comes again, before or after it was taken; \
            every retry that is due happens, and no other",
    covers: &["before_it_was_taken", "after_it_was_taken", "a_cancel_in_between", "all_were_spent"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("sim.retried", json!({ "ms": 20, "fails": 99 })).await;
    let lucky = deployment.enqueue("sim.retried", json!({ "ms": 20, "fails": 3 })).await;
    let how =
        in_turn(&world, &["before_it_was_taken", "after_it_was_taken", "a_cancel_in_between"]);
    let strike = match how {
        "before_it_was_taken" => Strike::CommitLost,
        _ => Strike::CommitLandsReplyLost,
    };
    for each in [run, lucky] {
        world.at_the_next(commit("complete").about(each), strike);
    }
    world.until(struck(strike)).await;
    if how == "a_cancel_in_between" {
        world.wait_up_to(ms(400), "the cancel").await;
        deployment.cancel(run).await;
    }
    world.cover(how);

    deployment.come_to_rest().await;
    deployment.expect(lucky).completed().attempts(4).begun(4);
    if how == "a_cancel_in_between" {
        deployment.expect(run).ended_as(Status::Cancelled);
    } else {
        deployment.expect(run).ended_as(Status::Failed).attempts(4).begun(4);
        world.cover("all_were_spent");
    }
}
