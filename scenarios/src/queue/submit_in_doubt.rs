//! A client submits, and the answer does not come: the API node dies before it commits, the commit
//! is lost, or it lands and its answer is lost, or the node dies right after it. The client submits
//! again with the same key, and somebody else submits with a key of his own. Each key is one
//! execution, and each execution takes one slot.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "submit_in_doubt",
    story: "a submission is interrupted before, in and after its commit, and comes again with its \
            key: one execution, one slot",
    covers: &["died_before", "lost", "landed", "died_after", "tries_and_slots_agree"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let first = deployment.enqueue("sim.single", takes(300)).await;
    world.until(began(first)).await;
    let (occasion, strike, point) = in_turn(
        &world,
        &[
            (0, Strike::Crash, "died_before"),
            (0, Strike::CommitLost, "lost"),
            (0, Strike::CommitLandsReplyLost, "landed"),
            (1, Strike::Crash, "died_after"),
        ],
    );
    // With its slot free, what is submitted publishes a hint; the other site is passed then.
    let (action, site) = if occasion == 0 {
        ("sim.single", commit("submit"))
    } else {
        ("sim.step", publish("ready"))
    };
    world.at_the_next(site.of(deployment.apis()[0]), strike);
    if occasion == 1 {
        // Where work is assigned, it is offered at once.
        world.at_the_next(publish("offer").of(deployment.apis()[0]), strike);
    }
    let doubted = deployment.enqueue(action, takes(20)).await;
    let other = deployment.enqueue("sim.single", takes(20)).await;
    world.until(struck(strike)).await;
    world.cover(point);

    deployment.come_to_rest().await;
    for run in [first, doubted, other] {
        deployment.expect(run).completed().begun(1);
    }
    let count = world.see_rows(|rows| rows.executions.iter().count());
    world.expect_that("three keys are three executions", count == 3);
    world.cover("tries_and_slots_agree");
}
