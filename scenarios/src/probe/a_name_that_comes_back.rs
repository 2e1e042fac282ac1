//! Workers die and come back under their names at once, again and again, while several sweepers
//! take away what the dead ones had. What one of them has rescued is running again elsewhere before
//! the next has looked at it; nobody may take it away from a process that has just arrived.

use std::collections::BTreeMap;

use steadfast_core::settings::Settings;
use steadfast_sim::{Disturb, Disturbance, FleetPlan, Item, Plan, Storm};

use crate::library::library;
use crate::prelude::*;
use crate::stage::small_fleet;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_name_that_comes_back",
    story: "workers are killed and are back at once while slow sweepers rescue what they had; \
            nothing is taken away from the new processes",
    covers: &[],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    world.perform(&plan(&mut world.stream("kills")), library()).await;
}

fn plan(chance: &mut steadfast_sim::Stream) -> Plan {
    let sweep_interval = steadfast_core::Span::from_millis(500);
    let fleet = FleetPlan {
        executors: 4,
        workers: 3,
        delay_max_us: 5_000,
        settings: Settings { sweep_interval, ..Settings::DEFAULT },
        ..small_fleet(chance, &[Transport::Embedded, Transport::Postgres])
    };
    let item = |at_ms| Item {
        at_ms,
        action: "sim.step".to_owned(),
        parameters: takes(900),
        keyed: true,
        cancel_after_ms: None,
    };
    let workload = (0..30).map(|nth| item(nth * 10)).collect();
    let disturbances = (0..24)
        .map(|nth| {
            let node = format!("worker-{}", 1 + nth % 3);
            let what = Disturb::Kill { node, back_after_ms: 10 + chance.below(150) };
            Disturbance { at_ms: 600 + nth * 150, what }
        })
        .collect();
    let rates = BTreeMap::from([(Strike::SlowStatement, 40)]);
    let storms = vec![Storm { from_ms: 500, until_ms: 4_500, rates }];
    let schedules = Vec::new();
    Plan { fleet, workload, storms, disturbances, first_act_ms: 5_000, schedules }
}
