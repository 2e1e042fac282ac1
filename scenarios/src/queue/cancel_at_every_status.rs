//! An execution is cancelled in each status that a life has: while it waits in the line, while it
//! waits for a worker, while it is offered to one that does not hear, while it runs, and while it
//! waits for its next attempt. It never runs after that, its place and its slot are gone at once,
//! and the one behind it runs.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "cancel_at_every_status",
    story: "a cancel meets an execution in each status of a life: it never runs again, and its \
            slot goes to the one that waits",
    covers: &["queued", "ready", "offered", "running", "backoff"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let status = in_turn(
        &world,
        &[Status::Queued, Status::Ready, Status::Offered, Status::Running, Status::Backoff],
    );
    let stage = Stage::of(&world);
    let stage =
        if status == Status::Offered { stage.carried_by(Transport::Rabbitmq) } else { stage };
    let deployment = stage.open();
    for worker in deployment.workers() {
        world.until(worker_is(*worker, WorkerState::Active)).await;
        match status {
            Status::Ready => world.kill(*worker),
            Status::Offered => world.cut(*worker, Peer::Broker),
            _ => {}
        }
    }
    if status == Status::Queued {
        deployment.enqueue("sim.again", takes(700)).await;
    }
    let run = deployment.enqueue("sim.again", json!({ "ms": 200, "fails": 1 })).await;
    let next = deployment.enqueue("sim.again", takes(20)).await;
    world.until(is(run, status)).await;
    world.wait_up_to(ms(100), "the cancel").await;
    let met = world.see_rows(|rows| rows.execution(run).map(|row| row.status));
    deployment.cancel(run).await;
    if met == Some(status) {
        world.cover(status.as_str());
    }
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).ended_as(Status::Cancelled);
    deployment.expect(next).completed();
}
