//! An executor starts the next task of a run: the row is committed. It dies before it tells a
//! worker, or the broker takes nothing. Whoever comes to the run again finds the row, so nobody
//! starts it twice; and whoever looks for work finds it as well, so it is not left lying either.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_successor_that_nobody_was_told_of",
    story: "the next task of a run is committed and the process dies before a word of it: it is \
            started once all the same",
    covers: &["died_before_the_publish", "the_broker_refused"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let run = deployment.enqueue("flow.chain", json!({})).await;
    let one = world.child(run, "one", None).await;
    let (strike, point) = in_turn(
        &world,
        &[(Strike::Crash, "died_before_the_publish"), (Strike::PublishFails, "the_broker_refused")],
    );
    world.until(began(one)).await;
    for executor in deployment.executors() {
        world.at_the_next(publish("ready").of(*executor), strike);
    }
    let two = world.child(run, "two", None).await;
    world.until(struck(strike)).await;
    world.cover(point);
    world.until(began(two).within(LEASE + DRIFT + SWEEP + secs(3))).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    for task in ["one", "two", "three"] {
        let made = world.executions_of(run, task).len();
        world.expect_that(&format!("`{task}` was started once"), made == 1);
    }
}
