//! The items of a list end in the same moment, and all their rows say completed before anybody has
//! looked at the first of them. Two executors hear of it, some hints come twice, and one commit is
//! refused. What comes after the list starts once: what is open is decided by what has been folded
//! in, and each item is folded in once.

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "items_that_end_at_once",
    story: "all items of a list end in one moment and two executors hear of it, twice; the step \
            after the list starts once",
    covers: &["two_were_at_it", "all_had_ended_before_one_was_folded_in"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let all_first = in_turn(&world, &[true, false]);
    let stage = Stage::of(&world).workers(3).executors(3);
    // Where executors assign work, items would not even begin without them.
    let stage = if all_first { stage.carried_by(Transport::Postgres) } else { stage };
    let deployment = stage.open();
    let run = deployment.enqueue("flow.list", json!({})).await;
    let items = [0, 1, 2, 3, 4];
    let mut each = Vec::new();
    for item in items {
        each.push(world.child(run, "each", Some(item)).await);
    }
    world.set_weather([(Strike::MessageDoubled, 500), (Strike::CommitAnswersLate, 50)]);
    world.at_the_next(commit("advance").about(each[0]), Strike::CommitRefused);
    if all_first {
        // Those who would look are held until there is everything to see.
        world.until(began(each[0])).await;
        deployment.executors().iter().for_each(|executor| world.pause(*executor));
    }
    for item in &each {
        world.until(ended(*item)).await;
    }
    let folded = world.executions_of(run, "each").iter().filter(|item| item.folded).count();
    if folded == 0 {
        world.cover("all_had_ended_before_one_was_folded_in");
    }
    deployment.executors().iter().for_each(|executor| world.resume(*executor));
    let begins = |node| {
        let advance = kinds::step("advance");
        world.count_events(|e| e.node == node && e.kind == &kinds::BEGUN && e.payload[1] == advance)
    };
    world.until(ended(run)).await;
    if deployment.executors().iter().filter(|node| begins(**node) > 0).count() > 1 {
        world.cover("two_were_at_it");
    }

    deployment.come_to_rest().await;
    deployment.expect(run).completed();
    world.expect_that("one step came after", world.executions_of(run, "after").len() == 1);
    deployment.expect(world.child(run, "after", None).await).completed().begun(1);
}
