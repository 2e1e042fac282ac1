//! What a seed draws.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use steadfast_core::schedule::Missed;
use steadfast_core::settings::Settings;
use steadfast_core::{Span, Transport};
use steadfast_sim::{
    BrokerPlan, Disturb, Disturbance, FAMILIES, Family, FleetPlan, Item, Peer, Plan, Recurring,
    STRIKES, Storm, Stream, World,
};

use crate::stage::{EFFECT_RETRY, one_of};

/// Draws a plan, and says what was drawn.
pub(crate) fn plan(world: &World) -> Plan {
    let witnesses = world.stream("witnesses").per_mille(500);
    let fleet = fleet(&mut world.stream("fleet"));
    let transport = world.transport(fleet.transport);
    let fleet = FleetPlan { witnesses, transport, ..fleet };
    let families = families(&mut world.stream("families"));
    let first_act_ms = world.stream("length").within(4_000..=9_000);
    let workload = workload(&mut world.stream("workload"), &families, first_act_ms);
    let storms = storms(&mut world.stream("storms"), &families, first_act_ms);
    let disturbances =
        disturbances(&mut world.stream("disturbances"), &families, &fleet, first_act_ms);
    world.drew("executors", fleet.executors);
    world.drew("workers", fleet.workers);
    world.drew("witnesses", fleet.witnesses);
    world.drew("capacity", fleet.capacity);
    world.drew("batch", fleet.batch_size);
    world.drew("transport", fleet.transport);
    world.drew("delay_max_us", fleet.delay_max_us);
    world.drew("lease", fleet.settings.lease);
    world.drew("items", workload.len());
    world.drew("families", families.iter().map(|f| f.name()).collect::<Vec<_>>());
    let schedules = schedules(&mut world.stream("schedules"));
    world.drew("schedules", schedules.len());
    Plan { fleet, workload, storms, disturbances, first_act_ms, schedules }
}

/// A third of the seeds has something that is submitted again and again.
fn schedules(stream: &mut Stream) -> Vec<Recurring> {
    let count = one_of(stream, &[0, 0, 0, 0, 1, 2]);
    let recurring = |nth| Recurring {
        name: format!("schedule-{nth}"),
        every_seconds: stream.within(1..=3),
        // One that is not there keeps none of the others.
        action: one_of(stream, &["sim.step", "sim.single", "sim.gone"]).to_owned(),
        missed: one_of(stream, Missed::ALL),
    };
    (1..=count).map(recurring).collect()
}

fn fleet(stream: &mut Stream) -> FleetPlan {
    let lease = one_of(stream, &[Span::from_secs(2), Span::from_secs(4)]);
    let settings = Settings {
        lease,
        beat_overdue: Span::from_micros(lease.as_micros() / 4 * 3),
        sweep_interval: Span::from_millis(one_of(stream, &[500, 1_000])),
        offer_timeout: Span::from_secs(3),
        cancel_grace: Span::from_secs(2),
        run_margin: Span::from_secs(3),
        unschedulable_after: Span::from_secs(60),
        max_queue_length: one_of(stream, &[12, 10_000, 10_000]),
        effect_lease: Span::from_secs(3),
        effect_retry: EFFECT_RETRY,
        ..Settings::DEFAULT
    };
    FleetPlan {
        executors: u32::try_from(stream.within(2..=3)).unwrap_or(2),
        workers: u32::try_from(stream.within(5..=7)).unwrap_or(5),
        apis: u32::try_from(stream.within(1..=2)).unwrap_or(1),
        capacity: one_of(stream, &[1, 2, 4, 8]),
        batch_size: one_of(stream, &[1, 2, 16, 256]),
        transport: one_of(stream, &Transport::ALL),
        delay_max_us: one_of(stream, &[0, 0, 2_000, 5_000, 20_000]),
        witnesses: false,
        settings,
        broker: BrokerPlan {
            durable: stream.per_mille(500),
            ttl_ms: one_of(stream, &[None, None, Some(200), Some(2_000)]),
            max_length: one_of(stream, &[None, None, Some(5), Some(50)]),
            consumer_timeout_ms: one_of(stream, &[None, Some(1_000)]),
            prefetch: one_of(stream, &[None, None, Some(1), Some(8)]),
        },
    }
}

/// Each family is there in half of the seeds.
fn families(stream: &mut Stream) -> BTreeSet<Family> {
    FAMILIES.iter().copied().filter(|_| stream.per_mille(500)).collect()
}

/// What an action may be told, by its name.
fn item(stream: &mut Stream, families: &BTreeSet<Family>) -> (&'static str, Value) {
    let ms = one_of(stream, &[1, 10, 50, 200, 600]);
    let odd = families.contains(&Family::Action) && stream.per_mille(150);
    match stream.below(14) {
        0..=2 => ("sim.step", json!({ "ms": ms, "deaf_ms": if odd { 300 } else { 0 } })),
        3 | 4 => ("sim.single", json!({ "ms": ms.min(200) })),
        5 | 6 => ("sim.pair", json!({ "ms": ms, "fails": stream.below(3) })),
        7 => ("sim.keyed", json!({ "ms": ms, "key": stream.below(3) })),
        8 => ("sim.retried", json!({ "ms": ms, "fails": one_of(stream, &[0, 1, 3, 99]) })),
        9 => ("sim.timed", json!({ "ms": ms, "hangs": odd })),
        10 => ("sim.once", json!({ "ms": ms })),
        _ => (one_of(stream, FLOWS).0, json!({})),
    }
}

/// The workflows that are drawn, with how many executions each gives rise to when all goes well.
const FLOWS: &[(&str, u64)] = &[
    ("flow.chain", 4),
    ("flow.diamond", 6),
    ("flow.list", 7),
    ("flow.window", 9),
    ("flow.rescue", 4),
    ("flow.lap", 6),
    ("flow.outer", 6),
];

/// Every seed has the realistic size: fifty executions and two workflows, with some to spare for
/// those that are cancelled before all of their tasks have begun.
fn workload(stream: &mut Stream, families: &BTreeSet<Family>, first_act_ms: u64) -> Vec<Item> {
    let wanted = stream.within(64..=76);
    // Sometimes all at once, sometimes spread.
    let spread = one_of(stream, &[1, first_act_ms / 3, first_act_ms]);
    let always = ["flow.list", "flow.diamond"].map(|flow| (flow, json!({})));
    let mut drawn = Vec::from(always);
    let mut executions = drawn.iter().map(|(name, _)| gives_rise_to(name)).sum::<u64>();
    while executions < wanted {
        let (action, parameters) = item(stream, families);
        executions += gives_rise_to(action);
        drawn.push((action, parameters));
    }
    let mut items: Vec<Item> = drawn
        .into_iter()
        .map(|(action, parameters)| {
            let cancels = families.contains(&Family::Operator) && stream.per_mille(250);
            Item {
                at_ms: stream.below(spread),
                action: action.into(),
                parameters,
                keyed: stream.per_mille(800),
                cancel_after_ms: cancels.then(|| stream.below(1_500)),
            }
        })
        .collect();
    items.sort_by_key(|item| item.at_ms);
    items
}

fn gives_rise_to(action: &str) -> u64 {
    FLOWS.iter().find(|(name, _)| *name == action).map_or(1, |(_, executions)| *executions)
}

fn storms(stream: &mut Stream, families: &BTreeSet<Family>, first_act_ms: u64) -> Vec<Storm> {
    let mut storms = Vec::new();
    let mut at = stream.below(first_act_ms / 4);
    while at < first_act_ms {
        let until = at + stream.within(500..=4_000);
        let mut rates = BTreeMap::new();
        for strike in STRIKES.iter().filter(|strike| families.contains(&strike.family())) {
            if stream.per_mille(500) {
                let rate = match strike.family() {
                    Family::Crash => one_of(stream, &[1, 3]),
                    Family::Connection | Family::Statement => one_of(stream, &[2, 10, 30]),
                    Family::Commit => one_of(stream, &[10, 50, 150]),
                    _ => one_of(stream, &[10, 100, 400]),
                };
                rates.insert(*strike, rate);
            }
        }
        storms.push(Storm { from_ms: at, until_ms: until.min(first_act_ms), rates });
        at = until + stream.below(2_000);
    }
    storms
}

fn disturbances(
    stream: &mut Stream,
    families: &BTreeSet<Family>,
    fleet: &FleetPlan,
    first_act_ms: u64,
) -> Vec<Disturbance> {
    let mut all = Vec::new();
    let any = |stream: &mut Stream| {
        let worker = stream.within(1..=u64::from(fleet.workers));
        let executor = stream.within(1..=u64::from(fleet.executors));
        if stream.per_mille(700) {
            format!("worker-{worker}")
        } else if stream.per_mille(700) {
            format!("executor-{executor}")
        } else {
            "api-1".to_owned()
        }
    };
    for family in families {
        for _ in 0..stream.within(1..=3) {
            let node = any(stream);
            let (short, long) = (stream.within(100..=1_500), stream.within(500..=6_000));
            let what = match family {
                Family::Crash if stream.per_mille(600) => {
                    Disturb::Kill { node, back_after_ms: short }
                }
                Family::Crash => Disturb::LoseHost { node, back_after_ms: long },
                Family::Partition => {
                    let peer = one_of(stream, &[Peer::Store, Peer::Broker]);
                    Disturb::Cut { node, peer, for_ms: long }
                }
                Family::Pause => Disturb::Pause { node, for_ms: long },
                Family::Clock => {
                    // Clocks may be apart by as much as was promised, and no more.
                    let most = i64::try_from(fleet.settings.drift.as_micros() / 2).unwrap_or(0);
                    let ahead_us = if stream.per_mille(500) { most } else { -most };
                    Disturb::Clock { node, ahead_us, for_ms: long }
                }
                Family::Outage => match stream.below(4) {
                    0 => Disturb::StoreRestart,
                    1 => Disturb::StoreDown { for_ms: short },
                    2 => Disturb::BrokerRestart,
                    _ => Disturb::BrokerDown { for_ms: short },
                },
                Family::Operator => operator(stream, fleet, short),
                Family::Hang => {
                    let worker = stream.within(1..=u64::from(fleet.workers));
                    let goes_on_asking = stream.per_mille(500);
                    let node = format!("worker-{worker}");
                    Disturb::Hang { node, for_ms: long, goes_on_asking }
                }
                _ => continue,
            };
            all.push(Disturbance { at_ms: stream.below(first_act_ms), what });
        }
    }
    all.sort_by_key(|disturbance| disturbance.at_ms);
    all
}

fn operator(stream: &mut Stream, fleet: &FleetPlan, for_ms: u64) -> Disturb {
    let action = one_of(stream, &["sim.single", "sim.pair", "sim.step", "sim.keyed"]).to_owned();
    match stream.below(5) {
        4 => {
            let worker = stream.within(1..=u64::from(fleet.workers));
            Disturb::Cordon { node: format!("worker-{worker}"), for_ms }
        }
        3 => {
            let sort = one_of(stream, &["worker", "executor"]);
            let most = if sort == "worker" { fleet.workers } else { fleet.executors };
            Disturb::Reconfigure {
                node: format!("{sort}-{}", stream.within(1..=u64::from(most))),
                batch_size: one_of(stream, &[1, 3, 64]),
                sweep_interval_ms: one_of(stream, &[100, 500, 1_000]),
                half_lease: stream.per_mille(500),
            }
        }
        0 => {
            let limit = one_of(stream, &[None, Some(0), Some(1), Some(3)]);
            Disturb::Limit { action, limit }
        }
        1 => Disturb::PauseQueue { action, for_ms },
        _ => {
            let worker = stream.within(1..=u64::from(fleet.workers));
            Disturb::Drain { node: format!("worker-{worker}"), back_after_ms: for_ms + 1_000 }
        }
    }
}
