//! Work is offered to a worker, and before the offer arrives an operator orders the worker to take
//! nothing new. The worker knows nothing of that yet and says yes. The store must not let it.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "an_offer_meets_an_order_to_drain",
    story: "an operator drains a worker while an offer is on its way to it; the offer comes to \
            nothing, and another worker has the work without losing an attempt",
    covers: &["offered_and_drained"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).carried_by(Transport::Rabbitmq).open();
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
    }
    world.at_the_next(delivery("offer"), Strike::MessageLate);
    let run = deployment.enqueue("sim.step", takes(50)).await;
    world.until(is(run, Status::Offered)).await;
    let offered_to = world.see_rows(|rows| {
        let holder = rows.execution(run).and_then(|row| row.worker.as_ref());
        holder.map(|worker| worker.name.as_str().to_owned())
    });
    let drained = offered_to.and_then(|name| world.named(&name)).expect("it was just offered");
    deployment.order_to_drain(drained).await;
    world.cover("offered_and_drained");
    world.until(ended(run)).await;
    world.kill(drained);
    world.restart(drained);

    deployment.come_to_rest().await;
    deployment.expect(run).completed().begun(1);
}
