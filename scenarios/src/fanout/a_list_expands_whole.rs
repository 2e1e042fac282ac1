//! A list is expanded: of no item, of one, of three hundred. The executor dies before the commit of
//! the expansion, or after it and before a word; the commit is refused, or its answer is lost. The
//! items are there all together or not at all, each once, and what comes after the list starts once,
//! also after a list of nothing.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_list_expands_whole",
    story: "lists of no item, of one and of three hundred are expanded while the executor dies in \
            between; every item is there once, and what follows starts once",
    covers: &[
        "of_nothing",
        "of_one",
        "of_many",
        "crash",
        "commit_refused",
        "commit_lands_reply_lost",
    ],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let count = match world.seed() % 8 {
        0 => 300,
        1 | 2 => 0,
        3 | 4 => 1,
        _ => 40,
    };
    let deployment = Stage::of(&world).workers(3).capacity(16).open();
    let strike = one_of(
        &mut world.stream("the expansion"),
        &[Strike::Crash, Strike::CommitRefused, Strike::CommitLandsReplyLost],
    );
    for executor in deployment.executors() {
        world.at_the_next(commit("advance").of(*executor), strike);
    }
    let numbers: Vec<u32> = (0..count).collect();
    let run = deployment.enqueue("flow.items", json!({ "numbers": numbers })).await;
    world.until(struck(strike)).await;
    world.cover(strike.name());
    world.until(ended(run)).await;

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    let items = world.executions_of(run, "each").len();
    world.expect_that(&format!("{items} items are {count}"), items == count as usize);
    world.expect_that("one step came after", world.executions_of(run, "after").len() == 1);
    world.cover(match count {
        0 => "of_nothing",
        1 => "of_one",
        _ => "of_many",
    });
}
