//! Whoever tells an end stands still in the middle of its try. When its time is over somebody else
//! tells it, and is still waiting for the answer when the first one goes on and says what came of
//! its own try. Nobody listens: the effect is not its own any more.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_sender_that_comes_back",
    story: "a sender stands still in the middle of a try that is taken over, and comes back while the \
            other waits for its answer: its word is not listened to",
    covers: &["came_back", "fenced"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    for _ in 0..2 {
        world.at_the_next(call(), Strike::ReceiverAnswerLost);
    }
    // The first that is submitted has one who is told of any end.
    let run = deployment.enqueue("sim.step", takes(20)).await;
    let first = told_by(&world, &deployment, None).await;
    world.stand_still(first);
    told_by(&world, &deployment, Some(first)).await;
    world.wait_up_to(ms(100), "coming back").await;
    world.resume(first);
    world.cover("came_back");

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    if world.counted(Counter::FencedWrites) > 0 {
        world.cover("fenced");
    }
    let effects: Vec<Effect> = world.see_rows(|rows| rows.effects_of(run).cloned().collect());
    world.expect_that("somebody was to be told", effects.len() == 1);
    for effect in effects {
        world.expect_that("it is delivered", effect.state == EffectState::Delivered);
        world.expect_that("in a third try", effect.sends >= 3);
    }
}

/// Waits until an executor has told somebody of an end, another one than `but`.
async fn told_by(world: &World, deployment: &Deployment, but: Option<Node>) -> Node {
    let tells = |node: &&Node| {
        Some(**node) != but
            && world.count_events(|e| e.node == **node && e.kind == &kinds::TOLD) > 0
    };
    for _ in 0..6_000 {
        if let Some(node) = deployment.executors().iter().find(tells) {
            return *node;
        }
        world.wait(ms(10)).await;
    }
    world.expect_that("somebody tells of the end", false);
    std::future::pending().await
}
