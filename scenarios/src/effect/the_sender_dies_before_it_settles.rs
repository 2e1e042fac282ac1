//! A receiver has been told of an end, and whoever told it dies before that is written down, or
//! does not hear the answer, or cannot tell whether it was written. Somebody tells it again, under
//! the same key; nobody who waits for the end is left out, and the ledger says it once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_sender_dies_before_it_settles",
    story: "a receiver has been told of an end and the sender dies, or does not hear so, before it is \
            written down: it is told again under the same key, and settled once",
    covers: &["died_after_telling", "answer_was_lost", "settled_in_doubt", "told_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let (occasion, strike, name) = match in_turn(&world, &[0, 1, 2, 3, 4]) {
        0 => (begin("settle effect"), Strike::Crash, "died_after_telling"),
        1 => (load("settle effect"), Strike::Crash, "died_after_telling"),
        2 => (call(), Strike::ReceiverAnswerLost, "answer_was_lost"),
        3 => (commit("settle effect"), Strike::CommitLandsReplyLost, "settled_in_doubt"),
        _ => (commit("settle effect"), Strike::CommitLost, "settled_in_doubt"),
    };
    world.at_the_next(occasion, strike);
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(deployment.enqueue("sim.step", takes(20)).await);
    }
    for run in &runs {
        world.until(ended(*run)).await;
    }
    world.until(struck(strike)).await;

    deployment.come_to_rest().await;
    if world.struck().iter().any(|struck| struck.strike == strike) {
        world.cover(name);
    }
    let effects: Vec<Effect> = world.see_rows(|rows| rows.effects.values().cloned().collect());
    world.expect_that("two of the four had somebody to be told", effects.len() == 2);
    for effect in effects {
        world.expect_that("it is delivered", effect.state == EffectState::Delivered);
        let told = world.times_told(&effect.key);
        world.expect_that("each try is another one", told <= effect.sends as usize && told > 0);
        if told > 1 {
            world.cover("told_again");
        }
    }
}
