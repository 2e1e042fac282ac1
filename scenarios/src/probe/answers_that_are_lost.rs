//! Clients without a key submit while every other answer to a commit is lost. Nobody but the engine
//! can know whether such a commit was made, since the client has nothing to ask again with; it must
//! look for what it wrote, and not write it once more.

use std::collections::BTreeMap;

use steadfast_sim::{Item, Plan, Storm};

use crate::library::library;
use crate::prelude::*;
use crate::stage::small_fleet;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "answers_that_are_lost",
    story: "submissions without a key meet commits that land and are not answered: each becomes \
            one execution",
    covers: &["answers_were_lost"],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    let plan = plan(&mut world.stream("submissions"));
    world.perform(&plan, library()).await;
    if world.struck().iter().any(|struck| struck.strike == Strike::CommitLandsReplyLost) {
        world.cover("answers_were_lost");
    }
}

fn plan(chance: &mut steadfast_sim::Stream) -> Plan {
    let fleet = small_fleet(chance, &Transport::ALL);
    let item = |_| Item {
        at_ms: chance.below(1_000),
        action: "sim.step".to_owned(),
        parameters: takes(5),
        keyed: false,
        cancel_after_ms: None,
    };
    let workload = (0..12).map(item).collect();
    let rates = BTreeMap::from([(Strike::CommitLandsReplyLost, 400)]);
    let storms = vec![Storm { from_ms: 0, until_ms: 1_000, rates }];
    let (disturbances, schedules) = (Vec::new(), Vec::new());
    Plan { fleet, workload, storms, disturbances, first_act_ms: 1_500, schedules }
}
