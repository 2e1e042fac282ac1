//! Two workers race for one claim. One of them is killed: while it holds the claim, or between
//! asking and being told, or idle. Its lease runs out, the other goes on alone, and later the
//! dead one comes back under its old name. Every token has exactly one winner all the while.

use std::time::Duration;

use steadfast_sim::{ClaimStore, Event, Node, OneWinnerPerToken, World, claimer, kinds};

use crate::Scenario;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "claim_race",
    story: "two workers race for one claim, one is killed and comes back; \
            every token has exactly one winner",
    covers: &[
        "race_lost",
        "killed_while_holding",
        "killed_while_idle",
        "taken_over_after_the_lease",
        "late_release_refused",
    ],
    tell: |world| Box::pin(tell(world)),
};

const MS: Duration = Duration::from_millis(1);
const LEASE: Duration = Duration::from_millis(30);
/// A store so near that both ask at once, or so far that its answers overtake each other.
const TRIP_MAX: [Duration; 3] = [Duration::from_millis(2), MS.saturating_mul(5), LEASE];
/// Some work outlasts the lease, and is taken over by the living.
const WORK_MAX: Duration = LEASE.saturating_mul(2);
/// Far more turns than bad luck needs.
const SOON: Duration = Duration::from_secs(30);

async fn tell(world: World) {
    let mut chance = world.stream("workload");
    let trip_max = TRIP_MAX[chance.below(TRIP_MAX.len() as u64) as usize];
    let mut faults = world.stream("faults");
    let kill_after = faults.duration(Duration::ZERO..=LEASE * 4);
    let restart_after = faults.duration(Duration::ZERO..=LEASE * 2);
    world.drew("trip_max", trip_max);
    world.drew("kill_after", kill_after);
    world.drew("restart_after", restart_after);

    world.watch(OneWinnerPerToken::default());
    let claims = ClaimStore::new(&world, LEASE, MS..=trip_max);
    let first = claimer(&world, "w-1", &claims, MS..=WORK_MAX);
    let second = claimer(&world, "w-2", &claims, MS..=WORK_MAX);

    world.until("w-1 wins the claim", SOON, won_by(first)).await;
    world.wait(kill_after).await;
    let holding = claims.holder() == Some(first);
    world.cover(if holding { "killed_while_holding" } else { "killed_while_idle" });
    world.kill(first);

    world.until("w-2 goes on alone", SOON, won_by(second)).await;
    world.wait(restart_after).await;
    world.restart(first);

    world.until("w-1 wins again", SOON, won_by(first)).await;
    world.until("w-2 wins again", SOON, won_by(second)).await;
}

fn won_by(node: Node) -> impl Fn(&Event) -> bool {
    move |event| event.node == node && *event.kind == kinds::CLAIM_WON
}
