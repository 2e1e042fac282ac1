//! Two executors look after the same schedules, and their clocks are apart. One dies somewhere between
//! reading what is due and saying that it is done; one stands still for long after it has read, and
//! goes on with what it knows. Then both are away for longer than a restart takes. Each due time is
//! fired once or was missed and is treated as its schedule says, and one schedule whose action is not
//! there keeps none of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use steadfast_core::schedule::{Firing, Missed, Plan};
use steadfast_core::{Span, Timestamp};
use steadfast_sim::{Occasion, committed};

use crate::prelude::*;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_due_time_fires_once",
    story: "executors die and stand still while they fire schedules, and are away for a while: no \
            due time fires twice, and what was missed is made up for as each schedule says",
    covers: &["died_before_the_commit", "answer_lost", "died_before_a_word", "it_knew_old_things"],
    tell: |world| Box::pin(tell(world)),
};

const EVERY: u64 = 4;
const SCHEDULES: &[(&str, &str, Missed)] = &[
    ("all", "sim.step", Missed::All),
    ("gone", "sim.gone", Missed::All),
    ("once", "sim.step", Missed::Once),
    ("skip", "sim.step", Missed::Skip),
];

/// Where what strikes, and what that is called.
type Window = (fn(&'static str) -> Occasion, &'static str, Strike, &'static str);

const WINDOWS: &[Window] = &[
    (commit, "fire schedules", Strike::Crash, "died_before_the_commit"),
    (commit, "fire schedules", Strike::CommitLandsReplyLost, "answer_lost"),
    (publish, "ready", Strike::Crash, "died_before_a_word"),
];

async fn tell(world: World) {
    let deployment = Stage::of(&world).carried_by(Transport::Postgres).open();
    let half = i64::try_from(DRIFT.as_micros() / 2).unwrap_or(0);
    world.set_clock(deployment.executor(0), half);
    world.set_clock(deployment.executor(1), -half);
    for (name, action, missed) in SCHEDULES {
        let plan = Plan::every(Span::from_secs(EVERY), (*action).into());
        let plan = Arc::new(Plan { missed: *missed, ..(*plan).clone() });
        while !deployment.schedule(name, Arc::clone(&plan)).await {
            world.wait(ms(100)).await;
        }
    }
    let (window, step, strike, point) = in_turn(&world, WINDOWS);
    world.at_the_next(window(step), strike);
    world.until(struck(strike)).await;
    world.cover(point);
    deployment.executors().iter().for_each(|executor| world.restart(*executor));

    let sweeper = deployment.executor(0);
    world.wait(next_due(&world)).await;
    world.until(committed("find schedules").by(sweeper).from_now(&world)).await;
    world.pause(sweeper);
    world.wait(secs(EVERY * 2 + 1)).await;
    world.resume(sweeper);
    world.cover("it_knew_old_things");
    world.wait(secs(EVERY)).await;

    deployment.executors().iter().for_each(|executor| world.kill(*executor));
    world.wait(secs(45)).await;
    let outage = world.store_clock();
    deployment.executors().iter().for_each(|executor| world.restart(*executor));
    world.wait(secs(EVERY * 2)).await;

    deployment.come_to_rest().await;
    expect(&world, outage);
}

/// How long it is until all of them are due.
fn next_due(world: &World) -> std::time::Duration {
    let due = world.see_rows(|rows| rows.schedules.values().map(|row| row.due).max());
    due.map_or(Span::ZERO, |due| due.since(world.store_clock())).into()
}

/// What every schedule has fired for, in order.
fn fired(world: &World, name: &str) -> Vec<Timestamp> {
    world.see_rows(|rows| {
        let keys = rows.executions.iter().filter_map(|e| Some(&e.idempotency.as_ref()?.key));
        let firings = keys.filter_map(|key| Firing::of_key(key));
        let mine = firings.filter(|firing| firing.schedule.as_str() == name);
        let mut due: Vec<Timestamp> = mine.map(|firing| firing.due).collect();
        due.sort_unstable();
        due
    })
}

fn expect(world: &World, outage: Timestamp) {
    let every = Span::from_secs(EVERY);
    let gaps = |due: &[Timestamp]| due.windows(2).filter(|w| w[1].since(w[0]) > every).count();
    for (name, _, missed) in SCHEDULES.iter().filter(|(name, ..)| *name != "gone") {
        let due = fired(world, name);
        let once = due.iter().collect::<BTreeSet<_>>().len() == due.len();
        world.expect_that(&format!("{name} fires each due time once: {due:?}"), once);
        // Of those that were missed.
        let late =
            due.iter().filter(|at| **at <= outage && outage.since(**at) < Span::from_secs(36));
        let (late, gaps) = (late.count(), gaps(&due));
        let fits = match missed {
            Missed::All => gaps == 0 && late == 9,
            Missed::Once => gaps == 1 && late == 1,
            Missed::Skip => gaps == 1 && late == 0,
        };
        world.expect_that(&format!("{name} makes up for what was missed: {due:?}"), fits);
    }
    let error = world.see_rows(|rows| {
        let gone = rows.schedules.values().find(|row| row.name.as_str() == "gone");
        gone.and_then(|row| row.last_error.clone())
    });
    let says = error.as_deref() == Some("there is no action `sim.gone`");
    world.expect_that(&format!("the one that cannot fire says why: {error:?}"), says);
    world.expect_that("and fires nothing", fired(world, "gone").is_empty());
}
