//! Hints are handled, and when they are to be settled the channel is dead: the answer is lost, or
//! the channel closes with them, or the process dies in between, or the broker restarts. They come
//! again, to somebody else, with receipts of their own; the old receipts settle nothing. What was
//! done already is done, and what comes again changes nothing.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "receipts_of_a_dead_channel",
    story: "hints are handled and cannot be settled, because the channel, the process or the \
            broker is gone; they come again and change nothing",
    covers: &["channel_closes", "settle_lost", "crash", "broker_restarted", "a_hint_came_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let strikes = [Strike::ChannelCloses, Strike::SettleLost, Strike::Crash];
    let how = world.seed() % 4;
    for executor in deployment.executors() {
        if let Some(strike) = strikes.get(usize::try_from(how).unwrap_or(0)) {
            for topic in ["advance", "admit"] {
                world.at_the_next(settle(topic).of(*executor), *strike);
            }
        }
    }
    let run = deployment.enqueue("flow.diamond", json!({})).await;
    let other = deployment.enqueue("flow.list", json!({})).await;
    if let Some(strike) = strikes.get(usize::try_from(how).unwrap_or(0)) {
        world.until(struck(*strike)).await;
        world.cover(strike.name());
    } else {
        world.wait_up_to(ms(100), "the restart").await;
        world.restart_broker();
        world.cover("broker_restarted");
    }
    for each in [run, other] {
        world.until(ended(each)).await;
    }
    if world.counted(Counter::MessagesRedelivered) > 0 {
        world.cover("a_hint_came_again");
    }

    deployment.come_to_rest().await;
    for (each, last) in [(run, "meet"), (other, "after")] {
        deployment.expect(each).completed();
        world.expect_that("its last task ran once", world.executions_of(each, last).len() == 1);
    }
}
