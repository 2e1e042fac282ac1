//! What happens in a run, as data: the fleet, the workload, the weather and what is done to whom.
//! A seed draws one; a case on disk is one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::settings::Settings;
use steadfast_core::{Span, Transport};

use crate::deployment::Fleet;
use crate::env::Terms;
use crate::fault::Strike;
use crate::hash::hash_of;
use crate::process::Peer;

/// Everything that a run is made of, apart from chance at the ports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The deployment.
    pub fleet: FleetPlan,
    /// What is submitted, in order of time.
    pub workload: Vec<Item>,
    /// When which strikes happen how often.
    pub storms: Vec<Storm>,
    /// What is done to nodes, servers and queues, in order of time.
    pub disturbances: Vec<Disturbance>,
    /// How long the first act is, in milliseconds.
    pub first_act_ms: u64,
}

impl Plan {
    /// A number that stands for all of it, so that two reports can be told apart at a glance.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let text = serde_json::to_string(self).expect("a plan has string keys");
        hash_of(text.as_bytes())
    }

    /// A plan in a few words.
    #[must_use]
    pub fn in_short(&self) -> Vec<String> {
        let (plan, fleet) = (self, &self.fleet);
        let node =
            |count: u32, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
        vec![
            node(fleet.executors, "executor"),
            node(fleet.workers, "worker"),
            node(fleet.apis, "api"),
            format!("{} items", plan.workload.len()),
            format!("{} storms", plan.storms.len()),
            format!("{} disturbances", plan.disturbances.len()),
            format!("first act {} ms", plan.first_act_ms),
            format!("plan {:08x}", plan.hash() >> 32),
        ]
    }
}

/// The deployment of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// Nodes that decide.
    pub executors: u32,
    /// Nodes that run actions.
    pub workers: u32,
    /// Nodes that take submissions.
    pub apis: u32,
    /// How many attempts a worker runs at once.
    pub capacity: u32,
    /// How many inputs one transaction takes.
    pub batch_size: usize,
    /// How work is carried.
    pub transport: Transport,
    /// The longest way of anything, in microseconds; 0 is as fast as a scheduler.
    pub delay_max_us: u64,
    /// Whether each worker has a witness beside it.
    #[serde(default)]
    pub witnesses: bool,
    /// The spans and bounds in force.
    pub settings: Settings,
    /// What the broker does with messages by itself.
    #[serde(default)]
    pub broker: BrokerPlan,
}

/// What the broker does with messages by itself. Spans are milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerPlan {
    /// Whether shared queues survive a restart, with what was not settled at their head.
    pub durable: bool,
    /// How long a message waits in a queue before it becomes a dead letter. What a consumer has
    /// does not age.
    pub ttl_ms: Option<u64>,
    /// How many wait in one queue before the oldest becomes a dead letter.
    pub max_length: Option<usize>,
    /// How long a consumer may sit on a delivery before its channel is closed.
    pub consumer_timeout_ms: Option<u64>,
    /// How many unsettled deliveries a consumer may have.
    #[serde(default)]
    pub prefetch: Option<usize>,
}

impl FleetPlan {
    /// The fleet to deploy.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        Fleet {
            executors: self.executors,
            workers: self.workers,
            apis: self.apis,
            capacity: self.capacity,
            renew_interval: Span::from_micros(self.settings.lease.as_micros() / 4),
            witnesses: self.witnesses,
            terms: Terms {
                settings: self.settings,
                transport: self.transport,
                batch_size: self.batch_size,
            },
            ..Fleet::default()
        }
    }
}

/// One submission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    pub action: String,
    /// With what.
    pub parameters: Value,
    /// Whether it has an idempotency key, and is submitted again until it is accepted.
    pub keyed: bool,
    /// When it is cancelled, counted from its acceptance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_after_ms: Option<u64>,
}

/// A time with weather.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storm {
    /// From when, in milliseconds.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// In thousandths of the opportunities.
    pub rates: BTreeMap<Strike, u16>,
}

/// Something done to a part of the world, and mended after a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: Disturb,
}

/// What can be done to a part of the world. Spans are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturb {
    /// Kill a process and start it again.
    Kill {
        /// Whose.
        node: String,
        /// When it is there again.
        back_after_ms: u64,
    },
    /// Lose a host and get it back.
    LoseHost {
        /// Whose.
        node: String,
        /// When it is there again.
        back_after_ms: u64,
    },
    /// Let a process stand still.
    Pause {
        /// Whose.
        node: String,
        /// For how long.
        for_ms: u64,
    },
    /// Cut a node off.
    Cut {
        /// Whose.
        node: String,
        /// From whom.
        peer: Peer,
        /// For how long.
        for_ms: u64,
    },
    /// Set a node's clock wrong, by microseconds.
    Clock {
        /// Whose.
        node: String,
        /// How far ahead; below zero is behind.
        ahead_us: i64,
        /// For how long.
        for_ms: u64,
    },
    /// Let the store's clock jump ahead, by microseconds.
    StoreClock {
        /// How far ahead; below zero is behind.
        ahead_us: i64,
    },
    /// Restart the store.
    StoreRestart,
    /// Take the store away.
    StoreDown {
        /// For how long.
        for_ms: u64,
    },
    /// Restart the broker.
    BrokerRestart,
    /// Take the broker away.
    BrokerDown {
        /// For how long.
        for_ms: u64,
    },
    /// Set the operator's limit of an action; `None` lifts it.
    Limit {
        /// Of which action.
        action: String,
        /// How many at once.
        limit: Option<u32>,
    },
    /// Pause an action's queues.
    PauseQueue {
        /// Of which action.
        action: String,
        /// For how long.
        for_ms: u64,
    },
    /// Drain a worker, and start it again.
    Drain {
        /// Whose.
        node: String,
        /// When it is there again.
        back_after_ms: u64,
    },
    /// Cordon a worker: it takes nothing new.
    Cordon {
        /// Which.
        node: String,
        /// For how long.
        for_ms: u64,
    },
    /// Let a worker hang while it beats.
    Hang {
        /// Whose.
        node: String,
        /// For how long.
        for_ms: u64,
        /// Whether it goes on asking for work that it does not start.
        goes_on_asking: bool,
    },
    /// Start a node again with another configuration than the others have.
    Reconfigure {
        /// Whose.
        node: String,
        /// How many inputs one of its transactions takes.
        batch_size: usize,
        /// How often it sweeps.
        sweep_interval_ms: u64,
        /// Whether its leases are half as long as those of the others.
        half_lease: bool,
    },
}

impl Disturb {
    /// How long until it is mended; `None` if it needs no mending.
    #[must_use]
    pub fn mended_after(&self) -> Option<Duration> {
        let span = match self {
            Self::Kill { back_after_ms, .. }
            | Self::LoseHost { back_after_ms, .. }
            | Self::Drain { back_after_ms, .. } => *back_after_ms,
            Self::Pause { for_ms, .. }
            | Self::Cut { for_ms, .. }
            | Self::Clock { for_ms, .. }
            | Self::StoreDown { for_ms }
            | Self::BrokerDown { for_ms }
            | Self::PauseQueue { for_ms, .. }
            | Self::Cordon { for_ms, .. }
            | Self::Hang { for_ms, .. } => *for_ms,
            Self::StoreClock { .. }
            | Self::StoreRestart
            | Self::BrokerRestart
            | Self::Reconfigure { .. }
            | Self::Limit { .. } => return None,
        };
        Some(Duration::from_millis(span))
    }
}
