//! Whoever moves an execution dies at each await that there is on the way: before it has read,
//! before it writes, before it commits, after the commit and before a word of it, after the word and
//! before it is settled; in each step that a life has. Each seed takes one of these windows. Nothing
//! is lost in any of them, because whatever is true is in the rows by the time it matters.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "every_window",
    story: "a process dies in each window of the order of durability, in each step of a life: \
            before it reads, writes, commits, publishes or settles",
    covers: &[
        "load_of_submit",
        "write_of_submit",
        "commit_of_submit",
        "publish_of_ready",
        "load_of_claim",
        "write_of_claim",
        "commit_of_claim",
        "load_of_complete",
        "write_of_complete",
        "commit_of_complete",
        "publish_of_ended",
        "load_of_advance",
        "write_of_advance",
        "commit_of_advance",
        "publish_of_advance",
        "settle_of_advance",
        "load_of_sweep",
        "commit_of_sweep",
        "commit_of_check_workers",
        "commit_of_register",
        "commit_of_heartbeat",
    ],
    tell: |world| Box::pin(tell(world)),
};

/// Where somebody dies: the window, and what it is called.
type Window = (fn(&'static str) -> steadfast_sim::Occasion, &'static str, &'static str);

const WINDOWS: &[Window] = &[
    (load, "submit", "load_of_submit"),
    (write, "submit", "write_of_submit"),
    (commit, "submit", "commit_of_submit"),
    (publish, "ready", "publish_of_ready"),
    (load, "claim", "load_of_claim"),
    (write, "claim", "write_of_claim"),
    (commit, "claim", "commit_of_claim"),
    (load, "complete", "load_of_complete"),
    (write, "complete", "write_of_complete"),
    (commit, "complete", "commit_of_complete"),
    (publish, "ended", "publish_of_ended"),
    (load, "advance", "load_of_advance"),
    (write, "advance", "write_of_advance"),
    (commit, "advance", "commit_of_advance"),
    (publish, "advance", "publish_of_advance"),
    (settle, "advance", "settle_of_advance"),
    (load, "sweep", "load_of_sweep"),
    (commit, "sweep", "commit_of_sweep"),
    (commit, "check workers", "commit_of_check_workers"),
    (commit, "register", "commit_of_register"),
    (commit, "heartbeat", "commit_of_heartbeat"),
];

async fn tell(world: World) {
    let (window, step, point) = in_turn(&world, WINDOWS);
    let stage = Stage::of(&world);
    let stage = if step == "claim" { stage.carried_by(Transport::Postgres) } else { stage };
    let deployment = stage.open();
    let run = deployment.enqueue("flow.diamond", json!({})).await;
    world.wait_up_to(ms(60), "the first death").await;
    world.at_the_next(window(step), Strike::Crash);
    let single = deployment.enqueue("sim.single", takes(50)).await;
    let second = deployment.enqueue("sim.single", takes(50)).await;
    if step == "register" {
        world.kill(deployment.worker(0));
        world.wait_up_to(ms(300), "the return").await;
        world.restart(deployment.worker(0));
    }
    if matches!(step, "sweep" | "check workers") {
        world.kill(world.until(began(single)).await.node);
    }
    world.until(struck(Strike::Crash)).await;
    world.cover(point);

    deployment.come_to_rest().await;
    for each in [run, single, second] {
        deployment.expect(each).completed();
    }
    world.expect_that("the branches met once", world.executions_of(run, "meet").len() == 1);
}
