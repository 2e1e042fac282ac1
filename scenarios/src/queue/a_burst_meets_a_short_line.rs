//! Many come at once to a queue that few have ever entered, and share a transaction. Some wait already. The line takes as
//! many as it may hold and refuses the others: who comes with somebody counts as much as who was there.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_burst_meets_a_short_line",
    story: "many are submitted at once where few may wait; as many as may are accepted, the others are \
            refused, and those who were accepted end",
    covers: &["refused_in_a_burst"],
    tell: |world| Box::pin(tell(world)),
};

/// How many may wait, how many do, and how many come.
const LONGEST: usize = 8;
const WAITING: usize = 5;
const BURST: usize = 24;

async fn tell(world: World) {
    let batch = in_turn(&world, &[256, 16, 8]);
    let stage = Stage::of(&world).apis(1).batches_of(batch);
    let deployment = stage.settings(|settings| settings.max_queue_length = LONGEST as u64).open();
    // Nobody leaves meanwhile.
    deployment.workers().iter().for_each(|worker| world.kill(*worker));
    let mut accepted = Vec::new();
    // The first has the slot.
    for _ in 0..=WAITING {
        accepted.push(deployment.enqueue("sim.single", takes(20)).await);
    }
    let burst = (0..BURST).map(|_| deployment.try_submit("sim.single", takes(20), None));
    let answers = at_once(burst).await;
    let refused = answers.iter().flatten().filter(|answer| answer.is_err()).count();
    accepted.extend(answers.into_iter().flatten().filter_map(Result::ok));
    world.expect_that("each is answered", accepted.len() - 1 - WAITING + refused == BURST);
    world.expect_that("the line is as long as it may be", accepted.len() - 1 == LONGEST);
    world.cover("refused_in_a_burst");
    deployment.workers().iter().for_each(|worker| world.restart(*worker));
    deployment.come_to_rest().await;
    for id in accepted {
        deployment.expect(id).completed();
    }
}

/// Lets all of them go on together, and returns what each came to, in order.
async fn at_once<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut going: Vec<Pin<Box<_>>> = futures.map(Box::pin).collect();
    let mut ended: Vec<Option<T>> = going.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, end) in going.iter_mut().zip(&mut ended) {
            if end.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *end = Some(value);
            }
        }
        if ended.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ended.into_iter().flatten().collect()
}
