//! A worker claims, or accepts, and never learns that it has: the answer of its commit is lost, or
//! comes late, or the process dies right before or right after it. The row says that it runs, and
//! nobody runs it. A claim is not work done: either the worker finds at its beats that it does not
//! have what it is said to have and gives it up, or its lease ends. Then it is begun once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_claim_whose_answer_is_lost",
    story: "a claim is committed and the claimer does not know, or is dead: the work is begun all \
            the same, and not by two",
    covers: &["commit_lands_reply_lost", "commit_answers_late", "commit_lost", "crash"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let deployment = Stage::of(&world).open();
    let strike = in_turn(
        &world,
        &[
            Strike::CommitLandsReplyLost,
            Strike::CommitAnswersLate,
            Strike::CommitLost,
            Strike::Crash,
        ],
    );
    for step in ["claim", "accept"] {
        world.at_the_next(commit(step), strike);
    }
    let first = deployment.enqueue("sim.single", takes(50)).await;
    let second = deployment.enqueue("sim.single", takes(50)).await;
    world.until(struck(strike)).await;
    world.cover(strike.name());
    let bound = LEASE + LEASE + DRIFT + SWEEP + secs(3);
    world.until(began(first).within(bound)).await;

    deployment.come_to_rest().await;
    for run in [first, second] {
        deployment.expect(run).completed().begun(1);
    }
}
