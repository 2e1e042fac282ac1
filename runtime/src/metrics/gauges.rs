//! What the rows of the store add up to.

use std::collections::BTreeMap;

use steadfast_core::effect::EffectKind;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::{Timestamp, WorkerId};
use steadfast_services::port::{EffectCount, QueueView};

use super::seconds;

/// Every gauge that is read from the store, and what it says.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("queue_depth", "Executions that wait for a slot"),
    ("slots_in_use", "Slots that are held"),
    ("slots_limit", "Slots that there are; absent while there is no limit"),
    ("oldest_waiting_seconds", "How long the longest waiting has waited"),
    ("queue_completed", "Executions that have ended, since there is this queue"),
    ("worker_heartbeat_age_seconds", "Since a worker was heard of"),
    ("worker_healthy", "1 for a worker that moves, 0 for one that beats and hangs"),
    ("worker_queue_depth", "Messages of the broker that wait for a worker"),
    ("effects_pending", "Effects that are neither delivered nor given up"),
];

/// Whether a worker has not said goodbye.
pub(super) fn is_there(worker: &Worker) -> bool {
    worker.state != WorkerState::Gone
}

/// One value of a gauge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gauge {
    pub(super) label: &'static str,
    pub(super) of: String,
    pub(super) value: f64,
}

impl Gauge {
    pub(super) fn new(label: &'static str, of: impl Into<String>, value: f64) -> Self {
        Self { label, of: of.into(), value }
    }
}

/// The gauges at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gauges {
    pub(super) read_at: Timestamp,
    /// How many messages are put aside, and when that was asked.
    pub(super) parked: Option<(Timestamp, u64)>,
    by_name: BTreeMap<&'static str, Vec<Gauge>>,
}

/// What the queues of one action add up to.
#[derive(Default)]
struct Total {
    waiting: u64,
    holding: u64,
    completed: u64,
    limit: Option<u64>,
    oldest: Option<Timestamp>,
}

impl Gauges {
    pub(super) fn new(now: Timestamp, queues: &[QueueView], workers: &[(Worker, u32)]) -> Self {
        let mut totals: BTreeMap<&str, Total> = BTreeMap::new();
        for view in queues {
            let total = totals.entry(view.queue.action.as_str()).or_default();
            total.waiting += view.waiting;
            total.holding += view.holding;
            total.completed += view.queue.completed;
            total.oldest = total.oldest.into_iter().chain(view.oldest_waiting).min();
            if let Some(limit) = view.queue.limit() {
                *total.limit.get_or_insert(0) += u64::from(limit);
            }
        }
        let mut gauges = Self { read_at: now, parked: None, by_name: BTreeMap::new() };
        for (action, total) in totals {
            let oldest = total.oldest.map_or(0.0, |since| seconds(now.since(since)));
            gauges.push("queue_depth", "action", action, total.waiting as f64);
            gauges.push("slots_in_use", "action", action, total.holding as f64);
            gauges.push("queue_completed", "action", action, total.completed as f64);
            gauges.push("oldest_waiting_seconds", "action", action, oldest);
            if let Some(limit) = total.limit {
                gauges.push("slots_limit", "action", action, limit as f64);
            }
        }
        for (worker, _) in workers.iter().filter(|(worker, _)| is_there(worker)) {
            let age = seconds(now.since(worker.last_beat));
            let name = worker.name.as_str();
            gauges.push("worker_heartbeat_age_seconds", "worker", name, age);
            gauges.push("worker_healthy", "worker", name, f64::from(u8::from(worker.healthy)));
        }
        gauges
    }

    /// There is a number for webhooks even when there are none.
    pub(super) fn set_effects(&mut self, open: &[EffectCount]) {
        let mut kinds = BTreeMap::from([(EffectKind::Webhook, 0)]);
        for (kind, _, count) in open {
            *kinds.entry(*kind).or_default() += count;
        }
        for (kind, count) in kinds {
            self.push("effects_pending", "kind", kind.as_str(), count as f64);
        }
    }

    pub(super) fn set_parked(&mut self, now: Timestamp, parked: u64) {
        self.parked = Some((now, parked));
    }

    pub(super) fn set_waiting<'a>(
        &mut self,
        waiting: impl Iterator<Item = (&'a WorkerId, Option<u64>)>,
    ) {
        for (worker, count) in waiting {
            if let Some(count) = count {
                self.push("worker_queue_depth", "worker", worker.name.as_str(), count as f64);
            }
        }
    }

    /// What could not be asked this time is as it was.
    pub(super) fn keep_what_is_missing(&mut self, before: Option<&Self>) {
        if let Some(before) = before {
            self.parked = self.parked.or(before.parked);
        }
    }

    fn push(&mut self, name: &'static str, label: &'static str, of: &str, value: f64) {
        self.by_name.entry(name).or_default().push(Gauge::new(label, of, value));
    }

    pub(super) fn of(&self, name: &str) -> &[Gauge] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steadfast_core::QueueKey;
    use steadfast_core::queue::Queue;

    #[test]
    fn the_queues_of_an_action_are_added_up() {
        let view = |key: &str, limit, waiting, holding, since: Option<u64>| QueueView {
            queue: Queue::new(QueueKey::new(key), limit, Timestamp::ZERO),
            waiting,
            holding,
            oldest_waiting: since.map(|s| Timestamp::from_micros(s * 1_000_000)),
        };
        let queues = [
            view("core.ssh|a", Some(2), 3, 2, Some(7)),
            view("core.ssh|b", Some(2), 1, 1, Some(5)),
            view("core.noop", None, 0, 4, None),
        ];
        let gauges = Gauges::new(Timestamp::from_micros(10_000_000), &queues, &[]);
        let value = |name, action: &str| {
            gauges.of(name).iter().find(|gauge| gauge.of == action).map(|gauge| gauge.value)
        };
        assert_eq!(value("queue_depth", "core.ssh"), Some(4.0));
        assert_eq!(value("slots_in_use", "core.ssh"), Some(3.0));
        assert_eq!(value("slots_limit", "core.ssh"), Some(4.0));
        assert_eq!(value("oldest_waiting_seconds", "core.ssh"), Some(5.0));
        assert_eq!(value("slots_limit", "core.noop"), None);
        assert_eq!(value("oldest_waiting_seconds", "core.noop"), Some(0.0));
        assert_eq!(gauges.of("worker_heartbeat_age_seconds"), []);
    }
}
