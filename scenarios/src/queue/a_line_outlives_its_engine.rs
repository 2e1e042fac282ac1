//! Two run and five wait, in an order. Every executor and every API node is killed, the broker
//! forgets everything, and all of it comes back with nothing in its memory, while the two run on.
//! Nobody is admitted beyond the limit, nobody has lost his place, and the ends of the two meet a
//! queue that knows them.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_line_outlives_its_engine",
    story: "every process that decides is killed while two run and five wait; the limit holds, the \
            line keeps its order, and nobody vanishes from it",
    covers: &["all_are_dead", "in_their_order"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let mut runs = Vec::new();
    for _ in 0..7 {
        runs.push(deployment.enqueue("sim.pair", takes(400)).await);
    }
    world.until(is(runs[0], Status::Running)).await;
    world.wait_up_to(ms(300), "the end of the engine").await;
    for node in deployment.executors().iter().chain(deployment.apis()) {
        world.kill(*node);
    }
    world.restart_broker();
    world.cover("all_are_dead");
    world.wait_up_to(ms(600), "its return").await;
    for node in deployment.executors().iter().chain(deployment.apis()) {
        world.restart(*node);
    }

    deployment.come_to_rest().await;
    for run in &runs {
        deployment.expect(*run).completed().begun(1);
    }
    let orders: Vec<_> = world.see_rows(|rows| {
        runs.iter().map(|run| rows.execution(*run).and_then(|row| row.order)).collect()
    });
    if orders.is_sorted() {
        world.cover("in_their_order");
    }
}
