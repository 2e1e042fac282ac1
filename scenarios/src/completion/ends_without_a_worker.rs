//! Executions end where no worker says so: cancelled in the line, cancelled before anybody took
//! them, waited too long, found no worker, ran past their time at a worker that does not listen,
//! lost with their worker, refused by a full line. Each time somebody waits for the slot, or comes
//! after. It is free at once, because it is nothing but the row that ended.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "ends_without_a_worker",
    story: "an execution ends in each of the ways in which no worker reports it, and who comes \
            after it gets the slot",
    covers: &[
        "cancelled_in_the_line",
        "cancelled_before_it_was_taken",
        "waited_too_long",
        "found_no_worker",
        "ran_past_its_time",
        "lost_with_its_worker",
        "refused_by_a_full_line",
    ],
    tell: |world| Box::pin(async move { tell(&world).await }),
};

async fn tell(world: &World) {
    let (deployment, next, point) = match world.seed() % 7 {
        0 => cancelled_in_the_line(world).await,
        1 => cancelled_before_it_was_taken(world).await,
        2 => waited_too_long(world).await,
        3 => found_no_worker(world).await,
        4 => ran_past_its_time(world).await,
        5 => lost_with_its_worker(world).await,
        _ => refused_by_a_full_line(world).await,
    };
    world.cover(point);
    deployment.come_to_rest().await;
    deployment.expect(next).completed();
}

/// The deployment, who comes after, and what happened.
type Told = (Deployment, ExecutionId, &'static str);

async fn cancelled_in_the_line(world: &World) -> Told {
    let deployment = Stage::of(world).open();
    let first = deployment.enqueue("sim.single", takes(300)).await;
    let second = deployment.enqueue("sim.single", takes(20)).await;
    let third = deployment.enqueue("sim.single", takes(20)).await;
    world.until(began(first)).await;
    world.wait_up_to(ms(250), "the cancel").await;
    deployment.cancel(second).await;
    world.until(is(second, Status::Cancelled)).await;
    world.until(began(third)).await;
    deployment.expect(second).because(Cause::Cancelled).begun(0);
    (deployment, third, "cancelled_in_the_line")
}

async fn cancelled_before_it_was_taken(world: &World) -> Told {
    let deployment = Stage::of(world).open();
    deployment.workers().iter().for_each(|worker| world.kill(*worker));
    let first = deployment.enqueue("sim.single", takes(20)).await;
    let second = deployment.enqueue("sim.single", takes(20)).await;
    world.until(is(first, Status::Ready)).await;
    deployment.cancel(first).await;
    world.until(is(second, Status::Ready)).await;
    deployment.expect(first).ended_as(Status::Cancelled).begun(0);
    (deployment, second, "cancelled_before_it_was_taken")
}

async fn waited_too_long(world: &World) -> Told {
    let deployment = Stage::of(world).impatient().open();
    let first = deployment.enqueue("sim.single", takes(1_500)).await;
    let second = deployment.enqueue("sim.single", takes(20)).await;
    world.until(is(second, Status::Failed)).await;
    deployment.expect(second).because(Cause::QueueTimeout).begun(0);
    world.until(ended(first)).await;
    let third = deployment.enqueue("sim.single", takes(20)).await;
    (deployment, third, "waited_too_long")
}

async fn found_no_worker(world: &World) -> Told {
    let stage = Stage::of(world);
    let settings = |s: &mut steadfast_core::settings::Settings| {
        s.unschedulable_after = steadfast_core::Span::from_secs(4);
    };
    let deployment = stage.settings(settings).open();
    deployment.workers().iter().for_each(|worker| world.kill(*worker));
    let first = deployment.enqueue("sim.single", takes(20)).await;
    world.until(is(first, Status::Failed)).await;
    deployment.expect(first).because(Cause::Unschedulable).begun(0);
    deployment.workers().iter().for_each(|worker| world.restart(*worker));
    let second = deployment.enqueue("sim.single", takes(20)).await;
    (deployment, second, "found_no_worker")
}

async fn ran_past_its_time(world: &World) -> Told {
    let deployment = Stage::of(world).open();
    let deaf = json!({ "hangs": true, "deaf_ms": 5_000 });
    let first = deployment.enqueue("sim.brief", deaf).await;
    let second = deployment.enqueue("sim.brief", takes(20)).await;
    world.until(is(first, Status::TimedOut)).await;
    deployment.expect(first).because(Cause::RunTimeout).begun(1);
    world.until(is(second, Status::Running)).await;
    world.until(finished(first)).await;
    (deployment, second, "ran_past_its_time")
}

async fn lost_with_its_worker(world: &World) -> Told {
    let deployment = Stage::of(world).open();
    let first = deployment.enqueue("sim.lone", takes(800)).await;
    let second = deployment.enqueue("sim.lone", takes(20)).await;
    let worker = world.until(began(first)).await.node;
    world.wait_up_to(ms(600), "the kill").await;
    world.kill(worker);
    world.until(is(first, Status::Abandoned).within(LEASE + DRIFT + SWEEP + secs(1))).await;
    deployment.expect(first).because(Cause::WorkerLost).begun(1);
    world.until(began(second)).await;
    (deployment, second, "lost_with_its_worker")
}

async fn refused_by_a_full_line(world: &World) -> Told {
    let deployment = Stage::of(world).settings(|s| s.max_queue_length = 1).open();
    let first = deployment.enqueue("sim.single", takes(300)).await;
    let second = deployment.enqueue("sim.single", takes(20)).await;
    world.until(is(second, Status::Queued)).await;
    let third = deployment.try_submit("sim.single", takes(20), None).await;
    world.expect_that("a full line takes nobody", !matches!(third, Some(Ok(_))));
    world.until(ended(first)).await;
    (deployment, second, "refused_by_a_full_line")
}
