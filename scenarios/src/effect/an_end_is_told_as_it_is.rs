//! An execution ends: it completes, it fails for good after another attempt, or it is cancelled
//! while it waits, while it runs, or before its next attempt. Those who wait for such an end hear
//! of it, from the first cancel on; those who wait for the other one never do, whatever its
//! attempts had come to before.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "an_end_is_told_as_it_is",
    story: "an execution completes, fails for good or is cancelled in any status: those who wait for \
            such an end hear of it, and nobody hears of the other one",
    covers: &["completed", "failed", "queued", "running", "backoff"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let way = in_turn(
        &world,
        &[Status::Completed, Status::Failed, Status::Queued, Status::Running, Status::Backoff],
    );
    let deployment = Stage::of(&world).open();
    // One of four has somebody for each end: it is the second.
    if way == Status::Queued {
        deployment.enqueue("sim.again", takes(700)).await;
    }
    let mut runs = Vec::new();
    let fails = match way {
        Status::Failed => 99,
        Status::Completed | Status::Backoff => 1,
        _ => 0,
    };
    for _ in 0..4 {
        let parameters = json!({ "ms": 100, "fails": fails });
        runs.push(deployment.enqueue("sim.again", parameters).await);
    }
    let told_either_way = |run: &ExecutionId| {
        world.see_rows(|rows| rows.execution(*run).is_some_and(|e| e.wishes.len() == 2))
    };
    let Some(run) = runs.iter().copied().find(told_either_way) else {
        return world.expect_that("one of four has somebody for each end", false);
    };
    if !way.is_terminal() {
        world.until(is(run, way)).await;
        deployment.cancel(run).await;
    }
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    let row = world.see_rows(|rows| rows.execution(run).cloned());
    let status = row.map(|row| row.status);
    if way.is_terminal() && status == Some(way) || status == Some(Status::Cancelled) {
        world.cover(way.as_str());
    }
    let told: Vec<Effect> = world.see_rows(|rows| rows.effects_of(run).cloned().collect());
    let trigger = match status {
        Some(Status::Completed) => Trigger::Completed,
        _ => Trigger::Unsuccessful,
    };
    world.expect_that("one of the two is told", told.len() == 1);
    for effect in told {
        world.expect_that("it is the one for this end", effect.trigger == trigger);
        world.expect_that("it is told as it is", Some(effect.notice.status) == status);
        world.expect_that("it was heard", world.times_told(&effect.key) > 0);
    }
}
