//! An execution is long over. A client that never heard of it submits again with the same key; a
//! message that was late speaks of it; its worker reports once more. The key finds what it made,
//! and nothing is done a second time, however long ago the first time was.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "long_after_the_end",
    story: "long after an execution is over its key is submitted again and late hints speak of it; \
            the key finds it, and nothing runs a second time",
    covers: &["late_hints", "the_key_found_it"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    world.set_weather([(Strike::MessageLate, 500), (Strike::MessageDoubled, 500)]);
    let parameters = takes(30);
    let key = Some("once and for all");
    let run = loop {
        match deployment.try_submit("sim.single", parameters.clone(), key).await {
            Some(Ok(run)) => break run,
            _ => world.wait(ms(50)).await,
        }
    };
    world.until(ended(run)).await;
    world.wait_up_to(secs(300), "a long time").await;
    if world.struck().iter().any(|struck| struck.strike == Strike::MessageLate) {
        world.cover("late_hints");
    }
    let again = deployment.try_submit("sim.single", parameters, key).await;
    world.expect_that("the key finds it", again == Some(Ok(run)));
    world.cover("the_key_found_it");
    let other = deployment.enqueue("sim.single", takes(20)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed().begun(1);
    deployment.expect(other).completed().begun(1);
}
