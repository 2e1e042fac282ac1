//! A receiver says that it will not take what it is told, so the effect is given up. Somebody
//! mends the receiver and has it tried again: it is delivered then. Of another one an operator says
//! that nobody listens any more, and nobody is told.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "given_up_and_tried_again",
    story: "a receiver refuses what it is told for good, and an operator has it tried again; of \
            another effect an operator says that it is not to be sent",
    covers: &["tried_again", "discarded"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let revives = in_turn(&world, &[true, false]);
    let strike = if revives { Strike::ReceiverRefuses } else { Strike::ReceiverFails };
    world.at_the_next(call(), strike);
    // The first that is submitted has one who is told of any end.
    let run = deployment.enqueue("sim.step", takes(20)).await;
    let effect = || world.see_rows(|rows| rows.effects_of(run).next().cloned());
    let tried = |effect: &Effect| match revives {
        true => effect.state == EffectState::GaveUp,
        false => effect.failures > 0,
    };
    for _ in 0..6_000 {
        if effect().as_ref().is_some_and(tried) {
            break;
        }
        world.wait(ms(5)).await;
    }
    let input = if revives {
        EffectInput::Revive
    } else {
        EffectInput::Abandon("nobody listens there".into())
    };
    while !deployment.control_effect(run, 0, input.clone()).await {
        world.wait(ms(500)).await;
    }

    deployment.come_to_rest().await;
    let Some(effect) = effect() else {
        return world.expect_that("somebody was to be told", false);
    };
    match (revives, effect.state) {
        (true, EffectState::Delivered) => {
            world.cover("tried_again");
            world.expect_that("it was heard then", world.times_told(&effect.key) == 1);
        }
        (true, state) => world.expect_that(&format!("{state} is delivered"), false),
        // The next try may have been faster.
        (false, EffectState::GaveUp) => world.cover("discarded"),
        (false, state) => world.expect_that("it is over", state == EffectState::Delivered),
    }
}
