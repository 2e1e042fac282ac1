//! The store refuses one thing after another: a dead connection from the pool when the report is
//! taken, a reset while it is read, a statement that fails or runs into its timeout, a refusal to
//! serialize, a commit that is lost. None of this says anything about the work. No error is taken
//! for a verdict: everything is tried again and completes at its first attempt.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "an_outage_is_no_verdict",
    story: "the store fails in every way that a store can, in every step of two lives; nothing is \
            failed for it, and nothing is done twice",
    covers: &[
        "dead_connection",
        "connection_reset",
        "statement_fails",
        "serialization_refused",
        "statement_times_out",
        "commit_lost",
        "commit_refused",
        "commit_lands_reply_lost",
    ],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let strikes = [
        (begin as fn(&'static str) -> _, Strike::DeadConnection),
        (load, Strike::ConnectionReset),
        (load, Strike::StatementFails),
        (write, Strike::SerializationRefused),
        (write, Strike::StatementTimesOut),
        (commit, Strike::CommitLost),
        (commit, Strike::CommitRefused),
        (commit, Strike::CommitLandsReplyLost),
    ];
    let (site, strike) = in_turn(&world, &strikes);
    let steps = ["submit", "complete", "advance", "admit", "claim", "accept", "sweep"];
    for step in steps {
        world.at_the_next(site(step), strike);
    }
    let single = deployment.enqueue("sim.single", takes(30)).await;
    let run = deployment.enqueue("flow.list", json!({})).await;
    world.until(struck(strike)).await;
    world.cover(strike.name());
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    deployment.expect(single).completed();
    deployment.expect(run).completed();
    for item in world.executions_of(run, "each") {
        deployment.expect(item.id).completed();
    }
}
