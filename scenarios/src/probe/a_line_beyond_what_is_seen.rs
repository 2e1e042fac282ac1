//! A line is longer than what one transaction reads of it, and all of it may go at once. The hint
//! that somebody should look at the rest is lost, and newcomers arrive. None of them may pass those
//! whom nobody has looked at.

use std::collections::BTreeMap;

use steadfast_core::settings::Settings;
use steadfast_sim::{Disturb, Disturbance, FleetPlan, Item, Plan, Storm};

use crate::library::library;
use crate::prelude::*;
use crate::stage::small_fleet;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_line_beyond_what_is_seen",
    story: "a limit is lifted while three hundred wait and others arrive; whoever was not seen yet \
            is still ahead of those who came later",
    covers: &[],
    tell: |world| Box::pin(tell(world)),
};

/// How many wait: more than one transaction looks at.
const WAITING: u64 = 280;
/// How many come when the rest of the line is not seen.
const LATER: u64 = 30;

async fn tell(world: World) {
    world.perform(&plan(&mut world.stream("newcomers")), library()).await;
}

fn plan(chance: &mut steadfast_sim::Stream) -> Plan {
    let sweep_interval = steadfast_core::Span::from_secs(1);
    let fleet = FleetPlan {
        apis: 2,
        capacity: 200,
        settings: Settings { sweep_interval, ..Settings::DEFAULT },
        ..small_fleet(chance, &Transport::ALL)
    };
    let action = "sim.single".to_owned();
    let item = |at_ms| Item {
        at_ms,
        action: action.clone(),
        parameters: takes(1),
        keyed: true,
        cancel_after_ms: None,
    };
    let first = (0..WAITING).map(|nth| item(20 + nth / 10));
    let later = (0..LATER).map(|_| item(1_500 + chance.below(300)));
    let disturb = |at_ms, what| Disturbance { at_ms, what };
    let disturbances = vec![
        disturb(5, Disturb::PauseQueue { action: action.clone(), for_ms: 1_495 }),
        disturb(10, Disturb::Limit { action: action.clone(), limit: Some(1_000) }),
    ];
    let rates = BTreeMap::from([(Strike::MessageLost, 900)]);
    let storms = vec![Storm { from_ms: 1_490, until_ms: 1_800, rates }];
    let workload = first.chain(later).collect();
    let schedules = Vec::new();
    Plan { fleet, workload, storms, disturbances, first_act_ms: 2_000, schedules }
}
