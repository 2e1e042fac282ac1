//! Every message is lost: the broker confirms them and they go nowhere; or it is down, or nobody can
//! subscribe, or it is short of memory and takes none. Work is submitted, run, retried, cancelled and joined all the same, within the bounds
//! of sweeps and polls: a message is a hint, and what is true is in the rows.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "hints_that_never_come",
    story: "not one message arrives, because they are lost or the broker is down; everything is \
            done all the same, found in the rows",
    covers: &["all_lost", "broker_down", "cut_from_the_broker", "memory_alarm"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    // Where work is assigned, an offer is the only way in; another story has that.
    let transport = in_turn(&world, &[Transport::Embedded, Transport::Postgres]);
    let deployment = Stage::of(&world).carried_by(transport).open();
    let how = in_turn(&world, &["all_lost", "broker_down", "cut_from_the_broker", "memory_alarm"]);
    match how {
        "all_lost" => world.set_weather([(Strike::MessageLost, 1_000)]),
        "broker_down" => world.set_broker_down(true),
        "memory_alarm" => world.set_publishers_blocked(true),
        _ => world.nodes().into_iter().for_each(|node| world.cut(node, Peer::Broker)),
    }
    world.cover(how);
    let run = deployment.enqueue("flow.diamond", json!({})).await;
    let first = deployment.enqueue("sim.again", json!({ "ms": 50, "fails": 1 })).await;
    let second = deployment.enqueue("sim.again", takes(50)).await;
    let hung = deployment.enqueue("sim.step", json!({ "ms": 50, "hangs": true })).await;
    world.until(began(hung)).await;
    deployment.cancel(hung).await;
    for each in [run, first, second, hung] {
        world.until(ended(each)).await;
    }

    deployment.come_to_rest().await;
    for each in [run, first, second] {
        deployment.expect(each).completed();
    }
    deployment.expect(hung).ended_as(Status::Cancelled).begun(1);
}
