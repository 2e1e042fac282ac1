//! The end of an execution is committed, and with it the promotion of the one that waited for its
//! slot. Before anybody is told, the process dies, or the broker cannot be reached, or its confirm
//! is lost, or it takes some of the messages and then the connection is gone. The rows say everything: the slot is free and the waiter runs, though no message ever
//! said so.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "the_announcement_is_lost",
    story: "an end is committed and nobody is told: its slot is free all the same, and the waiter \
            that it promoted runs",
    covers: &[
        "died_before_the_publish",
        "the_broker_refused",
        "the_confirm_was_lost",
        "some_was_taken",
    ],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let first = deployment.enqueue("sim.single", takes(50)).await;
    let second = deployment.enqueue("sim.single", takes(50)).await;

    let (strike, point) = in_turn(
        &world,
        &[
            (Strike::Crash, "died_before_the_publish"),
            (Strike::PublishFails, "the_broker_refused"),
            (Strike::ConfirmLost, "the_confirm_was_lost"),
            (Strike::PublishedInPart, "some_was_taken"),
        ],
    );
    world.at_the_next(publish("ended").about(first), strike);
    world.until(struck(strike)).await;
    world.cover(point);
    world.until(began(second).within(LEASE + DRIFT + SWEEP + secs(3))).await;

    deployment.come_to_rest().await;
    deployment.expect(first).completed().begun(1);
    deployment.expect(second).completed();
}
