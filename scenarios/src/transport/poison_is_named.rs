//! An action kills every worker that begins it. It is tried as often as its policy says and then
//! ended, and its row says why: whoever looks knows which one it was. Beside it is one that had bad
//! luck: its worker was evicted again and again before it could begin, which is held against nobody.
//! Neighbours are not held up.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "poison_is_named",
    story: "an action kills each worker that begins it, and is ended by name after as many losses \
            as it may have; one that merely had bad luck completes",
    covers: &["it_was_given_up", "the_neighbour_completed"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).workers(3).open();
    let poison = deployment.enqueue("sim.single", takes(60_000)).await;
    let behind = deployment.enqueue("sim.single", takes(20)).await;
    let neighbour = deployment.enqueue("sim.step", takes(20)).await;
    let mut last = world.until(began(poison)).await;
    loop {
        world.wait_up_to(ms(200), "the kill").await;
        world.kill(last.node);
        world.wait_up_to(ms(400), "the return").await;
        world.restart(last.node);
        let next = began_or_over(poison);
        let next = world.until(next.after(&last)).await;
        if next.kind != &kinds::ACTION_BEGAN {
            break;
        }
        last = next;
    }
    world.cover("it_was_given_up");

    deployment.come_to_rest().await;
    deployment.expect(poison).ended_as(Status::Abandoned).because(Cause::WorkerLost);
    let losses = world.see_rows(|rows| rows.execution(poison).map(|row| row.losses));
    world.expect_that("it was lost once too often", losses == Some(6));
    deployment.expect(neighbour).completed();
    deployment.expect(behind).completed();
    world.cover("the_neighbour_completed");
}

fn began_or_over(run: ExecutionId) -> steadfast_sim::Fact {
    steadfast_sim::Fact::new(format!("{run} begins or is over"), move |event| {
        event.payload[0] == run.0
            && (event.kind == &kinds::ACTION_BEGAN
                || event.kind == &kinds::EXECUTION && event.payload[1] == Status::Abandoned as u64)
    })
}
