//! Workers are killed and are back under their names at once, and at work, before the witnesses of
//! the processes that died have said so. What a witness says is about the process that it was told
//! of; nothing is taken from the one that has the name now.

use std::collections::BTreeMap;

use steadfast_sim::{Disturb, Disturbance, FleetPlan, Item, Plan, Storm};

use crate::library::library;
use crate::prelude::*;
use crate::stage::small_fleet;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "a_witness_speaks_late",
    story: "killed workers are back at once under their names while the witnesses of the dead still \
            speak; nothing is taken from the living",
    covers: &[],
    tell: |world| Box::pin(tell(world)),
};

async fn tell(world: World) {
    world.perform(&plan(&mut world.stream("kills")), library()).await;
}

fn plan(chance: &mut steadfast_sim::Stream) -> Plan {
    let fleet = FleetPlan { workers: 3, witnesses: true, ..small_fleet(chance, &Transport::ALL) };
    let item = |at_ms| Item {
        at_ms,
        action: "sim.pair".to_owned(),
        parameters: takes(700),
        keyed: true,
        cancel_after_ms: None,
    };
    let workload = (0..20).map(|nth| item(nth * 10)).collect();
    let disturbances = (0..18)
        .map(|nth| {
            let sort = if nth % 6 == 5 { "-witness" } else { "" };
            let node = format!("worker-{}{sort}", 1 + nth % 3);
            let what = Disturb::Kill { node, back_after_ms: 10 + chance.below(150) };
            Disturbance { at_ms: 400 + nth * 200, what }
        })
        .collect();
    let rates = BTreeMap::from([(Strike::SlowStatement, 40), (Strike::Crash, 2)]);
    let storms = vec![Storm { from_ms: 300, until_ms: 4_000, rates }];
    let schedules = Vec::new();
    Plan { fleet, workload, storms, disturbances, first_act_ms: 4_500, schedules }
}
