//! Two branches of a run end in the same moment, and the task where they meet waits for both. Two
//! executors load the run, each with the end of one branch. One commits; the other is refused,
//! because the row has moved on, and decides again on what it finds. The join has both, and starts
//! once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "branches_that_meet_at_once",
    story: "two branches end together and two executors count one each; the join loses neither, \
            and starts once",
    covers: &["folded_in_one_commit", "folded_in_two_commits", "it_was_decided_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).executors(3).open();
    let run = deployment.enqueue("flow.diamond", json!({})).await;
    let left = world.child(run, "left", None).await;
    let right = world.child(run, "right", None).await;
    world.set_weather([(Strike::CommitAnswersLate, 100), (Strike::SlowStatement, 20)]);
    if in_turn(&world, &[false, true]) {
        world.at_the_next(commit("advance").about(left), Strike::CommitRefused);
    }
    world.until(ended(run)).await;
    if world.counted(Counter::Conflicts) > 0 {
        world.cover("it_was_decided_again");
    }

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    world.expect_that("they met once", world.executions_of(run, "meet").len() == 1);
    let commits = world.see_history(|history| {
        let folds = |id: ExecutionId| {
            history.commits().iter().position(|commit| {
                commit.executions.iter().any(|c| c.after.id == id && c.after.folded)
            })
        };
        (folds(left), folds(right))
    });
    let together = commits.0 == commits.1;
    world.cover(if together { "folded_in_one_commit" } else { "folded_in_two_commits" });
}
