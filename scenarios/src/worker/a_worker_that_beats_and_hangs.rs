//! A worker goes on beating, and starts nothing; it may go on asking for work or not. Its lease
//! says that it lives, and so it does; but whoever asks it hears that it does not move. It is given
//! nothing new, which another takes, or which waits if there is none; what it was working on ends in
//! its hands. It moves again, and is as good as any other.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_worker_that_beats_and_hangs",
    story: "a worker beats and hangs: it keeps what it runs, is given nothing new until it moves \
            again, and is never taken for dead",
    covers: &["others_took_it", "it_waited", "it_serves_again"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let cases = [(false, false), (true, true), (false, true), (true, false)];
    let (alone, goes_on_asking) = in_turn(&world, &cases);
    let deployment = Stage::of(&world).capacity(4).workers(if alone { 1 } else { 2 }).open();
    let long = deployment.enqueue("sim.step", takes(7_000)).await;
    let hung = world.until(began(long)).await.node;
    world.wait_up_to(ms(800), "the hang").await;
    world.hang(hung, goes_on_asking);
    // Whoever starts nothing is seen by what it was given to start.
    let mut baits = Vec::new();
    for _ in 0..10 {
        baits.push(deployment.enqueue("sim.step", takes(300)).await);
    }
    let found = world.until(committed("heed probes").from_now(&world).within(secs(8))).await;
    // Whoever looked at the fleet before that may offer yet.
    world.wait(ms(300)).await;

    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(deployment.enqueue("sim.step", takes(50)).await);
    }
    if alone {
        world.wait(secs(1)).await;
        world.cover("it_waited");
    } else {
        for run in &runs {
            world.until(ended(*run)).await;
        }
        world.cover("others_took_it");
    }
    let given = world.count_events(|e| {
        let taken = [Status::Offered, Status::Accepted, Status::Running];
        e.node == hung
            && e.kind == &kinds::EXECUTION
            && e.index > found.index
            && runs.contains(&ExecutionId(e.payload[0]))
            && taken.iter().any(|status| e.payload[1] == *status as u64)
    });
    world.expect_that("it was given nothing new", given == 0);

    world.unhang(hung);
    world.until(committed("heed probes").from_now(&world).within(secs(4))).await;
    let mut more = Vec::new();
    for _ in 0..12 {
        more.push(deployment.enqueue("sim.step", takes(300)).await);
    }
    for run in &more {
        world.until(ended(*run)).await;
    }
    let again = |e: &Event| more.contains(&ExecutionId(e.payload[0])) && e.node == hung;
    let began = world.count_events(|e| e.kind == &kinds::ACTION_BEGAN && again(e));
    world.expect_that("it serves again", began > 0);
    world.cover("it_serves_again");

    deployment.come_to_rest().await;
    deployment.expect(long).completed().attempts(1).begun(1);
    for run in baits.into_iter().chain(runs).chain(more) {
        deployment.expect(run).completed().begun(1);
    }
}
