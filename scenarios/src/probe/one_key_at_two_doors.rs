//! Two clients use one submit key for different things, and come to two API nodes at once. One of
//! them was first; the other is told that the key is taken. No queue is locked by both, so nothing
//! but the key itself keeps them apart.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "one_key_at_two_doors",
    story: "one submit key comes to two API nodes at once with different actions; it gives one \
            execution, and the other client is told so",
    covers: &["one_was_refused"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).apis(2).open();
    let mut accepted = 0;
    for nth in 0..6_u64 {
        world.wait_up_to(ms(100), "the next key").await;
        let key = format!("key-{nth}");
        let (one, other) = deployment
            .submit_at_two_doors(&key, ("sim.single", takes(5)), ("sim.step", takes(5)))
            .await;
        accepted += [one, other].into_iter().flatten().filter(Result::is_ok).count();
    }
    deployment.come_to_rest().await;
    world.expect_that("each key was accepted once", accepted == 6);
    world.cover("one_was_refused");
}
