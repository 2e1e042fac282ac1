//! A worker reports that its work is done. The commit lands and the answer is lost, so the worker
//! reports again; the hints about it come twice as well. Two others wait for the only slot. The end
//! counts once: one slot is freed, one waiter is let in, and the second report changes nothing.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "one_report_ends_an_execution",
    story: "a report is taken and its answer lost, so it comes again, and every hint comes twice; \
            one slot is freed and one waiter let in",
    covers: &["the_answer_was_lost", "the_report_came_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    world.set_weather([(Strike::MessageDoubled, 500)]);
    let first = deployment.enqueue("sim.single", takes(50)).await;
    let second = deployment.enqueue("sim.single", takes(50)).await;
    let third = deployment.enqueue("sim.single", takes(50)).await;

    world.at_the_next(commit("complete").about(first), Strike::CommitLandsReplyLost);
    world.until(struck(Strike::CommitLandsReplyLost)).await;
    world.cover("the_answer_was_lost");
    world.until(began(second)).await;
    if world.counted(Counter::UnknownCommits) > 0 {
        world.cover("the_report_came_again");
    }

    deployment.come_to_rest().await;
    for run in [first, second, third] {
        deployment.expect(run).completed().attempts(1).begun(1);
    }
}
